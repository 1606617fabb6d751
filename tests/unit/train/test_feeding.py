"""What no training document can feed is refused, with what to attach and which ablation to take; rows are counted."""

from dataclasses import replace
from itertools import islice

import pytest

from openmie import corpora
from openmie.data.document import Image
from openmie.diorama import corpus as diorama
from openmie.errors import OpenMIEError
from openmie.papers import baseline, camim
from openmie.recipe import Training
from openmie.train import fit
from openmie.train.feeding import UnfedError, sources_of, unfed, with_ablations

CORPUS = diorama(train=30, dev=5, test=2, paired=True)
POSTS = list(islice((d for d in CORPUS.train if d.relations), 10))
DEV = list(CORPUS.dev)


def without(document, *roles):
    """The post without images of these roles: `main` and `generated`, which go with what is cut from them, or those."""
    drawn = {i.id for i in document.images if i.kind == "generated"}

    def role(image):
        if image.kind in ("object", "patch"):
            return "generated_objects" if image.parent in drawn else "objects"
        return image.kind

    gone = {
        *roles,
        *(("generated_objects",) if "generated" in roles else ()),
        *(("objects",) if "main" in roles else ()),
    }
    return document.replace(images=tuple(i for i in document.images if role(i) not in gone))


def small(recipe, epochs=1):
    return replace(recipe, training=replace(recipe.training, epochs=epochs, batch_size=4))


def train(recipe, posts, out, **options):
    return list(fit(small(recipe, **options), posts, DEV, out=out, seed=1))


def test_rows_of_each_loss_are_those_of_the_posts_that_have_the_images(tmp_path):
    posts = [d if i < 3 else without(d, "generated") for i, d in enumerate(POSTS)]
    pairs = sum(len(d.relations) for d in posts)
    events = train(camim.recipe(CORPUS), posts, tmp_path, epochs=2)
    told = [e.values["rows"] for e in events if e.kind == "dev"]
    assert [t["mi"] for t in told] == [3, 3]
    assert told[0]["relations"] == sum(e.values["rows"]["relations"] for e in events if e.kind == "dev") / 2 >= pairs
    assert events[-1].values["rows"] == told[-1]
    assert "mi 3" in (tmp_path / "card.md").read_text(encoding="utf8")


def test_mutual_information_without_generated_images_is_refused(tmp_path):
    posts = [without(d, "generated") for d in POSTS]
    with pytest.raises(UnfedError) as error:
        train(camim.recipe(CORPUS), posts, tmp_path)
    assert "none of 10 training documents has generated;" in str(error.value)
    assert "mnre:PATH?generated=FOLDER" in error.value.record.remedy
    told = with_ablations(error.value, camim.ablations(camim.recipe(CORPUS)), posts)
    assert "'w/o generated image'" in told.record.remedy and "'HVPNeT + CAM + MI'" in told.record.remedy
    assert "'TMR'" not in told.record.remedy


@pytest.mark.parametrize(
    ("row", "gone", "where", "remedy"),
    [
        ("HVPNeT + MI", ("main",), "vision", "images=FOLDER"),
        ("HVPNeT", ("objects",), "objects", "objects=FOLDER"),
        ("TMR", ("generated_objects",), "generated_objects", "generated_objects=FOLDER"),
        ("cross", ("main",), "vision", "images=FOLDER"),
    ],
)
def test_a_branch_without_any_image_is_refused(tmp_path, row, gone, where, remedy):
    recipe = camim.ablations(camim.recipe(CORPUS))[row]
    posts = [without(d, *gone) for d in POSTS]
    with pytest.raises(UnfedError, match=where) as error:
        train(recipe, posts, tmp_path)
    assert remedy in error.value.record.remedy


def test_a_text_recipe_needs_no_image_and_one_post_is_enough(tmp_path):
    bare = [without(d, "main", "generated") for d in POSTS]
    text = camim.ablations(camim.recipe(CORPUS))["text"]
    assert not [*unfed(text, bare)]
    assert not [*unfed(camim.recipe(CORPUS), [*bare[1:], POSTS[0]])]


def test_a_file_that_is_not_there_feeds_nothing(tmp_path):
    posts = [d.replace(images=(Image(path=str(tmp_path / "none.jpg")),)) for d in POSTS]
    assert next(r.found == "vision" for r in unfed(baseline.recipe(CORPUS, task="re"), posts))


def test_a_head_without_gold_is_refused():
    recipe = baseline.recipe(CORPUS, task="joint")
    plain = [d.replace(relations=()) for d in POSTS]
    assert [r.where for r in unfed(recipe, plain)] == ["heads.1, which learns relations"]


def test_an_alignment_needs_both_sides_in_one_post():
    recipe = camim.recipe(CORPUS)
    half = [without(d, "generated") if i % 2 else without(d, "main") for i, d in enumerate(POSTS)]
    assert [r.where for r in unfed(recipe, half)] == ["align.0, between generated and original"]
    assert sources_of(recipe)["original"] == ("vision", "objects")


def test_bench_names_what_can_be_trained_and_keeps_the_rows(tmp_path):
    from openmie.bench.execution import execute
    from openmie.bench.run_spec import RunSpec

    (folder := tmp_path / "plain").mkdir()
    for split, posts in (("train", POSTS), ("dev", DEV), ("test", DEV)):
        corpora.write([without(d, "main", "generated") for d in posts], folder / f"{split}.jsonl", "jsonl")
    same = {"corpus": f"jsonl:{folder}", "changes": ("training.epochs=1",)}
    with pytest.raises(OpenMIEError, match="'text'"):
        execute(RunSpec(paper="camim", **same), tmp_path / "out")
    record = execute(RunSpec(paper="camim", ablation="text", **same), tmp_path / "out")
    assert record["rows"]["relations"] >= 10


def test_the_context_is_one_generator_for_all(tmp_path):
    told = [{"own": "a b"}, {"BLIP": "c", "own": "d"}, {"BLIP": "e"}, {}]
    posts = [d.replace(captions=c) for d, c in zip(POSTS, told)]
    recipe = camim.ablations(camim.recipe(CORPUS, context="*"))["cross + CAM"]
    events = list(fit(replace(recipe, training=Training(epochs=1, batch_size=2)), posts, DEV, out=tmp_path))
    assert events[0].values["context"] == {"generator": "BLIP", "documents": 2, "without": 2}
    import openmie

    assert openmie.load(tmp_path).recipe.encode.context == "BLIP"
