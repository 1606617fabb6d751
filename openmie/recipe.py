"""A recipe says which parts a system is made of and how it is trained: frozen configs, written down as JSON.

`{"kind": "Cross", "heads": 8}` resolves against the closed union of parts below: no registry, no dotted path. A part
of the user's own is a config object in the recipe; it is saved under its class name and found again through `parts=`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.align.shapley import Shapley
from openmie.nn.complete.blank import Blank
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Crf, Softmax
from openmie.nn.decode.word_pairs import WordPairs
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.fuse.adaptive import Adaptive
from openmie.nn.fuse.cross import Cross
from openmie.nn.streams import ROLES

Encode = Dual
Complete = Blank
Fuse = Cross | Adaptive
Head = Crf | Softmax | EntityMarkers | WordPairs
Loss = InfoNCE | Shapley


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters whose name begins with `match` (or holds `.match.`), the first group that fits taking each."""

    match: str = ""  # empty: all that is left
    lr: float = 1e-3  # peak learning rate
    weight_decay: float = 0.01  # AdamW; never applied to vectors (biases, norms, CRF boundaries)


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a recipe is trained, unless the command line says otherwise."""

    epochs: int = 8
    batch: int = 32  # documents, or given pairs of a marker recipe, a step
    groups: tuple[Group, ...] = (Group(),)
    schedule: str = "linear"  # after the warm-up: `linear` or `cosine` to zero, or `constant`
    warmup: float = 0.1  # share of all steps
    clip: float = 1.0  # norm of the whole gradient; 0: off
    patience: int = 0  # epochs without a better dev score before stopping; 0: never
    metric: str = ""  # selection on dev: `ner`, `re` or `joint`; default: what the heads answer


TASKS = {("tags",): "ner", ("relations",): "re", ("relations", "tags"): "joint", ("cells",): "joint"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """encode -> complete -> fuse -> heads, with alignments tapped before or after the fusion."""

    name: str
    encode: Encode = field(default_factory=Dual)
    complete: Complete = field(default_factory=Blank)
    fuse: tuple[Any, ...] = ()  # Fuse, or a part of the user's own
    align: tuple[Align, ...] = ()
    heads: tuple[Any, ...] = ()  # Head, in the order in which they answer
    training: Training = field(default_factory=Training)

    @property
    def task(self) -> str:
        """`ner`, `re` or `joint`, by what the heads make."""
        made = frozenset().union(*(h.makes() for h in self.heads)) if self.heads else frozenset()
        return TASKS.get(tuple(sorted(made)), "")


KINDS: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        *(Recipe, Training, Group, Text, Vision, Encode, Complete, Align, Channels),
        *(*get_args(Fuse), *get_args(Head), *get_args(Loss)),
    )
}


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


LIMITS: dict[str, tuple[float, float]] = {  # numbers of our own parts, by field name: lowest and highest
    **dict.fromkeys(("epochs", "batch", "heads", "layers", "width", "expansion", "context_pieces"), (1, math.inf)),
    **dict.fromkeys(("patience", "objects", "clip", "lr", "weight_decay", "weight"), (0, math.inf)),
    **dict.fromkeys(("warmup", "dropout", "drop_context"), (0, 1)),
    **dict.fromkeys(("hidden", "scale"), (0, math.inf)),
    **dict.fromkeys(("tau", "accuracy"), (1e-6, math.inf)),
}
UNSET_WIDTH = (Align,)  # parts whose `width` may be 0
CHOICES = {
    "schedule": ("linear", "cosine", "constant"),
    "metric": ("", "ner", "re", "joint"),
    "pool": ("first", "mean"),
    "at": ("encoded", "fused"),
    "gates": ("tanh", "sigmoid"),
    "spread": ("sum", "mean"),
    "estimator": ("exact", "cyclic", "enumerate"),
    "negatives": ("mean", "sum"),
    "contrast": ("literal", "log", None),
    "scheme": ("exact", "as_released"),
    "per": ("word", "document"),
}


def _check_values(part: Any, where: str) -> None:
    """Every number and choice of our own parts lies where it means something."""
    for f in fields(part) if type(part) in KINDS.values() else ():
        value, path = getattr(part, f.name), f"{where}.{f.name}".strip(".")
        for i, inner in enumerate(value if isinstance(value, tuple) else (value,)):
            if is_dataclass(inner):
                _check_values(inner, f"{path}.{i}" if isinstance(value, tuple) else path)
        low, high = LIMITS.get(f.name, (-math.inf, math.inf))
        low = 0 if f.name == "width" and isinstance(part, UNSET_WIDTH) else low
        if isinstance(value, int | float) and not low <= value <= high:
            expected = f"from {low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
            raise RecipeError(repr(value), expected=expected, where=path, remedy="see the field's comment")
        if f.name in CHOICES and value not in CHOICES[f.name]:
            options = ", ".join(f"`{c}`" for c in CHOICES[f.name])
            raise RecipeError(repr(value), expected=f"one of {options}", where=path, remedy=f"change `{f.name}`")
    if isinstance(part, Dual) and part.drop_context and part.text.freeze:
        raise RecipeError(
            f"drop_context={part.drop_context} with a frozen text encoder",
            expected="0, for its states are made once, with their context",
            where=where,
            remedy="set encode.drop_context=0, or train the encoder",
        )
    if isinstance(part, Cross | Adaptive) and part.width % part.heads:
        raise RecipeError(
            f"{part.heads} heads in a width of {part.width}",
            expected="a width that the heads divide",
            where=where,
            remedy="change `heads` or `width`",
        )


def _check_heads(recipe: Recipe) -> None:
    """One head an answer; a relation head beside a tagger reads its entities, so it comes after it, without markers."""
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
    if recipe.training.metric not in ("", recipe.task) and recipe.task != "joint":
        raise RecipeError(
            f"metric {recipe.training.metric!r}",
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


def dump(recipe: Any) -> dict[str, Any]:
    """A recipe, or one of its parts, as plain JSON data; the inverse of `load`."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        return {"kind": type(recipe).__name__} | {f.name: dump(getattr(recipe, f.name)) for f in fields(recipe)}
    if isinstance(recipe, tuple):
        return [dump(x) for x in recipe]  # type: ignore[return-value]
    return recipe


