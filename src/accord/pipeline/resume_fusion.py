"""What a job keeps of its fusion while it works: what was chosen and learned, with all that it depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from accord.core import catalog
from accord.core.checkpoint import facts_of, facts_state
from accord.core.part import State
from accord.core.run import Run
from accord.fuse.base import Fuser
from accord.pipeline.fusion import Choice
from accord.pipeline.spec import make

_CHOICE, _FUSER = "how it was chosen", "the fuser's table"
"""Names of the arrays that hold what is not learned."""


def kept_choice(run: Run, parts: tuple[Any, ...], choose: Callable[[], Choice]) -> Choice:
    """A chosen fusion. ``parts``: all that it depends on."""
    return run.keep("choices", parts, choose, _choice_state, _choice_of)


def kept_fuser(run: Run, parts: tuple[Any, ...], learn: Callable[[], Fuser]) -> Fuser:
    """A learned fuser. ``parts``: all that it depends on."""
    return run.keep("fusers", parts, learn, _fuser_state, _fuser_of)


def _choice_state(choice: Choice) -> State:
    facts = {field.name: getattr(choice, field.name) for field in fields(choice) if field.name != "fuser"}
    return {_CHOICE: facts_state(facts)["json"], **_fuser_state(choice.fuser)}


def _choice_of(arrays: State) -> Choice:
    return Choice(fuser=_fuser_of(arrays), **facts_of({"json": arrays[_CHOICE]}))


def _fuser_state(fuser: Fuser) -> State:
    values = {"kind": catalog.name_of("fusers", type(fuser)), **fuser.config.model_dump(mode="json")}
    return {_FUSER: facts_state(values)["json"], **fuser.state()}


def _fuser_of(arrays: State) -> Fuser:
    fuser: Fuser = make("fusers", facts_of({"json": arrays[_FUSER]}), "the kept fuser")
    return fuser.load_state({name: array for name, array in arrays.items() if name not in (_FUSER, _CHOICE)})
