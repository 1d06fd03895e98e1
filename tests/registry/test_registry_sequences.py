"""Whatever is done in whatever order, a registry stays consistent: tried on random sequences beside a plain model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from artefacts import fake_artefact
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from accord.core.errors import InputError
from accord.registry import Registry


class Sequences(RuleBasedStateMachine):
    """Publish, promote, roll back and prune, with the line of live versions kept in a list beside."""

    @initialize()
    def start(self) -> None:
        self.work = tempfile.TemporaryDirectory()
        self.root = Path(self.work.name)
        self.registry = Registry(self.root / "r.registry")
        self.names: list[str] = []
        self.line: list[str] = []
        self.was_live: set[str] = set()
        self.made = 0

    def teardown(self) -> None:
        if hasattr(self, "work"):
            self.work.cleanup()

    @rule(live=st.booleans())
    def publish(self, live: bool) -> None:
        self.made += 1
        source = fake_artefact(self.root / f"run{self.made}", str(self.made))
        name = self.registry.publish(source, "live" if live else "candidate")
        assert not self.names or name > max(self.names)
        self.names.append(name)
        if live:
            self._goes_live(name)

    @rule(which=st.integers(0, 30))
    def promote(self, which: int) -> None:
        if self.names:
            name = self.names[which % len(self.names)]
            self.registry.promote(name)
            self._goes_live(name)

    @rule()
    def rollback(self) -> None:
        if len(self.line) < 2:
            try:
                self.registry.rollback()
            except InputError:  # an ArtefactError, which is one too, where there is no registry yet
                return
            raise AssertionError("there was nothing to go back to")
        self.line.pop()
        assert self.registry.rollback() == self.line[-1]

    @rule(keep=st.integers(0, 3))
    def prune(self, keep: int) -> None:
        kept = set(self.line[-2:]) | set(self.names[len(self.names) - min(keep, len(self.names)) :])
        gone = [name for name in self.names if name not in kept]
        assert self.registry.prune(keep) == gone
        self.names = [name for name in self.names if name in kept]
        line = [name for name in self.line if name in kept]
        self.line = [name for at, name in enumerate(line) if at == 0 or line[at - 1] != name]

    @invariant()
    def agrees(self) -> None:
        versions = self.registry.versions()
        assert [one.version for one in versions] == self.names
        assert self.registry.live() == (self.line[-1] if self.line else None)
        assert self.registry.previous() == (self.line[-2] if len(self.line) > 1 else None)
        assert [one.stage for one in versions] == [self._stage(name) for name in self.names]
        folders = {path.name for path in self.registry.folder.glob("versions/*")}
        assert folders == set(self.names)
        for name in self.names:
            assert self.registry.card(name)["order"] == "time"

    def _goes_live(self, name: str) -> None:
        self.was_live.add(name)
        if self.line[-1:] != [name]:
            self.line.append(name)

    def _stage(self, name: str) -> str:
        if self.line and self.line[-1] == name:
            return "live"
        return "retired" if name in self.was_live else "candidate"


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
