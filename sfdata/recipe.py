"""Recipes: everything a build depends on, read from TOML into frozen dataclasses."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sfdata.augment import AugmentSettings
from sfdata.layout import StoreSettings
from sfdata.maps_settings import MapsSettings
from sfdata.metadata import Selection
from sfdata.midi import MidiSettings
from sfdata.portable import SHIPPED_PREFIX
from sfdata.render import RenderSettings
from sfdata.rooms import RoomFile, find_rooms
from sfdata.schema import SPLITS
from sfdata.shipped_files import read_toml, shipped_file
from sfdata.sound import SoundSettings
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfdata.spectrogram import SpectrogramSettings
from sfdata.splits import SplitSettings
from sfdata.voices import VoiceSettings
from sfdata.windows import WindowSettings

PLAIN_OPERATIONS: dict[str, Any] = {
    "copies": 1,
    "tempo": (0.8, 1.25),
    "articulation": ("as-is", "staccato", "portato", "legato"),
    "note_length": (0.8, 1.2),
    "rest_insert": 0.03,
    "rest_remove": 0.1,
}


@dataclass(frozen=True)
class SourceSettings:
    """One source of MIDI.

    Attributes
    ----------
    midi : str
        A file or folder, relative to the recipe; ``shipped:NAME`` is a folder that ships with sfdata.
    licence, attribution : str
        Stored with every piece.
    split : str
        Demands a split for all its pieces; empty for none.
    metadata : str
        GiantMIDI-Piano's table of metadata, relative to the recipe; empty for none.
    min_solo_probability, composers, dataset_splits, curated
        Which of its files are taken; see :class:`sfdata.metadata.Selection`.
    """

    midi: str
    licence: str = ""
    attribution: str = ""
    split: str = ""
    metadata: str = ""
    min_solo_probability: float = 0.0
    composers: tuple[str, ...] = ()
    dataset_splits: tuple[str, ...] = ()
    curated: bool = False

    @property
    def selection(self) -> Selection:
        """Which of its files are taken."""
        return Selection(self.min_solo_probability, self.composers, self.dataset_splits, self.curated)

    def __post_init__(self) -> None:
        if not 0 <= self.min_solo_probability <= 1:
            raise ValueError(f"sources: min_solo_probability {self.min_solo_probability}; expected 0 to 1")
        if not self.metadata and (self.min_solo_probability or self.dataset_splits or self.curated):
            raise ValueError("sources: min_solo_probability, dataset_splits and curated need metadata = PATH")
        if self.split and self.split not in SPLITS:
            raise ValueError(f"sources: split {self.split!r}; expected one of {', '.join(SPLITS)}, or nothing")


@dataclass(frozen=True)
class InstrumentSettings:
    """Which instruments render what.

    Attributes
    ----------
    references : tuple of str
        The pool that renders the score side of every voice; see :func:`sfdata.soundfonts.resolve_pool`.
    snippets : tuple of str
        The pool that renders every variant (the score itself where there are none).
    test_references, test_snippets : tuple of str
        Pools for the test split, if others than the above, which then play in train and validation only.
        `test_snippets` has no instrument in common with `snippets`.
    draw_references, draw_snippets : int
        How many are drawn from the pool for each performance; 0 for all of them.
    """

    references: tuple[str, ...] = (DEFAULT_INSTRUMENT,)
    snippets: tuple[str, ...] = ("timgm6mb:1",)
    test_references: tuple[str, ...] = ()
    test_snippets: tuple[str, ...] = ()
    draw_references: int = 0
    draw_snippets: int = 0

    def __post_init__(self) -> None:
        for name in ("references", "snippets", "test_references", "test_snippets"):
            chosen = getattr(self, name)
            if len(set(chosen)) != len(chosen) or (not chosen and not name.startswith("test")):
                raise ValueError(f"instruments: {name} {list(chosen)}; expected one or more, each named once")
        for name in ("draw_references", "draw_snippets"):
            if getattr(self, name) < 0:
                raise ValueError(f"instruments: {name} {getattr(self, name)}; expected 0 (all of the pool) or more")


@dataclass(frozen=True)
class Recipe:
    """A build, resolved.

    Attributes
    ----------
    name : str
    seed : int
    maps : MapsSettings, optional
        How MAPS is imported; left out of what is stored where there is none.
    folder : Path
        What sources' paths are relative to; not part of the stored recipe.
    """

    name: str = ""
    seed: int = 0
    sources: tuple[SourceSettings, ...] = ()
    midi: MidiSettings = field(default_factory=MidiSettings)
    voices: VoiceSettings = field(default_factory=VoiceSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    instruments: InstrumentSettings = field(default_factory=InstrumentSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    sound: SoundSettings = field(default_factory=SoundSettings)
    spectrogram: SpectrogramSettings = field(default_factory=SpectrogramSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    splits: SplitSettings = field(default_factory=SplitSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    maps: MapsSettings | None = None
    folder: Path = Path()

    def __post_init__(self) -> None:
        pools = [name for name in ("test_references", "test_snippets") if getattr(self.instruments, name)]
        if self.splits.by == "onset" and pools:
            raise ValueError(
                f"[instruments] {' and '.join(pools)} with [splits] by = 'onset': a rendition then plays onsets of all "
                "splits; expected no pool of the test split's own, or by = 'work', 'composer' or 'piece'"
            )

    def as_dict(self) -> dict[str, Any]:
        """The recipe as JSON-able data, as stored."""
        values = asdict(self)
        del values["folder"]
        if self.maps is None:
            del values["maps"]
        return values

    def rooms(self, sound: SoundSettings | None = None) -> list[RoomFile]:
        """The user's own impulse responses, where the recipe, or another of its sounds, names a folder of them.

        Raises
        ------
        FileNotFoundError, ValueError
            If it is not there or holds none.
        """
        room = (sound or self.sound).room
        return find_rooms(self.folder / room.folder) if room and room.folder else []

    def source_path(self, source: SourceSettings) -> Path:
        """Where a source's MIDI lies on this machine.

        Raises
        ------
        FileNotFoundError
            If it is said to ship with sfdata but does not.
        """
        if source.midi.startswith(SHIPPED_PREFIX):
            return shipped_file(source.midi.removeprefix(SHIPPED_PREFIX))
        return self.folder / source.midi


_SECTIONS = {entry.name: entry.default_factory for entry in fields(Recipe) if callable(entry.default_factory)}
_Settings = TypeVar("_Settings")


def settings_from(section: str, cls: type[_Settings], table: Any) -> _Settings:
    """Make a settings dataclass of a TOML table, refusing keys and types that don't fit.

    Raises
    ------
    ValueError
        Naming the section, the key, and what is expected.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"[{section}] is {table!r}; expected a table")
    known = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ValueError(f"[{section}] has no key {', '.join(unknown)}; expected some of {', '.join(known)}")
    missing = [name for name, entry in known.items() if name not in table and _required(entry)]
    if missing:
        raise ValueError(f"[{section}] lacks {', '.join(missing)}")
    values: dict[str, Any] = {}
    hints = get_type_hints(cls)
    for key, value in table.items():
        kind: Any = hints[key]
        if type(None) in get_args(kind):
            values[key] = _nested(f"{section}.{key}", kind, value)
            continue
        if get_origin(kind) is dict:
            values[key] = _named(f"{section}.{key}", get_args(kind)[1], value)
            continue
        is_tuple = get_origin(kind) is tuple
        if is_tuple and not isinstance(value, list | tuple):
            raise ValueError(f"[{section}] {key} = {value!r}; expected a list")
        for element in value if is_tuple else (value,):
            _check_element(section, key, element, set(get_args(kind)) - {Ellipsis} if is_tuple else {kind})
        values[key] = tuple(value) if is_tuple else float(value) if kind is float else value
    return cls(**values)


