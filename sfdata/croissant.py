"""Croissant metadata of a shared store: its files, for Zarr has no record sets there.

The format: https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
ENCODING = {
    ".zip": "application/zip",
    ".json": "application/json",
    ".toml": "application/toml",
    ".md": "text/markdown",
    ".flac": "audio/flac",
    ".csv": "text/csv",
}


def croissant(
    name: str,
    description: str,
    licences: Sequence[str],
    creators: Sequence[str],
    files: Mapping[str, tuple[int, str]],
    citation: str,
    published: str,
    url: str,
) -> dict[str, Any]:
    """Describe files.

    Parameters
    ----------
    name, description, citation : str
    licences, creators : sequence of str
    files : mapping of str to (int, str)
        Path within the dataset to bytes and sha256.
    published : str
        ISO date.
    url : str

    Returns
    -------
    dict
        JSON-LD of a Croissant 1.0 dataset, FileObjects only.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "license": list(licences),
        "creator": [{"@type": "sc:Organization", "name": creator} for creator in creators],
        "url": url,
        "version": "1.0.0",
        "datePublished": published,
        "citeAs": citation,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": path,
                "name": path,
                "contentUrl": path,
                "contentSize": f"{size} B",
                "encodingFormat": ENCODING.get("." + path.rsplit(".", 1)[-1], "text/plain"),
                "sha256": sha256,
            }
            for path, (size, sha256) in sorted(files.items())
        ],
    }
