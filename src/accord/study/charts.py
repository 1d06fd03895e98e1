"""Charts as inline SVG: drawn by Vega-Lite, coloured by the page's own CSS variables, so they follow light and dark.

They need the extra ``charts``. Without it every function returns None and the page shows its tables alone.
"""

from __future__ import annotations

import html
import importlib.util
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from markupsafe import Markup

WIDTH = 390
"""Drawing width in px. The SVG scales with its column; from 320 to 470 px its text stays readable."""

COLOURS: Mapping[str, str] = {
    "floor": "var(--floor)",
    "source": "var(--source)",
    "fused": "var(--fused)",
    "warm": "var(--warm)",
    "cold": "var(--cold)",
}
"""Colour of a kind of mark: CSS variables of ``templates/page.css``."""

_LABEL_ROOM = 150
_LARGEST = 500
"""Area of the largest point, in square px."""
_SHAPES = {"floor": "cross", "source": "square", "fused": "circle", "warm": "circle", "cold": "diamond"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One bar, dot or point of a line."""

    name: str
    """Row of a bar or dot chart."""
    value: float
    series: str = ""
    """What the legend calls it."""
    kind: str = "source"
    """Key of ``COLOURS``."""
    low: float | None = None
    high: float | None = None
    """Ends of the error bar."""
    at: float = 0.0
    """Horizontal place, of lines and points only."""
    size: float = 0.0
    """Area, of points only."""


def available() -> bool:
    """Whether the packages of the extra ``charts`` are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("altair", "vl_convert"))


def bars(marks: Sequence[Mark], axis: str, summary: str, write: Callable[[float], str]) -> Markup | None:
    """Horizontal bars in the given order, with error bars where given and the value written beside each.

    Several series in one row lie one below the other. ``write`` words a value, and ``summary`` is the whole chart in
    words, for those who cannot see it.
    """
    if not marks or not available():
        return None
    import altair as alt

    rows = list(dict.fromkeys(mark.name for mark in marks))
    side_by_side = _series(marks) if len(rows) < len(marks) else []
    base = alt.Chart(_data(marks, write)).encode(y=_rows(rows), **_offset(side_by_side))
    value = alt.X("value:Q", title=axis, axis=_ticks())
    layers = [base.mark_bar(height={"band": 0.72}).encode(x=value, color=_colour(marks))]
    if any(mark.low is not None for mark in marks):
        layers.append(_error_bars(base))
    text = base.mark_text(align="left", dx=5, color="var(--ink)", fontSize=11)
    layers.append(text.encode(x="end:Q", text="written:N"))
    step = 15 * len(side_by_side) + 8 if side_by_side else 24
    return _draw(alt.layer(*layers), height=len(rows) * step, summary=summary)


def dots(marks: Sequence[Mark], axis: str, summary: str) -> Markup | None:
    """One row a segment, one dot a series, with error bars; colour and shape both tell the series."""
    if not marks or not available():
        return None
    import altair as alt

    rows, series = list(dict.fromkeys(mark.name for mark in marks)), _series(marks)
    base = alt.Chart(_data(marks)).encode(y=_rows(rows), **_offset(series))
    value = alt.X("value:Q", title=axis, axis=_ticks(), scale=alt.Scale(zero=True))
    shapes = alt.Shape("series:N", scale=_scale(marks, _SHAPES, "square"), legend=alt.Legend(title=None))
    points = base.mark_point(filled=True, size=55, opacity=1).encode(x=value, color=_colour(marks), shape=shapes)
    return _draw(alt.layer(_error_bars(base), points), height=len(rows) * (12 * len(series) + 12), summary=summary)


