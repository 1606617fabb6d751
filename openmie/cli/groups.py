"""Groups of commands: old names that say the new one, a default sub-command, and suggestions for mistyped names."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from openmie.cli.interruption import is_first_process
from openmie.cli.renamed import COMMANDS, OPTIONS


class Root(TyperGroup):
    """The command `openmie`: commands and options go by their old names too, which say the new one on stderr."""

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
            raise typer.Exit(130) from None


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
    command = COMMANDS.get(args[0], args[0])
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
