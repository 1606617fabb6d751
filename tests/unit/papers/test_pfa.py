"""The page of M-MRE: what it says of the paper, its recipes, and its runs through bench and command line, tiny."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

pytest.importorskip("trl")

from typer.testing import CliRunner

from openmie import bench, corpora
from openmie import recipe as recipes
from openmie.bench import measures, system
from openmie.cli import application as cli
from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import ErrorRecord, OpenMIEError, RecipeError
from openmie.papers import pfa
from openmie.vlm import pfa as adapter
from openmie.vlm.generate import Answer
from openmie.vlm.sft.recipe import predict, scores

TINY = "diorama:train=8,dev=2,test=4,translation=false,patches=4,size=64"
SMALL = ("sizes.width=32", "sizes.layers=2", "sizes.heads=2", "sizes.channels=16", "max_tokens=24")
LABELS = ("LOC", "MISC", "ORG", "PER")
PRINTED = """15.65 86.70 90.05 84.96 88.83 15.81 57.22 28.41 42.22 57.30 28.72 42.64 14.25 84.21 86.79 83.91 87.50 15.61
51.24 25.45 38.09 56.96 28.71 42.44 573 40 317 318 97 10 54 53"""


def tweets():
    return Corpus("gmner:x", {"train": lambda: iter([])}, declared=Labels(mentions=("LOC", "ORG", "OTHER", "PER")))


def test_every_number_of_tables_1_to_3_is_there_once():
    told = [v for table in pfa.REPORTED.values() for row in table.values() for v in row.values()]
    assert sorted(told) == sorted(map(float, PRINTED.split()))
    rows = {row for table in ("table 2", "table 3") for row in pfa.REPORTED[table]}
    assert rows == {pfa.NAME, *(s for pair in pfa.GAINS.items() for s in (pair[0], *pair[1]))}


def test_the_papers_model_with_its_hyper_parameters():
    r = pfa.recipe(tweets(), flavour="paper")
    t = r.training
    assert r.model == "Qwen/Qwen2.5-VL-7B-Instruct" and r.labels == ("LOC", "ORG", "OTHER", "PER")
    assert (t.lr, t.vision_lr, t.merger_lr, t.batch, t.epochs) == (1e-5, 2e-6, 2e-6, 4, 3)
    assert (t.schedule, t.warmup, t.decay, t.lora) == ("cosine", 0.03, 0.1, None)
    assert (r.split, r.dev, t.keep, t.precision) == (0, 0.0, "last", "bf16")  # no dev is printed, and no selection
    assert (r.patches, r.plain, r.tasks) == (True, False, ("summary", "ner"))
    better = pfa.recipe(tweets(), flavour="improved")
    assert (better.model, better.dev, better.training.keep) == (r.model, 0.1, "best")
    assert (better.training.lora.rank, better.training.lr, better.training.weights) == (16, 1e-4, "bfloat16")
    assert pfa.recipe(tweets(), flavour="improved", lora=0).training.lora is None
    assert pfa.recipe(tweets(), flavour="improved", lora=8).training.lora.rank == 8
    assert pfa.recipe(tweets(), task="ner").tasks == ("ner",)
    with pytest.raises(RecipeError, match="task 're'"):
        pfa.recipe(tweets(), task="re")
    with pytest.raises(RecipeError, match="without labels"):
        pfa.recipe(Corpus("x", {}, declared=Labels()))


def test_six_runs_and_what_each_changes():
    full = pfa.recipe(corpora.load(TINY))
    runs = {pfa.NAME: full} | pfa.ablations(full)
    six = [row for table in ("table 2", "table 3") for row in pfa.REPORTED[table]]
    assert len({(runs[row].tasks, runs[row].plain) for row in six}) == 6
    assert all(runs[row].patches for row in six)  # the default keeps them
    for name, changed in runs.items():
        fields = {path for path, _, _ in recipes.difference(recipes.dump(full), recipes.dump(changed))}
        assert fields <= {"name", "tasks", "plain", "patches"} and (name == pfa.NAME) == (not fields)
    assert recipes.set_field(full, "training.epochs", "7").training.epochs == 7
    with pytest.raises(OpenMIEError):
        recipes.set_field(full, "training.epochs", "0")


# -- what is asked and read


class Stub:
    """Answers each request by a function of its number."""

    name = "stub"

    def __init__(self, say):
        self.say, self.asked = say, []

    def answers(self, requests):
        for n, request in enumerate(requests):
            self.asked.append(request)
            yield self.say(n, request)


def posts():
    main = Image(id="main", path="none.png", width=20, height=20)
    patch = Image(kind="patch", id="p0", parent="main", box=(1, 1, 9, 9))
    import numpy as np

    main = main.model_copy(update={"path": "", "pixels": np.zeros((20, 20, 3), np.uint8)})
    said = Mention(id="m0", start=0, end=3, label="PER")
    region = Region(image="main", box=(1, 1, 9, 9), label="PER", of="m0")
    one = Document(
        id="a", text="Ada smiles", images=(main, patch), mentions=(said,), regions=(region,), summary="A woman smiles."
    )
    return [one, one.replace(id="b"), one.replace(id="c"), one.replace(id="d")]


def test_answers_are_read_scored_and_lost_ones_are_told():
    full = replace(pfa.recipe(tweets(), flavour="improved"), labels=LABELS)
    gold = posts()
    right = adapter.render(gold[0], LABELS)
    said = [
        Answer(text=right),
        Answer(text=right[:70], finish="length"),
        Answer(text="no idea"),
        ErrorRecord(found="no answer", where="model stub"),
    ]
    stub = Stub(lambda n, request: said[n])
    predicted, came = predict(full, stub, gold)
    assert came == said and all(len(r.images) == 2 and r.schema is None for r in stub.asked)
    assert [p.id for p in predicted] == ["a", "b", "c", "d"]
    assert predicted[0].mentions[0].text == "Ada" and predicted[0].summary == "A woman smiles."
    assert "cut at its length" in str(predicted[1].errors[-1]) and predicted[3].errors[0].found == "no answer"
    numbers = scores(full, gold, predicted)
    assert numbers["Parsed"] == 25.0
    assert 0 < numbers["F1"] < 100 and numbers["Accuracy"] == 25.0 and numbers["Exact"] >= 25.0
    perfect = scores(full, gold, predict(full, Stub(lambda n, r: Answer(text=right)), gold)[0])
    assert {k: round(v, 6) for k, v in perfect.items()} == dict.fromkeys(perfect, 100.0)


def test_gold_is_not_in_what_is_asked_and_the_grammar_is_only_where_it_is_wanted():
    full = replace(pfa.recipe(tweets(), flavour="improved"), labels=LABELS)
    stub = Stub(lambda n, request: Answer(text=""))
    predict(full, stub, posts()[:1], constrained=True)
    bare = [p.replace(mentions=(), regions=(), summary="") for p in posts()[:1]]
    again = Stub(lambda n, request: Answer(text=""))
    predict(full, again, bare, constrained=True)
    assert stub.asked[0].prompt == again.asked[0].prompt and stub.asked[0].schema == again.asked[0].schema
    assert stub.asked[0].schema is not None and "A woman smiles" not in str(stub.asked[0].schema)


# -- through the bench


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Two of the eight runs, in this process."""
    out = tmp_path_factory.mktemp("bench")
    rows = bench.Rows(ablate=("full", "Single TS"), same={"changes": SMALL})
    cells = bench.grid("pfa", [TINY], rows=rows)
    events = list(bench.run(cells, out, fresh=False))
    return out, cells, events


