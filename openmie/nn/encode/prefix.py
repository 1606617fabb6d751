"""A visual prefix: images as keys and values that stand before the text's own in every layer (HVPNeT).

Legend: B documents, M encoded rows (a document longer than the window has several), W pieces of a row, K images of the
batch, I = 1 + O images and S image tokens of a document, G groups, L layers, h heads, D width of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.errors import RecipeError
from openmie.nn.encode.dual import (
    Text,
    Vision,
    drop_documents,
    encode_separately,
    image_streams,
    no_max_pooling,
    token_types,
)
from openmie.nn.encode.extended_attention import NAME, Pair, check_text
from openmie.nn.encode.frozen_backbones import FrozenBackboneMixin
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.encode.towers import VisionTower
from openmie.nn.layers import split_heads
from openmie.nn.limits import Count, CountOrZero, Fraction, Problem
from openmie.nn.ops import gather_rows, pool_words
from openmie.nn.streams import Stream, Streams, split_losses


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """A text tower whose layers all attend to a few tokens of each image.

    HVPNeT (Chen et al., 2022), the base model of CAMIM. Writes `text` (B, T, D), `vision` (B, V, C), `objects` (B, O *
    V, C) and `context`. Departures: see `PrefixEncoder`.

    Args:
        text: BERT-like text backbone.
        vision: vision backbone whose feature pyramid is read.
        objects: maximum number of object crops read per document.
        context: captioning model whose caption is read as the stream `context`; `*`: the one that
            stands first in most training documents; empty: none.
        context_tokens: maximum number of context tokens; a longer caption is truncated, and the document's record says
            so.
        drop_context: probability that a training step hides a document's context.
        grid_size: side of the grid that an image's feature maps are pooled to: V = grid_size^2 tokens per image.
        hidden: width of the tanh layer.
        groups: number of key-value candidates per image token, mixed by a gate in each layer.
        refine: fusion config applied to the images before they become keys and values, such as `Caption`; None: none.
        as_released: reproduce the tensor views of the released code, see `PrefixEncoder`.
    """

    text: Text = field(default_factory=Text)
    vision: Vision = field(default_factory=Vision)
    objects: CountOrZero = 3
    context: str = ""
    context_tokens: Count = 96
    drop_context: Fraction = 0.0
    grid_size: Count = 2
    hidden: Count = 800
    groups: Count = 4
    refine: Any = None
    as_released: bool = False

    @property
    def inputs(self) -> EncoderInputs:
        """What this encoder reads of a document."""
        return EncoderInputs(
            context=self.context,
            context_tokens=self.context_tokens,
            separate_context_pass=True,
            reads_images=True,
            objects=self.objects,
        )

    def makes(self) -> frozenset[str]:
        more = {"objects"} if self.objects else set()
        return frozenset({"text", "vision"} | more | ({"context"} if self.context else set()))

    def problems(self) -> Iterator[Problem]:
        yield from no_max_pooling(self.text)
        if self.as_released and (self.grid_size != 2 or self.refine is not None):
            yield Problem(
                where="as_released",
                found=f"as_released with grid_size={self.grid_size}" + (" and a part to refine" if self.refine else ""),
                expected="grid_size=2 and refine=None, for which the release's views are written",
                remedy="set encode.as_released=false, or grid_size=2 and no refine",
            )
        images = self.makes() - {"text"}
        if self.refine is not None and not hasattr(self.refine, "needs"):
            yield Problem(
                where="refine",
                found=f"{self.refine!r:.80}",
                expected="a fusion part, such as Caption, or null",
                remedy='write {"kind": "Caption"}, or null for none',
            )
        elif self.refine is not None and (missing := sorted(self.refine.needs() - images)):
            yield Problem(
                where="refine",
                found=f"{type(self.refine).__name__} needs {missing}, and {sorted(images)} are there before the text",
                expected="a part that reads vision, objects and context only",
                remedy="set encode.context and encode.objects for what is missing; what reads the text is for `fuse`",
            )

    def build(self, text: nn.Module, vision: nn.Module | None) -> PrefixEncoder:
        return PrefixEncoder(self, text, vision)


class PrefixEncoder(FrozenBackboneMixin):
    """inputs -> Streams `text` (B, T, D), `vision` (B, V, C), `objects` (B, O * V, C), `context` (B, C', D).

    With x the tokens of an image (V = cells^2 of the tower's pyramid, C channels), in layer l:

        e = W2 tanh(W1 x),   one for all images,                        G groups of [K ; V], 2 D wide each
        g = softmax(leaky_relu(W_l mean(e))),                           one gate (G) for each image and layer
        [K^v ; V^v] = sum_g g e_g,
        Attention(Q, [K^v, K], [V^v, V]),                               K^v, V^v of the document's images

    mean(e) is over the image's real tokens, the groups side by side, so that an image may have any number. Text keeps
    its positions. Missing images are masked (release: zeros), and a document without any is plain BERT's. Each window
    of a long text meets its document's images. `refine` changes `vision` and `objects` before they are projected, and
    these are the streams that come out; the main image's tokens are then no longer cells. What it makes of a document
    without image, such as its caption alone, is a prefix as well.

    `as_released`: the release reads the map (C, cells) of an image as (V, C) without turning it, so that a token is a
    block of channels of all cells; likewise (S, D) as (h, S, D / h), so that a head's keys are pieces of a few tokens;
    and its gate reads the mean of the groups, the tokens side by side. It fixes V, so it goes without `refine`.

    `inputs` are those of DualEncoder, the context's apart (see `encode_separately`); of cached states it takes
    `vision_states` (K, V, C). Those of the text depend on the images, so a frozen text backbone is not cached.

    Raises:
        RecipeError: A text backbone that is not BERT-like, or a vision backbone without pyramid.
    """

    text: Any  # the library's models, called by attribute
    vision: Any

    def __init__(self, config: Prefix, text: Any, vision: Any) -> None:
        super().__init__()
        check_parts(config, text, vision)
        self.text, self.vision, self.config = text, vision, config
        self.drop = config.drop_context if config.context else 0.0
        self.cacheable = ("vision",) if config.vision.freeze else ()  # states of the text depend on the images
        self.states_key = f"Prefix {config.grid_size} {config.as_released}"
        self.freeze((text, config.text.freeze), (vision, config.vision.freeze))
        if isinstance(vision, VisionTower):
            vision.read_as_pyramid()
        text.set_attn_implementation(NAME)
        d, self.images = text.config.hidden_size, 1 + config.objects
        self.heads: int = text.config.num_attention_heads
        own = {"text": d, "context": d, "vision": vision.pyramid_width, "objects": vision.pyramid_width}
        self.widths: dict[str, int] = {role: own[role] for role in sorted(config.makes())}
        self.refine = config.refine.build(dict(self.widths)) if config.refine else None
        if self.refine is not None:
            self.widths |= {role: w for role, w in self.refine.widths.items() if role in self.widths}
            check_widths(config, self.widths)
        offers, v, layers = config.groups * 2 * d, config.grid_size**2, len(text.encoder.layer)
        self.project = nn.Sequential(
            nn.Linear(self.widths["vision"], config.hidden), nn.Tanh(), nn.Linear(config.hidden, offers)
        )
        asked = v * 2 * d if config.as_released else offers
        self.gates = nn.Linear(asked, layers * config.groups) if config.groups > 1 else None  # W_l, one after the other

    def vision_states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(K, cells^2, C)."""
        return self.vision.pyramid(inputs["pixels"], self.config.grid_size)

    def forward(self, inputs: Mapping[str, Tensor]) -> Streams:
        words = inputs["words"]  # (B, T)
        modalities = self.modalities(inputs)
        h = self.read(inputs, self.prefix(modalities) if "image" in inputs or self.refine is not None else None)
        mean = self.config.text.pool == "mean"
        pooled = pool_words(h, inputs["owner"], inputs["word_ids"], (words.shape[0], words.shape[1]), mean)
        return {"text": Stream(pooled, words), **modalities}

    def modalities(self, inputs: Mapping[str, Tensor]) -> dict[str, Stream]:
        """`vision`, `objects` and `context` where they are read, refined."""
        b = len(inputs["words"])
        streams = self.pictures(inputs)
        if self.config.context:
            context = encode_separately(self.text, inputs, "context", b, self.widths["context"])
            if self.training and self.drop:
                context = drop_documents(context, torch.rand(b, device=context.mask.device) < self.drop)
            streams["context"] = context
        refined = streams if self.refine is None else split_losses(self.refine(streams))[0]
        return {role: refined[role] for role in streams}

    def pictures(self, inputs: Mapping[str, Tensor]) -> dict[str, Stream]:
        """The images' tokens as they come from the tower, (B, V, C) and (B, O * V, C)."""
        b, o = len(inputs["words"]), self.config.objects
        if "image" not in inputs:
            weight = next(self.project.parameters())
            tokens = weight.new_zeros(b, 1, self.vision.pyramid_width)
            none = Stream(tokens, inputs["words"].new_zeros(b, 1))
            objects = replace(none, groups=torch.zeros_like(none.mask, dtype=torch.long))
            return {"vision": none, "objects": objects} if o else {"vision": none}
        states = inputs["vision_states"] if "vision_states" in inputs else self.vision_states(inputs)  # (K, V, C)
        if self.config.as_released:
            states = states.transpose(1, 2).reshape(states.shape)
        return image_streams(states, inputs, (("vision", "objects") if o else ("vision",),), o)

    def prefix(self, modalities: Mapping[str, Stream]) -> tuple[list[Pair], Tensor]:
        """Keys and values of each layer, (B, h, S, D / h) each, and which of them are real, (B, 1 or h, 1, S)."""
        streams = [modalities[role] for role in ("vision", "objects") if role in modalities]
        mask = torch.cat([s.mask for s in streams], 1)  # (B, S)
        image = [torch.zeros_like(streams[0].mask, dtype=torch.long)]
        image += [1 + s.groups for s in streams[1:]]  # type: ignore[operator,misc]
        e = self.project(torch.cat([s.tokens for s in streams], 1)).unflatten(-1, (self.config.groups, -1))
        both = self.gate(e, torch.cat(image, 1), mask).to(e.dtype) @ e  # (B, S, L, 2 D)
        pairs, real = [layer.chunk(2, -1) for layer in both.unbind(2)], mask[:, None, None]
        if not self.config.as_released:
            return [(split_heads(k, self.heads), split_heads(v, self.heads)) for k, v in pairs], real
        b, s = mask.shape  # a head's key is a piece of one token
        pieces = mask.repeat_interleave(self.heads, 1).view(b, self.heads, 1, s)
        return [(k.reshape(b, self.heads, s, -1), v.reshape(b, self.heads, s, -1)) for k, v in pairs], pieces

    def gate(self, e: Tensor, image: Tensor, mask: Tensor) -> Tensor:
        """e (B, S, G, 2 D), the image (B, S) of a token, mask (B, S) -> the gate that it meets, (B, S, L, G)."""
        if self.gates is None:
            return e.new_ones(*e.shape[:2], len(self.text.encoder.layer), 1)
        if self.config.as_released:
            mean = e.mean(2).unflatten(1, (self.images, -1)).flatten(2)  # (B, I, V * 2 D)
        else:
            own = (F.one_hot(image, self.images) * mask[..., None]).to(e.dtype)  # (B, S, I)
            mean = (own / own.sum(1, keepdim=True).clamp_min(1)).transpose(1, 2) @ e.flatten(2)  # (B, I, G * 2 D)
        logits = self.gates(mean).unflatten(-1, (-1, self.config.groups))  # (B, I, L, G)
        gates = F.leaky_relu(logits).softmax(-1)
        return gather_rows(gates.flatten(2), image).unflatten(-1, gates.shape[2:])

    def read(self, inputs: Mapping[str, Tensor], prefix: tuple[list[Pair], Tensor] | None) -> Tensor:
        """The text tower over its rows, each behind its document's prefix -> (M, W, D)."""
        h = self.text.embeddings(input_ids=inputs["input_ids"], **token_types(self.text, inputs))
        mask, owner = inputs["attention_mask"].bool()[:, None, None], inputs["owner"]
        pairs: list[Pair | None] = [None] * len(self.text.encoder.layer)
        if prefix is not None:
            made, real = prefix
            if len(owner) != len(inputs["words"]):  # a row is a window
                made, real = [(k[owner], v[owner]) for k, v in made], real[owner]
            pairs, mask = [*made], torch.cat([real, mask.expand(-1, real.shape[1], -1, -1)], -1)
        for layer, pair in zip(self.text.encoder.layer, pairs):
            h = layer(h, mask, prefix_kv=pair)
        return h


def check_parts(config: Prefix, text: Any, vision: Any) -> None:
    """RecipeError unless the towers can be built from."""
    check_text(config.text.name, text.config.model_type)
    if not hasattr(vision, "pyramid"):
        raise RecipeError(
            f"vision encoder {config.vision.name!r}, a {type(vision).__name__}",
            expected="a tower with a method pyramid(pixels, side)",
            where="encode.vision.name",
            remedy="choose a ResNet, ViT or CLIP, or the built-in tiny",
        )


def check_widths(config: Prefix, widths: Mapping[str, int]) -> None:
    """RecipeError unless main and object images leave `refine` in one width, as one projection reads both."""
    if widths.get("objects", widths["vision"]) != widths["vision"]:
        raise RecipeError(
            f"{type(config.refine).__name__} leaves vision of width {widths['vision']}, objects of {widths['objects']}",
            expected="one width, for main and object images share their projection",
            where="encode.refine",
            remedy="refine both, or set encode.objects=0",
        )
