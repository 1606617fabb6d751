"""Fine-tuning of openmie-base on a corpus of the user's own: `openmie train base`.

The adapters and heads go on from the shipped weights, with the corpus's labels; a few megabytes are written. Words are
those of the documents, or of their texts; a mention that begins or ends within one follows `span_edges`, as in all
training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch
from torch import Tensor

from openmie.base import adapter, known_labels, text_files
from openmie.base.cached_states import encode_lower
from openmie.base.examples import Example, Label, Span
from openmie.base.held_out import SpanCandidates, collect, fitted
from openmie.base.relation_sources import PairExample
from openmie.base.settings import TextSettings
from openmie.base.text_model import WEIGHTS, TextModel
from openmie.base.tower import TextTower
from openmie.base.training import TrainingData, TrainingOptions, train
from openmie.data.document import Chain, Document
from openmie.data.folder_lock import hold_folder
from openmie.errors import CorpusError
from openmie.text.span_edges import SpanEdges, whole_words

CHUNK = 80  # words of a training sentence at most; longer documents are cut between mentions


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """How base is fine-tuned.

    Attributes:
        epochs: passes over the corpus.
        least_steps: batches that are trained on at least, however few the sentences.
        rate: learning rate of the adapters.
        head_rate: of the heads.
        batch_size: sentences.
        text: tower, as `TextTower.load` takes it; "": that of the weights. Another one begins with new heads.
        scratch: begin with new adapters and heads.
        span_edges: what becomes of mentions that cut words: `expand`, `shrink`, or `drop`, their words left open; see
            `openmie.text.span_edges`.
        seed: of everything that is drawn.
    """

    epochs: float = 12.0
    least_steps: int = 150
    rate: float = 3e-4
    head_rate: float = 5e-4
    batch_size: int = 16
    text: str = ""
    scratch: bool = False
    span_edges: str = "expand"
    seed: int = 0


def finetune(
    documents: Iterable[Document],
    out: Path,
    *,
    dev: Iterable[Document] = (),
    labels: Mapping[str, str] | None = None,
    relations: Mapping[str, str] | None = None,
    start: Path | None = None,
    options: FinetuneOptions | None = None,
) -> TextModel:
    """Fine-tune openmie-base.

    Args:
        documents: annotated with all mentions of their labels, and, where there are any, all relations.
        out: folder to write: settings and weights.
        dev: documents that thresholds and temperatures are chosen on; without them those of `start` stay.
        labels: descriptions of the entity types of the corpus, where there are some.
        relations: descriptions of its relations.
        start: folder of the weights to begin with; None: the shipped ones.
        options: see there.

    Returns:
        The fine-tuned model, in evaluation mode.

    Raises:
        CorpusError: no document with a mention, an unknown rule of `span_edges`; another process that writes into
            `out`.
    """
    options = options or FinetuneOptions()
    if options.span_edges not in get_args(SpanEdges):
        raise CorpusError.unknown("span_edges", options.span_edges, get_args(SpanEdges))
    documents = list(documents)
    types = _described({m.label for d in documents for m in d.mentions if m.status == "located"}, labels or {})
    kinds = _described({r.label for d in documents for r in d.relations}, relations or {})
    if not types:
        raise CorpusError(
            f"no mention in {len(documents)} documents",
            expected="documents that are annotated with mentions",
            remedy="annotate some; 30 sentences help, 100 help more",
        )
    with hold_folder(out):
        return _finetuned(documents, Path(out), dev, types, kinds, start or WEIGHTS, options)


def _finetuned(
    documents: list[Document],
    out: Path,
    dev: Iterable[Document],
    types: dict[str, str],
    kinds: dict[str, str],
    start: Path,
    options: FinetuneOptions,
) -> TextModel:
    """`finetune` in a folder that is held, with all labels described."""
    model, edges = _begin(start, options), cast(SpanEdges, options.span_edges)
    sentences = [part for document in documents for part in sentences_of(document, model.tower, edges)]
    data = training_data(model, sentences, types, kinds)
    steps = max(options.least_steps, math.ceil(options.epochs * len(data.examples) / options.batch_size))
    train(
        model,
        data,
        TrainingOptions(
            steps=steps, batch_size=options.batch_size, rate=options.rate, head_rate=options.head_rate,
            negatives=len(types), common=0, pairs_every=2, named=0.0, seed=options.seed,
        ),
    )  # fmt: skip
    settings = replace(
        model.settings,
        labels=types,
        relations=kinds,
        generality_weight=1.0,
        measured={},
        version=f"{model.settings.version}+tuned",
    )
    model.settings = _fitted_on(model, settings, dev, edges)
    text_files.save(model, out)
    known_labels.write(out)
    adapter.merge(model.upper)
    return model.requires_grad_(False)


def _fitted_on(model: TextModel, settings: TextSettings, dev: Iterable[Document], edges: SpanEdges) -> TextSettings:
    """Settings with thresholds and temperatures of the dev documents, where there are some."""
    held = [part for document in dev for part in sentences_of(document, model.tower, edges)]
    if not held:
        return settings
    found = SpanCandidates()
    collect(model, ((s.words, set(s.spans)) for s in held), settings.labels, found)
    return fitted(settings, found)


def _begin(folder: Path, options: FinetuneOptions) -> TextModel:
    """The model to go on with, its adapters not merged."""
    settings = TextSettings.read(folder)
    other = bool(options.text) and options.text != settings.tower
    if other:
        settings = replace(settings, tower=options.text)
    torch.manual_seed(options.seed)
    model = TextModel(TextTower.load(settings.tower, settings.mark_cjk), settings)
    if other or options.scratch:
        model.settings = replace(
            settings, temperature=1.0, temperatures={}, threshold=0.5, thresholds={}, version="new"
        )
        adapter.adapt(model.upper, settings.rank)
    else:
        text_files.load_into(model, folder, merged=False)
    return model


def _described(names: set[str], given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "") for name in sorted(names)}


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """Words of a document, and spans and pairs among them."""

    words: tuple[str, ...]
    spans: tuple[tuple[int, int, str], ...]
    pairs: tuple[tuple[int, int, str], ...]
    open: tuple[tuple[int, int], ...] = ()  # words of refused mentions


def sentences_of(document: Document, tower: TextTower, edges: SpanEdges = "expand") -> list[Sentence]:
    """A document as training sentences of up to 80 words, cut where no mention is.

    Relations between sentences, and mentions that are not in the text, are left out; words of those that `edges`
    refuses are left open.
    """
    known = document.words or tuple(tower.split(document.text))
    document, _, refused = whole_words(document, edges, known)
    mentions = sorted((m for m in document.mentions if m.status == "located"), key=lambda m: (m.start, m.end))
    places = [(w.start, w.end) for w in known]
    starts, ends = np.array([p[0] for p in places], int), np.array([p[1] for p in places], int)
    spans: list[tuple[int, int, str]] = []
    ids: dict[str, int] = {}
    gone: list[tuple[int, int]] = []
    for m in mentions:
        first, last = int(np.searchsorted(ends, m.start, "right")), int(np.searchsorted(starts, m.end))
        if m.id in refused:
            gone.append((first, last))
        elif first < last:
            ids[m.id] = len(spans)
            spans.append((first, last, m.label))
    links = _links(document, ids)
    found, begin = [], 0
    while begin < len(places):
        end = min(begin + CHUNK, len(places))
        crossing = [a for a, b, _ in spans if begin < a < end < b]
        end = min([end, *crossing])
        inside = {i: k for k, i in enumerate(i for i, (a, b, _) in enumerate(spans) if begin <= a and b <= end)}
        found.append(
            Sentence(
                words=tuple(document.text[a:b] for a, b in places[begin:end]),
                spans=tuple((spans[i][0] - begin, spans[i][1] - begin, spans[i][2]) for i in inside),
                pairs=tuple((inside[h], inside[t], label) for h, t, label in links if h in inside and t in inside),
                open=tuple((max(a - begin, 0), min(b, end) - begin) for a, b in gone if a < end and begin < b),
            )
        )
        begin = end
    return found


def _links(document: Document, ids: Mapping[str, int]) -> list[tuple[int, int, str]]:
    """Relations between mentions, by the numbers of their spans; those of chains hold between all of their mentions."""

    def members(ref: str) -> list[int]:
        found = document.find(ref)
        return [ids[m] for m in (found.mentions if isinstance(found, Chain) else [ref]) if m in ids]

    return [(h, t, r.label) for r in document.relations for h in members(r.head) for t in members(r.tail)]


def training_data(
    model: TextModel, sentences: Sequence[Sentence], types: Mapping[str, str], kinds: Mapping[str, str]
) -> TrainingData:
    """What a model is fine-tuned on."""
    asked = frozenset(types)
    examples = [
        Example(
            words=s.words, annotated=asked, open=s.open,
            spans=tuple(Span(start=a, end=b, labels=frozenset([label])) for a, b, label in s.spans),
        )
        for s in sentences
    ]  # fmt: skip
    pairs = [_pair_example(s) for s in sentences if kinds and len(s.spans) > 1]
    texts = {name: f"{name}: {text}" if text else name for name, text in {**types, **kinds}.items()}
    vectors: dict[str, Tensor] = dict(zip(texts.values(), model.tower.encode_labels({**types, **kinds}).clone()))
    return TrainingData(
        examples=examples,
        states=encode_lower(model, [e.words for e in examples]),
        labels={name: Label(key=name, texts=(texts[name],)) for name in types},
        pairs=pairs,
        pair_states=encode_lower(model, [p.words for p in pairs]),
        relations={name: (texts[name],) for name in kinds},
        vectors=vectors,
    )


def _pair_example(sentence: Sentence) -> PairExample:
    """All ordered pairs of a sentence's spans, with their relations."""
    held: dict[tuple[int, int], set[str]] = {}
    for head, tail, label in sentence.pairs:
        held.setdefault((head, tail), set()).add(label)
    order = range(len(sentence.spans))
    return PairExample(
        words=sentence.words, spans=tuple((a, b) for a, b, _ in sentence.spans), corpus="own",
        pairs=tuple((i, j, frozenset(held.get((i, j), ()))) for i in order for j in order if i != j),
    )  # fmt: skip
