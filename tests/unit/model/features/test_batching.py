"""Documents to tensors and back: windows, markers, contexts, images that cannot be read."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.data.document import Document, Image, Mention, Relation
from openmie.model.codec.subwords import sliding_windows, with_markers, word_spans
from openmie.model.pretrained import Model
from tests.fixtures import small


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return {t: Model.new(small.recipe(t)) for t in ("ner", "re", "joint")} | {
        "context": Model.new(small.recipe("ner", encode__context="*", encode__context_tokens="4"))
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(5, 20))
def test_every_word_is_read_in_exactly_one_row(lengths, room):
    words = np.repeat(np.arange(len(lengths)), lengths)
    pieces = np.arange(len(words))
    rows = sliding_windows(pieces, words, room)
    assert all(len(p) <= room for p, _ in rows)
    read = [w for _, word in rows for w in np.unique(word[word >= 0])]
    assert sorted(read) == list(range(len(lengths)))
    for p, word in rows:  # the pieces of a word are its own, and begin with its first
        for w in np.unique(word[word >= 0]):
            own = p[word == w]
            assert own[0] == np.flatnonzero(words == w)[0] and set(own) <= set(np.flatnonzero(words == w))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=8), st.data())
def test_markers_keep_every_piece_once_and_stand_where_they_should(lengths, data):
    words = np.repeat(np.arange(len(lengths)), lengths)
    pieces = 100 + np.arange(len(words))
    spans = []
    for _ in range(2):
        first = data.draw(st.integers(0, len(lengths) - 1))
        spans += [first, data.draw(st.integers(first, len(lengths) - 1))]
    new, word, position = with_markers(pieces, words, np.array(spans), np.array([1, 2, 3, 4]))
    assert new[new >= 100].tolist() == pieces.tolist()
    assert (np.diff(word) >= 0).all() and word.max() == len(lengths) + 3
    for marker, at in zip((1, 2, 3, 4), position):
        assert new[word == at].tolist() == [marker]
    for start, end, (a, b) in ((position[0], position[1], spans[:2]), (position[2], position[3], spans[2:])):
        inside = new[(word > start) & (word < end)]
        assert inside[inside >= 100].tolist() == pieces[(words >= a) & (words <= b)].tolist()


def test_long_text_is_read_to_its_end(models):
    """A document of many windows: all words get states, the last one's are not zero, and tags cover all of them."""
    words = [f"word{i}" for i in range(1500)]
    long = Document.from_words("long", words)
    model = models["ner"]
    example = model.featurizer.featurize([long])[0]
    assert len(example.rows) > 3
    batch = model.featurizer.collate([example])
    with torch.no_grad():
        tokens = model.extractor.encode(batch.inputs)["text"].tokens
    assert tokens.shape[1] == 1500 and (tokens.abs().sum(-1) > 0).all()
    assert model.predict([long])[0].words == long.words


def test_short_documents_do_not_change_beside_long_ones(models):
    long = Document.from_words("long", [f"w{i}" for i in range(900)])
    docs = small.documents(3)
    model = models["ner"]
    alone = model.predict(docs)
    beside = model.predict_encoded(model.featurizer.featurize([*docs, long]), batch_size=4)["predicted"][:3]
    assert alone == beside


@pytest.mark.parametrize("task", ["ner", "re", "joint", "context"])
def test_batch_size_and_order_change_nothing(models, task):
    docs = small.documents(17, every=4)
    model = models[task]
    once = model.predict(docs, batch_size=64)
    for size in (1, 3, 8):
        again = model.predict(docs, batch_size=size)
        assert again == once
        for a, b in zip(once, again):
            scores = [[x.score for x in (*d.mentions, *d.relations) if x.score is not None] for d in (a, b)]
            assert np.allclose(*scores, atol=1e-4)
    order = np.random.default_rng(0).permutation(17)
    assert [once[i] for i in order] == model.predict([docs[i] for i in order])


