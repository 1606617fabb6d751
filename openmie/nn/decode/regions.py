"""Regions: boxes in frames as a set, and the chain that each shows (M3D, eq. 18, 22 and 23, and beyond)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.boxes import box_iou_giou, distinct, in_order, matched
from openmie.nn.decode.mention_candidates import (
    candidates,
    chain_means,
    chains_of,
    count_chains,
    membership,
    span_means,
)
from openmie.nn.decode.slots import FrameSlots, PatchSlots
from openmie.nn.limits import Count, Dropout, Fraction, NonNegative, Positive, Problem, heads_divide, labels_given
from openmie.nn.streams import Stream, Streams

GOLD = ("boxes", "box_labels", "box_of")


@dataclass(frozen=True, kw_only=True)
class Regions:
    """For each slot x of a frame: class softmax(W x), no region among them, and box sigmoid(r + W' x)   (eq. 18).

    A frame's gold boxes are matched with slots one to one at the least cost (Hungarian matching; Carion et al., 2020),
    of the class's probability, the L1 distance and the generalised IoU. The loss is the cross-entropy over slots
    (eq. 22), L1 (eq. 23) and 1 - GIoU of those matched. The paper has a linear layer from the frame's vector to its
    slots (`slots="frame"`, r = 0), its release takes slot k for the k-th line of a file (`match="order"`), and L1 alone
    (`giou=0`). Ours look at the frame's patches, without which a box has nowhere to come from (`slots="patches"`).
    `links` (ours) names the chain that a box shows, or none: softmax over chains of x^T W'' c.

    Reads `input_stream` (B, F, D), `patches` and `words`, predicts `boxes` (B, F, Q, 4), `box_labels` and `box_of`.

    Args:
        labels: region labels.
        num_slots: Q, maximum number of boxes per frame.
        slots: what slots read: `patches` (ours), or the `frame`'s vector, as in the paper.
        match: `set`: Hungarian matching; `order`: slot k takes the k-th box of the file, as released.
        box_loss: slots whose L1 distance counts: those `matched` with a gold box, or `every` one, as released, where
            the gold of an empty slot is a box of zeros.
        links: predict the chain that each box depicts (ours).
        l1_weight: weight of the L1 distance of boxes; that of the cross-entropy is 1.
        giou_weight: weight of 1 - GIoU; 0 as in the paper.
        no_object_weight: class weight of slots without a box in the cross-entropy, undone in predictions (ours); 1 in
            the paper.
        nms_iou: IoU above which the less probable of two boxes of a frame is dropped (ours).
        input_stream: name of the stream whose tokens are the frames.
        patches: name of the stream whose tokens are their patches.
        words: name of the stream at whose words chains are read.
        width: hidden size of `patches` slots, which `heads` must divide.
        heads: number of attention heads.
        layers: number of decoder layers.
        expansion: inner size of the feed-forward layers, as a multiple of `width`.
        dropout: probability of dropout on the head's input.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    num_slots: Count = 8
    slots: Literal["patches", "frame"] = "patches"
    match: Literal["set", "order"] = "set"
    box_loss: Literal["matched", "every"] = "matched"
    links: bool = True
    l1_weight: NonNegative = 5.0
    giou_weight: NonNegative = 2.0
    no_object_weight: Positive = 0.3
    nms_iou: Fraction = 0.9
    input_stream: str = "frames"
    patches: str = "vision"
    words: str = "fused"
    width: Count = 128
    heads: Count = 4
    layers: Count = 2
    expansion: Count = 2
    dropout: Dropout = 0.1
    weight: NonNegative = 1.0
    name: str = "regions"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream, self.patches, *((self.words,) if self.links else ())})

    def makes(self) -> frozenset[str]:
        return frozenset({"boxes"})

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)
        yield from heads_divide(self.heads, self.width)

    def build(self, widths: dict[str, int]) -> nn.Module:
        return RegionsHead(self, widths)


