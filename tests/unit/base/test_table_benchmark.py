"""benchmarks/base_table.py on a made-up corpus and a model that is a word list: scores that are known by hand."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.formats.registry import write


@pytest.fixture
def bench(monkeypatch):
    """The folder of the benchmarks is no package; what is imported from it goes again."""
    import sys

    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
    yield importlib.import_module
    for name in [n for n in sys.modules if n.startswith("base_")]:
        del sys.modules[name]


class WordList:
    """Finds the words of a list; two entities with "at" between them are related."""

    def __init__(self, words, **scores):
        self.words, self.scores = words, scores

    def entities(self, texts, labels, thresholds=None):
        found = []
        for text in texts:
            mine = []
            for word, label in self.words.items():
                at, score = text.find(word), self.scores.get(word, 0.9)
                limit = thresholds.get(label, 0.5) if isinstance(thresholds, dict) else thresholds
                if at >= 0 and label in labels and score >= (0.5 if limit is None else limit):
                    mine.append((at, at + len(word), label, score))
            found.append(mine)
        return found

    def relations(self, texts, entities, relations, threshold=None):
        name, found = next(iter(relations)), []
        for text, some in zip(texts, entities):
            pairs = [(h, t) for h, a in enumerate(some) for t, b in enumerate(some) if text[a[1] : b[0]] == " at "]
            score = 0.3 if "maybe" in text else 0.8
            found.append([(h, t, name, score) for h, t in pairs if score >= (0.5 if threshold is None else threshold)])
        return found

    def chains(self, texts, entities):
        return [
            [c for n in sorted({t[e[0] : e[1]] for e in some}) if len(c := _same(t, some, n)) > 1]
            for t, some in zip(texts, entities)
        ]


def _same(text, entities, name):
    return [k for k, e in enumerate(entities) if text[e[0] : e[1]] == name]


SPLIT = "Bo\tB-PER\nSmith\tI-PER\nis\tO\nat\tO\nQuend\tB-LOC\n\nMira\tB-PER\nsang\tO\n\nBrod\tB-ODD\n\n"


@pytest.fixture
def corpora(tmp_path):
    for split in ("dev", "test"):
        (tmp_path / f"{split}.conll").write_text(SPLIT)
    return tmp_path


def entity_row(bench):
    rows = bench("base_rows")
    return rows.EntityRow(test="conll:test.conll", dev="conll:dev.conll", names={"PER": "PER", "LOC": "place"})


def test_a_row_of_entities_is_scored_by_hand(bench, corpora):
    model = WordList({"Bo Smi": "PER", "Quend": "place", "sang": "PER", "Brod": "place"}, Quend=0.3)
    result, judged = bench("base_table").entity_row(model, entity_row(bench), corpora)
    # said: Bo Smith (right, in whole words), sang, Brod; gold: Bo Smith, Quend, Mira
    assert result["default"]["f1"] == pytest.approx(200 / 6, abs=0.01) and result["documents"] == 3
    assert result["default"]["by_label"] == {"PER": [50.0, 2], "place": [0.0, 1]}
    # every threshold above 0.3 loses Quend; at it 2 of 4 are right
    assert result["dev"]["f1"] == pytest.approx(400 / 7, abs=0.01) and result["dev_thresholds"]["place"] < 0.3
    assert sorted(zip(judged.labels, judged.correct)) == [("PER", False), ("PER", True), ("place", False)]
    assert judged.missed == {"PER": 1, "place": 1}


def test_labels_for_the_model_and_names_of_a_set(bench):
    table, rows = bench("base_table"), bench("base_rows")
    labels = table.model_labels(rows.EntityRow(test="", names={"a": "PER", "b": "award", "c": "PER"}))
    assert list(labels) == ["PER", "award"] and labels["PER"].startswith("person") and labels["award"] == ""
    assert table.model_labels(rows.EntityRow(test="", lang="zh"))["PER"].startswith("人物")
    politics = rows.ENTITY_ROWS["CrossNER politics"]
    assert politics.names["politicalparty"] == "political party" and "misc" not in politics.names
    for row in rows.ENTITY_ROWS.values():
        assert row.test and "train" not in row.test.partition("#")[2] and row.dev != row.test
        assert "test" not in row.dev.partition("?")[0].replace("latest", "")


def test_overlapping_entities_keep_the_best_in_whole_words(bench):
    scoring = bench("base_scoring")
    document = Document.from_words("a", ["Bo", "Smith", "sang"])
    said = [(0, 1, "PER", 0.6), (1, 5, "LOC", 0.7), (2, 3, "PER", 0.9), (9, 13, "PER", 0.2)]
    assert scoring.in_words(document, said) == [(0, 8, "LOC", 0.7), (9, 13, "PER", 0.2)]


def test_gold_keeps_what_has_a_name(bench):
    scoring = bench("base_scoring")
    mentions = [Mention(id=i, start=s, end=e, label=x) for i, s, e, x in
                (("a", 0, 2, "P1"), ("b", 0, 2, "P2"), ("c", 3, 5, "Q"), ("d", 6, 8, "P1"))]  # fmt: skip
    document = Document(
        id="1", text="Bo in Ax", mentions=mentions,
        chains=(Chain(id="x", mentions=("a", "b")), Chain(id="y", mentions=("c",)), Chain(id="z", mentions=("d",))),
        relations=(Relation(head="x", tail="z", label="r"), Relation(head="x", tail="y", label="r")),
    )  # fmt: skip
    (made,) = scoring.gold_documents([document], {"P1": "PER", "P2": "PER"})
    assert [(m.id, m.label) for m in made.mentions] == [("a", "PER"), ("d", "PER")]
    assert [(c.id, c.mentions) for c in made.chains] == [("x", ("a",)), ("z", ("d",))]
    assert [(r.head, r.tail) for r in made.relations] == [("x", "z")]


LINES = """#doc 1
0	Bo	B-Peop	['Live_In']	[2]
1	at	O	['N']	[1]
2	Quend	B-Loc	['N']	[2]
#doc 2
0	Mira	B-Peop	['Live_In']	[2]
1	at	O	['N']	[1]
2	Brod	B-Loc	['N']	[2]
3	maybe	O	['N']	[3]
#doc 3
0	Ax	B-Peop	['N']	[0]
1	at	O	['N']	[1]
2	Ox	B-Loc	['N']	[2]
"""


def test_a_row_of_relations_is_scored_by_hand(bench, tmp_path):
    for split in ("dev", "test"):
        (tmp_path / f"{split}.txt").write_text(LINES)
    row = bench("base_rows").RelationRow(
        test="conll04:.#test", dev="conll04:.#dev",
        relations={"Live_In": ("lives in", "")}, names={"Peop": "PER", "Loc": "LOC"},
    )  # fmt: skip
    model = WordList({"Bo": "PER", "Quend": "LOC", "Mira": "PER", "Brod": "PER", "Ax": "PER"})
    result = bench("base_table").relation_row(model, row, tmp_path)
    # between gold entities: 1 and 3 are said, 1 is right, 2 gold
    assert result["gold entities"]["f1"] == pytest.approx(50.0)
    # of the dev threshold: all three are said
    assert result["gold entities, threshold of dev"]["f1"] == pytest.approx(80.0) and result["dev_threshold"] < 0.31
    # strict with found entities: Brod has another type, Ox is not found
    assert result["found entities"]["f1"] == pytest.approx(200 / 3, abs=0.01)
    assert result["found entities, threshold of dev"]["f1"] == pytest.approx(50.0)


def test_states_are_computed_once_a_text(bench):
    class Counted:
        asked = 0

        def encode(self, words, batch=1):
            self.asked += len(words)
            return [len(w) for w in words]

    model = Counted()
    states = bench("base_scoring").Remembered(model)
    assert model.encode([["a"], ["a", "b"], ["a"]]) == [1, 2, 1] and model.encode([["a", "b"]], 4) == [2]
    assert model.asked == 2
    states.forget()
    assert model.encode([["a"]]) == [1] and model.asked == 3
    bench("base_scoring").Remembered(WordList({})).forget()


def test_names_that_training_does_not_teach_are_scored_apart(bench, corpora):
    table, rows = bench("base_table"), bench("base_rows")
    assert {"politician", "university", "PER", "person"} <= table.taught_names()
    row = rows.EntityRow(test="conll:test.conll", names={"PER": "person", "LOC": "quibble"})
    model = WordList({"Bo Smith": "person", "Quend": "quibble", "Brod": "quibble"})
    result, _ = table.entity_row(model, row, corpora)
    assert result["names not taught"]["names"] == ["quibble"]
    assert result["names not taught"]["f1"] == pytest.approx(200 / 3, abs=0.01)
    assert "dev" not in result and result["default"]["f1"] == pytest.approx(400 / 6, abs=0.01)


def test_given_pairs_have_the_best_relation_or_none(bench):
    scoring = bench("base_scoring")
    document = Document(
        id="1", text="Bo Ax", mentions=(Mention(id="h", start=0, end=2), Mention(id="t", start=3, end=5))
    )
    pairs = [("h", "t", "peer", 0.6), ("t", "h", "couple", 0.9), ("h", "t", "parent", 0.7)]
    one, none = scoring.with_relations([document, document.replace(id="2")], [pairs, pairs[1:2]], "given")
    assert [(r.head, r.label) for r in one.relations] == [("h", "parent")]
    assert [r.label for r in none.relations] == ["None"]


def test_relations_of_mentions_become_those_of_their_chains(bench):
    scoring = bench("base_scoring")
    mentions = tuple(Mention(id=i, start=s, end=s + 2, label="PER") for i, s in (("a", 0), ("b", 3), ("c", 6)))
    document = Document(id="1", text="Bo Bo Ax", mentions=mentions)
    (made,) = scoring.with_chains(WordList({}), [document])
    assert sorted(c.mentions for c in made.chains) == [("a", "b"), ("c",)]
    (related,) = scoring.with_relations(
        [made], [[("a", "c", "r", 0.5), ("b", "c", "r", 0.6), ("a", "b", "r", 1)]], "chains"
    )
    assert [(r.label, r.score) for r in related.relations] == [("r", 0.6)]


def test_another_system_is_scored_on_the_same_gold(bench, corpora, tmp_path, monkeypatch):
    table, scoring, row = bench("base_table"), bench("base_scoring"), entity_row(bench)
    monkeypatch.setattr(table, "ENTITY_ROWS", {"made up": row, "other": row})
    gold = scoring.gold_documents(table.documents(corpora, row.test), row.names)
    write(gold, tmp_path / "made up.jsonl")
    assert table.other_rows("x", tmp_path, corpora, 0)["made up"]["default"]["f1"] == 100.0
    assert list(table.other_rows("x", tmp_path, corpora, 1)) == ["made up"]


def test_the_record_is_json_and_a_table(bench, corpora, monkeypatch, tmp_path):
    table = bench("base_table")
    monkeypatch.setattr(table, "ENTITY_ROWS", {"made up": entity_row(bench)})
    model = WordList({"Bo Smith": "PER", "sang": "PER"}, sang=0.6)
    out = tmp_path / "record.json"
    record = table.measure(model, corpora, ["made up"], out=out, weights="hash")
    assert json.loads(out.read_text()) == json.loads(json.dumps(record))
    assert record["calibration"]["all rows"] == record["calibration"]["made up"]
    # one right at 0.9, one wrong at 0.6: (0.1 + 0.6) / 2
    assert record["calibration"]["made up"]["ece"] == 35.0
    monkeypatch.setattr(table, "entity_row", lambda *_: pytest.fail("a row that the record has"))
    assert table.measure(model, corpora, ["made up"], out=out, weights="hash") == json.loads(json.dumps(record))
    with pytest.raises(pytest.fail.Exception):
        table.measure(model, corpora, ["made up"], out=out, weights="others")
    text = table.markdown({**json.loads(json.dumps(record)), "others": {"x": {}}})
    assert "| made up | 3 | nothing | 50.0 | 33.33 | 40.0 (" in text
    (tmp_path / "text.json").write_text("{}")
    first = table.model_hash(tmp_path)
    (tmp_path / "text.safetensors").write_bytes(b"x")
    assert len(first) == 64 and table.model_hash(tmp_path) != first
