"""Two towers that read each other in every layer: the mutual-attention encoder of MGIPS-CL, sections 3.1.2 and 3.2.

Input legend: M encoded rows (a document longer than the window has several), W pieces of a row, K images of the batch,
S slots that the batch fills, P patches of an image, N = 1 + S P visual tokens, D width of both towers, h heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.errors import RecipeError
from openmie.nn.encode.dual import (
    Text,
    Vision,
    context_stream,
    no_max_pooling,
    scatter_rows,
    token_types,
    without_context,
)
from openmie.nn.encode.extended_attention import NAME, Pair, check_text
from openmie.nn.encode.frozen_backbones import FrozenBackboneMixin
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.layers import split_heads
from openmie.nn.limits import Count, CountOrZero, Fraction, Pixels, Problem
from openmie.nn.ops import pool_words
from openmie.nn.streams import Stream, Streams, empty


@dataclass(frozen=True, kw_only=True)
class Mutual:
    """BERT and CLIP's vision tower; each layer attends to the keys and values of the other tower, too.

    Eq. 1-4 of MGIPS-CL. Writes `text` (B, T, D), `vision` (B, N, D) and, where it is read, `context`. Both towers must
    have the same depth, width and number of heads. Departures: see `MutualEncoder`.

    Args:
        text: BERT-like text backbone.
        vision: CLIP-like vision backbone.
        objects: maximum number of object crops read per document.
        main_image_with_objects: read the main image beside its object crops; without any crop it is always read.
        image_size: side in pixels that each image or crop is resized to.
        exchange: False: two separate towers.
        order: `lagged`: each layer attends to the other tower's previous layer (eq. 2); `vision_first`: as released.
        first_layer_prefix: what layer 1 attends to of the other tower: its embeddings, `projected` by this layer (ours)
            or `raw` (eq. 3), or `none`.
        as_released: reproduce the errors of the released code, see `MutualEncoder`.
        text_tokens: maximum number of tokens of the text, both marks included; a longer one is cut, words that begin
            beyond are neither read nor labelled, and the document's record says so. 0: all of it.
        missing_image: of a document without image: `masked`, or `default`, a default picture in each crop, as printed.
        context: captioning model whose caption is read as the stream `context`; `*`: the one that
            stands first in most training documents; empty: none.
        context_tokens: maximum number of context tokens; a longer caption is truncated, and the document's record says
            so.
        drop_context: probability that a training step hides a document's context.
    """

    text: Text = field(default_factory=Text)
    vision: Vision = field(default_factory=lambda: Vision(name="tiny-clip"))
    objects: CountOrZero = 3
    main_image_with_objects: bool = False
    image_size: Pixels = 128
    exchange: bool = True
    order: Literal["lagged", "vision_first"] = "lagged"
    first_layer_prefix: Literal["projected", "raw", "none"] = "projected"
    as_released: bool = False
    text_tokens: CountOrZero = 0
    missing_image: Literal["masked", "default"] = "masked"
    context: str = ""
    context_tokens: Count = 96
    drop_context: Fraction = 0.0

    @property
    def inputs(self) -> EncoderInputs:
        """What this encoder reads of a document."""
        return EncoderInputs(
            text_tokens=self.text_tokens,
            default_picture=self.missing_image == "default",
            context=self.context,
            context_tokens=self.context_tokens,
            reads_images=True,
            objects=self.objects,
            main_image_with_objects=self.main_image_with_objects,
            image_size=self.image_size,
        )

    def makes(self) -> frozenset[str]:
        return frozenset({"text", "vision"} | ({"context"} if self.context else set()))

    def problems(self) -> Iterator[Problem]:
        yield from no_max_pooling(self.text)
        if 0 < self.text_tokens < 3:
            yield Problem(
                where="text_tokens",
                found=f"text_tokens={self.text_tokens}",
                expected="at least 3, as two are marks, or 0 for all",
                remedy="40 is the paper's",
            )

    def build(self, text: nn.Module, vision: nn.Module | None) -> MutualEncoder:
        return MutualEncoder(self, text, vision)


class MutualEncoder(FrozenBackboneMixin):
    """inputs -> Streams `text` (B, T, D), `vision` (B, N, D), and `context` (B, C, D) where it is read.

    Queries come from the own side, keys and values from both (eq. 2, whose printed Q^t = H^v W is a slip): Q = H^t W_q,
    K = [K^v, H^t W_k], V = [V^v, H^t W_v], and alike for the vision side. `order="lagged"`: layer l + 1 sees the keys
    and values that the other tower made in its layer l, as printed. `vision_first`, as released: vision layer l sees
    those of text layer l - 1, then text layer l those of vision layer l. What a layer 1 sees, where the other tower has
    made none yet, is `first_layer_prefix`: the other side's embeddings `projected` by its own layer 1 (print and
    release do without that, so that they meet queries of another space), `raw`, split into heads, or `none`.

    The visual tokens are one class token, then the patches of the whole image (slot 0) and of each crop (slots 1 to
    `objects`), in one sequence; every slot has positions of its own, which start as the tower's own, interpolated to
    the crop's grid. The stream's `groups` are the slots (0 for the class token), `whole` is the class token, and all
    have passed the tower's last norm. A missing crop is masked (release: zeros), and so is all of a document
    without image, whose words then are plain BERT's. `missing_image="default"`, as printed: a document without image
    has a default picture in every crop, one colour, the mean of the preprocessing; which picture it is, is not printed.
    Slots that no document fills are left out.

    Each window of a long text meets its document's image; the vision stream is that of the first window.
    `as_released`: the vision side's keys stand in for its values on the text side, its logits there are raised by one,
    and padding of the text is not masked on the vision side, so that results depend on it. The release's `view` of the
    embeddings, which mixes tokens and heads, is not rebuilt.

    `inputs` are those of DualEncoder, never cached states: these depend on the other side. Errors: towers that are not
    BERT-like and CLIP-like, or not of one depth, width and number of heads.
    """

    text: Any  # the library's models, called by attribute
    vision: Any

    def __init__(self, config: Mutual, text: Any, vision: Any) -> None:
        super().__init__()
        clip = check_towers(config, text, vision)
        self.text, self.vision, self.config = text, vision, config
        self.reads_context, self.mean = bool(config.context), config.text.pool == "mean"
        self.drop = config.drop_context if config.context else 0.0
        self.freeze((text, config.text.freeze), (vision, config.vision.freeze))
        for tower in (text, clip):
            tower.set_attn_implementation(NAME)
        table = interpolated(clip.embeddings.position_embedding.weight[1:], config.image_size // clip.config.patch_size)
        self.vision_positions = nn.Parameter(table.expand(1 + config.objects, -1, -1).clone())  # (1 + O, P, D)
        self.vision_positions.requires_grad_(not config.vision.freeze)
        self.widths: dict[str, int] = dict.fromkeys(sorted(config.makes()), text.config.hidden_size)

    def forward(self, inputs: Mapping[str, Tensor]) -> Streams:
        words = inputs["words"]  # (B, T)
        if self.training and self.drop:
            inputs = without_context(inputs, torch.rand(len(words), device=words.device) < self.drop)
        h, g, mask, slots = self.towers(inputs)
        pooled = pool_words(h, inputs["owner"], inputs["word_ids"], (words.shape[0], words.shape[1]), self.mean)
        streams = {"text": Stream(pooled, words)}
        if self.reads_context:
            streams["context"] = context_stream(h, inputs, len(words))
        if g is None:
            none = empty(streams["text"], self.widths["vision"])
            return streams | {"vision": replace(none, groups=torch.zeros_like(none.mask, dtype=torch.long))}
        tokens = torch.where(mask[..., None], self.vision.model.post_layernorm(g), 0.0)  # (B, N, D)
        groups = slots.expand(len(words), -1)
        return streams | {"vision": Stream(tokens, mask, groups, whole=tokens[:, 0])}

    def towers(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Last states of both towers, text (M, W, D) and vision (B, N, D), the vision mask (B, N) and slots (N,).

        In a batch without images the vision states are None, and mask and slots are empty.
        """
        h = self.text.embeddings(input_ids=inputs["input_ids"], **token_types(self.text, inputs))
        read, owner, b = inputs["attention_mask"].bool(), inputs["owner"], len(inputs["words"])
        if "pixels" not in inputs:
            for layer in self.text.encoder.layer:
                h = layer(h, read[:, None, None])
            return h, None, read.new_zeros(b, 0), owner.new_zeros(0)
        g, mask, slots = self.embed_images(inputs)
        if len(owner) == b:  # a row is a document
            return *self.coupled(h, g, read, mask), mask, slots
        h, g = self.coupled(h, g[owner], read, mask[owner])
        rows = torch.arange(len(owner), device=owner.device)
        first = rows.new_zeros(b).scatter_reduce(0, owner, rows, "amin", include_self=False)
        return h, g[first], mask, slots

    def embed_images(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """What the vision tower's first layer is given (B, N, D), which tokens are real (B, N), their slots (N,)."""
        clip, b = self.vision.model, len(inputs["words"])
        made = clip.embeddings.patch_embedding(inputs["pixels"].to(clip.embeddings.patch_embedding.weight.dtype))
        patches = made.flatten(2).transpose(1, 2) + self.vision_positions[inputs["slot"]]  # (K, P, D)
        used, at = inputs["slot"].unique(return_inverse=True)  # (S,), (K,)
        s, p, d = len(used), patches.shape[1], patches.shape[2]
        placed, real = scatter_rows(patches, inputs["image"] * s + at, b * s)
        top = clip.embeddings.class_embedding + clip.embeddings.position_embedding.weight[0]
        tokens = torch.cat([top.expand(b, 1, d), placed.view(b, s * p, d)], 1)
        real = real.view(b, s)
        mask = torch.cat([real.any(1, keepdim=True), real.repeat_interleave(p, 1)], 1)
        return clip.pre_layrnorm(tokens), mask, F.pad(used.repeat_interleave(p), (1, 0))

    def coupled(self, h: Tensor, g: Tensor, read: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Run both towers over h (M, W, D) and g (M, N, D), masks (M, W) and (M, N) -> their last states."""
        config = self.config
        text_masks, vision_masks = self.masks(h, read, seen)
        text_pair, vision_pair = self.first_pairs(h, g)
        now = config.order == "vision_first"
        for i, (reads, sees) in enumerate(zip(self.text.encoder.layer, self.vision.model.encoder.layers)):
            own: list[Pair] = []  # keys and values of this layer: the vision side's, then the text side's
            g = sees(g, vision_masks[text_pair is not None], prefix_kv=text_pair, kv_out=own)
            if config.exchange and (now or (i == 0 and config.first_layer_prefix == "projected")):
                vision_pair = own[0]
            if config.as_released and vision_pair is not None:
                vision_pair = vision_pair[0], vision_pair[0]
            h = reads(h, text_masks[vision_pair is not None], prefix_kv=vision_pair, kv_out=own)
            if config.exchange:
                vision_pair, text_pair = own
        return h, g

    def first_pairs(self, h: Tensor, g: Tensor) -> tuple[Pair | None, Pair | None]:
        """Keys and values of the embeddings, text and vision, that layer 1 of the other tower sees.

        `projected` ones of the vision side are those that its own layer 1 makes: it runs first and hands them on.
        """
        heads = self.text.config.num_attention_heads
        if not self.config.exchange or self.config.first_layer_prefix == "none":
            return None, None
        if self.config.first_layer_prefix == "raw":
            text, vision = split_heads(h, heads), split_heads(g, heads)
            return (text, text), (vision, vision)
        layer = self.text.encoder.layer[0].attention.self
        return (split_heads(layer.key(h), heads), split_heads(layer.value(h), heads)), None

    def masks(self, h: Tensor, read: Tensor, seen: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """For each side, text and vision: the keys that are read (M, 1, 1, .) alone, and with the other's before them.

        A row without any key would have no attention at all: alone, it reads its own padding, which nothing else does.
        """
        alone = seen | ~seen.any(1, keepdim=True)
        at_text, at_vision = torch.cat([seen, read], 1), torch.cat([read, seen], 1)
        if self.config.as_released:
            at_text = h.new_zeros(at_text.shape).masked_fill(~at_text, -torch.inf)
            at_text[:, : seen.shape[1]] += 1.0
            at_vision = torch.cat([torch.ones_like(read), seen], 1)
        return (
            (read[:, None, None], at_text[:, None, None]),
            (alone[:, None, None], at_vision[:, None, None]),
        )


def interpolated(table: Tensor, side: int) -> Tensor:
    """Positions of a square grid, (n * n, D) -> (side * side, D), as CLIP interpolates its own."""
    n = int(len(table) ** 0.5)
    grid = table.detach().unflatten(0, (n, n)).permute(2, 0, 1)[None]
    if n != side:
        grid = F.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return grid[0].permute(1, 2, 0).flatten(0, 1)


def check_towers(config: Mutual, text: Any, vision: Any) -> Any:
    """The CLIP model of the vision tower, if both towers can be coupled; else RecipeError."""
    check_text(config.text.name, text.config.model_type)
    clip: Any = getattr(vision, "model", None)
    kind = getattr(getattr(clip, "config", None), "model_type", type(clip or vision).__name__)
    if kind != "clip_vision_model":
        raise RecipeError(
            f"vision encoder {config.vision.name!r}, a {kind}",
            expected="a CLIP vision tower",
            where="encode.vision.name",
            remedy="set vision.name=tiny-clip for one of the text encoder's size, or name a CLIP",
        )
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads")
    here, there = ([getattr(m.config, n) for n in names] for m in (text, clip))
    if here != there:
        raise RecipeError(
            f"text of {here[0]} layers, width {here[1]}, {here[2]} heads; vision of {there[0]}, {there[1]}, {there[2]}",
            expected="two towers of one depth, width and number of heads",
            where="encode",
            remedy="set vision.name=tiny-clip, or choose towers of one size, such as BERT base and CLIP ViT-B",
        )
    patch = clip.config.patch_size
    if config.image_size % patch:
        raise RecipeError(
            f"image_size {config.image_size} with patches of {patch} pixels",
            expected="a multiple of the patch",
            where="encode.image_size",
            remedy=f"set encode.image_size={max(patch, config.image_size // patch * patch)}",
        )
    return clip
