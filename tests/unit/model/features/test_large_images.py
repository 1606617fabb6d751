"""Large images on the way to a model: one at a time, decoded small, once for all pairs of a document."""

import weakref

import numpy as np
import PIL.Image
import pytest
import torch

from openmie.base.photograph import PhotographReader, read_photograph, with_photographs
from openmie.data.document import Document, Image, Region
from openmie.data.small_pictures import MinSize
from openmie.model.features.images import collate_images
from openmie.model.pretrained import Model
from tests.fixtures import small
from tests.fixtures.base_stub import OneLine, OnePerson


class Process:
    """Preprocessing to 64 pixels that remembers what it was given."""

    min_size = MinSize(shorter=192)

    def __init__(self):
        self.sizes, self.pictures, self.alive = [], [], 0

    def __call__(self, pictures):
        self.sizes += [p.size for p in pictures]
        self.pictures += [weakref.ref(p) for p in pictures]
        self.alive = max(self.alive, sum(ref() is not None for ref in self.pictures))
        return torch.stack([torch.from_numpy(np.array(p.resize((64, 64)))).permute(2, 0, 1).float() for p in pictures])


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return {task: Model.new(small.recipe(task)) for task in ("ner", "re")}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    paths = [folder / f"{n}.jpg" for n in range(3)]
    for n, path in enumerate(paths):
        PIL.Image.linear_gradient("L").resize((1600, 1200 + 100 * n)).save(path)
    return [str(path) for path in paths]


def test_one_picture_is_held_at_a_time_and_small(models, photographs):
    model, process = models["ner"], Process()
    documents = [small.document(n).replace(images=(Image(path=path, id="main"),)) for n, path in enumerate(photographs)]
    encoded = model.featurizer.featurize(documents)
    found = collate_images(encoded, model.featurizer.inputs, process, {})
    assert process.sizes == [(400, 300), (400, 325), (400, 350)] and process.alive == 1
    assert found["pixels"].shape == (3, 3, 64, 64) and found["image"].tolist() == [0, 1, 2]


def test_pixels_have_the_values_and_the_layout_of_a_batch_that_is_made_at_once(models):
    """Convolutions are faster over channels-last pixels; another layout rounds otherwise, so weights change."""
    model = models["ner"]
    process, documents = model.featurizer.vision.process, [small.document(n) for n in range(3)]
    found = collate_images(model.featurizer.featurize(documents), model.featurizer.inputs, process, {})["pixels"]
    expected = process([PIL.Image.fromarray(d.images[0].pixels) for d in documents])
    assert torch.equal(found, expected) and found.stride() == expected.stride()
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_pairs_of_a_document_have_its_picture_read_once(models, photographs):
    model, process = models["re"], Process()
    document = small.document(1).replace(images=(Image(path=photographs[0], id="main"),), relations=())
    encoded = model.featurizer.featurize([document])
    found = collate_images(encoded, model.featurizer.inputs, process, {})
    assert len(encoded) == 6 and process.sizes == [(400, 300)]
    assert found["pixels"].shape[0] == 6 and found["image"].tolist() == list(range(6))


def test_an_unreadable_picture_has_its_record_in_each_document(models, tmp_path):
    document = small.document(1).replace(images=(Image(path=str(tmp_path / "gone.jpg"), id="main"),))
    found = models["ner"].predict([document, document])
    assert all("no such file" in str(d.errors) for d in found)


@pytest.mark.parametrize("words", [True, False])
def test_boxes_are_in_pixels_of_the_original(photographs, words, tmp_path):
    path = tmp_path / "large.png"
    PIL.Image.new("RGB", (4200, 1000)).save(path)
    reader = PhotographReader(OnePerson(), OneLine("NASA"), words=words)
    seen = []
    detect = reader._detector.detect
    reader._detector.detect = lambda pictures, least: seen.extend(p.size for p in pictures) or detect(pictures, least)
    (found,) = with_photographs([Document(id="d", images=(Image(path=str(path), id="main"),))], reader)
    assert seen == [(2100, 500) if words else (840, 200)]
    person = next(r for r in found.regions if r.label == "person")
    assert person == Region(image="main", box=(0.0, 0.0, 2100.0, 1000.0), label="person", score=0.9)
    assert (found.images[0].width, found.images[0].height) == (4200, 1000)
    assert read_photograph(str(path), reader).objects[0].box == (0.0, 0.0, 2100.0, 1000.0)


def test_photographs_that_are_looked_at_together_are_bounded_by_their_pixels(monkeypatch):
    monkeypatch.setattr("openmie.base.photograph.PIXELS_AT_ONCE", 3 * 40 * 50)
    counts = []
    reader = PhotographReader(OnePerson(), words=False)
    detect = reader._detector.detect
    reader._detector.detect = lambda pictures, least: counts.append(len(pictures)) or detect(pictures, least)
    documents = [Document(id=str(i), images=(Image(pixels=small.picture(i), id="main"),)) for i in range(7)]
    assert all(len(d.regions) == 1 for d in with_photographs(documents, reader))
    assert counts == [3, 3, 1]
