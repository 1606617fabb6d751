"""CoNLL columns: a token and its tag per line, a blank line after each sentence; one Document per sentence.

Reads BIO (IOB2), BIOES and BILOU by their prefixes, IOB1 by option; of files with a comment `# text = ...`, as
Universal NER has it, the text as it was written; of Weibo NER (`科0`), characters without their positions. An `I-` run
with nothing before it that it could continue is a mention with `status="orphan"`. Writes BIO with a comment line
`# id = ...` before each sentence.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

from openmie.data.document import Document, Mention, Word, locate_words
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import output
from openmie.formats.jsonl import open_binary
from openmie.formats.text_lines import split_lines
from openmie.text.bio_runs import tag_runs
from openmie.text.words import split_words

CANNOT_HOLD = (
    "images",
    "chains",
    "relations",
    "regions",
    "phrases",
    "captions",
    "summary",
    "times",
    "lang",
    "source",
    "errors",
    "mentions.score",
)

_ID = re.compile(r"#\s*(?:id|sent_id|newdoc id)\s*=\s?(.*)")
_TEXT = re.compile(r"#\s*text\s*=\s?(.*)")
_TAG = re.compile(r"([BIESLU])(?:-(.*))?|O", re.DOTALL)
_BLANK = re.compile(r"[ \t]+")
_WHITE = re.compile(r"[\t\n\r]")
_TAGGED = re.compile(r".*\s[BI]-\S+", re.DOTALL)  # a token that holds a tag: gold in the text


def read(
    path: str | os.PathLike[str],
    *,
    tokens: int = 0,
    tags: int = -1,
    scheme: str = "bio",
    raw_text: bool = False,
    positions: bool = False,
) -> Iterator[Document | ErrorRecord]:
    """A document, or the record of a malformed one, per sentence.

    Args:
        path: of the file; "-" reads standard input.
        tokens: the column of the tokens; negative counts from the right.
        tags: the column of the tags.
        scheme: "bio" (also BIOES and BILOU) or "iob1" (`I-` begins a mention, `B-` only parts it from a neighbour of
            its own kind).
        raw_text: take the text of the comment `# text = ...`, in which the tokens are located, instead of the tokens
            joined by blanks. A sentence without that comment, or with a token that the text lacks, is a record.
        positions: each token is one character and the position of it in its word, which is cut off; the text is
            the characters without blanks between them.

    Yields:
        Documents and records in file order.

    Raises:
        CorpusError: an unknown scheme, or a file that cannot be opened.
    """
    if scheme not in ("bio", "iob1"):
        raise CorpusError.unknown("scheme", scheme, ("bio", "iob1"), remedy="BIOES and BILOU are read as bio")
    name = "stdin" if os.fspath(path) == "-" else output.stem(path)
    with open_binary(path) as stream:
        for number, block in enumerate(_blocks(stream)):
            sentence = _read_block(block, path, f"{name}:{number}", tokens, tags)
            if isinstance(sentence, ErrorRecord):
                yield sentence
                continue
            document = _place_words(sentence, f"{path}:{block[0][0]}", raw_text, positions)
            if isinstance(document, Document):
                document = document.replace(mentions=mentions_from_tags(document, sentence.tags, scheme))
            yield document


Line = tuple[int, bytes]


class _Sentence(NamedTuple):
    id: str
    words: list[str]
    tags: list[str]
    text: str | None  # of the comment `# text = ...`


def _blocks(stream: IO[bytes]) -> Iterator[list[Line]]:
    """Runs of lines with a token; `-DOCSTART-` and blank lines part them, an id comment stays with its run."""
    block: list[Line] = []
    for number, raw in enumerate(split_lines(stream), 1):
        line = raw.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
        if not line.strip(b" \t") or _BLANK.split(line.decode("latin-1"))[0] == "-DOCSTART-":
            if any(not _comment(x) for _, x in block):
                yield block
                block = []
        else:
            block.append((number, line))
    if any(not _comment(x) for _, x in block):
        yield block


def _comment(line: bytes) -> bool:
    return line.startswith(b"# ") and b" = " in line and b"\t" not in line


def _read_block(
    block: Sequence[Line], path: str | os.PathLike[str], id: str, tokens: int, tags: int
) -> _Sentence | ErrorRecord:
    columns: list[tuple[str, str]] = []
    text: str | None = None
    for number, raw in block:
        where = f"{path}:{number}"
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            return ErrorRecord(
                where=where,
                found=f"bytes that are not UTF-8 ({error.reason})",
                expected="UTF-8",
                remedy="save the file as UTF-8",
            )
        if not columns and _comment(raw):
            id = found.group(1) if (found := _ID.fullmatch(line)) else id
            text = found.group(1) if (found := _TEXT.fullmatch(line)) else text
            continue
        cells = line.split("\t") if "\t" in line else _BLANK.split(line.strip(" "))
        try:
            columns.append((cells[tokens], cells[tags]))
        except IndexError:
            columns = []
        token, tag = columns[-1] if columns else ("", "")
        if len(cells) < 2 or not token or not _TAG.fullmatch(tag) or _TAGGED.fullmatch(token):
            return ErrorRecord(
                where=where,
                found=repr(line[:120]),
                expected="a token and a tag like O, B-PER or I-PER",
                remedy="mend the line, or name the columns (tokens=, tags=)",
            )
    return _Sentence(id, [token for token, _ in columns], [tag for _, tag in columns], text)


def _place_words(sentence: _Sentence, where: str, raw_text: bool, positions: bool) -> Document | ErrorRecord:
    """The words in the sentence's text."""
    words = sentence.words
    if positions:
        if wrong := [word for word in words if len(word) < 2 or not ("0" <= word[-1] <= "9")]:
            return ErrorRecord(
                where=where,
                found=f"token {wrong[0]!r}",
                expected="a character and its position in the word, such as 科0",
                remedy="mend the token, or leave positions out",
            )
        words = [word[:-1] for word in words]
    if not raw_text and not positions:
        return Document.from_words(sentence.id, words)
    text = (sentence.text or "") if raw_text else "".join(words)
    try:
        return Document(id=sentence.id, text=text, words=locate_words(text, words))
    except DocumentError as error:
        found = error.record.found if sentence.text or positions else "no comment with the text"
        return ErrorRecord(
            where=where,
            found=found,
            expected="a line `# text = ...` that holds all tokens in order",
            remedy="mend the comment, or leave raw_text out: blanks join the tokens then",
        )


