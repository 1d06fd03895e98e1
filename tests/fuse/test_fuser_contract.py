"""Every registered fuser keeps the contract, in every form it has; one that is added is found here by itself."""

from accord.core import catalog
from accord.testing.fusers import FuserContract

LEARNED = ("concat", "bilinear", "attention", "gate")
SPECIAL = {name: {"learns": True} for name in ("weighted", "softmax", "product", *LEARNED)}
FORMS = {
    "weighted": [{"normalise": "minmax"}],
    "rank": [{"method": "borda"}, {"k0": 0.0}],
    "softmax": [{"normalise": "minmax"}, {"pool": "linear"}],
    "product": [
        {"content": ("weak", "silent")},
        {"content": ("weak",), "normalise": "minmax"},
        {"content": ("weak", "noise"), "form": "elementwise"},
        {"form": "log"},
    ],
    **{name: [{"fewest": 50}] for name in LEARNED},
}

for name in catalog.names("fusers"):
    for number, settings in enumerate([{}, *FORMS.get(name, [])]):
        kind = f"Test{name.title().replace('_', '')}{number or ''}"
        globals()[kind] = type(kind, (FuserContract,), {"name": name, "settings": settings, **SPECIAL.get(name, {})})
