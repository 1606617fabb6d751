"""Examples that are encoded when a batch wants them are those that are encoded at once, and few are there together."""

import errno
import gc
import weakref

import numpy as np
import pytest
import torch

from openmie.data.document_file import DocumentFile
from openmie.errors import TrainError
from openmie.model.pretrained import Model
from openmie.train import fit
from openmie.train.lazy_examples import CHUNK, LazyExamples
from tests.fixtures import small


def posts(n):
    """Without pixels in memory; some list no relation, and so nothing that a relation head could learn from."""
    found = [d.replace(images=()) for d in small.documents(n)]
    return [d.replace(relations=()) if i % 5 == 3 else d for i, d in enumerate(found)]


@pytest.mark.parametrize("task", ["ner", "re", "joint"])
def test_lazy_examples_are_the_examples(task, bert, tmp_path):
    model, documents = Model.new(small.recipe(task, "text", encode__text__name=bert)), posts(CHUNK + 9)
    eager = model.featurizer.featurize(documents, gold=True)
    lazy = LazyExamples(model.featurizer, DocumentFile(documents, tmp_path))
    assert len(lazy) == len(eager) and list(lazy.lengths) == [e.length for e in eager]
    chosen = np.random.default_rng(0).permutation(len(eager))[:40].tolist()
    found = lazy.__getitems__(chosen)
    assert [e.index for e in found] == [eager[i].index for i in chosen]
    one, other = (model.featurizer.collate(part) for part in (found, [eager[i] for i in chosen]))
    for part in ("inputs", "given", "targets"):
        a, b = getattr(one, part), getattr(other, part)
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert list(lazy.records) == [*dict.fromkeys(r for e in eager for r in e.errors.values())]


def test_no_more_documents_are_there_than_a_batch_has(bert, tmp_path, monkeypatch):
    """Of 200 documents that are trained on, fewer than two chunks are there at any time."""
    made, most, get = list[weakref.ref](), 0, DocumentFile.__getitem__

    def watched(self, at):
        nonlocal most
        document = get(self, at)
        made.append(weakref.ref(document))
        most = max(most, sum(one() is not None for one in made))
        return document

    monkeypatch.setattr(DocumentFile, "__getitem__", watched)
    recipe = small.recipe("ner", "text", encode__text__name=bert, training__epochs="1")
    gc.collect()
    events = list(fit(recipe, (d for d in posts(200)), posts(2), out=tmp_path))
    assert events[-1].kind == "done" and len(made) >= 400 and most < 2 * CHUNK


def test_a_full_disk_is_told(bert, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("openmie.data.document_file.tempfile.TemporaryFile", full)
    with pytest.raises(TrainError, match=r"cannot hold the training documents: No space left.*another --out"):
        list(fit(small.recipe("ner", "text", encode__text__name=bert), posts(4), posts(2), out=tmp_path))
