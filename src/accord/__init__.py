"""Accord: a hybrid recommender that is measured, explained and answers for newcomers."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("accord")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
