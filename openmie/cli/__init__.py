"""The command line: parse, one library call, print. `openmie --help` imports no torch."""

from openmie.cli.application import app, main

__all__ = ["app", "main"]
