"""RunSpec: one training and one scoring of the grid, by name, as JSON data, and the folder that holds it.

OUT/RUN/train.json           the training is done: recipe, data hashes, dev score, time, memory
        model/               its model folder; checkpoints while it is under way
        run.json             scores on the corpus's own test split, beside all of train.json
        run--TEST.json       the same on another corpus's
        predictions*.jsonl   what was predicted there
        error.json           why the last attempt failed; gone after one that did not
        log.txt              what the run's process said
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie import corpora
from openmie.bench import sweep_options, system
from openmie.data.document import Document
from openmie.errors import TrainError

if TYPE_CHECKING:
    from openmie.data.corpus import Corpus
    from openmie.recipe import Recipe

SCORING = ("test", "shuffle")  # fields that a training does not depend on


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run. Fields other than `test` and `shuffle` name the training; cells that share it train once."""

    paper: str
    corpus: str  # what `corpora.load` takes
    flavour: str = system.FLAVOUR  # of the paper's page, such as `paper` or `improved`
    task: str = ""  # ner, re or joint; empty: the paper's choice for the corpus
    ablation: str = system.FULL
    sweep: str = ""  # a sweep of the paper or the path of a field of its recipe, instead of an ablation
    value: str = ""  # of the sweep
    changes: tuple[str, ...] = ()  # FIELD=VALUE of the recipe
    options: tuple[str, ...] = ()  # KEY=VALUE of the page's recipe()
    parts: tuple[str, ...] = ()  # files of parts of one's own, as `own_parts.part_marks` has them; never run from here
    posts: int = 0  # train on the first so many documents; 0: on all
    precision: str = "no"  # no, bf16 or fp16
    seed: int = 1
    test: str = ""  # score on the test split of this corpus instead
    shuffle: bool = False  # score once more with the images shuffled between posts

    @cached_property
    def name(self) -> str:
        """Of the training: readable, and made unique by eight digits of a hash over all that names it."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in SCORING}
        default = {f.name: f.default for f in fields(self)}
        changed = {k: v for k, v in given.items() if v != default[k]} | {"seed": self.seed}
        digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode("utf8", "surrogatepass")).hexdigest()[:8]
        extras = [*self.options, *self.changes, *self.parts, *([f"posts={self.posts}"] if self.posts else [])]
        extras += [self.precision] if self.precision != "no" else []
        corpus = corpus_label(self.corpus)
        named = self.paper if self.flavour == system.FLAVOUR else f"{self.paper}-{self.flavour}"
        parts = [named, self.row, corpus, self.task, *extras, f"seed{self.seed}"]
        slugs = [_slug(p, 48) for p in parts if p]
        return f"{'--'.join(slugs)[:180].rstrip('-')}--{digest}"

    @property
    def row(self) -> str:
        """The variant: `full`, the ablation's name, or SWEEP=VALUE."""
        return f"{self.sweep}={self.value}" if self.sweep else self.ablation

    @property
    def source(self) -> str:
        """The corpus that is trained on: `corpus`, with the option that a sweep over the corpus sets."""
        return system.swept_corpus(self.paper, self.corpus, self.sweep, self.value)

    def folder(self, out: str | Path) -> Path:
        return Path(out) / self.name

    def result(self, out: str | Path) -> Path:
        """The JSON file of this cell."""
        return self.folder(out) / f"run{self._tested}.json"

    def predictions(self, out: str | Path) -> Path:
        return self.folder(out) / f"predictions{self._tested}.jsonl"

    def write_predictions(self, predicted: Iterable[Document], out: str | Path) -> None:
        """Write predictions, without images and captions, which the corpus has."""
        plain = [d.replace(images=(), captions={}, phrases=(), source={}) for d in predicted]
        corpora.write(plain, self.predictions(out), "jsonl")

    @property
    def _tested(self) -> str:
        if not self.test or self.test == self.corpus:
            return ""
        digest = hashlib.sha256(self.test.encode("utf8", "surrogatepass")).hexdigest()[:8]
        return f"--{_slug(corpus_label(self.test), 48)}--{digest}"

    def record(self, out: str | Path) -> dict[str, Any] | None:
        """What this cell found; None: not run. Errors: a file that is no JSON."""
        return read(self.result(out))

    def finished(self, out: str | Path) -> bool:
        """Whether nothing is left to do: not even the scores with shuffled images, where they are asked for."""
        record = self.record(out)
        return record is not None and (not self.shuffle or "shuffled images" in record["scores"])

    def failure(self, out: str | Path) -> str:
        """Why the last attempt failed, in a line; empty: it did not."""
        return (read(self.folder(out) / "error.json") or {}).get("error", "")

    def recipe(self, corpus: Corpus) -> Recipe:
        """The recipe that this cell trains, checked."""
        full = system.build(self.paper, corpus, self.task, self.options, self.flavour)
        if self.sweep:
            return system.change(sweep_options.recipe(self.paper, full, self.sweep, self.value), self.changes)
        return system.change(system.ablate(self.paper, full, self.ablation), self.changes)

    def dump(self) -> dict[str, Any]:
        """As JSON data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> RunSpec:
        """What `dump` gave; what a newer release wrote beside it is left out."""
        known = {f.name for f in fields(cls)}
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known}
        return cls(**given)


def corpus_label(spec: str) -> str:
    """A corpus as tables name it: the last part of its path, or its format, with its options."""
    format, _, rest = spec.partition(":")
    if format == "diorama":
        return f"{format} {rest}".strip()
    path, mark, options = rest.partition("?")
    return f"{Path(path).name or format}{f' {options}' if mark else ''}"


def dataset_name(spec: str) -> str:
    """The corpus's name alone, without its options."""
    return corpus_label(spec).partition(" ")[0]


def read(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is no file. Errors: a file that holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        found = error
    if not isinstance(found, dict):
        raise TrainError(
            f"{str(found)[:80]!r}",
            expected="a JSON object that `openmie bench` wrote",
            where=str(path),
            remedy="remove the file: the run goes on from what else is there",
        )
    return found


def _slug(text: str, longest: int) -> str:
    """Letters, digits and a few marks; what is longer than `longest` is cut (the name's hash tells them apart)."""
    return re.sub(r"[^\w.+=,-]+", "-", text.replace("w/o", "without")).strip("-.")[:longest].rstrip("-")
