"""One run in this process: train, score the test split once, write down all that the numbers depend on.

The test split is opened after training, by scoring. A run that was killed goes on from its checkpoint; once
`train.json` is there the training is never begun again, and its checkpoints are gone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from openmie import corpora
from openmie import recipe as recipes
from openmie.bench import system
from openmie.bench.ceilings import against_ceilings, generative_ceilings
from openmie.bench.freshness import REQUESTED
from openmie.bench.run_spec import RunSpec, dataset_name, read
from openmie.bench.unread import joined, unread
from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.errors import TrainError
from openmie.metrics import Scores
from openmie.model.pretrained import Model, load
from openmie.model.tasks.task import CANDIDATE_SOURCES
from openmie.train.document_scores import score_predictions
from openmie.train.evaluate import evaluate, record, write_record
from openmie.train.feeding import UnfedError
from openmie.train.system import System, Watch

# of `train.json`
COPIED = "corpus", "dev", "curve", "examples", "parameters", "rows", "context", "skipped", "attempts", "machine"
NOTED = 30.0  # seconds between two notes of the time that a training has taken


def execute(cell: RunSpec, out: str | Path, watch: Watch = lambda kind, values: None) -> dict[str, Any]:
    """Do what is left to do of a cell and return its record. Errors: those of training and scoring."""
    if cell.finished(out):
        return cell.record(out) or {}
    folder = cell.folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        if cell.finished(out):  # by another process, meanwhile
            return cell.record(out) or {}
        corpus = corpora.load(cell.source)
        trainable = system.of(cell.recipe(corpus))
        if trainable.is_generative and (cell.shuffle or cell.test):
            raise TrainError(
                "--shuffle or --test",
                expected="neither, for a generative system",
                where=cell.paper,
                remedy="leave it out; `openmie zero-shot` prompts the model about another corpus",
            )
        trained = (
            read(folder / "train.json")
            or _reuse_identical_run(cell, corpus, out)
            or _train(cell, trainable, corpus, folder, watch)
        )
        found = _score(cell, trainable, corpora.load(cell.test) if cell.test else corpus, trained, out)
        write_record(cell.result(out), found)
        (folder / "error.json").unlink(missing_ok=True)
    watch("scored", {"f1": found["scores"][found["metric"]]["f1"], "metric": found["metric"]})
    return found


class Hashed:
    """Documents on their way to training: counted, and hashed as `record` hashes what is scored."""

    def __init__(self, documents: Iterable[Document], most: int = 0) -> None:
        self.documents, self.most, self.count, self.digest = documents, most, 0, ""

    def __iter__(self) -> Iterator[Document]:
        count, digest = 0, hashlib.sha256()
        for document in islice(self.documents, self.most or None):
            digest.update(document.to_json().encode("utf8", "surrogatepass"))
            count += 1
            yield document
        self.count, self.digest = count, digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        return {"documents": self.count, "data": self.digest}


def _train(cell: RunSpec, trainable: System, corpus: Corpus, folder: Path, watch: Watch) -> dict[str, Any]:
    """Train, or resume, and write `train.json`; time and memory are those of all attempts together.

    Of an attempt that was killed up to the last `NOTED` seconds are not counted.
    """
    before = _attempts(trainable.recipe, folder)
    data = trainable.data(corpus)
    without_dev = trainable.is_generative and "dev" not in data.sources  # PFA's paper has none; others select on it
    train, dev = Hashed(data.train, cell.posts), Hashed(() if without_dev else data.dev)
    started, curve = time.perf_counter(), list(before["curve"])
    noted = started

    def told() -> dict[str, Any]:
        return {
            "recipe": recipes.dump(trainable.recipe),
            "attempts": before["attempts"] + 1,
            "seconds": round(before["seconds"] + time.perf_counter() - started, 1),
            "peak_mb": max(before["peak_mb"], peak_mb()),
            "curve": curve,
        }

    def noting(kind: str, values: Mapping[str, Any]) -> None:
        nonlocal curve, noted
        watch(kind, values)
        if kind == "dev":
            point = {k: values[k] for k in (("epoch", "f1") if "f1" in values else ("step", "epoch", "loss"))}
            curve = [*(c for c in curve if c["epoch"] < point["epoch"]), point]
        if kind == "dev" or time.perf_counter() - noted > NOTED:
            noted = time.perf_counter()
            write_record(folder / "attempts.json", told())

    write_record(folder / "attempts.json", told())
    try:
        facts = trainable.fit(train, dev, folder / "model", seed=cell.seed, precision=cell.precision, watch=noting)
    except UnfedError as error:
        full = system.build(cell.paper, corpus, cell.task, cell.options, cell.flavour)
        raise system.naming_ablations(error, cell.paper, full, train) from None
    about = {
        "cell": cell.dump(),
        "corpus": {"name": data.name, "train": train.facts(), "dev": dev.facts()},
        "machine": machine(),
        "unread": unread(corpus.skipped),
        **told(),
        **facts,
    }
    write_record(folder / "train.json", about)
    shutil.rmtree(folder / "model" / "checkpoints", ignore_errors=True)
    for left in (folder / "attempts.json", *(folder / "model").glob("features.sqlite*")):
        left.unlink(missing_ok=True)
    return about


def _reuse_identical_run(cell: RunSpec, corpus: Corpus, out: str | Path) -> dict[str, Any] | None:
    """What another name of the same training left, copied here: alpha=0.2 of a sweep is the full system.

    The same: recipe but for its name, training documents by their spec and number, precision and seed.
    """
    key = _config_key(cell, recipes.dump(cell.recipe(corpus)))
    for path in sorted(Path(out).glob("*/train.json")):
        found = read(path) or {}
        other = RunSpec.load(found["cell"])
        if (
            _config_key(other, recipes.with_new_names(found["recipe"])) == key
            and (path.parent / "model" / "model.safetensors").exists()
        ):
            folder = cell.folder(out)
            shutil.copytree(path.parent / "model", folder / "model", dirs_exist_ok=True)
            record = {**found, "cell": cell.dump(), "twin of": other.name}
            write_record(folder / "train.json", record)
            return record
    return None


def _config_key(cell: RunSpec, recipe: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a training depends on, whatever it is called."""
    return cell.source, cell.posts, cell.precision, cell.seed, {k: v for k, v in recipe.items() if k != "name"}