@pytest.mark.parametrize("task", ["ner", "re", "joint"])
def test_gold_is_not_read(models, task):
    """Predictions are the same without gold: mentions for taggers, relation labels for relation recipes."""
    docs = small.documents(9)
    bare = [
        d.replace(
            mentions=d.mentions if task == "re" else (),
            regions=(),
            summary="",
            relations=tuple(Relation(head=r.head, tail=r.tail) for r in d.relations) if task == "re" else (),
        )
        for d in docs
    ]
    assert models[task].predict(docs) == models[task].predict(bare)


def test_pairs_of_gold_mentions_reach_no_prediction_of_a_tagger(models):
    docs, model = small.documents(9), models["joint"]
    taught = model.predict_encoded(model.featurizer.featurize(docs, gold=True))["predicted"]
    assert [(d.mentions, d.relations) for d in taught] == [(d.mentions, d.relations) for d in model.predict(docs)]


def test_given_pairs_come_back_in_order_with_labels(models):
    docs = small.documents(5)
    for gold, predicted in zip(docs, models["re"].predict(docs)):
        assert [(r.head, r.tail) for r in predicted.relations] == [(r.head, r.tail) for r in gold.relations]
        assert predicted.mentions == gold.mentions and {r.label for r in predicted.relations} <= set(
            small.LABELS.relations
        )


def test_without_listed_relations_all_pairs_are_asked(models):
    docs = [d.replace(relations=()) for d in small.documents(3)]
    for predicted in models["re"].predict(docs):
        assert len(predicted.relations) == 6  # three mentions
    none = models["re"].predict([Document(id="x", text="no one here"), docs[0]])
    assert none[0].relations == () and len(none[1].relations) == 6


def test_a_relation_to_nowhere_leaves_a_record(models):
    broken = small.document(0).replace(relations=(Relation(head="m0", tail="gone", label="friend"),))
    found = models["re"].predict([broken, small.document(1)])
    assert found[0].relations == () and "not a located mention" in str(found[0].errors[0])
    assert len(found[1].relations) == 3


def test_overlapping_head_and_tail(models):
    base = Document.from_words("o", ["New", "York", "City", "hall"])
    over = base.replace(
        mentions=[Mention(id="a", start=0, end=13), Mention(id="b", start=4, end=18), Mention(id="c", start=0, end=8)],
        relations=[Relation(head="a", tail="b"), Relation(head="c", tail="a"), Relation(head="a", tail="a")],
    )
    assert len(models["re"].predict([over])[0].relations) == 3


