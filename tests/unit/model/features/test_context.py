"""`*` as context is one generator for all documents, chosen once: a document without it has none."""

import pytest

from openmie.data.document import Document
from openmie.model.backbones import load_text
from openmie.model.features.context import context_generator
from openmie.model.features.text import TextFeatures
from openmie.nn.encode.dual import Text
from openmie.nn.encode.inputs import EncoderInputs


def doc(**captions):
    return Document(id="x", text="a b", captions=captions)


@pytest.mark.parametrize(
    ("documents", "chosen"),
    [
        ([doc(A="x", B="y"), doc(B="y"), doc(A="x")], "A"),  # first in two of three
        ([doc(A="x", B="y"), doc(B="y"), doc(B="x")], "B"),
        ([doc(A="x"), doc(B="y")], "A"),  # of equals the first
        ([doc(A=" ", B="y"), doc(B="y", A="z")], "B"),  # an empty caption is none
        ([doc(), doc(B="y")], "B"),
        ([doc()], "*"),
    ],
)
def test_the_generator_that_stands_first_most_often(documents, chosen):
    assert context_generator("*", documents) == chosen
    assert context_generator("C", documents) == "C" and context_generator("", documents) == ""


def test_a_document_without_the_chosen_generator_has_no_context():
    features = TextFeatures(load_text(Text()), EncoderInputs(context="*", context_tokens=9))
    documents = [doc(A="one two"), doc(B="three"), doc(A="one two")]
    assert [len(ids) for ids, _ in features.contexts(documents)] == [2, 0, 2]
