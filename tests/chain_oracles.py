"""Slow references of the document-level scores: each definition as loops over sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations, product

Sets = Sequence[frozenset]


def _f1(p: float, r: float) -> float:
    return 2 * p * r / (p + r) if p + r else 0.0


def _scored(right_p: float, predicted: float, right_r: float, gold: float) -> tuple[float, float, float]:
    if not predicted and not gold:
        return 100.0, 100.0, 100.0
    p, r = (100 * right_p / predicted if predicted else 0.0), (100 * right_r / gold if gold else 0.0)
    return p, r, _f1(p, r)


def parts(one: frozenset, others: Sets) -> int:
    """Into how many pieces the other side cuts a chain; what it does not have is a piece of its own."""
    cut = [one & other for other in others if one & other]
    return len(cut) + len(one - frozenset().union(*cut))


def muc(gold: Sequence[Sets], predicted: Sequence[Sets]) -> tuple[float, float, float]:
    """Vilain et al.'s formula as printed, summed over documents."""
    right_r = sum(len(k) - parts(k, got) for want, got in zip(gold, predicted) for k in want)
    right_p = sum(len(r) - parts(r, want) for want, got in zip(gold, predicted) for r in got)
    return _scored(right_p, sum(len(r) - 1 for got in predicted for r in got), right_r,
                   sum(len(k) - 1 for want in gold for k in want))


def b3(gold: Sequence[Sets], predicted: Sequence[Sets]) -> tuple[float, float, float]:
    """A mean over mentions, each on its own."""
    def side(one: Sequence[Sets], other: Sequence[Sets]) -> tuple[float, int]:
        total, n = 0.0, 0
        for mine, theirs in zip(one, other):
            for chain in mine:
                for mention in chain:
                    n += 1
                    total += sum(len(chain & c) / len(chain) for c in theirs if mention in c)
        return total, n

    return _scored(*side(predicted, gold), *side(gold, predicted))


def ceaf(gold: Sequence[Sets], predicted: Sequence[Sets], phi) -> tuple[float, float, float]:
    """Every one-to-one pairing tried."""
    right = 0.0
    for want, got in zip(gold, predicted):
        few, many = sorted((want, got), key=len)
        right += max(sum(phi(a, b) for a, b in zip(few, p)) for p in permutations(many, len(few)))
    own = [sum(phi(c, c) for side in sides for c in side) for sides in (predicted, gold)]
    return _scored(right, own[0], right, own[1])


def phi3(a: frozenset, b: frozenset) -> float:
    return len(a & b)


def phi4(a: frozenset, b: frozenset) -> float:
    return 2 * len(a & b) / (len(a) + len(b))


def released(gold: Sequence[Sets], predicted: Sequence[Sets]) -> list[tuple[float, float, float]]:
    """Pairs, B3 over shared mentions and phi3; predicted chains of one mention are not there."""
    predicted = [[c for c in got if len(c) > 1] for got in predicted]
    links = [[{frozenset(p) for c in side for p in combinations(c, 2)} for side in sides]
             for sides in (gold, predicted)]
    common = sum(len(a & b) for a, b in zip(*links))
    p_sum = r_sum = shared = 0.0
    for want, got in zip(gold, predicted):
        for k in want:
            for r in got:
                for _ in k & r:
                    shared += 1
                    p_sum, r_sum = p_sum + len(k & r) / len(r), r_sum + len(k & r) / len(k)

    def plain(right_p: float, of_p: float, right_r: float, of_r: float) -> tuple[float, float, float]:
        p, r = (100 * right_p / of_p if of_p else 0.0), (100 * right_r / of_r if of_r else 0.0)
        return p, r, _f1(p, r)

    right = ceaf_right(gold, predicted)
    mentions = [sum(len(c) for side in sides for c in side) for sides in (predicted, gold)]
    return [plain(common, sum(map(len, links[1])), common, sum(map(len, links[0]))),
            plain(p_sum, shared, r_sum, shared), plain(right, mentions[0], right, mentions[1])]


def ceaf_right(gold: Sequence[Sets], predicted: Sequence[Sets]) -> float:
    total = 0.0
    for want, got in zip(gold, predicted):
        few, many = sorted((want, got), key=len)
        total += max(sum(phi3(a, b) for a, b in zip(few, p)) for p in permutations(many, len(few)))
    return total


Triple = tuple[frozenset, frozenset, str]


def agree(a: Triple, b: Triple, symmetric: Sequence[str]) -> bool:
    straight = a[0] & b[0] and a[1] & b[1]
    crosswise = a[2] in symmetric and a[0] & b[1] and a[1] & b[0]
    return a[2] == b[2] and bool(straight or crosswise)


def released_hits(gold: Sequence[Triple], predicted: Sequence[Triple], chains: Sets) -> tuple[int, int]:
    """Right and predicted in M3D's accounting of one document, as its release goes through it: every ordered pair of
    the predicted chains, the last label told of the two, agreement by a shared pair of mentions, gold used once."""
    def crossed(head: frozenset, tail: frozenset) -> set:
        return {pair for a in head for b in tail for pair in ((a, b), (b, a))}

    labels = {frozenset((head, tail)): label for head, tail, label in predicted}
    left = [(crossed(head, tail), label) for head, tail, label in gold]
    right = n = 0
    for head, tail in product(dict.fromkeys(chains), repeat=2):
        label = labels.get(frozenset((head, tail)))
        if label is None:
            continue
        n += 1
        at = next((i for i, (pairs, x) in enumerate(left) if x == label and pairs & crossed(head, tail)), None)
        if at is not None:
            del left[at]
            right += 1
    return right, n