def test_an_unreadable_image_is_masked_and_recorded(models, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnope")
    without = small.document(1, image=False)
    broken = without.replace(images=[Image(path=str(tmp_path / "broken.png"))])
    missing = without.replace(images=[Image(path=str(tmp_path / "none.png"))])
    a, b, c = models["ner"].predict([without, broken, missing])
    assert a.errors == () and "broken.png" in str(b.errors[0]) and "none.png" in str(c.errors[0])
    assert a.mentions == b.mentions == c.mentions
    assert all(d.source["masked"] == ["vision"] for d in (a, b, c))
    assert "masked" not in models["ner"].predict([small.document(1)])[0].source
    assert np.allclose([m.score for m in a.mentions], [m.score for m in b.mentions], atol=1e-5)


def test_with_the_fusion_off_an_image_changes_nothing():
    torch.manual_seed(0)
    text = Model.new(small.recipe("ner", "text"))
    docs = small.documents(4)
    with_, without = text.predict(docs), text.predict([d.replace(images=()) for d in docs])
    assert [d.mentions for d in with_] == [d.mentions for d in without]
    assert [[m.score for m in d.mentions] for d in with_] == [[m.score for m in d.mentions] for d in without]


def test_a_cut_context_is_said(models):
    found = models["context"].predict([small.document(0).replace(captions={"c": "one two three four five six"})])
    assert "tokens" in str(found[0].errors[0]) and "context_tokens" in str(found[0].errors[0])
    assert models["context"].predict([small.document(0).replace(captions={})])[0].errors == ()


def test_context_states_are_the_captions(models):
    """In the joint pass the context stream holds the caption's pieces and the text stream the words'."""
    model = models["context"]
    docs = [small.document(0).replace(captions={"c": "one two"}), small.document(1).replace(captions={})]
    batch = model.featurizer.collate(model.featurizer.featurize(docs))
    streams = model.extractor.encode(batch.inputs)
    assert streams["context"].mask.sum(1).tolist() == [2, 0]
    row = batch.inputs["input_ids"][0]
    words = model.text.tokenizer.convert_ids_to_tokens(row[batch.inputs["context"][0] >= 0])
    assert words == ["one", "two"]


def test_text_without_words_is_split_and_offsets_hold(models):
    raw = Document(id="raw", text="  Ada met Bo's dog\r\nin \U0001f469‍\U0001f680 Köln… 北京")
    found = models["ner"].predict([raw])[0]
    assert all(found.text[m.start : m.end] == m.text for m in found.mentions) and found.text == raw.text
    assert models["ner"].predict([Document(id="empty", text="")])[0].mentions == ()


def test_words_that_tokenize_to_nothing_stay_in_place(models):
    odd = Document.from_words("odd", ["Ada", "\u200b", "\u00ad", "Rome"])
    example = models["ner"].featurizer.featurize([odd])[0]
    assert set(example.rows[0][1]) == {0, 1, 2, 3}


def test_gold_that_cannot_be_learnt_is_recorded_not_lost(models):
    base = Document.from_words("n", ["New", "York", "City"])
    nested = base.replace(
        mentions=[
            Mention(id="a", start=0, end=8, label="LOC"),
            Mention(id="b", start=0, end=13, label="LOC"),
            Mention(id="c", start=9, end=13, label="GOD"),
        ]
    )
    example = models["ner"].featurizer.featurize([nested], gold=True)[0]
    assert len(example.errors) == 2 and example.targets["tags"].tolist() == [1, 2, 2]


def test_word_spans_touch():
    d = Document.from_words("w", ["New", "York"]).replace(mentions=[Mention(id="a", start=1, end=5)])
    assert word_spans(d) == {"a": (0, 1)}


def test_a_symmetric_relation_is_learnt_both_ways_and_answered_once(bert):
    """`friend` from m0 to m1 is a target for both directions; of two equal answers the surer one is kept."""
    recipe = small.recipe("joint", encode__text__name=bert, heads__1__symmetric='["friend"]')
    torch.manual_seed(0)
    model = Model.new(recipe)
    document = small.document(0)
    example = model.featurizer.featurize([document], gold=True)[0]
    labels = {(r.head, r.tail): small.LABELS.relations[k] for r, k in zip(example.listed, example.targets["relations"])}
    assert labels[("m0", "m1")] == labels[("m1", "m0")] == "friend" and labels[("m2", "m0")] == "None"
    assert len(example.listed) == 6
    spans = [(0, 0), (2, 2)]
    pairs = torch.tensor([[[*a, *b] for a in spans for b in spans]])
    answers = {
        "tags": torch.tensor([[3, 0, 3, 0, 0, 0]]),
        "tag_scores": torch.ones(1, 6),
        "pairs": pairs,
        "pairs_mask": torch.tensor([[False, True, True, False]]),
        "relations": torch.full((1, 4), small.LABELS.relations.index("friend")),
        "relation_scores": torch.tensor([[0.0, 0.6, 0.9, 0.0]]),
    }
    found = model.tasks.decode(model.featurizer.featurize([document]), answers, "predicted")[0]["relations"]
    assert [(r.head, r.tail, r.label) for r in found] == [("m1", "m0", "friend")]
