"""The checks of `doctor` that read documents, one at a time.

A split is named with the language of its documents ("dev en"); `doctor` takes that off where there is only one. Texts
are kept as hashes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Protocol, TypeVar

from openmie.data.document import Document, Mention

NO_RELATION = "None"  # the label of pairs without a relation
LENIENT = "mentions, with orphans"  # what lenient scores count


T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """The number of anomalies of a kind in a split ("": in the entire corpus), with a few examples."""

    kind: str
    split: str
    count: int
    examples: tuple[str, ...] = ()


class Check(Protocol):
    """One question to all documents."""

    def add(self, split: str, document: Document) -> None: ...

    def findings(self) -> Iterator[Finding]: ...


class _FindingLists:
    """Anomalies by kind and split: all are counted, the first five of each are stored."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], list[str]] = defaultdict(list)

    def note(self, kind: str, split: str, example: str, n: int = 1) -> None:
        self.counts[kind, split] += n
        if n and len(self.examples[kind, split]) < 5:
            self.examples[kind, split].append(example)

    def findings(self) -> Iterator[Finding]:
        for (kind, split), count in self.counts.items():
            if count:
                yield Finding(kind, split, count, tuple(self.examples[kind, split]))


class Statistics:
    """Statistics of each split, and the labels that a split lacks.

    Mentions are counted as publications count them, by their `B-` tags; with orphan `I-` runs they are `LENIENT`.
    """

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.images: dict[str, set[str]] = defaultdict(set)
        self.texts: dict[str, set[int]] = defaultdict(set)

    def add(self, split: str, document: Document) -> None:
        count = self.counts.setdefault(split, Counter())
        own = set(main_images(document))
        self.images[split] |= own
        self.texts[split].add(hash(document.text))
        relations = [r.label for r in document.relations]
        boxes = _of_reader(document, "boxes", len(document.regions))
        count.update(
            {
                "documents": 1,
                "words": len(document.words),
                "mentions": sum(m.status != "orphan" for m in document.mentions),
                LENIENT: len(document.mentions),
                "relations": sum(label != NO_RELATION for label in relations),
                "chains": len(document.chains),
                "boxes": boxes,
                "images with boxes": int(boxes > 0),
                "frames": (frames := sum(i.kind == "frame" for i in document.images)),
                "documents with frames": int(frames > 0),
            }
        )
        for m in document.mentions:
            if m.label:
                count["mentions " + m.label] += m.status != "orphan"  # 0 says that the split shows the label
        count.update("chains " + c.label for c in document.chains if c.label)
        count.update("relation " + label for label in relations)

    def table(self) -> dict[str, dict[str, int]]:
        """Split -> statistic -> count, with "all" last; what is 0 everywhere is left out."""
        rows = {split: self._row(count, self.images[split], self.texts[split]) for split, count in self.counts.items()}
        if len(rows) > 1:
            whole = sum(self.counts.values(), Counter())
            rows["all"] = self._row(whole, set().union(*self.images.values()), set().union(*self.texts.values()))
        nonzero = {name for row in rows.values() for name, n in row.items() if n}
        if all(row.get("mentions") == row.get(LENIENT) for row in rows.values()):
            nonzero.discard(LENIENT)
        return {split: {k: n for k, n in row.items() if k in nonzero} for split, row in rows.items()}

    @staticmethod
    def _row(count: Counter[str], images: set[str], texts: set[int]) -> dict[str, int]:
        derived = {
            "distinct texts": len(texts),
            "images": len(images),
            "relation types": sum(name.startswith("relation ") for name in count),
        }
        fixed = {name: n for name, n in count.items() if not is_label_count(name)}
        return {**fixed, **derived, **{name: n for name, n in sorted(count.items()) if is_label_count(name)}}

    def findings(self) -> Iterator[Finding]:
        """Labels of the corpus that a split lacks, and labels of dev and test that train does not show."""
        for lang in {split.partition(" ")[2] for split in self.counts}:
            own = {
                split: {name for name in count if is_label_count(name)}
                for split, count in self.counts.items()
                if split.partition(" ")[2] == lang
            }
            train = next((labels for split, labels in own.items() if split.startswith("train")), None)
            for split, labels in own.items():
                if absent := sorted(set().union(*own.values()) - labels):
                    yield Finding("labels that the split lacks", split, len(absent), tuple(absent[:5]))
                if train is not None and (unseen := sorted(labels - train)):
                    yield Finding("labels that train does not show", split, len(unseen), tuple(unseen[:5]))


def _of_reader(document: Document, key: str, otherwise: T) -> T:
    """What a reader of published data wrote into `source`; a column of one's own may be called alike, and is not it."""
    value = document.source.get(key)
    return value if "corpus" in document.source and type(value) is type(otherwise) else otherwise


def main_images(document: Document) -> list[str]:
    """The ids of its main images; an image without an id gets that of the document."""
    return [document.id if i.id == i.kind else i.id for i in document.images if i.kind == "main"]


def is_label_count(name: str) -> bool:
    """Whether a statistic counts one label: they come last, in alphabetical order."""
    return name.startswith(("mentions ", "chains ", "relation ")) and name != "relation types"


