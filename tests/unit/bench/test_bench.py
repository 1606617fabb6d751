"""The bench: what is run, what is not run again, what goes on, and what the table says of it."""

import csv
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from openmie import bench, corpora, diorama
from openmie.bench import ceilings, freshness, published, system
from openmie.bench import execution as work
from openmie.bench import result_table as results
from openmie.bench.run_spec import RunSpec
from openmie.errors import OpenMIEError, TrainError
from openmie.papers import baseline
from openmie.papers._published import ComparedRun, Comparison, Measure, Setting, compare
from openmie.train import system as train_system
from tests.fixtures import small

DIORAMA = "diorama:train=24,dev=8,test=12,translation=false"


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    """A corpus without pictures: quick to read and quick to learn."""
    folder = tmp_path_factory.mktemp("posts")
    docs = [d.replace(images=()) for d in small.documents(32)]
    for name, part in (("train", docs[:16]), ("dev", docs[16:24]), ("test", docs[24:])):
        corpora.write(part, folder / f"{name}.jsonl")
    return f"jsonl:{folder}"


@pytest.fixture
def same(bert):
    """A text encoder of 32 widths, for two epochs of two steps."""
    changes = (f"encode.text.name={bert}", "training.epochs=2", "training.batch_size=8")
    return {"changes": (*changes, "training.param_groups.0.lr=0.003")}


@pytest.fixture
def fits(monkeypatch):
    """The recipes that training was begun with."""
    begun = []

    def counted(recipe, *arguments, **options):
        begun.append(recipe.name)
        return fit(recipe, *arguments, **options)

    fit = train_system.fit
    monkeypatch.setattr(train_system, "fit", counted)
    return begun


def done(cells, out):
    events = bench.run(cells, out, fresh=False)
    return [(e.kind, e.number) for e in events if e.kind in ("finished", "scored", "failed")]


@pytest.fixture(scope="module")
def grid_of_four(posts, bert, tmp_path_factory):
    """Two variants, two seeds, run; the folder and the cells."""
    out = tmp_path_factory.mktemp("out")
    changes = (
        f"encode.text.name={bert}",
        "training.epochs=2",
        "training.batch_size=8",
        "training.param_groups.0.lr=0.003",
    )
    rows = bench.Rows(ablate=("text", "text softmax"), same={"changes": changes})
    cells = bench.grid("baseline", [posts], rows=rows, task="ner", seeds=(1, 2))
    assert done(cells, out) == [("scored", i) for i in (1, 2, 3, 4)]
    return out, cells


# -- the grid


def test_the_grid_is_every_variant_on_every_corpus_at_every_seed(posts):
    cells = bench.grid("baseline", [posts, DIORAMA], rows=bench.Rows(ablate=("all",)), task="ner", seeds=(3, 1))
    variants = ["full", *baseline.ablations(small.recipe())]
    assert [(c.seed, c.corpus, c.row) for c in cells] == [
        (s, p, v) for s in (3, 1) for p in (posts, DIORAMA) for v in variants
    ]
    assert len({c.name for c in cells}) == len(cells) and all(len(c.name) < 250 for c in cells)
    assert [c.row for c in bench.grid("baseline", [DIORAMA])] == ["full"]
    assert bench.grid("baseline", [DIORAMA])[0].task == "ner"  # resolved, so that asking for it is the same run


def test_a_variant_of_another_task_is_left_out(posts, tmp_path):
    """`softmax` is of tags: a corpus of relations has none."""
    docs = [
        d.replace(images=(), mentions=[m.model_copy(update={"label": ""}) for m in d.mentions])
        for d in small.documents(4)
    ]
    for name in ("train", "dev", "test"):
        corpora.write(docs, tmp_path / f"{name}.jsonl")
    rows = bench.Rows(ablate=("text", "softmax"))
    cells = bench.grid("baseline", [posts, f"jsonl:{tmp_path}"], rows=rows)
    assert [(c.row, c.task) for c in cells] == [("text", "ner"), ("softmax", "ner"), ("text", "re")]
    text = bench.markdown(bench.table(cells, tmp_path))
    assert "| softmax | small |  |  | not run | – [1] |" in text and text.count("| softmax |") == 1
    assert "[1] No published number beside it: baseline is no published system" in text
    with pytest.raises(OpenMIEError, match="softmax"):
        bench.grid("baseline", [f"jsonl:{tmp_path}"], rows=rows)


