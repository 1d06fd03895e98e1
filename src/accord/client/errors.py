"""What a client raises where the server refuses, fails or cannot be reached."""

from __future__ import annotations

from accord.core.errors import AccordError

UNREACHABLE = "unreachable"
"""The code of an error without an answer."""


class ApiError(AccordError):
    """A request that got no good answer: ``code``, ``message``, ``field``, ``remedy`` and ``status`` say why."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        status: int | None = None,
        untouched: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(message, place=field, remedy=remedy)
        self.code = code
        """A word for programs, such as ``not_found``; ``unreachable`` where there was no answer."""
        self.message = message
        """A sentence for people."""
        self.field = field
        """Where in the request."""
        self.status = status
        """The HTTP status; None where there was no answer."""
        self.untouched = untouched
        """Whether the server did certainly nothing with the request."""
        self.wait = wait
        """Seconds after which the server wants to be asked again; None where it did not say."""
