"""Records hold precision, recall, F1 and support of each label, for every task with labels."""

import json
import random

import pytest

from openmie import diorama, metrics
from openmie.train.evaluate import score_data

POSTS = list(diorama.generate(diorama.Config(), "test", 40, pixels=False))
PAIRED = [d.replace(images=()) for d in diorama.generate_pairs(diorama.Config(), "test", 40)]
DOCUMENTS = list(diorama.generate(diorama.Config(documents=True), "test", 6, pixels=False))
LABELLED = {  # task -> (gold, score -> the layer whose labels it has)
    "ner": (POSTS, {"strict": "mentions", "lenient": "mentions"}),
    "re": (PAIRED, {"relations": "relations", "as_released": "relations"}),
    "joint": (PAIRED, {"pairs": "relations", "entities": "mentions"}),
    "document": (DOCUMENTS, {"entities": "mentions", "relations": "relations", "regions": "regions"}),
}


@pytest.mark.parametrize("task", LABELLED)
def test_the_labels_of_a_score_are_counted_apart_and_add_up(task):
    gold, scores = LABELLED[task]
    found = metrics.score(gold, [_worse(d, task) for d in gold], task=task, bootstrap=0)
    for name, layer in scores.items():
        data = json.loads(json.dumps(score_data(found[name])))
        used = {x.label for d in gold for x in getattr(d, layer)} - {"None", ""}
        assert used and set(data["labels"]) == used
        for count in ("gold", "predicted", "correct"):
            assert sum(one[count] for one in data["labels"].values()) == data[count]
        for label, one in data["labels"].items():
            assert one["gold"] > 0 or one["predicted"] > 0, label
            p, r = (100 * one["correct"] / max(one[side], 1) for side in ("predicted", "gold"))
            assert (one["precision"], one["recall"]) == pytest.approx((p, r))
            assert one["f1"] == pytest.approx(2 * p * r / (p + r) if p + r else 0)


def _worse(document, task):
    """Without some of what is to be found; documents with chains lose regions and relations alone."""
    draw = random.Random(document.id)

    def some(items):
        return [x for x in items if draw.random() < 0.7]

    if task == "document":
        return document.replace(relations=some(document.relations), regions=some(document.regions))
    kept = document.mentions if task == "re" else some(document.mentions)
    there = {m.id for m in kept}
    relations = [r for r in some(document.relations) if {r.head, r.tail} <= there]
    return document.replace(mentions=kept, relations=relations, chains=(), regions=())
