"""Control characters of posts, labels and file names never reach the terminal: stderr, tables, JSON, progress."""

import io
import json
import logging
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest

from openmie.base import loading
from openmie.characters import printable
from openmie.cli import application as cli
from openmie.cli import console, progress
from openmie.cli.terminal import QUIET, PrintableStream, quiet_libraries
from openmie.cli.terminal_console import TerminalConsole
from openmie.data.document import Document, Mention
from openmie.errors import ErrorRecord, OpenMIEError
from tests.fixtures.base_stub import stub_base

HOSTILE = {
    "csi": "\x1b[2J\x1b[31m",
    "osc": "\x1b]0;owned\x07",
    "c1": "\x9b2J",
    "bidi": "\u202egnp.exe\u2066",
    "bell": "\x07\x08",
    "cr": "fine\rgone",
    "del": "\x7f",
    "lines": "\u2028\u2029",
}
ACTING = {
    chr(c) for c in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, and keeps the bytes that reach it."""

    def __init__(self):
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding="utf-8", write_through=True)

    def isatty(self):
        return True

    def text(self):
        self.flush()
        return self.kept.getvalue().decode()


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")  # rich writes no escapes of its own
    monkeypatch.setenv("COLUMNS", "200")
    return Terminal(), Terminal()


@contextmanager
def streams(out, err):
    before, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), out, err  # pytest sets its own between fixture and test
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def openmie(terminal, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["openmie", *map(str, words)])
    with streams(*terminal), pytest.raises(SystemExit):
        cli.main()


def clean(*streams):
    return not {c for stream in streams for c in stream.text()} & (ACTING - {"\n", "\t"})


def test_no_power_over_the_terminal(terminal, tmp_path, monkeypatch):
    """As text, id, caption, label, column and file name, of posts that can and cannot be read, in every output."""
    bad = "".join(HOSTILE.values())
    monkeypatch.setattr(loading, "shipped", stub_base)
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": bad, "text": f"Ada Lovelace {bad} in Turin", "image": f"{bad}.png", "caption": bad, bad: bad},
        {"id": "b", "text": "Ada", "images": [{"path": bad, "kind": bad}]},
        {"id": "c", "source": bad},
    ]
    file = Path(f"{bad}.jsonl")
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + bad + "\n")
    for format in ("table", "csv"):
        openmie(
            terminal, monkeypatch, "extract", file, "--format", format, "--label", f"PER={bad}", "--label", f"X{bad}=x"
        )
    openmie(terminal, monkeypatch, "extract", file, "--out", f"{bad}.out")
    openmie(terminal, monkeypatch, "doctor", f"jsonl:{file}")
    openmie(terminal, monkeypatch, "convert", f"{bad}.nothing", "-")
    assert clean(*terminal), [repr(stream.text()) for stream in terminal]
    assert "Ada Lovelace" in terminal[0].text() and printable(bad) in terminal[0].text() + terminal[1].text()


def test_what_is_piped_is_data(tmp_path, monkeypatch):
    """Bytes into a pipe are those of the file: nothing is escaped that a program will read."""
    post = Document(id="a", text=f"x {HOSTILE['c1']}")
    (tmp_path / "a.jsonl").write_text(post.to_json() + "\n")
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    openmie((pipe, io.StringIO()), monkeypatch, "convert", tmp_path / "a.jsonl", "-")
    assert pipe.buffer.getvalue().decode() == post.to_json() + "\n"


def test_json_lines_on_a_terminal_are_json(terminal, tmp_path, monkeypatch):
    post = Document(id="a", text=f"é {HOSTILE['c1']}{HOSTILE['bidi']}{HOSTILE['osc']}")
    (tmp_path / "a.jsonl").write_text(post.to_json() + "\n")
    openmie(terminal, monkeypatch, "convert", tmp_path / "a.jsonl", "-")
    assert Document.from_json(terminal[0].text()) == post


def test_libraries_go_through_the_same_stream(terminal):
    """Warnings, logs and tracebacks, which no line of ours prints."""
    out, err = terminal
    with streams(out, PrintableStream(err)):
        sys.excepthook(ValueError, ValueError(HOSTILE["osc"]), None)
        handler = logging.StreamHandler()
        handler.emit(logging.LogRecord("x", logging.ERROR, "f", 1, HOSTILE["c1"], None, None))
        sys.stderr.writelines([HOSTILE["csi"], HOSTILE["bidi"]])
    assert clean(err) and "owned" in err.text()


def test_progress_and_tables(terminal):
    """Names in a bar, and cells; a cell is as wide as what is shown of it."""
    out, err = terminal
    posts = [Document(id=HOSTILE["csi"], text="Ada", mentions=(Mention(id="m", start=0, end=3),))] * 3
    with streams(out, err):
        assert list(progress.watched(posts, HOSTILE["osc"], progress.PostCounts(), lambda: 3)) == posts
        console.table(["a", HOSTILE["c1"]], [[HOSTILE["bidi"], HOSTILE["csi"]], ["x", "y"]])
        TerminalConsole(stderr=True).print(HOSTILE["osc"])
    assert clean(out) and "owned" in err.text() and "\x1b]0" not in err.text() and "\x07" not in err.text()
    assert len({len(line) for line in out.text().splitlines()}) == 1


def test_a_bar_acts_and_what_is_printed_beside_it_does_not(monkeypatch):
    """While a bar is shown rich stands in for standard error, over our wrapper."""
    for name, value in (("TERM", "xterm"), ("COLUMNS", "200")):
        monkeypatch.setenv(name, value)
    err = Terminal()
    with streams(Terminal(), PrintableStream(err)):
        for _ in progress.watched([Document(id="d")] * 2, "extracting", progress.PostCounts(), lambda: 2):
            print(f"beside {HOSTILE['osc']}{HOSTILE['c1']}{HOSTILE['bidi']}", file=sys.stderr)
    shown = err.text()
    assert "extracting" in shown and "\x1b[2K" in shown and "\\u001b[2K" not in shown and "\\u000d" not in shown
    assert shown.count("beside") == shown.count("\\u009b2J\\u202egnp.exe\\u2066") == 2
    assert not set(shown) & (ACTING - {"\x1b", "\r", "\n"}) and "\x1b]" not in shown


def test_errors_are_printable_wherever_they_are_shown():
    record = ErrorRecord(where=HOSTILE["osc"], found=f"{HOSTILE['bidi']} and \ud800 é 北\n", remedy=HOSTILE["c1"])
    for text in (str(record), str(OpenMIEError.of(record))):
        assert not set(text) & (ACTING - {"\n"}) and "é 北" in text and "\\u202e" in text
    assert record.where == HOSTILE["osc"]  # as data it is what it was


def test_libraries_are_quiet_unless_a_user_asks(monkeypatch):
    """Variables that are set stay; warnings of others are off, those of openmie on; -W keeps all as it was."""
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.setattr(sys, "warnoptions", [])
    with warnings.catch_warnings(record=True) as seen:
        quiet_libraries()
        for module in ("torch.nn", "openmie.vlm", "openmie"):
            warnings.warn_explicit(module, UserWarning, "f", 1, module)
    assert os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "1" and os.environ["TRANSFORMERS_VERBOSITY"] == "info"
    assert [str(w.message) for w in seen] == ["openmie.vlm", "openmie"]
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        quiet_libraries()
        warnings.warn_explicit("x", UserWarning, "f", 1, "torch")
    assert len(seen) == 1
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
