"""The HTML report of ``accord evaluate``: a ``metrics.json`` on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from accord.study import charts
from accord.study.ablation_section import ablation_section
from accord.study.charts import Mark
from accord.study.deciders import deciders_table
from accord.study.head_section import head_section
from accord.study.inside_section import inside_section
from accord.study.page import render_page
from accord.study.popularity import popularity_section
from accord.study.result_section import result_section
from accord.study.results import FUSED, Results, label
from accord.study.tables import Cell, Row, Table, reasons, words
from accord.study.verdict import judge
from accord.study.wording import change, count, is_number, memory, number, percent, seconds

_SPLITS = {
    "leave-last": "each user's last event is the test, the one before it validates, everything earlier is learned from",
    "temporal": "one moment in time cuts the log: what lies after it is the test, what lies just before it validates",
    "random": "events are held out at random, whatever their time",
    "given": "the split comes from files",
    "cold items": "some items are taken out of training altogether, and people who touched them are asked about them",
}
_HISTORY_SHOWN = 8


def render(metrics: Mapping[str, Any], places: Mapping[str, Any] | None = None) -> str:
    """The whole page, from the dictionary of ``metrics.json``; parts whose keys are absent say so or are left out.

    ``places``: where items and people lie on the maps, which would be most of that file; None: their figures alone.
    """
    tests = [Results(name, raw) for name, raw in (metrics.get("tests") or {}).items()]
    first = tests[0] if tests else Results("test")
    dataset = metrics.get("dataset") or {}
    sections = [result_section(test, number) for number, test in enumerate(tests, start=1)]
    return render_page(
        "evaluation.html",
        f"Evaluation of {dataset.get('name') or 'a dataset'}",
        metrics=metrics,
        dataset=dataset,
        verdict=judge(first),
        tiles=_tiles(first, dataset),
        tests=sections,
        sections=_contents(sections, metrics),
        heads=[head_section(name, raw) for name, raw in (metrics.get("heads") or {}).items()],
        popularity=popularity_section(metrics.get("popularity_curve")),
        fusion=_fusion(metrics.get("fusion") or {}, metrics.get("skipped") or []),
        ablation=ablation_section(metrics.get("ablation") or {}),
        inside=inside_section(metrics.get("inside") or {}, places or {}),
        tuned=_tuned(metrics.get("tuned") or []),
        timings=_timings(metrics.get("timings") or []),
        examples=[_example(each) for each in metrics.get("examples") or []],
        protocol=_protocol(metrics),
    )


def _contents(tests: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    optional = (
        ("ablation", "ablation"),
        ("heads", "heads"),
        ("popularity", "popularity_curve"),
        ("inside", "inside"),
        ("cost", "timings"),
        ("examples", "examples"),
    )
    names = {
        "ablation": "Ablation",
        "heads": "Predictions",
        "popularity": "Popularity",
        "inside": "Inside",
        "cost": "Time and memory",
        "examples": "Examples",
    }
    return [
        *((test["id"], test["title"]) for test in tests),
        ("fusion", "Mix"),
        *((anchor, names[anchor]) for anchor, key in optional if metrics.get(key)),
        ("protocol", "Protocol"),
    ]


def _tiles(test: Results, dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures under the headline: a value and what it is."""
    fused, best = test.value(FUSED, test.lead), test.best(test.lead, singles=True)
    single = test.value(best or "", test.lead)
    tiles = [(count(dataset.get(key)), key) for key in ("users", "items", "events") if is_number(dataset.get(key))]
    if fused and single and single.value > 0:
        tiles.insert(0, (change(fused.value / single.value - 1), f"against {best} alone"))
    if fused and test.lead:
        tiles.insert(0, (number(fused.value), f"{label(test.lead)}, fused"))
    return tiles


