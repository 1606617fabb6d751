"""What openmie-base is and what it was measured at: read from `text.json`, which stands beside the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openmie
from openmie.base.settings import FILE
from openmie.errors import ModelError

WEIGHTS = Path(__file__).parent / "weights"  # those that are installed with openmie


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Name, version and measurements of a model.

    Args:
        name: as predictions carry it.
        version: of the weights.
        labels: entity types that it finds where none are named, name -> description; empty: the built-in ones.
        relations: the same for relations.
        measured: what was measured -> the number.
    """

    name: str = "openmie-base"
    version: str = openmie.__version__
    labels: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> ModelFacts:
        """The facts of a folder.

        Raises:
            ModelError: no `text.json`, or a broken one.
        """
        try:
            data = json.loads((folder / FILE).read_text(encoding="utf8"))
            known = {k: data[k] for k in ("name", "version", "labels", "relations", "measured") if data.get(k)}
        except (OSError, ValueError, AttributeError) as error:
            raise ModelError(
                f"no readable {FILE} ({type(error).__name__}: {str(error)[:120]})",
                expected="a folder of openmie-base",
                where=str(folder),
                remedy="install openmie again, or name the folder that `openmie train base` wrote",
            ) from error
        return cls(**known)

    def identity(self) -> dict[str, str]:
        """What a prediction says of the model that made it."""
        return {"name": self.name, "version": str(self.version)}

    def sentences(self) -> str:
        """What the model is, what it was measured at, and how to do better, in a few lines."""
        measured = "; ".join(f"{what} {_number(value)}" for what, value in self.measured.items())
        return "\n".join(
            [
                f"{self.name} {self.version}: the model that is installed with openmie. It makes mistakes."
                + (f" Measured: {measured}." if measured else ""),
                "To do better, train it on your own annotations (`openmie train base --corpus jsonl:mine`), or prompt "
                "a vision-language model (--system schema).",
            ]
        )


def _number(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
