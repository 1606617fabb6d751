"""Extraction from people's own posts: rows in, predicted Documents out, one for one, bad ones included."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from openmie import corpora
from openmie.data.document import USER_CAPTION, Document, Image
from openmie.data.object_stores import local_images
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import output
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.formats.sources import read_sources

if TYPE_CHECKING:
    from openmie.model.pretrained import Model


PREDICTED_TOGETHER = 64  # posts: what a kill may cost; it divides the posts of a shard (`formats.sharded_output`)


def make_document(text: str, image: str | Sequence[str] = (), caption: str = "", id: str = "post") -> Document:
    """A document from a text, an image file or several, and a caption of the image."""
    files = [image] if isinstance(image, str) else image
    ids = ["main", *(f"image{n}" for n in range(2, len(files) + 1))]
    images = tuple(Image(path=path, id=id) for path, id in zip(files, ids) if path)
    return Document(id=id, text=text, images=images, captions={USER_CAPTION: caption} if caption else {})


def read_posts(
    source: str | Sequence[str], images: str | None = None, columns: PostColumns = USUAL, format: str | None = None
) -> Iterator[Document | ErrorRecord]:
    """Posts of files, folders and patterns, as `openmie.formats.sources` reads them, or a corpus's `FORMAT:PATH#SPLIT`.

    The first post is read at once, so that what cannot be read is told before a model is loaded.

    Args:
        source: one or several; "-" is standard input.
        images: further folder that image paths may lie in.
        columns: names of the columns that hold text, image and id.
        format: of all sources; None: each as it is recognised.
    """
    options = columns.options() | ({"images": images} if images else {})
    sources = [source] if isinstance(source, str) else source
    corpus, mark, split = sources[0].rpartition("#")
    if len(sources) == 1 and mark and not os.path.lexists(sources[0]) and not glob.has_magic(sources[0]):
        items: Iterator[Document | ErrorRecord] = _of_split(corpora.load(corpus, **options), split)
    else:
        items = read_sources(sources, format, **options)
    first = list(islice(items, 1))
    return chain(first, items)


def _of_split(corpus: corpora.Corpus, split: str) -> Iterator[Document | ErrorRecord]:
    """The documents of a split, then what of it could not be read."""
    told: set[ErrorRecord] = set()
    for document in corpus.split(split):
        told.update(document.errors)
        yield document
    yield from (record for record in corpus.skipped if record not in told)


def read_rows(path: str, images: str | None = None) -> Iterator[Document | ErrorRecord]:
    """JSON lines, as `read_posts` reads them, whatever the file is called."""
    return read_posts(path, images, format="jsonl")


def open_sources(
    spec: str | Sequence[str],
    split: Sequence[str] | None,
    images: str | None,
    columns: PostColumns = USUAL,
    format: str = "",
) -> tuple[dict[str, Iterable[Document]], Any]:
    """Documents by the name of the file to write them to, of a corpus (FORMAT:PATH) or of files, "-" being stdin.

    The second value is the corpus, where it is one. A row of a file that cannot be read is an empty Document with the
    reason.

    Args:
        spec: a corpus, or files, folders and patterns.
        split: of the corpus; None: all.
        images: further folder that image paths may lie in.
        columns: names of the columns that hold text, image and id.
        format: of all files; "": each as it is recognised.

    Raises:
        CorpusError: nothing there, splits of a file, the format of a corpus a second time.
    """
    specs = [spec] if isinstance(spec, str) else list(spec)
    options = columns.options() | ({"images": images} if images else {})
    if len(specs) == 1 and specs[0] != "-" and not (os.path.lexists(specs[0]) or glob.has_magic(specs[0])):
        if format:
            raise CorpusError(
                f"--from {format} with {specs[0]}",
                expected="a file that is there, or a corpus, which names its own format",
                remedy="check the path, or leave --from out",
            )
        data = corpora.load(specs[0], **options)
        return {name: data.split(name) for name in split or data.sources}, data
    if split:
        raise CorpusError(
            f"--split {split[0]} of a file",
            expected="the splits of FORMAT:PATH",
            where=specs[0],
            remedy=f"leave it out, or name the corpus with its format, such as jsonl:{specs[0]}",
        )
    name = output.safe_name(output.stem(specs[0])) if len(specs) == 1 and os.path.exists(specs[0]) else "documents"
    items = enumerate(read_sources(specs, format or None, **options), 1)
    return {name: (as_document(item, number) for number, item in items)}, None


def as_document(item: Document | ErrorRecord, number: int) -> Document:
    """An item of a reader; in place of one that could not be read an empty document with the reason."""
    return Document(id=f"unread-{number}", errors=(item,)) if isinstance(item, ErrorRecord) else item


def predict_each(
    models: Sequence[Model], items: Iterable[Document | ErrorRecord], batch: int = PREDICTED_TOGETHER
) -> Iterator[Document]:
    """Predictions in order, by each model in turn: entities by the first, say, and their relations by the second.

    An item that could not be read comes out as an empty Document whose `errors` say why. `batch` items are predicted
    at a time, the first ones, the next ones and so on.
    """
    for part in _chunks(items, batch):
        documents = [item for _, item in part if isinstance(item, Document)]
        with local_images(documents) as (documents, led_back):
            for model in models:
                documents = _predicted(model, documents)
            documents = [*map(led_back, documents)]
        ready = iter(documents)
        for number, item in part:
            yield next(ready) if isinstance(item, Document) else as_document(item, number)


def _predicted(model: Model, documents: Sequence[Document]) -> list[Document]:
    """Predictions; one that no Document can hold, such as a score that is NaN, becomes that document's record."""
    try:
        return model.predict(documents)
    except DocumentError as error:
        if len(documents) > 1:
            return [found for document in documents for found in _predicted(model, [document])]
        return [failed_document(documents[0], error.record)]


def failed_document(document: Document, record: ErrorRecord) -> Document:
    """The document without predictions, and with the reason."""
    none: dict[str, Any] = dict.fromkeys(("mentions", "chains", "relations", "regions", "records"), ())
    return document.replace(**none, errors=(*document.errors, record))


def _chunks(items: Iterable[Document | ErrorRecord], size: int) -> Iterator[list[tuple[int, Document | ErrorRecord]]]:
    numbered = enumerate(items, 1)
    while part := list(islice(numbered, size)):
        yield part