def _fusion(fusion: Mapping[str, Any], skipped: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    weights = {name: values for name, values in (fusion.get("weights") or {}).items() if isinstance(values, Mapping)}
    sources = list(dict.fromkeys(source for values in weights.values() for source in values))
    return {
        "kind": fusion.get("kind"),
        "correction": _correction(fusion.get("correction") or {}),
        "chart": _weights_chart(weights, sources),
        "weights": _weights_table(weights, sources),
        "deciders": deciders_table(fusion.get("deciders") or []),
        "calibration": _calibration(fusion.get("calibration") or {}),
        "stack": _stack(fusion.get("stack") or {}),
        "tried": _tried(fusion),
        "dropped": reasons(
            "Dropped sources", "Source", ((r.get("source"), r.get("reason")) for r in fusion.get("dropped") or [])
        ),
        "skipped": reasons("Skipped parts", "Part", ((r.get("part"), r.get("reason")) for r in skipped)),
    }


def _correction(raw: Mapping[str, Any]) -> str:
    """What a network does to the weighted sum; empty where none was asked."""
    gains: Sequence[float] = raw.get("gains") or []
    if not raw:
        return ""
    if not gains:
        return f"The network of the fuser {raw.get('kind')} had nothing to add: the weighted sum stays as it is."
    several = f"the mean of {len(gains)} networks" if len(gains) > 1 else "a small network"
    share = percent(float(sum(gains)))
    return f"The weighted sum is corrected by {several} ({raw.get('kind')}), of whose correction {share} counts."


def _weights_chart(weights: Mapping[str, Mapping[str, Any]], sources: Sequence[str]) -> Any:
    marks = [
        Mark(source, float(values[source]), series=f"{group} items", kind=group)
        for source in sources
        for group, values in weights.items()
        if is_number(values.get(source))
    ]
    return charts.bars(
        marks,
        "weight",
        f"Fusion weights of {len(sources)} sources for {', '.join(weights)} items.",
        lambda w: number(w, 2),
    )


def _weights_table(weights: Mapping[str, Mapping[str, Any]], sources: Sequence[str]) -> Table:
    rows = [Row(source, [Cell(number(values.get(source), 3)) for values in weights.values()]) for source in sources]
    return Table("Fusion weights", [f"{group.capitalize()} items" for group in weights], rows, first="Source")


def _calibration(raw: Mapping[str, Any]) -> Table:
    """How far the probabilities of a fuser keep their word, on held-back queries."""
    names = {"log_loss": "Log-loss", "even_log_loss": "Log-loss of even odds", "calibration_error": "Calibration error"}
    rows = [Row(title, [Cell(number(raw.get(key)))]) for key, title in names.items() if key in raw]
    note = "Of the probabilities of the places of a list, given that what came up is among them; lower is better."
    return Table("Probabilities on held-back queries", ["Value"], rows, first="Measure", note=note)


def _stack(raw: Mapping[str, Any]) -> Table:
    """What trees over the fused list gained on queries that they had not seen, and what they look at."""
    rows = [
        Row("NDCG@10 of the mix below them", [Cell(number(raw.get("base")))]),
        Row("Gain out of fold", [Cell(f"{number(raw.get('gain'))} ± {number(raw.get('se'))}")]),
        Row("Trees", [Cell(str(int(raw.get("trees") or 0)))]),
    ]
    looks = sorted((raw.get("looks_at") or {}).items(), key=lambda pair: -pair[1])
    rows += [Row(f"Looks at {name}", [Cell(number(share, 3))]) for name, share in looks]
    kept = "They are kept." if raw.get("kept") else "They are not kept: the gain is not above its standard error."
    note = f"Boosted trees reorder the best places of the mix. {kept} Shares are of the loss that they take away."
    return Table("Trees over the mix", ["Value"], rows if "gain" in raw else [], first="What", note=note)


def _tried(fusion: Mapping[str, Any]) -> Table:
    chosen = fusion.get("kind")
    rows = [
        Row(
            str(each.get("kind")),
            [Cell(number(each.get("a"))), Cell(number(each.get("b")))],
            _look(each.get("kind") == chosen),
        )
        for each in fusion.get("tried") or []
    ]
    asked: Mapping[str, Any] = fusion.get("asked") or {}
    held = f" Held back: {count(asked.get('queries'))} queries of {count(asked.get('people'))} people." if asked else ""
    note = "Ways of mixing are chosen on half A of the validation users; half B may object to one, or to a source."
    note += held
    return Table("Ways of mixing that were tried", ["Half A", "Half B"], rows, first="Fuser", note=note)


def _tuned(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Hyper-parameters tried on validation; the chosen values stand out."""
    drawn = [
        Row(
            f"{row.get('source')}.{row.get('parameter')}",
            [words(_plain(row.get("value"))), Cell(number(row.get("ndcg@10")), best=bool(row.get("chosen")))],
        )
        for row in rows
    ]
    return Table("Hyper-parameters that were tried", ["Value", "NDCG@10 on half A"], drawn, first="Parameter")


def _look(chosen: bool) -> str:
    return FUSED if chosen else "source"


def _timings(timings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [
        Row(
            str(t.get("step")),
            [Cell(seconds(t.get("seconds"))), Cell(seconds(t.get("cpu_seconds"))), Cell(memory(t.get("peak_mib")))],
        )
        for t in timings
    ]
    columns = ["Wall time", "CPU time", "Peak so far"]
    return {
        "table": Table("Time and memory of each step", columns, rows, first="Step"),
        "seconds": charts.bars(
            _step_marks(timings, "seconds"), "seconds", "Wall time of each step, in seconds.", seconds
        ),
        "memory": charts.bars(
            _step_marks(timings, "peak_mib"),
            "MiB",
            "Peak memory of the process up to the end of each step, in MiB.",
            memory,
        ),
        "total": seconds(sum(t["seconds"] for t in timings if is_number(t.get("seconds")))),
        "peak": memory(max((t["peak_mib"] for t in timings if is_number(t.get("peak_mib"))), default=None)),
    }


def _step_marks(timings: Sequence[Mapping[str, Any]], key: str) -> list[Mark]:
    return [Mark(str(t.get("step")), float(t[key])) for t in timings if is_number(t.get(key))]


def _example(example: Mapping[str, Any]) -> dict[str, Any]:
    history = list(example.get("history") or [])
    rows = [
        Row(str(place), [words(entry.get("title")), Cell(number(entry.get("score"), 3)), words(entry.get("reason"))])
        for place, entry in enumerate(example.get("list") or [], start=1)
    ]
    user = str(example.get("user", ""))
    return {
        "user": user,
        "history": history[:_HISTORY_SHOWN],
        "earlier": max(len(history) - _HISTORY_SHOWN, 0),
        "table": Table(f"Recommendations for {user}", ["Item", "Score", "Reason"], rows, first="#"),
    }


def _protocol(metrics: Mapping[str, Any]) -> dict[str, Any]:
    split, dataset = metrics.get("split") or {}, metrics.get("dataset") or {}
    facts = {
        "Accord": metrics.get("accord"),
        "Created": metrics.get("created"),
        "Seed": metrics.get("seed"),
        "Preset": metrics.get("preset"),
        "Configuration": metrics.get("config_digest"),
        "Reading of this test set": metrics.get("readings"),
        "Data": dataset.get("name"),
        "Order of events": dataset.get("order"),
        "Fingerprint of the data": dataset.get("fingerprint"),
        **{_title(key): value for key, value in (metrics.get("machine") or {}).items()},
    }
    return {
        "kind": split.get("kind"),
        "meaning": _SPLITS.get(str(split.get("kind")), ""),
        "notes": [*_cuts_and_refit(split), *(split.get("notes") or [])],
        "facts": {key: _plain(value) for key, value in facts.items() if value is not None},
        "versions": metrics.get("versions") or {},
    }


def _cuts_and_refit(split: Mapping[str, Any]) -> list[str]:
    cuts, refit = split.get("cuts"), split.get("refit")
    rolling = [f"{cuts} rolling cuts; their queries are pooled."] if is_number(cuts) and cuts > 1 else []
    if refit is None:
        return rolling
    used = "The sources were fitted once more on train and validation together before the test."
    left = "The final fit leaves the validation events out, as papers do."
    return [*rolling, used if refit else left]


def _title(key: str) -> str:
    return str(key).replace("_", " ").capitalize()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
