"""Two towers side by side: words and their context in one joint pass, images and objects in another.

Input legend: M encoded rows (a document longer than the window has several), W pieces of a row, K images of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from openmie.nn.encode.frozen_backbones import FrozenBackboneMixin
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.limits import Count, CountOrZero, Dropout, Fraction, Problem
from openmie.nn.ops import pool_words
from openmie.nn.streams import Stream, Streams, empty


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text backbone: words to states (T, D), by any encoder config.

    Args:
        name: built-in `tiny`, `characters`, `minilm` or `e5`, a Hugging Face Hub id, or a local folder.
        revision: commit, branch or tag of a Hub id; empty: its main branch.
        pool: state of a word: that of its first token, or the mean or elementwise maximum over its tokens.
        freeze: run the backbone without gradient and cache its states.
        attention_dropout: dropout probability of the attention weights; None: the backbone's own. At 0 the weights are
            never held in memory.
        vocabulary: characters that `characters` knows; empty: collected from the training documents. Recipes
            that differ here alone are equal.
    """

    name: str = "tiny"
    revision: str = ""
    pool: Literal["first", "mean", "max"] = "first"
    freeze: bool = False
    attention_dropout: Dropout | None = None
    vocabulary: str = field(default="", compare=False)


def no_max_pooling(text: Text) -> Iterator[Problem]:
    """A problem where an encoder that cannot is asked for the largest values of a word's states."""
    if text.pool == "max":
        yield Problem(
            where="text.pool",
            found="pool='max'",
            expected="`first` or `mean`",
            remedy="change it; the encoder that takes the largest value is Hierarchical",
        )


@dataclass(frozen=True, kw_only=True)
class Vision:
    """A vision backbone: pixels to patch states (N, D'), by any encoder config.

    Args:
        name: built-in `tiny`, `lite0`, or `tiny-clip` (of the text encoder's width and depth), a Hub id, or a folder.
        revision: commit, branch or tag of a Hub id; empty: its main branch.
        freeze: run the backbone without gradient and cache its states.
    """

    name: str = "tiny"
    revision: str = ""
    freeze: bool = False


@dataclass(frozen=True, kw_only=True)
class Dual:
    """Text and images are encoded separately; only the fusion lets them interact.

    Writes the streams `text` (B, T, D), `vision` (B, N, D'), `context`, `objects`, `generated`, `generated_objects` and
    `phrases`, those that its fields ask for. Eq. 1 and 2 of Shap-CA and of TMR are of this kind.

    Args:
        text: text backbone.
        vision: vision backbone; None: text only.
        context: captioning model whose caption is read as the stream `context`; `*`: the one that
            stands first in most training documents; empty: none.
        context_tokens: maximum number of context tokens; a longer caption is truncated, and the document's record says
            so.
        separate_context_pass: encode the context by itself; else in one sequence with the text.
        drop_context: probability that a training step hides a document's context.
        objects: maximum number of object crops read per document.
        generated: read the image generated from the text, too, and as many object crops of it.
        phrases: read the noun phrases by which object crops were found, encoded by themselves.
    """

    text: Text = field(default_factory=Text)
    vision: Vision | None = None
    context: str = ""
    context_tokens: Count = 96
    separate_context_pass: bool = False
    drop_context: Fraction = 0.0
    objects: CountOrZero = 0
    generated: bool = False
    phrases: bool = False

    @property
    def inputs(self) -> EncoderInputs:
        """What this encoder reads of a document."""
        return EncoderInputs(
            context=self.context,
            context_tokens=self.context_tokens,
            separate_context_pass=self.separate_context_pass,
            phrases=self.phrases,
            reads_images=self.vision is not None,
            objects=self.objects,
            generated=self.generated,
        )

    def makes(self) -> frozenset[str]:
        roles = {"text"} | ({"context"} if self.context else set()) | ({"phrases"} if self.phrases else set())
        return frozenset(roles.union(*self.modalities()))

    def modalities(self) -> tuple[tuple[str, ...], ...]:
        """Roles made of images, in the order of their slots: original and its objects, generated and its own."""
        both = (("vision", "objects"), ("generated", "generated_objects"))[: 2 if self.generated else 1]
        return () if self.vision is None else tuple(side if self.objects else side[:1] for side in both)

    def problems(self) -> Iterator[Problem]:
        yield from no_max_pooling(self.text)
        if self.drop_context and self.text.freeze:
            yield Problem(
                where="drop_context",
                found=f"drop_context={self.drop_context} with a frozen text encoder",
                expected="0, for its states are made once, with their context",
                remedy="set encode.drop_context=0, or train the encoder",
            )

    def build(self, text: nn.Module, vision: nn.Module | None) -> DualEncoder:
        return DualEncoder(self, text, vision)


