"""The client needs an extra."""

import pytest

pytest.importorskip("httpx2")

from answering import pauses

__all__ = ["pauses"]
