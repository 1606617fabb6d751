"""Slow references: each definition written out as loops, to hold the fast code to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

# --- metrics and BIO -------------------------------------------------------------------------------------------------


def bio_chunks(tags: Sequence[str]) -> list[tuple[str, int, int, bool]]:
    """(label, first word, word after the last, orphan), by conlleval's rules for where a chunk starts and ends."""
    out: list[tuple[str, int, int, bool]] = []
    begun, before_kind, before_label = 0, "O", ""
    for at, tag in enumerate([*tags, "O"]):
        kind, _, label = tag.partition("-")
        ends = before_kind != "O" and (kind in "OB" or label != before_label)
        starts = kind == "B" or (kind == "I" and (before_kind == "O" or label != before_label))
        if ends:
            out.append((before_label, begun, at, tags[begun][0] == "I"))
        if starts:
            begun = at
        before_kind, before_label = kind, label
    return out


def f1(correct: int, predicted: int, gold: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean in percent."""
    p = correct / predicted if predicted else 0.0
    r = correct / gold if gold else 0.0
    return 100 * p, 100 * r, 100 * (2 * p * r / (p + r) if p + r else 0.0)


def tag_scores(gold: Sequence, predicted: Sequence, lenient: bool) -> tuple[int, int, int]:
    """Counts (correct, predicted, gold) of chunks, each compared with each."""
    correct = n_predicted = n_gold = 0
    for want, got in zip(gold, predicted):
        wanted = [c for c in bio_chunks(want) if lenient or not c[3]]
        given = [c for c in bio_chunks(got) if lenient or not c[3]]
        n_gold, n_predicted = n_gold + len(wanted), n_predicted + len(given)
        for a in wanted:
            for b in given:
                correct += a[:3] == b[:3]
    return correct, n_predicted, n_gold


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two xyxy boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def largest_matching(hits: Sequence[Sequence[bool]]) -> int:
    """Most pairs that can be drawn from an n x m table, each row and column once: every assignment tried."""
    n, m = len(hits), len(hits[0]) if hits else 0
    if n > m:
        return largest_matching([[hits[i][j] for i in range(n)] for j in range(m)])
    return max((sum(hits[i][j] for i, j in enumerate(p)) for p in permutations(range(m), n)), default=0)


def place(document, id: str, typed: bool):
    """Where the mention or chain of this id is, and its label."""
    for m in document.mentions:
        if m.id == id:
            return frozenset([(m.start, m.end)]), m.label if typed else ""
    for c in document.chains:
        if c.id == id:
            return frozenset(s for x in c.mentions for s in place(document, x, False)[0]), c.label if typed else ""
    raise KeyError(id)


def links(document, typed: bool, symmetric: Sequence[str]) -> list:
    """The relations of a document that are not None; a symmetric one as an unordered pair."""
    out = []
    for r in document.relations:
        head, tail = place(document, r.head, typed), place(document, r.tail, typed)
        if r.label not in ("", "None"):
            link = (frozenset([head, tail]) if r.label in symmetric else (head, tail), r.label)
            if link not in out:
                out.append(link)
    return out


def link_scores(gold: Sequence, predicted: Sequence, typed: bool, symmetric: Sequence[str]) -> tuple[int, int, int]:
    """Counts (correct, predicted, gold) of relations, each compared with each."""
    correct = n_predicted = n_gold = 0
    for document in gold:
        wanted = links(document, typed, symmetric)
        given = [x for p in predicted if p.id == document.id for x in links(p, typed, symmetric)]
        n_gold, n_predicted = n_gold + len(wanted), n_predicted + len(given)
        for a in wanted:
            for b in given:
                correct += a == b
    return correct, n_predicted, n_gold


def grounded_scores(gold: Sequence, predicted: Sequence, iou: float) -> tuple[int, int, int]:
    """Counts of entity-type-region triples; every mention is another span."""
    correct = n_predicted = n_gold = 0
    for document in gold:
        n_gold += len(document.mentions)
        for prediction in predicted:
            if prediction.id != document.id:
                continue
            n_predicted += len(prediction.mentions)
            for a in document.mentions:
                for b in prediction.mentions:
                    if (a.start, a.end, a.label) != (b.start, b.end, b.label):
                        continue
                    wanted = [r for r in document.regions if r.of == a.id]
                    given = [r for r in prediction.regions if r.of == b.id]
                    hits = [any(r.image == w.image and box_iou(r.box, w.box) > iou for w in wanted) for r in given]
                    correct += all(hits) if wanted and given else not wanted and not given
    return correct, n_predicted, n_gold
