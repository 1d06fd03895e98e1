"""Errors that say where, what was received, and what to do about it."""

from typing import Any

_UNSET = object()


class AccordError(Exception):
    """Base of every error that Accord raises on purpose.

    The text reads ``place: problem. Received: value. remedy``; the parts stay available as attributes so that the
    command line and the HTTP server can render them in their own shape.
    """

    code = "error"

    def __init__(
        self, problem: str, *, place: str | None = None, value: Any = _UNSET, remedy: str | None = None
    ) -> None:
        self.problem = problem.rstrip(".")
        self.place = place
        self.remedy = remedy
        self.received = None if value is _UNSET else _shorten(repr(value))
        super().__init__(self._text())

    def _text(self) -> str:
        parts = [f"{self.place}: {self.problem}." if self.place else f"{self.problem}."]
        if self.received is not None:
            parts.append(f"Received: {self.received}.")
        if self.remedy:
            parts.append(self.remedy)
        return " ".join(parts)


class InputError(AccordError):
    """The caller gave something that cannot be used: a file, an option, an argument."""

    code = "bad_input"


class DataError(InputError):
    """A data file or a dataset folder cannot be used."""

    code = "bad_data"


class ArtefactError(InputError):
    """A saved folder is incomplete, altered, or of another version."""

    code = "bad_artefact"


class CannotFit(AccordError):
    """This part does not apply to this data (no text, no order, too many items); the pipeline goes on without it."""

    code = "cannot_fit"


class Interrupted(AccordError):
    """Somebody stopped the job."""

    code = "interrupted"


def _shorten(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