def test_a_run_is_one_json_with_all_that_it_depends_on(ran):
    out, cells, events = ran
    assert [e.kind for e in events if e.kind in ("scored", "failed")] == ["scored", "scored"], events[-1].values
    record = cells[0].record(out)
    assert {*pfa.MEASURES, *pfa.OURS} <= record["scores"].keys()
    assert record["constrained"]["documents"] == 4  # of which all are cut at 24 tokens, and said to be
    assert record["scores"]["Parsed, constrained"]["f1"] == 0.0
    assert record["recipe"]["sizes"]["width"] == 32 and record["documents"] == 4 and len(record["data"]) == 64
    assert record["ceilings"]["F1, text"] < record["ceilings"]["F1"] and record["parameters"] > 1000
    assert "F1" not in cells[1].record(out)["scores"] and "BLEU" in cells[1].record(out)["scores"]
    assert "# pfa-small: " in system.of(cells[0].recipe(corpora.load(TINY))).card(cells[0].folder(out) / "model")
    kept = corpora.read(cells[0].predictions(out))
    assert len(list(kept)) == 4


def test_a_finished_run_is_not_run_again(ran):
    out, cells, _ = ran
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    assert [e.kind for e in bench.run(cells, out, fresh=False)] == ["finished"] * 2
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}


