"""The closed unions of parts, how a recipe is trained, and the recipe itself: frozen configs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.align.shapley import Shapley
from openmie.nn.align.topk import TopK
from openmie.nn.complete.blank import Blank
from openmie.nn.complete.prompt_conv import PromptConv
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Chains
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.regions import Regions
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Crf, Softmax
from openmie.nn.decode.word_pairs import WordPairs
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.encode.hierarchical import Hierarchical
from openmie.nn.encode.mutual import Mutual
from openmie.nn.encode.prefix import Prefix
from openmie.nn.fuse.adaptive import Adaptive
from openmie.nn.fuse.caption import Caption
from openmie.nn.fuse.cross import Cross
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.fuse.frames import Frames
from openmie.nn.fuse.interweave import Interweave
from openmie.nn.fuse.one_stream import OneStream
from openmie.nn.fuse.translate import Translate
from openmie.nn.fuse.two_stream import TwoStream
from openmie.nn.limits import Count, CountOrZero, Fraction, NonNegative, PositiveFraction, Problem
from openmie.recipe.head_rules import head_problems, metric_problems
from openmie.recipe.part_rules import part_problems

Encode = Dual | Mutual | Prefix | Hierarchical
Complete = Blank | PromptConv
Fuse = Cross | Adaptive | Interweave | Caption | Translate | Denoised | Frames | OneStream | TwoStream
Head = Crf | Softmax | EntityMarkers | WordPairs | Chains | ChainRelations | Regions
Loss = InfoNCE | Shapley | TopK


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters with one learning rate. A parameter belongs to the first group that matches its name.

    Args:
        match: prefix of the parameter's name, or `.match.` inside it; empty: all that are left.
        lr: peak learning rate.
        weight_decay: AdamW's weight decay; never applied to vectors (biases, norms, CRF boundary scores).
    """

    match: str = ""
    lr: NonNegative = 1e-3
    weight_decay: NonNegative = 0.01


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a recipe is trained, by AdamW.

    Args:
        epochs: number of passes over the training documents.
        batch_size: documents per step, of all processes together; with entity markers, entity pairs per step.
        param_groups: parameter groups.
        lr_schedule: after the warm-up: `linear` or `cosine` decay to 0, or `constant`.
        warmup_ratio: share of all steps in which the learning rate rises from 0.
        max_grad_norm: the gradient's global norm is clipped at it; 0: not clipped.
        first_dev_epoch: the first epoch, from 1, after which dev is scored; the last epoch always is.
        patience: epochs without a better dev score after which training stops; 0: never.
        selection_metric: dev score that chooses the best epoch; empty: the task's own.
        train_fraction: share of the training documents, sampled by the seed; smaller samples are subsets of larger
            ones.
        span_edges: what becomes of gold spans that cut words, in training and scoring: `expand` them to whole words,
            `shrink` them, or `drop` them, their words left open; see `openmie.text.span_edges`.
        max_unreadable_images: share of the images, 0 to 1, that may be unreadable; above it, nothing is trained.
    """

    epochs: Count = 8
    batch_size: Count = 32
    param_groups: tuple[Group, ...] = (Group(),)
    lr_schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_ratio: Fraction = 0.1
    max_grad_norm: NonNegative = 1.0
    first_dev_epoch: Count = 1
    patience: CountOrZero = 0
    selection_metric: Literal["", "ner", "re", "joint", "document", "own", "released"] = ""
    train_fraction: PositiveFraction = 1.0
    span_edges: Literal["expand", "shrink", "drop"] = "expand"
    max_unreadable_images: Fraction = 0.25


TASKS = {("tags",): "ner", ("relations",): "re", ("relations", "tags"): "joint", ("cells",): "joint"}
DOCUMENT = frozenset({"chain_of", "links", "boxes"})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The configuration of a model and its training: encode -> complete -> fuse -> heads.

    Alignments read the streams before or after the fusion. `openmie.recipe.check` raises RecipeError where the parts do
    not fit together.

    Args:
        name: name of the system and flavour, in records, tables and the model card.
        encode: encoder config.
        complete: config of the completion of missing modalities.
        fuse: fusion configs, applied in order.
        align: alignments.
        heads: head configs, in the order in which they predict.
        training: how it is trained.
    """

    name: str
    encode: Encode = field(default_factory=Dual)
    complete: Complete = field(default_factory=Blank)
    fuse: tuple[Any, ...] = ()
    align: tuple[Align, ...] = ()
    heads: tuple[Any, ...] = ()
    training: Training = field(default_factory=Training)

    @property
    def is_generative(self) -> bool:
        """Whether the system is a language model that writes its predictions; never, if it is built from parts."""
        return False

    @property
    def task(self) -> str:
        """`ner`, `re` or `joint`, by what the heads make; with chains, links between them or boxes, `document`."""
        made = frozenset().union(*(h.makes() for h in self.heads)) if self.heads else frozenset()
        if made & DOCUMENT:
            return "document"
        return TASKS.get(tuple(sorted(made)), "")

    @property
    def symmetric_labels(self) -> frozenset[str]:
        """Relation labels without a direction: those of all heads. Training, evaluation and reports read them here."""
        return frozenset(label for head in self.heads for label in getattr(head, "symmetric", ()))

    def problems(self) -> Iterator[Problem]:
        odd = [*part_problems("fuse", self.fuse, Fuse, KINDS), *part_problems("heads", self.heads, Head, KINDS)]
        for i, align in enumerate(self.align):
            odd += part_problems(f"align.{i}.loss", (align.loss,), Loss, KINDS)
        if odd:  # the rules below ask the parts
            yield from odd
            return
        yield from head_problems(self.task, self.heads)
        yield from metric_problems(self.task, self.training.selection_metric)


KINDS: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        *(Recipe, Training, Group, Text, Vision, Align, Channels),
        *(*get_args(Encode), *get_args(Complete), *get_args(Fuse), *get_args(Head), *get_args(Loss)),
    )
}