def test_a_name_is_of_the_training_alone():
    cell = RunSpec(paper="baseline", corpus=DIORAMA, ablation="w/o alignment", changes=("fuse.heads=8",), seed=7)
    assert cell.name.startswith("baseline--without-alignment--diorama-train=24") and "--seed7--" in cell.name
    assert replace(cell, test="diorama:", shuffle=True).name == cell.name
    for changed in ({"seed": 8}, {"posts": 5}, {"precision": "bf16"}, {"changes": ()}, {"options": ("text=minilm",)}):
        assert replace(cell, **changed).name != cell.name
    a, b = (replace(cell, ablation=x).name for x in ("a b", "a/b"))  # read alike, are told apart
    assert a != b and a.rsplit("--", 1)[0] == b.rsplit("--", 1)[0]
    assert RunSpec.load(json.loads(json.dumps(cell.dump()))) == cell
    assert replace(cell, test="diorama:").result("o") != cell.result("o") == replace(cell, test=DIORAMA).result("o")


@pytest.mark.parametrize(
    ("text", "found"), [("3", [1, 2, 3]), ("2,5", [2, 5]), ("4-6", [4, 5, 6]), ("7,", [7]), ("1,3-4", [1, 3, 4])]
)
def test_seeds_are_a_number_or_a_list(text, found):
    assert bench.seeds(text) == found


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bench.seeds("x"), ["x", "3"]),
        (lambda: bench.grid("baseline", [DIORAMA], seeds=()), ["Seeds []"]),
        (lambda: bench.grid("baseline", [DIORAMA], seeds=(1, 1)), ["once"]),
        (lambda: bench.grid("bert", [DIORAMA]), ["bert", "baseline"]),
        (lambda: bench.grid("baseline", [DIORAMA], rows=bench.Rows(ablate=("x",))), ["ablation 'x'", "text"]),
        (lambda: bench.grid("baseline", [DIORAMA], rows=bench.Rows(sweep=("x",))), ["sweep 'x'"]),
        (lambda: bench.grid("baseline", [DIORAMA], rows=bench.Rows(same={"options": ("x=1",)})), ["option 'x'"]),
        (lambda: bench.grid("baseline", [DIORAMA], rows=bench.Rows(same={"changes": ("x",)})), ["FIELD=VALUE"]),
        (lambda: bench.grid("baseline", [DIORAMA], rows=bench.Rows(same={"test": "no:"})), ["no:"]),
        (lambda: list(bench.run([], ".", workers=0)), ["workers=0"]),
    ],
)
def test_errors_come_before_hours_are_spent(call, words):
    with pytest.raises(OpenMIEError) as error:
        call()
    assert all(w in str(error.value) for w in words), str(error.value)


def test_options_are_those_of_the_page(posts):
    corpus = corpora.load(posts)
    recipe = system.build("baseline", corpus, "ner", ("text=tiny", "context=*"))
    assert (recipe.encode.text.name, recipe.encode.context) == ("tiny", "*")
    assert system._value("0.1") == 0.1 and system._value("true") is True and system._value('"a"') == '"a"'


# -- a run


def test_a_record_says_all_that_its_numbers_depend_on(grid_of_four, posts):
    out, cells = grid_of_four
    record = cells[0].record(out)
    assert record["cell"] == cells[0].dump() and record["recipe"]["name"] == "baseline-ner-small-text"
    assert record["scores"]["strict"]["f1"] > 50 and record["metric"] == "strict" and record["documents"] == 8
    corpus = corpora.load(posts)
    import hashlib

    for split, told in (("train", record["corpus"]["train"]), ("dev", record["corpus"]["dev"])):
        digest = hashlib.sha256("".join(d.to_json() for d in corpus.split(split)).encode()).hexdigest()
        assert told == {"documents": len(list(corpus.split(split))), "data": digest}
    assert record["data"] == hashlib.sha256("".join(d.to_json() for d in corpus.test).encode()).hexdigest()
    assert record["seconds"]["train"] > 0 and record["peak_mb"]["train"] > 50 and record["versions"]["torch"]
    assert [c["epoch"] for c in record["curve"]] == [0, 1]
    assert record["dev"]["f1"] == max(c["f1"] for c in record["curve"])
    left = {p.name for p in cells[0].folder(out).iterdir()}
    assert left == {"lock", "model", "predictions.jsonl", "run.json", "train.json"}
    assert not (cells[0].folder(out) / "model" / "checkpoints").exists()


