"""Candidate objects: choice of boxes against a slow reference, and documents with a detector whose boxes are known."""

import math
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from openmie.data.document import Document, Image, Mention, Phrase, Region
from openmie.errors import ImageError, RecipeError
from openmie.formats.sharded_output import open_output_folder
from openmie.inference.detector import Detections, Query
from openmie.inference.object_proposals import ProposalOptions, propose_objects, select_boxes
from tests.fixtures import small

# -- the choice of boxes


def slow_choice(found, size, most, threshold, overlap):
    """All pairs, no arrays: a box is taken unless one taken before overlaps it too much."""
    boxes = []
    for x1, y1, x2, y2 in found.boxes.tolist():
        boxes.append([min(max(v, 0.0), float(m)) for v, m in zip((x1, y1, x2, y2), (*size, *size))])
    usable = [
        i
        for i, b in enumerate(boxes)
        if all(map(math.isfinite, found.boxes[i]))
        and math.isfinite(found.scores[i])
        and found.scores[i] > threshold
        and b[2] - b[0] >= 1
        and b[3] - b[1] >= 1
    ]
    taken = []
    for i in sorted(usable, key=lambda i: (-found.scores[i], i)):
        clear = True
        for j in taken:
            a, b = boxes[i], boxes[j]
            wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            shared = max(wide, 0) * max(high, 0)
            areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
            clear = clear and shared / (areas - shared) <= overlap
        if clear:
            taken.append(i)
    return taken[:most]


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 1.0])
def test_choice_is_that_of_the_slow_reference(overlap):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(0, 25))
        corners = rng.integers(-8, 45, (n, 2))
        boxes = np.concatenate([corners, corners + rng.integers(-2, 30, (n, 2))], 1).astype(float)
        scores = rng.integers(0, 8, n) / 8  # with ties
        if n > 3 and seed % 3 == 0:
            boxes[0, 1], boxes[1, 2], scores[2] = np.nan, np.inf, np.nan
        found = Detections(boxes, scores, np.zeros(n, int))
        for most in (1, 3, 50):
            taken, clipped = select_boxes(found, (40, 30), most, 0.25, overlap)
            assert taken.tolist() == slow_choice(found, (40, 30), most, 0.25, overlap)
            inside = clipped[taken]
            assert (inside >= 0).all() and (inside <= [40, 30, 40, 30]).all()


# -- documents, with a detector whose boxes are known


class Known:
    """Finds what it was told for each query, however the picture looks."""

    threshold = 0.1

    def __init__(self, answers=(), room=99):
        self.answers, self.room, self.asked = dict(answers), room, []

    def make_queries(self, phrases):
        return [Query(p.lower() if len(p) <= self.room else "", len(p) <= self.room) for p in phrases]

    def prepare(self, picture):
        if picture.size == (1, 1):
            raise ImageError("1 x 1 pixels", expected="more", remedy="none")
        return torch.tensor(np.asarray(picture)).permute(2, 0, 1)

    def detect(self, pixels, sizes, queries):
        self.asked += [list(q) for q in queries]
        assert [(x.shape[2], x.shape[1]) for x in pixels] == list(sizes)
        out = []
        for asked in queries:
            rows = [(box, score, k) for k, q in enumerate(asked) for box, score in self.answers.get(q, ())]
            boxes, scores, owners = zip(*rows) if rows else ((), (), ())
            out.append(
                Detections(np.array(boxes, float).reshape(-1, 4), np.array(scores, float), np.array(owners, int))
            )
        return out


ANSWERS = {
    "red kites": [((-5, 2, 10.128, 12), 0.6), ((0, 2, 10, 12), 0.5)],  # beyond the picture; and nearly the same box
    "zorvane tower": [((20, 0, 30, 40), 0.9), ((0, 3, 10, 13), 0.55), ((30, 30, 45, 39), 0.05)],
    "an object": [((1, 1, 40, 30), 0.3)],
}
TEXT = "red kites above Zorvane Tower"


def post(i=0, text=TEXT, **layers):
    return Document(id=f"p{i}", text=text, **{"images": [Image(id="main", pixels=small.picture(i))], **layers})


