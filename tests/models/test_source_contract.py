"""Every registered source keeps the contract, in every form it has; one that is added is found here by itself."""

from accord.core import catalog
from accord.testing.sources import SourceContract

SPECIAL = {
    "popular": {"personal": False},
    "content": {"places_cold": True},
    "bridge": {"places_cold": True},
}
FORMS = {
    "popular": [{"half_life": 2.0}],
    "item_knn": [{"near": 2.0, "back": 0.3}, {"k": 4, "shrink": 0.0, "tau": 3.0}],
    "ease": [{"side": {"tfidf": 2.0, "attributes": 2.0}, "tau": 4.0}, {"side": {"minilm": 1.0}}],
    "content": [
        {"column": "minilm", "centre": True},
        {"mode": "profile", "last": 5},
        {"mode": "profile", "column": "minilm", "centre": True, "tau": 4.0},
    ],
    "bridge": [{"column": "minilm", "centre": True, "power": 3.0}, {"near": 4.0, "back": 0.5, "neighbours": 3}],
}

for name in catalog.names("sources"):
    for number, settings in enumerate([{}, *FORMS.get(name, [])]):
        kind = f"Test{name.title().replace('_', '')}{number or ''}"
        places_cold = {"places_cold": True} if "tfidf" in settings.get("side", {}) else {}
        law = {"name": name, "settings": settings, **SPECIAL.get(name, {}), **places_cold}
        globals()[kind] = type(kind, (SourceContract,), law)