def test_finished_runs_are_not_touched(grid_of_four, fits):
    out, cells = grid_of_four
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    assert done(cells, out) == [("finished", i) for i in (1, 2, 3, 4)]
    work.execute(cells[0], out)
    assert fits == [] and before == {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}


def test_the_same_training_under_another_name_is_not_run_again(grid_of_four, fits, tmp_path):
    """A value of a sweep that is the full system's own, or a change that changes nothing, takes over what is there."""
    out, cells = grid_of_four
    twin = replace(cells[0], changes=(*cells[0].changes, "training.max_grad_norm=1.0"))
    assert twin.name != cells[0].name
    assert done([twin], out) == [("scored", 1)] and not fits
    assert twin.record(out)["scores"] == cells[0].record(out)["scores"]
    assert json.loads((twin.folder(out) / "train.json").read_text())["twin of"] == cells[0].name
    assert done([replace(twin, seed=7)], tmp_path) == [("scored", 1)] and len(fits) == 1


def test_a_training_that_was_broken_off_goes_on(posts, same, fits, tmp_path):
    """Interrupted, it keeps the step that it has done; started again it ends as the run that was not broken off."""
    cell = bench.grid("baseline", [posts], rows=bench.Rows(ablate=("text",), same=same), task="ner")[0]
    first = work.execute(cell, tmp_path / "whole")
    seen = []

    def watch(kind, values):
        seen.append(kind)
        if seen.count("step") == 3:  # of four: the first of the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.execute(cell, tmp_path / "broken", watch)
    assert cell.record(tmp_path / "broken") is None and not cell.failure(tmp_path / "broken")
    seen.clear()
    second = work.execute(cell, tmp_path / "broken", lambda kind, values: seen.append(kind))
    assert "resume" in seen and seen.count("step") == 1 and len(fits) == 3
    assert second["attempts"] == 2 and second["seconds"]["train"] >= 0
    for key in ("scores", "dev", "curve", "corpus", "data"):
        assert second[key] == first[key], key


def test_a_trained_model_is_scored_and_not_trained_again(posts, same, fits, tmp_path, monkeypatch):
    cell = bench.grid("baseline", [posts], rows=bench.Rows(ablate=("text",), same=same), task="ner")[0]
    with monkeypatch.context() as broken:
        broken.setattr(work, "_score", lambda *a: 1 / 0)
        assert done([cell], tmp_path) == [("failed", 1)] and "ZeroDivisionError" in cell.failure(tmp_path)
    assert "failed: ZeroDivisionError" in bench.markdown(bench.table([cell], tmp_path))
    assert done([cell], tmp_path) == [("scored", 1)] and len(fits) == 1 and not cell.failure(tmp_path)


def test_a_changed_page_starts_an_unfinished_run_anew(posts, same, tmp_path):
    cell = bench.grid("baseline", [posts], rows=bench.Rows(ablate=("text",), same=same), task="ner")[0]

    def stop(kind, values):
        if kind == "dev":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.execute(cell, tmp_path, stop)
    path = cell.folder(tmp_path) / "attempts.json"
    told = json.loads(path.read_text())
    told["recipe"]["training"]["warmup_ratio"] = 0.3
    path.write_text(json.dumps(told))
    seen = []
    record = work.execute(cell, tmp_path, lambda kind, values: seen.append(kind))
    assert "resume" not in seen and record["attempts"] == 1


def test_another_test_split_and_shuffled_images_need_no_training(grid_of_four, posts, fits, tmp_path):
    out, cells = grid_of_four
    other = tmp_path / "other"
    other.mkdir()
    docs = [d.replace(images=()) for d in small.documents(6)]
    for name in ("train", "dev", "test"):
        corpora.write(docs, other / f"{name}.jsonl")
    cell = replace(cells[0], test=f"jsonl:{other}")
    before = cells[0].result(out).read_bytes()
    assert done([cell], out) == [("scored", 1)] and fits == []
    record = cell.record(out)
    assert record["documents"] == 6 and record["test"]["place"] == "other"
    assert record["corpus"]["train"]["documents"] == 16
    assert cells[0].result(out).read_bytes() == before
    column = bench.table([cells[0], cell], out).columns
    assert len(column) == 2 and column[1].endswith("→ other ner")
    shuffled = replace(cell, shuffle=True)
    assert done([shuffled], out) == [("scored", 1)] and fits == []
    again = shuffled.record(out)
    assert again["scores"]["strict"] == record["scores"]["strict"] and "shuffled images" in again["scores"]
    assert done([shuffled, cell], out) == [("finished", 1), ("finished", 2)]


