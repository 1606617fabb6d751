"""Zero-shot object detectors of the transformers library: pictures and phrases in, boxes with scores out.

OWL-ViT and OWLv2 read every query by itself, Grounding DINO (and MM Grounding DINO) all queries of a picture as one
text. Here each makes logits of boxes by queries, and the library's own image processor turns boxes into pixels of the
upright original (OWLv2's are fractions of a padded square, the others' of the picture). Departures from the library's
`post_process_grounded_object_detection`, each because a picture's boxes must not depend on its neighbours in a batch:

* queries that only fill a batch up are masked. The library pads with a blank, which its own mask (a first piece of id
  0) never meets, so a box may be given to a query of another picture,
* a Grounding DINO box is scored by the pieces of its best query, never by the marks between queries, and is given to
  that query whole, not to whichever pieces lie above a second threshold,
* Grounding DINO sees pictures of equal size together: padding changes its boxes,
* a picture with a side beyond 1,536 pixels, more than any of them reads, is shrunk first: OWLv2's own resizing takes 20
  seconds for one of 5,000.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from openmie.errors import ImageError, RecipeError
from openmie.model import safe_loading

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_SIDE = 1536


class Query(NamedTuple):
    """The text that a detector reads in place of a phrase; "" where it has no room for it."""

    text: str
    complete: bool = True  # no word of the phrase had to be left out


class Detections(NamedTuple):
    """All boxes of a picture, unfiltered: float64 xyxy pixels (N, 4), scores (N,) in [0, 1], best query (N,)."""

    boxes: np.ndarray
    scores: np.ndarray
    queries: np.ndarray


class Detector(Protocol):
    """What the search for objects needs of a detector."""

    threshold: float  # score above which its boxes are usually taken

    def make_queries(self, phrases: Sequence[str]) -> list[Query]:
        """One query for each phrase of a picture."""

    def prepare(self, picture: Picture) -> Tensor:
        """Pixels (3, H, W). ImageError for a picture that cannot be read by it."""

    def detect(
        self, pixels: Sequence[Tensor], sizes: Sequence[tuple[int, int]], queries: Sequence[Sequence[str]]
    ) -> list[Detections]:
        """For each picture, of (width, height), the boxes of its queries, of which there is one at least."""


class TransformersDetector(ABC):
    """Preprocessing, batching by size and post-processing, which the families share."""

    threshold: float

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.tokenizer, self.images = model.eval(), processor.tokenizer, processor.image_processor

    def prepare(self, picture: Picture) -> Tensor:
        size = picture.size
        if max(size) > MAX_SIDE:
            picture = picture.copy()
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
        try:  # pictures of three rows or less could be taken for channels first
            made = self.images(images=[picture], return_tensors="pt", input_data_format="channels_last")
        except (ValueError, ZeroDivisionError) as error:
            raise ImageError(
                f"{size[0]} x {size[1]} pixels, which the detector cannot scale ({str(error)[:80]})",
                expected="a picture whose sides differ less",
                remedy="crop it",
            ) from error
        return made["pixel_values"][0]

    @torch.inference_mode()
    def detect(
        self, pixels: Sequence[Tensor], sizes: Sequence[tuple[int, int]], queries: Sequence[Sequence[str]]
    ) -> list[Detections]:
        groups: dict[torch.Size, list[int]] = {}
        for i, x in enumerate(pixels):
            groups.setdefault(x.shape, []).append(i)
        found: dict[int, Detections] = {}
        for part in groups.values():
            texts = [queries[i] for i in part]
            logits, boxes = self._logits(torch.stack([pixels[i] for i in part]).to(self.model.device), texts)
            own = torch.tensor([len(q) for q in texts])[:, None] > torch.arange(logits.shape[-1])  # (B, Q)
            logits = logits.float().cpu().masked_fill(~own[:, None], -torch.inf)
            outputs = SimpleNamespace(logits=logits, pred_boxes=boxes.float().cpu())
            shapes = [sizes[i][::-1] for i in part]
            for i, x in zip(
                part, self.images.post_process_object_detection(outputs, threshold=-1.0, target_sizes=shapes)
            ):
                found[i] = Detections(x["boxes"].double().numpy(), x["scores"].double().numpy(), x["labels"].numpy())
        return [found[i] for i in range(len(pixels))]

    @abstractmethod
    def make_queries(self, phrases: Sequence[str]) -> list[Query]:
        """One query for each phrase of a picture."""

    @abstractmethod
    def _logits(self, pixels: Tensor, queries: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
        """Logits (B, N, Q), whatever behind a picture's own queries, and relative boxes (B, N, 4) as cxcywh."""

    def _shortened(self, phrase: str, room: int) -> tuple[Query, int]:
        """The phrase with as many of its last words as fit in `room` pieces, and how many pieces they are."""
        words = phrase.split()
        for first in range(len(words)):
            text = " ".join(words[first:])
            if 0 < (n := len(self._pieces(text))) <= room:
                return Query(text, not first), n
        return Query("", False), 0

    def _pieces(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


class Owl(TransformersDetector):
    """OWL-ViT (Minderer et al., 2022) and OWLv2 (2023): a query is at most 16 pieces with its two marks."""

    threshold = 0.1

    def make_queries(self, phrases: Sequence[str]) -> list[Query]:
        return [self._shortened(_plain(p), self._window - 2)[0] for p in phrases]

    @property
    def _window(self) -> int:
        return self.model.config.text_config.max_position_embeddings

    def _logits(self, pixels: Tensor, queries: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
        most = max(map(len, queries))
        ids = torch.zeros(len(queries), most, self._window, dtype=torch.long)  # a row that begins with 0 is no query
        mask = torch.ones_like(ids)
        for b, texts in enumerate(queries):
            made = self.tokenizer(list(texts), padding="max_length", max_length=self._window, return_tensors="pt")
            ids[b, : len(texts)], mask[b, : len(texts)] = made["input_ids"], made["attention_mask"]
        device = pixels.device
        made = self.model(
            input_ids=ids.flatten(0, 1).to(device), attention_mask=mask.flatten(0, 1).to(device), pixel_values=pixels
        )
        return made.logits, made.pred_boxes


class GroundingDino(TransformersDetector):
    """Grounding DINO (Liu et al., 2023): `[CLS] first query . second query . [SEP]`, 256 pieces at most."""

    threshold = 0.25

    def make_queries(self, phrases: Sequence[str]) -> list[Query]:
        """Full stops and question marks would end a query, and are left out."""
        text = self.model.config.text_config
        room = min(self.model.config.max_text_len, text.max_position_embeddings) - 2
        queries = []
        for phrase in phrases:
            query, used = self._shortened(_plain(phrase.replace(".", " ").replace("?", " ")), room - 1)
            room -= used + 1 if used else 0
            queries.append(query)
        return queries

    def _logits(self, pixels: Tensor, queries: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
        stop = self.tokenizer.convert_tokens_to_ids(".")
        texts = [[self._pieces(q) for q in qs] for qs in queries]
        rows = [[self.tokenizer.cls_token_id, *(i for q in row for i in (*q, stop)), self.tokenizer.sep_token_id]
                for row in texts]  # fmt: skip
        ids = torch.full((len(rows), max(map(len, rows))), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        owner = torch.full_like(ids, -1)  # the query that a piece belongs to
        for b, (row, pieces) in enumerate(zip(rows, texts)):
            ids[b, : len(row)], mask[b, : len(row)] = torch.tensor(row), 1
            owners = [k for q, x in enumerate(pieces) for k in (*[q] * len(x), -1)]
            owner[b, 1 : 1 + len(owners)] = torch.tensor(owners)
        device = pixels.device
        made = self.model(
            input_ids=ids.to(device), attention_mask=mask.to(device), token_type_ids=torch.zeros_like(ids).to(device),
            pixel_values=pixels,
        )  # fmt: skip
        pieces = made.logits[..., : ids.shape[1]]  # (B, N, W)
        most = max(map(len, queries))
        best = pieces.new_full((*pieces.shape[:2], most + 1), -torch.inf)
        where = owner.remainder(most + 1).to(device)[:, None].expand_as(pieces)  # -1, the marks, is last
        return best.scatter_reduce(-1, where, pieces, "amax")[..., :most], made.pred_boxes


FAMILIES: dict[str, Callable[[Any, Any], TransformersDetector]] = {
    "owlvit": Owl, "owlv2": Owl, "grounding-dino": GroundingDino, "mm-grounding-dino": GroundingDino,
}  # fmt: skip


def load(source: str, device: str = "", revision: str = "") -> TransformersDetector:
    """A detector by hub id or folder, from safetensors only; `device` is torch's name of one, "" the GPU if any.

    `revision`: the commit, branch or tag of a hub id; "" is its main branch, which its owner can change.

    RecipeError: no such model, one of another family, weights that lack, a package that it needs, no such device.
    """
    from transformers import AutoConfig, AutoModelForZeroShotObjectDetection, AutoProcessor

    device = _device(device)
    pinned = {"revision": revision} if revision else {}
    config = _loading(source, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned))
    if config.model_type not in FAMILIES:
        raise RecipeError(
            f"{source!r} is of the family {config.model_type}",
            expected=f"a zero-shot object detector: {', '.join(FAMILIES)}",
            remedy="name one, such as google/owlvit-base-patch32",
        )
    processor = _loading(
        source, lambda: AutoProcessor.from_pretrained(source, backend="pil", trust_remote_code=False, **pinned)
    )
    model, info = _loading(
        source,
        lambda: AutoModelForZeroShotObjectDetection.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, output_loading_info=True, **pinned
        ),
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        lacking = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
        raise RecipeError(
            f"detector {source!r} lacks {len(lacking)} weights, such as {lacking[0]}",
            expected="the weights of a trained detector",
            remedy="fetch it again; random weights would find rubbish",
        )
    found = FAMILIES[config.model_type](model.to(device), processor)
    _loading(source, lambda: found.prepare(import_module("PIL.Image").new("RGB", (8, 8))))
    return found


def _loading(source: str, load: Callable[[], Any]) -> Any:
    try:
        with safe_loading.loading(source, RecipeError):
            return load()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RecipeError(
            f"detector {source!r} cannot be loaded: {first[:200]}",
            expected="a hub id, or a folder with config, tokenizer, image processor and safetensors weights",
            remedy="install the package that it names"
            if isinstance(error, ImportError)
            else "check the name; with no network, pass a local folder",
        ) from error


def _device(name: str) -> str:
    if not name:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise RecipeError(
            f"device {name!r}: {str(error).splitlines()[0][:120]}", expected="cpu, cuda, cuda:1, ...",
            remedy="leave --device out for what is there",
        ) from error  # fmt: skip
    return name


def _plain(phrase: str) -> str:
    """Lower case, single blanks, no half of a UTF-16 pair: what a tokenizer can read."""
    return " ".join(phrase.encode("utf8", "replace").decode("utf8").lower().split())
