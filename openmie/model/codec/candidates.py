"""Chains of mentions and relations between chains as integers, and back.

Shapes of one document: S candidates (mentions, in text order), C chains, R relation labels. Every candidate is in one
chain: a mention that the document puts into none is a chain of its own, since relations hold between chains. Chains are
counted in the order in which their first mention stands in the text. A relation's end may be a chain or a mention,
which stands for its chain. Several labels may hold for one pair.

What integers cannot hold is listed as `lost`, each with the reason: mentions that are not in the text or touch no word,
chains without any located mention, labels that are not asked for, ends that are neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.model.codec.subwords import word_spans

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class Lost(NamedTuple):
    """A piece of gold that integers do not hold, and why."""

    what: str
    why: str


class Candidates(NamedTuple):
    """The located mentions of one document and the chains that they are in."""

    spans: Ints  # (S, 2) first and last word, last included
    labels: Ints  # (S,) into the mention labels
    chain_of: Ints  # (S,) 0 .. C - 1
    mentions: tuple[str, ...]  # their ids, (S,)
    chains: tuple[Chain, ...]  # (C,), those of one mention that the document does not list included
    lost: tuple[Lost, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """Chain id, or the id of a mention in it -> number of the chain."""
        found = {m: int(c) for m, c in zip(self.mentions, self.chain_of)}
        return found | {c.id: i for i, c in enumerate(self.chains)}


def encode(document: Document, labels: Sequence[str]) -> Candidates:
    """The mentions of a document as candidates; without mention labels all count as label 0."""
    known = {label: i for i, label in enumerate(labels)}
    by_id = {m.id: m for m in document.mentions}
    places = {i: s for i, s in word_spans(document).items() if not labels or by_id[i].label in known}
    lost = [Lost(f"mention {m.id}", _why(m, labels, known)) for m in document.mentions if m.id not in places]
    chains = with_singletons(document.mentions, document.chains)
    owner: dict[str, int] = {}
    for i, chain in enumerate(chains):
        for m in chain.mentions:
            owner.setdefault(m, i)
    used = list(dict.fromkeys(owner[m] for m in places))
    gone = [c.id for i, c in enumerate(document.chains) if i not in used]
    lost += [Lost(f"chain {id}", "no mention of it is located") for id in gone]
    rank = {old: new for new, old in enumerate(used)}
    return Candidates(
        np.array([*places.values()], dtype=np.int64).reshape(-1, 2),
        np.array([known.get(by_id[m].label, 0) for m in places], dtype=np.int64),
        np.array([rank[owner[m]] for m in places], dtype=np.int64),
        tuple(places),
        tuple(chains[i] for i in used),
        tuple(lost),
    )


def _why(mention: Mention, labels: Sequence[str], known: Collection[str]) -> str:
    if labels and mention.label not in known:
        return f"label {mention.label!r} is not one of {tuple(labels)}"
    return "it is not located, or touches no word"


def with_singletons(mentions: Sequence[Mention], chains: Sequence[Chain]) -> list[Chain]:
    """The chains, and one for each mention that is in none; its id is new."""
    inside = {m for c in chains for m in c.mentions}
    taken = {m.id for m in mentions} | {c.id for c in chains}
    found = list(chains)
    for m in mentions:
        if m.id not in inside:
            id = f"{m.id}.chain"
            while id in taken:
                id += "'"
            taken.add(id)
            found.append(Chain(id=id, label=m.label, mentions=(m.id,), score=m.score))
    return found


def encode_links(
    document: Document, candidates: Candidates, labels: Sequence[str], symmetric: Collection[str] = ()
) -> tuple[Bools, tuple[Lost, ...]]:
    """links (C, C, R), head to tail, and what they lose; a symmetric label holds both ways.

    "None" says that nothing holds, which is no link.
    """
    index, known = candidates.numbers, {label: i for i, label in enumerate(labels)}
    links = np.zeros((len(candidates.chains), len(candidates.chains), len(labels)), dtype=bool)
    lost = []
    for r in document.relations:
        what = f"relation {r.head} {r.tail}"
        if r.label == "None":
            continue
        if r.label not in known:
            lost.append(Lost(what, f"label {r.label!r} is not one of the recipe's"))
        elif r.head not in index or r.tail not in index:
            lost.append(Lost(what, "an end that is neither a located mention nor a chain of one"))
        elif index[r.head] == index[r.tail]:
            lost.append(Lost(what, "both ends are one chain"))
        else:
            ends = index[r.head], index[r.tail]
            links[*ends, known[r.label]] = True
            if r.label in symmetric:
                links[*ends[::-1], known[r.label]] = True
    return links, tuple(lost)


def decode_chains(
    mentions: Sequence[Mention], chain_of: Sequence[int], scores: Sequence[float]
) -> tuple[tuple[Chain, ...], dict[int, str]]:
    """Chains from the number of each mention's chain, -1 for a mention in none, which is a chain of its own.

    A chain's label is what most of its mentions are, the first of these where it is a tie; its score is the mean.
    Also: number -> chain id.
    """
    members: dict[int, list[int]] = {}
    lone = max([*chain_of, -1]) + 1
    for i, c in enumerate(chain_of):
        members.setdefault(int(c) if c >= 0 else lone + i, []).append(i)
    taken, chains, ids = {m.id for m in mentions}, [], {}
    for n, (number, inside) in enumerate(members.items()):
        id = f"c{n}"
        while id in taken:
            id += "'"
        label = Counter(mentions[i].label for i in inside).most_common(1)[0][0]
        score = sum(scores[i] for i in inside) / len(inside)
        ids[number] = id
        chains.append(Chain(id=id, label=label, mentions=tuple(mentions[i].id for i in inside), score=score))
    return tuple(chains), ids


def decode_links(
    links: Bools, scores: Floats, ids: Mapping[int, str], labels: Sequence[str], symmetric: Collection[str] = ()
) -> tuple[Relation, ...]:
    """Relations from links (C, C, R) and their scores; `ids` names the chains by number.

    A symmetric label is said once for a pair, in the direction that scores higher, the chain named first leading a tie.
    """
    found: dict[tuple[str, int, int], Relation] = {}
    for head, tail, r in np.argwhere(links).tolist():
        if head not in ids or tail not in ids or labels[r] == "None":
            continue
        one = Relation(head=ids[head], tail=ids[tail], label=labels[r], score=float(scores[head, tail, r]))
        ends = (min(head, tail), max(head, tail)) if one.label in symmetric else (head, tail)
        if (one.label, *ends) not in found or (one.score or 0.0) > (found[one.label, *ends].score or 0.0):
            found[one.label, *ends] = one
    return tuple(found.values())
