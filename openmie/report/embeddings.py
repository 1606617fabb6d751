"""Entities as points in space: one HTML page with an interactive picture by plotly, which it carries with it.

It asks for nothing outside itself: its own policy forbids any request. Strangers' text is escaped on its way into the
hover labels too, since plotly reads a part of HTML there.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from openmie.report import charts
from openmie.report.charts import Table
from openmie.report.label_colours import COLOURS, NO_LABEL, assign_colours
from openmie.report.markup import attribute, render
from openmie.report.page import save_page
from openmie.report.style import style_sheet

# plotly is a script of the page's own; with no other source than the page no script can send or fetch anything
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
UNTYPED = "no type"
AROUND = 100  # characters of the text to either side of a mention in its hover label
LONGEST = 120  # characters of a mention or an id there
WIDTH = 56  # of its lines
SHAPES = ("circle", "diamond", "square")  # after ten types the colours come again with the next shape
SENDING = ["sendChartToCloud", "sendDataToCloud"]  # buttons that would carry the documents to a server
OPEN, CLOSE = "\ue000", "\ue001"  # stand for <b> and </b> while lines are broken

# of the figure, on light and on dark
_THEMES = [
    {
        "font.color": ink,
        "hoverlabel.font.color": ink,
        "hoverlabel.bgcolor": card,
        "modebar.bgcolor": "rgba(0,0,0,0)",
        "modebar.color": quiet,
        "modebar.activecolor": ink,
    }
    | {f"scene.{axis}axis.{part}": line for axis in "xyz" for part in ("gridcolor", "linecolor", "zerolinecolor")}
    for ink, quiet, card, line in (
        ("#1b2027", "#6b7480", "#ffffff", "#c9cfd8"),
        ("#e6e9ee", "#a3acb8", "#171b21", "#3a434e"),
    )
]
_PAINT = """
const plot=document.getElementById("{plot_id}"),dark=matchMedia("screen and (prefers-color-scheme:dark)");
const paint=()=>{const i=dark.matches?1:0;
Plotly.update(plot,{"marker.color":plot.data.map(t=>t.meta[i]),"marker.line.color":plot.data.map(t=>t.meta[i])},
THEMES[i])};
dark.addEventListener("change",paint);if(dark.matches)paint();
"""


@dataclass(frozen=True, kw_only=True)
class EntityPoint:
    """One gold mention and the prediction of a model for the same words."""

    document: str  # its id
    text: str  # of the document
    start: int  # half-open code points
    end: int
    label: str  # gold; empty: untyped
    predicted: str | None  # the type that the model gives to these very words; None: it does not name them


def write(
    path: str | os.PathLike[str],
    entities: Sequence[EntityPoint],
    points: Sequence[Sequence[float]],
    *,
    title: str,
    intro: str = "",
    caption: str = "",
    tables: Sequence[Table] = (),
    notes: Iterable[str] = (),
) -> Path:
    """Write the page and return its path; folders that are missing are made. Equal input gives equal bytes.

    `points` are the places (n, 3) of the entities. Needs plotly (`openmie[plots]`). It makes 4.8 MB of the page.
    """
    page = render(
        "embeddings.html",
        policy=POLICY,
        title=title,
        intro=intro,
        style=Markup(style_sheet()),
        sections=[],
        plot=Markup(_plot(entities, points)),
        caption=caption,
        tables=[charts.render_table(t) for t in tables],
        notes=list(notes),
    )
    return save_page(path, page)


def hover_label(entity: EntityPoint) -> str:
    """The hover label, in plotly's part of HTML: mention, its sentence, document, gold and predicted type."""
    name = _escape_for_plotly(_cut(entity.text[entity.start : entity.end]))
    gold = _escape_for_plotly(entity.label or UNTYPED)
    if entity.predicted == entity.label:
        verdict = f"{gold}, predicted as such"
    else:
        said = "not found" if entity.predicted is None else _escape_for_plotly(entity.predicted or UNTYPED)
        verdict = f"gold {gold}, predicted: {said}"
    lines = [f"<b>{name}</b>", *_sentence(entity), f"document {_escape_for_plotly(_cut(entity.document))}", verdict]
    return "<br>".join(lines)