def load(data: Mapping[str, Any] | str, parts: Iterable[type] = ()) -> Any:
    """JSON text or data to a recipe; `parts` are config classes of the user's own that it may name."""
    try:
        data = json.loads(data) if isinstance(data, str) else data
        return _load(data, Any, KINDS | {p.__name__: p for p in parts}, "recipe")
    except (json.JSONDecodeError, RecursionError) as error:
        raise RecipeError(f"not JSON: {error}", expected="what dump() wrote", remedy="mend the file") from None


def _load(value: Any, hint: Any, kinds: Mapping[str, type], where: str) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise RecipeError(
                f"kind {kind!r}",
                expected=f"one of {sorted(kinds)}",
                where=where,
                remedy="correct the name, or pass your own class: load(..., parts=[MyPart])",
            )
        cls = kinds[kind]
        hints, known = get_type_hints(cls), {f.name: f for f in fields(cls) if f.init}
        unknown = sorted(set(value) - set(known) - {"kind"})
        if unknown:
            raise RecipeError(
                f"{kind} has no field {unknown}",
                expected=f"fields {sorted(known)}",
                where=where,
                remedy="correct the name; a recipe of a newer release needs that release",
            )
        given = {k: _load(v, hints[k], kinds, f"{where}.{k}") for k, v in value.items() if k != "kind"}
        lacking = [
            k for k, f in known.items() if k not in given and f.default is MISSING and f.default_factory is MISSING
        ]
        if lacking:
            raise RecipeError(
                f"{kind} without {lacking}", expected="all fields that have no default", where=where, remedy="add them"
            )
        return _typed(cls(**given), hint, where)
    if isinstance(value, list | tuple):
        inner = next(iter(get_args(hint)), Any)
        return _typed(tuple(_load(v, inner, kinds, f"{where}.{i}") for i, v in enumerate(value)), hint, where)
    return _typed(value, hint, where)


def _typed(value: Any, hint: Any, where: str) -> Any:
    """The value if it is of the hinted type; no number is taken for a text, nor a text for a number."""
    try:
        config = None if is_dataclass(hint) else ConfigDict(arbitrary_types_allowed=True)
        return (
            value
            if is_dataclass(value) and _is(value, hint)
            else TypeAdapter(hint, config=config).validate_python(value, strict=True)
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RecipeError(
            repr(value),
            expected=f"{getattr(hint, '__name__', hint)}: {first['msg']}",
            where=where,
            remedy="see the field's comment in its config class",
        ) from None


def _is(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    options = [t for t in (get_args(hint) or (hint,)) if isinstance(t, type)]
    if not isinstance(value, tuple(options)):
        raise RecipeError(
            type(value).__name__,
            expected=" or ".join(t.__name__ for t in options),
            where="recipe",
            remedy="use a config of the kind that this place takes",
        )
    return True


def set_field(recipe: Any, path: str, text: str, where: str = "") -> Any:
    """A copy with one field changed: `fuse.heads=4`, `training.epochs=3`. A tuple of one part needs no index."""
    name, _, rest = path.partition(".")
    where = where or path
    if isinstance(recipe, tuple):
        if not name.isdigit() and len(recipe) == 1:
            return (set_field(recipe[0], path, text, where),)
        if not name.isdigit() or int(name) >= len(recipe):
            raise RecipeError(
                f"{name!r} among {len(recipe)} parts",
                expected=f"an index below {len(recipe)}, as in `align.0.weight`",
                where=where,
                remedy="`openmie show` prints the recipe",
            )
        i = int(name)
        return (*recipe[:i], set_field(recipe[i], rest, text, where), *recipe[i + 1 :])
    known = {f.name for f in fields(recipe)} if is_dataclass(recipe) else set()
    if name not in known:
        raise RecipeError(
            f"no field {name!r} in {type(recipe).__name__}",
            expected=f"one of {sorted(known)}",
            where=where,
            remedy="`openmie show` prints the recipe with all its fields",
        )
    if rest:
        return replace(recipe, **{name: set_field(getattr(recipe, name), rest, text, where)})
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    return replace(recipe, **{name: _load(value, get_type_hints(type(recipe))[name], KINDS, where)})


def difference(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, here, there) for each field in which two dumped recipes differ."""
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.get("kind") == b.get("kind"):
        for key in sorted({*a, *b}):
            yield from difference(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from difference(x, y, f"{path}.{i}")
    elif a != b:
        yield path, a, b
