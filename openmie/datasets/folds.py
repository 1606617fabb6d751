"""Other splits of a corpus: cross-validation folds by group, and documents with a missing modality."""

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
    """train, dev and test of one cross-validation fold; no group is divided.

    Groups are assigned by size, the largest first, each to the part with the fewest documents so far; groups of equal
    size by name. Together the folds test each document once, and nothing depends on the order of files.

    Args:
        sources: their documents are pooled.
        fold: the test part, from 0.
        folds: number of parts.
        group: document -> group.

    Returns:
        Split -> source; dev is an eighth of what is not tested.

    Raises:
        CorpusError: `fold` is not in 0 .. folds - 1, or fewer than two folds.
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


PROTOCOLS = {"paper": 2 / 3}  # of M3D, section VI-C: a third full, a third without text, a third without frames


def missing_share(missing: float, protocol: str) -> float:
    """The share of documents that lack a modality: `missing`, or that of a protocol of PROTOCOLS.

    Raises:
        CorpusError: an unknown protocol, one beside a share of its own, or a share outside 0 to 1.
    """
    if protocol and protocol not in PROTOCOLS:
        raise CorpusError.unknown("protocol", protocol, PROTOCOLS, remedy="leave it out for complete documents")
    if protocol and missing:
        raise CorpusError(
            f"protocol={protocol} with missing={missing}",
            expected="one of them",
            where="missing",
            remedy=f"protocol={protocol} is missing={PROTOCOLS[protocol]:.4g}",
        )
    if not protocol and not 0 <= missing <= 1:
        raise CorpusError(f"missing={missing}", expected="a share from 0 to 1", where="missing", remedy="1/3 is usual")
    return PROTOCOLS.get(protocol, missing)


def drop_modalities(items: Iterable[Item], share: float, seed: int = 0) -> Iterator[Item]:
    """Remove one modality from a share of documents: the text from half of them, the frames from the other half.

    This is the missing ratio of M3D (section VII-D; 2/3 in the main experiments). With the text its annotation is
    removed: mentions, chains, relations, and the references of regions to them; with the frames their regions.

    Args:
        items: documents and error records.
        share: from 0 to 1.
        seed: the documents are chosen by their ids and the seed; a larger share includes those of a smaller one.

    Raises:
        CorpusError: a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise CorpusError(f"missing={share}", expected="a share from 0 to 1", where="missing", remedy="1/3 is usual")
    rows = list(items)
    ids = [d.id for d in rows if isinstance(d, Document)]
    order = sorted(ids, key=lambda id: hashlib.sha256(f"{seed} {id}".encode("utf8", "surrogatepass")).digest())
    dropped = order[: round(share * len(order))]
    without_text_ids, without_frames_ids = set(dropped[::2]), set(dropped[1::2])
    for item in rows:
        if isinstance(item, Document) and item.id in without_text_ids:
            item = without_text(item)
        elif isinstance(item, Document) and item.id in without_frames_ids:
            item = item.replace(images=(), regions=())
        yield item


def without_text(document: Document) -> Document:
    """A copy with frames and their regions only."""
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
