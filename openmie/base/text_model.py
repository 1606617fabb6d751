"""The text part of openmie-base: texts and labels in, entities, relations and coreference chains out.

A tower (e5) whose upper layers carry merged low-rank adapters, and heads in which words and labels meet. Labels are
encoded by the tower as it was before, so that the vectors of built-in labels and of new ones are of one kind.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from openmie.base.name_chains import chains_of
from openmie.base.reference import enumerations
from openmie.base.settings import TextSettings
from openmie.base.tower import BATCH_TOKENS, TextTower
from openmie.base.windows import TokenBatch
from openmie.data.document import Word
from openmie.nn.decode.labelled import LabelledSpans, span_logits
from openmie.nn.decode.labelled_pairs import LabelledPairs

WEIGHTS = Path(__file__).parent / "weights"
BLOCK = 256  # words whose spans are scored at once
LEAST_GENERAL = 1e-3  # added to a label's mean probability
REACH = 48  # words between two spans of a pair at most


class Entity(NamedTuple):
    """A span with a label: half-open code points of the text, and the calibrated probability of being right."""

    start: int
    end: int
    label: str
    score: float


class Pair(NamedTuple):
    """A relation between two entities of a text, by their numbers."""

    head: int
    tail: int
    label: str
    score: float


class TextModel(nn.Module):
    """Entities, relations and chains, of labels given at call time.

    Args:
        tower: the text encoder.
        settings: sizes, temperatures and thresholds.
    """

    def __init__(self, tower: TextTower, settings: TextSettings) -> None:
        super().__init__()
        self.tower, self.settings = tower, settings
        width = 2 * tower.width
        self.upper = nn.ModuleList(copy.deepcopy(layer) for layer in tower.model.layers[settings.frozen :])
        self.spans = LabelledSpans(width=width, label_width=tower.width, guidelines=len(settings.guidelines)).build()
        self.pairs = LabelledPairs(width=width, label_width=tower.width).build()
        self._last: tuple[tuple[str, ...], list[tuple[Tensor, Sequence[Word]]]] | None = None
        self._reference: list[tuple[Tensor, list[tuple[int, int]]]] | None = None
        self._general: dict[tuple[str, str], Tensor] = {}
        self.eval()

    @classmethod
    def load(cls, folder: str | Path | None = None, tower: str = "") -> Self:
        """A trained model.

        Args:
            folder: with `text.json` and `text.safetensors`; None: the weights that are installed with openmie.
            tower: as `TextTower.load` takes it; "": the one that the weights were trained on.

        Raises:
            ModelError: no such files, or they do not fit.
            MissingPackageError: the tower's package is not installed.
        """
        from openmie.base import known_labels
        from openmie.base.text_files import load_into

        folder = WEIGHTS if folder is None else Path(folder)
        settings = TextSettings.read(folder)
        model = cls(TextTower.load(tower or settings.tower, settings.mark_cjk), settings)
        load_into(model, folder)
        if tower in ("", settings.tower):
            known_labels.load_into(model, folder)
        return model

    def states(self, batch: TokenBatch) -> Tensor:
        """States of a batch's words, (K, 2 D): of the adapted upper layers beside the frozen lower ones."""
        lower = self.tower.model.run_layers(self.tower.model.embed(batch.ids), batch.mask, 0, self.settings.frozen)
        return self.upper_states(lower, batch)

    def upper_states(self, lower: Tensor, batch: TokenBatch) -> Tensor:
        """The same from the states of the lower layers, (M, T, D)."""
        seen = batch.mask[:, None, None, :]
        states = lower
        for layer in self.upper:
            states = layer(states, seen)
        return torch.cat([batch.pool(states), batch.pool(lower)], -1)

    @torch.inference_mode()
    def encode(self, words: Sequence[Sequence[str]], batch_tokens: int = BATCH_TOKENS) -> list[Tensor]:
        """States of the words of each text, [(words, 2 D)]; texts of any length."""
        rows = self.tower.read(words)
        states = torch.zeros(len(rows.row), 2 * self.tower.width)
        for numbers in rows.batches(batch_tokens):
            batch = rows.batch(numbers, self.tower.special["pad"])
            if len(batch.words):
                states[batch.words] = self.states(batch)
        return list(states.split((rows.texts[1:] - rows.texts[:-1]).tolist()))

    @torch.inference_mode()
    def generality(self, labels: Mapping[str, str]) -> Tensor:
        """How general each label is, (L,): the log of its mean probability over names of many kinds.

        Args:
            labels: name -> description.
        """
        keys = list(labels.items())
        if new := dict(key for key in keys if key not in self._general):
            vectors = self.tower.encode_labels(new)
            total, number = torch.zeros(len(new)), 0
            for states, places in self.reference():
                start, end = torch.tensor(places).T
                logits = span_logits(self.spans(states[None], vectors), self.settings.widest)[0]
                total += logits[start, end - start - 1].sigmoid().sum(0)
                number += len(start)
            self._general |= zip(new.items(), (total / number + LEAST_GENERAL).log())
        return torch.stack([self._general[key] for key in keys])

    @torch.inference_mode()
    def reference(self) -> list[tuple[Tensor, list[tuple[int, int]]]]:
        """States of the reference names, and their places in them; computed once."""
        if self._reference is None:
            words, spans = zip(*enumerations())
            self._reference = list(zip(self.encode(words), spans))
        return self._reference

    def remember(
        self, labels: Mapping[str, str], vectors: Tensor, general: Tensor, reference: Tensor | None = None
    ) -> None:
        """Take what was computed before with these weights.

        Args:
            labels: L of them.
            vectors: of the labels, (L, D).
            general: their `generality`, (L,).
            reference: states of the words of all reference names, (K, 2 D); None: not known.
        """
        self.tower.remember_labels(labels, vectors)
        self._general |= zip(labels.items(), general)
        if reference is not None:
            words, spans = zip(*enumerations())
            self._reference = list(zip(reference.split([len(text) for text in words]), spans))

    def forget(self) -> None:
        """Forget what was computed with other weights; to be called after training."""
        self._last, self._reference, self._general = None, None, {}

    def _read(self, texts: Sequence[str]) -> list[tuple[Tensor, Sequence[Word]]]:
        """States and places of the words of each text; those of the last texts are remembered, for their relations."""
        if self._last is None or self._last[0] != tuple(texts):
            places = [self.tower.split(text) for text in texts]
            words = [[text[a:b] for a, b in found] for text, found in zip(texts, places)]
            self._last = (tuple(texts), list(zip(self.encode(words), places)))
        return self._last[1]

    @torch.inference_mode()
    def entities(
        self,
        texts: Sequence[str],
        labels: Mapping[str, str],
        thresholds: float | Mapping[str, float] | None = None,
    ) -> list[list[Entity]]:
        """The entities of each text: flat, in text order.

        Args:
            texts: of any length.
            labels: name -> description, "" for none.
            thresholds: least probability, of all labels or by label; None, and labels left out: the calibrated ones.

        Returns:
            For each text its entities, without overlap; see `best_spans`.
        """
        if not labels:
            return [[] for _ in texts]
        names = list(labels)
        vectors = self.tower.encode_labels(labels)
        scale, least = self._calibration(names, thresholds)
        general = self.generality(labels) if len(names) > 1 else torch.zeros(1)
        vectors = self.spans.label_vectors(vectors)
        found: list[list[Entity]] = []
        for states, where in self._read(texts):
            best = self.best_spans(states, vectors, general, scale, least)
            found.append([Entity(where[a].start, where[b - 1].end, names[l], _sigmoid(z)) for a, b, l, z in best])
        return found

    def _calibration(
        self, names: Sequence[str], thresholds: float | Mapping[str, float] | None
    ) -> tuple[Tensor, Tensor]:
        """1 / temperature (L,), and the least calibrated logit (L,)."""
        own = self.settings
        given = thresholds if isinstance(thresholds, Mapping) else dict.fromkeys(names, thresholds)
        least = torch.tensor([_or(given.get(n), own.thresholds.get(n, own.threshold)) for n in names]).double()
        scale = torch.tensor([1.0 / own.temperatures.get(n, own.temperature) for n in names])
        return scale, torch.logit(least.clamp(0, 1)).float()

    def span_candidates(self, states: Tensor, vectors: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Blocks of a text's spans: number of the first word, and logits (words, W, L).

        Args:
            states: of its words, (T, 2 D).
            vectors: of labels in the head's common space, (L, 3, K): `spans.label_vectors`.
        """
        widest = self.settings.widest
        for begin in range(0, len(states), BLOCK):
            part = states[begin : begin + BLOCK + widest - 1]
            logits = span_logits(self.spans.score(part[None], vectors), widest)[0]
            yield begin, logits[:BLOCK]

    def best_spans(
        self, states: Tensor, vectors: Tensor, general: Tensor, scale: Tensor, least: Tensor
    ) -> list[tuple[int, int, int, float]]:
        """Flat spans of a text.

        Args:
            states: of its words, (T, 2 D).
            vectors: of labels, as for `span_candidates`.
            general: `generality` of the labels, (L,): of overlapping spans the one is taken whose logit is highest
                above it (times its weight), so that "scientist" goes before "person".
            scale: 1 / temperature, (L,).
            least: scaled logit of each label, (L,).

        Returns:
            Start, end, label and scaled logit of spans that reach the least, in text order.
        """
        found = []
        offsets = (general * self.settings.generality_weight).tolist()
        for begin, logits in self.span_candidates(states, vectors):
            logits = logits * scale
            for (a, w, l), z in zip(*_above(logits, least)):
                found.append((offsets[l] - z, begin + a, begin + a + w + 1, l, z))
        taken = []
        used = bytearray(len(states))
        for _, a, b, l, z in sorted(found):
            if not any(used[a:b]):
                used[a:b] = b"\1" * (b - a)
                taken.append((a, b, l, z))
        return sorted(taken)

    @torch.inference_mode()
    def relations(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[Entity]],
        relations: Mapping[str, str],
        threshold: float | None = None,
    ) -> list[list[Pair]]:
        """The relations between the entities of each text.

        Args:
            texts: of any length.
            entities: of each text; pairs of more than 48 words apart are not asked.
            relations: name -> description, "" for none.
            threshold: least probability; None: the calibrated one.

        Returns:
            For each text its relations, the likeliest first; several may hold for a pair.
        """
        if not relations or not any(len(found) > 1 for found in entities):
            return [[] for _ in texts]
        names, vectors = list(relations), self.pairs.labels(self.tower.encode_labels(relations))
        least = _or(threshold, self.settings.relation_threshold)
        result: list[list[Pair]] = []
        for (states, where), own in zip(self._read(texts), entities):
            spans = word_spans(where, own)
            pairs = [(0, *spans[i], *spans[j], i, j) for i, j in near_pairs(spans)]
            kept = []
            for at in range(0, len(pairs), 4096):
                rows = torch.tensor(pairs[at : at + 4096])
                logits = self.pairs.score(states[None], rows[:, :5], vectors) / self.settings.relation_temperature
                chances = logits.sigmoid()
                places = (chances >= least).nonzero()
                for (n, r), chance in zip(places.tolist(), chances[tuple(places.T)].tolist()):
                    kept.append(Pair(pairs[at + n][5], pairs[at + n][6], names[r], chance))
            result.append(sorted(kept, key=lambda p: (-p.score, p)))
        return result

    def chains(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[list[int]]]:
        """Coreference chains of each text: numbers of the entities that name the same thing, two at least."""
        return [chains_of(text, found) for text, found in zip(texts, entities)]


def near_pairs(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ordered pairs of spans (half-open words) at most `REACH` words apart, by their numbers, in ascending order."""
    order = sorted(range(len(spans)), key=lambda i: spans[i])
    found = []
    for at, i in enumerate(order):
        for j in order[at + 1 :]:
            if spans[j][0] - spans[i][1] > REACH:
                break
            found += [(i, j), (j, i)]
    return sorted(found)


def word_spans(places: Sequence[tuple[int, int]], entities: Sequence[Entity]) -> list[tuple[int, int]]:
    """Entities as half-open numbers of words: those that they touch, one at least."""
    if not places:
        return []
    starts, ends = zip(*places)
    first = [min(bisect_right(ends, e.start), len(places) - 1) for e in entities]
    return [(at, max(bisect_left(starts, e.end), at + 1)) for at, e in zip(first, entities)]


def _above(logits: Tensor, least: Tensor) -> tuple[list[tuple[int, int, int]], list[float]]:
    """Places (word, width, label) of logits that reach the least, and these logits."""
    places = (logits >= least).nonzero()
    values = logits[tuple(places.T)]
    return [tuple(p) for p in places.tolist()], values.tolist()  # type: ignore[misc]


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