def _attempts(recipe: Any, folder: Path) -> dict[str, Any]:
    """What earlier attempts left; where they were of another recipe (the page has changed since) all of it goes."""
    before = read(folder / "attempts.json")
    if before and recipes.with_new_names(before["recipe"]) == recipes.dump(recipe):
        return before
    shutil.rmtree(folder / "model", ignore_errors=True)
    return {"attempts": 0, "seconds": 0.0, "peak_mb": 0, "curve": []}


def _score(
    cell: RunSpec, trainable: System, corpus: Corpus, trained: Mapping[str, Any], out: str | Path
) -> dict[str, Any]:
    """Score the test split, and with its images shuffled where that is asked for; keep the predictions."""
    started, folder, before = time.perf_counter(), cell.folder(out) / "model", frozenset(corpus.skipped)
    gold, previous = list(trainable.data(corpus).test), cell.record(out)
    lost = joined(trained.get("unread"), unread(r for r in corpus.skipped if r not in before))
    if previous and previous["documents"] != len(gold):
        raise TrainError(
            f"{len(gold)} test documents",
            expected=f"the {previous['documents']} that were scored",
            where=corpus.name,
            remedy="the corpus has changed since: bench into another --out",
        )
    found: dict[str, Any] = {}
    scores: dict[str, Scores] = {}
    if not previous:
        result = trainable.scores(folder, gold, symmetric=corpus.symmetric)
        found, scores = result.record, dict(result.scores)
        cell.write_predictions(result.predicted, out)
    if cell.shuffle:
        model = load(folder)
        more = _shuffled(model, gold, corpus)
        scores, again = scores | more, record(model, more, gold)
        found = {**again, **found, "scores": {**found.get("scores", {}), **again["scores"]}}
    limits = (
        generative_ceilings(corpus)
        if trainable.is_generative
        else against_ceilings(corpus, trainable.recipe.task, scores)
    )
    found |= limits
    if previous:  # only the scores with shuffled images are new
        return previous | {k: {**previous[k], **found[k]} for k in ("scores", "closures") if k in found}
    return {
        "cell": cell.dump(),
        "flavour": cell.flavour,
        "row": cell.row,
        "task": cell.task or trainable.recipe.task,
        "metric": next(iter(found["scores"])),
        **found,
        "seconds": {"train": trained["seconds"], "score": round(time.perf_counter() - started, 1)},
        "peak_mb": {"train": trained.get("peak_mb", 0), "score": peak_mb()},
        "test": {"name": corpus.name, "place": dataset_name(cell.test or cell.corpus)},
        "with images": sum(has_image(d) for d in gold),
        "unread": lost,
        **({REQUESTED: trained["recipe"]} if trained["recipe"] != found["recipe"] else {}),
        **{k: trained[k] for k in COPIED if k in trained},
    }