def test_a_run_that_still_learns_gives_no_gain():
    """One look at dev, or a last look better by more than a hundredth: how far it came says nothing of tasks."""
    curves = {(2.0,): True, (2.0, 1.0): True, (2.0, 1.99): False, (2.0, 1.0, 1.01): False, (): False}
    for losses, young in curves.items():
        assert measures.still_learning({"curve": [{"loss": x} for x in losses]}) is young, losses
    assert not measures.still_learning({})


def test_the_table_says_what_was_not_run_and_what_is_reported(ran):
    out, *_ = ran
    cells = bench.grid("pfa", [TINY], rows=bench.Rows(ablate=("all",), same={"changes": SMALL}), seeds=(1, 2))
    found = bench.table(cells, out)
    text = bench.markdown(found)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    lines = {line.split(" | ")[0].strip("| ").partition(" [")[0]: line for line in rows}
    assert "(n=1 of 2)" in lines[pfa.NAME] and "not run" in lines["Single MNER"]
    assert "84.96" not in text and "-1.74" not in text  # Diorama is not the paper's data, and the table says so
    assert "diorama is no data set of the paper's tables" in text
    assert "not run" in lines[f"{pfa.NAME} less Single MNER"]
    assert "still learning" in lines[f"{pfa.NAME} less Single TS"]  # one epoch: one look at dev
    assert "‡" in text and "no gain is taken from it" in text
    assert "Ceilings" in text and "has changed since" not in text
    long = list(csv.DictReader(io.StringIO(bench.csv(found))))
    assert sum(row["status"].startswith("not run") for row in long) == 6
    assert {row["reported"] for row in long} == {""}
    names = next(row for row in long if row["score"] == "F1" and not row["label"])
    assert names["precision_mean"] and names["support"] == str(ran[1][0].record(out)["scores"]["F1"]["gold"])
    assert {row["flavour"] for row in long} == {"small"}


def test_gains_are_by_seed_and_by_hand():
    runs = {pfa.NAME: {"F1": {1: 80.0, 2: 90.0, 3: 50.0}}, "Single MNER": {"F1": {2: 85.0, 1: 82.0}}}
    assert measures.gains(runs, pfa) == {(pfa.NAME, "Single MNER"): {"F1": [-2.0, 5.0]}}


def test_shuffled_images_are_refused(tmp_path):
    cell = replace(bench.grid("pfa", [TINY])[0], shuffle=True)
    (event,) = [e for e in bench.run([cell], tmp_path, fresh=False) if e.kind == "failed"]
    assert "--shuffle" in event.values["error"]


# -- the command line


def run(*arguments):
    return CliRunner().invoke(cli.app, list(arguments))


def test_show_train_and_table_by_command(tmp_path, ran):
    assert json.loads(run("show", "pfa", "--corpus", TINY).stdout)["kind"] == "SFTRecipe"
    assert "plain: false -> true" in run("show", "pfa", "--ablate", "M-MRE (no PFA)").output
    sets = [x for change in SMALL for x in ("--set", change)]
    made = run("train", "pfa", "--corpus", TINY, "--out", str(tmp_path / "m"), "--ablate", "Single MNER", *sets)
    assert made.exit_code == 0, made.output
    assert "best dev loss" in made.output and (tmp_path / "m" / "model.safetensors").exists()
    table = run("bench", "pfa", "--table", "md", "--out", str(ran[0]))
    assert table.exit_code == 0 and "84.96" not in table.output
    printed = run("bench", "pfa", "--table", "published", "--out", str(ran[0]))
    assert "84.96" in printed.output and "15.65" in printed.output
    found = bench.found(ran[0], "pfa")
    assert {c.row for c in found} == {"full", *pfa.ablations(pfa.recipe(corpora.load(TINY)))}