def test_posts_are_the_first_of_train(posts, same, tmp_path):
    rows = bench.Rows(ablate=("text",), same={**same, "posts": 5})
    cell = bench.grid("baseline", [posts], rows=rows, task="ner")[0]
    record = work.execute(cell, tmp_path)
    assert record["corpus"]["train"]["documents"] == record["examples"] == 5
    assert record["corpus"]["dev"]["documents"] == 8


def test_the_test_split_is_opened_by_scoring_alone(posts, same, tmp_path, opened):
    cell = bench.grid("baseline", [posts], rows=bench.Rows(ablate=("text",), same=same), task="ner")[0]
    at = {}
    work.execute(cell, tmp_path, lambda kind, values: at.setdefault(kind, len(opened)))
    tested = [i for i, name in enumerate(opened) if name.endswith("test.jsonl")]
    assert tested and min(tested) >= at["done"]


def test_a_run_holds_its_folder(posts, same, tmp_path):
    cell = bench.grid("baseline", [posts], rows=bench.Rows(ablate=("text",), same=same), task="ner")[0]
    cell.folder(tmp_path).mkdir(parents=True)
    with work.alone(cell.folder(tmp_path)):
        kinds = [e.kind for e in bench.run([cell], tmp_path, fresh=False)]
    assert kinds == ["busy"] and not cell.failure(tmp_path)


def test_a_file_that_is_no_json_is_named(grid_of_four, tmp_path):
    _, cells = grid_of_four
    cells[0].folder(tmp_path).mkdir()
    cells[0].result(tmp_path).write_text("{")
    with pytest.raises(TrainError, match=r"run\.json.*Remove the file"):
        cells[0].record(tmp_path)


@pytest.mark.slow
def test_runs_in_processes_of_their_own_survive_kills(posts, same, tmp_path):
    """The bench is killed after the first checkpoint: the run's process goes with it. Started again, it goes
    on; a run whose process dies is written down and the next one is run; what is finished is left alone."""
    rows = bench.Rows(ablate=("text",), same={"changes": (*same["changes"], "training.epochs=40")})
    cell = bench.grid("baseline", [posts], rows=rows, task="ner")[0]
    order = json.dumps({"cell": cell.dump(), "out": str(tmp_path)})
    script = (
        "import json, sys\nfrom openmie.bench import RunSpec, run\norder = json.loads(sys.argv[1])\n"
        "for event in run([RunSpec.load(order['cell'])], order['out']): print(event.kind, flush=True)\n"
    )
    first = subprocess.Popen([sys.executable, "-c", script, order], stdout=subprocess.PIPE, text=True)
    said = (line.strip() for line in first.stdout)
    assert all(any(kind == "dev" for kind in said) for _ in range(2))  # the second epoch's: the first one's is kept
    first.send_signal(signal.SIGKILL)
    first.wait()
    left = time.monotonic() + 20
    while time.monotonic() < left:  # the lock is free when the run's process has gone
        try:
            with work.alone(cell.folder(tmp_path)):
                break
        except work.Busy:
            time.sleep(0.1)
    else:
        pytest.fail("the run's process goes on without its bench")
    assert cell.record(tmp_path) is None
    kinds = []
    for event in bench.run([cell], tmp_path):
        kinds.append(event.kind)
        if event.kind == "dev":  # now the run's process is killed, and the bench finds out
            os.kill(int((cell.folder(tmp_path) / "lock").read_text()), signal.SIGKILL)
    assert "resume" in kinds and kinds[-1] == "failed" and "SIGKILL" in cell.failure(tmp_path)
    ends = [e for e in bench.run([cell], tmp_path, fresh=False) if e.kind in ("resume", "scored")]
    assert [e.kind for e in ends] == ["resume", "scored"]
    record = cell.record(tmp_path)
    assert record["attempts"] == 3 and len(record["curve"]) == 40 and not cell.failure(tmp_path)


# -- the table


