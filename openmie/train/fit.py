"""fit: train a recipe on documents, select on dev, and yield what happens."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openmie import recipe as recipes
from openmie.data.document import Document
from openmie.data.document_file import DocumentFile
from openmie.data.folder_lock import hold_folder
from openmie.errors import ErrorRecord, TrainError
from openmie.metrics.span_edges import at_whole_words
from openmie.model import char_tokenizer as characters
from openmie.model.features.context import context_generator
from openmie.model.hub_names import check_backbones
from openmie.model.pretrained import Model
from openmie.recipe import Recipe, Training
from openmie.text.span_edges import whole_words
from openmie.train import checkpoint
from openmie.train.card import CardFacts, card, named_corpora
from openmie.train.checkpoint import TrainingProgress
from openmie.train.feature_cache import cache_frozen
from openmie.train.feeding import check_fed
from openmie.train.gather import Processes
from openmie.train.lazy_examples import LazyExamples
from openmie.train.loop import Event, Run, prepare_machine
from openmie.train.random_state import random_states
from openmie.train.selection import dev_score, num_gold
from openmie.train.shared_documents import documents_on_disk
from openmie.train.unreadable_images import check_images

if TYPE_CHECKING:
    from accelerate import Accelerator


def fit(
    recipe: Recipe,
    train: Iterable[Document],
    dev: Iterable[Document],
    *,
    out: str | Path,
    seed: int = 0,
    resume: bool = True,
    precision: str = "no",
    checkpoint_every: int = 200,
    corpus: str = "",
) -> Generator[Event, bool | None, None]:
    """Train; `out` becomes a model folder with the weights of the best dev epoch. A generator: iterate to run it.

    Started again with the same arguments (and as many processes) it goes on from its last checkpoint, to the same bits
    on CPU; `resume=False` starts anew. A checkpoint is written every `checkpoint_every` steps (0: never), after each
    epoch, and where a training is stopped: `send(True)` in answer to a `step` or `dev` event, by the consumer of one
    process, ends those of all at this step, once it is saved (the last event is `interrupted`); so does closing the
    generator of a single process.
    `precision` is Accelerate's: `no`, `bf16` or `fp16`. `corpus` is how the card calls the data; empty: as the
    documents' `source` does. What could not be learnt from or read (a label that the recipe lacks, a broken image) is
    counted in `start` and `done` as `skipped`, the first `records` beside it; `rows` of `dev` and `done` says how many
    rows each loss was taken over in an epoch, `context` of `start` whose captions are read. Errors: another process
    that trains into `out`, no gold to learn from, a modality, alignment or head that no document can feed, a loss that
    is not finite, a checkpoint that is damaged or of another run.
    """
    out, accelerator = _folder(out), prepare_machine(seed, precision)
    with hold_folder(out) if accelerator.is_main_process else nullcontext():
        yield from _fit(recipe, (train, dev, corpus), out, accelerator, seed, resume, checkpoint_every)


def _fit(
    recipe: Recipe,
    data: tuple[Iterable[Document], Iterable[Document], str],
    out: Path,
    accelerator: Accelerator,
    seed: int,
    resume: bool,
    checkpoint_every: int,
) -> Generator[Event, bool | None, None]:
    """`fit` in a folder that is held."""
    (train, dev, corpus), training, encode = data, recipe.training, recipe.encode
    vision: Any = encode.vision if encode.inputs.reads_images else None
    check_backbones(encode.text.name, vision.name if vision else "")
    processes = Processes(
        accelerator.process_index, accelerator.num_processes, accelerator.is_local_main_process, accelerator.device
    )
    sample = _subsample(train, training.train_fraction, seed, out)
    train, dev, cut = _at_whole_words(sample, list(dev), training, out, processes)
    check_images(recipe, train)
    recipe = with_context(with_vocabulary(recipe, train), train)
    model = Model.new(recipe)
    examples = LazyExamples(model.featurizer, train, processes)
    dev_examples = model.featurizer.featurize(dev, candidates="gold_chains")
    # what cannot be scored is an error here, not after an epoch
    _check(recipe, examples, num_gold(dev, recipe), len(dev), train)
    run = Run(model, accelerator, recipe, examples, seed)
    key = fingerprint(recipe, seed, train.digest, dev)
    if not resume:
        shutil.rmtree(out / "checkpoints", ignore_errors=True)
    if done := checkpoint.latest(out / "checkpoints"):
        run.progress = checkpoint.restore(done, *_state(model, run), key, accelerator.process_index)
        yield run.event("resume", {"from": done.name})
    for part in (examples, dev_examples):
        cache_frozen(model, part, out / "features.sqlite", 32, processes.index, processes.count)
    rates = {group.match or "the rest": group.lr for group in training.param_groups}
    about = {"examples": len(examples), "parameters": run.size(), "lr": rates}
    facts = CardFacts(corpus or named_corpora(train), len(train), len(dev), len(examples))
    yield run.event("start", about | _context(recipe, train) | _skipped(examples.records) | cut)
    save, progress = partial(_save, out, model, run, key), run.progress

    def select() -> Event:
        score = dev_score(model, dev_examples, dev, recipe)
        return _select(score, out, model, run, lambda: card(recipe, seed, progress, facts, key))

    if (yield from _epochs(run, training, checkpoint_every, save, select)):
        yield run.event("interrupted", {"out": str(out)})
        return
    ended = {"best": progress.best, "best_epoch": progress.best_epoch, "out": str(out)} | {"rows": progress.epoch_rows}
    records = examples.records | dict.fromkeys(r for e in dev_examples for r in e.errors.values())
    yield run.event("done", ended | _skipped(records))


def _epochs(
    run: Run, training: Training, checkpoint_every: int, save: Callable[[], None], select: Callable[[], Event]
) -> Generator[Event, bool | None, bool]:
    """All steps that are left; whether the training was stopped before its end, which is saved then."""
    progress = run.progress
    while progress.epoch < training.epochs and not progress.finished:
        for values in run.epoch():
            if (yield from _is_stopped(run, run.event("step", values), save)):
                return True
            if checkpoint_every and progress.step % checkpoint_every == 0:
                save()
        progress.epoch_rows, progress.rows, told = progress.rows, {}, None
        if progress.epoch + 1 >= min(training.first_dev_epoch, training.epochs):
            told = select()
        progress.epoch, progress.in_epoch = progress.epoch + 1, 0
        late = _is_late(training, progress)
        progress.finished = late or progress.epoch >= training.epochs
        # told before the checkpoint: killed in between, the epoch's end is done and told again, not lost
        if told and (yield from _is_stopped(run, told, save)) and not progress.finished:
            return True
        save()
        if late:
            yield run.event("stop", {"best_epoch": progress.best_epoch})
    return False


def _is_stopped(run: Run, event: Event, save: Callable[[], None]) -> Generator[Event, bool | None, bool]:
    """Tell an event; whether any process is asked to stop after it. All of them have saved then, at this one step."""
    try:
        asked = yield event
    except GeneratorExit:  # one consumer has gone without a word: the others may be at another step
        if run.accelerator.num_processes == 1:
            save()
        raise
    if run.in_any_process(bool(asked)):
        save()
        return True
    return False


def _state(model: Model, run: Run) -> tuple[Any, Any, Any]:
    return model.extractor, run.optimizer.optimizer, run.schedule


def _save(out: Path, model: Model, run: Run, key: str) -> None:
    """A checkpoint, for which every process gives its random state."""
    generators = random_states(run.accelerator.device) if run.accelerator.num_processes > 1 else ()
    if run.accelerator.is_main_process:
        checkpoint.save(out / "checkpoints", *_state(model, run), run.progress, key, generators)


def _select(score: float, out: Path, model: Model, run: Run, new_card: Callable[[], str]) -> Event:
    """Keep the weights if no epoch before had a better dev score; the event that says so."""
    progress, better = run.progress, score > run.progress.best
    if better:
        progress.best, progress.best_epoch = score, progress.epoch
        if run.accelerator.is_main_process:
            model.card = new_card()
            model.save_pretrained(out)
    return run.event("dev", {"f1": score, "best": progress.best, "better": better, "rows": progress.epoch_rows})


def _is_late(training: Training, progress: TrainingProgress) -> bool:
    """Whether `patience` epochs have brought no better dev score; epochs before the first score do not count."""
    since = progress.epoch - 1 - progress.best_epoch if progress.best_epoch >= 0 else 0
    return training.patience > 0 and since >= training.patience


def _subsample(documents: Iterable[Document], fraction: float, seed: int, folder: Path) -> Iterator[Document]:
    """A fraction of the documents, at least one, in their order; of one seed, subsets are nested."""
    if fraction == 1:
        yield from documents
        return
    known = documents_on_disk(documents, folder)
    kept = np.random.default_rng(seed).permutation(len(known))[: max(1, round(fraction * len(known)))]
    yield from (known[i] for i in np.sort(kept).tolist())


def _at_whole_words(
    train: Iterable[Document], dev: list[Document], training: Training, folder: Path, processes: Processes
) -> tuple[DocumentFile, list[Document], dict[str, Any]]:
    """Both splits with their mentions at whole words, and how many were moved or refused."""
    counts = {"moved": 0, "refused": 0}

    def learnt() -> Iterable[Document]:
        for document in train:
            found = whole_words(document, training.span_edges)
            counts["moved"] += len(found.moved)
            counts["refused"] += len(found.skipped)
            yield found.document

    known = documents_on_disk(learnt(), folder, processes, counts)
    scored, _, _ = at_whole_words(dev, dev, training.span_edges)
    about = {"span_edges": {"rule": training.span_edges, **counts}} if any(counts.values()) else {}
    return known, list(scored), about


def _folder(out: str | Path) -> Path:
    """The folder, there already before hours are spent."""
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainError(
            f"{out} cannot be made: {error.strerror}",
            expected="a folder to write to",
            where="out",
            remedy="name another --out",
        ) from error
    return Path(out)


def _check(recipe: Recipe, examples: LazyExamples, gold: float, dev: int, train: Sequence[Document]) -> None:
    """There is something to learn from, something to find on dev, and a context where the recipe reads one."""
    if not examples or not gold:
        raise TrainError(
            f"{len(examples)} examples to train on, {gold} things to find in {dev} dev documents",
            where=recipe.name,
            expected="gold mentions (or relations) in both",
            remedy="check the corpus with `openmie doctor`",
        )
    name = recipe.encode.inputs.context
    if name and not examples.has_context:
        known = sorted({c for d in train for c in d.captions})
        raise TrainError(
            f"no training document has the context {name!r}",
            where="encode.context",
            expected=f"one of the captions there are: {', '.join(known)}" if known else "documents with captions",
            remedy="correct the name, or attach captions: FORMAT:PATH?captions=FILE",
        )
    check_fed(recipe, train)


def _skipped(records: Iterable[ErrorRecord]) -> dict[str, Any]:
    """How many annotations, images and captions could not be used so far, and the records of the first ones."""
    records = list(records)
    return {"skipped": len(records), "records": records[:20]}


def with_vocabulary(recipe: Recipe, documents: Iterable[Document]) -> Recipe:
    """The recipe with the characters of these texts, where its text encoder is `characters` and has none yet."""
    text = recipe.encode.text
    if text.name != "characters" or text.vocabulary:
        return recipe
    text = replace(text, vocabulary=characters.vocabulary(d.text for d in documents))
    return replace(recipe, encode=replace(recipe.encode, text=text))


def with_context(recipe: Recipe, documents: Iterable[Document]) -> Recipe:
    """The recipe with the caption generator that its context of `*` stands for in these documents."""
    encode: Any = recipe.encode
    name = context_generator(encode.inputs.context, documents)
    return recipe if name == encode.inputs.context else replace(recipe, encode=replace(encode, context=name))


def _context(recipe: Recipe, documents: Sequence[Document]) -> dict[str, Any]:
    """Whose captions are the context, and how many documents have none."""
    name = recipe.encode.inputs.context
    if not name:
        return {}
    lacking = sum(not d.caption(name).strip() for d in documents)
    return {"context": {"generator": name, "documents": len(documents) - lacking, "without": lacking}}


def fingerprint(recipe: Recipe, seed: int, train: str, dev: list[Document]) -> str:
    """Of recipe, seed, training documents and dev documents; pixels and precision are not in it.

    Args:
        recipe: that is trained.
        seed: of all that is drawn.
        train: digest of the training documents.
        dev: as they are scored.
    """
    digest = hashlib.sha256(json.dumps([recipes.dump(recipe), seed, train], sort_keys=True, default=str).encode())
    for document in dev:
        digest.update(document.to_json().encode("utf8", "surrogatepass"))
    return digest.hexdigest()
