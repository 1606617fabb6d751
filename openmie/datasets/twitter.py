"""Twitter-2015, Twitter-2017 and the text of GMNER: `IMGID:` blocks of `token<TAB>label`, one document per tweet.

Fine-grained files (FMNERG) have two labels a token, `token<TAB>B-location<TAB>B-park`: the last one is read, or the one
that `column` says. A tweet whose image id occurred before in the file gets the id `ID#2`, `ID#3`, ...;
`source["imgid"]` keeps the original.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Document, Mention, Word
from openmie.datasets.reading.attachments import AttachmentOptions, Attachments
from openmie.datasets.reading.split_files import one_file_per_split, split_files
from openmie.datasets.reading.token_columns import TokenColumns, label_column
from openmie.formats.text_lines import TextLine, line_error, read_lines
from openmie.text.bio_runs import tag_runs


def load_twitter(
    path: Path, *, captions: str | tuple[str, ...] = (), images: str | Path = "", column: str | int = ""
) -> Corpus:
    """Load a folder with `train.txt`, `valid.txt` (or `dev.txt`) and `test.txt`, or in its folder `txt`.

    Args:
        path: the folder, or one file.
        captions: a file, or the generator of `captions/NAME_{train,val,test}.txt`; several separated by commas.
        images: the folder with the image files.
        column: of the labels, where there are several: "coarse" (the second column), "fine" (the last, and the
            default), or a number, 0 being the tokens.

    Raises:
        CorpusError: files that are not there, or an unknown column.
    """
    files = one_file_per_split(split_files(path, (".txt",), within=("txt",)))
    at = label_column(column)
    options = AttachmentOptions.find(path, tuple(files), captions=captions, images=images)
    return Corpus(f"twitter:{path}", {s: partial(read_tweets, f, options, s, at) for s, f in files.items()})


def read_tweets(path: Path, options: AttachmentOptions, split: str, column: int = -1) -> Iterator[Item]:
    """The documents of one file, a record before each that could only be read in part; `column` has the labels."""
    media, columns = Attachments(options, split), TokenColumns(path, column)
    seen: dict[str, int] = {}
    for number, imgid, block in _blocks(path):
        yield from _document(path, number, imgid, block, media, seen, columns)
    yield from media.records()


def _blocks(path: Path) -> Iterator[tuple[int, str, list[TextLine]]]:
    """(line, image id, token lines) of each tweet; the id is "" where tokens stand outside any tweet."""
    number, imgid = 0, ""
    block: list[TextLine] = []
    for line in read_lines(path):
        if line.text.startswith("IMGID:") or not line.text.strip():
            if imgid or block:
                yield number, imgid, block
            number, imgid, block = line.number, line.text[6:].strip(), []
            if line.error or (line.text and not imgid and line.text.strip()):
                block.append(line)
        else:
            number = number if imgid or block else line.number
            block.append(line)
    if imgid or block:
        yield number, imgid, block


def _document(
    path: Path,
    number: int,
    imgid: str,
    block: Sequence[TextLine],
    media: Attachments,
    seen: dict[str, int],
    columns: TokenColumns,
) -> Iterator[Item]:
    """Records, then the document, or a record alone where the tweet has no words."""
    errors = [line.error for line in block if line.error]
    words, tags = [], []
    for line in block:
        if line.text.startswith("IMGID:"):
            continue
        word, tag, error = columns.read(line)
        errors += [error] if error else []
        if word:
            words.append(word)
            tags.append(tag)
    if not imgid:
        errors.append(
            line_error(
                path,
                number,
                "words outside any tweet",
                "a line IMGID:<id> before them",
                "add that line, or read the file as conll; the words were kept, without an image",
            )
        )
    if not words:
        errors.append(
            line_error(
                path,
                number,
                f"tweet {imgid!r} without words",
                "token<TAB>label lines under IMGID:",
                "add its words, or remove the line; it was left out",
            )
        )
    yield from errors
    if words:
        seen[imgid] = times = seen.get(imgid, 0) + 1
        source = {"corpus": "twitter", "file": path.name, "line": number, "imgid": imgid}
        spans = word_spans(words)
        yield Document(
            id=(imgid or f"{path.stem}-{number}") + (f"#{times}" if times > 1 and imgid else ""),
            text=" ".join(words),
            words=spans,
            images=(media.image(imgid),) if imgid else (),
            mentions=mentions_from_bio(spans, tags),
            captions=media.captions(imgid) if imgid else {},
            source=source,
            lang="en",
            errors=tuple(errors),
        )


def word_spans(words: Iterable[str]) -> tuple[Word, ...]:
    """Offsets of words joined by single blanks."""
    spans, at = [], 0
    for word in words:
        end = at + len(word)
        spans.append(Word(at, end))
        at = end + 1
    return tuple(spans)


def mentions_from_bio(spans: Sequence[Word], tags: Sequence[str]) -> tuple[Mention, ...]:
    """Entities of BIO tags. An `I-` run that no `B-` of its type begins is kept with `status="orphan"`."""
    return tuple(
        Mention(id=f"m{n}", start=spans[first].start, end=spans[last].end, label=label, status=status)
        for n, (first, last, label, status) in enumerate(tag_runs(tags))
    )
