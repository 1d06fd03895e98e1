"""The command line: one small file a command."""

from accord.cli.app import main

__all__ = ["main"]
