"""Looking inside: maps that separate what is planted, figures worked out by hand, interests that are known."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.roles import Recommender
from accord.pipeline.spec import spec_of
from accord.study.attention_view import attention_view, effects_of
from accord.study.categories import NO_CATEGORY, Categories, main_categories
from accord.study.embedding_map import agreement, embedding_map, placed_on_two_axes, sampled, unit
from accord.study.evaluation import Evaluation, evaluate_dataset
from accord.study.inside import TITLE, check_inside
from accord.study.interests import interests
from accord.study.splitting import SplitSettings

DENSE = """
[encoders.axes]
kind = "projection"
of = "tfidf"
dim = 6
"""


def evaluated(folder: Path, out: Path | None = None, more: str = DENSE, **settings: Any) -> Evaluation:
    spec = spec_of(shop.SMALL + more, "small.toml")
    return evaluate_dataset(folder, spec, SplitSettings.model_validate({}), shop.run(), out=out, **settings)


# categories


def test_the_field_that_tells_most_is_taken_and_an_item_counts_as_its_rarest_value():
    items = pa.table(
        {
            "item_id": list("abcdef"),
            "title": ["same", "same", "same", "else", "else", "else"],
            "used": [False, False, False, False, False, True],
            "maker": ["x", "x", "y", "y", None, None],
            "genres": [["Drama"], ["Drama", "War"], ["War"], ["Drama", "Odd"], [], ["War"]],
        }
    )
    found = main_categories(items)
    assert found is not None
    assert (found.field, found.names) == ("genres", ["Drama", "War"])  # one item is no category
    assert found.of_item.tolist() == [0, 1, 1, 0, NO_CATEGORY, 1]
    assert [found.name(0), found.name(NO_CATEGORY)] == ["Drama", "other"]


def test_a_catalogue_that_only_names_its_items_has_no_categories():
    assert main_categories(pa.table({"item_id": list("abcd"), "title": list("abab"), "code": list("wxyz")})) is None


# samples


def test_a_sample_prefers_the_popular_and_has_every_category():
    groups = np.repeat([0, 1, 2], [900, 95, 5]).astype(np.int32)
    weights = np.where(np.arange(1000) < 450, 9.0, 1.0)
    drawn = sampled(weights, groups, 120, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn.tolist())) == 120
    assert (np.diff(drawn) > 0).all()
    assert np.bincount(groups[drawn], minlength=3)[2] == 5  # a quarter of the places is for all groups alike
    assert (drawn < 450).sum() > 2 * ((drawn >= 450) & (drawn < 900)).sum()
    assert np.array_equal(drawn, sampled(weights, groups, 120, np.random.default_rng(0)))
    assert sampled(weights, groups, 5000, np.random.default_rng(0)).tolist() == list(range(1000))


# maps


def test_share_of_alike_neighbours_by_hand():
    # 12 points on a line, each has 11 others, so exactly one of them is not among its ten nearest: the farthest
    at = np.column_stack([np.arange(12.0), np.zeros(12)])
    groups = np.array([0] * 6 + [1] * 6, np.int32)
    # whoever is asked has 5 alike; the farthest is always of the other group
    found = agreement(at, groups, cosine=False)
    assert found is not None
    assert found == pytest.approx((5 / 10, 5 / 11))
    with_more = agreement(np.vstack([at, [[3.0, 0.0]]]), np.append(groups, NO_CATEGORY).astype(np.int32), cosine=False)
    assert with_more == pytest.approx(found)  # who has no group is not asked, and nobody's neighbour


def test_nearest_by_cosine_does_not_see_lengths():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 12).astype(np.int32)
    rows, _ = unit(np.eye(2)[groups] * 5 + rng.normal(0, 0.1, (24, 2)))
    assert agreement(rows, groups, cosine=True) == pytest.approx((1, 11 / 23))


@pytest.mark.parametrize("groups", [[0] * 12, [0, 1] * 5, [0] * 6 + [NO_CATEGORY] * 6])
def test_no_share_where_it_would_mean_nothing(groups):
    rows = np.random.default_rng(0).normal(size=(len(groups), 3))
    assert agreement(rows, np.array(groups, np.int32), cosine=False) is None


def test_axes_are_those_of_the_largest_variance():
    rng = np.random.default_rng(0)
    items = (rng.normal(size=(400, 3)) * [1, 4, 2]).astype(np.float32)
    at, people, share = placed_on_two_axes(items, items[:3], "pca", rng)
    assert share == pytest.approx(20 / 21, abs=0.02)
    assert np.abs(np.corrcoef(at[:, 0], items[:, 1])[0, 1]) > 0.99
    assert np.abs(np.corrcoef(at[:, 1], items[:, 2])[0, 1]) > 0.99
    np.testing.assert_allclose(people, at[:3], atol=1e-6)
    assert np.abs(at).max() == pytest.approx(1)


def test_a_map_separates_planted_groups_and_leaves_out_what_has_no_vector():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 20).astype(np.int32)
    items = (np.eye(3, 8)[groups] * 4 + rng.normal(size=(60, 8))).astype(np.float32)
    items[7] = 0
    found = embedding_map(items, np.array([items[0], np.zeros(8)], np.float32), groups, "pca", rng)
    assert [row for row, place in enumerate(found["items"]) if place is None] == [7]
    assert len(found["users"]) == 1
    assert found["users"][0] == found["items"][0]
    assert found["alike"] > 0.9
    assert found["alike_on_map"] > 0.9
    assert found["by_chance"] == pytest.approx((40 * 19 + 19 * 18) / 59 / 58)
    nothing = embedding_map(np.zeros((9, 4), np.float32), np.zeros((1, 4), np.float32), groups[:9], "pca", rng)
    assert nothing["items"] == [None] * 9
    assert nothing["users"] == []


def test_umap_is_asked_with_a_seed_on_one_thread(monkeypatch):
    asked: dict[str, Any] = {}

    class Umap:
        def __init__(self, **settings: Any) -> None:
            asked.update(settings)

        def fit_transform(self, rows: np.ndarray) -> np.ndarray:
            return rows[:, :2]

        transform = fit_transform

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap, __spec__=SimpleNamespace(name="umap")))
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    at, people, share = placed_on_two_axes(rows, rows[:2], "umap", np.random.default_rng(0))
    assert share is None
    assert (at.shape, people.shape) == ((9, 2), (2, 2))
    assert (asked["n_neighbors"], asked["metric"], asked["n_jobs"]) == (8, "cosine", 1)
    assert isinstance(asked["random_state"], int)


def test_a_method_that_is_not_there_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install '\.\[inside\]'"):
        evaluated(tmp_path / "nowhere", inside="umap")
    with pytest.raises(InputError, match="One of: pca, umap, off"):
        check_inside("tsne")


# attention


class Counting(Recommender):
    """The score of an item is its number and the worth of the history; attention is what it is told to be."""

    worth = np.array([1.0, 2.0, 4.0, 8.0], np.float32)
    shares: np.ndarray | None = None

    def _fit(self, data: Dataset, run: Any) -> None:
        pass

    def _scores(self, queries: Queries) -> np.ndarray:
        sums = np.array([self.worth[row].sum() for row in queries.history.ragged], np.float32)
        return sums[:, None] + np.arange(self.n_items, dtype=np.float32)

    def attention(self, queries: Queries) -> np.ndarray | None:
        return self.shares


def counting(shares: list[float] | None) -> Counting:
    source = Counting()
    source.n_items = 8
    source.shares = None if shares is None else np.array([shares], np.float32)
    return source


def test_the_effect_of_an_event_is_what_scores_fall_by_without_it():
    person = Queries.of([[3, 0, 2]])
    assert effects_of(counting(None), person, np.array([5, 6], np.int32)).tolist() == [8, 1, 4]


def test_a_source_that_tells_its_parts_is_taken_at_its_word():
    class Telling(Counting):
        def parts(self, queries: Queries, items: np.ndarray) -> np.ndarray:
            return np.arange(6, dtype=np.float32).reshape(1, 2, 3)

    source = Telling()
    source.n_items, source.shares = 8, np.array([[0.1, 0.2, 0.7]], np.float32)
    view = attention_view(source, Queries.of([[3, 0, 2]]))
    assert view is not None
    assert view["how"] == "parts"
    assert [event["effect"] for event in view["events"]] == [3.5, 2.5, 1.5]
    assert view["alike"] == pytest.approx(1)


def test_attention_stands_beside_the_effect_strongest_first():
    view = attention_view(counting([0.2, 0.7, 0.1]), Queries.of([[3, 0, 2]]))
    assert view is not None
    told = [tuple(round(event[key], 3) for key in ("item", "age", "attention", "effect")) for event in view["events"]]
    assert told == [(0, 1, 0.7, 1.0), (3, 2, 0.2, 8.0), (2, 0, 0.1, 4.0)]
    assert (view["how"], view["alike"]) == ("without", pytest.approx(-0.5))


@pytest.mark.parametrize("source, history", [(counting(None), [1, 2]), (counting([0.0, 0.0]), [1, 2]), (None, [])])
def test_no_attention_no_view(source, history):
    assert attention_view(source or counting([1.0]), Queries.of([history])) is None


# interests


def test_interests_are_the_planted_groups_and_each_recommendation_serves_one():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 15).astype(np.int32)
    vectors = (np.eye(3, 6)[groups] * 5 + rng.normal(size=(45, 6)) * 0.5).astype(np.float32)
    vectors[44] = 0
    history = np.array([*range(9), *range(15, 21), *range(3)], np.int32)  # nine of the first group, three of them twice
    found = interests(
        vectors.__getitem__,
        history,
        np.array([10, 25, 44], np.int32),
        Categories("kind", ["red", "blue", "green"], groups),
        shop.run(),
    )
    assert found is not None
    first, second = found["interests"]
    assert (first["events"], second["events"]) == (12, 6)
    assert first["share"] == pytest.approx(12 / 18)
    assert first["category"] == {"name": "red", "share": 1.0, "of_all": pytest.approx(12 / 18)}
    assert second["category"]["name"] == "blue"
    centre = unit(vectors[:9])[0].mean(axis=0)
    assert first["central"] == np.argsort(-(unit(vectors[:9])[0] @ centre))[:3].tolist()
    assert [entry["interest"] for entry in found["list"]] == [0, 1, None]
    assert found["list"][0]["cosine"] > 0.9


def test_a_short_history_has_no_interests():
    vectors = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    assert interests(vectors.__getitem__, np.arange(9), np.array([1]), None, shop.run()) is None
    same = interests(np.ones((20, 4), np.float32).__getitem__, np.arange(12), np.array([1]), None, shop.run())
    assert same is not None
    assert [one["share"] for one in same["interests"]] == [1.0]  # all alike are one interest


# the whole job


@pytest.fixture
def folder(shop_data: Dataset, tmp_path: Path) -> Path:
    shop_data.save(tmp_path / "data")
    return tmp_path / "data"


def test_vectors_are_shown_where_there_are_any(folder: Path, tmp_path: Path):
    job = evaluated(folder, tmp_path / "out")
    inside, places = job.metrics["inside"], job.places
    assert [(one["name"], one["kind"]) for one in inside["maps"]] == [("axes", "content")]
    assert inside["field"] in ("brand", "genres")
    assert inside["maps"][0]["alike"] > 2 * inside["maps"][0]["by_chance"]  # the words agree with the groups
    assert inside["attention"] == []
    assert len(places["title"]) == len(places["maps"][0]["items"]) == 80
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="inside">Looking inside</h2>' in page
    assert page.count('<svg class="chart map"') == 2
    assert "look inside" in {timing["step"] for timing in job.metrics["timings"]}


def test_nothing_is_shown_without_vectors_or_where_it_is_off(folder: Path, tmp_path: Path):
    for name, settings in (("none", {"more": ""}), ("off", {"inside": "off"})):
        job = evaluated(folder, tmp_path / name, **settings)
        assert "inside" not in job.metrics
        assert job.places == {}
        assert 'id="inside"' not in (tmp_path / name / "report.html").read_text(encoding="utf-8")


def test_sources_that_have_vectors_come_first_with_people_and_interests(shop_data: Dataset, tmp_path: Path):
    pytest.importorskip("implicit")
    titles = [f"A very long title that says more than any map has room for, number {n}" for n in range(80)]
    place = shop_data.items.column_names.index("title")
    long = replace(shop_data, items=shop_data.items.set_column(place, "title", pa.array(titles)))
    long.save(tmp_path / "data")
    ials = '[sources.ials]\nkind = "ials"\ndim = 8\nreg = 1.0\n'
    job = evaluated(tmp_path / "data", more=f"{DENSE}\n{ials}")
    inside, places = job.metrics["inside"], job.places
    source, column = inside["maps"]
    assert (source["name"], column["name"]) == ("ials", "axes")
    assert (source["n_items"], source["n_users"]) == (
        68,
        job.metrics["tests"]["test"]["n_queries"],
    )  # cold items have no factors
    assert (column["n_items"], column["n_users"]) == (80, 0)
    assert source["alike"] > 0.9
    assert source["alike_on_map"] > source["by_chance"]
    assert all(len(title) <= TITLE for title in places["title"])
    again = evaluated(tmp_path / "data", more=f"{DENSE}\n{ials}")
    assert again.metrics["inside"] == inside
    assert again.places == places


def test_people_of_several_interests_have_no_place_and_items_have(shop_data: Dataset, tmp_path: Path):
    pytest.importorskip("torch")
    shop_data.save(tmp_path / "data")
    towers = '[sources.towers]\nkind = "two_tower"\ninterests = 2\ndim = 8\nepochs = 1\n'
    found = evaluated(tmp_path / "data", tmp_path / "out", more=towers).metrics["inside"]["maps"][0]
    assert (found["name"], found["n_users"]) == ("towers", 0)
    assert found["n_items"] > 60
