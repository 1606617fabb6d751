"""Long text and many frames, each with states of three depths: the encoding layer of M3D, eq. 5-7.

Input legend: M encoded rows (a document longer than the window has several), W pieces of a row, K frames of the batch,
F the most frames of a document, P patches of a frame, N = F P.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from openmie.errors import RecipeError
from openmie.nn.encode.dual import Text, Vision, scatter_rows, token_types
from openmie.nn.encode.frozen_backbones import FrozenBackboneMixin
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.limits import Count, CountOrZero, Problem
from openmie.nn.ops import max_words, pool_words
from openmie.nn.streams import Stream, Streams, empty

LEVELS = 3  # low, mid, high
LONG = 4000  # pieces of a batch above which a text tower's states are made again for its gradient


@dataclass(frozen=True, kw_only=True)
class Hierarchical:
    """Text and video frames are encoded separately, at three levels of depth; for long texts and many frames.

    Eq. 7 of M3D: three levels, the means of three groups of layers. Writes `text` (B, T, D) and `vision` (B, N, D'),
    both with `levels` (3, B, N, D). Departures: see `grouped` and `Neighbours`.

    Args:
        text: text backbone.
        vision: vision backbone, applied to each frame; None: text only.
        max_frames: maximum number of frames read per document; of more, evenly spaced ones are read and the document's
            record says so.
        image_size: side in pixels that each frame is resized to; 0: the backbone's own.
        frames_per_pass: frames that the backbone encodes at once, which bounds memory.
        as_released: groups of layers as in the released code, see `grouped`.
        conv_width: width, in words, of a residual convolution over the text states (ours; odd); 0: none. See
            `Neighbours`.
    """

    text: Text = field(default_factory=lambda: Text(pool="max"))
    vision: Vision | None = None
    max_frames: Count = 120
    image_size: CountOrZero = 0
    frames_per_pass: Count = 16
    as_released: bool = False
    conv_width: CountOrZero = 0

    @property
    def inputs(self) -> EncoderInputs:
        """What this encoder reads of a document."""
        return EncoderInputs(
            reads_images=self.vision is not None, max_frames=self.max_frames, image_size=self.image_size
        )

    def makes(self) -> frozenset[str]:
        return frozenset({"text"} | ({"vision"} if self.vision else set()))

    def problems(self) -> Iterator[Problem]:
        if self.conv_width and self.conv_width % 2 == 0:
            yield Problem(
                where="conv_width",
                found=f"conv_width={self.conv_width}",
                expected="an odd number of words, or 0",
                remedy="take one more or one less",
            )

    def build(self, text: nn.Module, vision: nn.Module | None) -> HierarchicalEncoder:
        """Errors: a vision tower without layers of one width."""
        return HierarchicalEncoder(self, text, vision)


def grouped(states: Sequence[Tensor], as_released: bool = False) -> list[Tensor]:
    """Eq. 7: the means of three disjoint groups of layers, low, mid, high; `states` begin with the embeddings.

    With n layers a group ends after layer round(n / 3), round(2 n / 3) and n: of 12 layers 1-4, 5-8, 9-12. (The printed
    sums share the layers n / 3 and 2 n / 3.) A tower of one or two layers lends its embeddings to the low group, and
    its one layer to both others. `as_released`: groups of n // 3, counted from the embeddings on, so that the last
    layer is in none.
    """
    n = len(states) - 1
    if as_released and n >= LEVELS:
        ends = [n // LEVELS * i for i in range(LEVELS + 1)]
        return [torch.stack([*states[a:b]]).mean(0) for a, b in pairwise(ends)]
    if n < LEVELS:
        return [states[0], states[min(1, n)], states[n]]
    ends = [round(n * i / LEVELS) for i in range(LEVELS + 1)]
    return [torch.stack([*states[1 + a : 1 + b]]).mean(0) for a, b in pairwise(ends)]


class Neighbours(nn.Module):
    """x + C x: word states (B, T, G D), mask (B, T) -> the same with what stands beside a word in them.

    C is a convolution over `span` words, of each of the G groups of D features by itself; padding is zero. For text
    encoders that start at random: a small BERT keeps its absolute positions nearly unlearnt on the made-up corpus, so
    that which of a sentence's two names comes first is told by a linear map of its states in 57% of the cases after a
    whole training, and with this in 100% after 40 steps.
    """

    def __init__(self, width: int, groups: int, span: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(groups * width, groups * width, span, padding=span // 2, groups=groups, bias=False)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        real = torch.where(mask[..., None], states, 0.0)
        return states + self.mix(real.transpose(1, 2)).transpose(1, 2)


class HierarchicalEncoder(FrozenBackboneMixin):
    """inputs -> Streams `text` (B, T, D) and `vision` (B, N, D'), each with levels (3, B, ., .), low, mid and high.

    Words are pooled from their pieces, levels alike: by the largest value (`pool="max"`, M3D's release), their mean, or
    their first one. A text of several windows has each word from the window where it lies deepest. `vision` holds the
    patches of all frames one after the other, the class token first where the tower has one (as in the release);
    `groups` (B, N) is the frame that a patch belongs to. Frames pass the tower `frames_per_pass` at a time; where it is
    trained, a chunk's states are made anew in the backward pass, so that memory does not grow with the frames.

    `inputs` are those of DualEncoder: `slot` (K,) is a frame's place in time. `word_seconds` (B, T) and `frame_seconds`
    (K,) say when words are said and frames seen, NaN where that is not known. Of cached states it takes those of
    `text_states` (M, W, 4 D) and `vision_states` (K, P, 4 D'): last state, low, mid, high side by side.
    Errors: a vision tower without layers of one width, such as a ResNet.
    """

    text: Any  # the library's models, called by attribute
    vision: Any

    def __init__(self, config: Hierarchical, text: Any, vision: Any) -> None:
        super().__init__()
        self.text, self.vision, self.chunk = text, vision, config.frames_per_pass
        self.pool, self.as_released = config.text.pool, config.as_released
        if vision is not None and getattr(vision, "is_map", False):
            raise RecipeError(
                f"vision encoder {config.vision and config.vision.name!r}, whose stages differ in width",
                expected="a tower with layers of one width, such as a ViT or CLIP",
                where="encode.vision.name",
                remedy="choose such a tower, or encode with Dual",
            )
        self.clip: int = getattr(vision, "clip", 0)  # frames that a video tower reads as one
        still = bool(config.vision and config.vision.freeze)
        frozen = {"text": config.text.freeze, "vision": still and not self.clip}
        self.cacheable = tuple(name for name in frozen if frozen[name])
        self.states_key = f"Hierarchical {config.as_released}"
        self.freeze((text, config.text.freeze), (vision, still))
        self.remade: list[Any] = []
        if getattr(text, "supports_gradient_checkpointing", False):
            text.config.use_cache = False  # an encoder has none to use, and is told off for it below
            name = "activation_checkpointing_enable"  # as it is called from transformers 5.2x on
            enable = getattr(text, name, None) or text.gradient_checkpointing_enable
            enable({"use_reentrant": False})
            self.remade = [m for m in text.modules() if hasattr(m, "gradient_checkpointing")]
        self.beside = Neighbours(text.config.hidden_size, 1 + LEVELS, config.conv_width) if config.conv_width else None
        self.widths: dict[str, int] = {"text": text.config.hidden_size}
        self.widths |= {} if vision is None else {"vision": vision.width}

    def text_states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(M, W, 4 D); of many pieces a layer's states are made again in the backward pass, which bounds the memory."""
        kinds, read = token_types(self.text, inputs), inputs["attention_mask"]
        for layer in self.remade:
            layer.gradient_checkpointing = read.numel() > LONG
        found = self.text(input_ids=inputs["input_ids"], attention_mask=read, output_hidden_states=True, **kinds)
        return torch.cat([found.last_hidden_state, *grouped(found.hidden_states, self.as_released)], -1)

    def vision_states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(K, P, 4 D'); of a video tower the frames of one document are read together, as clips."""
        pixels = inputs["pixels"]
        parts = [(p,) for p in pixels.split(self.chunk)]
        if self.clip:
            owner = inputs.get("image", torch.zeros(len(pixels), dtype=torch.long, device=pixels.device))
            videos = [pixels[owner == i] for i in owner.unique().tolist()]  # documents ascend in a batch
            parts = [(clip,) for video in videos for clip in video.split(self.clip)]
        trained = self.training and self.vision not in self.frozen_backbones
        again = trained and torch.is_grad_enabled() and len(parts) > 1
        run: Callable[..., Tensor] = self._frames
        return torch.cat([checkpoint(run, *p, use_reentrant=False) if again else run(*p) for p in parts])  # type: ignore[misc]

    def _frames(self, pixels: Tensor) -> Tensor:
        last, states = self.vision.hierarchy(pixels)
        return torch.cat([last, *grouped(states, self.as_released)], -1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Streams:
        words = inputs["words"]  # (B, T)
        states = inputs["text_states"] if "text_states" in inputs else self.text_states(inputs)
        where = inputs["owner"], inputs["word_ids"], (words.shape[0], words.shape[1])
        pooled = max_words(states, *where) if self.pool == "max" else pool_words(states, *where, self.pool == "mean")
        if self.beside is not None:
            pooled = self.beside(pooled, words)
        streams = {"text": with_levels(pooled, words, seconds=inputs.get("word_seconds"))}
        if self.vision is not None:
            streams["vision"] = self._images(inputs, streams["text"])
        return streams

    def _images(self, inputs: Mapping[str, Tensor], text: Stream) -> Stream:
        if "pixels" not in inputs and "vision_states" not in inputs:
            none = empty(text, self.widths["vision"])
            groups = torch.zeros_like(none.mask, dtype=torch.long)
            blank = torch.full_like(none.mask, torch.nan, dtype=torch.float) if "word_seconds" in inputs else None
            return replace(none, groups=groups, seconds=blank, levels=none.tokens.expand(LEVELS, -1, -1, -1))
        states = inputs["vision_states"] if "vision_states" in inputs else self.vision_states(inputs)  # (K, P, 4 D')
        b, p, slot = len(inputs["words"]), states.shape[1], inputs["slot"]
        f = int(slot.max()) + 1
        placed, real = scatter_rows(states, inputs["image"] * f + slot, b * f)
        mask = real.view(b, f).repeat_interleave(p, 1)
        groups = torch.arange(f, device=slot.device).repeat_interleave(p).expand(b, -1)
        seconds = None
        if "frame_seconds" in inputs:
            each = torch.full((b, f), torch.nan, device=slot.device)
            seconds = each.index_put((inputs["image"], slot), inputs["frame_seconds"]).repeat_interleave(p, 1)
        return with_levels(placed.view(b, f * p, -1), mask, groups, seconds)


def with_levels(states: Tensor, mask: Tensor, groups: Tensor | None = None, seconds: Tensor | None = None) -> Stream:
    """states (B, N, 4 D), last, low, mid and high side by side -> a stream of the last with the levels beside it."""
    last, *levels = states.unflatten(-1, (1 + LEVELS, -1)).unbind(2)
    return Stream(last, mask, groups, levels=torch.stack(levels), seconds=seconds)
