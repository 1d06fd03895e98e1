"""What a result depends on beside its configuration: the data, versions and the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from accord.core.dataset import Dataset

PACKAGES = ("accord", "numpy", "scipy", "polars", "pyarrow", "scikit-learn", "torch", "onnxruntime", "transformers")


def described(data: Dataset, folder: Path) -> dict[str, str | int]:
    """Name, fingerprint and size of a dataset."""
    return {
        "name": folder.name,
        "fingerprint": data.fingerprint,
        "users": data.n_users,
        "items": data.n_items,
        "events": data.n_events,
        "order": data.order,
    }


def versions() -> dict[str, str]:
    """Installed versions of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """Processor, cores and memory."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(pages),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a pseudo-file
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
