"""Other splits of a corpus: folds whose groups of documents never straddle, and documents that lack a side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from openmie.data.corpus import Item, Source
from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord

DEV_PARTS = 8  # of what is not tested, an eighth selects
Group = Callable[[Document], str]


def make_folds(sources: Sequence[Source], fold: int, folds: int, group: Group) -> dict[str, Source]:
    """train, dev and test of one fold: test is the fold, dev an eighth of the rest, both whole groups.

    Groups are dealt out by size, the largest first, each to the part that has the fewest documents so far; equally
    large ones by name. So all folds together test each document once, and nothing depends on the order of files.
    Errors: a fold that there is none of.
    """
    if folds < 2 or not 0 <= fold < folds:
        raise CorpusError(
            f"fold={fold} of folds={folds}",
            expected="at least two folds, counted from 0",
            where="fold",
            remedy=f"choose one of 0 to {max(folds, 2) - 1}",
        )
    part = partial(_part, tuple(sources), fold, folds, group)
    return {name: partial(part, name) for name in ("train", "dev", "test")}


def _part(sources: Sequence[Source], fold: int, folds: int, group: Group, name: str) -> Iterator[Item]:
    """The documents of one part, each with the records that came before it."""
    rows: list[tuple[Document, list[ErrorRecord]]] = []
    waiting: list[ErrorRecord] = []
    for source in sources:
        for item in source():
            if isinstance(item, ErrorRecord):
                waiting.append(item)
            else:
                rows.append((item, waiting))
                waiting = []
    outer = deal_groups(Counter(group(d) for d, _ in rows), folds)
    rest = Counter(group(d) for d, _ in rows if outer[group(d)] != fold)
    inner = deal_groups(rest, DEV_PARTS)
    for document, records in rows:
        key = group(document)
        where = "test" if outer[key] == fold else "dev" if inner[key] == 0 else "train"
        if where == name:
            yield from records
            yield document
    if name == "train":
        yield from waiting


def deal_groups(sizes: Mapping[str, int], parts: int) -> dict[str, int]:
    """Group -> part, of parts as even as dealing the largest first makes them."""
    full, out = [0] * parts, {}
    for key in sorted(sizes, key=lambda k: (-sizes[k], k)):
        out[key] = min(range(parts), key=lambda i: full[i])
        full[out[key]] += sizes[key]
    return out


def drop_modalities(items: Iterable[Item], share: float, seed: int = 0) -> Iterator[Item]:
    """The documents of a split of which a share lacks a side: half of these the text, half the frames.

    M3D's missing ratio (section VII-D), whose main experiments have 2/3. With the text goes what is said of it: chains,
    relations, and which of them a region shows; with the frames their regions. Which documents it is depends on their
    ids and the seed alone, and of a larger share the same ones lack a side. Errors: a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise CorpusError(f"missing={share}", expected="a share from 0 to 1", where="missing", remedy="1/3 is usual")
    held = list(items)
    ids = [d.id for d in held if isinstance(d, Document)]
    order = sorted(ids, key=lambda id: hashlib.sha256(f"{seed} {id}".encode("utf8", "surrogatepass")).digest())
    gone = order[: round(share * len(order))]
    mute, blind = set(gone[::2]), set(gone[1::2])
    for item in held:
        if isinstance(item, Document) and item.id in mute:
            item = without_text(item)
        elif isinstance(item, Document) and item.id in blind:
            item = item.replace(images=(), regions=())
        yield item


def without_text(document: Document) -> Document:
    """Its frames and their regions alone."""
    regions = tuple(
        r.model_copy(update={"of": "", "label": r.label or _label(document, r.of)}) for r in document.regions
    )
    none: tuple[()] = ()
    return document.replace(
        text="",
        words=none,
        mentions=none,
        chains=none,
        relations=none,
        times=none,
        phrases=none,
        captions={},
        summary="",
        regions=regions,
    )


def _label(document: Document, id: str) -> str:
    found = document.find(id)
    return found.label if found else ""