def test_candidates_their_boxes_phrases_and_scores():
    (document,) = propose_objects([post()], Known(ANSWERS))
    found = document.images[1:]
    assert [(i.kind, i.id, i.parent) for i in found] == [("object", "object1", "main"), ("object", "object2", "main")]
    assert [i.box for i in found] == [(20, 0, 30, 40), (0, 2, 10.13, 12)]  # best first, clipped, overlap suppressed
    assert [i.relevance for i in found] == [(("detector", 0.9),), (("detector", 0.6),)]
    assert [(p.text, p.image) for p in document.phrases] == [("Zorvane Tower", "object1"), ("red kites", "object2")]
    assert not document.errors and not document.dangling()
    assert Document.from_json(document.to_json()).phrases == document.phrases


def test_options():
    def boxes(**options):
        return len(next(propose_objects([post()], Known(ANSWERS), ProposalOptions(**options))).images) - 1

    assert (
        boxes(max_objects=1),
        boxes(iou_threshold=1.0),
        boxes(max_objects=9, iou_threshold=1.0, score_threshold=0.01),
    ) == (1, 3, 5)
    assert (boxes(score_threshold=0.7), boxes(score_threshold=0.9), boxes(score_threshold=1.0)) == (1, 0, 0)
    for wrong in (
        {"max_objects": 0},
        {"max_queries": 0},
        {"iou_threshold": 1.5},
        {"score_threshold": -0.1},
        {"fallback_query": " "},
    ):
        with pytest.raises(RecipeError, match="Correct it"):
            ProposalOptions(**wrong)
    with pytest.raises(RecipeError, match="batch"):
        list(propose_objects([post()], Known(), batch=0))


def test_without_a_noun_phrase_an_object_is_asked_for():
    known = Known(ANSWERS)
    for text, lang in (("", ""), ("of the", ""), ("roter Drachen", "de")):
        (document,) = propose_objects([post(text=text, lang=lang)], known)
        assert document.phrases == (Phrase(text="an object", image="object1"),) and not document.errors
    assert known.asked == [["an object"]] * 3


def test_what_is_not_searched_comes_out_as_it_was():
    known = Known(ANSWERS)
    before = Image(kind="object", id="o", parent="main", box=(0, 0, 5, 5))
    frame = Image(kind="frame", id="f", pixels=small.picture(2))
    documents = [post(images=[]), post(images=[frame]), post(images=[*post().images, before])]
    assert list(propose_objects(documents, known)) == documents and known.asked == []


def test_replace_takes_the_place_of_earlier_candidates_of_the_same_image():
    olds = [Image(kind="object", id="object1", parent="main", box=(0, 0, 5, 5)),
            Image(kind="object", id="other", parent="frame", box=(0, 0, 5, 5)),
            Image(kind="frame", id="frame", pixels=small.picture(3))]  # fmt: skip
    words = [Phrase(text="old", image="object1"), Phrase(text="kept", image="other")]
    region = Region(image="object1", box=(0, 0, 1, 1))
    old = post(images=[*post().images, *olds], phrases=words, regions=[region])
    (new,) = propose_objects([old], Known(ANSWERS), ProposalOptions(replace=True))
    assert [i.id for i in new.images] == ["main", "other", "frame", "object2", "object3"]
    assert [p.text for p in new.phrases] == ["kept", "Zorvane Tower", "red kites"]
    assert new.regions == old.regions and len(new.errors) == 1 and "object1" in str(new.errors[0])  # it points nowhere
    blind = old.replace(images=[Image(id="main", path="/nowhere.png"), *olds])
    (kept,) = propose_objects([blind], Known(ANSWERS), ProposalOptions(replace=True))
    assert kept.images == blind.images and "nowhere" in str(kept.errors[0])  # nothing lost for a picture not read


def test_several_main_images_share_the_places():
    pair = [Image(id=name, pixels=small.picture(k)) for k, name in enumerate("ab")]
    (document,) = propose_objects([post(images=pair)], Known(ANSWERS))
    found = document.images[2:]
    assert [(i.parent, i.relevance[0][1]) for i in found] == [("a", 0.9), ("b", 0.9), ("a", 0.6)]


