"""Every value that a format loses is counted and told, of made-up documents and of the corpora that are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import format_losses
from openmie.data.document import Document, Image, Mention, Relation
from openmie.formats import registry as files

POST = Document.from_words(
    "a",
    ["Orla", "near", "Turin"],
    mentions=(Mention(id="x", start=0, end=4, label="PER"), Mention(id="y", start=10, end=15, label="LOC")),
    relations=(Relation(head="x", tail="y", label="in"),),
    images=(Image(path="a.png", width=9, height=9),),
)


def test_losses_are_counted_by_field() -> None:
    told, silent = format_losses.losses([POST], "conll")
    assert dict(told) == {"images": 1, "relations": 1} and not silent
    assert format_losses.losses([POST], "jsonl") == ({}, {})
    assert format_losses.losses([POST.replace(text="Orla  near Turin", words=(), mentions=(), relations=())], "conll")[
        0
    ] == {"images": 1, "text": 1}


def test_a_loss_that_nobody_tells_is_unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write
    monkeypatch.setattr(files, "write", lambda made, *a: write([d.replace(mentions=d.mentions[:1]) for d in made], *a))
    told, silent = format_losses.losses([POST], "jsonl")
    assert not told and silent == {"mentions": 1, "relations": 1}


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["twitter2017", "conll04", "fewrel"])
def test_nothing_of_the_real_corpora_is_lost_in_silence(corpora: Path, corpus: str) -> None:
    rows = list(format_losses.measured(corpora, 10, corpus))
    both = {n for n, row in files.FORMATS.items() if row.reader and row.writer and n != "csv"}  # read as posts
    assert len(rows) == len(both) and {format for _, format, *_ in rows} == both
    assert not any(silent for *_, silent in rows)
