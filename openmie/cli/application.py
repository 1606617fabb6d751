"""The command `openmie`: its own options, and what is printed of an error. `openmie.cli.commands` lists the commands.

What takes long to import (pydantic, rich) is imported where it is needed: `openmie --help` needs neither.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from openmie.cli.commands import COMMANDS
from openmie.cli.exit_codes import INTERRUPTED, PARTIAL, READER_GONE
from openmie.cli.groups import Root
from openmie.cli.terminal import guard_terminal, quiet_libraries

__all__ = ["COMMANDS", "PARTIAL", "app", "main"]

app = typer.Typer(
    cls=Root,
    help="Multimodal information extraction: text with images in; entities, relations and boxes out, as data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> None:
    if asked:
        from openmie import __version__

        print(f"openmie {__version__}")
        raise typer.Exit


@app.callback()
def openmie(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Multimodal information extraction: text with images in; entities, relations and boxes out, as data."""


def explain(error: Exception) -> str:
    """What `main` prints of an error that a user can meet, as sentences; "" of a bug of ours, which keeps its trace."""
    from openmie.errors import ErrorRecord, MissingPackageError, OpenMIEError, sentences

    if isinstance(error, ModuleNotFoundError) and not isinstance(error, OpenMIEError):
        return str(MissingPackageError.of_import(error) or "")
    if isinstance(error, OSError) and not isinstance(error, OpenMIEError):  # a folder nobody may write, a full disk
        return sentences(ErrorRecord(found=error.strerror or str(error), where=str(error.filename or "")))
    return str(error) if isinstance(error, OpenMIEError) else ""


def main() -> None:
    """Entry point: an error that a user can meet is printed without a traceback, exit code 2."""
    guard_terminal()
    quiet_libraries()
    try:
        app()
    except BrokenPipeError:  # the reader of our output has gone
        sys.exit(READER_GONE)
    except Exception as error:
        told = explain(error)
        if not told:
            raise
        for line in (told, *getattr(error, "__notes__", ())):
            print(f"openmie: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("openmie: Interrupted. A training resumes from its last checkpoint when started again.", file=sys.stderr)
        sys.exit(INTERRUPTED)
