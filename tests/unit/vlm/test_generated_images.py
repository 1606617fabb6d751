"""Images made from texts: drawn once, resumed, nothing lost, read by the encoder as the generated side."""

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.data import images
from openmie.data.document import Document, Image, Phrase
from openmie.errors import OpenMIEError
from openmie.vlm import translate


class Painter:
    """Draws a text as one grey; keeps what it was asked."""

    def __init__(self, fails=(), refuses=()):
        self.asked, self.fails, self.refuses = [], fails, refuses

    def __call__(self, texts):
        self.asked.append(list(texts))
        if set(texts) & set(self.fails):
            raise RuntimeError("out of memory")
        return [None if t in self.refuses else Picture.new("L", (8, 6), len(t)) for t in texts]


def posts(*texts):
    return [Document(id=str(i), text=t, images=[Image(id="main", path="a.png")]) for i, t in enumerate(texts)]


def test_every_text_is_drawn_once_and_a_second_run_draws_nothing(tmp_path):
    painter, documents = Painter(), posts("one", "two2", "", "one", "three")
    made = list(translate(documents, painter, tmp_path, name="grey", batch_size=2))
    assert painter.asked == [["one", "two2"], ["one"], ["three"]] or painter.asked == [["one", "two2"], ["three"]]
    assert [d.id for d in made] == [d.id for d in documents] and made[2] == documents[2]
    for document in (made[0], made[1], made[3], made[4]):
        main, drawn = document.images
        assert (main.id, drawn.kind, drawn.id) == ("main", "generated", "translation")
        assert images.load_image(drawn).getpixel((0, 0)) == (len(document.text),) * 3
    again = Painter()
    assert list(translate(documents, again, tmp_path, name="grey", batch_size=3)) == made and again.asked == []
    other = Painter()
    list(translate(documents, other, tmp_path, name="another model"))
    assert other.asked


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    (plain,) = posts("one")
    old = Image(kind="generated", id="translation", path="old.png")
    part = Image(kind="object", id="o", parent="dream", box=(0, 0, 2, 2))
    mine = Image(kind="object", id="mine", parent="main", box=(0, 0, 2, 2))
    said = [Phrase(text="a", image="o"), Phrase(text="b", image="mine"), Phrase(text="c")]
    document = plain.replace(images=[*plain.images, mine, old.model_copy(update={"id": "dream"}), part], phrases=said)
    assert list(translate([document], Painter(), tmp_path, name="g")) == [document]
    (new,) = translate([document], Painter(), tmp_path, name="g", replace=True)
    assert [i.id for i in new.images] == ["main", "mine", "translation"] and new.images[2].path != "old.png"
    assert [p.text for p in new.phrases] == ["b", "c"]


def half(texts):
    """One picture of three is none."""
    return [b"bytes" if t == "two" else Picture.new("L", (2, 2)) for t in texts]


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), b"png", "a.png", Picture.new("RGB", (0, 0))])
def test_what_is_no_picture_is_said_and_its_neighbours_are_drawn(tmp_path, wrong):
    made = list(translate(posts("one", "two"), lambda texts: [Picture.new("L", (2, 2)), wrong], tmp_path, name="g"))
    assert len(made[0].images) == 2 and len(made[1].images) == 1 and "model g returned a" in made[1].errors[0].found
    assert [f.suffix for f in tmp_path.iterdir()] == [".png"]


def test_a_broken_file_is_drawn_again_and_odd_calls_are_refused(tmp_path):
    (made,) = translate(posts("one"), Painter(), str(tmp_path), name="g")
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:40])
    painter = Painter()
    assert list(translate(posts("one"), painter, tmp_path, name="g")) == [made] and painter.asked == [["one"]]
    with pytest.raises(OpenMIEError, match="at least 1"):
        next(translate(posts("one"), Painter(), tmp_path, name="g", batch_size=0))


def test_documents_of_one_id_are_two_documents(tmp_path):
    twins = [Document(id="a", text=""), Document(id="a", text="one")]
    made = list(translate(twins, Painter(), tmp_path, name="g"))
    assert made[0] == twins[0] and len(made[1].images) == 1


@pytest.mark.parametrize("painter", [Painter(fails=("two",)), Painter(refuses=("two",)), lambda texts: [], half])
def test_what_cannot_be_drawn_is_said_and_nothing_is_lost(tmp_path, painter):
    made = list(translate(posts("one", "two", "six"), painter, tmp_path, name="grey", batch_size=1))
    assert [d.text for d in made] == ["one", "two", "six"]
    assert len(made[1].images) == 1 and "grey" in made[1].errors[0].found and "run again" in made[1].errors[0].remedy
    again = list(translate(posts("one", "two", "six"), Painter(), tmp_path, name="grey"))
    assert all(len(d.images) == 2 and not d.errors for d in again)


def test_a_name_that_is_taken_is_left_alone(tmp_path):
    (plain,) = posts("one")
    patch = Image(kind="patch", id="p", parent="translation", box=(0, 0, 2, 2))
    document = plain.replace(images=[Image(id="translation", path="mine.png"), patch])
    (made,) = translate([document], Painter(), tmp_path, name="g")
    assert [i.id for i in made.images] == ["translation", "p", "translation 0"] and made.main_image.path == "mine.png"
