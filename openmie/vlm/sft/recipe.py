"""The recipe of a fine-tuned vision-language model, its training and its scores.

`openmie.recipe.dump`, `set_field` and `difference` work on it as on `openmie.recipe.Recipe`; `openmie.vlm.sft.system`
makes the `System` of it that bench runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.datasets import mmre
from openmie.errors import ErrorRecord, ImageError, TrainError
from openmie.metrics.patches import patches
from openmie.vlm import pfa
from openmie.vlm.generate import Answer, Request
from openmie.vlm.pfa.grammar import grammar
from openmie.vlm.pfa.parsing import ANSWER_PLACE
from openmie.vlm.sft import tiny_llava as tiny
from openmie.vlm.sft.dataset import PromptSpec, SFTExample, build_sft_dataset, texts
from openmie.vlm.sft.settings import SFTTraining

if TYPE_CHECKING:
    from openmie.vlm.sft.finetune import Watch

TINY = "tiny"  # the model that is built here, from random weights


@dataclass(frozen=True, kw_only=True)
class SFTRecipe:
    """Which model is trained on which prompts, and how."""

    name: str
    labels: tuple[str, ...] = ()  # of names
    tasks: tuple[str, ...] = pfa.TASKS  # summary, ner or both
    plain: bool = False  # without PFA: the text alone goes in, and an answer without headers comes out
    patches: bool = True  # the lettered patches are shown
    model: str = TINY  # hub id or folder, or `tiny`
    revision: str = ""  # commit, branch or tag of a hub id; "": its main branch, which its owner can change
    sizes: tiny.Tiny = field(default_factory=tiny.Tiny)  # of `tiny`
    summary: str = ""  # generator of the captions that are the summaries; "": the document's own, or its only caption
    split: int = 0  # seed that draws train and test 7:3 from all documents; -1: the corpus's own splits
    dev: float = 0.1  # share of train that is put aside to choose by
    training: SFTTraining = field(default_factory=SFTTraining)
    max_tokens: int = 512  # of an answer
    answers: int = 8  # made together

    @property
    def is_generative(self) -> bool:
        """Whether the system is a language model that writes its predictions: always."""
        return True

    @property
    def task(self) -> str:
        """As the bench names it."""
        return "joint" if len(self.tasks) > 1 else self.tasks[0]

    @property
    def prompt_spec(self) -> PromptSpec:
        """What each document's prompt asks for."""
        return PromptSpec(labels=self.labels, tasks=self.tasks, patches=self.patches, plain=self.plain)

    def data(self, corpus: Corpus) -> Corpus:
        """The corpus as this recipe reads it."""
        return mmre.build_mmre(
            corpus, summary=self.summary, seed=max(self.split, 0), dev=self.dev, split=self.split >= 0
        )


def fit_sft(
    recipe: SFTRecipe,
    train: Iterable[Document],
    dev: Iterable[Document],
    out: str | Path,
    *,
    seed: int = 0,
    watch: Watch = lambda kind, values: None,
) -> dict[str, Any]:
    """Fine-tune the recipe's model.

    Args:
        recipe: model, prompts and settings.
        train: documents to learn from.
        dev: documents whose loss chooses the epoch.
        out: the model folder to write.
        seed: of weights that start at random, of dropout and of the order.
        watch: called with what happens and its values.

    Returns:
        The facts of `finetune`, and `skipped`: documents that gave no example.

    Raises:
        TrainError: no example to train on, or none of dev; those of `finetune`.
    """
    from openmie.vlm.sft.finetune import finetune  # torch, without which a recipe can be read

    (lessons, no), (held, neither) = (
        build_sft_dataset(train, recipe.prompt_spec),
        build_sft_dataset(dev, recipe.prompt_spec),
    )
    if not lessons or (recipe.training.keep == "best" and not held):
        first = f", such as: {(no + neither)[0]}" if no + neither else ""
        raise TrainError(
            f"{len(lessons)} lessons to train on, {len(held)} of dev{first}",
            where=recipe.name,
            expected="documents with image and summary",
            remedy="look at the corpus and recipe.summary",
        )
    model, processor = initial_model(recipe, lessons, seed)
    facts = finetune(model, processor, lessons, held, out, recipe.training, seed=seed, watch=watch, name=recipe.name)
    return facts | {"skipped": {"count": len(no) + len(neither), "records": [str(r) for r in (no + neither)[:20]]}}


