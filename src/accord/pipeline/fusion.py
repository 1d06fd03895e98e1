"""Choosing a fusion: on one half of the validation users, confirmed on the other half."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accord.core import catalog
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.data.holdout import Holdout
from accord.fuse.base import Fuser, Panel
from accord.fuse.likelihood import halved
from accord.fuse.weighted import Weighted
from accord.pipeline.spec import Values, make

USELESS = 1e-4
"""A source whose loss costs less NDCG on half A than this adds nothing."""


@dataclass
class Choice:
    """The fusion that was chosen, and how."""

    fuser: Fuser
    warm: list[str]
    """The sources that the list of items with events is fused from."""
    tried: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Every fusion tried: its kind, and NDCG@10 on both halves of the validation users."""
    dropped: dict[str, str] = field(default_factory=dict[str, str])
    """Sources left out, with the reason."""


def choose(fusers: list[Values], sources: list[str], a: Panel, b: Panel, run: Run) -> Choice:
    """Choose the fuser and its sources on half ``a``; half ``b`` may only object.

    1. Every fuser is learned on half A with all sources; the best there is taken. Where some could learn half A by
    heart, all are judged there on queries that they have not learned from, and of these the best on half A is taken
    that is above the best of the others on both halves. 2. Sources are dropped one by one where half A does without
    them and half B confirms it, or where half B gains more without them than half A loses. 3. Where the fused list is
    not above the best single source on half B, that source alone is kept.
    """
    crossed = any(_kind(values).flexible for values in fusers)
    tried = [_tried(values, sources, a, b, run, crossed=crossed) for values in fusers]
    best = _best(fusers, tried)
    fuser, dropped = _without_useless(fusers[best], sources, a, b, run)
    kept = list(fuser.config.sources)
    singles = {name: (_single(name).value(a), _single(name).value(b)) for name in sources}
    tried += [{"kind": f"{name} alone", "a": va, "b": vb} for name, (va, vb) in singles.items()]
    on_a = _crossed(fusers[best], kept, a, run) if crossed else fuser.value(a)
    tried.append({"kind": f"{_label(fusers[best])}, after dropping", "a": on_a, "b": fuser.value(b)})
    champion = max(singles, key=lambda name: singles[name][0])
    if fuser.value(b) <= singles[champion][1]:
        dropped |= {
            name: f"the fused list was not above {champion} alone on half B" for name in kept if name != champion
        }
        return Choice(_single(champion), [champion], tried, dropped)
    return Choice(fuser, kept, tried, dropped)


def _best(fusers: list[Values], tried: list[dict[str, Any]]) -> int:
    """The place of the fuser that is taken."""
    order = sorted(range(len(fusers)), key=lambda place: -tried[place]["a"])
    plain = next((place for place in order if not _kind(fusers[place]).flexible), order[0])
    better = order[: order.index(plain)]
    return next((place for place in better if tried[place]["b"] > tried[plain]["b"]), plain)


def _without_useless(values: Values, sources: list[str], a: Panel, b: Panel, run: Run) -> tuple[Fuser, dict[str, str]]:
    """The fuser learned on half A, of the sources that it needs, and why the others were dropped.

    What one source adds to a flexible fuser is less than what chance adds to its training, so it goes without what the
    weighted sum goes without, unless it is better with all of them on both halves.
    """
    flexible = _kind(values).flexible
    kept, dropped = _eliminate({"kind": "weighted"} if flexible else values, sources, a, b, run)
    fuser = _learned(values, kept, a, run)
    if flexible and dropped:
        whole = _learned(values, sources, a, run)
        on_a = [_crossed(values, some, a, run) for some in (sources, kept)]
        if on_a[0] > on_a[1] and whole.value(b) > fuser.value(b):
            return whole, {}
    return fuser, dropped


