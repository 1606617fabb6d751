"""Options of `openmie extract` for openmie-base: labels and thresholds as typed, and what is said of the model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from openmie.base.extraction_query import ExtractionQuery
from openmie.base.labels import LABELS
from openmie.base.loading import BASE, check_trained_name, is_base, load
from openmie.cli.options import load_parts
from openmie.errors import OpenMIEError
from openmie.model.hub_names import HUB_ID, is_cached


def load_models(
    names: Sequence[str] | None,
    label: Sequence[str] | None = None,
    relation: Sequence[str] | None = None,
    labels: Path | None = None,
    threshold: Sequence[str] | None = None,
    parts: Sequence[Path] | None = None,
) -> list[Any]:
    """The models to run one after the other; none is named: openmie-base. It finds the given labels.

    Args:
        names: "base", model folders or hub ids.
        label: LABEL or LABEL=MEANING.
        relation: the same for relations.
        labels: file of labels.
        threshold: NUMBER or LABEL=NUMBER.
        parts: Python files with parts of one's own that trained models have.

    Raises:
        OpenMIEError: labels or thresholds for trained models only, whose labels are fixed, or ones that mean nothing.
    """
    names = list(names or [BASE])
    given = {"--label": label, "--relation": relation, "--labels": labels, "--threshold": threshold}
    used = [option for option, value in given.items() if value]
    if used and not any(map(is_base, names)):
        raise OpenMIEError(
            f"{used[0]} with the trained model {names[0]!r}, whose labels and scores are fixed",
            expected="--model base, which is the default, or --system with a vision-language model",
            remedy=f"leave out {used[0]}, or leave out --model",
        )
    for name in names:
        check_trained_name(name)  # all of them, before one is loaded
        if HUB_ID.fullmatch(name) and not is_base(name) and not Path(name).is_dir() and not is_cached(name):
            print(f"{name} is downloaded from the hub", file=sys.stderr)
    asked = _asked(label or (), relation or (), labels) if used else {}
    least = typed_threshold(threshold or ())
    load_parts(parts)
    models = [load(name) for name in names]
    return [_with_query(m, asked, *least) if used and is_base(n) else m for n, m in zip(names, models)]


def _asked(label: Sequence[str], relation: Sequence[str], file: Path | None) -> dict[str, dict[str, str]]:
    """Typed labels and relations; a hint on stderr for a label that is nearly a built-in one."""
    from openmie.vlm.prompting.typed_labels import typed_labels

    found = typed_labels(label, relation, file)
    if other := sorted(found.keys() - {"mentions", "relations"}):
        raise OpenMIEError(
            f"labels of {other[0]}, which base does not take",
            expected="labels of mentions and relations",
            where=str(file or ""),
            remedy="leave them out: objects have the classes of the detector, chains the labels of their mentions",
        )
    ExtractionQuery.of(found.get("mentions"), found.get("relations"))  # errors before a model is loaded
    for name, meaning in found.get("mentions", {}).items():
        near = get_close_matches(name.upper(), LABELS, n=1, cutoff=0.6)
        if near and not meaning and name not in LABELS:
            print(
                f"The label {name!r} is not built in and has no meaning: did you mean {near[0]!r}? "
                f"Else write --label {name}=MEANING.",
                file=sys.stderr,
            )
    return found


def _with_query(model: Any, asked: dict[str, dict[str, str]], general: float | None, by_label: dict[str, float]) -> Any:
    model = model.with_query(labels=asked.get("mentions"), relations=asked.get("relations"))
    if general is not None and by_label:
        by_label = {**dict.fromkeys((*model.query.labels, *model.query.relations), general), **by_label}
    return model.with_query(threshold=by_label or general)


def typed_threshold(texts: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """The threshold of all labels, None where there is none, and label -> threshold.

    Args:
        texts: NUMBER or LABEL=NUMBER, each from 0 to 1.

    Raises:
        OpenMIEError: something else, or two thresholds for all labels.
    """
    general: list[float] = []
    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not 0 <= number <= 1:
            raise OpenMIEError(
                f"--threshold {text}",
                expected="a number from 0 to 1, or LABEL=NUMBER",
                remedy="write --threshold 0.5 or --threshold PER=0.5",
            )
        if equals:
            found[name.strip()] = number
        else:
            general.append(number)
    if len(general) > 1:
        raise OpenMIEError(
            f"{len(general)} thresholds for all labels", expected="one", remedy="name the label: --threshold PER=0.5"
        )
    return (general[0] if general else None), found
