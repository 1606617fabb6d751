"""Systems by name: what the page of a paper, a module of `openmie.papers`, gives to those who build and compare it.

recipe(corpus=None, *, task="", flavour="small", ...) -> Recipe     the full system; further options are the page's own
FLAVOURS: dict[str, str]                            the flavours of it, and what each is
ablations(recipe) -> dict[str, Recipe]              name -> the recipe with one change
sweeps(recipe) -> dict[str, dict[str, Recipe]]      optional: name -> value -> recipe, such as "alpha" -> "0.1"
NAME = "Shap-CA"                                    optional: the full system's name in tables; else the module's
REPORTED, SETTINGS, published(run)                  optional: the published numbers and what they were measured on, and
    beside which runs they may stand, see `papers/_published.py`
SCORES: tuple[str, ...]                             optional: scores that stand in a table beside the main one
MEASURES, OURS, GAINS                               optional: measures in place of one score, see `bench/measures.py`
CORPUS_SWEEPS: dict[str, str]                       optional: a sweep whose values are those of an option of the corpus
table_notes(corpora) -> list[str]                   optional: what stands under a table of runs on these corpora
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from openmie import papers
from openmie.errors import RecipeError

if TYPE_CHECKING:
    from openmie.data.corpus import Corpus
    from openmie.recipe import Recipe
    from openmie.train.system import System

FULL = "full"  # the row without any change
FLAVOUR = "small"  # what every page has


def names() -> tuple[str, ...]:
    """All systems; nothing is imported to know them."""
    return tuple(sorted(m.name for m in iter_modules(papers.__path__) if not m.name.startswith("_")))


def load_paper_module(name: str) -> Any:
    """The module of a system. Errors: no such system."""
    found = name.lower().replace("-", "_")
    if found not in names():
        raise RecipeError.unknown("system", name, names())
    return import_module(f"openmie.papers.{found}")


def full_name(name: str) -> str:
    """How tables call the full system."""
    return getattr(load_paper_module(name), "NAME", name)


def of(recipe: Any) -> System:
    """The system of a recipe of either kind: how it is trained, predicts and is scored."""
    if recipe.is_generative:
        from openmie.vlm.sft.system import SFTSystem

        return SFTSystem(recipe)
    from openmie.train.system import ComposedSystem

    return ComposedSystem(recipe)


def build(
    name: str, corpus: Corpus | None, task: str = "", options: Iterable[str] = (), flavour: str = FLAVOUR
) -> Recipe:
    """The full system.

    Args:
        name: of the page.
        corpus: whose labels are predicted; None: those of the paper's own dataset.
        task: "": the page's choice for the corpus.
        options: KEY=VALUE of the page's `recipe()`.
        flavour: one of the page's FLAVOURS.

    Raises:
        RecipeError: an unknown system, flavour, task or option.
    """
    make = load_paper_module(name).recipe
    given: dict[str, Any] = {"task": task, "flavour": flavour} if task else {"flavour": flavour}
    known = sorted(set(inspect.signature(make).parameters) - {"corpus", "task", "flavour"})
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key not in known:
            raise RecipeError(
                f"no option {key!r} in recipe() of {name}" if equals else f"--option {option} has no value",
                expected=f"KEY=VALUE, where KEY is one of {', '.join(known) or 'none'}",
                remedy="correct the name; a field of the recipe is changed with --set",
            )
        given[key] = _value(value)
    return make(corpus=corpus, **given)


def ablate(name: str, full: Recipe, ablation: str) -> Recipe:
    """The full system, or one of its ablations. Errors: an unknown one."""
    if ablation in ("", FULL):
        return full
    return _one(load_paper_module(name).ablations(full), ablation, "ablation")


def sweeps(name: str, full: Recipe) -> dict[str, Mapping[str, Recipe]]:
    """All sweeps of a system: none, for many."""
    make = getattr(load_paper_module(name), "sweeps", None)
    return make(full) if make else {}


def is_field(recipe: Any, path: str) -> bool:
    """Whether a text is the path of a field as `--set` takes it, as far as its first name tells."""
    name, dot, _ = path.partition(".")
    return hasattr(recipe, name) and (bool(dot) or name.isidentifier())


def naming_ablations(error: Any, name: str, full: Any, documents: Iterable[Any]) -> Any:
    """An `UnfedError` of a training, with the ablations of the system that the documents can feed.

    Args:
        error: of `openmie.train.fit`.
        name: of the page.
        full: the full system.
        documents: of the training, read once for each ablation.
    """
    from openmie.train.feeding import with_ablations

    return with_ablations(error, load_paper_module(name).ablations(full), documents)


def change(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """The recipe with fields set as `--set FIELD=VALUE` says, checked (one made of parts: that they fit each other)."""
    from openmie.recipe import Recipe, check, set_field

    for one in changes:
        path, equals, value = one.partition("=")
        if not equals:
            raise RecipeError(
                f"--set {one} has no value", expected="FIELD=VALUE", remedy="write for example --set training.epochs=3"
            )
        recipe = set_field(recipe, path, value)
    return check(recipe) if isinstance(recipe, Recipe) else recipe


def swept_corpus(name: str, corpus: str, swept: str, value: str) -> str:
    """A corpus as it is loaded at a value of a sweep: with an option where the page sweeps one of the corpus."""
    option = getattr(load_paper_module(name), "CORPUS_SWEEPS", {}).get(swept, "")
    if not option or value == "0":
        return corpus
    format, _, rest = corpus.partition(":")
    mark = ("," if rest else "") if format == "diorama" else ("&" if "?" in rest else "?")
    return f"{corpus}{'' if ':' in corpus else ':'}{mark}{option}={value}"


def table_notes(name: str, cells: Iterable[Any]) -> list[str]:
    """What a page says under a table of these runs."""
    made = getattr(load_paper_module(name), "table_notes", None)
    return made(dict.fromkeys(c.test or c.source for c in cells)) if made else []


def scores(name: str) -> tuple[str, ...]:
    """The scores that a page wants in its tables beside the main one."""
    return tuple(getattr(load_paper_module(name), "SCORES", ()))


def measures(name: str) -> tuple[str, ...]:
    """The measures of a page that compares runs (GAINS): those of its paper and its own."""
    module = load_paper_module(name)
    return (*module.MEASURES, *module.OURS) if hasattr(module, "GAINS") else ()


def _one(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise RecipeError.unknown(what, name, known)
    return known[name]


def _value(text: str) -> Any:
    """A number, truth value or null where a text is one."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return text
    return text if isinstance(found, list | dict | str) else found