def test_the_table_is_mean_and_spread_of_the_records(grid_of_four):
    out, cells = grid_of_four
    found = bench.table(cells, out)
    text = [c.record(out)["scores"]["strict"]["f1"] for c in cells if c.row == "text"]
    assert len(text) == 2
    name = next(r for r in found.rows if r.startswith("text ["))
    told = f"{statistics.mean(text):.2f} ± {statistics.stdev(text):.2f} (n=2)"
    lines = bench.markdown(found).splitlines()
    line = next(line for line in lines if line.startswith(f"| {name} |"))
    day = cells[0].record(out)["date"]
    assert line.startswith(f"| {name} | small | 16 | {day} | ") and f" | {told} | " in line
    assert "| test strict P | test strict R | test strict F1 | dev F1 |" in lines[0]
    precision = [c.record(out)["scores"]["strict"]["precision"] for c in cells if c.row == "text"]
    assert f" | {statistics.mean(precision):.2f} ± {statistics.stdev(precision):.2f} (n=2) | " in line
    rows = list(csv.DictReader(io.StringIO(bench.csv(found))))
    first = next(r for r in rows if r["row"] == name and r["score"] == "strict")
    assert (first["n"], first["seeds"], first["status"]) == ("2", "1 2", "run")
    assert float(first["mean"]) == pytest.approx(statistics.mean(text), abs=1e-3)
    assert (float(first["min"]), float(first["max"])) == pytest.approx((min(text), max(text)), abs=1e-3)
    assert {r["score"] for r in rows} == {"strict", "lenient"}
    assert bench.markdown(bench.table(cells, out, "lenient")).count("(n=2)") == 8
    assert "not run: pairs" in bench.markdown(bench.table(cells, out, "pairs"))


def test_scores_that_a_page_names_stand_in_a_table_beside_the_main_one(grid_of_four, monkeypatch):
    out, cells = grid_of_four
    found = bench.table([*cells, replace(cells[0], ablation="full")], out)
    assert "test lenient" not in bench.markdown(found)
    monkeypatch.setattr(baseline, "SCORES", ("lenient", "never"), raising=False)
    lines = bench.markdown(found).splitlines()
    assert " | test lenient | " in lines[0] and "never" not in lines[0]
    lenient = [c.record(out)["scores"]["lenient"]["f1"] for c in cells if c.row == "text"]
    told = f"{statistics.mean(lenient):.2f} ± {statistics.stdev(lenient):.2f} (n=2)"
    assert any(x.startswith("| text [") and f" | {told} | " in x for x in lines)


def test_what_was_not_run_says_so(grid_of_four):
    out, cells = grid_of_four
    asked = [*cells, replace(cells[0], seed=3), replace(cells[0], ablation="full")]
    text = bench.markdown(bench.table(asked, out))
    assert "(n=2 of 3)" in text and text.count("| not run |") == 1
    rows = list(csv.DictReader(io.StringIO(bench.csv(bench.table(asked, out)))))
    assert [(r["n"], r["status"]) for r in rows if r["row"].startswith("baseline")] == [("0", "not run")]
    there = bench.found(out, "baseline")
    assert set(cells) <= set(there)
    assert {c.row for c in there} == {"full", *baseline.ablations(small.recipe())}
    assert "| not run |" in bench.markdown(bench.table(there, out)) and bench.found(out, "none") == []


