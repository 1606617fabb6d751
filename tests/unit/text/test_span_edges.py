"""Spans that cut words: one rule in training, in files of columns and in scores, against a slow loop."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from openmie import metrics
from openmie.cli import application as cli
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import CorpusError, MetricError
from openmie.formats import registry as files
from openmie.metrics.comparison import comparable
from openmie.model.codec import bio
from openmie.model.codec.dropped import dropped_words
from openmie.model.tasks.candidates import encode_candidates
from openmie.model.tasks.relations import RelationsTask
from openmie.text.span_edges import whole_words
from openmie.text.words import split_words

RULES = ("expand", "shrink", "drop")
TEXT = "Orla Vane met (Turin's) band"  # words: Orla, Vane, met, (, Turin, 's, ), band


def post(*spans: tuple[int, int], text: str = TEXT, words: bool = True) -> Document:
    mentions = tuple(Mention(id=f"m{n}", start=a, end=b, label="X") for n, (a, b) in enumerate(spans))
    return Document(id="d", text=text, words=split_words(text) if words else (), mentions=mentions)


def slow(document: Document, span: tuple[int, int], rule: str) -> tuple[int, int] | None:
    """Where a span goes, by a loop over the words and their characters."""
    words = [range(*w) for w in split_words(document.text)]
    inside = set(range(*span))
    if any(w.start == span[0] for w in words) and any(w.stop == span[1] for w in words):
        return span
    if rule == "drop":
        return None
    kept = [w for w in words if (inside & set(w) if rule == "expand" else set(w) <= inside)]
    return (kept[0].start, kept[-1].stop) if kept else None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("words", [True, False])
def test_against_a_slow_loop(rule, words) -> None:
    for span in ((a, b) for a in range(len(TEXT)) for b in range(a + 1, len(TEXT) + 1)):
        document = post(span, words=words)
        found = whole_words(document, rule)
        want = slow(document, span, rule)
        (m,) = found.document.mentions
        assert (m.start, m.end) == (want or span) and m.text == TEXT[m.start : m.end]
        assert bool(found.skipped) == (want is None) and bool(found.moved) == (want not in (None, span))


def test_what_cuts_no_word_stays_the_same_document() -> None:
    document = post((0, 9), (15, 20))
    assert all(whole_words(document, rule).document is document for rule in RULES)
    lost = document.replace(mentions=(Mention(id="m", start=1, end=1, text="Zed", status="unlocated"),))
    assert whole_words(lost, "drop").document is lost


@pytest.mark.parametrize("rule", RULES)
def test_training_files_and_scores_say_the_same(rule, tmp_path: Path) -> None:
    drawn = random.Random(7)
    for number in range(20):
        spans = sorted(drawn.sample(range(len(TEXT)), 4))
        gold = post((spans[0], spans[1]), (spans[2], spans[3]))
        learnt = whole_words(gold, rule).document
        encoded = bio.encode(learnt, ("X",))
        names = [bio.tags(("X",))[i] for i in encoded.ids]
        files.write([gold], tmp_path / f"{number}.conll", span_edges=rule)
        written = [
            x.split("\t")[1] for x in (tmp_path / f"{number}.conll").read_text("utf-8").splitlines() if "\t" in x
        ]
        found = bio.decode(encoded.ids, gold, ("X",))
        predicted = gold.replace(mentions=found)
        overlapping = any("overlaps" in x.why for x in encoded.dropped)  # then longest and first choose differently
        assert overlapping or names == written
        scores = metrics.score([gold], [predicted], span_edges=rule, bootstrap=0)["strict"]
        assert overlapping or (scores.correct == scores.predicted == scores.gold == len(found))
        same = metrics.score([gold], [gold], span_edges=rule, bootstrap=0)["strict"]
        assert same.correct == same.gold == same.predicted


def test_words_of_refused_spans_are_left_open() -> None:
    gold = whole_words(post((1, 9), (15, 20)), "drop").document
    encoded = bio.encode(gold, ("X",))
    assert dropped_words(gold, encoded.dropped).tolist() == [True, True, *[False] * 6]
    assert np.flatnonzero(encoded.ids).tolist() == [4]


def scores(gold: Document, *spans: tuple[int, int], rule: str = "expand") -> tuple[int, int, int]:
    predicted = post(*spans)
    found = metrics.score([gold], [predicted], span_edges=rule, bootstrap=0)["strict"]
    return int(found.correct), found.predicted, found.gold


def test_a_prediction_that_cuts_a_word_is_no_better_for_the_rule() -> None:
    gold = post((15, 21), (0, 4))  # "Turin'" and "Orla"
    assert scores(gold, (15, 22), (0, 4)) == (2, 2, 2)  # expanded to Turin's
    assert scores(gold, (15, 21), (0, 4)) == (2, 2, 2)  # the raw span of gold moves with it
    assert scores(gold, (15, 19), (0, 3)) == (0, 2, 2)  # what gold does not cut must not be cut
    assert scores(gold, (15, 20), rule="shrink") == (1, 1, 2)
    assert scores(gold, (15, 20), (15, 21), (0, 4), (24, 28), rule="drop") == (1, 2, 1)  # Turin's counts on no side


def test_relations_chains_and_boxes_of_refused_spans_go_with_them() -> None:
    gold = post((0, 3), (5, 9)).replace(
        chains=(Chain(id="c0", mentions=("m0",)), Chain(id="c1", mentions=("m1",))),
        relations=(Relation(head="m0", tail="m1", label="r"), Relation(head="c0", tail="c1", label="r")),
        images=(Image(id="i"),),
        regions=(Region(image="i", box=(0, 0, 1, 1), of="m0"),),
    )
    left, _, (note,) = comparable([gold], [gold], "document", "drop")
    assert [m.id for m in left[0].mentions] == ["m1"] and [c.id for c in left[0].chains] == ["c1"]
    assert not left[0].relations and left[0].regions[0].of == "" and not left[0].dangling()
    assert note.note and "1 span that cuts words, the first 0:3 'Orl'" in note.found


def test_the_rule_is_chosen_on_the_command_line(tmp_path: Path) -> None:
    files.write([post((15, 21))], tmp_path / "gold.jsonl")
    files.write([post((15, 20))], tmp_path / "predicted.jsonl")
    run, both = CliRunner().invoke, [str(tmp_path / f"{n}.jsonl") for n in ("gold", "predicted")]
    done = run(cli.app, ["score", *both, "--span-edges", "shrink", "--bootstrap", "0"])
    assert done.exit_code == 0 and "100.00" in done.output and "span_edges=shrink" in done.output
    out = str(tmp_path / "out.conll")
    done = run(cli.app, ["convert", both[0], out, "--write-option", "span_edges=drop"])
    assert done.exit_code == 0 and "mentions 1" in done.output and "B-X" not in Path(out).read_text("utf-8")
    with pytest.raises(MetricError, match="span_edges"):
        metrics.score([], [], span_edges="cut")
    with pytest.raises(CorpusError, match="span_edges"):
        files.write([], out, span_edges="cut")


def test_no_head_learns_from_a_refused_span() -> None:
    gold = post((0, 3), (5, 9), (15, 20)).replace(
        relations=(Relation(head="m1", tail="m2", label="r"), Relation(head="m0", tail="m1", label="r")),
        chains=(Chain(id="c0", mentions=("m0",)), Chain(id="c1", mentions=("m1", "m2"))),
    )
    learnt = encode_candidates(gold, ("X",), whole=True)  # of chains, links between them and boxes
    assert learnt.mentions == ("m1", "m2") and [c.id for c in learnt.chains] == ["c1"] and len(learnt.dropped) == 2
    kept, gone = RelationsTask(("r", "None")).list_pairs(gold, gold=True)
    assert [(r.head, r.tail) for r in kept] == [("m1", "m2")] and [x.what.head for x in gone] == ["m0"]
    beside_tags, _ = RelationsTask(("r", "None"), tagger=True).list_pairs(gold, gold=True)
    assert not any("m0" in (r.head, r.tail) for r in beside_tags)  # nor is it taught that it has no relation
    given = encode_candidates(gold, ("X",))  # what is given to predict between is read as the words that it touches
    assert given.mentions == ("m0", "m1", "m2")
