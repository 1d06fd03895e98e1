"""One source in, one table of rows out: CSV, TSV, JSONL, Parquet (plain or .gz) and SQL tables."""

from accord.data.readers.base import Rows
from accord.data.readers.source import read, shown

__all__ = ["Rows", "read", "shown"]