def test_published_numbers_stand_beside(grid_of_four, monkeypatch):
    out, cells = grid_of_four
    cells = [replace(cells[0], ablation="full"), *cells]
    setting = Setting(
        data=(results.dataset_name(cells[0].corpus),),
        task="ner",
        documents={"train": 16, "dev": 8, "test": 8},
        columns={"F1": Measure(score="strict"), "PER": Measure(score="strict", label="PER")},
    )
    numbers = {
        "Table 1": {"Other": {"F1": 60.5}, "Base": {"F1": 70.04, "PER": 71.0}, "text": {"F1": None}},
        "Table 2": {},
    }
    for name, value in (("NAME", "Base"), ("REPORTED", numbers), ("SETTINGS", {"Posts": setting})):
        monkeypatch.setattr(baseline, name, value, raising=False)

    def beside():
        """The published column, and the lines of table 1."""
        lines = bench.markdown(bench.table(cells, out)).splitlines()
        heading = "| Base, Table 1 | from | F1 | PER |"
        at = lines.index(heading) if heading in lines else -1
        column = lines[0].strip(" |").split(" | ").index("published")
        first = [x.split(" | ") for x in lines if x.startswith(("| Base [", "| text [", "| text softmax ["))][:3]
        return [x[column].strip(" |") for x in first], lines[at + 2 :] if at >= 0 else lines

    column, table = beside()
    assert column == ["70.04", "not legible", "–"]
    assert table[0] == "| Other | published only | 60.50 | – |" and table[1] == "| Base | published | 70.04 | 71.00 |"
    assert table[2] == "| Base | here | not run | not run |" and table[3] == "| text | published | not legible | – |"
    day = cells[1].record(out)["date"]
    assert table[4].startswith("| text [") and f" | here: small; Posts: 16 documents, {day} | " in table[4]
    f1 = [c.record(out)["scores"]["strict"]["f1"] for c in cells if c.row == "text"]
    per = [c.record(out)["scores"]["strict"]["labels"]["PER"]["f1"] for c in cells if c.row == "text"]
    told = [f"{statistics.mean(x):.2f} ± {statistics.stdev(x):.2f} (n=2)" for x in (f1, per)]
    assert table[4].endswith(f" | {told[0]} | {told[1]} |")
    for field, other, why in (
        ("documents", {"train": 17}, "16 documents of train, where the paper has 17"),
        ("task", "joint", "of the task joint, not ner"),
        ("data", ("other",), "is no data set of the paper's tables"),
    ):
        monkeypatch.setattr(baseline, "SETTINGS", {"Posts": replace(setting, **{field: other})})
        column, text = beside()
        assert column[1] == "– [1]" and any(why in line for line in text)  # of a run; the first row is not run


def test_a_run_without_its_images_stands_beside_no_published_number(grid_of_four):
    """And one of another protocol, by the page's own rule."""
    run = ComparedRun(data="posts", task="ner", reads_images=True, record={"documents": 100, "with images": 3})
    known = {"Posts": Setting(data=("Posts",), task="ner", columns={})}
    assert compare(known, run).because == "3 of 100 test documents have their images here"
    assert compare(known, replace(run, reads_images=False)) == Comparison(setting="Posts")
    assert compare(known, replace(run, record={"documents": 100, "with images": 91})).setting == "Posts"
    assert compare(known, replace(run, posts=5)).because == "trained on the first 5 documents"
    share = replace(run, reads_images=False, recipe={"training": {"train_fraction": 0.3}})
    assert compare(known, share).because == "trained on a share of 0.3 of the documents"


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("m3d:some/DIR?lang=en&fold=0#test", {"lang": "en", "fold": "0"}),
        ("diorama:train=4,paired=true", {"train": "4", "paired": "true"}),
        ("twitter:some/where", {}),
    ],
)
def test_the_options_of_a_corpus_are_those_of_its_name(spec, options):
    assert published.corpus_options(spec) == options


def test_a_recipe_that_has_changed_since_is_marked(grid_of_four, monkeypatch):
    out, cells = grid_of_four
    assert "†" not in bench.markdown(bench.table(cells, out))
    freshness._recipe.cache_clear()
    was = baseline.recipe

    def changed(corpus, **options):
        found = was(corpus=corpus, **options)
        return replace(found, training=replace(found.training, warmup_ratio=0.3))

    monkeypatch.setattr(baseline, "recipe", changed)
    text = bench.markdown(bench.table(cells, out))
    freshness._recipe.cache_clear()
    assert "(n=2) †" in text and "changed since" in text and "(2 of 2 runs)" in text


def test_the_table_is_written_in_three_formats(grid_of_four, tmp_path):
    out, cells = grid_of_four
    found = bench.table(cells, out)
    paths = [bench.write(found, tmp_path, f) for f in ("md", "csv", "html")]
    assert [p.name for p in paths] == ["baseline.md", "baseline.csv", "baseline.html"]
    page = paths[2].read_text(encoding="utf8")
    assert "(n=2)" in page and "peak MiB" in page and "<script" not in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["baseline.csv", "baseline.html", "baseline.md"]
    with pytest.raises(TrainError, match="md, csv, html"):
        bench.write(found, tmp_path, "pdf")
    empty = bench.table([], tmp_path)
    assert "No run yet" in bench.markdown(empty) and bench.csv(empty).count("\n") == 1


