"""What a training is selected by: the score of the dev split. The test split is not known here."""

from __future__ import annotations

from openmie import metrics
from openmie.data.document import Document
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.pretrained import Model
from openmie.model.tasks.task import CANDIDATE_SOURCES
from openmie.recipe import Recipe
from openmie.train.document_scores import score_predictions, selection_score


def dev_score(model: Model, encoded: list[EncodedDocument], dev: list[Document], recipe: Recipe) -> float:
    """Strict span F1, relation F1 without None, joint F1, or the mean over the tasks of documents, in percent."""
    if recipe.task == "document":
        predicted = model.predict_encoded(encoded, CANDIDATE_SOURCES)
        return selection_score(
            score_predictions(dev, predicted, recipe.symmetric_labels), recipe.training.selection_metric
        )
    return _score(dev, model.predict_encoded(encoded)["predicted"], recipe).f1


def num_gold(dev: list[Document], recipe: Recipe) -> float:
    """How many things there are to find."""
    return metrics.documents(dev, dev).gold if recipe.task == "document" else _score(dev, dev, recipe).gold


def _score(gold: list[Document], predicted: list[Document], recipe: Recipe) -> metrics.Scores:
    metric = recipe.training.selection_metric or recipe.task
    if metric == "ner":
        return metrics.spans(gold, predicted)
    score = metrics.relations if metric == "re" else metrics.pairs
    return score(gold, predicted, symmetric=recipe.symmetric_labels)
