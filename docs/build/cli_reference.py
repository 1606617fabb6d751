"""Writes the command-line reference, docs/reference/cli.md, from the commands themselves: `python cli_reference.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from openmie.cli.application import COMMANDS, app
from openmie.cli.renamed import COMMANDS as RENAMED

PAGE = Path(__file__).parents[1] / "reference" / "cli.md"
INTRO = """# Command line

This page is generated from the code by `docs/build/cli_reference.py`. Every command has `--help`; `openmie --version`
prints the version. A corpus is named as FORMAT:PATH, such as `twitter:DIR`, `jsonl:DIR` or `diorama:`.

Exit codes: 0, all was done; 2, an error, with one line on stderr that says what to do; 3, done in part: some records
could not be read or predicted, and the output holds them with the reason; 130, interrupted.
"""


def render() -> str:
    """The page."""
    root = typer.main.get_command(app)
    parts = [INTRO]
    for group, commands in COMMANDS.items():
        parts.append(f"## {group}\n")
        for name in commands:
            parts.extend(_command(("openmie", name), root.commands[name]))  # type: ignore[attr-defined]
    old = ", ".join(f"`{a}` (now `{b}`)" for a, b in RENAMED.items())
    parts.append(f"## Old names\n\nThese still work, and say the new name on stderr: {old}.\n")
    return "\n".join(parts)


def _command(path: tuple[str, ...], command: Any) -> Iterator[str]:
    below = getattr(command, "commands", {})
    text, examples = _help(command.help or "")
    yield f"{'#' * (len(path) + 1)} {' '.join(path)}\n\n{text}\n"
    for name, sub in below.items():
        yield from _command((*path, name), sub)
    if below:
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([*path, *(_metavar(a) for a in arguments), "[OPTIONS]"])
    yield f"```text\n{usage}\n```\n"
    rows = [(_metavar(a), a) for a in arguments] + [(_flags(o), o) for o in command.params if o not in arguments]
    if rows := [(name, p) for name, p in rows if name != "--help" and not p.hidden]:
        yield "| argument or option | meaning | default |\n|---|---|---|"
        yield "\n".join(f"| `{name}` | {_cell(p.help or '')} | {_default(p)} |" for name, p in rows) + "\n"
    if examples:
        yield "```sh\n" + "\n".join(examples) + "\n```\n"


def _help(text: str) -> tuple[str, list[str]]:
    """The text of a docstring without its examples, and the examples."""
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", text.strip())]
    examples = [p.removeprefix("Example: ") for p in paragraphs if p.startswith("Example: ")]
    return "\n\n".join(p for p in paragraphs if not p.startswith("Example: ")), examples


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _flags(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.name.upper().rstrip('_')}"
    return " / ".join([", ".join(option.opts) + value, *option.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    empty = value is None or value is False or value in ("", ())
    return "" if empty or callable(value) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf8")
