"""Words of mentions that codes cannot hold because of where they lie are left open, not taught as nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from openmie.data.document import Document, Mention
from openmie.model.tasks.tags import TagsTask
from openmie.model.tasks.word_pairs import WordPairGrid


def encoded(*mentions: tuple[int, int, str]) -> Any:
    made = tuple(Mention(id=f"m{n}", start=a, end=b, label=label) for n, (a, b, label) in enumerate(mentions))
    document = Document(id="d", text="Kei Moe saw Oslo", words=("Kei", "Moe", "saw", "Oslo"), mentions=made)
    return SimpleNamespace(document=document, words=4)


def tags(*mentions: tuple[int, int, str]) -> list[int]:
    return TagsTask(("LOC", "PER")).encode([encoded(*mentions)])[0].targets["tags"].tolist()


def test_tags_of_spans_that_cut_words() -> None:
    assert tags((0, 4, "PER"), (12, 16, "LOC")) == [-1, 0, 0, 1]  # a blank at the end
    assert tags((1, 6, "PER")) == [-1, -1, 0, 0]  # inside two words
    assert tags((0, 7, "PER"), (4, 11, "PER")) == [3, 4, -1, 0]  # the overlapped one's own word
    assert tags((0, 3, "MISC")) == [0, 0, 0, 0]  # a label that is not to be learnt


def test_cells_of_spans_that_cut_words() -> None:
    grid = WordPairGrid(("LOC", "PER"), ()).encode([encoded((0, 4, "PER"), (12, 16, "LOC"))])[0].targets["cells"]
    assert grid[3, 3] == 1 and (grid[0] == -1).all() and (grid[:, 0] == -1).all() and grid[1, 2] == grid[2, 3] == 0
