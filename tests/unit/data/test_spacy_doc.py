"""Document.to_spacy: exact spans, and told where spaCy's tokens differ. Tokens are tested without spaCy too."""

import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.data.spacy_doc import _tokens
from openmie.errors import MissingPackageError

TEXT = "Ada  Lovelace's 😀 friends\nlive in 都灵 市"


def document(text, spans, **layers):
    mentions = [Mention(id=f"m{i}", start=a, end=b, label="PER", score=0.5) for i, (a, b) in enumerate(spans)]
    return Document(id="d", text=text, mentions=mentions, **layers)


def joined(made):
    """The text of tokens, and the offsets at which they begin and end."""
    text, places = "", set()
    for token, blank in made:
        assert token
        places |= {len(text), len(text) + len(token)}
        text += token + " " * blank
    return text, places


@given(
    st.text("ab é😀都\t\n 　'-", max_size=20), st.lists(st.tuples(st.integers(0, 19), st.integers(1, 5)), max_size=4)
)
def test_tokens_are_the_text_and_end_where_mentions_do(text, drawn):
    spans = {(a, a + n) for a, n in drawn if a + n <= len(text)}
    found, places = joined(_tokens(document(text, spans)))
    assert found == text and {x for span in spans for x in span} <= places


def test_the_tokens_are_the_words():
    assert list(_tokens(Document(id="d", text="a bc  d."))) == [
        ("a", True), ("bc", True), (" ", False), ("d", False), (".", False),
    ]  # fmt: skip
    given_words = Document(id="d", text="U.S. a-b", words=["U.S.", "a", "-", "b"])
    assert [t for t, _ in _tokens(given_words)] == ["U.S.", "a", "-", "b"]
    assert [t for t, _ in _tokens(document("Adabo", [(0, 3)]))] == ["Ada", "bo"]


def test_without_spacy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.tokens", None)
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingPackageError, match=r"openmie\[pos\]"):
        Document(id="d", text="Ada").to_spacy()


def test_exact_spans_without_a_pipeline():
    pytest.importorskip("spacy", reason="the extra `pos` is not installed")
    spans = [(0, 13), (5, 13), (16, 17), (34, 36), (34, 38)]
    doc = document(TEXT, spans, relations=[Relation(head="m0", tail="m3", label="in", score=0.6)]).to_spacy()
    assert doc.text == TEXT
    assert [(s.start_char, s.end_char, s.label_, s.id_) for s in doc.spans["mentions"]] == [
        (a, b, "PER", f"m{i}") for i, (a, b) in enumerate(spans)
    ]
    assert [e.text for e in doc.ents] == ["Ada  Lovelace", "😀", "都灵 市"]
    told = doc.user_data["openmie"]
    assert told["relations"] == [("m0", "in", "m3", 0.6)] and told["expanded"] == [] and told["scores"]["m2"] == 0.5


def test_a_pipeline_that_cuts_elsewhere_is_told():
    spacy = pytest.importorskip("spacy", reason="the extra `pos` is not installed")
    made = document("Ada saw Zorvaneish things", [(0, 3), (8, 15)])
    with pytest.warns(UserWarning, match="1 of 2 mentions"):
        doc = made.to_spacy(spacy.blank("en"))
    assert [s.text for s in doc.spans["mentions"]] == ["Ada", "Zorvaneish"]
    assert doc.user_data["openmie"]["expanded"] == ["m1"] and doc.text == made.text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [e.text for e in document("Ada saw Bo", [(0, 3), (8, 10)]).to_spacy(spacy.blank("en")).ents] == [
            "Ada",
            "Bo",
        ]


def test_documents_of_all_kinds():
    pytest.importorskip("spacy", reason="the extra `pos` is not installed")
    assert Document(id="d").to_spacy().text == "" and Document(id="d", text=" \n").to_spacy().text == " \n"
    mentions = [Mention(id="a", start=0, end=3), Mention(id="b", start=0, end=0, text="Bo", status="unlocated")]
    doc = Document(id="d", text="Ada", mentions=mentions, chains=[Chain(id="c", mentions=["a"])]).to_spacy()
    assert [(e.text, e.label_) for e in doc.ents] == [("Ada", "ENTITY")]
