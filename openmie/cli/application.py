"""The command `openmie`: the list of its commands, in the groups in which `openmie --help` shows them.

A command is a function in a file of its own; `COMMANDS` registers it. One with sub-commands is a `typer.Typer`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from openmie.cli import (
    answers,
    batch,
    bench,
    caption,
    caption_review,
    convert,
    demo,
    diorama,
    doctor,
    evaluate,
    extract,
    graph,
    labels,
    mmre,
    objects,
    score,
    serve,
    show,
    split,
    train,
    video,
    view,
    zero_shot,
)
from openmie.cli.groups import Root
from openmie.cli.options import PARTIAL
from openmie.cli.terminal import guard_terminal, quiet_libraries
from openmie.errors import MissingPackageError, OpenMIEError, sentences

__all__ = ["COMMANDS", "PARTIAL", "app", "main"]

COMMANDS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "Extract": {
        "demo": demo.demo,
        "extract": extract.extract,
        "view": view.view,
        "graph": graph.app,
        "labels": labels.labels,
        "serve": serve.serve,
    },
    "Data": {
        "convert": convert.convert,
        "split": split.split,
        "score": score.score,
        "doctor": doctor.app,
        "diorama": diorama.diorama,
        "objects": objects.objects,
    },
    "Train and compare": {
        "show": show.app,
        "train": train.train,
        "evaluate": evaluate.evaluate,
        "bench": bench.bench,
    },
    "Vision-language models": {
        "zero-shot": zero_shot.zero_shot,
        "caption": caption.caption,
        "caption-review": caption_review.caption_review,
        "mmre": mmre.mmre,
        "answers": answers.app,
        "batch": batch.app,
    },
    "Video": {"video": video.app},
}

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


for _group, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_group)
        else:
            app.command(_name, rich_help_panel=_group)(_command)


def explain(error: Exception) -> str:
    """What `main` prints of an error that a user can meet, as sentences."""
    if isinstance(error, OSError) and not isinstance(
        error, OpenMIEError
    ):  # a folder that cannot be written, a full disk
        from openmie.errors import ErrorRecord

        return sentences(ErrorRecord(found=error.strerror or str(error), where=str(error.filename or "")))
    return str(error)


def main() -> None:
    """Entry point: an error that a user can meet is printed without a traceback, exit code 2."""
    guard_terminal()
    quiet_libraries()
    try:
        app()
    except ModuleNotFoundError as error:
        missing = MissingPackageError.of_import(error)
        if missing is None:
            raise
        print(f"openmie: {missing}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone
        sys.exit(141)
    except (OpenMIEError, OSError) as error:
        print(f"openmie: {explain(error)}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"openmie: {note}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("openmie: Interrupted. A training resumes from its last checkpoint when started again.", file=sys.stderr)
        sys.exit(130)
