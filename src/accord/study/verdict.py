"""The headline of a report, in plain words: is the fused list better than its best source, or is that noise?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accord.study.results import FUSED, Results, estimate, label
from accord.study.wording import change, number, signed

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader should take away."""

    tone: str
    """``good``, ``even``, ``bad`` or ``unknown``."""
    title: str
    detail: str
    floor: str = ""
    """How far above popularity the list is."""


def judge(results: Results) -> Verdict:
    """Compare the fused list with the best single source on the leading metric."""
    best = results.best(results.lead, singles=True)
    fused = results.value(FUSED, results.lead)
    if fused is None or best is None or results.lead is None:
        return _without_pair(results)
    tone, title, reason = _weigh(results, best)
    other = results.value(best, results.lead)
    values = (
        f"{label(results.lead)} is {number(fused.value)} fused and {number(other and other.value)} with {best} alone"
    )
    gain = fused.value / other.value - 1 if other and other.value > 0 else None
    gained = f" ({change(gain)})" if gain is not None else ""
    return Verdict(tone, title, f"{values}{gained}. {reason}", _floor(results, FUSED))


def outcome(row: Mapping[str, Any]) -> str:
    """``better``, ``worse``, ``hint`` (only before the correction), ``even`` or ``unknown``, of one comparison."""
    low, high = estimate(row.get("low")), estimate(row.get("high"))
    if low is None or high is None:
        return "unknown"
    if low.value <= 0 <= high.value:
        return "even"
    corrected = estimate(row.get("p_holm"))
    if corrected is not None and corrected.value >= LEVEL:
        return "hint"
    return "better" if low.value > 0 else "worse"


def _weigh(results: Results, best: str) -> tuple[str, str, str]:
    row = results.comparison(FUSED, best, results.lead)
    found = outcome(row) if row else "unknown"
    if row is None or found == "unknown":
        return "unknown", f"Fused against {best}: not tested", "No paired interval was computed, so this may be noise."
    interval = f"from {signed(row['low'])} to {signed(row['high'])}"
    span = f"The 95 % interval of the paired difference runs {interval}"
    if found == "even":
        title = f"The fused list and {best} cannot be told apart"
        return "even", title, f"{span} and holds zero: the difference is within noise."
    if found == "hint":
        count, p = len(results.raw.get("comparisons") or []), row["p_holm"]
        title = f"The fused list may differ from {best}, but this is not sure"
        return (
            "even",
            title,
            f"{span}, but corrected for {count} comparisons p is {p:.2g}: treat it as a hint, not a result.",
        )
    if found == "worse":
        return "bad", f"The fused list is worse than {best} alone", f"{span}: {best} alone would serve better here."
    return "good", "The fused list beats its best single source", f"{span}, all above zero: more than noise."


def _without_pair(results: Results) -> Verdict:
    top = results.best(results.lead)
    if top is None or results.lead is None:
        return Verdict("unknown", "Nothing was measured", "The metrics file has no test with a measured system.")
    found = results.value(top, results.lead)
    detail = f"{label(results.lead)} is {number(found.value if found else None)}."
    detail += " There is no pair of a fused list and a single source to compare."
    return Verdict("unknown", f"The best system is {top}", detail, _floor(results, top))


def _floor(results: Results, system: str) -> str:
    """One sentence on the popularity floor (or the random one where popularity was not measured)."""
    name = next((n for n in ("popularity", "random") if results.value(n, results.lead)), None)
    floor, mine = results.value(name or "", results.lead), results.value(system, results.lead)
    if floor is None or mine is None or name == system:
        return ""
    if mine.value <= floor.value:
        return f"It does not beat the {name} floor ({floor.value:.4f}): nothing was learned about people here."
    times = f", {mine.value / floor.value:.1f} times it" if floor.value > 0 else ""
    return f"The {name} floor is at {floor.value:.4f}; the list stands above it{times}."
