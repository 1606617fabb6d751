"""CoNLL columns: a token and its tag per line, a blank line after each sentence; one Document per sentence.

Reads BIO (IOB2), BIOES and BILOU by their prefixes, IOB1 by option; of files with a comment `# text = ...`, as
Universal NER has it, the text as it was written; of Weibo NER (`科0`), characters without their positions. A run that
its scheme forbids is a mention with `status="orphan"`: an `I-` with nothing before it that it could continue, in BIOES
and BILOU also one that no `E-` or `L-` ends. Writes BIO with a comment line `# id = ...` before each sentence.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, get_args

from openmie.data.document import Document, Mention, Word, locate_words
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import output
from openmie.formats.conll_columns import ColumnLayout, Line, TaggedSentence, blocks, has_ends, read_block
from openmie.formats.jsonl import open_binary
from openmie.text.bio_runs import Scheme, tag_runs
from openmie.text.span_edges import SpanEdges, whole_words
from openmie.text.words import split_words

CANNOT_HOLD = (
    "images",
    "chains",
    "relations",
    "regions",
    "records",
    "phrases",
    "captions",
    "summary",
    "times",
    "lang",
    "source",
    "errors",
    "mentions.score",
    "mentions.attributes",
)

_WHITE = re.compile(r"[\t\n\r]")


def read(
    path: str | os.PathLike[str],
    *,
    tokens: int | str = 0,
    tags: int | str = -1,
    scheme: str = "bio",
    raw_text: bool = False,
    positions: bool = False,
) -> Iterator[Document | ErrorRecord]:
    """A document, or the record of a malformed one, per sentence.

    Args:
        path: of the file; "-" reads standard input.
        tokens: the column of the tokens; negative counts from the right.
        tags: the column of the tags, or several, such as "2,3", a layer of mentions each. Where neither is named and
            the first column counts the tokens, they are in the second, and the last columns have layers of tags.
        scheme: "bio" (also BIOES and BILOU, where the file has their tags), "bioes", "bilou", or "iob1" (`I-` begins a
            mention, `B-` only parts it from a neighbour of its own kind).
        raw_text: take the text of the comment `# text = ...`, in which the tokens are located, instead of the tokens
            joined by blanks. A sentence without that comment, or with a token that the text lacks, is a record.
        positions: each token is one character and the position of it in its word, which is cut off; the text is
            the characters without blanks between them.

    Yields:
        Documents and records in file order.

    Raises:
        CorpusError: an unknown scheme, columns that are no numbers, or a file that cannot be opened.
    """
    if scheme not in get_args(Scheme):
        raise CorpusError.unknown("scheme", scheme, get_args(Scheme), remedy="BIOES and BILOU are read as bio, too")
    name = "stdin" if os.fspath(path) == "-" else output.stem(path)
    with open_binary(path) as stream:
        items, columns, scheme = _layout(stream, tokens, tags, scheme)
        for number, block in enumerate(items):
            sentence = read_block(block, path, f"{name}:{number}", columns)
            if isinstance(sentence, ErrorRecord):
                yield sentence
                continue
            document = _place_words(sentence, f"{path}:{block[0][0]}", _is_true(raw_text), _is_true(positions))
            if isinstance(document, Document):
                document = document.replace(mentions=_mentions(document, sentence.layers, scheme))
            yield document


def _layout(
    stream: IO[bytes], tokens: int | str, tags: int | str, scheme: str
) -> tuple[Iterable[list[Line]], ColumnLayout, str]:
    """The sentences of a file, its columns and its scheme; a stream that cannot be read twice is held."""
    items: Iterable[list[Line]] = blocks(stream) if stream.seekable() else list(blocks(stream))
    columns = ColumnLayout.of(tokens, tags, next(iter(items), []))
    if stream.seekable():
        stream.seek(0)
        items = blocks(stream)
    if scheme == "bio" and has_ends(items, columns):
        scheme = "bioes"
    if stream.seekable():
        stream.seek(0)
        items = blocks(stream)
    return items, columns, scheme


def _is_true(value: bool | str) -> bool:
    """A truth value, as Python or the command line writes it."""
    return value.lower() == "true" if isinstance(value, str) else value


def _place_words(sentence: TaggedSentence, where: str, raw_text: bool, positions: bool) -> Document | ErrorRecord:
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
    return _mentions(document, [tags], scheme)


def _mentions(document: Document, layers: Sequence[Sequence[str]], scheme: str) -> tuple[Mention, ...]:
    """Of each layer, in text order; of those that begin together, the longer one is first."""
    runs = sorted((run for tags in layers for run in tag_runs(tags, scheme)), key=lambda run: (run[0], -run[1]))
    words = document.words
    return tuple(
        Mention(id=f"m{number}", start=words[first].start, end=words[last].end, label=label, status=status)
        for number, (first, last, label, status) in enumerate(runs)
    )


def write(
    documents: Iterable[Document],
    path: str | os.PathLike[str],
    *,
    ids: bool | str = True,
    span_edges: SpanEdges = "expand",
) -> output.Written:
    """`token TAB tag` lines. A document without words is split into some.

    Of mentions that overlap, the longest is kept; the text between words becomes one blank. Each such change is in the
    report, and each mention that begins or ends inside a word.

    Args:
        documents: to be written.
        path: of the file; "-" is standard output.
        ids: with a comment line before each sentence that says its id.
        span_edges: what becomes of mentions that cut words, see `openmie.text.span_edges`; `drop` leaves them out.

    Raises:
        CorpusError: an unknown rule.
    """
    if span_edges not in get_args(SpanEdges):
        raise CorpusError.unknown("span_edges", span_edges, get_args(SpanEdges))
    report = output.WriteReport(CANNOT_HOLD)
    with output.open_output(path) as stream:
        for document in documents:
            report.count(document)
            sentence = _sentence(document, _is_true(ids), span_edges, report)
            stream.write(output.encode_utf8(sentence, f"document {document.id}"))
    return report.result()


def _sentence(document: Document, ids: bool, edges: SpanEdges, report: output.WriteReport) -> str:
    words = _disjoint_words(document, report)
    if not words:
        report.reject(document, "no word", "at least one word", "use jsonl to keep it")
        return ""
    tags = _tags(_at_whole_words(document, words, edges, report), words, report)
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


def _at_whole_words(
    document: Document, words: Sequence[Word], edges: SpanEdges, report: output.WriteReport
) -> Document:
    """The document with its mentions where the rule puts them; those that it refuses are counted and left out."""
    found = whole_words(document, edges, words)
    for id in found.moved:
        before, after = document.find(id), found.document.find(id)
        assert isinstance(before, Mention) and isinstance(after, Mention)
        what = f"mention {id!r} at {before.start}:{before.end}, not whole words"
        report.note(document, what, "word boundaries", f"written as {after.text[:80]!r}")
    for id in found.skipped:
        what = f"mention {id!r}, which cuts words or is on none (span_edges={edges})"
        report.drop("mentions", document, what, "word boundaries", "use jsonl, brat or labelstudio to keep it")
    gone = set(found.skipped)
    return found.document.model_copy(update={"mentions": tuple(m for m in found.document.mentions if m.id not in gone)})


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
