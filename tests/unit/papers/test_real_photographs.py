"""Real photographs through the systems, with pretrained towers where a system takes them: a smoke test, no scores.

Every photograph that MNRE's and GMNER's folders hold, under a made-up post. MGIPS-CL couples two towers of one shape,
and M3D reads layers of one width, so both refuse `lite0` and have a built-in tower here; PFA has neither option.
"""

import functools
from collections import Counter

import pytest
import torch

from openmie import diorama
from openmie.bench import system
from openmie.data.document import Image
from openmie.data.images import load_image
from openmie.errors import MissingPackageError, RecipeError
from openmie.model import lite0, packed_e5
from openmie.model.pretrained import Model
from openmie.train.optimizer import build_optimizer
from tests.fixtures import small

pytestmark = pytest.mark.real
NUM_PHOTOGRAPHS = {"mnre": 39, "gmner": 6}
CLIPS = diorama.Config(documents=True, size=64, sentences=6, frames=4)
SYSTEMS = {  # flavour, task, vision tower, text encoder (all posts have one text, and e5 is large), further options
    "baseline": ("pretrained", "re", "lite0", "e5", ()),
    "shap_ca": ("improved", "ner", "lite0", "tiny", ("context=c",)),
    "mgips_cl": ("improved", "ner", "tiny-clip", "tiny", ()),
    "camim": ("improved", "re", "lite0", "tiny", ("context=c",)),
    "m3d": ("improved", "", "tiny", "tiny", ("language=en",)),
}
REFUSE_LITE0 = {"mgips_cl", "m3d"}


@pytest.fixture
def photographs(corpora):
    found = {name: sorted((corpora / name / "images").rglob("*.jpg")) for name in NUM_PHOTOGRAPHS}
    assert {name: len(files) for name, files in found.items()} == NUM_PHOTOGRAPHS
    paths = [path for files in found.values() for path in files]
    assert max(Counter(path.read_bytes() for path in paths).values()) == 1  # so that all features have to differ
    return paths


@pytest.fixture
def truncated(photographs, tmp_path):
    """A copy of a photograph whose header is right and whose second half is missing."""
    path, data = tmp_path / "half.jpg", photographs[0].read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.fixture(scope="module")
def unpacked():
    """Read the packed text encoder once for all systems."""
    try:
        lite0.load(lite0.EfficientNetLite0())
        found = packed_e5.load()
    except MissingPackageError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed_e5, "load", functools.cache(lambda *a, **k: found))
        yield


def corpus_of(name):
    return diorama.corpus(CLIPS, train=1, dev=1, test=1) if name == "m3d" else small.CORPUS


def post(name, number, path, generated):
    """One text for all photographs, so that a difference between two posts is one of their images."""
    if name == "m3d":
        clip = next(diorama.generate(CLIPS, "train", 1))
        frame = clip.images[0].model_copy(update={"path": str(path), "pixels": None, "width": None, "height": None})
        return clip.replace(id=f"p{number}", images=[frame], regions=[r for r in clip.regions if r.image == frame.id])
    images = [Image(id="main", path=str(path))]
    if name == "camim":  # an object of the photograph, and another photograph as the one generated from the text
        images.append(Image(id="o", kind="object", box=(0, 0, 40, 40)))
        images.append(Image(id="g", kind="generated", path=str(generated)))
    told = small.document(0)  # with one pair, since images are encoded for each
    return told.replace(id=f"p{number}", images=images, relations=told.relations[:1])


def encoded_and_predicted(model, documents):
    """The visual tokens' means of each document, in the order of the batches, and the predictions."""
    seen = []
    hook = model.extractor.encode.register_forward_hook(lambda _, args, streams: seen.append(streams["vision"]))
    predicted = model.predict(documents, batch_size=16)
    hook.remove()
    means = [(s.tokens * s.mask[..., None]).sum(1) / s.mask.sum(1, keepdim=True).clamp(min=1) for s in seen]
    rows = torch.cat(means).unflatten(0, (len(documents), -1))  # one a document, or one a pair of its mentions
    assert (rows - rows[:, :1]).abs().max() < 1e-3 * rows.norm(dim=-1).mean()
    return rows[:, 0], predicted


def check_features(features, again):
    """All finite and different from each other; one of them is that of its image alone, in another batch."""
    assert features.isfinite().all()
    scale = features.norm(dim=1).mean()
    distances = torch.cdist(features, features) / scale
    assert distances[~torch.eye(len(features), dtype=torch.bool)].min() > 1e-3
    assert sorted((features - again).norm(dim=1) / scale)[0] < 1e-4


