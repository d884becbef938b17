"""The view of a build as HTML: a table with a lane a stage, its bar as inline SVG.

Text has the colours of JupyterLab's theme, light or dark, and elsewhere that of what stands around it; only a stage's
number and bar are coloured, as in the stage graph and the plots, and every state is a word. No script, no style
sheet, no id: several views on a page cannot disturb each other, and an exported page needs nothing from outside.
Where a page takes the drawing and the colours away, as JupyterLab does until a notebook is trusted, the table stays.
"""

from __future__ import annotations

import html

from dmhelpers.show.live.view import Failure, LiveStage, LiveStep, LogTail, View
from dmhelpers.show.live.words import headline, state_words
from dmhelpers.show.plots import theme
from dmhelpers.show.plots.stage_looks import stage_colours, state_mark
from dmhelpers.show.stage_graph.lettering import drawable

INK = "var(--jp-content-font-color1, currentColor)"
FAINT = "var(--jp-content-font-color2, currentColor)"
LINE = "var(--jp-border-color1, #8A8A8A)"
SANS = "var(--jp-content-font-family, system-ui, sans-serif)"
MONO = "var(--jp-code-font-family, ui-monospace, monospace)"
_SIZE_PX = 13
_TITLE_CHARS = 400
_BAR_PX, _BAR_HIGH = 180, 12
_ENDED_STATES = frozenset({"ran", "cached", "failed", "cancelled"})
_CELL = "text-align:left;vertical-align:top;border:none;padding:1px 8px 1px 0;background:none;"
# A shell's variables are no formulas: pages typeset what stands between two dollar signs, but not in code.
_UNTYPESET = "tex2jax_ignore mathjax_ignore"
_CODE = (
    f"font-family:{MONO};white-space:inherit;background:none;padding:0;border:none;color:inherit;font-size:inherit"
)
_CUT = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis;"


def to_html(view: View, *, log_rows: int = 0) -> str:
    """Return the view as HTML, the same for the same view.

    Args:
        view: What to show.
        log_rows: How many lines of space each log gets at least, so that the page does not jump while it fills.
    """
    colours = stage_colours(stage.label for stage in view.stages)
    parts = [
        f'<div class="{_UNTYPESET}" role="group" aria-label="{_safe(headline(view))}" '
        f'style="color:{INK};font-family:{SANS};font-size:{_SIZE_PX}px;line-height:1.5;max-width:1100px">',
        f'<p style="margin:0 0 4px;font-size:15px"><strong>{_safe(headline(view))}</strong></p>',
        *(f'<p style="margin:0 0 4px;color:{FAINT}">{_safe(one)}</p>' for one in (*view.said, *view.work)),
        f'<table style="width:100%;table-layout:fixed;border-collapse:collapse;border:none;margin:0;'
        f'font-size:{_SIZE_PX}px;color:{INK}"><thead><tr style="background:none;border:none">',
        *(_head(word, width) for word, width in (("stage", 44), ("state", 130), ("line", 44), ("step", None))),
        "</tr></thead>",
        *(_stage(stage, colours[stage.label]) for stage in view.stages),
        "</table>",
        *(_log(one, log_rows) for one in view.logs),
        _failure(view.failure) if view.failure else "",
        "</div>",
    ]
    return "".join(parts)


def _head(word: str, width: int | None) -> str:
    wide = "" if width is None else f"width:{width}px;"
    return f'<th scope="col" style="{_CELL}{wide}font-weight:normal;color:{FAINT}">{word}</th>'


def _stage(stage: LiveStage, colour: str) -> str:
    built = stage.state != "not built"
    ink = INK if built else FAINT
    band = colour if built else theme.BASE
    chip = theme.ink_on(band) if built else theme.FAINT_INK
    frame = f"border:1px dashed {theme.FAINT_INK};" if not built else f"border:1px solid {band};"
    words = f'<strong style="font-family:{MONO}">{_safe(stage.label)}</strong>'
    if stage.is_target:
        words += f' <span style="border:1px solid {ink};border-radius:9px;padding:0 7px;font-size:12px">target</span>'
    words += f" \N{NO-BREAK SPACE}{_safe(state_words(stage))}" + (f": {_safe(stage.reason)}" if stage.reason else "")
    number = (
        f'<span style="display:inline-block;min-width:22px;text-align:center;border-radius:4px;{frame}'
        f'background:{band};color:{chip};font-weight:bold">{stage.index}</span>'
    )
    row = (
        f'<tr style="background:none;border-top:1px solid {LINE}">'
        f'<th scope="rowgroup" style="{_CELL}padding-top:5px">{number}</th>'
        f'<td colspan="3" style="{_CELL}padding-top:5px;color:{ink}">{words} {_bar(stage, colour)}</td></tr>'
    )
    steps = "".join(_step(one) for one in stage.steps)
    return f"<tbody>{row}{steps}</tbody>"


