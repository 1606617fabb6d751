"""Extraction from people's own posts: rows in, predicted Documents out, one for one, bad ones included."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie import corpora
from openmie.data.document import USER_CAPTION, Document, Image
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import jsonl, output
from openmie.formats import registry as files
from openmie.formats.post_rows import DEFAULT, TABLES, Columns, read_table, row_document
from openmie.formats.text_lines import split_lines

if TYPE_CHECKING:
    from openmie.model.pretrained import Model


PREDICTED_TOGETHER = 64  # posts: what a kill may cost; it divides the posts of a shard (`formats.sharded_output`)


def make_document(text: str, image: str = "", caption: str = "", id: str = "post") -> Document:
    """A document from a text, an image file and a caption of the image."""
    images = (Image(path=image, id="main"),) if image else ()
    return Document(id=id, text=text, images=images, captions={USER_CAPTION: caption} if caption else {})


def read_posts(path: str, images: str | None = None, columns: Columns = DEFAULT) -> Iterator[Document | ErrorRecord]:
    """Posts of a file by its ending: a table (CSV, TSV), plain text, a JSON array, else JSON lines, as `read_rows`.

    Args:
        path: file; "-" is standard input.
        images: further folder that image paths may lie in.
        columns: names of the columns that hold text, image and id.
    """
    suffix = Path(path).suffix.lower()
    if suffix in TABLES:
        yield from read_table(path, images, columns)
    elif suffix == ".json" and files.guess(path, reading=True) == "json":
        data = jsonl.load_json(path)
        for number, item in enumerate(data if isinstance(data, list) else [data], 1):
            yield _post(item, number, f"{path}, item {number}", (images, columns), paths.parent_folder(path))
    elif (
        suffix in (".json", ".jsonl", ".ndjson")
        or path == "-"
        or not any(suffix in row.suffixes for row in files.FORMATS.values())
    ):
        yield from read_rows(path, images, columns)
    else:
        yield from files.read_items(path, **({"images": images} if images else {}))


def _post(data: Any, number: int, where: str, how: tuple[str | None, Columns], folder: Path) -> Document | ErrorRecord:
    try:
        return paths.resolve_paths(row_document(data, number, how[1]), folder, how[0])
    except DocumentError as error:
        return error.record.model_copy(update={"where": f"{where}, {error.record.where}".rstrip(", ")})


def read_rows(path: str, images: str | None = None, columns: Columns = DEFAULT) -> Iterator[Document | ErrorRecord]:
    """JSON lines, a Document or `{"text": ..., "image": ..., "caption": ..., "id": ...}` each; "-" is standard input.

    Image paths are relative to the file and must lie beside it, or in the folder `images`. Other columns go to
    `Document.source`. What cannot be read becomes a record.
    """
    folder = paths.parent_folder(path)
    with jsonl.open_binary(path) as stream:
        for number, line in enumerate(split_lines(stream), 1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                yield _post(json.loads(line), number, where, (images, columns), folder)
            except (ValueError, RecursionError) as error:
                yield ErrorRecord(
                    where=where,
                    found=f"no JSON: {str(error)[:120]}",
                    expected="one JSON object a line",
                    remedy='write {"text": "...", "image": "file.jpg"} on one line',
                )


def open_sources(
    spec: str, split: Sequence[str] | None, images: str | None
) -> tuple[dict[str, Iterable[Document]], Any]:
    """Documents by the name of the file to write them to, of a corpus (FORMAT:PATH) or of a file, "-" being stdin.

    The second value is the corpus, where it is one. A row of a file that cannot be read is an empty Document with the
    reason.
    """
    if spec != "-" and not Path(spec).exists():
        data = corpora.load(spec, **({"images": images} if images else {}))
        return {name: data.split(name) for name in split or data.sources}, data
    if split:
        raise CorpusError(
            f"--split {split[0]} of a file",
            expected="the splits of FORMAT:PATH",
            where=spec,
            remedy=f"leave it out, or name the corpus with its format, such as jsonl:{spec}",
        )
    name = "documents" if spec == "-" else output.safe_name(output.stem(spec))
    return {name: _documents(spec, images)}, None


def _documents(path: str, images: str | None) -> Iterator[Document]:
    lines = files.guess(path, reading=True) == "jsonl"
    options = {"images": images} if images else {}
    items = read_rows(path, images) if lines else files.read_items(path, **options)
    for number, item in enumerate(items, 1):
        yield Document(id=f"unread-{number}", errors=(item,)) if isinstance(item, ErrorRecord) else item


def predict_each(
    models: Sequence[Model], items: Iterable[Document | ErrorRecord], batch: int = PREDICTED_TOGETHER
) -> Iterator[Document]:
    """Predictions in order, by each model in turn: entities by the first, say, and their relations by the second.

    An item that could not be read comes out as an empty Document whose `errors` say why. `batch` items are predicted
    at a time, the first ones, the next ones and so on.
    """
    for part in _chunks(items, batch):
        documents = [item for _, item in part if isinstance(item, Document)]
        for model in models:
            documents = _predicted(model, documents)
        ready = iter(documents)
        for number, item in part:
            yield next(ready) if isinstance(item, Document) else Document(id=f"unread-{number}", errors=(item,))


def _predicted(model: Model, documents: Sequence[Document]) -> list[Document]:
    """Predictions; one that no Document can hold, such as a score that is NaN, becomes that document's record."""
    try:
        return model.predict(documents)
    except DocumentError as error:
        if len(documents) > 1:
            return [found for document in documents for found in _predicted(model, [document])]
        (document,) = documents
        none: dict[str, Any] = dict.fromkeys(("mentions", "chains", "relations", "regions"), ())
        return [document.replace(**none, errors=(*document.errors, error.record))]


def _chunks(items: Iterable[Document | ErrorRecord], size: int) -> Iterator[list[tuple[int, Document | ErrorRecord]]]:
    numbered = enumerate(items, 1)
    while part := list(islice(numbered, size)):
        yield part
