"""The part of a store's page on which single pairs are seen and heard."""

import numpy as np
from matplotlib.figure import Figure

from sfdata.distributions import png_bytes
from sfdata.excerpts import HeardPair, HeardSide
from sfdata.page import counted, data_address, paragraph, table, text
from sfdata.plot import draw_onsets, draw_side, label_bins
from sfdata.schema import SPLITS
from sfdata.store import Store

DOTS_PER_IN = 150
LEAD_S = 1.0
WIDTHS_IN, HEIGHT_IN = {"reference": 6.6, "snippet": 3.3}, 2.5
MARGINS_IN = (0.45, 0.1, 0.42, 0.06)  # left, right, bottom, top: where the picture's time lies must be known

STYLE = (
    f"""
.heard .cursor {{ top: {100 * MARGINS_IN[3] / HEIGHT_IN:.2f}%; bottom: {100 * MARGINS_IN[2] / HEIGHT_IN:.2f}%; }}
"""
    + """
.heard { margin: .5rem 0 1rem; max-width: 40rem; }
.heard.snippet { max-width: 20rem; }
.heard .pane { position: relative; cursor: pointer; line-height: 0; }
.heard .pane img { width: 100%; height: auto; }
.heard .cursor { position: absolute; width: 2px; background: #2ca; pointer-events: none; }
.heard audio { width: 100%; height: 2.5rem; display: block; margin: .25rem 0; }
.heard button { font: inherit; font-size: .9rem; padding: .2rem .6rem; }
.silent { background: #f4f0e6; border-left: 4px solid #E69F00; padding: .4rem .6rem; font-size: .9rem; }
.good { border-left: 4px solid #009E73; padding: .1rem .6rem; background: #eef7f2; }
.bad { border-left: 4px solid #D55E00; padding: .1rem .6rem; background: #fbeee6; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 0 1.5rem; }
.grid figure { margin: .75rem 0; }
pre { background: #f6f6f6; padding: .6rem; overflow-x: auto; font-size: .8rem; line-height: 1.35; }
"""
)
# The cursor under which a sound plays; a click into a picture plays from there.
SCRIPT = """
for (const box of document.querySelectorAll(".heard")) {
  const sound = box.querySelector("audio"), pane = box.querySelector(".pane"), data = box.dataset;
  if (!sound) continue;
  const line = document.createElement("i");
  line.className = "cursor"; line.hidden = true; pane.append(line);
  const show = () => {
    line.hidden = false;
    line.style.left = +data.left + data.width * Math.min(sound.currentTime / data.seconds, 1) + "%";
    if (!sound.paused && !sound.ended) requestAnimationFrame(show);
  };
  sound.addEventListener("play", show);
  sound.addEventListener("seeked", show);
  const playFrom = time => { sound.currentTime = Math.min(Math.max(time, 0), +data.seconds); sound.play(); };
  pane.addEventListener("click", event => {
    const at = 100 * event.offsetX / pane.clientWidth;
    playFrom((at - data.left) / data.width * data.seconds);
  });
  const button = box.querySelector("button");
  if (button) { button.hidden = false; button.addEventListener("click", () => playFrom(data.mark - data.lead)); }
}
"""


def pair_html(store: Store, pair: HeardPair) -> str:
    """Write what there is to see, to hear and to know about a pair."""
    pieces, row = store.pieces, store.row("pairs", pair.row)
    title, composer = str(pieces["title"][pair.piece]), str(pieces["composer"][pair.piece])
    facts = (
        f"Split {SPLITS[row['split']]}. The onset lies {row['target_s']:.3f} s from the reference's beginning, at "
        f"frame {row['target_frame']:.2f}; the reference begins at {_clock(pair.reference.cut.start_s)} of its "
        f"rendition. {_lookalikes(row['lookalikes'])} the same notes. "
        f"Piece: {_licence(str(pieces['licence'][pair.piece]), str(pieces['attribution'][pair.piece]))}."
    )
    note = table(["The note", "in the score", "in the snippet"], pair.note)
    return (
        f'<article id="pair-{pair.row}"><h3>Pair {pair.row}: {text(f"{composer}: " if composer else "")}{text(title)}'
        f"</h3>\n{paragraph(facts, 'note')}"
        + side_html(store, "reference", pair.reference)
        + f'<div class="grid">{side_html(store, "snippet", pair.snippet)}<div>{note}</div></div>\n'
        + _drawn("Drawn for the snippet's performance", pair.performance)
        + _drawn("Drawn for the snippet's sound", pair.sound)
        + "</article>\n"
    )