def lines(marks: Sequence[Mark], across: str, up: str, summary: str, *, diagonal: bool = False) -> Markup | None:
    """Lines over shares from 0 to 1 on both axes; ``diagonal`` adds the line of perfect evenness."""
    if not marks or not available():
        return None
    import altair as alt

    share = alt.Axis(labelExpr="format(100 * datum.value, '.0f') + ' %'", tickCount=5, labelFlush=False)
    unit = alt.Scale(domain=[0, 1])
    x = alt.X("at:Q", title=across, axis=share, scale=unit)
    y = alt.Y("value:Q", title=up, axis=share, scale=unit)
    dashes = {"source": [6, 3], "floor": [2, 2]} if len(_series(marks)) > 1 else {}
    dash = alt.StrokeDash("series:N", scale=_scale(marks, dashes, [1, 0]), legend=None)
    drawn = [alt.Chart(_data(marks)).mark_line(strokeWidth=2.2).encode(x=x, y=y, color=_colour(marks), strokeDash=dash)]
    if diagonal:
        even = alt.Chart(alt.Data(values=[{"at": 0, "value": 0}, {"at": 1, "value": 1}]))
        drawn.insert(0, even.mark_line(color="var(--line)", strokeWidth=1.2).encode(x=x, y=y))
    return _draw(alt.layer(*drawn), height=230, summary=summary)


def plane(marks: Sequence[Mark], across: str, up: str, summary: str) -> Markup | None:
    """Named points with error bars: ``at`` across, ``value`` up, ``size`` as the area of the mark.

    The way across is logarithmic where its ends lie far apart.
    """
    if not marks or not available():
        return None
    import altair as alt

    ends, kind = _ends([mark.at for mark in marks])
    base = alt.Chart(_data(marks)).encode(
        x=alt.X("at:Q", title=across, axis=alt.Axis(tickCount=4, grid=False), scale=alt.Scale(type=kind, domain=ends)),
        y=alt.Y("value:Q", title=up, axis=_ticks(), scale=alt.Scale(zero=False)),
    )
    areas = alt.Scale(domain=[0, max(mark.size for mark in marks)], range=[0, _LARGEST])
    shapes = alt.Shape("series:N", scale=_scale(marks, _SHAPES, "square"), legend=alt.Legend(title=None))
    points = base.mark_point(filled=True, opacity=0.85).encode(
        color=_colour(marks), shape=shapes, size=alt.Size("size:Q", scale=areas, legend=None)
    )
    bars = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    bars = bars.mark_rule(color="var(--ink)", strokeWidth=1.3).encode(y="low:Q", y2="high:Q")
    return _draw(alt.layer(bars, points, *_names(base, ends, kind)), height=260, summary=summary)


def _ends(places: Sequence[float]) -> tuple[list[float], Literal["log", "linear"]]:
    """Ends of an axis with room beside the points, and its kind."""
    low, high = max(min(places), 1e-3), max(*places, 1e-3)
    if high > 8 * low:
        return [low / 1.6, high * 1.6], "log"
    return [0.0, high * 1.15], "linear"


def _names(base: Any, ends: Sequence[float], kind: str) -> list[Any]:
    """Names beside points, each on the side where there is more room."""
    middle = math.sqrt(ends[0] * ends[1]) if kind == "log" else sum(ends) / 2
    sides = (("left", 1, f"datum.at <= {middle}"), ("right", -1, f"datum.at > {middle}"))
    return [
        base.transform_filter(where)
        .mark_text(align=align, dx=14 * step, dy=-12, color="var(--ink)", fontSize=12, limit=_LABEL_ROOM)
        .encode(text="name:N")
        for align, step, where in sides
    ]


def history(marks: Sequence[Mark], across: str, up: str, summary: str) -> Markup | None:
    """Points over whole numbers, one after the other; the series of kind ``fused`` is drawn as a line of steps."""
    if not marks or not available():
        return None
    import altair as alt

    x = alt.X("at:Q", title=across, axis=alt.Axis(tickMinStep=1, tickCount=6, labelFlush=False))
    y = alt.Y("value:Q", title=up, axis=_ticks(), scale=alt.Scale(zero=False))
    base = alt.Chart(_data(marks)).encode(x=x, y=y, color=_colour(marks))
    steps = base.mark_line(strokeWidth=2.2, interpolate="step-after").transform_filter("datum.kind == 'fused'")
    points = base.mark_point(filled=True, size=36, opacity=0.8).transform_filter("datum.kind != 'fused'")
    return _draw(alt.layer(steps, points), height=230, summary=summary)


