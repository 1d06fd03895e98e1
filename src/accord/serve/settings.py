"""What a server is told when it starts."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from pydantic import Field

from accord.core.config import Config
from accord.core.errors import InputError

HISTORY = 200
"""The most events of a history in a request."""


class ServeSettings(Config):
    """Where a server finds its model and its data, whom it answers, and its limits."""

    run: Path
    """A trained pipeline, or the folder of a registry; with neither the server answers from what its store has."""
    store: str | None = None
    """URL of the store; None: SQLite beside the run."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    placements: Path | None = None
    """TOML file of named places."""
    keys: Path | None = None
    """File of API keys; without one the server answers on this machine only, and anybody there."""
    cors_origins: tuple[str, ...] = ()
    """Web pages of these origins may call the API from a browser; none by default."""
    rate: str = "6000/minute"
    """Requests of one key, or one address where there are no keys, to one worker; empty: no limit."""
    max_body: int = Field(default=1 << 20, ge=1_024)
    """Bytes of a request's body."""
    budget: float = Field(default=0.2, gt=0)
    """Seconds that one source may take for one request before it is left out."""
    failures: int = Field(default=3, ge=1)
    """So many failures of a source in a row, and it is left alone for ``pause`` seconds."""
    pause: float = Field(default=30.0, gt=0)
    delay: float = Field(default=0.2, gt=0, le=1.0)
    """Seconds between two looks at what is new in the catalogue and the registry; new items of one look are encoded
    together."""
    rebuild: float = Field(default=60.0, gt=0)
    """Seconds between two rebuilds of the starting pipeline while there is no trained one."""
    update_every: float = Field(default=60.0, ge=0)
    """Seconds between two updates of the sources that count, from the events that arrived; 0: none until a refresh."""
    refresh_every: str | None = None
    """Such as ``24h``: learn anew from the store and publish what is not worse, again and again; None: never."""
    remembered: int = Field(default=200_000, ge=0)
    """Events of histories kept in memory for times when the store is away: about 60 MB for each worker."""
    history: int = Field(default=HISTORY, ge=1, le=10_000)
    """Newest events of a user that a request reads."""
    prepared: bool = False
    """Whether the parent process has checked and prepared everything, see ``preparing``."""

    @property
    def store_url(self) -> str:
        """URL of the store: the one given, or a SQLite file beside the run."""
        place = self.run.resolve()
        return self.store or f"sqlite:///{place.with_name(place.name.removesuffix('.registry') + '.store.db')}"

    def check_exposed(self) -> None:
        """Raises ``InputError`` where the server would listen beyond this machine without keys."""
        if self.keys is None and not is_loopback(self.host):
            raise InputError(
                "without API keys the server listens on this machine only",
                place="--host",
                value=self.host,
                remedy="Make a key with: accord keys create --name NAME --scope read,write FILE; then add --keys FILE.",
            )


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine and cannot be reached from another one."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