def has_image(document: Document) -> bool:
    """Whether an image of a document is here: in memory, or as a file."""
    return any(i.pixels is not None or (i.path and Path(i.path).is_file()) for i in document.images)


def _shuffled(model: Model, gold: list[Document], corpus: Corpus) -> dict[str, Scores]:
    """Each post with the images of the one half a corpus further on; a system that reads captions once with these too.

    Half a corpus, since neighbours may be rows of one post. Of documents it is the mean of what the text says, for the
    regions of other frames cannot be found; and the relations alone.
    """
    if model.recipe.task == "document":
        return _shuffled_frames(model, gold, corpus)

    def first(documents: list[Document]) -> Scores:
        return next(iter(evaluate(model, documents, symmetric=corpus.symmetric)[0].values()))

    others = [gold[(i + max(len(gold) // 2, 1)) % len(gold)] for i in range(len(gold))]
    found = {"shuffled images": first([g.replace(images=o.images) for g, o in zip(gold, others)])}
    if model.recipe.encode.inputs.context:
        both = [g.replace(images=o.images, captions=o.captions) for g, o in zip(gold, others)]
        found["shuffled images and captions"] = first(both)
    return found


def _shuffled_frames(model: Model, gold: list[Document], corpus: Corpus) -> dict[str, Scores]:
    """Scores of documents without regions, each with the frames of the one half a corpus further on."""
    others = [gold[(i + max(len(gold) // 2, 1)) % len(gold)] for i in range(len(gold))]
    strange = [g.replace(images=o.images, regions=()) for g, o in zip(gold, others)]
    answers = model.predict_encoded(model.featurizer.featurize(strange, candidates="gold_chains"), CANDIDATE_SOURCES)
    bare = {kind: [d.replace(regions=()) for d in found] for kind, found in answers.items()}
    found = score_predictions(strange, bare, model.recipe.symmetric_labels.union(corpus.symmetric))
    names = {
        "shuffled images": next(iter(found)),  # a mean of the tasks that are left
        "relations, shuffled images": "relations",
        "frame relations, shuffled images": "frame relations",
    }
    return {name: found[score] for name, score in names.items() if score in found}


def fail(cell: RunSpec, out: str | Path, why: str, details: str = "") -> None:
    """Write down that an attempt failed."""
    path = cell.folder(out) / "error.json"
    before = read(path) or {}
    write_record(
        path,
        {
            "cell": cell.dump(),
            "error": why,
            "details": details,
            "failures": before.get("failures", 0) + 1,
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        },
    )


class Busy(TrainError):
    """Another process is at this run."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes; the system lets go of it when this one ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # no such lock here: two benches must not share a folder at the same time
        yield
        return
    with open(folder / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Busy(
                f"a run that process {file.read()} is at",
                expected="one process a run",
                where=str(folder),
                remedy="wait for it; started again later, the bench finds its result",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def peak_mb() -> int:
    """The most memory that this process has held so far, in MiB: of the GPU where one is used, else of the machine."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20)
    try:
        import resource
    except ImportError:  # not known on this system
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def machine() -> dict[str, Any]:
    """What time and memory depend on, and versions."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {p: version(p) for p in ("openmie", "torch", "transformers", "accelerate")},
    }
