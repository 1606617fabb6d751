"""`openmie video`: make a dataset of videos. The list of its sub-commands."""

from __future__ import annotations

from collections.abc import Callable

import typer

from openmie.cli.video import agree, build, export, import_annotations, split

COMMANDS: dict[str, Callable[..., None]] = {
    "build": build.build,
    "export": export.export,
    "import": import_annotations.import_annotations,
    "agree": agree.agree,
    "split": split.split,
}
app = typer.Typer(no_args_is_help=True, help="Make a dataset of videos: clips, annotation, agreement, splits.")
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
