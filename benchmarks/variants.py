"""Single sources in several forms, with several seeds: what links add, and what content alone says of new items.

    python benchmarks/variants.py --data FOLDER [--only NAME ...] [--seeds N] [--work FOLDER]

``--data`` holds the sets as published (see README.md beside this file). Every form is fitted without the validation
events and asked at every test of the split. Settings were fixed beforehand; nothing is chosen here. Finished fits are
kept in ``--work``, so that a killed run goes on. Tables go to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accord.core.checkpoint import Checkpoint
from accord.core.dataset import Dataset
from accord.core.run import Run, peak_mib
from accord.data.holdout import Split
from accord.encode.columns import encode_columns
from accord.pipeline.spec import make, preset
from accord.study.environment import machine, versions
from accord.study.readings import record
from accord.study.splitting import SplitSettings, make_splits
from quality import ACCORD, HERE
from seeded import Figures, alone, fitted, judged

Values = dict[str, Any]
METRICS = ("recall@10", "ndcg@10", "recall@20", "ndcg@20")
EVENTS = "events alone"
FRIENDS = {"friends": {"weight": 1.0, "head": "users", "tail": "users"}}
GRAPH = {
    "things": {"weight": 1.0, "head": "items", "tail": "things"},
    "kg": {"weight": 0.5, "head": "things", "tail": "things"},
}
TITLES = {"columns": ["tfidf", "attributes"]}


def lightgcn(links: Values | None = None, layers: int = 2) -> Values:
    """A graph with these links beside the events."""
    return {"kind": "lightgcn", "item": "id", "layers": layers, "links": links or {}}


def read_in_order(item: str, **values: Any) -> Values:
    """A sequential network whose items are told by ``item``."""
    return {"kind": "sequential", "item": item, **TITLES, **values}


@dataclass(frozen=True)
class Study:
    """Forms of a source on one set."""

    name: str
    title: str
    data: str
    forms: dict[str, Values]
    """What is fitted, by the name of its row."""
    against: tuple[tuple[str, str], ...]
    """Pairs of forms whose difference is told."""
    tables: dict[str, str] = field(default_factory=dict[str, str])
    """Links tables, by name."""
    split: Values = field(default_factory=dict[str, Any])
    order: str = "auto"
    encoders: tuple[str, ...] = ()
    """Names among ``ENCODERS``."""
    seeds: int = 3


STUDIES = (
    Study(
        "links-lastfm",
        "What friends and a knowledge graph add to LightGCN: lastfm-hetrec, random split",
        "lastfm-hetrec",
        {
            EVENTS: lightgcn(),
            "and friends": lightgcn(FRIENDS),
            "and graph": lightgcn(GRAPH),
            "and both": lightgcn(FRIENDS | GRAPH),
        },
        (("and friends", EVENTS), ("and graph", EVENTS), ("and both", EVENTS)),
        {"friends": "friends.csv.gz", "things": "item_entities.csv.gz", "kg": "links.csv.gz"},
        {"split": "random"},
        "none",
        seeds=5,
    ),
    Study(
        "links-ml-100k",
        "What a knowledge graph adds to LightGCN: ml-100k, leave-last-out",
        "ml-100k",
        {
            EVENTS: lightgcn(),
            "and graph": lightgcn(GRAPH),
            f"{EVENTS}, 4 layers": lightgcn(layers=4),
            "and graph, 4 layers": lightgcn(GRAPH, layers=4),
        },
        (("and graph", EVENTS), ("and graph, 4 layers", f"{EVENTS}, 4 layers")),
        {"things": "item_entities.csv.gz", "kg": "links.csv.gz"},
    ),
    Study(
        "twins",
        "What content says of new items, by form: amazon-beauty, a tenth of the items cold",
        "amazon-beauty",
        {
            "bridge": preset("balanced").sources["bridge"],
            "content kNN": preset("balanced").sources["content"],
            "text alone": read_in_order("content"),
            "text alone, sentences": read_in_order("content", columns=["minilm"]),
            "text, bounded correction": read_in_order("bounded"),
            "text and id": read_in_order("sum"),
        },
        (
            ("text alone", "bridge"),
            ("text, bounded correction", "bridge"),
            ("text, bounded correction", "text alone"),
            ("text and id", "text, bounded correction"),
        ),
        split={"cold_items": "{data}/cold_items.txt.gz"},
        encoders=("tfidf", "attributes", "minilm"),
        seeds=1,
    ),
    Study(
        "tuned",
        "What a sentence encoder learns from behaviour: amazon-beauty, a tenth of the items cold",
        "amazon-beauty",
        {
            f"{kind}, {told}": {**preset("balanced").sources[kind], "column": column, "centre": column != "tfidf"}
            for kind in ("content", "bridge")
            for column, told in (("tfidf", "words"), ("minilm", "sentences"), ("tuned", "tuned sentences"))
        },
        (
            ("content, tuned sentences", "content, sentences"),
            ("content, tuned sentences", "content, words"),
            ("bridge, tuned sentences", "bridge, sentences"),
            ("bridge, tuned sentences", "bridge, words"),
        ),
        split={"cold_items": "{data}/cold_items.txt.gz"},
        encoders=("tfidf", "minilm", "tuned"),
        seeds=1,
    ),
)
ENCODERS = {**preset("balanced").encoders, "tuned": {"kind": "tuned"}}


def main() -> None:
    """Measure what was asked for and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the published sets")
    parser.add_argument("--work", type=Path, default=Path("runs/variants"), help="datasets and finished fits")
    parser.add_argument("--only", nargs="*", choices=[study.name for study in STUDIES], help="studies to run")
    parser.add_argument("--seeds", type=int, help="in place of the study's number")
    arguments = parser.parse_args()
    for study in STUDIES:
        if not arguments.only or study.name in arguments.only:
            text = measured(study, arguments)
            (HERE / "results").mkdir(exist_ok=True)
            (HERE / "results" / f"{study.name}.md").write_text(text, encoding="utf-8")
            print(text, flush=True)


