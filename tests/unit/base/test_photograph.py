"""Photographs as documents hold them: objects, lines, entities of the lines, what cannot be read, what is missing."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from openmie.base import objects, ocr, photograph
from openmie.base.objects import Found
from openmie.base.ocr import Line, RapidOcr, around
from openmie.base.photograph import WORDS, PhotographReader, read_photograph, with_photographs
from openmie.base.photograph_part import PhotographPart
from openmie.base.photograph_words import follows, part_of_box, with_entities_of_words
from openmie.base.text_model import Entity
from openmie.cli import result_table
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import ImageError, MissingPackageError


class Detector:
    """One person in the left half of each photograph; keeps what it was given."""

    def __init__(self):
        self.sizes, self.thresholds = [], []

    def detect(self, pictures, threshold):
        self.sizes.append([p.size for p in pictures])
        self.thresholds.append(threshold)
        return [[Found("person", (0.0, 0.0, p.width / 2, float(p.height)), 0.9)] for p in pictures]


class Lines:
    """The words of a sign in every photograph."""

    def read(self, picture, threshold):
        return [Line("VISIT TURIN", (0.0, 0.0, 110.0, 10.0), 0.95), Line("NASA", (0.0, 20.0, 40.0, 30.0), 0.9)]


def reader(**options):
    return PhotographReader(Detector(), Lines(), **options)


@pytest.fixture
def files(tmp_path):
    """A photograph that lies on its side, a plain one, and one that is broken."""
    exif = Picture.Exif()
    exif[0x0112] = 6
    Picture.new("RGB", (60, 40)).save(tmp_path / "turned.jpg", exif=exif)
    Picture.new("RGB", (50, 30)).save(tmp_path / "plain.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    return tmp_path


def test_a_photograph_is_read_upright(files):
    made = read_photograph(files / "turned.jpg", reader())
    assert made.objects == (Found("person", (0.0, 0.0, 20.0, 60.0), 0.9),) and len(made.lines) == 2
    regions = made.regions("i")
    assert [(r.image, r.label, r.text, r.score) for r in regions] == [
        ("i", "person", "", 0.9), ("i", WORDS, "VISIT TURIN", 0.95), ("i", WORDS, "NASA", 0.9),
    ]  # fmt: skip
    with pytest.raises(ImageError, match="no such file"):
        read_photograph("nowhere.jpg", reader())


def test_documents_lose_nothing_to_an_image_that_cannot_be_read(files):
    images = [Image(path=str(files / name), id=name) for name in ("broken.jpg", "plain.png")]
    old = Region(image="plain.png", box=(0, 0, 1, 1), label="given")
    documents = [
        Document(id="none", text="no image"),
        Document(id="both", text="x", images=images, regions=[old]),
        Document(id="gone", images=[Image(path="gone.jpg"), Image(path="", id="empty")]),
        Document(id="parts", images=[Image(path="gone.jpg", kind="object"), Image(path="g.jpg", kind="generated")]),
        Document(id="pixels", images=[Image(pixels=np.zeros((8, 4, 3), np.uint8), kind="frame", id="f")]),
    ]
    found = with_photographs(documents, reader())
    assert [d.id for d in found] == [d.id for d in documents]
    assert found[0] == documents[0] and found[3] == documents[3]
    both = found[1]
    assert both.regions[0] == old and [r.image for r in both.regions] == ["plain.png"] * 4
    assert (both.images[1].width, both.images[1].height) == (50, 30) and both.images[0].width is None
    assert [(len(d.errors), [r.where for r in d.errors]) for d in found][1:3] == [
        (1, [f"document both, image {files / 'broken.jpg'}"]),
        (2, ["document gone, image gone.jpg", "document gone, image empty"]),
    ]
    assert found[4].regions[0].box == (0, 0, 2, 8)


def test_photographs_are_read_in_batches_across_documents(monkeypatch):
    monkeypatch.setattr(photograph, "PIXELS_AT_ONCE", 80)
    detector = Detector()
    pixels = [np.zeros((5, 4 + n, 3), np.uint8) for n in range(4)]
    documents = [
        Document(id=f"{n}", images=[Image(pixels=p, id=k, kind="frame") for k, p in zip("ab", pixels[n : n + 2])])
        for n in (0, 2)
    ]
    found = with_photographs(documents, PhotographReader(detector, Lines(), threshold=0.7))
    assert detector.sizes == [[(4, 5), (5, 5), (6, 5)], [(7, 5)]] and detector.thresholds == [0.7, 0.7]
    assert [r.image for r in found[1].regions if r.label == "person"] == ["a", "b"]


def test_models_are_loaded_with_the_first_photograph(monkeypatch):
    def never(*_):
        raise AssertionError("loaded")

    monkeypatch.setattr(objects, "default_detector", never)
    monkeypatch.setattr(ocr, "default_reader", never)
    assert with_photographs([Document(id="d", text="x")]) == [Document(id="d", text="x")]
    assert PhotographReader(Detector(), words=False).read([Picture.new("RGB", (4, 4))])[0].lines == ()


# -- words


def engine(boxes, texts, scores):
    return lambda pixels: SimpleNamespace(boxes=boxes, txts=texts, scores=scores)


def test_lines_of_the_engine():
    corners = [[2, 1], [8, 3], [7, 6], [-1, 4]]
    flat = [[2, 2], [8, 2], [8, 2], [2, 2]]
    texts, scores = ("A  b", "low", "★", "flat"), (0.9, 0.79, 0.99, 0.99)
    made = RapidOcr(engine([corners, corners, corners, flat], texts, scores)).read(Picture.new("RGB", (10, 5)))
    assert made == [Line("A b", (0.0, 1.0, 8.0, 5.0), 0.9)]
    assert RapidOcr(engine(None, None, None)).read(Picture.new("RGB", (10, 5))) == []
    assert around([[1, 2], [3, 4]], (10, 10)) == (1, 2, 3, 4)


def test_the_engine_is_given_blue_first():
    given = []
    reader = RapidOcr(lambda pixels: given.append(pixels) or SimpleNamespace(boxes=None, txts=None, scores=None))
    reader.read(Picture.new("RGB", (3, 2), (10, 20, 30)))
    assert given[0].shape == (2, 3, 3) and given[0][0, 0].tolist() == [30, 20, 10]


def test_without_the_extra_objects_are_found_and_it_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(ocr, "missing_packages", lambda: ["rapidocr"])
    ocr.default_reader.cache_clear()
    with caplog.at_level(logging.WARNING, "openmie"):
        for _ in range(2):
            (made,) = PhotographReader(Detector()).read([Picture.new("RGB", (4, 4))])
            assert len(made.objects) == 1 and made.lines == ()
    ocr.default_reader.cache_clear()
    (record,) = caplog.records
    assert "openmie[ocr]" in record.getMessage() and "rapidocr" in record.getMessage()
    with pytest.raises(MissingPackageError, match="openmie\\[ocr\\]"):
        RapidOcr.load()


def test_words_that_were_drawn_are_read():
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    picture = Picture.new("RGB", (480, 200), "white")
    ImageDraw.Draw(picture).text((40, 60), "TURIN 1852", fill="black", font=ImageFont.load_default(64))
    lines = RapidOcr.load().read(picture)  # one line, or a line for each word
    assert sorted(" ".join(x.text for x in lines).split()) == ["1852", "TURIN"]
    assert all(x.score > 0.9 and 40 < x.box[1] < x.box[3] < 160 for x in lines)
    assert min(x.box[0] for x in lines) < 60 and max(x.box[2] for x in lines) > 300


# -- entities of the words


def lines_of(*texts):
    return [
        Region(image="i", box=(0, 15 * n, 10 * len(t), 15 * n + 10), label=WORDS, text=t, score=0.8)
        for n, t in enumerate(texts)
    ]


def find(*names):
    """Finds these names, as ORG with score 0.5."""

    def entities(text):
        return [Entity(text.index(n), text.index(n) + len(n), "ORG", 0.5) for n in names if n in text]

    return entities


def test_entities_of_the_words_have_the_box_of_their_part():
    document = Document(id="d", text="x", images=[Image(id="i")], regions=lines_of("JOIN NASA NOW", "CERN"))
    made = with_entities_of_words(document, find("NASA", "NOW\nCERN"))
    assert made.regions[:2] == document.regions
    assert [(r.label, r.text, r.of, r.box, r.score) for r in made.regions[2:]] == [
        ("ORG", "NASA", "", (50.0, 0, 90.0, 10), 0.4),
        ("ORG", "NOW CERN", "", (0.0, 0, 130.0, 25), 0.4),
    ]


def test_a_name_ends_with_its_line_where_no_line_follows():
    document = Document(id="d", images=[Image(id="i")], regions=lines_of("JOIN NASA", "CERN", "ESA"))
    far = [r.model_copy(update={"box": (0, 99 * n, 90, 99 * n + 10)}) for n, r in enumerate(document.regions)]
    made = with_entities_of_words(document.replace(regions=far), find("NASA\nCERN\nESA"))
    assert [(r.text, r.box[1]) for r in made.regions[3:]] == [("NASA", 0), ("CERN", 99), ("ESA", 198)]
    close = [r.model_copy(update={"box": (0, 12 * n, 90, 12 * n + 10)}) for n, r in enumerate(document.regions)]
    made = with_entities_of_words(document.replace(regions=close), find("NASA\nCERN\nESA"))
    assert [(r.text, r.box) for r in made.regions[3:]] == [("NASA CERN ESA", (0, 0, 90, 34))]


@pytest.mark.parametrize(
    ("second", "answer"),
    [
        ((0, 12, 80, 22), True),  # below
        ((0, 30, 80, 40), False),  # far below
        ((200, 12, 280, 22), False),  # below, elsewhere
        ((0, 12, 80, 42), False),  # below, much higher
        ((105, 1, 150, 11), True),  # beside
        ((130, 1, 150, 11), False),  # far beside
    ],
)
def test_a_line_that_follows(second, answer):
    assert follows((0, 0, 100, 10), second) is answer


def test_a_name_that_the_text_has_too_is_no_box_of_its_mention():
    mention = Mention(id="m", start=0, end=4, label="ORG")
    document = Document(
        id="d", text="Nasa", images=[Image(id="i")], mentions=[mention], regions=lines_of("NASA", "ESA")
    )
    made = with_entities_of_words(document, find("NASA", "ESA"))
    assert [(r.text, r.of) for r in made.regions[2:]] == [("NASA", ""), ("ESA", "")]
    assert with_entities_of_words(Document(id="e", text="x"), find("x")) == Document(id="e", text="x")


def test_the_part_of_a_line_that_stands_upright():
    assert part_of_box((0, 0, 10, 100), 0.5, 1) == (0, 50, 10, 100)
    assert part_of_box((0, 0, 100, 10), 0.25, 0.5) == (25, 0, 50, 10)


def test_the_whole_part_of_the_model():
    pixels = np.zeros((40, 200, 3), np.uint8)
    mentions = [Mention(id="m0", start=0, end=3, label="PER"), Mention(id="m1", start=7, end=12, label="LOC")]
    document = Document(id="d", text="Ada in Turin", images=[Image(pixels=pixels, id="main")], mentions=mentions)
    made = PhotographPart(reader()).add(document, find("NASA"), {"PER": "", "LOC": "", "ORG": ""})
    assert [(r.label, r.text, r.of) for r in made.regions] == [
        ("person", "", ""), (WORDS, "VISIT TURIN", ""), (WORDS, "NASA", ""), ("ORG", "NASA", ""), ("PER", "", "m0"),
    ]  # fmt: skip
    assert not made.errors and made.mentions == document.mentions and made.text == document.text
    assert Document.from_json(made.to_json()).regions == made.regions


def test_the_table_names_lines_as_the_model_does():
    assert result_table.WORDS == WORDS