def test_an_image_that_cannot_be_read_leaves_the_document_and_a_record(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    images = {"gone": tmp_path / "none.png", "bad": tmp_path / "bad.png", "path": ""}
    odd = [post(images=[Image(id=k, path=str(v))]) for k, v in images.items()]
    dot = post(images=[Image(id="dot", pixels=np.zeros((1, 1, 3), np.uint8)), *post().images])
    found = list(propose_objects([*odd, dot, post(1)], Known(ANSWERS), batch=3))
    for before, after in zip(odd, found):
        assert after.images == before.images and len(after.errors) == 1 and "document p0" in after.errors[0].where
    assert len(found[3].images) == 4 and len(found[3].errors) == 1 and not found[4].errors  # the other one is searched


def test_what_is_not_asked_for_is_noted():
    known = Known(ANSWERS, room=10)
    (document,) = propose_objects([post()], known)
    assert known.asked == [["red kites"]] and "'Zorvane Tower'" in str(document.errors[0])
    (document,) = propose_objects([post()], known := Known(ANSWERS), ProposalOptions(max_queries=1))
    assert known.asked == [["red kites"]] and "1 were not searched for" in str(document.errors[0])
    (document,) = propose_objects([post()], known := Known(ANSWERS, room=0))
    assert known.asked == [["an object"]] and len(document.errors) == 2


def test_gold_changes_nothing_and_nor_do_neighbours():
    gold = post(mentions=[Mention(id="m", start=0, end=3, label="X")], regions=[Region(image="main", box=(0, 0, 9, 9))])
    (a,), (b,) = (list(propose_objects([x], Known(ANSWERS))) for x in (gold, gold.without_gold()))
    assert (a.images, a.phrases) == (b.images, b.phrases) and a.mentions == gold.mentions and a.regions == gold.regions
    many = [post(i, text=t) for i, t in enumerate((TEXT, "", "the red kites", TEXT, "no"))]
    for batch in (1, 2, 8):
        alone = [next(propose_objects([d], Known(ANSWERS))) for d in many]
        assert list(propose_objects(iter(many), Known(ANSWERS), batch=batch)) == alone


def test_boxes_are_of_the_upright_picture(tmp_path):
    exif = Picture.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: 40 wide, 50 high
    Picture.fromarray(small.picture(0)).save(tmp_path / "a.jpg", exif=exif)
    turned = post(images=[Image(path=str(tmp_path / "a.jpg"))])
    (document,) = propose_objects([turned], Known({"red kites": [((0, 0, 99, 99), 1)]}))
    assert document.images[1].box == (0, 0, 40, 50)


def test_a_stopped_search_goes_on_with_what_is_searched_together(tmp_path):
    documents = [post(i, text=t) for i, t in enumerate((TEXT, "", "the red kites", TEXT, "no"))]

    def fill(folder, stop=0):
        with open_output_folder(folder, {"x": 1}, files=["train.jsonl"], unit=2) as rows:
            made = propose_objects(taken(rows.pending(documents)), Known(ANSWERS), batch=2)
            for document in islice(made, stop or None):
                rows.add(document)
            if not stop:
                rows.finish()

    def taken(stream):
        for document in stream:
            asked.append(document.id)
            yield document

    asked: list[str] = []
    fill(tmp_path / "a")
    fill(tmp_path / "b", stop=3)
    asked.clear()
    fill(tmp_path / "b")
    assert asked == ["p2", "p3", "p4"]  # the third was searched with the fourth
    a, b = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "ab")
    assert a == b and set(a) == {"manifest.json", "train.jsonl"}


def test_generated_images_are_searched_with_places_of_their_own():
    both = [*post().images, Image(id="generated", kind="generated", pixels=small.picture(4))]
    known = Known(ANSWERS)
    (document,) = propose_objects([post(images=both)], known, ProposalOptions(max_objects=1))
    assert [(i.parent, i.relevance[0][1]) for i in document.images[2:]] == [("main", 0.9), ("generated", 0.9)]
    assert len(known.asked) == 2 and not document.dangling()
    crop = Image(kind="object", id="crop", box=(0, 0, 5, 5))  # of the main image, without saying so
    (half,) = propose_objects([post(images=[*both, crop])], known)
    assert [(i.id, i.parent) for i in half.images[2:]] == [
        *(("crop", ""), ("object1", "generated"), ("object2", "generated")),
    ]  # what has candidates is left alone, the other is searched
    again = ProposalOptions(replace=True)
    (new,) = propose_objects([half], known, again)
    assert [i.parent for i in new.images[2:]] == ["main", "main", "generated", "generated"]