class Anomalies(_FindingLists):
    """What one document shows by itself."""

    def add(self, split: str, document: Document) -> None:
        for mention in document.mentions:
            if mention.status != "located":
                self.note(f"{mention.status} mentions", split, f"{document.id} {mention.text!r}")
        self.note("U+FFFD characters", split, document.id, document.text.count("\ufffd"))
        self.note("unresolved sent_time", split, document.id, _of_reader(document, "unresolved_times", 0))
        image = _of_reader(document, "imgid", "")
        self.note("image ids used before", split, document.id, int(bool(image) and document.id.startswith(f"{image}#")))
        for relation in document.relations:
            head, tail = document.find(relation.head), document.find(relation.tail)
            if isinstance(head, Mention) and isinstance(tail, Mention):
                self.note("tail before head", split, document.id, int(tail.start < head.start))
                self.note(
                    "overlapping head and tail",
                    split,
                    document.id,
                    int(max(head.start, tail.start) < min(head.end, tail.end)),
                )
        for record in document.dangling():
            self.note("references that lead nowhere", split, f"{record.where}: {record.found}")
        self._boxes(split, document)

    def _boxes(self, split: str, document: Document) -> None:
        for region in document.regions:
            dangling = int(not region.of and not region.label)
            self.note("boxes without a mention", split, f"{document.id} {region.box}", dangling)
        boxes = Counter(r.of for r in document.regions if r.of)
        self.note("mentions with several boxes", split, document.id, sum(n > 1 for n in boxes.values()))
        filename, image = _of_reader(document, "filename", ""), _of_reader(document, "imgid", "")
        self.note(
            "annotation files that name another image",
            split,
            f"{image}: {filename}",
            int(bool(filename) and filename.rpartition(".")[0] != image),
        )


class ReversedRelations:
    """How many relations a reader turned to the direction that their label names, a split and in all."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, split: str, document: Document) -> None:
        self.counts[split] += _of_reader(document, "turned_relations", 0)

    def findings(self) -> Iterator[Finding]:
        counts = {**self.counts, **({"": sum(self.counts.values())} if len(self.counts) > 1 else {})}
        for split, count in counts.items():
            if count:
                yield Finding("relations turned to their label's direction", split, count)


class Duplicates:
    """Equal texts, and equal instances with equal or conflicting annotation, within a split and across all.

    An instance is a text with the spans of a pair, whatever its image; where a document has no relations, its text.
    """

    def __init__(self) -> None:
        self.pairs: dict[int, list[tuple[str, int, str]]] = defaultdict(list)  # instance -> split, annotation, document
        self.whole: dict[int, list[tuple[str, int, str]]] = defaultdict(list)

    def add(self, split: str, document: Document) -> None:
        if not document.text:
            return
        if not document.relations or document.chains:
            gold = hash(frozenset((m.start, m.end, m.label) for m in document.mentions))
            self.whole[hash(document.text)].append((split, gold, document.id))
        labels: dict[int, set[str]] = defaultdict(set)
        for r in document.relations:
            head, tail = document.find(r.head), document.find(r.tail)
            if isinstance(head, Mention) and isinstance(tail, Mention):
                labels[hash((document.text, head.start, head.end, tail.start, tail.end))].add(r.label)
        for key, names in labels.items():
            self.pairs[key].append((split, hash(frozenset(names)), document.id))

    def findings(self) -> Iterator[Finding]:
        for seen, what in ((self.whole, "texts"), (self.pairs, "instances")):
            splits = {split for entries in seen.values() for split, _, _ in entries}
            for split in [*sorted(splits), ""] if len(splits) > 1 else sorted(splits):
                yield from _repeated(seen.values(), split, what)


def _repeated(entries: Iterable[list[tuple[str, int, str]]], split: str, what: str) -> Iterator[Finding]:
    """Keys seen more than once in a split ("": in the corpus), told apart by whether the annotation agrees."""
    same: list[str] = []
    conflicting: list[str] = []
    for found in entries:
        own = [entry for entry in found if not split or entry[0] == split] if len(found) > 1 else []
        if len(own) > 1:
            (conflicting if len({gold for _, gold, _ in own}) > 1 else same).append(" = ".join(e[2] for e in own[:3]))
    if same:
        yield Finding(f"duplicate {what}", split, len(same), tuple(same[:5]))
    if conflicting:
        yield Finding(f"{what} with conflicting annotation", split, len(conflicting), tuple(conflicting[:5]))


class Leaks:
    """Texts, images and videos that stand in two splits."""

    KINDS: ClassVar[dict[str, Callable[[Document], Iterable[object]]]] = {
        "texts": lambda d: [hash(d.text)] if d.text else [],
        "images": lambda d: main_images(d),
        "videos": lambda d: [f"{d.source['video']} {d.lang}".rstrip()] if d.source.get("video") else [],
    }

    def __init__(self) -> None:
        self.seen: dict[str, dict[object, dict[str, str]]] = {kind: defaultdict(dict) for kind in self.KINDS}

    def add(self, split: str, document: Document) -> None:
        for kind, values in self.KINDS.items():
            for value in values(document):
                self.seen[kind][value].setdefault(split, document.id)

    def findings(self) -> Iterator[Finding]:
        for kind, seen in self.seen.items():
            found: dict[tuple[str, str], list[str]] = defaultdict(list)
            for value, where in seen.items():
                for a, b in combinations(where, 2):
                    name = f"{value}: " if isinstance(value, str) else ""
                    found[a, b].append(f"{name}{where[a]} = {where[b]}")
            for (a, b), examples in found.items():
                yield Finding(f"{kind} in two splits", f"{a} + {b}", len(examples), tuple(examples[:5]))
