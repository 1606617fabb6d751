"""Whether the training documents can feed all that a recipe learns with: modalities, alignments, heads.

A branch that no document can feed would be trained without a word, as another system than the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord, TrainError
from openmie.model.features.context import context_generator
from openmie.model.features.modalities import modalities_of
from openmie.recipe import Recipe

GOLD = {  # target of a head -> layers that it learns from, any of them
    "tags": ("mentions",),
    "relations": ("relations",),
    "cells": ("relations", "mentions"),
    "chain_of": ("chains",),
    "links": ("relations",),
    "boxes": ("regions",),
}
ATTACH = {  # modality -> what would make it
    "context": "captions: FORMAT:PATH?captions=NAME",
    "vision": "images: FORMAT:PATH?images=FOLDER",
    "objects": "object images: mnre:PATH?objects=FOLDER, or `openmie objects`",
    "generated": "generated images: mnre:PATH?generated=FOLDER",
    "generated_objects": "objects of the generated images: mnre:PATH?generated_objects=FOLDER, or `openmie objects`",
    "phrases": "phrases: mnre:PATH?phrases=FOLDER, or `openmie objects`",
}


OTHERWISE = "; or train an ablation without it"


class UnfedError(TrainError):
    """A part of the recipe that no training document can feed."""


def check_fed(recipe: Recipe, documents: Sequence[Document]) -> None:
    """UnfedError, which names all that is missing, unless some document feeds each modality, alignment and head."""
    if problems := list(unfed(recipe, documents)):
        remedies = dict.fromkeys(p.remedy.removesuffix(OTHERWISE) for p in problems)
        raise UnfedError(
            f"none of {len(documents)} training documents has {'; nor '.join(p.found for p in problems)}",
            expected="at least one that has, for else this part is never trained",
            where="; ".join(p.where for p in problems),
            remedy="; ".join(remedies) + OTHERWISE,
        )


def unfed(recipe: Recipe, documents: Iterable[Document]) -> Iterator[ErrorRecord]:
    """A record for each part of a recipe that none of these documents can feed; `found` is what none has.

    Args:
        recipe: a checked one.
        documents: of the training; read twice.
    """
    encode: Any = recipe.encode
    name = context_generator(encode.inputs.context, documents)
    inputs = replace(encode.inputs, context=name)
    roles, sources = sorted(encode.makes(), key=lambda r: [*ATTACH, r].index(r)), sources_of(recipe)
    wanted: dict[str, list[tuple[str, ...]]] = {f"encode, which reads {role}": [(role,)] for role in roles}
    for i, align in enumerate(recipe.align):
        needed = [sources.get(r, (r,)) for r in (*align.first, *align.second)]
        wanted[f"align.{i}, between {'+'.join(align.first)} and {'+'.join(align.second)}"] = needed
    heads = {
        f"heads.{i}, which learns {t}": GOLD[t] for i, h in enumerate(recipe.heads) for t in h.makes() if t in GOLD
    }
    for document in documents:
        has = modalities_of(document, inputs)
        for key in [k for k, needed in wanted.items() if all(has & {*some} for some in needed)]:
            del wanted[key]
        for key in [k for k, layers in heads.items() if any(getattr(document, layer) for layer in layers)]:
            del heads[key]
        if not wanted and not heads:
            return
    for part, needed in wanted.items():
        what = " together with ".join(dict.fromkeys(" or ".join(some) for some in needed))
        yield ErrorRecord(where=part, found=what, remedy=_attach(needed) + OTHERWISE)
    for part, layers in heads.items():
        yield ErrorRecord(where=part, found=" or ".join(layers), remedy="annotate them" + OTHERWISE)


def sources_of(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """What a stream that a part makes is present by, any of these modalities: `original` by `vision` or `objects`."""
    found: dict[str, tuple[str, ...]] = {"fused": ("text",)}
    for part in recipe.fuse:
        found |= getattr(part, "sources", dict)()
    return found


def _attach(needed: Iterable[Sequence[str]]) -> str:
    roles = dict.fromkeys(r for some in needed for r in some)
    ways = [ATTACH[r] for r in roles if r in ATTACH]
    return "attach " + "; ".join(ways) if ways else "look at the corpus with `openmie doctor`"


def with_ablations(error: UnfedError, variants: Mapping[str, Recipe], documents: Iterable[Document]) -> UnfedError:
    """The same error, naming the variants that these documents can feed.

    Args:
        error: of the recipe.
        variants: ablations of the same system, by name.
        documents: of the training.
    """
    fits = [repr(name) for name, recipe in variants.items() if not any(unfed(recipe, documents))]
    told = f"; or take one of these by --ablate: {', '.join(fits)}" if fits else "; no ablation can do without"
    return UnfedError.of(error.record.model_copy(update={"remedy": error.record.remedy.replace(OTHERWISE, told)}))
