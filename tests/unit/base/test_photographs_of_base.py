"""Base with photographs: objects, words, names that only a photograph contains, and links to the names of the text."""

import numpy as np
import pytest

from openmie.base.extract import extract
from openmie.data.document import Document, Image
from openmie.errors import ImageError
from tests.fixtures.base_stub import stub_base, stub_photographs

PIXELS = np.full((40, 60, 3), 90, np.uint8)


def predict(text, *images, words="NASA", **options):
    base = stub_base(stub_photographs(words))
    (found,) = base.predict([Document(id="d", text=text, images=images)], **options)
    return found


def test_objects_words_names_and_links():
    found = predict("Ada in Turin", Image(id="main", pixels=PIXELS))
    assert [(m.text, m.label) for m in found.mentions] == [("Ada", "PER"), ("Turin", "LOC")]
    assert [(r.label, r.text, r.of) for r in found.regions] == [
        ("person", "", ""),
        ("WORDS", "NASA", ""),
        ("ORG", "NASA", ""),
        ("PER", "", "m0"),
    ]
    assert found.dangling() == [] and Document.from_json(found.to_json()).regions == found.regions
    assert (found.images[0].width, found.images[0].height) == (60, 40)
    assert found.source["openmie"]["models"][0]["name"] == "stub"


def test_a_name_in_the_text_and_in_the_photograph_is_found_in_both_and_not_linked():
    found = predict("NASA", Image(id="main", pixels=PIXELS), words="at NASA")
    assert [m.text for m in found.mentions] == ["NASA"]
    assert [(r.label, r.text, r.of) for r in found.regions if r.text] == [
        ("WORDS", "at NASA", ""),
        ("ORG", "NASA", ""),
    ]


def test_only_named_labels_are_found_in_words_too():
    found = predict("Ada", Image(id="main", pixels=PIXELS), labels=["PER"], threshold=0.1)
    assert "ORG" not in {r.label for r in found.regions}


def test_photographs_that_are_not_to_be_read_and_documents_without():
    assert predict("Ada", Image(id="main", pixels=PIXELS), images=False).regions == ()
    assert predict("Ada").regions == ()
    alone = predict("", Image(id="main", pixels=PIXELS))
    assert [r.label for r in alone.regions] == ["person", "WORDS", "ORG"]


def test_an_image_that_cannot_be_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    for path in (tmp_path / "a.jpg", tmp_path / "none.jpg"):
        found = predict("Ada", Image(id="main", path=str(path)), Image(id="b", pixels=PIXELS))
        assert [m.text for m in found.mentions][:1] == ["Ada"] and len(found.errors) == 1
        assert found.errors[0].where.startswith("document d, image") and {r.image for r in found.regions} == {"b"}
        with pytest.raises(ImageError):
            extract("Ada", path, model=stub_base(stub_photographs()))
        one, other = extract(["Ada", "Bo"], [path, None], model=stub_base(stub_photographs()))
        assert one.mentions and one.errors and other.mentions and not other.errors


def test_batches_do_not_matter():
    docs = [Document(id=str(i), text="Ada", images=(Image(id="main", pixels=PIXELS),) * (i % 2)) for i in range(5)]
    assert stub_base(stub_photographs()).predict(docs, 1) == stub_base(stub_photographs()).predict(docs, 5)
