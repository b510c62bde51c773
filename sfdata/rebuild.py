"""How a store is built again: the recipe, the commands, and what they need beside them."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomli_w

from sfdata.portable import SHIPPED_PREFIX, SOURCE_PATHS, portable, portable_attrs
from sfdata.registry import REGISTRY_FILE, read_registry
from sfdata.shipped_files import shipped_file
from sfdata.store import Store

RECIPE = "recipe.toml"


@dataclass(frozen=True)
class Rebuild:
    """How a store is built again.

    Attributes
    ----------
    recipes : dict of str to str
        File name to TOML: ``recipe.toml``, and of a store that grew, ``recipe-1.toml`` and so on for the builds before.
    commands : tuple of str
        Given one after another, in the folder of the recipes.
    beside : tuple of str
        Folders and files that lie there too.
    """

    recipes: dict[str, str]
    commands: tuple[str, ...]
    beside: tuple[str, ...]

    def facts(self, store: Store) -> dict[str, Any]:
        """Content of ``build.json``: how, and what must be the same for the same bytes."""
        attrs, pieces, played = store.attrs, store.pieces, store.instruments
        grown = [entry["rows"]["pieces"] for entry in attrs.get("appended_to", [])]
        is_portable = portable_attrs(attrs) == attrs
        return {
            "command": self.commands[-1] if len(self.commands) == 1 else " && ".join(self.commands),
            "put_beside_recipe": list(self.beside),  # known by their checksums below
            "seed": attrs["seed"],
            # an older store's tells where its sources lay; built again, it has another
            "build_sha256": attrs.get("build_sha256", "") if is_portable else "",
            "software": attrs.get("software", {}),
            "pieces": [
                {"file": str(file), "sha256": str(sha256)}
                | ({"build": 1 + sum(row >= rows for rows in grown)} if grown else {})
                for row, (file, sha256) in enumerate(zip(pieces["file"], pieces["sha256"], strict=True))
            ],
            "soundfonts": [
                {"instrument": str(name), "file": str(file), "sha256": str(sha256)}
                for name, file, sha256 in zip(played["name"], played["file"], played["sha256"], strict=True)
                if sha256
            ],
        }


def rebuild_of(store: Store, name: str) -> Rebuild:
    """Tell how a store is built again.

    Parameters
    ----------
    store : Store
    name : str
        Of the store that is built, without its ending.
    """
    recipe = portable(store.attrs["recipe"])
    sources = recipe.get("sources", [])
    kind = next((key for key in ("aligned", "maps", "references") if sources and key in sources[0]), "midi")
    fonts, files = _own_fonts(store) if kind != "references" else ([], set[str]())
    output = ["-o", f"{name}.zarr"]
    recipes, commands = {}, []
    if kind == "midi":
        before = [portable(entry["recipe"]) for entry in store.attrs.get("appended_to", [])]
        for number, one in enumerate(before, start=1):
            file = f"recipe-{number}.toml"
            recipes[file] = recipe_toml(one)
            commands.append(["sfdata", "build", file, *output, *(["--append"] if number > 1 else [])])
        commands.append(["sfdata", "build", RECIPE, *output, *(["--append"] if before else [])])
        recipes[RECIPE] = recipe_toml(recipe)
    else:  # what is imported, and what plays it, is told on the command line
        before = []
        commands.append(["sfdata", *_IMPORTS[kind](store, sources[0], recipe), "--recipe", RECIPE, *output])
        recipes[RECIPE] = recipe_toml(
            {key: value for key, value in recipe.items() if key not in ("sources", "instruments")}
        )
    told = [str(path) for one in (*before, recipe) for path in _beside(one)]
    return Rebuild(recipes, tuple(map(shlex.join, [*fonts, *commands])), tuple(sorted({*told, *files})))


def _import_aligned(store: Store, source: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    snippets = recipe["instruments"]["snippets"]
    played = zip(store.instruments["name"], store.instruments["sha256"], strict=True)
    rendered = [str(name) for name, sha256 in played if sha256 and name in snippets]
    return [
        *("import", "aligned", source["aligned"], "--soundfont", recipe["instruments"]["references"][0]),
        *("--velocity", str(source["velocity"]), "--split", source["split"]),
        *(["--performed-by", rendered[0]] if rendered else []),
    ]


def _import_maps(store: Store, source: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    return ["import", "maps", source["maps"]]  # the recipe's [maps] tell the rest


def _build_pairs(store: Store, source: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    rights = [
        text
        for column in ("licence", "attribution")
        if store.rows("pieces") and (told := str(store.pieces[column][0]))
        for text in (f"--{column}", told)
    ]
    return ["build-pairs", "--references", source["references"], "--snippets", source["snippets"], *rights]


_IMPORTS = {"aligned": _import_aligned, "maps": _import_maps, "references": _build_pairs}


def _own_fonts(store: Store) -> tuple[list[list[str]], set[str]]:
    """Commands that register the fonts which do not ship with sfdata's registry, and their files."""
    shipped = {font.sha256 for font in read_registry(shipped_file(REGISTRY_FILE)).values()}
    columns = ("name", "file", "sha256", "licence")
    commands, files = {}, set()
    for name, file, sha256, licence in zip(*(map(str, store.instruments[c]) for c in columns), strict=True):
        if sha256 and sha256 not in shipped:
            rights = ["--licence", licence] if licence else []
            commands[sha256] = ["sfdata", "soundfonts", "add", file, "--name", name.split(":")[0], *rights]
            files.add(file)
    return list(commands.values()), files


def _beside(recipe: Mapping[str, Any]) -> list[str]:
    """Paths that a portable recipe names."""
    sources = [source.get(key) for source in recipe.get("sources", []) for key in SOURCE_PATHS]
    room = (recipe.get("sound") or {}).get("room") or {}
    return [path for path in (*sources, room.get("folder")) if path and not str(path).startswith(SHIPPED_PREFIX)]


def recipe_toml(recipe: Mapping[str, Any]) -> str:
    """Write a store's recorded recipe as TOML, its sources beside it."""
    return tomli_w.dumps(_without_none(portable(recipe)))


def _without_none(value: Any) -> Any:
    """What TOML can say: no value there is nothing here."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value if item is not None]
    return value
