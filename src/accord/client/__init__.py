"""A client of ``accord serve``: ``Client`` asks, ``Batch`` sends events in the background. The extra: ``client``."""

from accord.client.batch import Batch, NotKept
from accord.client.client import Client
from accord.client.errors import ApiError

__all__ = ["ApiError", "Batch", "Client", "NotKept"]