def initial_model(recipe: SFTRecipe, lessons: Sequence[SFTExample], seed: int) -> tuple[Any, Any]:
    """Model and processor before training: `tiny` with a tokenizer of these examples, else those of the hub."""
    if recipe.model == TINY:
        return tiny.build(*texts(lessons), recipe.sizes, seed)
    from openmie.vlm.sft.finetune import load_model

    return load_model(recipe.model, recipe.training, recipe.revision)


def predict(
    recipe: SFTRecipe, backend: Any, documents: Iterable[Document], *, constrained: bool = False
) -> tuple[list[Document], list[Answer | ErrorRecord]]:
    """Predict documents with a backend.

    Args:
        recipe: labels, tasks and format.
        backend: of `openmie.vlm.backends`.
        documents: their gold is not read.
        constrained: hold each answer to the grammar of PFA, with names that are in the text.

    Returns:
        The predicted documents, one without an answer being empty with a record; and the raw answers.
    """
    asked = [d.without_gold() for d in documents]
    broken: dict[int, ErrorRecord] = {}
    came = iter(list(backend.answers(_requests(recipe, asked, constrained, broken))))
    answers = [broken[n] if n in broken else next(came) for n in range(len(asked))]
    found = []
    for document, answer in zip(asked, answers, strict=True):
        if isinstance(answer, ErrorRecord):
            where = f"document {document.id}, {answer.where}, {ANSWER_PLACE}"
            found.append(document.replace(errors=(answer.model_copy(update={"where": where}),)))
            continue
        read = pfa.parse(answer.text, recipe.labels, document, recipe.tasks, plain=recipe.plain)
        if answer.finish == "length":
            cut = ErrorRecord(
                where=f"document {document.id}, {ANSWER_PLACE}",
                found="an answer that was cut at its length",
                expected="a whole answer",
                remedy="raise max_tokens; what stands before the cut was read",
            )
            read = read.replace(errors=(*read.errors, cut))
        found.append(read)
    return found, answers


def _requests(
    recipe: SFTRecipe, documents: Sequence[Document], constrained: bool, broken: dict[int, ErrorRecord]
) -> Iterator[Request]:
    """A request a document, made when it is asked for; where a picture cannot be read, a record in `broken` instead."""
    for n, document in enumerate(documents):
        try:
            yield _request(recipe, document, constrained)
        except ImageError as error:
            broken[n] = error.record


def _request(recipe: SFTRecipe, document: Document, constrained: bool) -> Request:
    request = pfa.prompt(document, recipe.labels, recipe.tasks, recipe.patches, recipe.plain)
    if not constrained:
        return request
    letters = len(patches(document)) if recipe.patches else 0
    form = grammar(recipe.labels, letters, recipe.tasks, document.text or None, plain=recipe.plain)
    return Request(prompt=request.prompt, images=request.images, schema=form)


def scores(recipe: SFTRecipe, gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, float]:
    """The measures of algorithm 1 for the recipe's tasks, and the share of answers in the format, all in percent."""
    from openmie import metrics

    found = metrics.mre(gold, predicted)
    numbers: dict[str, float] = {}
    if "ner" in recipe.tasks:
        numbers |= {"F1": found.f1, "Accuracy": found.accuracy, "Pair F1": found.pairs.f1}
    if "summary" in recipe.tasks and found.text is not None:
        text = found.text
        same = sum(p.summary == g.summary for g, p in zip(gold, predicted, strict=True))
        numbers |= {
            "BLEU": text.bleu,
            "ROUGE-1": text.rouge1,
            "ROUGE-2": text.rouge2,
            "ROUGE-L": text.rougeL,
            "Exact": 100 * same / len(gold),
        }
    clean = sum(map(pfa.parsed_cleanly, predicted))
    return numbers | {"Parsed": 100 * clean / len(gold)}


def facts_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of `fit_sft` that a record of the bench keeps beside the scores."""
    epochs = [row["epoch"] for row in found["curve"] if row["loss"] == found["best"]]  # none where the last was kept
    return {
        "dev": {"loss": found["best"], "epoch": epochs[0] if epochs else None},
        "curve": found["curve"],
        "examples": found["lessons"]["train"],
        "parameters": found["parameters"],
        "skipped": found["skipped"],
    }