def train_one_step(model, documents):
    batch = model.featurizer.collate(model.featurizer.featurize(documents, gold=True))
    extractor = model.extractor.train()
    optimizer = build_optimizer(extractor.named_parameters(), model.recipe.training.param_groups)
    output = extractor(batch)
    output.total.backward()
    moved = [p for n, p in extractor.named_parameters() if n.startswith("encode.vision") and p.grad is not None]
    before = [p.detach().clone() for p in moved]
    optimizer.step()
    extractor.eval()
    assert output.total.isfinite() and moved and all(p.grad.isfinite().all() for p in moved)
    assert any(not torch.equal(a, b) for a, b in zip(before, moved))


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_learns_from_and_predicts_on_every_photograph(name, photographs, truncated, unpacked):
    flavour, task, vision, text, options = SYSTEMS[name]
    corpus = corpus_of(name)
    if name in REFUSE_LITE0:
        with pytest.raises(RecipeError, match="lite0"):
            Model.new(system.build(name, corpus, task, ["text=tiny", "vision=lite0", *options], flavour))
    torch.manual_seed(0)
    model = Model.new(system.build(name, corpus, task, [f"text={text}", f"vision={vision}", *options], flavour))
    following = [*photographs[1:], photographs[0]]
    posts = [post(name, i, path, after) for i, (path, after) in enumerate(zip(photographs, following))]
    again, half = posts[0].replace(id="again"), post(name, "half", truncated, photographs[1])
    train_one_step(model, posts[:4])
    features, predicted = encoded_and_predicted(model, posts)
    alone, twice = encoded_and_predicted(model, [again])
    check_features(features, alone)
    predicted += [*twice, *model.predict([half])]
    assert [d.id for d in predicted] == [d.id for d in (*posts, again, half)]
    assert not [error for d in predicted[:-1] for error in d.errors]
    assert any(e.found.startswith("a broken file") and "half.jpg" in f"{e.where}" for e in predicted[-1].errors)


@pytest.fixture
def asked(photographs, truncated):
    """Posts with a summary, as PFA learns them, the last of them with the truncated copy."""
    posts = [post("pfa", i, path, None) for i, path in enumerate([*photographs, truncated])]
    return [d.replace(summary="A photograph.", relations=()) for d in posts]


def test_pfa_reads_every_photograph_before_the_first_step(photographs, asked):
    pytest.importorskip("trl")
    from openmie.vlm.sft.dataset import PromptSpec, build_sft_dataset

    made, (record,) = build_sft_dataset(asked, PromptSpec(labels=small.LABELS.mentions))
    assert [x.id for x in made] == [d.id for d in asked[:-1]]
    assert record.found.startswith("a broken file") and "half.jpg" in record.where
    assert all(x.pictures()[0].size == load_image(path).size for x, path in zip(made, photographs))


def test_pfa_learns_from_every_photograph(photographs, truncated, tmp_path):
    """Steps on all of them: a finite loss, a vision tower that moves, and a record for the broken copy."""
    pytest.importorskip("trl")
    from openmie.datasets import mmre
    from openmie.vlm.sft import tiny_llava
    from openmie.vlm.sft.dataset import PromptSpec, build_sft_dataset, texts
    from openmie.vlm.sft.settings import SFTTraining
    from openmie.vlm.sft.trainer import Trainer

    config = diorama.Config(translation=False, size=64, patches=4)
    (lesson,) = mmre.build_mmre(diorama.corpus(config, train=1, dev=1, test=1)).train
    main = next(image for image in lesson.images if image.kind == "main")

    def shown(number, path):
        image = main.model_copy(update={"path": str(path), "pixels": None, "width": None, "height": None})
        images = [image if each.id == main.id else each for each in lesson.images]
        return lesson.replace(id=f"p{number}", images=images)

    documents = [shown(number, path) for number, path in enumerate([*photographs, truncated])]
    lessons, refused = build_sft_dataset(documents, PromptSpec(labels=("LOC", "MISC", "ORG", "PER")))
    assert len(lessons) == len(photographs) and len(refused) == 1 and str(truncated) in str(refused[0])
    sizes = tiny_llava.Tiny(width=32, layers=2, heads=2, channels=16)
    model, processor = tiny_llava.build(*texts(lessons), sizes, 0)
    training = SFTTraining(epochs=1, batch=15, lr=3e-3, vision_lr=3e-3, merger_lr=3e-3, dev_batch=8)
    trainer = Trainer.of(model, processor, (lessons, lessons[:2]), tmp_path, training, 0)
    vision = [(n, p) for n, p in model.named_parameters() if "vision" in n]
    before = [p.detach().clone() for _, p in vision]
    result = trainer.train()
    assert result.global_step == 3 and 0 < result.training_loss < 20
    assert any(not torch.equal(a, b) for a, (_, b) in zip(before, vision))
    assert all(p.isfinite().all() for p in model.parameters())
