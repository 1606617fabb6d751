"""CoNLL04 in the multi-head format: one document per sentence, with its entities and the relations between them.

A sentence follows a line `#doc ID` and ends at the next one, or at a blank line; a token line is number, token, BIO
tag, a list of relations and a list of token numbers, one for each relation. A relation stands in the line of the last
token of its head, and its number is that of the last token of its tail; `['N']` is none. Two sentences of one id become
`ID` and `ID#2`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Document, Relation
from openmie.datasets.reading.python_literal_rows import parse_literal
from openmie.datasets.reading.split_files import one_file_per_split, split_files
from openmie.datasets.twitter import mentions_from_bio, word_spans
from openmie.errors import ErrorRecord
from openmie.formats.text_lines import TextLine, line_error, read_lines, shorten

EXPECTED = "number, token, tag, list of relations and list of token numbers, between tabs"
NONE = "N"


class Token(NamedTuple):
    """One line; `ends` are (relation, token number)."""

    word: str
    tag: str
    ends: tuple[tuple[str, int], ...]


def load_conll04(path: Path) -> Corpus:
    """Load a folder with `train.txt`, `dev.txt` and `test.txt`.

    Args:
        path: the folder, or one file.

    Raises:
        CorpusError: files that are not there.
    """
    files = one_file_per_split(split_files(path, (".txt",)))
    return Corpus(f"conll04:{path}", {s: partial(read_sentences, f) for s, f in files.items()})


def read_sentences(path: Path) -> Iterator[Item]:
    """One document per sentence; a record for a sentence with a malformed line, and for each relation left out."""
    seen: dict[str, int] = {}
    for number, id, lines in _blocks(path):
        tokens: list[Token] = []
        wrong = None
        for line in lines:
            token = None if line.error else _token(line.text)
            if token is None:
                wrong = line.error or line_error(path, line.number, shorten(line.text), EXPECTED, _LEFT_OUT)
                break
            tokens.append(token)
        if wrong or not tokens:
            yield wrong or line_error(path, number, f"sentence {id!r} without tokens", EXPECTED, _LEFT_OUT)
            continue
        seen[id] = times = seen.get(id, 0) + 1
        yield from _document(path, number, id + (f"#{times}" if times > 1 else ""), tokens)


_LEFT_OUT = "mend the line; its sentence was left out"


def _blocks(path: Path) -> Iterator[tuple[int, str, list[TextLine]]]:
    """(line, id, token lines) of each sentence."""
    number, id, block = 1, "", list[TextLine]()
    for line in read_lines(path):
        begins = line.text.startswith("#doc") and "\t" not in line.text
        if begins or not line.text.strip():
            if block or (begins and id):
                yield number, id, block
                id, block = "", []
            if begins:
                number, id = line.number, line.text[4:].strip() or f"{path.stem}-{line.number}"
        else:
            id = id or f"{path.stem}-{line.number}"
            block.append(line)
    if block or id:
        yield number, id, block


def _token(line: str) -> Token | None:
    cells = line.split("\t")
    if len(cells) != 5 or not cells[1] or not (cells[2] == "O" or cells[2][:2] in ("B-", "I-")):
        return None
    labels, numbers = parse_literal(cells[3]), parse_literal(cells[4])
    if not (isinstance(labels, list) and isinstance(numbers, list) and len(labels) == len(numbers)):
        return None
    if not all(isinstance(x, str) for x in labels) or not all(type(n) is int for n in numbers):
        return None
    return Token(cells[1], cells[2], tuple((x, n) for x, n in zip(labels, numbers) if x != NONE))


def _document(path: Path, number: int, id: str, tokens: Sequence[Token]) -> Iterator[Item]:
    spans = word_spans([token.word for token in tokens])
    mentions = mentions_from_bio(spans, [token.tag for token in tokens])
    owner = {}  # number of a token -> id of the mention that ends with it
    ends = {m.end: m.id for m in mentions}
    for n, span in enumerate(spans):
        if span.end in ends:
            owner[n] = ends[span.end]
    relations: list[Relation] = []
    errors: list[ErrorRecord] = []
    for n, token in enumerate(tokens):
        for label, other in token.ends:
            if n in owner and other in owner:
                relations.append(Relation(head=owner[n], tail=owner[other], label=label))
            else:
                errors.append(
                    line_error(
                        path,
                        number,
                        f"{label} from token {n} to token {other}",
                        "numbers of the last tokens of two entities",
                        "correct the numbers; the relation was left out",
                    )
                )
    yield from errors
    yield Document(
        id=id,
        text=" ".join(token.word for token in tokens),
        words=spans,
        mentions=mentions,
        relations=tuple(dict.fromkeys(relations)),
        source={"corpus": "conll04", "file": path.name, "line": number},
        lang="en",
        errors=tuple(errors),
    )