def _nested(section: str, kind: Any, value: Any) -> Any:
    """Settings of a table within a table; a plain value stands for the table's first key, None for no table."""
    if value is None:
        return None
    nested = next(option for option in get_args(kind) if option is not type(None))
    if not isinstance(value, Mapping):
        value = {fields(nested)[0].name: value}
    return settings_from(section, nested, value)


def _named(section: str, kind: type[_Settings], value: Any) -> dict[str, _Settings]:
    """Settings of a table of tables, each under a name of the user's."""
    if not isinstance(value, Mapping):
        raise ValueError(f"[{section}] is {value!r}; expected a table of tables")
    return {name: settings_from(f"{section}.{name}", kind, table) for name, table in value.items()}


def augment_settings(base: AugmentSettings | None, operations: Mapping[str, Any]) -> AugmentSettings:
    """Put single operations on top of a recipe's, or of :data:`PLAIN_OPERATIONS` where there is none.

    Raises
    ------
    ValueError
        If keys or values don't fit.
    """
    if base is None:
        return settings_from("augment", AugmentSettings, {**PLAIN_OPERATIONS, **operations})
    own = settings_from("augment", AugmentSettings, operations)
    return replace(base, **{name: getattr(own, name) for name in operations})


def _required(entry: Any) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _check_element(section: str, key: str, value: Any, kinds: set[Any]) -> None:
    """Refuse a value of another type than one of `kinds`, and numbers that are not finite."""
    numbers = (int, float) if float in kinds else (int,)
    fits = isinstance(value, numbers) and not isinstance(value, bool) if kinds & {int, float} else type(value) in kinds
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        expected = " or ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"[{section}] {key} = {value!r}; expected {'finite ' * (float in kinds)}{expected}")


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe; a name such as ``pipelines/demo.toml`` that is no file here is looked up among those shipped.

    Raises
    ------
    FileNotFoundError
        If there is no such recipe.
    ValueError
        If it is no TOML, or has keys or values that don't fit.
    """
    path = Path(path)
    if not path.is_file():
        try:
            path = shipped_file(str(path))
        except FileNotFoundError:
            found = [
                file for file in shipped_file("pipelines").glob("*.toml") if b"[training]" not in file.read_bytes()
            ]
            shipped = sorted(f"pipelines/{file.name}" for file in found)  # without what sfmodel reads
            raise FileNotFoundError(f"no recipe at {path}; those shipped: {', '.join(shipped)}") from None
    data, _ = read_toml(path)
    try:
        return recipe_from_dict(data, folder=path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def recipe_from_dict(data: Mapping[str, Any], folder: Path = Path()) -> Recipe:
    """Make a recipe of a TOML document's (or a store's recorded) content.

    Raises
    ------
    ValueError
        If keys or values don't fit.
    """
    top = {key: value for key, value in data.items() if key not in (*_SECTIONS, "sources", "maps")}
    unknown = sorted(set(top) - {"name", "seed"})
    if unknown:
        raise ValueError(
            f"no key or section {', '.join(unknown)}; expected name, seed, sources, maps, {', '.join(_SECTIONS)}"
        )
    seed = top.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed = {seed!r}; expected a whole number, 0 or more")
    sources = data.get("sources", [])
    if not isinstance(sources, list | tuple):
        raise ValueError(f"sources is {sources!r}; expected [[sources]] tables")
    return Recipe(
        name=str(top.get("name", "")),
        seed=seed,
        sources=tuple(settings_from("sources", SourceSettings, table) for table in sources),
        folder=folder,
        maps=_nested("maps", MapsSettings | None, data.get("maps")),
        **{name: settings_from(name, cls, data.get(name, {})) for name, cls in _SECTIONS.items()},  # type: ignore[arg-type]
    )


def with_seed(recipe: Recipe, seed: int | None) -> Recipe:
    """The recipe with another seed, where one is given."""
    return recipe if seed is None else replace(recipe, seed=seed)