def _plot(entities: Sequence[EntityPoint], points: Sequence[Sequence[float]]) -> str:
    """A trace for each type, so that the legend shows and hides it."""
    import plotly.graph_objects as go

    traces = [
        _trace(go, label, [(e, p) for e, p in zip(entities, points) if e.label == label])
        for label in sorted({e.label for e in entities}, key=lambda x: (not x, x))
    ]
    _place(traces, [e.label for e in entities])
    axis = {"title": {"text": ""}, "showticklabels": False, "showbackground": False, "showspikes": False}
    layout = go.Layout(
        template="none",
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        uirevision="same",
        legend={"orientation": "h", "y": 0, "yanchor": "top", "x": 0.5, "xanchor": "center", "itemsizing": "constant"},
        hoverlabel={"align": "left", "namelength": 0},
        font={"family": 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif', "size": 14},
        scene={"aspectmode": "cube", "dragmode": "turntable", **{f"{a}axis": axis for a in "xyz"}},
    )
    figure = go.Figure(traces, layout).update_layout({k.replace(".", "_"): v for k, v in _THEMES[0].items()})
    script = _PAINT.replace("THEMES", str(_THEMES).replace("'", '"'))
    config = {
        "displaylogo": False,
        "responsive": True,
        "showSendToCloud": False,
        "modeBarButtonsToRemove": SENDING,
        "toImageButtonOptions": {"filename": "embeddings", "scale": 2},
    }
    return figure.to_html(
        full_html=False, include_plotlyjs=True, include_mathjax=False, div_id="plot", config=config, post_script=script
    )


def _trace(go: Any, label: str, held: Sequence[tuple[EntityPoint, Sequence[float]]]) -> Any:
    """Filled points where the model predicts the same, then open ones: the legend takes the shape of the first."""
    held = sorted(held, key=lambda x: x[0].predicted != x[0].label)
    x, y, z = ([round(float(p[i]), 3) for _, p in held] for i in range(3))
    name = f"{_escape_for_plotly(label or UNTYPED)} ({len(held):,})"
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        name=name,
        hovertext=[hover_label(e) for e, _ in held],
        hoverinfo="text",
        customdata=["" if e.predicted == e.label else "-open" for e, _ in held],
    )


def _place(traces: Sequence[Any], labels: Sequence[str]) -> None:
    """Colours and shapes: one of each for each type. `meta` keeps the colour on light and on dark for the script."""
    named = sorted({*labels} - {""})
    colour = assign_colours(named)
    size = 4 if len(labels) <= 3000 else 2.5
    for trace, label in zip(traces, [*named, *([""] if "" in labels else [])]):
        pair = COLOURS[colour[label]] if label else NO_LABEL
        shape = SHAPES[named.index(label) // len(COLOURS) % len(SHAPES)] if label else SHAPES[0]
        trace.meta = list(pair)
        trace.marker = {
            "color": pair[0],
            "size": size,
            "symbol": [shape + mark for mark in trace.customdata],
            "line": {"color": pair[0], "width": 1},
            "opacity": 0.85,
        }
        trace.customdata = None


def _sentence(entity: EntityPoint) -> list[str]:
    """The text around a mention, broken into lines, the mention in bold; what is left out stands as an ellipsis."""
    whole, start, end = entity.text, entity.start, entity.end
    before = ("…" if start > AROUND else "") + whole[max(start - AROUND, 0) : start]
    after = whole[end : end + AROUND] + ("…" if len(whole) - end > AROUND else "")
    parts = [part.replace(OPEN, "\ufffd").replace(CLOSE, "\ufffd") for part in (before, _cut(whole[start:end]), after)]
    lines = textwrap.wrap(f"{parts[0]}{OPEN}{parts[1]}{CLOSE}{parts[2]}", WIDTH)
    return [_escape_for_plotly(line).replace(OPEN, "<b>").replace(CLOSE, "</b>") for line in lines]


def _cut(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def _escape_for_plotly(value: str) -> str:
    """Escaped for plotly, which reads &lt; &gt; &amp; and no entities of quotes; in its JSON these need none."""
    return str(attribute(value)).replace("&quot;", '"').replace("&#x27;", "'")
