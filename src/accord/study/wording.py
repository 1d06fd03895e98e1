"""How a page writes numbers."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

DASH = "–"
"""Stands where there is no value."""


def number(value: Any, digits: int = 4) -> str:
    """A measure with fixed digits; large ones are grouped and lose theirs."""
    if not is_number(value):
        return DASH
    return f"{value:,.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"


def count(value: Any) -> str:
    """A whole number with its thousands grouped."""
    return f"{value:,.0f}" if is_number(value) else DASH


def percent(value: Any, digits: int = 1) -> str:
    """A share as per cent; shares that would round to zero keep two significant digits."""
    if not is_number(value):
        return DASH
    small = 0 < abs(value) < 0.5 * 10 ** -(digits + 2)
    return f"{100 * value:.2g} %" if small else f"{100 * value:.{digits}f} %"


def seconds(value: Any) -> str:
    """A duration: ``0.42 s``, ``38 s``, ``4 min 05 s``."""
    if not is_number(value):
        return DASH
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    return f"{round(value) // 60} min {round(value) % 60:02d} s"


def memory(mib: Any) -> str:
    """A size given in MiB: ``412 MiB``, ``1.9 GiB``."""
    if not is_number(mib):
        return DASH
    return f"{mib:.0f} MiB" if mib < 1000 else f"{mib / 1024:.1f} GiB"


def change(value: Any) -> str:
    """A relative change, as per cent with its sign."""
    return f"{signed(100 * value, 1)} %" if is_number(value) else DASH


def p_value(value: Any) -> str:
    """A p-value: small ones only as below a bound."""
    if not is_number(value):
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: Any, digits: int = 4) -> str:
    """A difference, with its sign."""
    return f"{value:+.{digits}f}".replace("-", "−") if is_number(value) else DASH


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value read from JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
