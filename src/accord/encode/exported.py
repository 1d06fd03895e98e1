"""The ONNX Runtime backend of sentence encoders: about three times as fast as torch on a CPU.

The graph is exported once, checked against torch on a padded batch, and kept under its own hash.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from accord.core.arrays import Floats, Longs
from accord.core.parallel import cores
from accord.core.state import file_digest

if TYPE_CHECKING:
    from accord.encode.neural import SentenceModel

OPSET = 17
TOLERANCE = 1e-4


class OnnxForward:
    """Runs an exported ``SentenceModel`` on NumPy arrays."""

    def __init__(self, graph: bytes | Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        # Idle threads sleep: spinning, they take the cores from whatever else runs, and from one another.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        source = graph if isinstance(graph, bytes) else str(graph)
        self.session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def __call__(self, ids: Longs, mask: Longs) -> Floats:
        """``int64[B, T]`` ids and mask to ``float32[B, dim]``."""
        return np.asarray(self.session.run(["vectors"], {"ids": ids, "mask": mask})[0])


def stored(folder: Path, name: str) -> Path | None:
    """The graph kept under a name whose content is still what it was; None where there is none."""
    for path in sorted(folder.glob(f"{name}.*.onnx")):
        if file_digest(path)[:16] == path.suffixes[-2][1:]:
            return path
    return None


def store(folder: Path, name: str, graph: bytes) -> Path:
    """Keep a graph; a reader sees all of it or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{hashlib.sha256(graph).hexdigest()[:16]}.onnx"
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(graph)
    part.replace(path)
    return path


def export(model: SentenceModel) -> bytes:
    """The model as an ONNX graph over batches of any size and length."""
    import torch

    # The mask holds zeros: traced with ones alone, transformers drops it and padded rows come out wrong.
    ids, mask = (torch.from_numpy(array) for array in _sample(widths=(7, 4)))
    axes = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}, "vectors": {0: "batch"}}
    graph = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        for text in ("You are using the legacy TorchScript", "The feature will be removed"):
            warnings.filterwarnings("ignore", text, DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # pyright: ignore[reportPrivateImportUsage]
        warnings.filterwarnings("ignore", "Exporting aten::index operator", UserWarning)
        torch.onnx.export(
            model,
            (ids, mask),
            graph,  # pyright: ignore[reportArgumentType] - a buffer is taken where dynamo is off
            dynamo=False,
            opset_version=OPSET,
            input_names=["ids", "mask"],
            output_names=["vectors"],
            dynamic_axes=axes,
        )
    return graph.getvalue()


def deviation(graph: OnnxForward, model: SentenceModel) -> float:
    """The largest difference from torch on padded batches of unequal lengths, and on one without padding."""
    from accord.encode.neural import TorchForward

    reference, worst = TorchForward(model), 0.0
    for widths in ((33, 2, 17, 5), (9, 9)):
        ids, mask = _sample(widths)
        worst = max(worst, float(np.abs(graph(ids, mask) - reference(ids, mask)).max()))
    return worst


def _sample(widths: tuple[int, ...]) -> tuple[Longs, Longs]:
    """Token ids (any will do) and mask of rows of the given lengths."""
    mask = (np.arange(max(widths)) < np.array(widths)[:, None]).astype(np.int64)
    return mask * (1000 + np.arange(mask.size).reshape(mask.shape) * 7 % 9000), mask
