"""Words behind a content source are words that the texts share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import shop
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.encode.tfidf import Tfidf
from accord.fuse.weighted import Weighted
from accord.models.content import Content
from accord.models.popular import Popular
from accord.pipeline.artefact import load
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.reasons import explain
from accord.pipeline.vocabulary import common_words, spelling

TITLES = ["red wool socks", "red wool hat", "blue wool socks", "garden hose", "long garden hose", "socks"]


def of_titles(titles: list[str], **settings: object) -> Pipeline:
    """Content alone, over titles."""
    n = len(titles)
    table = pa.table({"item_id": [f"i{number}" for number in range(n)], "title": titles})
    like = Dataset(pa.table({}), table, pa.table({"user_id": ["u0"]}), order="time")
    data = shop.of_events([0] * n, list(range(n)), like)
    encoder = Tfidf(min_df=1, **settings).fit(table, shop.run())
    data = data.with_vectors("tfidf", encoder.encode(table, shop.run()))
    source = Content().fit(data, shop.run())
    popular = Popular().fit(data, shop.run())
    return Pipeline(
        shop.small(), data, {"content": source}, Weighted(sources=("content",)), popular, {"tfidf": encoder}
    )


def words_of(pipeline: Pipeline, history: list[int]) -> dict[int, list[str]]:
    queries = Queries.of([history])
    return {reason.item: reason.words for reason in explain(pipeline, queries, pipeline.recommend(queries, 6))[0]}


def test_the_rarest_shared_words_come_first_and_pairs_swallow_their_words() -> None:
    assert words_of(of_titles(TITLES), [1])[0] == ["red wool"]
    assert words_of(of_titles(TITLES), [3])[4] == ["garden hose"]


def test_words_come_from_what_speaks_for_the_item_alone() -> None:
    found = words_of(of_titles(TITLES), [3, 0])
    assert found[4] == ["garden hose"]
    assert not any("garden" in word for word in found[2])
    assert found[1] == ["red wool"]


def test_chinese_words_and_characters() -> None:
    titles = ["科幻电影合集", "科幻小说", "厨房用品"]
    assert words_of(of_titles(titles, jieba=False), [0])[1] == ["科幻"]


@pytest.mark.parametrize("characters", ["chars", "both"])
def test_slices_of_words_are_not_told(characters: str) -> None:
    pipeline = of_titles(TITLES, characters=characters)
    assert spelling(pipeline) == {}
    assert not any(words_of(pipeline, [1]).values())


def test_a_word_of_all_stays_where_a_pair_is_of_one() -> None:
    told = {"tfidf": {(0, 0): [(0, 0.2), (2, 0.8)]}}
    assert common_words(of_titles(TITLES), np.array([[1]], np.int32), told, 3)[0, 0] == ["wool"]


def test_words_that_everything_has_are_no_reason() -> None:
    titles = [f"the {word} {word}{number % 5}" for number, word in enumerate(["lamp", "bolt", "leaf"] * 20)]
    assert words_of(of_titles(titles, ngrams=(1, 1)), [0])[15] == ["lamp0", "lamp"]


def test_a_source_that_hardly_speaks_gives_no_words(pipeline: Pipeline) -> None:
    names = tuple(pipeline.sources)
    quiet, loud = (Weighted(sources=names) for _ in range(2))
    quiet.weights = np.array([[0.01 if name == "content" else 0.33 for name in names]] * 2, np.float32)
    queries = pipeline.data.queries(np.arange(5))
    slate = pipeline.recommend(queries, 5)
    told = [
        [bool(reason.words) for row in explain(replace(pipeline, fuser=fuser), queries, slate) for reason in row]
        for fuser in (quiet, loud)
    ]
    assert sum(told[0]) < 3 < sum(told[1])


def test_values_are_those_of_the_cosine() -> None:
    pipeline = of_titles(TITLES, ngrams=(1, 1))
    vectors = pipeline.data.vectors["tfidf"].toarray()
    told = {"tfidf": {(0, 0): [(1, 0.75), (2, 0.25)]}}
    found = common_words(pipeline, np.array([[0]], np.int32), told, 3)[0, 0]
    values = vectors[0] * (0.75 * vectors[1] + 0.25 * vectors[2])
    vocabulary = pipeline.encoders["tfidf"].vocabulary
    assert found == [vocabulary[column] for column in np.argsort(-values)[:3]]


def test_words_are_the_same_after_loading(pipeline: Pipeline, trained_folder: Path) -> None:
    queries = pipeline.data.queries(np.arange(6))
    slate = pipeline.recommend(queries, 5)
    before, after = (explain(each, queries, slate) for each in (pipeline, load(trained_folder)))
    assert [[r.words for r in row] for row in before] == [[r.words for r in row] for row in after]
    assert sum(bool(reason.words) for row in before for reason in row) > 15


def test_words_follow_the_text_of_today() -> None:
    pipeline = of_titles(TITLES)
    data = pipeline.data
    table = data.items.set_column(1, "title", pa.array([*TITLES[:2], "hat hat hat", *TITLES[3:]]))
    edited = replace(pipeline, data=replace(data, items=table))
    told = {"tfidf": {(0, 0): [(2, 1.0)]}}
    assert common_words(edited, np.array([[1]], np.int32), told, 3) == {(0, 0): ["hat"]}