def broken_corpus(folder):
    """Six grounded documents with pictures on disk, of which one lacks its second half."""
    from PIL import Image as Pillow

    from tests.unit.datasets.test_mmre import corpus_of

    documents = {}
    for split, found in corpus_of(12).sources.items():
        documents[split] = []
        for n, document in enumerate(found()):
            path = folder / f"{split}-{n}.png"
            Pillow.effect_noise((64, 64), 90).convert("RGB").resize(
                (document.main_image.width or 64, document.main_image.height or 64)
            ).save(path)
            main = document.main_image.model_copy(update={"path": str(path), "pixels": None})
            rest = [i for i in document.images if i.id != main.id]
            documents[split].append(document.replace(images=(main, *rest), captions={"a": f"Words of {document.id}."}))
        corpora.write(documents[split], folder / f"{split}.jsonl")
    half = documents["train"][0]
    data = (folder / "train-0.png").read_bytes()
    (folder / "train-0.png").write_bytes(data[: len(data) // 2])
    return half.id


def test_one_truncated_picture_is_a_record_and_the_job_goes_on(tmp_path):
    """Neither a training nor an export ends for it: it is named before the first step, and the exit code is 3."""
    (tmp_path / "c").mkdir()
    lost = broken_corpus(tmp_path / "c")
    spec, sets = f"jsonl:{tmp_path / 'c'}", [x for change in SMALL for x in ("--set", change)]
    made = run("train", "pfa", "--corpus", spec, "--out", str(tmp_path / "m"), "--set", "split=-1", *sets)
    assert made.exit_code == cli.PARTIAL, (made.output, made.exception)
    assert lost in made.output and "a broken file" in made.output and "best dev loss" in made.output
    facts = json.loads((tmp_path / "m" / "training.json").read_text(encoding="utf8"))
    assert facts["lessons"]["train"] == len(list(corpora.load(spec).train)) - 1
    gone = run("mmre", spec, "--seed", "-1", "--llava", str(tmp_path / "l"))
    assert gone.exit_code == cli.PARTIAL and lost in gone.output and "a broken file" in gone.output
    rows = json.loads((tmp_path / "l" / "train.json").read_text(encoding="utf8"))
    assert len(rows) == facts["lessons"]["train"] and lost not in {r["id"] for r in rows}


def test_a_truncated_picture_of_the_test_split_costs_its_own_answer_only(tmp_path):
    full = replace(pfa.recipe(tweets(), flavour="improved"), labels=LABELS)
    gold = posts()
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    main = Image(id="main", path=str(tmp_path / "half.png"), width=20, height=20)
    gold[1] = gold[1].replace(images=(main, *gold[1].images[1:]))
    stub = Stub(lambda n, request: Answer(text=adapter.render(gold[0], LABELS)))
    predicted, answers = predict(full, stub, gold)
    assert len(stub.asked) == 3 and [p.id for p in predicted] == ["a", "b", "c", "d"] and len(answers) == 4
    assert [len(p.mentions) for p in predicted] == [1, 0, 1, 1] and "half.png" in predicted[1].errors[0].where


def test_mmre_by_command(tmp_path):
    spec = "diorama:train=4,dev=2,test=2,translation=false,size=64"
    made = run("mmre", spec, "--out", str(tmp_path / "d"), "--llava", str(tmp_path / "l"), "--task", "ner")
    assert made.exit_code == 0, made.output
    assert "4 train, 2 dev, 2 test" in made.output and "table 1" in made.output
    assert len(list(corpora.load(f"jsonl:{tmp_path / 'd'}").train)) == 4
    assert "NER:" in (tmp_path / "l" / "train.json").read_text(encoding="utf8")
    assert "Choose one of: joint, summary, ner" in str(run("mmre", spec, "--llava", "x", "--task", "re").exception)


def test_mmre_reviewed_by_command(tmp_path, monkeypatch):
    from tests.unit.datasets.test_mmre import corpus_of

    folder = tmp_path / "grounded"
    folder.mkdir()
    monkeypatch.chdir(folder)  # where the images lie: a path that leads out of the corpus is a record
    for split, documents in corpus_of(12).sources.items():
        corpora.write([d.replace(captions={"a": f"Words of {d.id}."}) for d in documents()], folder / f"{split}.jsonl")
    spec, review = f"jsonl:{folder}", tmp_path / "review.csv"
    assert run("mmre", spec, "--review", str(review)).exit_code == 0
    text = review.read_text(encoding="utf-8-sig")
    line = next(x for x in text.splitlines() if '"Words of d3."' in x)
    better = line.replace('"Words of d3.","",""', '"Words of d3.","no","Better words."')
    assert better != line
    review.write_text(text.replace(line, better), encoding="utf8")
    made = run("mmre", spec, "--read", str(review), "--out", str(tmp_path / "out"))
    assert made.exit_code == 0, made.output
    found = {d.id: d.summary for s in ("train", "test") for d in corpora.load(f"jsonl:{tmp_path / 'out'}").split(s)}
    assert found["d3" if "d3" in found else ""] == "Better words."
    assert sum(s.startswith("Words of") for s in found.values()) == len(found) - 1


def test_pfa_is_among_the_systems():
    assert "pfa" in system.names() and system.full_name("pfa") == pfa.NAME and system.measures("pfa")
    assert not system.measures("baseline")
