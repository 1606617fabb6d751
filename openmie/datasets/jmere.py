"""JMERE, the joint entity-relation corpus of Yuan et al. (AAAI 2023): one document per post, with all its relations.

A row has `token`, `img_id` and `label_list`: a list of triples, each `{"beg_ent", "sec_ent", "relation"}` alone in a
list of its own (or bare), an entity being `{"name", "pos", "tags"}` with half-open token offsets. The published files
are a JSON list (version 1) or JSON lines (version 2); Python literals are read too. `image_caption`, where a row has
one, becomes the caption "image_caption". Entity types and relations are put in lower case, as the released system
does; entities that take part in no relation are not annotated.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Document, Mention, Relation, Word
from openmie.datasets.reading.attachments import AttachmentOptions, Attachments
from openmie.datasets.reading.python_literal_rows import Row, read_rows
from openmie.datasets.reading.split_files import one_file_per_split, split_files
from openmie.datasets.twitter import word_spans
from openmie.errors import ErrorRecord
from openmie.formats.text_lines import catch_invalid_document, line_error, shorten

# As in mnre.py, under the names that JMERE gives them.
SYMMETRIC = frozenset({"couple", "peer", "siblings", "neighbor", "alumi", "alternate_names"})
EXPECTED = "a dict with token, img_id and label_list of {beg_ent, sec_ent, relation}"


def load_jmere(path: Path, *, captions: str | tuple[str, ...] = (), images: str | Path = "") -> Corpus:
    """Load a folder with `train.json`, `val.json` and `test.json` (also `.jsonl` or `.txt`).

    Args:
        path: the folder, or one file.
        captions: a file, or the generator of `captions/NAME_{train,val,test}.txt`; several separated by commas.
        images: the folder with the image files.

    Raises:
        CorpusError: files that are not there.
    """
    files = one_file_per_split(split_files(path, (".json", ".jsonl", ".txt"), within=("V2", "V1", "txt")))
    options = AttachmentOptions.find(path, tuple(files), captions=captions, images=images)
    return Corpus(
        f"jmere:{path}", {s: partial(read_posts, f, options, s) for s, f in files.items()}, symmetric=SYMMETRIC
    )


def read_posts(path: Path, options: AttachmentOptions, split: str) -> Iterator[Item]:
    """One document per row, a record before each that could only be read in part."""
    media = Attachments(options, split)
    for number, row in enumerate(read_rows(path), 1):
        yield from (e for e in (row.error, row.noted) if e is not None)
        if row.error is None:
            yield from catch_invalid_document(_document(path, f"{split}-{number}", row, media), path, row.line)
    yield from media.records()


def _document(path: Path, id: str, row: Row, media: Attachments) -> Iterator[Item]:
    post = row.value if isinstance(row.value, dict) else {}
    token, image, labels = post.get("token"), post.get("img_id", ""), post.get("label_list", [])
    image = str(image) if type(image) is int else image
    if not (
        isinstance(token, list)
        and token
        and all(isinstance(t, str) for t in token)
        and isinstance(image, str)
        and isinstance(labels, list)
    ):
        yield line_error(path, row.line, shorten(row.value), EXPECTED, "mend or remove the row; it was left out")
        return
    found = _Triples(path, row.line, token, word_spans(token))
    for triple in labels:
        found.add(triple[0] if isinstance(triple, list) and len(triple) == 1 else triple)
    caption = post.get("image_caption")
    caption = caption[0] if isinstance(caption, list) and caption else caption
    own = {"image_caption": caption.strip()} if isinstance(caption, str) and caption.strip() else {}
    attached = media.captions(image) if image else {}
    errors = (*found.errors, *((row.noted,) if row.noted else ()))
    yield from found.errors
    yield Document(
        id=id,
        text=" ".join(token),
        words=found.spans,
        images=(media.image(image),) if image else (),
        mentions=tuple(found.mentions.values()),
        relations=tuple(found.relations),
        errors=errors,
        lang="en",
        captions={**attached, **own, **attached},  # in this order
        source={"corpus": "jmere", "file": path.name, "line": row.line, "img_id": image},
    )


class _Triples:
    """Mentions and relations of one post; an entity that several triples name is one mention."""

    def __init__(self, path: Path, line: int, token: list[str], spans: tuple[Word, ...]) -> None:
        self.path, self.line, self.token, self.spans = path, line, token, spans
        self.mentions: dict[tuple[int, int, str], Mention] = {}
        self.relations: list[Relation] = []
        self.errors: list[ErrorRecord] = []

    def add(self, triple: Any) -> None:
        given = triple if isinstance(triple, dict) else {}
        label = given.get("relation")
        ends = [self._mention(given.get(key)) for key in ("beg_ent", "sec_ent")]
        problem = next((e for e in ends if isinstance(e, str)), "")
        if problem or not (isinstance(label, str) and label):
            expected = f"two entities as {{name, pos: [start, end), tags}} in {len(self.token)} tokens, and a relation"
            self.errors.append(
                line_error(
                    self.path, self.line, problem or shorten(triple), expected, "correct it; the triple was left out"
                )
            )
            return
        for entity in ends:
            assert isinstance(entity, tuple)
            start, end, kind = entity
            self.mentions.setdefault(
                entity,
                Mention(
                    id=f"m{len(self.mentions)}", start=self.spans[start].start, end=self.spans[end - 1].end, label=kind
                ),
            )
        head, tail = (self.mentions[entity].id for entity in ends)  # type: ignore[index]
        relation = Relation(head=head, tail=tail, label=str(label).lower())
        if relation not in self.relations:
            self.relations.append(relation)

    def _mention(self, given: Any) -> tuple[int, int, str] | str:
        """(start, end, type) in tokens, or what is wrong."""
        given = given if isinstance(given, dict) else {}
        name, pos, kind = (given.get(key) for key in ("name", "pos", "tags"))
        if not (
            isinstance(pos, list | tuple)
            and len(pos) == 2
            and all(type(p) is int for p in pos)
            and 0 <= pos[0] < pos[1] <= len(self.token)
            and isinstance(kind, str)
            and kind
        ):
            return f"entity {shorten(given)}"
        surface = " ".join(self.token[pos[0] : pos[1]])
        if isinstance(name, str) and "".join(name.split()).lower() != "".join(surface.split()).lower():
            return f"entity {shorten(name)} at {list(pos)}, where the tokens say {shorten(surface)}"
        return pos[0], pos[1], kind.lower()
