"""Maps as inline SVG: a point an item, which tells its name under the pointer, and small crosses for people.

They are written here and not by Vega-Lite, which knows no names under the pointer and takes five times the bytes.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 390
"""Drawing width in px; the SVG scales with its column."""
_LOWEST = 200
"""The least height in px."""
_EDGE = 8
_ARM = 2.5
"""Half the width of a cross."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Points of one colour."""

    colour: str
    """A CSS variable of ``templates/page.css``."""
    places: Sequence[Sequence[float]]
    """``[x, y]`` from -1 to 1, y upwards."""
    names: Sequence[str] = ()
    """What each point tells under the pointer; none: nothing, in a tenth of the bytes."""


def scatter(layers: Sequence[Layer], people: Sequence[Sequence[float]], summary: str) -> Markup | None:
    """The layers, later ones on top, and crosses above them; None where there is no point.

    ``summary`` is the whole drawing in words, for those who cannot see it. Both axes have the same scale.
    """
    places = [place for layer in layers for place in layer.places]
    if not places:
        return None
    across = max(abs(x) for x, _ in [*places, *people]) or 1.0
    up = max(abs(y) for _, y in [*places, *people])
    scale = (WIDTH - 2 * _EDGE) / (2 * max(across, up))
    height = max(2 * up * scale + 2 * _EDGE, _LOWEST)
    frame = _Frame(scale, height / 2)
    drawn = "".join(_drawn(layer, frame) for layer in layers) + _crosses(people, frame)
    label = html.escape(summary, quote=True)
    opening = f'<svg class="chart map" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {height:.0f}">'
    return Markup(f"{opening}{drawn}</svg>")  # noqa: S704 (names are escaped where they are written)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a place lies in the drawing."""

    scale: float
    middle: float

    def at(self, place: Sequence[float]) -> tuple[str, str]:
        """Numbers of one digit after the point."""
        return f"{WIDTH / 2 + self.scale * place[0]:.1f}", f"{self.middle - self.scale * place[1]:.1f}"


def _drawn(layer: Layer, frame: _Frame) -> str:
    if not layer.places:
        return ""
    if not layer.names:
        dots = "".join(f"M{x},{y}h0" for x, y in map(frame.at, layer.places))
        return (
            f'<path stroke="{layer.colour}" stroke-width="4.4" stroke-linecap="round" '
            f'stroke-opacity=".75" fill="none" d="{dots}"/>'
        )
    points = (
        f'<circle cx="{x}" cy="{y}" r="2.2"><title>{html.escape(name)}</title></circle>'
        for (x, y), name in zip(map(frame.at, layer.places), layer.names, strict=True)
    )
    return f'<g fill="{layer.colour}" fill-opacity=".75">{"".join(points)}</g>'


def _crosses(people: Sequence[Sequence[float]], frame: _Frame) -> str:
    if not people:
        return ""
    wide = 2 * _ARM
    arms = "".join(f"M{x},{y}m-{_ARM},0h{wide}m-{_ARM},-{_ARM}v{wide}" for x, y in map(frame.at, people))
    return f'<path stroke="var(--ink)" stroke-opacity=".45" pointer-events="none" fill="none" d="{arms}"/>'
