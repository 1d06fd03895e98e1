"""Running the command line inside the test's own process."""

from collections.abc import Iterable

import pytest

from accord.cli.app import main


def call(arguments: Iterable[object], code: int = 0) -> None:
    """Run ``accord`` with the arguments; it must end with the code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == code
