"""The page of a comparison: what stands on it, and that nothing on it runs."""

import re
from typing import Any

import pytest
from page_samples import comparison, metrics, systems
from test_pages import HOSTILE, Page, hostile, needs_charts

from accord.study import charts
from accord.study.charts import Mark
from accord.study.comparison_page import judge, render
from accord.study.results import Results


def row(b: str, difference: float, half: float, p: float) -> dict[str, Any]:
    return {**comparison(b, difference, half, p, p), "a": "fast"}


def pipeline(seconds: float, mib: float, killed: int = 0) -> dict[str, Any]:
    cost = {"fit_seconds": seconds, "fit_cpu_seconds": 2 * seconds, "fit_peak_mib": mib, "killed": killed}
    return {
        "preset": "x",
        "config_digest": "ab12",
        "sources": ["ease", "content"],
        "fuser": "weighted",
        "skipped": [{"part": "minilm", "reason": "it is not installed"}],
        "dropped": [{"source": "popular", "reason": "it does not help"}],
        "readings": 7,
        "resumed": {},
        "cost": cost | {"list_ms": 1.25, "list_ms_p95": 2.0, "lists": 200},
    }


def sample() -> dict[str, Any]:
    base = metrics()
    figures = systems()
    test = base["tests"]["test"] | {
        "systems": {"fast": figures["ease"], "balanced": figures["fused"], "mine": figures["bridge"]},
        "comparisons": [row("balanced", -0.0077, 0.0048, 0.002), row("mine", 0.047, 0.01, 0.001)],
        "segments": {},
    }
    return {
        **{key: base[key] for key in ("accord", "created", "versions", "machine", "dataset", "split", "seed")},
        "command": "accord compare ml-100k --presets fast balanced",
        "against": "fast",
        "pipelines": {"fast": pipeline(8.0, 400), "balanced": pipeline(190, 2100, 1), "mine": pipeline(20, 500)},
        "pareto": ["fast", "balanced"],
        "tests": {"test": test},
    }


def test_the_table_tells_quality_difference_and_cost() -> None:
    text = Page(render(sample())).text
    for wanted in (
        "balanced is better than fast",
        "balanced 0.1058 ±0.0082 +0.0077 +0.0029 to +0.0125 3 min 10 s 6 min 20 s 2.1 GiB 1.25 ms Pareto-best",
        "fast 0.0981 ±0.0080 – 8.00 s 16 s 400 MiB 1.25 ms Pareto-best",
        "mine 0.0511 ±0.0066 −0.0470",
        "Killed attempts of balanced count in full.",
        "fast − mine NDCG@10 +0.0470",
        "mine: minilm it is not installed",
        "fast: popular it does not help",
        "ease, content weighted ab12 7",
        "accord compare ml-100k --presets fast balanced",
        "3 users with fewer than 3 events are never tested.",
    ):
        assert wanted in text


@needs_charts
def test_the_plane_tells_names_and_marks_the_best_in_the_colours_of_the_page() -> None:
    page = render(sample())
    svg = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)[0]
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert {"fast", "balanced", "mine", "Pareto-best", "beaten", "seconds to fit"} <= set(texts)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none", "transparent"}
    assert "clip-path" not in svg
    assert "balanced 0.1058 in 3 min 10 s with 2.1 GiB" in svg[: svg.index("</title>")]


@needs_charts
def test_areas_grow_with_memory_and_far_ends_are_logarithmic() -> None:
    near = charts.plane([Mark("a", 1, at=1, size=100), Mark("b", 2, at=2, size=200)], "x", "y", "words")
    far = charts.plane([Mark("a", 1, at=1, size=100), Mark("b", 2, at=1000, size=200)], "x", "y", "words")
    assert ">0.0<" in str(near)
    assert ">1,000<" in str(far) and ">0.0<" not in str(far)
    assert charts.plane([Mark("a", 1, at=0, size=0)], "x", "y", "words") is not None
    assert charts.plane([], "x", "y", "words") is None


def test_hostile_text_stays_text_and_asks_nothing_of_the_network() -> None:
    made = hostile(sample())
    made["pipelines"][HOSTILE] = made["pipelines"].pop("mine")
    figures = made["tests"]["test"]["systems"]
    figures[HOSTILE] = figures.pop("mine")
    made["pareto"] = [HOSTILE]
    for page in (render(made), render(sample())):
        seen = Page(page)
        assert not {"script", "img", "link", "iframe", "form"} & set(seen.names())
        assert seen.open == []
        ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
        targets = {(attrs["href"] or "")[1:] for tag, attrs in seen.tags if tag == "a"}
        assert targets and targets <= set(ids)
        assert len(ids) == len(set(ids))


def test_any_key_may_be_absent_or_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "available", lambda: False)
    assert Page(render({})).open == []
    for key, value in sample().items():
        for other in ({}, {key: None}, {key: type(value)()}):
            rest = {name: kept for name, kept in sample().items() if name != key}
            text = render(rest | other)
            assert Page(text).open == []
            assert "<svg" not in text


@pytest.mark.parametrize(
    "rows, tone, words",
    [
        ([row("balanced", -0.0077, 0.0048, 0.002)], "good", "balanced is better than fast"),
        ([row("balanced", -0.0077, 0.0070, 0.2)], "even", "it is not sure"),
        ([row("balanced", -0.0020, 0.0048, 0.4)], "even", "within noise"),
        ([], "unknown", "not tested against fast"),
    ],
)
def test_the_verdict_says_what_the_interval_allows(rows: list[dict[str, Any]], tone: str, words: str) -> None:
    test = sample()["tests"]["test"] | {"comparisons": rows}
    verdict = judge(Results("test", test), "fast")
    assert verdict.tone == tone
    assert words in f"{verdict.title} {verdict.detail}"


def test_a_reference_that_leads_is_judged_against_the_next() -> None:
    test = sample()["tests"]["test"] | {"comparisons": [row("mine", 0.047, 0.01, 0.001)]}
    test["systems"] = {name: test["systems"][name] for name in ("fast", "mine")}
    assert judge(Results("test", test), "fast").title == "fast is better than mine"
    assert judge(Results("test", {"systems": {"fast": test["systems"]["fast"]}}), "fast").tone == "unknown"
