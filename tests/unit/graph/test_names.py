"""What is a name, and which names are equal."""

import pytest

from openmie.data.document import Chain, Document, Mention
from openmie.graph.local_entities import local_entities, owners
from openmie.graph.names import is_name, main_name, normalise_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Eileen  Collins", "eileen collins"),
        ("@NASA", "#nasa"),
        ("the Beatles", "“Beatles”"),
        ("NASA's", "NASA’s"),
        ("ＮＡＳＡ", "NASA."),
        ("STRASSE", "straße"),
        ("李华", " 李华 "),
    ],
)
def test_equal_names(one, other):
    assert normalise_name(one) == normalise_name(other) != ""


def test_different_names():
    assert len({normalise_name(x) for x in ("Ada", "Ada Lovelace", "Adé", "Ada 2", "the", "AC/DC")}) == 6
    assert normalise_name("?!") == normalise_name("") == ""


@pytest.mark.parametrize("text", ["Ada", "adele", "the Beatles", "李华", "@nasa", "The Who", "24 May", "the 2nd floor"])
def test_names(text):
    assert is_name(text)


@pytest.mark.parametrize("text", ["he", "She", "the painter", "his old friend", "她", "", "!!", "this", "A woman"])
def test_no_names(text):
    assert not is_name(text)


def test_the_longest_name_stands_for_a_chain():
    assert (
        main_name(["she", "Collins", "Eileen Collins", "Eileen Cullins", "the first woman in command"])
        == "Eileen Collins"
    )
    assert main_name(["he", "the painter"]) == ""


def test_entities_of_a_document():
    text = "Ada Byron, she, Ada, Turin, Ada"
    spans = ((0, 9), (11, 14), (16, 19), (21, 26), (28, 31))
    mentions = tuple(
        Mention(id=f"m{i}", start=a, end=b, label=label) for i, ((a, b), label) in enumerate(zip(spans, "PPPLQ"))
    )
    chains = (Chain(id="c0", mentions=("m1", "m0", "m2", "lost")), Chain(id="c1", mentions=("m2", "m4"), label="X"))
    found = local_entities(Document(id="d", text=text, mentions=mentions, chains=chains))
    assert [(e.id, e.type, e.name, e.aliases, e.chain) for e in found] == [
        ("c0", "P", "Ada Byron", ("Ada",), True),
        ("c1", "X", "Ada", (), True),
        ("m3", "L", "Turin", (), False),
    ]
    assert owners(found) == {"c0": "c0", "m0": "c0", "m1": "c0", "m2": "c0", "c1": "c1", "m4": "c1", "m3": "m3"}
