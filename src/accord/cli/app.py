"""The ``accord`` command: collects the commands and turns errors into one clear line and exit code 2."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import typer

from accord.cli.together import check
from accord.core.errors import AccordError, InputError, Interrupted

COMMANDS = (
    *("import_data", "evaluate", "compare", "tune", "train", "recommend", "predict", "similar", "explain", "rules"),
    *("serve", "keys", "models", "refresh", "store"),
    *("datasets", "presets"),
)
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

app = typer.Typer(
    name="accord",
    help="Accord: from an event log and a catalogue to measured, explained hybrid recommendations.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name in COMMANDS:
    importlib.import_module(f"accord.cli.{name}").register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with code 0, 1 (a failure), 2 (bad input) or 130 (interrupted)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        check(next(iter(given), ""))
        code = app(arguments, standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except typer.TyperException as error:  # a wrong option, a missing argument
        if not error.format_message():  # no command was given: the help was printed instead
            sys.exit(2)
        _complain(InputError(error.format_message(), remedy="See accord --help."), as_json=_wants_json(arguments))
        sys.exit(2)
    except AccordError as error:
        _complain(error, as_json=_wants_json(arguments))
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has left, as head does
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a folder in place of a file, no permission, a full disk
        problem = InputError(error.strerror or str(error), place=error.filename and str(error.filename))
        _complain(problem, as_json=_wants_json(arguments))
        sys.exit(2)
    if code == INTERRUPTED:
        _complain(_interrupted(arguments), as_json=_wants_json(arguments))
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted(arguments: list[str] | None) -> AccordError:
    given = sys.argv[1:] if arguments is None else arguments
    goes_on = bool({"evaluate", "compare", "tune", "train", "refresh"} & set(given[:1]))
    again = "The same command goes on where it stopped; with --fresh it starts anew." if goes_on else None
    return Interrupted("interrupted", remedy=again)


def _wants_json(arguments: list[str] | None) -> bool:
    return "--json" in (sys.argv if arguments is None else arguments)


def _complain(error: AccordError, *, as_json: bool) -> None:
    if as_json:
        shape: dict[str, Any] = {"code": error.code, "message": str(error)}
        shape |= {"field": error.place} if error.place else {}
        shape |= {"remedy": error.remedy} if error.remedy else {}
        sys.stderr.write(json.dumps({"error": shape}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"accord: {' '.join(str(error).split())}\n")