def test_two_corpora_of_one_name_are_told_apart(posts):
    specs = (posts, DIORAMA, DIORAMA.replace("24", "25"))
    cells = [RunSpec(paper="baseline", corpus=s, task="ner") for s in specs]
    columns = bench.table(cells, "nowhere").columns
    assert len(columns) == 3 and columns[1] == "diorama train=24,dev=8,test=12,translation=false ner"
    assert bench.table(cells[:2], "nowhere").columns[1] == "diorama ner"


# -- sweeps, ceilings, cases


def test_sweeps_are_run_and_drawn(posts, same, tmp_path, monkeypatch):
    def sweeps(recipe):
        text = baseline.ablations(recipe)["text"]
        rates = {str(w): replace(text, training=replace(text.training, warmup_ratio=w)) for w in (0.0, 0.1)}
        return {"warmup": rates, "head": {"crf": text, "softmax": baseline.ablations(recipe)["text softmax"]}}

    monkeypatch.setattr(baseline, "sweeps", sweeps, raising=False)
    cells = bench.grid("baseline", [posts], rows=bench.Rows(sweep=("all",), same=same), task="ner", seeds=(1, 2))
    assert [c.row for c in cells[:4]] == ["warmup=0.0", "warmup=0.1", "head=crf", "head=softmax"]
    with pytest.raises(TrainError, match="none of them run"):
        bench.plot(cells, tmp_path)
    asked = [c for c in cells if c.sweep == "warmup" or c.seed == 1]
    assert [k for k, _ in done(asked, tmp_path)] == ["scored"] * 6
    page = bench.plot(cells, tmp_path).read_text(encoding="utf8")
    assert page.count('class="plot"') == 2 and "head, " in page and "n=2" in page and "n=1" in page
    with pytest.raises(TrainError, match="no sweep"):
        bench.plot([replace(c, sweep="", value="") for c in cells], tmp_path)


def test_a_line_goes_through_the_means_and_its_whiskers():
    from openmie.bench.plots import _line

    line = _line([("0.2", [3.0, 5.0]), ("0.1", [1.0]), ("10", [2.0, 2.0])])
    sd = 2**0.5
    assert line[0] == (0.1, 1.0)
    assert line[1:5] == [(0.2, 4.0), (0.2, pytest.approx(4 - sd)), (0.2, pytest.approx(4 + sd)), (0.2, 4.0)]
    assert line[5][0] == 10.0 and line[-1] == (10.0, 2.0)


def test_ceilings_and_closure_on_the_built_in_corpus():
    from openmie.metrics import Scores

    corpus = corpora.load(DIORAMA)
    low, high = (diorama.ceiling(diorama.Config(), task="ner", sees=s) for s in (("text",), ("text", "image")))
    scores = {"strict": Scores(70, 100, 100, interval=(65.0, 75.0)), "shuffled images": Scores(50, 100, 100)}
    found = ceilings.against_ceilings(corpus, "ner", scores)
    assert found["ceilings"]["ner"]["argmax"] == {"text": low, "text and image": high}
    assert found["ceilings"]["ner"]["optimal"]["text"] > low
    assert found["closures"]["strict"]["closure"] == pytest.approx((70 - low) / (high - low))
    assert found["closures"]["strict"]["interval"] == [pytest.approx((x - low) / (high - low)) for x in (65, 75)]
    assert found["closures"]["shuffled images"]["interval"] is None
    joint = ceilings.against_ceilings(corpus, "joint", {"pairs": scores["strict"], "entities": scores["strict"]})
    assert set(joint["ceilings"]) == {"joint", "ner"} and set(joint["closures"]) == {"pairs", "entities"}
    paired = corpora.load("diorama:paired=true")  # the ceiling of entities is that of all posts, not of these
    assert set(
        ceilings.against_ceilings(paired, "joint", {"pairs": scores["strict"], "entities": scores["strict"]})[
            "closures"
        ]
    ) == {"pairs"}
    alone = corpora.load("diorama:two_names=0")
    assert ceilings.against_ceilings(alone, "re", {"relations": scores["strict"]}) == {"ceilings": {}, "closures": {}}
    told = corpora.load("diorama:ambiguous=0")
    assert ceilings.against_ceilings(told, "ner", scores)["closures"] == {}
    assert ceilings.against_ceilings(small.CORPUS, "ner", scores) == {}


