"""One step of the filter over place and tempo, as a loop to be compiled; :mod:`sfmodel.motion` says what it means."""

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]


def filter_step(
    moving: Float32Array,
    held: Float32Array,
    moved: Float32Array,
    somewhere: Float32Array,
    belief: Float32Array,
    tempo_belief: NDArray[np.float64],
    heard: Float32Array,
    struck: Float32Array,
    shift: NDArray[np.float64],
    prior: Float32Array,
    evidence: float,
    slack: float,
    passing: float,
    tempo_change: float,
    tempo_reset: float,
    hold_begin: float,
    hold_end: float,
    jump: float,
    near: int,
    around: int,
    quantile: float,
) -> tuple[float, float, float]:
    """Move all beliefs on by a frame, in place, and weigh in what was heard.

    Parameters
    ----------
    moving, held, moved : ndarray of float32, shape (tempos, cells)
        Beliefs in what moves and in what is held; room to work in.
    somewhere : ndarray of float32, shape (cells,)
        Room to work in.
    belief : ndarray of float32, shape (cells,)
        In the place alone; is written.
    tempo_belief : ndarray of float64, shape (tempos,)
        In the tempo of what moves; is written.
    heard : ndarray of float32, shape (cells,)
        Log likelihoods, up to a constant.
    struck : ndarray of float32, shape (cells,)
        1 where notes of the reference begin, 0 elsewhere.
    shift : ndarray of float64, shape (tempos,)
        Cells a step.
    prior : ndarray of float32, shape (tempos,)
        Of a tempo that is drawn anew.
    evidence, slack, tempo_change, tempo_reset, hold_begin, hold_end, jump, quantile : float
        See :class:`sfmodel.motion.MotionSettings`; evidence 0 where nothing was heard.
    passing : float
        Share of what moves that goes on where notes begin; the rest waits there.
    near, around : int
        In cells; see there.

    Returns
    -------
    cell, confidence, cells_per_step : float
        See :class:`sfmodel.motion.Estimate`.
    """
    tempos, cells = moving.shape
    largest = heard.max()
    for x in range(cells):
        heard_x = np.float32(evidence) * min(heard[x] - largest + np.float32(slack), np.float32(0))
        belief[x] = np.exp(heard_x)  # for the time being: the likelihood
    somewhere[:] = 0
    for v in range(tempos):
        whole = int(shift[v])
        part = np.float32(shift[v] - whole)
        old, new = moving[v], moved[v]
        new[: min(whole + 1, cells)] = 0
        if whole < cells:
            new[whole] = (1 - part) * old[0]
        for x in range(whole + 1, cells):
            new[x] = (1 - part) * old[x - whole] + part * old[x - whole - 1]
        for x in range(max(0, cells - whole - 1), cells):  # what leaves the reference stays at its end
            new[cells - 1] += old[x] if x >= cells - whole else part * old[x]
        for x in range(cells):
            somewhere[x] += new[x]
    stay, change = np.float32(1 - tempo_change - tempo_reset), np.float32(tempo_change / 2)
    begin, end, blocked = np.float32(hold_begin), np.float32(hold_end), np.float32(1 - passing)
    total = 0.0
    for v in range(tempos):
        slower, faster, same = moved[max(v - 1, 0)], moved[min(v + 1, tempos - 1)], moved[v]
        anywhere, anew = np.float32(jump * prior[v] / cells), np.float32(tempo_reset * prior[v])
        now, rest = moving[v], held[v]
        for x in range(cells):
            come = stay * same[x] + change * (slower[x] + faster[x]) + anew * somewhere[x]
            was = rest[x]
            likely = belief[x]
            move = (1 - begin) * come + end * was + anywhere
            wait = move * blocked * struck[x]
            go = (move - wait) * likely
            stand = ((1 - end) * was + begin * come + wait) * likely
            now[x], rest[x] = go, stand
            total += go + stand
    scale = np.float32(1 / max(total, 1e-35))
    belief[:] = 0
    for v in range(tempos):
        now, rest = moving[v], held[v]
        of_tempo = np.float32(0)
        for x in range(cells):
            now[x] *= scale
            rest[x] *= scale
            belief[x] += now[x] + rest[x]
            of_tempo += now[x]
        tempo_belief[v] = of_tempo
    within, best, place = 0.0, -1.0, 0
    for x in range(min(near, cells)):
        within += belief[x]
    for x in range(cells):
        if x + near < cells:
            within += belief[x + near]
        if x - near - 1 >= 0:
            within -= belief[x - near - 1]
        if within > best:
            best, place = within, x
    first, last = max(0, place - near), min(cells, place + near + 1)
    mass, speed = 0.0, 0.0
    for x in range(first, last):
        mass += belief[x]
    for v in range(tempos):
        for x in range(first, last):
            speed += moving[v, x] * shift[v]
    if mass <= 0:
        return float(place), 0.0, 0.0
    first, last = max(0, place - around), min(cells, place + around + 1)
    wanted = 0.0
    for x in range(first, last):
        wanted += quantile * belief[x]
    x, reached = first, 0.0
    while x < last - 1 and reached + belief[x] < wanted:
        reached += belief[x]
        x += 1
    cell = x - 0.5 + (wanted - reached) / belief[x] if belief[x] > 0 else float(x)
    return min(max(cell, 0.0), cells - 1.0), min(1.0, mass), speed / mass