def without_context(inputs: Mapping[str, Tensor], dropped: Tensor) -> dict[str, Tensor]:
    """The inputs as if the documents of `dropped` (B,) had no context: nothing attends to it, nothing is pooled of it.

    What stands behind the text is context and a mark; both are masked, and the text keeps its positions.
    """
    real = inputs["context"] >= 0  # (M, W)
    behind = real.cumsum(1) > 0  # from the first piece of the context on
    hidden = behind & dropped[inputs["owner"]][:, None]
    attention, context = inputs["attention_mask"].masked_fill(hidden, 0), inputs["context"].masked_fill(hidden, -1)
    return {**inputs, "attention_mask": attention, "context": context}


def scatter_rows(states: Tensor, where: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """states (K, ...) as rows `where` (K,) of n, zero elsewhere: (n, ...), and which rows are filled (n,)."""
    placed = states.new_zeros(n, *states.shape[1:]).index_copy(0, where, states)
    filled = torch.zeros(n, dtype=torch.bool, device=states.device).index_fill(0, where, True)
    return placed, filled


def context_stream(states: Tensor, inputs: Mapping[str, Tensor], b: int) -> Stream:
    """The context's pieces of states (M, W, D) as a stream of their own, (B, C, D)."""
    slot = inputs["context"]  # (M, W), -1 where a piece is not context
    real = slot >= 0
    length = max(int(slot.max()) + 1, 1)
    flat, mask = scatter_rows(states[real], (inputs["owner"][:, None] * length + slot)[real], b * length)
    return Stream(flat.view(b, length, -1), mask.view(b, length))


def drop_documents(stream: Stream, dropped: Tensor) -> Stream:
    """The stream as if the documents of `dropped` (B,) did not have it."""
    return Stream(stream.tokens, stream.mask & ~dropped[:, None])


def encode_separately(text: nn.Module, inputs: Mapping[str, Tensor], role: str, b: int, width: int) -> Stream:
    """Encode what has a pass of its own, such as phrases.

    Args:
        text: The text backbone.
        inputs: Holds, where any of the B documents has it, `{role}_input_ids` and `{role}_attention_mask`
            (R, 1 + N + 1) and `{role}_owner` (R,), the document of a row.
        role: "context" or "phrases".
        b: Number of documents.
        width: D, of the text backbone's states.

    Returns:
        The stream (B, N, D) of the tokens, special ones left out.
    """
    if f"{role}_input_ids" not in inputs:
        device = inputs["words"].device
        return Stream(torch.zeros(b, 1, width, device=device), torch.zeros(b, 1, dtype=torch.bool, device=device))
    attention, owner = inputs[f"{role}_attention_mask"], inputs[f"{role}_owner"]
    states = text(input_ids=inputs[f"{role}_input_ids"], attention_mask=attention).last_hidden_state
    tokens, real = scatter_rows(states[:, 1:-1], owner, b)  # a row's end mark is cut off by the mask of the next column
    mask = torch.zeros(b, tokens.shape[1], dtype=torch.bool, device=owner.device)
    return Stream(tokens, mask.index_copy(0, owner, attention[:, 2:].bool()) & real[:, None])


def image_streams(
    states: Tensor, inputs: Mapping[str, Tensor], modalities: Sequence[Sequence[str]], objects: int, whole: bool = False
) -> dict[str, Stream]:
    """States of images (K, V, D), with `whole` their class token first, as streams of the B documents.

    `sides` are the roles (image,) or (image, its objects), in the order of the slots: (B, V, D), (B, O * V, D).
    """
    first, b, s, o = int(whole), len(inputs["words"]), len(modalities), objects
    placed, real = scatter_rows(states, inputs["image"] * s * (1 + o) + inputs["slot"], b * s * (1 + o))
    placed, real = placed.unflatten(0, (b, s, 1 + o)), real.view(b, s, 1 + o, 1)
    tokens, v = placed[:, :, :, first:], states.shape[1] - first
    fits = inputs.get("relevance", states.new_full((b, 2 * s), torch.nan))
    mask, groups = real.expand(b, s, 1 + o, v), torch.arange(o, device=states.device).repeat_interleave(v)
    streams: dict[str, Stream] = {}
    for i, (image, *parts) in enumerate(modalities):
        own = placed[:, i, 0, 0] if whole else None
        streams[image] = Stream(tokens[:, i, 0], mask[:, i, 0], whole=own, relevance=fits[:, 2 * i])
        for name in parts:
            inside = tokens[:, i, 1:].flatten(1, 2), mask[:, i, 1:].flatten(1, 2)
            streams[name] = Stream(*inside, groups.expand(b, -1), relevance=fits[:, 2 * i + 1])
    return streams


def token_types(text: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a text encoder that tells segments apart is told of them."""
    return {"token_type_ids": inputs["token_type_ids"]} if getattr(text.config, "type_vocab_size", 1) > 1 else {}


class DualEncoder(FrozenBackboneMixin):
    """inputs -> Streams `text` (B, T, D), `context` (B, C, D), `vision` (B, V, D'), `objects` (B, O * V, D').

    Text and context are encoded in one pass, [t; c] (Shap-CA, eq. 1), unless `separate_context_pass`; the sentence
    features x_t, x_c are the means of each segment's states. An image's x_v is its class token, where the tower has
    one, else the mean of its regions. With `generated`, also `generated` and `generated_objects`, of the image made
    from the text; with `phrases`, `phrases` (B, F, D).

    `inputs` holds `input_ids`, `attention_mask`, `token_type_ids`, `word_ids` (the word of a token, -1: of none),
    `context` (its place in the context, -1: not of it), all (M, W), `owner` (M,), `words` (B, T) bool, and, where there
    are images, `pixels` (K, 3, H, W), `image` (K,) the document and `slot` (K,) 0 for the main image, n for the n-th
    object, then alike of the generated image; `relevance` (B, 2 or 4) of these images, in order, where the corpus knows
    it. Instead of tokens or pixels it takes their cached states: `text_states` (M, W, D), `vision_states` (K, V, D').
    The context's states come from the first row of a document. See `encode_separately` for phrases.
    """

    def __init__(self, config: Dual, text: nn.Module, vision: nn.Module | None) -> None:
        super().__init__()
        self.text, self.vision = text, vision
        self.reads_context, self.objects, self.mean = bool(config.context), config.objects, config.text.pool == "mean"
        self.separate_context_pass, self.reads_phrases = config.separate_context_pass, config.phrases
        self.modalities = config.modalities()
        self.drop = config.drop_context if config.context else 0.0
        frozen = {"text": config.text.freeze, "vision": bool(config.vision and config.vision.freeze)}
        self.freeze((text, frozen["text"]), (vision, frozen["vision"]))
        self.cacheable, self.states_key = tuple(name for name in frozen if frozen[name]), "Dual"
        width: int = text.config.hidden_size  # type: ignore[union-attr,assignment]
        self.widths: dict[str, int] = {"text": width}
        self.widths |= dict.fromkeys({"context", "phrases"} & config.makes(), width)
        if vision is not None:
            self.widths |= dict.fromkeys(frozenset().union(*self.modalities), vision.width)  # type: ignore[arg-type]

    def text_states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(M, W, D)."""
        kinds = token_types(self.text, inputs)
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        return self.text(input_ids=ids, attention_mask=mask, **kinds).last_hidden_state

    def vision_states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(K, V, D'); with a tower that has a class token, that one first: (K, 1 + V, D')."""
        assert self.vision is not None
        return self.vision(inputs["pixels"])

    def forward(self, inputs: Mapping[str, Tensor]) -> Streams:
        words = inputs["words"]  # (B, T)
        dropped = torch.rand(len(words), device=words.device) < self.drop if self.training and self.drop else None
        if dropped is not None and not self.separate_context_pass:
            inputs = without_context(inputs, dropped)
        states = inputs["text_states"] if "text_states" in inputs else self.text_states(inputs)
        pooled = pool_words(states, inputs["owner"], inputs["word_ids"], (words.shape[0], words.shape[1]), self.mean)
        streams = {"text": Stream(pooled, words)}
        if self.reads_context:
            streams["context"] = self._context(states, inputs, dropped)
        if self.reads_phrases:
            streams["phrases"] = encode_separately(self.text, inputs, "phrases", len(words), states.shape[-1])
        if self.vision is not None:
            streams |= self._images(inputs, streams["text"])
        return streams

    def _context(self, states: Tensor, inputs: Mapping[str, Tensor], dropped: Tensor | None) -> Stream:
        if not self.separate_context_pass:
            return context_stream(states, inputs, len(inputs["words"]))
        stream = encode_separately(self.text, inputs, "context", len(inputs["words"]), states.shape[-1])
        return stream if dropped is None else drop_documents(stream, dropped)

    def _images(self, inputs: Mapping[str, Tensor], text: Stream) -> dict[str, Stream]:
        if "pixels" not in inputs and "vision_states" not in inputs:
            return {name: empty(text, self.widths[name]) for side in self.modalities for name in side}
        states = inputs["vision_states"] if "vision_states" in inputs else self.vision_states(inputs)  # (K, V, D')
        return image_streams(states, inputs, self.modalities, self.objects, bool(self.vision.whole))  # type: ignore[union-attr]