def measured(study: Study, arguments: argparse.Namespace) -> str:
    """Import, split, fit every form with every seed, ask the tests; the table."""
    folder, source = arguments.work / "data" / study.name, arguments.data / study.data
    if not folder.exists():
        imported(study, source, folder)
    began = time.perf_counter()
    values = {name: value.format(data=source) for name, value in study.split.items()}
    data, splits = make_splits(Dataset.load(folder), SplitSettings(**values), Run())
    split = _encoded(study, splits[0])
    seeds = range(arguments.seeds or study.seeds)
    found = {name: Figures(METRICS) for name in split.tests}
    seconds: dict[str, float] = dict.fromkeys(study.forms, 0.0)
    for seed in seeds:
        run = Run(seed=seed, checkpoint=Checkpoint(arguments.work / "steps" / study.name))
        for form, settings in study.forms.items():
            print(f"{study.name}: {form}, seed {seed}", flush=True)
            model, cpu = fitted(make("sources", dict(settings), form), split.train, run)
            seconds[form] += cpu / len(seeds)
            for name, test in split.tests.items():
                found[name].add(form, judged(alone(model), test, split.train.item_counts, METRICS))
    reading = record([folder], data=data.fingerprint, split=split.name, by="benchmarks/variants.py")["number"]
    return page(study, split, found, seconds, f"{time.perf_counter() - began:.0f} s wall", reading)


def imported(study: Study, source: Path, folder: Path) -> None:
    """Write the dataset folder."""
    command = [ACCORD, "import", "--events", str(source / "events.csv.gz"), "--items", str(source / "items.jsonl.gz")]
    for name, file in study.tables.items():
        command += ["--links", f"{name}={source / file}"]
    subprocess.run([*command, "--order", study.order, "--out", str(folder), "--quiet"], check=True)


def _encoded(study: Study, split: Split) -> Split:
    """The split whose training part has the columns that forms read."""
    encoders = {name: make("encoders", ENCODERS[name], f"encoders.{name}") for name in study.encoders}
    train, skipped = encode_columns(encoders, split.train, Run())
    if skipped:
        raise SystemExit(f"not encoded: {skipped}")
    return Split(split.name, train, split.valid, split.refit, split.tests, split.notes)


def page(
    study: Study, split: Split, found: dict[str, Figures], seconds: dict[str, float], cost: str, reading: int
) -> str:
    """The result as Markdown."""
    lines = [f"# {study.title}", "", "Fitted without the validation events; means over seeds (and of each seed)."]
    for name, figures in found.items():
        lines += ["", f"## {name}: {len(split.tests[name]):,} queries", ""]
        lines += [f"| form | {' | '.join(METRICS)} | CPU s a fit |", "|---|" + "---:|" * (len(METRICS) + 1)]
        lines += [f"| {form} | {' | '.join(figures.cells(form))} | {seconds[form]:.0f} |" for form in study.forms]
        lines += ["", "Paired bootstrap over queries, 95 %:", ""]
        lines += [f"| | less | {' | '.join(METRICS)} |", "|---|---|" + "---|" * len(METRICS)]
        for form, other in study.against:
            lines.append(f"| {form} | {other} | {' | '.join(figures.differences(form, other))} |")
    told, made = machine(), ", ".join(f"{package} {number}" for package, number in versions().items())
    lines += ["", "## How", "", *(f"- {form}: `{settings}`" for form, settings in study.forms.items())]
    lines += [
        *(f"- {note}" for note in split.notes),
        f"- `python benchmarks/variants.py --data DATA --only {study.name}`",
        f"- {datetime.now(UTC):%Y-%m-%d}; {cost}, peak {peak_mib() / 1024:.2f} GiB, on {told['cores']} cores "
        f"({told['processor']}); reading {reading} of this test on this dataset",
        f"- {made}",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