def test_cases_are_the_documents_on_which_two_runs_differ(grid_of_four):
    out, cells = grid_of_four
    a, b = cells[0], cells[1]
    gold = list(corpora.load(a.corpus).test)
    wrong = {0: "a", 1: "b", 2: "ab", 3: "a and b, each its own way"}  # what each run gets wrong, by document

    def predicted(side):
        for i, g in enumerate(gold):
            kept = g.mentions
            if i == 3:
                kept = kept[:1] if side == "a" else kept[:2]
            elif side in wrong.get(i, ""):
                kept = kept[1:]
            yield g.replace(mentions=kept, relations=())

    kept = [c.predictions(out).read_bytes() for c in (a, b)]
    try:
        for side, cell in zip("ab", (a, b)):
            corpora.write(predicted(side), cell.predictions(out), "jsonl")
        found = bench.cases(out, a.name, str(b.folder(out)))
        assert found.counts == {
            "only A right": 1,
            "only B right": 1,
            "both wrong, each its own way": 1,
            "the same in both": 5,
        }
        lines = [json.loads(line) for line in found.lines.read_text(encoding="utf8").splitlines()]
        assert [line["id"] for line in lines] == [gold[i].id for i in (1, 0, 3)]
        assert lines[0]["A"]["right"] and not lines[0]["B"]["right"] and len(lines[2]["A"]["found"]) == 1
        assert lines[0]["A"]["run"] == "text, seed 1" and len(lines[0]["gold"]) == 3
        page = found.page.read_text(encoding="utf8")
        assert page.count("<article") == 6 and "text softmax" in page and "Side by side" in page
    finally:
        for cell, text in zip((a, b), kept):
            cell.predictions(out).write_bytes(text)
    with pytest.raises(TrainError, match="0 runs of the name"):
        bench.cases(out, a.name, "nothing")
    with pytest.raises(TrainError, match="runs of the name 'baseline--text'"):
        bench.cases(out, "baseline--text", b.name)


def test_a_run_on_the_built_in_corpus_has_it_all(tmp_path):
    rows = bench.Rows(same={"changes": ("training.epochs=1", "training.batch_size=8"), "shuffle": True})
    cell = bench.grid("baseline", [DIORAMA], rows=rows)[0]
    record = work.execute(cell, tmp_path)
    assert set(record["scores"]) == {"strict", "lenient", "shuffled images"} and record["documents"] == 12
    assert set(record["closures"]) == set(record["scores"]) and record["ceilings"]["ner"]["argmax"]["text"] > 50
    assert "closure" in bench.markdown(bench.table([cell], tmp_path))
    same = bench.cases(tmp_path, cell.name, cell.name)
    assert same.counts["the same in both"] == 12


def test_shuffled_images_come_from_half_a_corpus_further_on():
    asked = []

    class Model:
        class recipe:
            task, heads, symmetric_labels = "ner", (), frozenset()

            class training:
                span_edges = "expand"

            class encode:
                class inputs:
                    context = "*"

        def predict(self, documents):
            asked.append(documents)
            return documents

    gold = small.documents(6)
    found = work._shuffled(Model(), gold, small.CORPUS)
    assert list(found) == ["shuffled images", "shuffled images and captions"] and found["shuffled images"].f1 == 100
    for i, (one, both) in enumerate(zip(*asked)):
        other = gold[(i + 3) % 6]
        assert one.images == both.images == other.images and one.text == both.text == gold[i].text
        assert one.captions == gold[i].captions and both.captions == other.captions


# -- flavours, and what counts as changed


def test_a_flavour_is_in_name_record_and_table(posts, grid_of_four):
    out, cells = grid_of_four
    assert cells[0].record(out)["flavour"] == cells[0].record(out)["cell"]["flavour"] == "small"
    rows = bench.Rows(ablate=("text",), same={"flavour": "pretrained"})
    (other,) = bench.grid("baseline", [posts], rows=rows, task="ner")
    assert other.recipe(corpora.load(posts)).encode.text.name == "minilm"
    assert other.name.startswith("baseline-pretrained--text--") and other.name != replace(other, flavour="small").name
    found = bench.table([*cells, other], out)
    assert found.title == "baseline, small, baseline, pretrained" and "text [pretrained]" in found.rows
    lines = list(csv.DictReader(io.StringIO(bench.csv(found))))
    assert {line["flavour"] for line in lines} == {"small", "pretrained"}
    with pytest.raises(OpenMIEError, match="paper"):
        bench.grid("baseline", [posts], rows=bench.Rows(same={"flavour": "paper"}))
