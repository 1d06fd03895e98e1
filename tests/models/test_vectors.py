"""Sources whose score is a product of vectors say these vectors."""

import numpy as np
import pyarrow as pa
import pytest

from accord.core.queries import Queries
from accord.core.roles import HasVectors
from accord.core.run import Run
from accord.models.ials import Ials
from accord.testing.planted import checkerboard

RUN = Run(cache=None)
SMALL = {"dim": 8, "epochs": 2, "patience": 0}


def sources():
    yield Ials(dim=8)
    pytest.importorskip("torch")
    from accord.models.lightgcn import LightGCN
    from accord.models.sequential import Sequential

    yield LightGCN(**SMALL)
    yield Sequential(**SMALL)


def test_the_product_of_the_vectors_is_the_score():
    data = checkerboard().data
    queries = data.queries(np.arange(20), include_seen=True)
    for source in sources():
        assert isinstance(source.fit(data, RUN), HasVectors)
        told = source.user_vectors(queries) @ source.item_vectors.T
        warm = data.item_counts > 0
        np.testing.assert_allclose(told[:, warm], source._scores(queries)[:, warm], rtol=1e-4, atol=1e-5)
        assert not source.item_vectors[~warm].any()


def test_vectors_grow_with_the_catalogue():
    data = checkerboard().data
    new = pa.table({"item_id": ["new1", "new2"]})
    more = data.with_items(pa.concat_tables([data.items, new], promote_options="default"), {})
    for source in sources():
        grown = source.fit(data, RUN).grow(more)
        assert len(grown.item_vectors) == more.n_items
        assert not grown.item_vectors[data.n_items :].any()
        told = grown.user_vectors(Queries.of([[0, data.n_items]]))  # of the new one nothing is known
        np.testing.assert_array_equal(told, grown.user_vectors(Queries.of([[0]])))
