"""Programs of General MIDI by family: how a recipe names many presets at once.

The sixteen families of eight are those of General MIDI Level 1 (MIDI Manufacturers Association, 1991); programs count
from 0 here.
"""

_EIGHTS = (
    "piano",
    "chromatic-percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth-lead",
    "synth-pad",
    "synth-effects",
    "ethnic",
    "percussive",
    "sound-effects",
)
FAMILIES: dict[str, tuple[int, ...]] = {
    **{name: tuple(range(8 * place, 8 * place + 8)) for place, name in enumerate(_EIGHTS)},
    # Plucked strings, wherever General MIDI puts them: harpsichord, guitars, basses, pizzicato, harp, sitar to koto.
    "pluck": (6, *range(24, 29), *range(32, 38), 45, 46, *range(104, 108)),
    "all": tuple(range(128)),
}


def parse_programs(text: str, where: str = "programs") -> list[int]:
    """Read a list of programs: numbers, ranges and families, with commas between.

    Parameters
    ----------
    text : str
        Such as ``0-7``, ``0,2,4`` or ``piano,46``.
    where : str
        What to call it in an error.

    Returns
    -------
    list of int
        Each program once, in the order told.

    Raises
    ------
    ValueError
        If a part is no number from 0 to 127, no rising range of such, and no family.

    Examples
    --------
    >>> parse_programs("0,2-4,harp")
    Traceback (most recent call last):
    ...
    ValueError: programs: 'harp'; expected numbers from 0 to 127, ranges such as 0-7, or a family: piano, \
chromatic-percussion, organ, guitar, bass, strings, ensemble, brass, reed, pipe, synth-lead, synth-pad, \
synth-effects, ethnic, percussive, sound-effects, pluck, all
    >>> parse_programs("0,2-4,piano")
    [0, 2, 3, 4, 1, 5, 6, 7]
    """
    programs: list[int] = []
    for part in text.split(","):
        part = part.strip()
        if part in FAMILIES:
            programs += FAMILIES[part]
            continue
        numbers = part.split("-")
        first, last = numbers[0], numbers[-1]
        good = len(numbers) <= 2 and all(number.isascii() and number.isdigit() for number in numbers)
        if not good or not int(first) <= int(last) <= 127:
            raise ValueError(
                f"{where}: {part!r}; expected numbers from 0 to 127, ranges such as 0-7, or a family: "
                f"{', '.join(FAMILIES)}"
            )
        programs += range(int(first), int(last) + 1)
    return list(dict.fromkeys(programs))