def _step(step: LiveStep) -> str:
    strong = "font-weight:bold;" if step.state in {"running", "failed"} else ""
    ink = FAINT if step.state in {"waiting", "not run", "cached"} else INK
    whole = step.instruction if len(step.instruction) <= _TITLE_CHARS else step.instruction[:_TITLE_CHARS] + "…"
    moved = f" · {_safe(step.moved)}" if step.moved else ""
    return (
        f'<tr style="background:none;color:{ink}"><td style="{_CELL}"></td>'
        f'<td style="{_CELL}{strong}{_CUT}">{_safe(state_words(step))}</td>'
        f'<td style="{_CELL}">{step.line}</td>'
        f'<td title="{_safe(whole)}" style="{_CELL}{strong}{_CUT}">{_code(whole)}{moved}</td></tr>'
    )


def _bar(stage: LiveStage, colour: str) -> str:
    """Return a bar with a part for each step: full where it ran, hatched from the cache, crossed where it failed."""
    if not stage.steps:
        return ""
    done = sum(one.state in _ENDED_STATES for one in stage.steps)
    told = f"{stage.label}: {done} of {len(stage.steps)} steps ended"
    pitch = _BAR_PX / len(stage.steps)
    parts = "".join(
        state_mark(
            one.state, colour, x=at * pitch + 0.5, y=0.5, width=pitch - 1, height=_BAR_HIGH - 1, ink="currentColor"
        )
        for at, one in enumerate(stage.steps)
    )
    return (
        f'<svg role="img" aria-label="{_safe(told)}" width="{_BAR_PX}" height="{_BAR_HIGH}" '
        f'viewBox="0 0 {_BAR_PX} {_BAR_HIGH}" style="vertical-align:-1px;margin-left:6px;max-width:100%">'
        f"<title>{_safe(told)}</title>{parts}</svg>"
    )


def _log(log: LogTail, rows: int) -> str:
    lines = "\n".join((*log.lines, *([""] * (rows - len(log.lines)))))
    return (
        f'<p style="margin:6px 0 0;color:{FAINT};{_CUT}">The last lines of {_code(log.step[:_TITLE_CHARS])}</p>'
        f'<pre style="margin:2px 0 0;padding:4px 8px;border-left:3px solid {LINE};background:none;color:{INK};'
        f'font-family:{MONO};font-size:12px;line-height:1.4;overflow:hidden;white-space:pre">{_safe(lines)}</pre>'
    )


def _failure(failure: Failure) -> str:
    rows = "".join(_excerpt_row(one.line, one.text, meant=one.meant) for one in failure.excerpt)
    excerpt = (
        f'<pre style="margin:4px 0;padding:4px 8px;background:none;color:{INK};border:1px solid {LINE};'
        f'font-family:{MONO};font-size:12px;line-height:1.4;overflow-x:auto;white-space:pre">{rows}</pre>'
    )
    message, cure = (_safe(one).replace("\n", "<br/>") for one in (failure.message, failure.cure))
    return (
        f'<div style="margin-top:8px;border-left:4px solid {theme.GROWN};padding-left:10px">'
        f'<p style="margin:0"><strong>What failed:</strong> {message}</p>{excerpt if rows else ""}'
        f'<p style="margin:0"><strong>What to do:</strong> {cure}</p></div>'
    )


def _excerpt_row(line: int, text: str, *, meant: bool) -> str:
    row = f"{'>' if meant else ' '} {line:>3} | {_safe(text)}\n"
    return f"<strong>{row}</strong>" if meant else row


def _code(words: str) -> str:
    return f'<code style="{_CODE}">{_safe(words)}</code>'


def _safe(words: str) -> str:
    return html.escape(drawable(words))