def _data(marks: Sequence[Mark], write: Callable[[float], str] = str) -> Any:
    import altair as alt

    extra = ({"end": max(mark.value, mark.high or mark.value, 0), "written": write(mark.value)} for mark in marks)
    return alt.Data(values=[{**asdict(mark), **more} for mark, more in zip(marks, extra, strict=True)])


def _series(marks: Sequence[Mark]) -> list[str]:
    return list(dict.fromkeys(mark.series for mark in marks))


def _ticks() -> Any:
    import altair as alt

    return alt.Axis(tickCount=4, labelFlush=False)


def _rows(rows: Sequence[str]) -> Any:
    import altair as alt

    # Labels come from the data, never from a Vega expression, so a hostile name stays text.
    room = min(max(map(_wide, rows)), _LABEL_ROOM)
    axis = alt.Axis(labelLimit=_LABEL_ROOM * 0.85, minExtent=room, ticks=False, domain=False, grid=False)
    return alt.Y("name:N", sort=list(rows), title=None, axis=axis)


def _wide(text: str) -> float:
    """Width in px to keep for a label, whatever font the reader has: Vega measures with a narrow one."""
    return 6 + sum(12 if unicodedata.east_asian_width(letter) in "WF" else 7.3 for letter in text)


def _offset(series: Sequence[str]) -> dict[str, Any]:
    import altair as alt

    return {"yOffset": alt.YOffset("series:N", sort=list(series))} if len(series) > 1 else {}


def _error_bars(base: Any) -> Any:
    import altair as alt

    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    return known.mark_rule(color="var(--ink)", strokeWidth=1.3).encode(x=alt.X("low:Q"), x2="high:Q")


def _colour(marks: Sequence[Mark]) -> Any:
    import altair as alt

    legend = alt.Legend(title=None) if len({mark.series for mark in marks}) > 1 else None
    return alt.Color("series:N", scale=_scale(marks, COLOURS, COLOURS["source"]), legend=legend)


def _scale(marks: Sequence[Mark], values: Mapping[str, Any], other: Any) -> Any:
    import altair as alt

    kinds = {mark.series: mark.kind for mark in marks}
    return alt.Scale(domain=list(kinds), range=[values.get(kind, other) for kind in kinds.values()])


_STYLE: dict[str, Any] = {
    "aria": False,
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "padding": {"left": 2, "right": 34, "top": 4, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "axisY": {"labelColor": "var(--ink)"},
    "legend": {
        "orient": "top",
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "symbolStrokeWidth": 2,
        "labelLimit": 160,
        "columnPadding": 18,
    },
}


def _draw(chart: Any, height: int, summary: str) -> Markup:
    import vl_convert

    sized = chart.properties(width=WIDTH, height=height, autosize={"type": "fit-x", "contains": "padding"})
    drawn = vl_convert.vegalite_to_svg(sized.configure(**_STYLE).to_dict())
    return Markup(_labelled(drawn, summary))  # noqa: S704 (Vega writes names as escaped text)


def _labelled(drawn: str, summary: str) -> str:
    """The drawing with an opening tag of our own: scales by its viewBox, has a role and a name."""
    tag = drawn[: drawn.index(">")]
    box = re.search(r'viewBox="[\d. -]+"', tag)
    label = html.escape(summary, quote=True)
    opening = f'<svg class="chart" role="img" aria-label="{label}" {box.group() if box else ""}><title>{label}</title>'
    return opening + drawn[len(tag) + 1 :]
