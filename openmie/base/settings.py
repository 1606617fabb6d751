"""Settings of a text model: sizes, temperatures and thresholds, as `text.json` stores them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from openmie.data.replace_file import replace_file
from openmie.errors import ModelError

FILE = "text.json"


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """Settings of a text model.

    Attributes:
        tower: as `TextTower.load` takes it.
        mark_cjk: as `TextTower.load` takes it.
        frozen: lower layers of the tower without adapters.
        rank: of the adapters.
        widest: span in words.
        guidelines: annotation guidelines that the model was trained on; the first one is followed.
        generality_weight: how much of a label's generality is taken off its logit where spans overlap.
        temperature: that an entity's logit is divided by, of labels that the weights were not trained on.
        temperatures: the same by label, where there was enough to fit it on.
        threshold: least calibrated probability of an entity, of labels that the weights were not trained on.
        thresholds: the same by label.
        relation_temperature: that a relation's logit is divided by.
        relation_threshold: least calibrated probability of a relation.
        labels: entity types that it finds where none are given, name -> description; empty: the built-in ones.
        relations: the same for relations.
        version: of the weights.
        measured: what the weights were measured at, name -> number.
        calibration: error on the held-out sentences, before and after.
        trained_on: corpora, with their sizes and hashes.
    """

    tower: str = "e5"
    mark_cjk: bool = True
    frozen: int = 6
    rank: int = 32
    widest: int = 12
    guidelines: tuple[str, ...] = ("names",)
    generality_weight: float = 1.0
    temperature: float = 1.0
    temperatures: dict[str, float] = field(default_factory=dict)
    threshold: float = 0.5
    thresholds: dict[str, float] = field(default_factory=dict)
    relation_temperature: float = 1.0
    relation_threshold: float = 0.5
    labels: dict[str, str] = field(default_factory=dict)
    relations: dict[str, str] = field(default_factory=dict)
    version: str = ""
    measured: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, float] = field(default_factory=dict)
    trained_on: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The settings in a model's folder.

        Raises:
            ModelError: no such file, or one that holds something else.
        """
        path = folder / FILE
        try:
            data = json.loads(path.read_text(encoding="utf8"))
            known = {f.name for f in fields(cls)}
            if not isinstance(data, dict) or not data.keys() <= known:
                raise ValueError(f"fields {sorted(set(data) - known)}" if isinstance(data, dict) else "no object")
        except (OSError, ValueError) as error:
            raise ModelError(
                f"no settings of a text model: {error}",
                expected="the file that `python -m openmie.base.build` or `openmie train base` wrote",
                where=str(path),
                remedy="name the folder that one of them wrote, or install openmie again",
            ) from None
        return cls(**{**data, "guidelines": tuple(data.get("guidelines", ("names",)))})

    def write(self, folder: Path) -> None:
        """Write the settings into a model's folder."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)
        with replace_file(folder / FILE, sync=True) as file:
            file.write(f"{text}\n".encode())