class RegionsHead(nn.Module):
    """loss over frames of documents that have them; predict: `boxes` (B, F, Q, 4) as cx, cy, w, h in 0..1 of the frame,
    `box_labels` (-1: no region), `box_scores` and `box_of` (B, F, Q), the index of a chain or -1.
    """

    share: Tensor  # (L + 1,) weight of each class

    def __init__(self, config: Regions, widths: dict[str, int]) -> None:
        super().__init__()
        self.name, self.weight, self.none = config.name, config.weight, len(config.labels)
        self.input_stream, self.patches, self.words = config.input_stream, config.patches, config.words
        self.l1, self.giou, self.same = config.l1_weight, config.giou_weight, config.nms_iou
        own, by_patches = widths[config.input_stream], config.slots == "patches"
        self.slots = (
            PatchSlots(config, own, widths[config.patches]) if by_patches else FrameSlots(config.num_slots, own)
        )
        e = config.width if by_patches else own
        self.label, self.box = nn.Linear(e, self.none + 1), nn.Linear(e, 4)
        self.every_box = config.box_loss == "every"
        self.match = matched if config.match == "set" else in_order
        self.link = ChainLink(e, widths[config.words]) if config.links else None
        self.register_buffer("share", torch.tensor([*[1.0] * self.none, config.no_object_weight]), persistent=False)

    def found(self, streams: Streams) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of each layer: slots (B, F, Q, E), logits of their class (B, F, Q, L + 1), boxes (B, F, Q, 4)."""
        outputs = self.slots(streams[self.input_stream], streams[self.patches])
        made = [(x, self.label(x), (box + self.box(x)).sigmoid()) for x, box in outputs]
        kind = torch.promote_types(made[0][1].dtype, torch.float32)  # overlaps are too fine for half precision
        return [(x, logits.to(kind), boxes.to(kind)) for x, logits, boxes in made]

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        frames = streams[self.input_stream]
        at = (frames.mask & frames.present[:, None]).nonzero(as_tuple=True)  # type: ignore[index]
        gold = {k: within(v, frames.mask.shape[1])[at] for k, v in targets.items() if k in GOLD}
        losses = []
        for x, logits, boxes in self.found(streams):
            if not len(at[0]):
                losses.append((logits.sum() + boxes.sum()) * 0.0)
                continue
            k, g, slot = self._matches(logits[at], boxes[at], gold)
            loss = self._set_loss(logits[at], boxes[at], gold, (k, g, slot))
            if self.link is not None and "box_of" in gold and len(k):
                words = streams[self.words], given
                loss = loss + self.link.loss(x[at][k, slot], at[0][k], gold["box_of"][k, g], words)
            losses.append(loss)
        unused = sum(p.sum() for p in self.link.parameters()) * 0.0 if self.link is not None else 0.0
        return torch.stack(losses).mean() + unused  # each parameter has a gradient in every step

    def _matches(self, logits: Tensor, boxes: Tensor, gold: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Frame, gold box and slot (M,) of each match in K frames, by class (K, Q, L + 1) and boxes (K, Q, 4)."""
        label = gold["box_labels"].clamp_min(0)[:, None].expand(-1, logits.shape[1], -1)
        ours, theirs = boxes[:, :, None], gold["boxes"][:, None].to(boxes.dtype)
        cost = self.l1 * (ours - theirs).abs().sum(-1) - self.giou * box_iou_giou(ours, theirs)[1]
        slot = self.match(cost - logits.softmax(-1).gather(2, label), gold["box_labels"] >= 0)  # (K, G)
        k, g = (slot >= 0).nonzero(as_tuple=True)
        return k, g, slot[k, g]

    def _set_loss(self, logits: Tensor, boxes: Tensor, gold: Mapping[str, Tensor], at: tuple[Tensor, ...]) -> Tensor:
        k, g, slot = at
        wanted = torch.full(logits.shape[:2], self.none, device=logits.device)
        wanted[k, slot] = gold["box_labels"][k, g]
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), self.share.to(logits.dtype))
        theirs = gold["boxes"][k, g].to(boxes.dtype)
        loss = loss + self.l1 * self._distance(boxes, theirs, (k, slot))
        return loss + self.giou * (1.0 - box_iou_giou(boxes[k, slot], theirs)[1]).mean() if len(k) else loss

    def _distance(self, boxes: Tensor, gold: Tensor, at: tuple[Tensor, Tensor]) -> Tensor:
        """L1 (eq. 23) between the boxes (K, Q, 4) at frame and slot `at` and gold (M, 4); or of every slot."""
        if self.every_box:
            return (boxes - torch.zeros_like(boxes).index_put(at, gold)).abs().sum(-1).mean()
        return (boxes[at] - gold).abs().sum(-1).mean() if len(gold) else boxes.sum() * 0.0

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        frames = streams[self.input_stream]
        x, logits, boxes = self.found(streams)[-1]
        scores, labels = (logits - self.share.log()).softmax(-1).max(-1)  # (B, F, Q)
        real = (frames.mask & frames.present[:, None])[..., None] & (labels < self.none)  # type: ignore[index]
        real = distinct(boxes.flatten(0, 1), scores.flatten(0, 1), real.flatten(0, 1), self.same).view_as(real)
        of, made = torch.full_like(labels, -1), {}
        if self.link is not None and {"spans", "tags"} & given.keys():
            stream = streams[self.words]
            made = candidates(given, stream)
            of = self.link.predict(x, (stream, {**given, **made}))
        return {
            **made,
            "boxes": torch.where(real[..., None], boxes, 0.0),
            "box_labels": labels.masked_fill(~real, -1),
            "box_scores": torch.where(real, scores, 0.0),
            "box_of": of.masked_fill(~real, -1),
        }


