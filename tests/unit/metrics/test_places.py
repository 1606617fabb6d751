"""Sentences without ids are paired by their place: two CoNLL files of different names."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.formats import registry
from openmie.metrics import spans
from openmie.metrics.places import paired_by_place

GOLD = "Mira\tB-PER\nsings\tO\n\nTolk\tB-PER\n"


def conll(path: Path, text: str) -> list[Document]:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return list(registry.read(path))


def test_two_files_of_different_names(tmp_path):
    """P 100, R 50, F1 66.67: one of two mentions, in the sentence that has no id."""
    conll(tmp_path / "gold.conll", GOLD)
    conll(tmp_path / "system_output.conll", GOLD.replace("Tolk\tB-PER", "Tolk\tO"))
    asked = ["score", str(tmp_path / "gold.conll"), str(tmp_path / "system_output.conll"), "--format", "json"]
    result = CliRunner().invoke(cli.app, [*asked, "--bootstrap", "0"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)[0]
    assert (found["metric"], found["precision"], found["recall"]) == ("strict", 100, 50)
    assert found["f1"] == pytest.approx(200 / 3)


def test_a_sentence_that_one_side_lost_moves_no_other(tmp_path):
    """The place is that in the file, not among the sentences that could be read; the lost one counts as empty."""
    gold = conll(tmp_path / "gold.conll", GOLD)
    items = conll_items(tmp_path / "b.conll", GOLD.replace("Mira\tB-PER\n", "Mira B-PER broken\n"))
    found, notes = paired_by_place(gold, items)
    assert [d.id for d in found] == ["gold:1"] and not notes
    assert spans(gold, found).recall == 50


def conll_items(path: Path, text: str) -> list[Document]:
    path.write_text(text)
    return [item for item in registry.read_items(path) if isinstance(item, Document)]


def test_words_spelled_in_another_way_are_compared_one_by_one(tmp_path):
    gold = conll(tmp_path / "gold.conll", GOLD)
    other = conll(tmp_path / "b.conll", GOLD.replace("Mira", "<person>").replace("sings", "sing"))
    found, (note,) = paired_by_place(gold, other)
    assert spans(gold, found).f1 == 100 and note.note and "1 sentences" in note.found and "b:0" in note.where


@pytest.mark.parametrize("name", ["b.conll", "other/gold.conll"])
def test_other_sentences_are_an_error(tmp_path, name):
    """Of files of one name, too: a sentence that is lacking in the middle would shift all that follow."""
    gold = conll(tmp_path / "gold.conll", GOLD)
    shifted = conll(tmp_path / name, "Tolk\tB-PER\n")
    with pytest.raises(MetricError, match=r"(?s)'Tolk'.*'Mira sings'"):
        paired_by_place(gold, shifted)


def test_ids_of_their_own_are_what_counts(tmp_path):
    named = conll(tmp_path / "a.conll", "# id = s1\nMira\tB-PER\n\n# id = s2\nTolk\tB-PER\n")
    turned = list(reversed(named))
    assert paired_by_place(named, turned) == (turned, ())
    plain = conll(tmp_path / "b.conll", "Mira\tB-PER\n\nTolk\tB-PER\n")
    for gold, predicted in ((named, plain), (plain, named)):
        assert spans(gold, paired_by_place(gold, predicted)[0]).f1 == 100


def test_ids_of_several_files_are_no_places():
    """A part of a corpus that was put together from two files keeps its ids."""
    gold = [Document.from_words(id, ["a"]) for id in ("x:0", "y:0", "x:1")]
    part = [Document.from_words(id, ["a"]) for id in ("x:0", "x:1")]
    assert paired_by_place(gold, part) == (part, ())


def test_one_span_in_two_predicted_chains_is_told(tmp_path):
    """Both chains are scored as one (mean F1 63.70, where the CoNLL scorer keeps the first and scores 100)."""
    words = Document.from_words("d", ["a", "b", "c", "d"])
    mentions = [{"id": f"m{n}", "start": w.start, "end": w.end} for n, w in enumerate(words.words)]
    chains = [{"id": "c0", "mentions": ["m0", "m1"]}, {"id": "c1", "mentions": ["m2", "m3"]}]
    gold = words.replace(mentions=mentions, chains=chains)
    again = [*mentions, {**mentions[0], "id": "m4"}]
    joined = gold.replace(mentions=again, chains=[chains[0], {"id": "c1", "mentions": ["m2", "m3", "m4"]}])
    for name, document in (("gold", gold), ("predicted", joined)):
        registry.write([document], tmp_path / f"{name}.jsonl")
    asked = ["--task", "document", "--bootstrap", "0", "--format", "json"]

    def score(predicted: str) -> tuple[str, float]:
        result = CliRunner().invoke(
            cli.app, ["score", f"{tmp_path}/gold.jsonl", f"{tmp_path}/{predicted}.jsonl", *asked]
        )
        assert result.exit_code == 0, result.output
        return result.stderr, next(row["f1"] for row in json.loads(result.stdout) if row["metric"] == "chains")

    told, f1 = score("predicted")
    assert "predicted document d: 1 spans in several chains, the first 0:1 'a' in c0, c1" in told
    assert f1 == pytest.approx(63.70, abs=0.01)
    assert score("gold") == ("", 100)
