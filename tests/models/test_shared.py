"""Sources that learn the same matrix share it, and nothing outlives its users."""

import gc
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from accord.core.run import Run
from accord.models import shared as module
from accord.models.content import Content
from accord.models.item_knn import ItemKNN
from accord.models.shared import shared
from accord.testing.planted import checkerboard

RUN = Run(cache=None)


def test_the_same_inputs_and_settings_are_worked_out_once():
    one, other, made = np.ones(3), np.ones(3), []

    def make():
        made.append(1)
        return csr_array(np.eye(3, dtype=np.float32))

    first = shared([one], ("k", 1), make)
    assert shared([one], ("k", 1), make) is first
    assert shared([one], ("k", 2), make) is not first
    assert shared([other], ("k", 1), make) is not first
    assert len(made) == 3


def test_nothing_is_kept_alive():
    inputs = np.ones(3)
    matrix = shared([inputs], ("alone",), lambda: csr_array(np.eye(3, dtype=np.float32)))
    key = (id(inputs), "alone")
    assert module._known[key][1]() is matrix
    del matrix
    gc.collect()
    assert module._known[key][1]() is None
    shared([inputs], ("next",), lambda: csr_array(np.eye(2, dtype=np.float32)))
    assert key not in module._known


def test_sources_that_differ_in_what_they_read_late_share_their_matrix():
    data = checkerboard().data
    content, taste = Content().fit(data, RUN), Content(tau=3.0).fit(data, RUN)
    assert content.weights is taste.weights
    fewer = data.with_events(np.arange(data.n_events) % 2 == 0)
    assert Content().fit(fewer, RUN).weights is content.weights  # content does not depend on events
    near, far = ItemKNN().fit(data, RUN), ItemKNN(tau=3.0).fit(data, RUN)
    assert near.weights is far.weights
    assert ItemKNN().fit(fewer, RUN).weights is not near.weights
    assert ItemKNN().fit(replace(data, order="none"), RUN).weights is not near.weights
