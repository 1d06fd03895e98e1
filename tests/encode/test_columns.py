import pyarrow as pa

from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.encode.attributes import Attributes
from accord.encode.columns import encode_columns
from accord.encode.tfidf import Tfidf


def test_each_encoder_writes_its_column_or_is_named() -> None:
    items = pa.table({"item_id": ["a", "b"], "title": ["red nail polish", "red lipstick"]})
    data = Dataset(pa.table({}), items, pa.table({"user_id": ["u"]}))
    run = Run(cache=None)
    encoded, skipped = encode_columns({"text": Tfidf(), "attributes": Attributes()}, data, run)
    assert encoded.vector("text").shape == (2, 1)
    assert list(skipped) == ["attributes"]
    assert "no term is in 2 items" in skipped["attributes"]
    assert data.vectors == {}
    assert [timing.step for timing in run.timings] == ["encode text", "encode attributes"]
