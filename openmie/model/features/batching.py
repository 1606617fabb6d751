"""Documents to tensors and back: the only file that knows both.

Legend: M encoded rows, W pieces of a row, B examples (a document, or one given pair of a marker recipe), T words,
P pairs, K images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openmie.data import images
from openmie.data.document import Document, Image, Relation
from openmie.errors import DocumentError, ErrorRecord, ImageError
from openmie.model.backbones import TextBackbone, VisionBackbone
from openmie.model.codec.subwords import readable, windows, with_markers, word_spans
from openmie.model.features.encoded_document import Batch, EncodedDocument
from openmie.model.features.images import relevance, select_images, skipped_frames, word_timestamps
from openmie.model.features.targets import CandidateSource, Gold
from openmie.nn.ops import stack
from openmie.recipe import Recipe
from openmie.text import pos
from openmie.text.words import split_words

__all__ = ["Batch", "CandidateSource", "EncodedDocument", "Featurizer"]

PIECES, FRAMES = 1 << 15, 256  # of a batch that is only asked, padding included


class Featurizer:
    """Turns Documents into Examples once, and Examples into Batches at each step."""

    def __init__(self, recipe: Recipe, text: TextBackbone, vision: VisionBackbone | None) -> None:
        self.recipe, self.inputs, self.text, self.vision = recipe, recipe.encode.inputs, text, vision
        self.features: Mapping[str, Tensor] = {}  # cached states of frozen towers, filled by the trainer
        self.gold = Gold(recipe)
        self.tagger, self.relater = self.gold.made["tags"], self.gold.made["relations"]
        self.channels = next((c for h in recipe.heads if (c := getattr(h, "channels", None))), None)
        self.markers = bool(self.relater and getattr(self.relater, "markers", False))
        self.specials = (text.tokenizer.cls_token_id, text.tokenizer.sep_token_id)

    # -- documents to examples

    def featurize(
        self, documents: Iterable[Document], gold: bool = False, candidates: CandidateSource = "predicted"
    ) -> list[EncodedDocument]:
        """In document order. With `gold`, targets too, and documents that hold nothing to learn are left out.

        `candidates`: what of a document's mentions and chains answers may be given, see `Gold.shown`.
        """
        documents = list(documents)
        if odd := [type(d).__name__ for d in documents if not isinstance(d, Document)]:
            raise DocumentError(f"a {odd[0]}", expected="Documents", remedy='pass [Document(id="a", text="...")]')
        documents = [d if d.words else d.replace(words=split_words(d.text)) for d in documents]
        pieces, words = self._tokenize([d.word_texts() for d in documents])
        contexts, phrases = self._contexts(documents), self._phrases(documents)
        out: list[EncodedDocument] = []
        for i, (document, p, w, (context, cut), (by, less)) in enumerate(
            zip(documents, pieces, words, contexts, phrases)
        ):
            beyond = skipped_frames(document, self.inputs)
            records = (("context", cut), ("phrases", less), ("frames", beyond))
            errors = {what: record for what, record in records if record}
            base = EncodedDocument(i, document, [(p, w)], context, by, len(document.words), errors=errors)
            out += self._pairs(base, gold) if self.relater else [base]
        self.gold.put(out, candidates, gold)
        if self.channels:
            self._parts_of_speech(out)
        for example in out:
            beside = self._beside(example)
            extra = 2 + (len(beside) + 1 if len(beside) else 0)
            example.rows = windows(*example.rows[0], self.text.window - extra)
        return out

    def _parts_of_speech(self, examples: Sequence[EncodedDocument]) -> None:
        """Tags of the words, by language: the tagger that the recipe names knows one, and other texts get X."""
        for lang in {e.document.lang for e in examples}:
            chosen = [e for e in examples if e.document.lang == lang]
            found = pos.tag([e.document.word_texts() for e in chosen], lang, self.channels.tagger)
            for example, tags in zip(chosen, found):
                example.pos = np.array(pos.ids(tags), dtype=np.int64)

    def _tokenize(self, texts: Sequence[Sequence[str]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Pieces and word index of each text, specials left out; a word that tokenizes to nothing becomes unknown."""
        if not texts:
            return [], []
        whole = [[readable(w) for w in t] for t in texts]
        kept = {"add_special_tokens": False, "truncation": False, "verbose": False}
        encoded = self.text.tokenizer(whole, is_split_into_words=True, **kept)
        pieces = [np.asarray(ids, dtype=np.int64) for ids in encoded["input_ids"]]
        words = [np.asarray(encoded.word_ids(i), dtype=np.int64) for i in range(len(texts))]
        for i, text in enumerate(texts):
            lost = np.setdiff1d(np.arange(len(text)), words[i])
            if len(lost):
                at = np.searchsorted(words[i], lost)
                pieces[i] = np.insert(pieces[i], at, self.text.tokenizer.unk_token_id)
                words[i] = np.insert(words[i], at, lost)
        return pieces, words

    def _contexts(self, documents: Sequence[Document]) -> list[tuple[np.ndarray, ErrorRecord | None]]:
        """Pieces of each document's caption, and a record where it had to be cut."""
        name, most = self.inputs.context, self.inputs.context_tokens
        if not name:
            return [(np.empty(0, np.int64), None)] * len(documents)
        most = min(most, self.text.window - 2) if self.inputs.separate_context_pass else most
        texts = [next(iter(d.captions.values()), "") if name == "*" else d.caption(name) for d in documents]
        texts = [readable(t) for t in texts]
        ids = self.text.tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        remedy = "its end was not read: raise encode.context_pieces"
        return [_cut(x, most, f"document {d.id}, caption {name}", remedy) for d, x in zip(documents, ids)]

    def _phrases(self, documents: Sequence[Document]) -> list[tuple[np.ndarray, ErrorRecord | None]]:
        """Pieces of each document's phrases, tokenised as words are, and a record where they had to be cut."""
        if not self.inputs.phrases:
            return [(np.empty(0, np.int64), None)] * len(documents)
        pieces, _ = self._tokenize([[w for p in d.phrases for w in p.text.split()] for d in documents])
        most, remedy = self.text.window - 2, "the rest was not read: give fewer phrases"
        return [_cut(x, most, f"document {d.id}, phrases", remedy) for d, x in zip(documents, pieces)]

    def _pairs(self, base: EncodedDocument, gold: bool) -> list[EncodedDocument]:
        """The pairs to be judged: one example each with markers, all in one without.

        They are the relations that the document lists, whatever their labels; where it lists none, all ordered pairs
        of its mentions. A recipe that finds entities itself learns from all pairs and answers about those it finds.
        """
        if self.tagger and not gold:
            return [base]
        assert self.relater is not None
        labels, document, places = self.relater.labels, base.document, word_spans(base.document)
        asked = list(document.relations)
        if (self.tagger and "None" in labels) or not (gold or asked):
            known = {(r.head, r.tail) for r in asked}
            both = [r for r in asked if r.label in self.relater.symmetric and (r.tail, r.head) not in known]
            asked += [Relation(head=r.tail, tail=r.head, label=r.label) for r in both]
            known |= {(r.head, r.tail) for r in asked}
            asked += [
                Relation(head=a, tail=b, label="None") for a in places for b in places if a != b and (a, b) not in known
            ]
        keep: list[Relation] = []
        for r in asked:
            if r.head not in places or r.tail not in places:
                base.refuse(
                    f"relation {r.head} {r.tail}", "an end that is not a located mention", "two located mentions"
                )
            elif gold and r.label not in labels:
                base.refuse(f"relation {r.head} {r.tail}", f"label {r.label!r}", f"one of {labels}")
            else:
                keep.append(r)
        if gold and not keep and not self.tagger:
            return []
        spans = np.array([[*places[r.head], *places[r.tail]] for r in keep], dtype=np.int64).reshape(-1, 4)
        index = {label: i for i, label in enumerate(labels)}
        ids = np.array([index.get(r.label, 0) for r in keep], dtype=np.int64)
        if not self.markers or not keep:
            base.pairs, base.relations, base.asked = spans, ids, tuple(keep)
            return [base]
        return [self._marked(base, spans[i], ids[i : i + 1], keep[i]) for i in range(len(keep))]

    def _marked(self, base: EncodedDocument, span: np.ndarray, label: np.ndarray, asked: Relation) -> EncodedDocument:
        """The document as one pair of it is read: with four markers in its text."""
        pieces, words, position = with_markers(*base.rows[0], span, np.array(self.text.markers))
        return replace(
            base, rows=[(pieces, words)], words=base.words + 4, pairs=position[None], relations=label, asked=(asked,)
        )

    # -- examples to batches

    def batches(self, examples: Sequence[EncodedDocument], most: int) -> list[list[int]]:
        """Examples of like lengths, at most so many together, and fewer where padded they would hold much more text or
        many more frames than the batch of posts does that fits anywhere."""
        order = sorted(range(len(examples)), key=lambda i: examples[i].length)
        inputs, found = self.inputs, list[list[int]]()
        many = bool(inputs.max_frames and inputs.reads_images)
        images = [len(select_images(e.document, inputs)) if many else 0 for e in examples]
        widest = 0
        for i in order:
            n = len(found[-1]) + 1 if found else 1
            widest = max(widest, images[i])
            if not found or n > most or (n > 1 and (n * examples[i].length > PIECES or n * widest > FRAMES)):
                found.append([])
                widest = images[i]
            found[-1].append(i)
        return found

    def collate(self, examples: Sequence[EncodedDocument]) -> Batch:
        inputs = self._text_inputs(examples) | self._asides(examples) | self._image_inputs(examples)
        given: dict[str, Tensor] = {}
        targets: dict[str, Tensor] = {}
        if any(e.pairs is not None for e in examples):
            none = np.zeros((0, 4), np.int64), np.zeros(0, np.int64)
            pairs = [none[0] if e.pairs is None else e.pairs for e in examples]
            given["pairs"] = stack(pairs, 0)
            given["pairs_mask"] = stack([np.ones(len(p), bool) for p in pairs], False)
            targets["relations"] = stack([none[1] if e.relations is None else e.relations for e in examples], 0)
        if self.channels:
            given["pos"] = stack([e.pos for e in examples], 0, inputs["words"].shape[1])
        given |= self.gold.given(examples)
        return Batch(inputs, given, targets | self.gold.targets(examples, inputs))

    def _text_inputs(self, examples: Sequence[EncodedDocument]) -> dict[str, Tensor]:
        cls, sep = self.specials
        rows: list[tuple[np.ndarray, ...]] = []  # pieces, types, word, context slot
        for e in examples:
            for r, (pieces, words) in enumerate(e.rows):
                beside = self._beside(e)
                c = len(beside)
                tail = [*beside, sep] if c else []
                ids = np.concatenate([[cls], pieces, [sep], np.array(tail, dtype=np.int64)])
                types = np.repeat([0, 1], [len(pieces) + 2, len(tail)])
                word = np.full(len(ids), -1)
                word[1 : len(pieces) + 1] = words
                slot = np.full(len(ids), -1)
                if c and r == 0:
                    slot[len(pieces) + 2 : -1] = np.arange(c)
                rows.append((ids, types, word, slot))
        empty = self.text.tokenizer.pad_token_id
        out = {
            name: stack([row[i] for row in rows], fill)
            for i, (name, fill) in enumerate((("pieces", empty), ("types", 0), ("word", -1), ("context", -1)))
        }
        out["attention"] = stack([np.ones(len(row[0]), np.int64) for row in rows], 0)
        out["owner"] = torch.from_numpy(np.repeat(np.arange(len(examples)), [len(e.rows) for e in examples]))
        longest = max(1, max(e.words for e in examples))
        out["words"] = torch.arange(longest) < torch.tensor([e.words for e in examples])[:, None]
        if self.inputs.max_frames:
            out["word_seconds"] = stack([word_timestamps(e.document) for e in examples], torch.nan, longest)
        if all("text" in e.cached for e in examples):
            states = [self.features[key] for e in examples for key in e.cached["text"]]
            out["text_states"] = stack(states, 0.0, out["pieces"].shape[1])
        return out

    def _beside(self, example: EncodedDocument) -> np.ndarray:
        """The pieces of the context that are read in one pass with the text: none of one that stands apart."""
        return example.context[:0] if self.inputs.separate_context_pass else example.context

    def _asides(self, examples: Sequence[EncodedDocument]) -> dict[str, Tensor]:
        """What is encoded in a pass of its own: a context that stands apart, and phrases."""
        out: dict[str, Tensor] = {}
        (cls, sep), empty = self.specials, self.text.tokenizer.pad_token_id
        for role in ("context", "phrases") if self.inputs.separate_context_pass else ("phrases",):
            rows = {i: pieces for i, e in enumerate(examples) if len(pieces := getattr(e, role))}
            if rows:
                ids = [np.concatenate([[cls], pieces, [sep]]) for pieces in rows.values()]
                out[f"{role}_pieces"] = stack(ids, empty)
                out[f"{role}_attention"] = stack([np.ones(len(x), np.int64) for x in ids], 0)
                out[f"{role}_owner"] = torch.tensor(list(rows))
        return out

    def _image_inputs(self, examples: Sequence[EncodedDocument]) -> dict[str, Tensor]:
        if self.vision is None:
            return {}
        found: list[tuple[int, int, Any]] = []  # example, slot, pixels or cached states
        ready = all("vision" in e.cached for e in examples)
        for i, e in enumerate(examples):
            pictures = [(s, self.features[k]) for s, k in e.cached["vision"]] if ready else self.pictures(e)
            found += [(i, slot, picture) for slot, picture in pictures]
        if not found:
            return {}
        index = {"image": torch.tensor([f[0] for f in found]), "slot": torch.tensor([f[1] for f in found])}
        if self.inputs.max_frames:
            read = [dict(select_images(e.document, self.inputs)) for e in examples]
            times = [read[i][slot].time for i, slot, _ in found]
            index["frame_seconds"] = torch.tensor([torch.nan if t is None else t for t in times])
        what = [f[2] for f in found]
        fits = torch.tensor([relevance(e.document, self.inputs) for e in examples])  # (B, 2) or (B, 4)
        index |= {"relevance": fits} if not fits.isnan().all() else {}
        return index | ({"vision_states": torch.stack(what)} if ready else {"pixels": self.vision.process(what)})

    def pictures(self, example: EncodedDocument) -> list[tuple[int, Any]]:
        """(slot, upright RGB picture) of the images that the encoder reads; one that cannot be read leaves a record.

        Where no crop can be read, the main image is read in their place.
        """
        known: dict[str, Any] = {}  # pictures by image id: several crops may lie in one
        asked = select_images(example.document, self.inputs)
        opened = [(slot, self._open(example, image, known)) for slot, image in asked]
        found = [(slot, picture) for slot, picture in opened if picture is not None]
        main = None if self.inputs.max_frames else example.document.main_image
        if not found and main is not None and (picture := self._open(example, main, known)) is not None:
            return [(0, picture)]
        return found

    def _open(self, example: EncodedDocument, image: Image, known: dict[str, Any]) -> Any:
        if f"image {image.id}" in example.errors:
            return None
        found = images.image_or_crop(example.document, image, known)
        if isinstance(found, ImageError):
            where = f"document {example.document.id}, {found.record.where}"
            example.errors[f"image {image.id}"] = found.record.model_copy(update={"where": where})
            return None
        return found


def _cut(
    pieces: Sequence[int] | np.ndarray, most: int, where: str, remedy: str
) -> tuple[np.ndarray, ErrorRecord | None]:
    """At most so many pieces, and a record where that is not all."""
    expected, kept = f"at most {most}", np.asarray(pieces[:most], dtype=np.int64)
    if len(pieces) <= most:
        return kept, None
    return kept, ErrorRecord(where=where, found=f"{len(pieces)} pieces", expected=expected, remedy=remedy)
