"""A recipe is checked before anything is built: a part's needs are made before it, and every number means something."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any, get_args

from openmie.errors import RecipeError
from openmie.nn.decode.word_pairs import WordPairs
from openmie.nn.encode.dual import Dual
from openmie.nn.encode.mutual import Mutual
from openmie.nn.encode.prefix import Prefix
from openmie.nn.fuse.adaptive import Adaptive
from openmie.nn.fuse.cross import Cross
from openmie.nn.fuse.interweave import Interweave
from openmie.nn.streams import ROLES
from openmie.recipe.parts import KINDS, Head, Recipe


def check(recipe: Recipe) -> Recipe:
    """Walk the parts once: what each needs must have been made before it. Returns the recipe, or raises RecipeError."""
    if not recipe.heads:
        raise RecipeError(
            "no head",
            expected="at least one of " + ", ".join(h.__name__ for h in get_args(Head)),
            where=recipe.name,
            remedy="a recipe answers something: add a head",
        )
    _check_values(recipe, "")
    encoded = recipe.encode.makes() | recipe.complete.makes()
    have, shape = encoded, recipe.encode
    for part in recipe.fuse:
        _need(part, have, shape)
        have, shape = have | part.makes(), part
    fused = have | {"fused"}  # with no fusion the words themselves
    for align in recipe.align:
        _need(align, encoded if align.at == "encoded" else fused, recipe.encode)
    for head in recipe.heads:
        _need(head, fused | {"tags"}, shape)
        if not head.labels:
            raise RecipeError(
                f"{type(head).__name__} has no labels",
                expected="the label set of a corpus",
                remedy="build the recipe with recipe(corpus=...)",
                where=f"heads.{head.name}",
            )
    names = [h.name for h in recipe.heads]
    if len(set(names)) < len(names):
        raise RecipeError(f"heads named {names}", expected="one name each", remedy="set `name` of one", where="heads")
    _check_heads(recipe)
    return recipe


# Numbers (lowest, highest) and choices of our own parts: by a field's name, or by part and name where a part differs.
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("epochs", "batch", "heads", "layers", "width", "expansion", "context_pieces"), (1, math.inf)),
    **dict.fromkeys(("patience", "objects", "clip", "lr", "weight_decay", "weight"), (0, math.inf)),
    **dict.fromkeys(("warmup", "dropout", "drop_context"), (0, 1)),
    **dict.fromkeys(("hidden", "scale"), (0, math.inf)),
    **dict.fromkeys(("tau", "accuracy", "empty"), (1e-6, math.inf)),
    **dict.fromkeys(("positives", "own", "warmup_steps"), (0, math.inf)),
    "share": (1e-6, 1),
    "size": (16, math.inf),
    **dict.fromkeys(("prompt", "kernel", "latent", "ffn", "count"), (1, math.inf)),
    **dict.fromkeys(("reconstruct", "kl", "rank", "l1", "giou", "alike"), (0, math.inf)),
    **dict.fromkeys(("drop", "threshold", "same", "Denoised.frames"), (0, 1)),
    **dict.fromkeys(("PromptConv.levels", "Denoised.levels", "Denoised.hidden"), (1, math.inf)),
    "Align.width": (0, math.inf),
    **dict.fromkeys(("Prefix.cells", "Prefix.hidden", "Prefix.groups", "frames", "chunk"), (1, math.inf)),
    "Hierarchical.size": (0, math.inf),
}
CHOICES = {
    "schedule": ("linear", "cosine", "constant"),
    "metric": ("", "ner", "re", "joint", "document", "own", "released"),
    "pool": ("first", "mean"),
    "Text.pool": ("first", "mean", "max"),
    "at": ("encoded", "fused"),
    "gates": ("tanh", "sigmoid"),
    "spread": ("sum", "mean"),
    "estimator": ("exact", "cyclic", "enumerate"),
    "negatives": ("mean", "sum"),
    "contrast": ("literal", "log", None),
    "scheme": ("exact", "as_released"),
    "per": ("word", "document"),
    "order": ("lagged", "vision_first"),
    "Mutual.first": ("projected", "raw", "none"),
    "Translate.pool": ("mean", "sum"),
    "object_words": ("phrases", "text"),
    "gate": ("vector", "scalar", "none"),
    "Caption.keep": ("both", "side"),
    "mix": ("matrix", "scalar"),
    "Denoised.pool": ("mean", "sum"),
    "Chains.link": ("closure", "best"),
    "decide": ("several", "one"),
    "ChainRelations.chain": ("mean", "vote"),
    "slots": ("patches", "frame"),
    "Regions.match": ("set", "order"),
}


def _check_values(part: Any, where: str) -> None:
    """Every number and choice of our own parts lies where it means something."""
    for f in fields(part) if type(part) in KINDS.values() else ():
        value, path = getattr(part, f.name), f"{where}.{f.name}".strip(".")
        for i, inner in enumerate(value if isinstance(value, tuple) else (value,)):
            if is_dataclass(inner):
                _check_values(inner, f"{path}.{i}" if isinstance(value, tuple) else path)
        own = f"{type(part).__name__}.{f.name}"
        low, high = LIMITS.get(own) or LIMITS.get(f.name, (-math.inf, math.inf))
        if isinstance(value, int | float) and not low <= value <= high:
            expected = f"from {low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
            raise RecipeError(repr(value), expected=expected, where=path, remedy="see the field's comment")
        choices = CHOICES.get(own) or CHOICES.get(f.name)
        if choices and value not in choices:
            options = ", ".join(f"`{c}`" for c in choices)
            raise RecipeError(repr(value), expected=f"one of {options}", where=path, remedy=f"change `{f.name}`")
    if isinstance(part, Dual) and part.drop_context and part.text.freeze:
        raise RecipeError(
            f"drop_context={part.drop_context} with a frozen text encoder",
            expected="0, for its states are made once, with their context",
            where=where,
            remedy="set encode.drop_context=0, or train the encoder",
        )
    if isinstance(part, Dual | Mutual | Prefix) and part.text.pool == "max":
        raise RecipeError(
            "pool='max'",
            expected="`first` or `mean`",
            where=f"{where}.text.pool",
            remedy="change it; the encoder that takes the largest value is Hierarchical",
        )
    if isinstance(part, Cross | Adaptive | Interweave) and part.width % part.heads:
        raise RecipeError(
            f"{part.heads} heads in a width of {part.width}",
            expected="a width that the heads divide",
            where=where,
            remedy="change `heads` or `width`",
        )


def _check_heads(recipe: Recipe) -> None:
    """One head an answer; a relation head beside a tagger reads its entities, so it comes after it, without markers."""
    _check_metric(recipe)
    if recipe.task == "document":
        _check_document(recipe)
        return
    answers = ("tags", "relations", "cells")
    made = [a for h in recipe.heads for a in answers if a in h.makes()]
    markers = any(getattr(h, "markers", False) for h in recipe.heads)
    alone = "cells" in made or any(isinstance(h, WordPairs) for h in recipe.heads)
    odd = len(set(made)) < len(made) or made == ["relations", "tags"] or (len(made) == 2 and markers)
    if odd or (alone and len(made) > 1):
        raise RecipeError(
            f"heads {[type(h).__name__ for h in recipe.heads]}" + (", markers=True" if markers else ""),
            expected="one head that makes tags, or one that makes relations, or both: tags first, then relations "
            "with markers=False; or WordPairs by itself",
            where="heads",
            remedy="markers stand around entities that are given; beside a tagger set markers=False",
        )


CHAINED = ("tags", "chain_of", "links", "boxes")  # in the order in which heads of a document answer


def _check_document(recipe: Recipe) -> None:
    """One head an answer, in the order of what reads what; chains between tags and links."""
    made = [a for h in recipe.heads for a in ("relations", "cells", *CHAINED) if a in h.makes()]
    ordered = [a for a in CHAINED if a in made]
    if made != ordered or (ordered[:1] == ["tags"] and "links" in made and "chain_of" not in made):
        raise RecipeError(
            f"heads {[type(h).__name__ for h in recipe.heads]}",
            expected="entities, chains, relations between chains, regions: in this order, at most one of each, and "
            "chains wherever both entities and relations are found",
            where="heads",
            remedy="reorder them; heads that are missing answer about what the document gives",
        )


def _check_metric(recipe: Recipe) -> None:
    """What dev is selected by is something that the heads answer."""
    metric, released = recipe.training.metric, ("document", "own", "released")
    known = {"joint": ("ner", "re", "joint"), "document": released}.get(recipe.task, (recipe.task,))
    if metric not in ("", *known):
        raise RecipeError(
            f"metric {metric!r}",
            expected=f"{recipe.task!r}, which is what the heads answer",
            where="training.metric",
            remedy="leave it empty",
        )


def _need(part: Any, have: frozenset[str], before: Any) -> None:
    missing = sorted(part.needs() - have)
    if missing:
        odd = [m for m in missing if m not in (*ROLES, "tags")]
        raise RecipeError(
            f"{type(part).__name__} needs {missing}, and {sorted(have)} are made before it",
            expected=f"roles among {ROLES}" if odd else f"{missing} from {type(before).__name__} or a part",
            remedy="give the encoder that side (vision, context, objects), or change the part's roles",
        )
