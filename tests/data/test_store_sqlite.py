"""The SQLite store keeps the contract of stores, through random lives too."""

from pathlib import Path

from hypothesis import settings

from accord.data.store import SqliteStore, Store
from accord.testing.store_lives import StoreLives
from accord.testing.stores import StoreContract


class TestSqlite(StoreContract):
    def connect(self, folder: Path) -> Store:
        return SqliteStore(folder / "store.db")


class Lives(StoreLives):
    def connect(self, folder: Path) -> Store:
        return SqliteStore(folder / "store.db")


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
