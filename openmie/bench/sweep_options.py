"""What `--sweep` says: `alpha`, `alpha=0.2,0.4`, `align.0.weight=0.1,0.3` or `all`, and the values that it means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from openmie.bench import system
from openmie.data.corpus import Corpus
from openmie.errors import RecipeError
from openmie.papers._sweeps import FieldSweep, has_captions, set_value

ALL = "all"
ANY_CAPTION = "*"  # as context: a document's first caption, whoever made it


def swept(paper: str, full: Any, corpus: Corpus, requested: Iterable[str]) -> list[tuple[str, str]]:
    """(sweep, value) of each cell of a corpus, in the order that was requested.

    A sweep that the system has for other tasks only is left out.

    Args:
        paper: the system.
        full: its recipe for the corpus.
        corpus: whose caption generators a sweep over contexts takes.
        requested: texts of `--sweep`.

    Raises:
        RecipeError: a sweep without values or with one that is empty or that its field or corpus does not take.
    """
    known = system.sweeps(paper, full)
    found = []
    for text in requested:
        name, values = parse(text)
        for sweep in known if name == ALL else [name]:
            given = values or values_for(known.get(sweep, {}), corpus)
            if not given and name != ALL and (sweep in known or system.is_field(full, sweep)):
                raise _without_values(sweep, known, corpus)
            for value in given:
                _generator(known.get(sweep), sweep, value, corpus)
                if sweep in known or system.is_field(full, sweep):
                    recipe(paper, full, sweep, value)
                    found.append((sweep, value))
    return list(dict.fromkeys(found))


def recipe(paper: str, full: Any, sweep: str, value: str) -> Any:
    """The recipe at a value of a sweep, or with a field set to it.

    Args:
        paper: the system.
        full: its recipe.
        sweep: a sweep of the system, or the path of a field of the recipe.
        value: one of the sweep's, or any that the field takes.

    Raises:
        RecipeError: an unknown sweep, or a value that it does not take.
    """
    known = system.sweeps(paper, full)
    if sweep not in known and not system.is_field(full, sweep):
        raise RecipeError.unknown(
            "sweep", sweep, known, remedy="a field of the recipe is swept by its path: --sweep training.epochs=2,4"
        )
    one = known.get(sweep)
    if isinstance(one, Mapping) and not isinstance(one, FieldSweep):
        if value not in one:
            raise RecipeError.unknown(f"value of {sweep}", value, one)
        return one[value]
    try:
        return one.at(value) if one else set_value(full, sweep, value)
    except RecipeError as error:
        where = f"--sweep {sweep}={value}, field {error.record.where}"
        raise RecipeError.of(error.record.model_copy(update={"where": where})) from None


def parse(text: str) -> tuple[str, list[str]]:
    """`NAME=V1,V2` as its name and values, `NAME` with none; equal numbers are one value.

    Args:
        text: of `--sweep`. Commas within brackets or quotes are a value's own.

    Raises:
        RecipeError: `all` with values, or an equals sign with nothing or an empty value behind it.
    """
    name, equals, rest = text.partition("=")
    values = [_plain(v) for v in _split(rest)]
    if not name or (equals and (not all(values) or name == ALL)):
        raise RecipeError(
            f"--sweep {text}",
            expected="NAME, or NAME=VALUE,VALUE with no value empty",
            remedy="write for example --sweep alpha=0.2,0.4",
        )
    return name, list(dict.fromkeys(values)) if equals else []


def _split(text: str) -> list[str]:
    """Parts between the commas that stand in no bracket and no quotes."""
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == '"'
        depth += 0 if quoted else (character in "[{") - (character in "]}")
        if character == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _plain(value: str) -> str:
    """A number as the pages write it (0.20 and 2e-1 are 0.2), another value as it stands."""
    try:
        number = json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        return value
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return repr(number) if isinstance(number, float) else value


def values_for(sweep: Mapping[str, Any], corpus: Corpus | None) -> tuple[str, ...]:
    """The values of a sweep of a system: a corpus's own where it depends on one, else those of the paper.

    Args:
        sweep: one of `system.sweeps`.
        corpus: None: those of the paper.
    """
    return sweep.values_for(corpus) if isinstance(sweep, FieldSweep) and corpus else tuple(sweep)


def _without_values(sweep: str, known: Mapping[str, Any], corpus: Corpus) -> RecipeError:
    if sweep in known:
        return RecipeError(
            f"no values of {sweep} in {corpus.name}, whose documents have no captions",
            expected="a corpus with captions for a sweep over them",
            remedy="attach them, such as mnre:DIR?captions=NAME, or make them with `openmie caption`",
        )
    return RecipeError(
        f"no values for --sweep {sweep}, the path of a field",
        expected=f"--sweep {sweep}=VALUE,VALUE",
        remedy="give the values",
    )


def _generator(one: Any, sweep: str, value: str, corpus: Corpus) -> None:
    """Error: a caption generator that the corpus does not have."""
    if isinstance(one, FieldSweep) and one.of_corpus and value != ANY_CAPTION:
        has = one.values_for(corpus)
        if value not in has and not has_captions(corpus, value):
            raise RecipeError.unknown(f"caption generator in --sweep {sweep}", value, has, where=corpus.name)