class ChainLink(nn.Module):
    """Scores of a region x (.., E) for each chain c of its document and for none: (W x) c / sqrt(D), and w x + b."""

    def __init__(self, region: int, words: int) -> None:
        super().__init__()
        self.query, self.none = nn.Linear(region, words), nn.Linear(region, 1)

    def chains(self, words: tuple[Stream, Mapping[str, Tensor]]) -> tuple[Tensor, Tensor]:
        """Vectors (B, C, D) and which of them are chains (B, C)."""
        stream, given = words
        chain_of = chains_of(given, stream)
        member = membership(chain_of, count_chains(chain_of))
        return chain_means(span_means(stream, given["spans"]), member), member.any(1)

    def logits(self, x: Tensor, chains: Tensor, real: Tensor) -> Tensor:
        """x (B, N, E), chains (B, C, D), real (B, C) -> (B, N, C + 1), none last."""
        scores = self.query(x) @ chains.transpose(1, 2) / chains.shape[-1] ** 0.5
        scores = scores.masked_fill(~real[:, None], torch.finfo(scores.dtype).min)
        return torch.cat([scores, self.none(x)], -1)

    def loss(self, x: Tensor, row: Tensor, of: Tensor, words: tuple[Stream, Mapping[str, Tensor]]) -> Tensor:
        """x (M, E), the documents of M regions, their chains (-1: none); documents without their text cost nothing."""
        chains, real = self.chains(words)
        logits = self.logits(x[:, None], chains[row], real[row])[:, 0]  # (M, C + 1)
        there = words[0].present[row]  # type: ignore[index]
        wanted = torch.where(of < 0, chains.shape[1], of)
        return F.cross_entropy(logits[there], wanted[there]) if there.any() else x.sum() * 0.0

    def predict(self, x: Tensor, words: tuple[Stream, Mapping[str, Tensor]]) -> Tensor:
        """x (B, F, Q, E) -> chain or -1 (B, F, Q)."""
        chains, real = self.chains(words)
        best = self.logits(x.flatten(1, 2), chains, real).argmax(-1)
        return best.masked_fill(best == chains.shape[1], -1).view(x.shape[:3])


def within(x: Tensor, frames: int) -> Tensor:
    """Gold of Ft frames (B, Ft, ..) cut or padded to F: what lies beyond is of documents whose frames are missing."""
    fill = -1.0 if not x.is_floating_point() else 0.0
    rest = (0, 0) * (x.dim() - 2)
    return F.pad(x, (*rest, 0, max(0, frames - x.shape[1])), value=fill)[:, :frames]