def mentions_from_tags(document: Document, tags: Sequence[str], scheme: str = "bio") -> tuple[Mention, ...]:
    """The mentions of a tagged document, with ids m0, m1, ... in text order."""
    found = []
    for number, (first, last, label, status) in enumerate(tag_runs(tags, scheme)):
        start, end = document.words[first].start, document.words[last].end
        found.append(Mention(id=f"m{number}", start=start, end=end, label=label, status=status))
    return tuple(found)


def write(documents: Iterable[Document], path: str | os.PathLike[str], *, ids: bool = True) -> output.Written:
    """`token TAB tag` lines. A document without words is split into some; `ids=False` leaves the comment lines out.

    Of mentions that overlap, the longest is kept; one that begins or ends inside a word is written as whole words; the
    text between words becomes one blank. Each such change is in the report.
    """
    report = output.WriteReport(CANNOT_HOLD)
    with output.open_output(path) as stream:
        for document in documents:
            report.count(document)
            stream.write(output.encode_utf8(_sentence(document, ids, report), f"document {document.id}"))
    return report.result()


def _sentence(document: Document, ids: bool, report: output.WriteReport) -> str:
    words = _disjoint_words(document, report)
    if not words:
        report.reject(document, "no word", "at least one word", "use jsonl to keep it")
        return ""
    tags = _tags(document, words, report)
    texts = [document.text[w.start : w.end] for w in words]
    if " ".join(texts) != document.text:
        report.drop(
            "text",
            document,
            "text that is not its words joined by blanks",
            "single blanks between words",
            "the words are written; keep the spacing in another format",
        )
    clean = ["-DOCSTART_" if t == "-DOCSTART-" else _WHITE.sub("_", t) for t in texts]
    if clean != texts:
        report.note(
            document,
            "a tab or line end inside a word, or the word -DOCSTART-",
            "words on one line",
            "what has a meaning of its own is written as _",
        )
    head = f"# id = {_WHITE.sub(' ', document.id)}\n" if ids else ""
    return head + "".join(f"{token}\t{tag}\n" for token, tag in zip(clean, tags)) + "\n"


def _disjoint_words(document: Document, report: output.WriteReport) -> list[Word]:
    """The document's words in text order; an empty one, and one that begins inside another, is left out."""
    words: list[Word] = []
    for word in sorted(document.words) or split_words(document.text):
        if word.end > word.start and (not words or word.start >= words[-1].end):
            words.append(word)
        elif word.end > word.start:
            report.drop(
                "words",
                document,
                f"word {word.start}:{word.end} inside another",
                "words apart from each other",
                "use jsonl to keep it",
            )
    return words


def _tags(document: Document, words: Sequence[Word], report: output.WriteReport) -> list[str]:
    tags, starts, ends = ["O"] * len(words), [w.start for w in words], [w.end for w in words]
    orphans: list[int] = []
    for m in sorted(document.mentions, key=lambda m: (m.start - m.end, m.start)):
        located = m.status != "unlocated"
        covered = range(bisect_right(ends, m.start), bisect_left(starts, m.end)) if located else range(0)
        if not covered or any(tags[i] != "O" for i in covered):
            report.drop(
                "mentions",
                document,
                f"mention {m.id!r} at {m.start}:{m.end}, " + ("overlapping a longer one" if covered else "on no word"),
                "mentions apart from each other",
                "use jsonl, brat or labelstudio to keep it",
            )
            continue
        first, last = words[covered[0]], words[covered[-1]]
        if (first.start, last.end) != (m.start, m.end):
            report.note(
                document,
                f"mention {m.id!r} at {m.start}:{m.end}, not whole words",
                "word boundaries",
                f"written as {document.text[first.start : last.end][:80]!r}",
            )
        label = "-" + _WHITE.sub("_", m.label) if m.label else ""
        for i in covered:
            tags[i] = "I" + label
        if m.status == "orphan":
            orphans.append(covered[0])
        else:
            tags[covered[0]] = "B" + label
    return _separate_orphans(document, tags, orphans, report)


def _separate_orphans(
    document: Document, tags: list[str], orphans: Sequence[int], report: output.WriteReport
) -> list[str]:
    """An orphan right behind a run of its own label would join it: it gets a B- after all."""
    for at in orphans:
        if at and tags[at - 1] != "O" and tags[at - 1][1:] == tags[at][1:]:
            tags[at] = "B" + tags[at][1:]
            report.note(
                document, f"an orphan, word {at}, behind a mention of its label", "something between", "written with B-"
            )
    return tags