def _eliminate(values: Values, sources: list[str], a: Panel, b: Panel, run: Run) -> tuple[list[str], dict[str, str]]:
    """Drop sources one by one: what half A does without and half B confirms, then what half B speaks against.

    Those that count least are tried first, and the first that is not missed is dropped.
    """
    kept, dropped = list(sources), dict[str, str]()
    whole = _learned(values, kept, a, run)
    while len(kept) > 1:
        on_a, on_b = whole.value(a), whole.value(b)
        trials, gains = dict[str, Fuser](), dict[str, tuple[float, float]]()
        for name in _by_weight(whole, a):
            trials[name] = _without(whole, values, name, a, on_a, run)
            gains[name] = (trials[name].value(a) - on_a, trials[name].value(b) - on_b)
            if min(gains[name]) > -USELESS:
                why = "adds nothing on either half of validation"
                break
        else:
            refuted = [name for name, (gain_a, gain_b) in gains.items() if gain_b > max(0.0, -gain_a)]
            if not refuted:
                break
            name = max(refuted, key=lambda name: sum(gains[name]))
            why = "half B of validation does better without it"
        dropped[name] = f"{why} (NDCG@10 {gains[name][0]:+.4f} and {gains[name][1]:+.4f} without it)"
        kept.remove(name)
        whole = trials[name]
    return kept, dropped


def _by_weight(fuser: Fuser, panel: Panel) -> list[str]:
    """The sources of a fuser, those that add least to the scores first."""
    some = panel.slate.rows(np.arange(min(len(panel), 500)))
    weight = np.abs(fuser.contributions(some)).mean(axis=(0, 1)) if len(panel) else np.zeros(len(fuser.config.sources))
    return [fuser.config.sources[place] for place in np.argsort(weight, kind="stable")]


def _without(whole: Fuser, values: Values, name: str, a: Panel, on_a: float, run: Run) -> Fuser:
    """The fuser without one of its sources, learned on half A from where the whole one stands, which is near."""
    others = tuple(source for source in whole.config.sources if source != name)
    try:
        trial = whole.with_sources(others)
    except CannotFit:
        return _learned(values, list(others), a, run)
    return trial if trial.value(a) == on_a else trial.fit(a, run, draft=True)  # equal where it counted nothing


def _tried(values: Values, sources: list[str], a: Panel, b: Panel, run: Run, *, crossed: bool) -> dict[str, Any]:
    fuser = _learned(values, sources, a, run)
    on_a = _crossed(values, sources, a, run) if crossed else fuser.value(a)
    return {"kind": _label(values), "a": on_a, "b": fuser.value(b)}


def _crossed(values: Values, sources: list[str], a: Panel, run: Run) -> float:
    """NDCG@10 on a panel, each half of it by what was learned on the other."""
    one, other = halved(a, run)
    found = [_learned(values, sources, *pair) for pair in ((one, run), (other, run))]
    sums = [fuser.value(judge) * judge.total for fuser, judge in zip(found, (other, one), strict=True)]
    return sum(sums) / max(1, a.total)


def _kind(values: Values) -> type[Fuser]:
    return catalog.find("fusers", str(values["kind"]), "fusers")


def _learned(values: Values, sources: list[str], panel: Panel, run: Run) -> Fuser:
    fuser: Fuser = make("fusers", values, "fusers", sources=tuple(sources))
    return fuser.fit(panel, run, draft=True)


def _single(name: str) -> Fuser:
    return Weighted(sources=(name,))


def _label(values: Values) -> str:
    more = ", ".join(f"{name}={value}" for name, value in values.items() if name != "kind")
    return f"{values['kind']} ({more})" if more else str(values["kind"])


def halves(holdout: Holdout, run: Run, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint random halves of the validation queries, cut to at most ``most`` in all, in ascending order.

    Who is asked several times is in one of them alone.
    """
    people, of = np.unique(holdout.queries.users, return_inverse=True)
    rng = run.rng("validation halves")
    drawn = rng.permutation(len(people))
    middle, half = (len(people) + 1) // 2, (most + 1) // 2
    if len(people) == len(holdout):  # the usual case: questions are drawn one by one
        return np.sort(drawn[:middle][:half]), np.sort(drawn[middle:][:half])
    parts = (np.flatnonzero(np.isin(of, some)) for some in (drawn[:middle], drawn[middle:]))
    first, second = (np.sort(rng.permutation(part)[:half]) for part in parts)
    return first, second


def enough(holdout: Holdout, most: int) -> int:
    """How many queries to take so that about ``most`` true items are asked for: many truths a query need fewer."""
    mean = len(holdout.truth.values) / max(1, len(holdout))
    return max(min(most, 1_000), round(most / max(1.0, mean)))
