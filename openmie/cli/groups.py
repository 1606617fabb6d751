"""Groups of commands: old names that say the new one, a default sub-command, and suggestions for mistyped names."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from openmie.cli.commands import COMMANDS, OnDemand
from openmie.cli.exit_codes import INTERRUPTED
from openmie.cli.interruption import is_first_process
from openmie.cli.renamed import COMMANDS as RENAMED
from openmie.cli.renamed import OPTIONS


class Root(TyperGroup):
    """The command `openmie`: a command is imported when it is used, and goes by its old names too.

    Its help is plain text of the list of commands: rich would take longer to import than all the rest.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": None})
        self.commands: Any = OnDemand(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None: no such command."""
        if cmd_name not in self.commands:  # not `get`: a KeyError of a module on import is no missing command
            return None
        return self.commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        super(TyperGroup, self).format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in their groups, their texts below each other."""
        longest = max(map(len, self.commands))
        for group, commands in COMMANDS.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(longest), command.help) for name, command in commands.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, renamed(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C says what is kept, and the exit code is 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            told = "Started again, trainings, captions, searches for objects and benches go on."
            kept = getattr(stop, "__notes__", [told])
            if is_first_process():
                print(f"openmie: Interrupted. {' '.join(kept)}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None


class WithDefault(TyperGroup):
    """A group whose first command is taken where none is named: `doctor CORPUS` beside `doctor boxes`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


def renamed(args: list[str]) -> list[str]:
    """The arguments with the new names of a command and its options; what was renamed is said on stderr."""
    if not args:
        return args
    command = RENAMED.get(args[0], args[0])
    if command != args[0]:
        print(f"`openmie {args[0]}` is now called `openmie {command}`.", file=sys.stderr)
    known, found, said = OPTIONS.get(command, {}), [command], set()
    for at, arg in enumerate(args[1:], 1):
        name, equals, value = arg.partition("=")
        if arg == "--":
            return [*found, *args[at:]]
        if name in known and name not in said:
            print(f"{name} is now called {known[name].replace('=', ' ')}.", file=sys.stderr)
            said.add(name)
        found.append(known.get(name, name) + equals + value)
    return found
