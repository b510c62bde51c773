"""What a store is to be made of MAPS, or a set like it: a recipe's ``[maps]``."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np

from sfdata.maps_names import SUBSETS
from sfdata.notes import EVENT_GRID_SAMPLES
from sfdata.schema import SPLITS
from sfdata.sound import SoundSettings
from sfdata.soundfonts import DEFAULT_INSTRUMENT

SHARES, ITEMS = "shares", "items"
LONGEST_LEAD_S = 60.0


@dataclass(frozen=True)
class StandIn:
    """A soundfont's preset that takes the place of one of MAPS's instruments where that is not at hand.

    Attributes
    ----------
    code : str
        Its own, which is none of MAPS's.
    soundfont : str
        ``NAME[:PROGRAM]`` or a path.
    sound : SoundSettings, optional
        What befalls its sound, drawn once for all of its set: its room.
    """

    code: str
    soundfont: str
    sound: SoundSettings | None = None


@dataclass(frozen=True)
class MapsSettings:
    """What becomes reference, snippet and split.

    Attributes
    ----------
    references : str
        Code of a recorded instrument, or a soundfont preset that renders the annotations.
    snippets : tuple of str
        Codes of recorded instruments; empty for all but the reference. Where the reference's code is among them, its
        recordings are paired with themselves if nothing else can be.
    subsets : tuple of str
        ``ISOL/CH``, ``MUS``, …; ``ISOL`` for all of its parts; empty for everything.
    split : str
        Of all pieces: train, validation or test; or ``shares``: as the recipe's ``[splits]`` say; or ``items``: by
        name, as `validation` and `test` say, all others for training.
    validation, test : tuple of str
        Of the items' names without ``MAPS_`` and without the instrument, such as ``ISOL_CH0.1_M`` or ``ISOL_ST_M_*``
        (``*`` is any text, ``?`` any character, ``[13579]`` any of these).
    licence, attribution : str
        In place of what the files say; empty for that.
    lead_s : (float, float)
        Range of a silence before each item, drawn by the recipe's seed and the item's name. Without, the onset of a
        single note lies at the same place of every reference, since that begins with the sound.
    stand_ins : dict of code to StandIn
        By the code whose place they take.
    """

    references: str = DEFAULT_INSTRUMENT
    snippets: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    split: str = "test"
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    licence: str = ""
    attribution: str = ""
    lead_s: tuple[float, float] = (0.0, 0.0)
    stand_ins: dict[str, StandIn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.split not in (*SPLITS, SHARES, ITEMS):
            raise ValueError(f"maps: split {self.split!r}; expected one of {', '.join((*SPLITS, SHARES, ITEMS))}")
        if self.split == ITEMS and not (self.validation or self.test):
            raise ValueError("maps: split 'items' without names; expected validation = [...], test = [...]")
        for subset in self.subsets:
            if subset not in (*SUBSETS, "ISOL"):
                raise ValueError(f"maps: subset {subset!r}; expected some of {', '.join((*SUBSETS, 'ISOL'))}")
        if len(self.lead_s) != 2 or not 0 <= self.lead_s[0] <= self.lead_s[1] <= LONGEST_LEAD_S:
            raise ValueError(f"maps: lead_s {list(self.lead_s)}; expected two numbers from 0 to 60, the lower first")
        codes = [stand_in.code for stand_in in self.stand_ins.values()]
        if len(set(codes)) < len(codes) or set(codes) & set(self.stand_ins):
            raise ValueError(
                f"maps: stand-ins {', '.join(codes)} for {', '.join(self.stand_ins)}; expected codes of their own"
            )

    def holds(self, subset: str) -> bool:
        """Whether a subset was asked for."""
        return not self.subsets or subset in self.subsets or subset.split("/")[0] in self.subsets

    def split_of(self, music: str) -> str:
        """The split that an item's pieces are demanded for; empty where the recipe's ``[splits]`` say it.

        Raises
        ------
        ValueError
            If the item is named for validation and for test.

        Examples
        --------
        >>> settings = MapsSettings(split="items", validation=("ISOL_CH*",), test=("ISOL_ST_M_*[02468]",))
        >>> [settings.split_of(f"ISOL_{name}") for name in ("CH0.1_M", "ST_M_S0_M22", "ST_M_S1_M23")]
        ['validation', 'test', 'train']
        """
        if self.split == SHARES:
            return ""
        if self.split != ITEMS:
            return self.split
        found = [
            split
            for split, patterns in (("validation", self.validation), ("test", self.test))
            if any(fnmatchcase(music, pattern) for pattern in patterns)
        ]
        if len(found) > 1:
            raise ValueError(f"maps: {music} is named for validation and for test; expected one of them")
        return found[0] if found else "train"

    def lead_samples(self, music: str, seed: int, sample_rate_hz: int) -> int:
        """Draw the silence before an item: whole steps of the event grid, the same for all instruments.

        Examples
        --------
        >>> MapsSettings().lead_samples("ISOL_CH0.1_F", 1, 22050)
        0
        >>> MapsSettings(lead_s=(2.0, 2.0)).lead_samples("ISOL_CH0.1_F", 1, 32000) / 32000
        2.0
        """
        rng = np.random.default_rng([seed, int(hashlib.sha256(music.encode()).hexdigest()[:16], 16), 7])
        low, high = self.lead_s
        steps = (low + (high - low) * rng.random()) * sample_rate_hz / EVENT_GRID_SAMPLES
        return round(steps) * EVENT_GRID_SAMPLES

    def check_names(self, music: Sequence[str]) -> None:
        """Refuse names that leave validation or test without any item.

        Raises
        ------
        ValueError
        """
        splits = {self.split_of(one) for one in music}
        for split in ("validation", "test") if self.split == ITEMS else ():
            if getattr(self, split) and split not in splits:
                raise ValueError(
                    f"maps: none of {len(music)} items is named by {split} = {list(getattr(self, split))}; expected "
                    f"names like {', '.join(sorted(music)[:2])}"
                )

    def standing_in(self, codes: Collection[str]) -> dict[str, StandIn]:
        """The stand-ins to be taken: those that are among `codes` while the instrument itself is not."""
        return {code: one for code, one in self.stand_ins.items() if code not in codes and one.code in codes}

    def with_stand_ins(self, taken: Mapping[str, StandIn]) -> "MapsSettings":
        """The same with the codes of stand-ins in the place of those they stand for, and no others left."""

        def own(code: str) -> str:
            return taken[code].code if code in taken else code

        return replace(
            self,
            references=own(self.references),
            snippets=tuple(own(code) for code in self.snippets),
            stand_ins=dict(taken),
        )