def side_html(store: Store, role: str, side: HeardSide) -> str:
    """Write one side: its spectrogram, and its sound under it."""
    width, (left, right) = WIDTHS_IN[role], MARGINS_IN[:2]
    span = width - left - right
    half = 0.5 / store.spectrogram.frame_rate_hz  # the picture begins that much before the sound: with a whole frame
    licence = str(store.instruments["licence"][side.cut.instrument])
    caption = f"{role.capitalize()}: {side.instrument}, {_licence(licence, '')}. {_about_sound(side)}"
    mark = "target" if role == "reference" else "onset"
    told = f"Spectrogram of the {role}; the {mark} is marked at {side.cut.mark_s:.3f} s"
    button = f'<button type="button" hidden>Play from {LEAD_S:g} s before the target</button>\n'
    sound = (
        f'<audio controls preload="metadata" src="{data_address(side.flac, "audio/flac")}"></audio>\n'
        f"{button if role == 'reference' else ''}"
        if side.flac
        else paragraph(side.silent, "silent")
    )
    place = {
        "left": f"{100 * (left + span * half / side.seconds) / width:.4f}",
        "width": f"{100 * span / width:.4f}",
        "seconds": f"{side.seconds:.6f}",
        "mark": f"{side.cut.mark_s:.6f}",
        "lead": f"{LEAD_S:g}",
    }
    data = "".join(f' data-{name}="{value}"' for name, value in place.items())
    image = data_address(draw_heard(store, role, side), "image/png")
    return (
        f'<figure class="heard {role}"{data}><div class="pane"><img src="{image}" alt="{text(told)}"></div>\n{sound}'
        f"<figcaption>{text(caption)}</figcaption></figure>\n"
    )


def draw_heard(store: Store, role: str, side: HeardSide) -> bytes:
    """Draw a side's spectrogram into a PNG in which the time of its sound spans a known width."""
    width, height = WIDTHS_IN[role], HEIGHT_IN
    left, right, bottom, top = MARGINS_IN
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )
    draw_side(axes, side.cut, store.spectrogram, float(side.cut.frames.max(initial=0)))
    draw_onsets(axes, side.cut)
    label_bins(axes, store.spectrogram)
    axes.set_ylabel("")
    half = 0.5 / store.spectrogram.frame_rate_hz
    axes.set_xlim(-half, side.seconds - half)
    axes.set_xlabel(f"time in the {role} (s); blue: onsets", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.set_xticks(np.arange(0, side.seconds - half, 1.0 if side.seconds > 3 else 0.25))
    return png_bytes(figure, DOTS_PER_IN)


def _about_sound(side: HeardSide) -> str:
    if not side.flac:
        return ""
    made = "The sound is made again from what the store records"
    if side.likeness == 1:
        agrees = "its spectrogram is the stored one, value by value."
    elif side.faithful:
        agrees = f"its spectrogram correlates {side.likeness:.6f} with the stored one."
    else:
        return (
            f"Take care: this sound is not quite what was stored; its spectrogram correlates only {side.likeness:.3f} "
            "with the stored one, which may be of sound files made otherwise."
        )
    down = f" Turned down by {-20 * np.log10(side.factor):.1f} dB, so that it does not clip." if side.factor < 1 else ""
    return f"{made}; {agrees}{down}"


def _drawn(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return paragraph(f"{title}: nothing.")
    names = ", ".join(name for name, _ in rows)
    return f"<details><summary>{text(f'{title}: {names}')}</summary>{table(['Operation', 'drawn'], rows)}</details>\n"


def _licence(licence: str, credit: str) -> str:
    told = f"licence {licence.rstrip('.')}" if licence else "licence not told"
    return f"{told}, credit {credit.rstrip('.')}" if credit else told


def _lookalikes(count: int) -> str:
    if count == 0:
        return "No other passage of the reference has"
    return f"{counted(count, 'other passage')} of the reference {'has' if count == 1 else 'have'}"


def _clock(time_s: float) -> str:
    sign = "-" if time_s < 0 else ""
    return f"{sign}{int(abs(time_s) // 60)}:{abs(time_s) % 60:05.2f}"
