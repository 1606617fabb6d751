"""All commands alike: examples, groups, the reference page, old names, suggestions for mistyped ones."""

import importlib.util
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from openmie import __version__, corpora
from openmie.cli import application as cli
from openmie.cli import renamed
from tests.fixtures import small

ROOT = Path(__file__).parents[3]


def leaves(command, path=()):
    below = getattr(command, "commands", {})
    for name, sub in below.items():
        yield from leaves(sub, (*path, name))
    if not below:
        yield " ".join(path), command


LEAVES = dict(leaves(typer.main.get_command(cli.app)))


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_examples_and_explains_its_options(name):
    command = LEAVES[name]
    lines = [line.strip() for line in command.help.splitlines() if line.strip().startswith("Example: ")]
    typed = name.removesuffix(" corpus").removesuffix(" recipe")
    assert lines and all(x.startswith(f"Example: openmie {typed}") for x in lines)
    for parameter in command.params:
        assert parameter.help or parameter.name == "help", parameter.name


def test_options_of_one_name_are_of_one_kind():
    """An option that several commands have takes the same kind of value everywhere."""
    kinds: dict[str, set[bool]] = {}
    for command in LEAVES.values():
        for parameter in command.params:
            for flag in parameter.opts:
                kinds.setdefault(flag, set()).add(bool(getattr(parameter, "is_flag", False)))
    assert all(len(k) == 1 for k in kinds.values())
    assert not {"--most", "--as-json", "--image-folder", "--output"} & kinds.keys()


def test_help_shows_the_commands_in_groups():
    said = run("--help").output
    at = [said.index(f"\n{group}:\n") for group in cli.COMMANDS]
    assert at == sorted(at)
    assert all(f" {name} " in said for group in cli.COMMANDS.values() for name in group)
    assert run("--version").output == f"openmie {__version__}\n"


def test_the_list_says_of_a_command_what_its_own_help_says():
    root = typer.main.get_command(cli.app)
    listed = {name: command.help for group in cli.COMMANDS.values() for name, command in group.items()}
    assert listed == {name: " ".join(c.help.split("\n\n")[0].split()) for name, c in root.commands.items()}


def test_the_reference_is_up_to_date():
    spec = importlib.util.spec_from_file_location("cli_reference", ROOT / "docs" / "build" / "cli_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf8") == module.render(), "run: python docs/build/cli_reference.py"


def test_old_names_work_and_say_the_new_one(tmp_path):
    old, new = (run(name, "diorama:train=1,dev=1,test=4") for name in ("captions", "caption-review"))
    assert old.exit_code == new.exit_code == 0 and old.stdout == new.stdout
    assert "is now called `openmie caption-review`" in old.stderr and "now called" not in new.stderr
    gold = tmp_path / "gold.jsonl"
    corpora.write([d.replace(images=()) for d in small.documents(3)], gold)
    json = run("score", gold, gold, "--bootstrap", 0, "--as-json")
    assert json.stdout == run("score", gold, gold, "--bootstrap", 0, "--format", "json").stdout
    assert "--as-json is now called --format json" in json.stderr


def test_renamed_options_are_there():
    names = {name.split()[0] for name in LEAVES}
    assert set(renamed.COMMANDS.values()) | set(renamed.OPTIONS) <= names
    for command, options in renamed.OPTIONS.items():
        flags = {f for n, c in LEAVES.items() if n.split()[0] == command for p in c.params for f in p.opts}
        assert {new.split("=")[0] for new in options.values()} <= flags and not options.keys() & flags, command


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("extrct", "posts.jsonl"), "extract"),
        (("caption-reviw",), "caption-review"),
        (("vido", "build"), "video"),
        (("video", "bild"), "build"),
        (("extract", "--modle", "x"), "--model"),
        (("train", "baseline", "--corpus", "diorama:", "--sed", "1"), "--seed"),
        (("convert", "a", "b", "--image-dri", "x"), "--image-dir"),
    ],
)
def test_mistyped_commands_and_options_suggest_the_nearest(arguments, suggestion):
    result = run(*arguments)
    said = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2 and suggestion in said.partition("No such")[2].split(" ╰")[0], said
