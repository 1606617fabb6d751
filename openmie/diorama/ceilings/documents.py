"""The maximum expected micro F1 on Diorama's documents, by enumeration of their distributions.

A sentence and its frame are independent of other sentences, so expected counts are sums over sentences, and the
posterior of what a sentence leaves open depends on that sentence and its frame alone. Nothing is sampled. Tasks:

* `ner`: type of each mention. The text determines all types but those of ambiguous names, which count as often as they
  are mentioned: in their sentence, in its clause about left and right, in the closing sentence.
* `chains`: mean of MUC, B3 and CEAF over spans, singletons included: determined by the text alone, so 100.
* `relations`: label and, unless the relation is symmetric, direction between chains, over all relations of a document;
  `frame_relations`: over those of ambiguous pairs (`observable_from`), whose relation is observable from a frame only.
* `regions`: box and label of each figure that belongs to a chain, also in documents without text, whose regions
  remain; `links`: box, label and chain, in documents with both modalities.

The input `types`, beside the text: the types of all chains are given, as for relation extraction between gold chains;
two types rule out most relations (a person and an organisation can only be related as member).

Assumptions: mention spans are given; figures, boxes and signs are read without error; each sentence's frame is known
(by its time, and by the colour of its flag where the text gives it). Without "text" as input no text annotation can be
predicted, without "image" no box.
`argmax` is not an upper bound where "nothing" is a possible prediction (relations, regions, links): only `optimal` is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from functools import lru_cache

import numpy as np

from openmie.diorama.ceilings.decision_rules import TIE, ItemWeights
from openmie.diorama.config import Config
from openmie.diorama.documents import distributions, transcripts
from openmie.diorama.documents.distributions import CLEAR, SentenceContent
from openmie.diorama.posts.distributions import Scene

TASKS = ("ner", "chains", "relations", "frame_relations", "regions", "links")
MODALITIES = ("text", "image", "types")
Tables = dict[Hashable, dict[Hashable, float]]  # observation of an item -> label (None: nothing) -> weight
Counts = dict[tuple[int, int, int], float]  # (entities that can be recalled, names of `one`, of `two`) -> probability


def weights(config: Config, task: str, modalities: frozenset[str]) -> ItemWeights:
    """Expected weights per document: of the items of a task, and of what the text determines for certain."""
    modality_shares = dict(distributions.modality_distribution(config))
    text = modality_shares.get("both", 0.0) + modality_shares.get("text", 0.0)
    certain = {"ner": certain_mentions, "chains": lambda _: 1.0, "relations": certain_relations}.get(
        task, lambda _: 0.0
    )(config)
    tables: Tables = defaultdict(lambda: defaultdict(float))
    if task != "chains":
        for content, p in distributions.sentence_contents(config):
            for present, share in modality_shares.items():
                for related, scene, q in _scenes(config, content, present):
                    _add(
                        tables,
                        config,
                        task,
                        modalities,
                        (content, present, related, scene),
                        p * q * share * expected_frames(config),
                    )
    answerable = "text" in modalities if task not in ("regions", "links") else "image" in modalities
    if task == "links":
        answerable = {"text", "image"} <= modalities
    return _weights(tables, certain * text, answerable)


def _scenes(config: Config, content: SentenceContent, present: str) -> Iterator[tuple[bool, Scene | None, float]]:
    return iter([(False, None, 1.0)]) if present == "text" else distributions.shows(config, content)


def _add(
    tables: Tables,
    config: Config,
    task: str,
    modalities: frozenset[str],
    outcome: tuple[SentenceContent, str, bool, Scene | None],
    p: float,
) -> None:
    """Add each item of a sentence and its frame to the table of its observation."""
    content, present, related, scene = outcome
    key = (
        (_text_key(content), content.types if "types" in modalities else ())
        if "text" in modalities and present != "frames"
        else None
    )
    view = (key, scene if "image" in modalities else None)
    for i, label, n in _items(config, task, content, present, related, scene):
        tables[i, view][label] += p * n


def _text_key(content: SentenceContent) -> Hashable:
    """What the text says about its frame."""
    if content.kind in ("one", "life"):
        return content.kind
    return content.kind, content.left if content.cue else -1, content.head if content.kind in CLEAR else -1


def _items(
    config: Config, task: str, content: SentenceContent, present: str, related: bool, scene: Scene | None
) -> Iterator[tuple[int, Hashable, float]]:
    """Index of each item of the sentence, its gold label (None: nothing), and how often it counts."""
    if task in ("regions", "links"):
        for i, figure in enumerate(scene.figures if scene and (task == "regions" or present == "both") else ()):
            which = i if content.left == 0 else len(content.types) - 1 - i
            yield i, (figure.type, which if task == "links" else 0) if related else None, 1.0
    elif present != "frames" and task == "ner" and content.kind in ("one", "two"):
        for i, type_ in enumerate(content.types):
            yield i, type_, 1 + content.cue / 2 + expected_recalls(config)[content.kind]
    elif present != "frames" and task != "ner" and content.kind == "two":
        yield (
            0,
            (content.label, 0 if content.label in distributions.SYMMETRIC else content.head) if content.label else None,
            1.0,
        )


def _weights(tables: Tables, certain: float, answerable: bool) -> ItemWeights:
    """Tables as arrays; what is certain is one item with one label."""
    rows = [(row, [w for label, w in row.items() if label is not None and answerable]) for row in tables.values()]
    if certain > TIE:
        rows.append(({"certain": certain}, [certain] if answerable else []))
    best = [max(predictable, default=0.0) for _, predictable in rows]
    none = [row.get(None, 0.0) for row, _ in rows]
    total = [sum(row.values()) for row, _ in rows]
    candidates = [w for _, predictable in rows for w in predictable]
    candidate_total = [of for of, (_, predictable) in zip(total, rows) for _ in predictable]
    return ItemWeights(*(np.array(x, dtype=float) for x in (best, none, total, candidates, candidate_total)))


@lru_cache(64)
def expected_frames(config: Config) -> float:
    """E[sentences with a frame]"""
    return sum(f * p for (_, f), p in distributions.sizes(config))


@lru_cache(64)
def expected_sentences_without_frame(config: Config) -> float:
    """E[sentences without one, but for the first and last]"""
    return sum((n - 2 - f) * p for (n, f), p in distributions.sizes(config))


def certain_relations(config: Config) -> float:
    """E[relations that the text determines]"""

    def of(kind: str) -> int:
        return len(CLEAR[kind].relations) if kind in CLEAR else 0

    return (
        2
        + expected_sentences_without_frame(config) * sum(p * of(kind) for kind, p in distributions.UNFRAMED)
        + expected_frames(config) * sum(p * of(kind) for kind, p in distributions.frame_kinds(config))
    )


def certain_mentions(config: Config) -> float:
    """E[mentions whose type the text determines]"""
    words = transcripts.LANGUAGES[config.language]
    plain = {"life": words.LIFE, "recall": words.RECALL, "one": words.ONE, "two": words.TWO, **words.CLEAR}

    def of(kind: str) -> float:
        return (
            mean_mentions(plain[kind]) - ("one", "two").index(kind) - 1
            if kind in ("one", "two")
            else mean_mentions(plain[kind])
        )

    with_frame = sum(p * of(kind) for kind, p in distributions.frame_kinds(config))
    clauses = sum(p for content, p in distributions.sentence_contents(config) if content.cue and content.kind in CLEAR)
    back, per = expected_recalls(config), expected_names(config)
    return (
        mean_mentions(words.OPEN)
        + expected_sentences_without_frame(config) * sum(p * of(kind) for kind, p in distributions.UNFRAMED)
        + expected_frames(config) * (with_frame + clauses)
        + mean_mentions(words.CLOSE)
        - sum(back[kind] * per[kind] for kind in back)
    )


def mean_mentions(templates: tuple[str, ...]) -> float:
    """Mean number of mentions of a template."""
    return sum(map(transcripts.count_mentions, templates)) / len(templates)


def expected_names(config: Config) -> dict[str, float]:
    """E[names of ambiguous sentences of each kind]"""
    share = dict(distributions.frame_kinds(config))
    return {
        "one": expected_frames(config) * share.get("one", 0.0),
        "two": 2 * expected_frames(config) * share.get("two", 0.0),
    }


@lru_cache(64)
def expected_recalls(config: Config) -> dict[str, float]:
    """Probability that the closing sentence mentions a given name of an ambiguous sentence, by kind.

    It recalls one of all entities named before, the birthplace among them, except the main person and times.
    """
    hits = {"one": 0.0, "two": 0.0}
    for (n, f), p in distributions.sizes(config):
        counts = _sum(
            _after(_steps(distributions.frame_kinds(config)), f), _after(_steps(distributions.UNFRAMED), n - 2 - f)
        )
        for (total, one, two), q in counts.items():
            hits["one"] += p * q * one / (1 + total)
            hits["two"] += p * q * two / (1 + total)
    return {kind: hits[kind] / n if n > TIE else 0.0 for kind, n in expected_names(config).items()}


def _steps(kinds: distributions.Distribution[str]) -> Counts:
    """Distribution of the counts that one sentence adds."""
    out: Counts = defaultdict(float)
    for kind, p in kinds:
        one, two = int(kind == "one"), 2 * int(kind == "two")
        clear = len([t for t in CLEAR[kind].new if t != "TIME"]) if kind in CLEAR else 0
        out[one + two + clear, one, two] += p
    return out


def _after(step: Counts, n: int) -> Counts:
    """Distribution of the counts that n such sentences add."""
    out: Counts = {(0, 0, 0): 1.0}
    for _ in range(n):
        out = _sum(out, step)
    return out


def _sum(left: Counts, right: Counts) -> Counts:
    out: Counts = defaultdict(float)
    for (a, b, c), p in left.items():
        for (x, y, z), q in right.items():
            out[a + x, b + y, c + z] += p * q
    return out
