"""Lines of a token and its labels: which column is read, and what is wrong with a line. No label gets into the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.text_lines import TextLine, line_error, shorten

COLUMNS = {"": -1, "fine": -1, "coarse": 1}
_TAGGED = re.compile(r"(.*?)\s+[BI]-\S+.*", re.DOTALL)  # a token, and a tag behind it


def label_column(name: str | int) -> int:
    """The column with the labels: "coarse" is the second, "fine" or "" the last, a number that one.

    Raises:
        CorpusError: another name, or the column of the tokens.
    """
    text = str(name)
    at = COLUMNS.get(text, int(text) if re.fullmatch(r"-?[0-9]{1,3}", text) else 0)
    if at == 0:
        raise CorpusError(
            f"column={text}",
            expected="coarse, fine, or the number of a column of labels",
            remedy="write column=coarse for the second column, column=2 for the third; column 0 has the tokens",
        )
    return at


@dataclass
class TokenColumns:
    """Reads the lines of one file, whose first line says how many columns there are.

    Args:
        path: of the file, for the records.
        column: of the labels; negative counts from the right.
    """

    path: Path
    column: int = -1
    width: int = 0  # columns of the file; 0 before its first line

    def read(self, line: TextLine) -> tuple[str, str, ErrorRecord | None]:
        """(word, tag, error) of a line; a word whose tag cannot be read is kept and counts as outside."""
        cells = [cell.strip() for cell in line.text.split("\t")]
        if len(cells) == 1 and len(parts := line.text.split()) > 1 and all(map(is_tag, parts[1:])):
            cells = parts
        word = cells[0]
        self.width = self.width or (len(cells) if len(cells) > 1 else 0)
        tag = cells[self.column] if 0 < self.column < len(cells) or (self.column < 0 and len(cells) > 1) else ""
        if tagged := _TAGGED.fullmatch(word):
            return tagged[1], "O", self._error(line, "a token that holds no label", "its labels were left out")
        if word and is_tag(tag):
            odd = len(cells) != self.width
            expected = f"{self.width} columns, as in the file's first line"
            return word, tag, self._error(line, expected, "first column and label were read") if odd else None
        kept = "the word was kept as outside any entity" if word else "the line was left out"
        return word, "O", self._error(line, "token<TAB>label, label O, B-<type> or I-<type>", kept)

    def _error(self, line: TextLine, expected: str, consequence: str) -> ErrorRecord:
        return line_error(self.path, line.number, shorten(line.text), expected, f"mend the line; {consequence}")


def is_tag(tag: str) -> bool:
    """Whether it is O, B-<type> or I-<type>."""
    return tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)
