"""Images made from texts: drawn once, resumed, nothing lost, read by the encoder as the generated side."""

import pytest
from PIL import Image as Picture

from openmie import images
from openmie.document import Document, Image
from openmie.lvlm import translate


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
    made = list(translate(documents, painter, tmp_path, name="grey", batch=2))
    assert painter.asked == [["one", "two2"], ["one"], ["three"]] or painter.asked == [["one", "two2"], ["three"]]
    assert [d.id for d in made] == [d.id for d in documents] and made[2] == documents[2]
    for document in (made[0], made[1], made[3], made[4]):
        main, drawn = document.images
        assert (main.id, drawn.kind, drawn.id) == ("main", "generated", "translation")
        assert images.load(drawn).getpixel((0, 0)) == (len(document.text),) * 3
    again = Painter()
    assert list(translate(documents, again, tmp_path, name="grey", batch=3)) == made and again.asked == []
    other = Painter()
    list(translate(documents, other, tmp_path, name="another model"))
    assert other.asked


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    (plain,) = posts("one")
    old = Image(kind="generated", id="translation", path="old.png")
    part = Image(kind="object", id="o", parent="translation", box=(0, 0, 2, 2))
    document = plain.replace(images=[*plain.images, old, part])
    assert list(translate([document], Painter(), tmp_path, name="g")) == [document]
    (new,) = translate([document], Painter(), tmp_path, name="g", replace=True)
    assert [i.kind for i in new.images] == ["main", "generated"] and new.images[1].path != "old.png"


@pytest.mark.parametrize("painter", [Painter(fails=("two",)), Painter(refuses=("two",)), lambda texts: []])
def test_what_cannot_be_drawn_is_said_and_nothing_is_lost(tmp_path, painter):
    made = list(translate(posts("one", "two", "six"), painter, tmp_path, name="grey", batch=1))
    assert [d.text for d in made] == ["one", "two", "six"]
    assert len(made[1].images) == 1 and "grey" in made[1].errors[0].found and "run again" in made[1].errors[0].remedy
    again = list(translate(posts("one", "two", "six"), Painter(), tmp_path, name="grey"))
    assert all(len(d.images) == 2 and not d.errors for d in again)


def test_a_name_that_is_taken_is_left_alone(tmp_path):
    (plain,) = posts("one")
    document = plain.replace(images=[Image(id="translation", path="mine.png")])
    (made,) = translate([document], Painter(), tmp_path, name="g")
    assert [i.id for i in made.images] == ["translation", "translation 0"] and made.main_image.path == "mine.png"
