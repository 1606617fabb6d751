"""What openmie-base is asked for: entity types, relations and thresholds, checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from openmie.base.labels import LABELS, RELATIONS, LabelSet, described
from openmie.base.thresholds import Threshold, checked_threshold


@dataclass(frozen=True, kw_only=True)
class ExtractionQuery:
    """What is to be found: checked labels, relations and thresholds.

    Args:
        labels: entity types, name -> description.
        relations: relations, name -> description; empty: none.
        explicit: whether the user named the relations; else they are the built-in ones.
        threshold: least score, see `checked_threshold`.
    """

    labels: Mapping[str, str]
    relations: Mapping[str, str]
    explicit: bool = False
    threshold: Threshold = None

    @classmethod
    def of(cls, labels: LabelSet | None = None, relations: LabelSet | None = None, threshold: Threshold = None) -> Self:
        """Check what a user gives; None: the built-in labels, and the built-in relations between their types."""
        types, explicit = described(labels), relations is not None
        named: dict[str, str] = {}
        if relations is None:
            named = {n: r.text() for n, r in RELATIONS.items() if {*r.head} & types.keys() and {*r.tail} & types.keys()}
        elif given := relations if isinstance(relations, Mapping | str) else list(relations):
            named = described(given, RELATIONS, "relation")
        return cls(
            labels=types,
            relations=named,
            explicit=explicit,
            threshold=checked_threshold(threshold, types, named),
        )

    def fits(self, relation: str, head: str, tail: str) -> bool:
        """Whether a relation may hold between two types.

        Built-in relations hold between the types that `openmie.base.labels` names; what a user means by a relation or
        a type of their own is not restricted.
        """
        known = RELATIONS.get(relation)
        if known is None or self.relations[relation] != known.text():
            return True
        sides = ((head, known.head), (tail, known.tail))
        return all(type in allowed or (self.explicit and type not in LABELS) for type, allowed in sides)
