"""Every registered source keeps the contract, in every form it has; one that is added is found here by itself."""

from accord.core import catalog
from accord.testing.planted import friends
from accord.testing.sources import SourceContract

SPECIAL = {
    "common_neighbours": {"plant": staticmethod(friends)},
    "adamic_adar": {"plant": staticmethod(friends)},
    "resource_allocation": {"plant": staticmethod(friends)},
    "popular": {"personal": False},
    "content": {"places_cold": True},
    "bridge": {"places_cold": True},
    "bridge_ridge": {"places_cold": True},
    "sequential": {"exact": False, "late": {}},
    "lightgcn": {"exact": False},
    "neural_cf": {"exact": False},
    "joint": {"exact": False, "late": {}},
    "two_tower": {"exact": False},
    "ials": {"exact": False},  # starts from a random number for each user and item
    "spectral": {"late": {"tau": 2.0, "last": 3, "alpha": 1.0}},
    "user_knn": {"late": {"tau": 2.0, "last": 3, "k": 5, "shrink": 0.0, "power": 3.0}},
    "popular_by": {"personal": False, "late": {"tau": 2.0, "last": 3, "shrink": 5.0}},
    "trend": {"personal": False},
}
SMALL = {"dim": 16, "epochs": 12, "patience": 0, "batch": 20, "dropout": 0.1, "lr": 5e-3, "average": 0.9}
"""A network that learns 48 items in half a second."""
GRAPH = {"dim": 16, "epochs": 10, "patience": 0, "batch": 128, "lr": 2e-2, "average": 0.9}
TOWERS = {"dim": 16, "epochs": 15, "patience": 0, "batch": 128, "lr": 2e-2, "average": 0.9}
BASE = {
    "sequential": SMALL,
    "joint": SMALL,
    "neural_cf": SMALL | {"epochs": 20},
    "lightgcn": GRAPH,
    "two_tower": TOWERS,
}
BRIEF = {"epochs": 1}
FORMS = {
    "popular": [{"half_life": 2.0}],
    "item_knn": [{"near": 2.0, "back": 0.3}, {"k": 4, "shrink": 0.0, "tau": 3.0}],
    "ease": [{"side": {"tfidf": 2.0, "attributes": 2.0}, "tau": 4.0}, {"side": {"minilm": 1.0}}],
    "local_ease": [{"side": {"tfidf": 2.0, "attributes": 2.0}, "tau": 4.0}, {"reg": 10.0, "neighbours": 30}],
    "low_rank": [{"side": {"tfidf": 2.0, "attributes": 2.0}, "tau": 4.0}, {"side": {"minilm": 1.0}, "dim": 30}],
    "content": [
        {"column": "minilm", "centre": True},
        {"mode": "profile", "last": 5},
        {"mode": "profile", "column": "minilm", "centre": True, "tau": 4.0},
    ],
    "ials": [{"dim": 8, "alpha": 10.0, "tau": 4.0}],
    "rp3beta": [{"alpha": 0.7, "beta": 0.0, "k": 30}],
    "spectral": [{"dim": 8, "alpha": 1.0, "tau": 4.0}],
    "user_knn": [{"idf": False, "shrink": 0.0, "power": 2.0, "tau": 4.0}],
    "bridge_ridge": [{"columns": {"minilm": 1.0, "tfidf": 0.5}, "teacher": "ease", "teacher_reg": 10.0}],
    "sequential": [
        {"columns": ("tfidf",), "item": "sum"},
        {"columns": ("minilm", "attributes"), "item": "bounded", "body": "gru"},
        {"body": "gated", "loss": "sampled", "negatives": 16},
    ],
    "joint": [
        {"columns": ("tfidf",), "weights": "learned"},
        {"columns": ("minilm", "attributes"), "item": "bounded", "body": "gru", "mix": 0.2},
    ],
    "neural_cf": [
        {"columns": ("tfidf",)},
        {"form": "neumf", "columns": ("tfidf", "minilm"), "item": "bounded"},
        {"form": "mlp", "columns": ("attributes",), "loss": "bpr", "hidden": (16, 8)},
    ],
    "lightgcn": [
        {"columns": ("tfidf",), "layers": 2},
        {"columns": ("minilm", "attributes"), "item": "bounded", "similarity": "cosine"},
        {"loss": "bpr", "negatives": 16, "similarity": "dot", "temperature": 1.0, "dropout": 0.3, "reg": 0.01},
    ],
    "two_tower": [
        {"columns": ("tfidf",), "interests": 2, "hidden": 16},
        {"columns": ("minilm", "attributes"), "item": "bounded", "pooling": "mean", "similarity": "cosine"},
        {"index": "ivf", "loss": "in_batch", "hard": 4},
        {"index": "ivf", "columns": ("tfidf",), "interests": 2},
    ],
    "bridge": [{"column": "minilm", "centre": True, "power": 3.0}, {"near": 4.0, "back": 0.5, "neighbours": 3}],
}

WAITS = 0.1
"""Side rows of new items change the weights of the others, and means of dense columns move, at the next fit alone."""
GROWN = {
    "ease": WAITS,
    "low_rank": WAITS,
    "slit": WAITS,
    "local_ease": 0.4,  # two new items tell nothing of one another
    "l3ae": 0.4,  # the same, and its content is hardly regularised
}

UPDATED = {("item_knn", 2): 0.6}
"""With four neighbours an item, one that was cut off is often missed when another falls behind."""

for name in catalog.names("sources"):
    for number, form in enumerate([{}, *FORMS.get(name, [])]):
        settings = {**BASE.get(name, {}), **form}
        kind = f"Test{name.title().replace('_', '')}{number or ''}"
        places_cold = (
            {"places_cold": True} if "tfidf" in [*settings.get("side", {}), *settings.get("columns", ())] else {}
        )
        reads = {"side", "column", "columns"} & set(settings) or name == "l3ae"
        more = {"grown_tolerance": GROWN.get(name, WAITS)} if reads else {}
        more |= {"updated_tolerance": UPDATED.get((name, number), 1e-5)}
        more |= {"brief": BRIEF} if name in BASE else {}
        law = {"name": name, "settings": settings, **SPECIAL.get(name, {}), **places_cold, **more}
        globals()[kind] = type(kind, (SourceContract,), law)
