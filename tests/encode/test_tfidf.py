import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from accord.core.errors import CannotFit, InputError
from accord.core.run import Run
from accord.encode.segment import HAN, has_jieba
from accord.encode.tfidf import Tfidf

TITLES = [
    "Red nail polish, long lasting",
    "Blue nail polish - long lasting shine",
    "Red lipstick, matte",
    "Matte lipstick for dry lips",
    "Nail file and nail buffer",
    "Gift card",
]
CHINESE = ["成龙动作电影精选", "动作电影：成龙与李连杰", "家常川菜做法大全", "川菜做法：麻婆豆腐", "儿童英语启蒙读物"]
RUN = Run(cache=None)


def titled(titles: list[str | None]) -> pa.Table:
    return pa.table({"item_id": [str(n) for n in range(len(titles))], "title": pa.array(titles, pa.string())})


@pytest.mark.parametrize("sublinear", [True, False])
def test_equals_scikit_learn(sublinear: bool) -> None:
    golden = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=sublinear)
    wanted = golden.fit_transform(TITLES).toarray()
    encoder = Tfidf(sublinear=sublinear).fit(titled(TITLES), RUN)
    assert encoder.vocabulary == golden.get_feature_names_out().tolist()
    np.testing.assert_allclose(encoder.encode(titled(TITLES), RUN).toarray(), wanted, atol=1e-6)


def test_the_bound_keeps_the_commonest_terms() -> None:
    encoder = Tfidf(max_features=1).fit(titled(TITLES), RUN)
    assert encoder.vocabulary == ["nail"]
    assert encoder.words(0) == "nail"
    assert encoder.encode(titled(TITLES), RUN).shape == (6, 1)


@pytest.mark.parametrize(
    "jieba", [pytest.param(True, marks=pytest.mark.skipif(not has_jieba(), reason="jieba")), False]
)
def test_chinese_neighbours_are_sensible(jieba: bool) -> None:
    encoder = Tfidf(jieba=jieba).fit(titled(CHINESE), RUN)
    rows = encoder.encode(titled([*CHINESE, "李连杰电影"]), RUN).toarray()
    likeness = rows @ rows.T - 2 * np.eye(6)
    assert likeness[:4].argmax(axis=1).tolist() == [1, 0, 3, 2]
    assert likeness[5].argmax() in (0, 1)
    assert any(HAN.search(word) for word in encoder.vocabulary)


def test_chinese_beside_english_keeps_both() -> None:
    encoder = Tfidf(jieba=False).fit(titled(["iPhone 手机壳", "手机壳 for iphone"]), RUN)
    assert {"iphone", "手机"} <= set(encoder.vocabulary)


def test_characters_find_inflected_words() -> None:
    titles = titled(["gardening", "gardener", "gardens", "volleyball", "volley"])
    rows = Tfidf(characters="chars").fit(titles, RUN).encode(titles, RUN).toarray()
    likeness = rows @ rows.T
    assert likeness[0, 1] > 0.2 > likeness[0, 3]


@pytest.mark.parametrize("titles", [[None, ""], ["one", "two", "three"], ["!", "?"]])
def test_what_shares_no_words_cannot_be_fitted(titles: list[str | None]) -> None:
    with pytest.raises(CannotFit):
        Tfidf().fit(titled(titles), RUN)


def test_a_range_must_run_upwards() -> None:
    with pytest.raises(InputError, match="n-grams"):
        Tfidf(ngrams=(3, 1))
