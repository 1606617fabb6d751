"""The figures of a paper, drawn from records of runs; cases of several systems side by side."""

import hashlib
import json
from dataclasses import replace

import pytest

from openmie import bench, corpora
from openmie import recipe as recipes
from openmie.bench.plots import printed_figures
from openmie.bench.run_spec import RunSpec
from openmie.errors import TrainError
from openmie.papers import camim, m3d, mgips_cl, shap_ca
from tests.fixtures import small

CLIPS = "diorama:documents=true,train=4,dev=2,test=2"


def record(cell, out, scores, task="document"):
    """A run's record with these F1, as the bench writes it."""
    path = cell.result(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "cell": cell.dump(),
        "task": task,
        "metric": next(iter(scores)),
        "scores": {name: {"f1": f1} for name, f1 in scores.items()},
        "dev": {"f1": 50.0, "epoch": 0},
        "recipe": recipes.dump(cell.recipe(corpora.load(cell.corpus))),
        "date": "2026-11-30",
    }
    path.write_text(json.dumps(found), encoding="utf8")


@pytest.mark.parametrize("page", [shap_ca, mgips_cl, camim, m3d])
def test_every_figure_is_over_sweeps_of_the_page(page):
    name = page.__name__.rpartition(".")[2]
    swept = page.sweeps(page.recipe(flavour="paper"))
    for figure in printed_figures(name).values():
        assert {figure.over, *figure.compared} <= {*swept}


def test_m3d_over_the_missing_ratio_has_a_line_with_and_without_mmcm_and_a_drawing_a_task(tmp_path):
    """Figure 9, both languages."""
    specs = [CLIPS, f"{CLIPS},language=zh"]
    sweeps = ("missing=0,0.4", "missing, w/o MMCM=0,0.4")
    cells = bench.grid("m3d", specs, rows=bench.Rows(sweep=sweeps))
    for cell in cells:
        record(cell, tmp_path, {"document": 40.0, "entities": 80.0 - 10 * ("w/o" in cell.sweep), "chains": 30.0})
    text = bench.plot(cells, tmp_path).read_text(encoding="utf8")
    assert text.count('class="plot"') == 4  # three scores on test, one on dev
    assert "figure 9, missing: test F1 of entities" in text
    assert text.count("<polyline class=") == 4 * 4  # lines of each drawing: two languages, with and without
    assert ", w/o MMCM</bdi> <b>70</b>" in text and "</bdi> <b>80</b>" in text


def test_shap_ca_has_pairs_and_entities_over_alpha_and_beta(tmp_path):
    spec = "diorama:paired=true,train=4,dev=2,test=2"
    cells = bench.grid("shap_ca", [spec], rows=bench.Rows(sweep=("alpha=0,0.2", "beta=0,0.4")), task="joint")
    for i, cell in enumerate(cells):
        record(cell, tmp_path, {"pairs": 30.0 + i, "entities": 60.0 + i}, "joint")
    text = bench.plot(cells, tmp_path).read_text(encoding="utf8")
    for over in ("alpha", "beta"):
        for score in ("pairs", "entities"):
            assert f"figure 3, {over}: test F1 of {score}" in text
    only = bench.plot(cells, tmp_path, "entities").read_text(encoding="utf8")
    assert "test F1 of entities" in only and "of pairs" not in only


def test_camim_has_bars_for_each_corpus_and_a_line_over_alpha(tmp_path):
    specs = [f"diorama:paired=true,train={n},dev=2,test=2" for n in (4, 5)]
    cells = bench.grid("camim", specs, rows=bench.Rows(sweep=("mi", "levels", "alpha")), task="re")
    for cell in cells:
        record(cell, tmp_path, {"relations": 50.0}, "re")
    text = bench.plot(cells, tmp_path).read_text(encoding="utf8")
    assert all(f"figure 4{x}" in text for x in "abc")
    assert text.count('<figure class="bars"') == 2 * 2 * 2  # mi and levels, of two corpora, on test and dev
    places = [text.index(f"<bdi>{x}</bdi>") for x in ("O&amp;G", "(O+G)&amp;F", "W&amp;S", "S")]
    assert places == sorted(places)  # as the paper has them, not by the alphabet


@pytest.fixture
def three(tmp_path):
    """Runs of three systems on the same documents, and what each of them predicts."""
    docs = [d.replace(images=(), relations=()) for d in small.documents(6)]
    (tmp_path / "data").mkdir()
    for split in ("train", "dev", "test"):
        corpora.write(docs, tmp_path / "data" / f"{split}.jsonl")
    spec = f"jsonl:{tmp_path / 'data'}"
    digest = hashlib.sha256()
    for d in corpora.load(spec).test:
        digest.update(d.to_json().encode("utf8"))
    out, wrong = tmp_path / "out", {"baseline": (0, 1, 2, 4), "shap_ca": (1, 2, 4), "mgips_cl": (2, 4)}
    cells = []
    for paper, ill in wrong.items():
        cell = RunSpec(paper=paper, corpus=spec, task="ner")
        record(cell, out, {"strict": 50.0}, "ner")
        path = cell.result(out)
        more = {"data": digest.hexdigest(), "documents": 6, "test": {"name": spec}}
        path.write_text(json.dumps(json.loads(path.read_text()) | more), encoding="utf8")
        kept = {i: 2 if i == 4 or paper == "baseline" else 1 for i in ill}  # document 4: all alike
        told = [d.replace(mentions=d.mentions[kept[i] :]) if i in ill else d for i, d in enumerate(docs)]
        corpora.write(told, cell.predictions(out), "jsonl")
        cells.append(cell)
    return out, cells


def test_cases_of_three_systems_stand_side_by_side(three):
    out, _ = three
    found = bench.cases(out, "baseline-", "shap_ca", "mgips_cl", paper="baseline")
    assert found.counts == {
        "only C right": 1,
        "B and C right": 1,
        "none right, not alike": 1,
        "the same in all": 3,
    }
    lines = [json.loads(line) for line in found.lines.read_text(encoding="utf8").splitlines()]
    assert [line["id"] for line in lines] == ["d1", "d0", "d2"]
    assert [lines[0][side]["right"] for side in "ABC"] == [False, False, True]
    assert lines[1]["B"]["run"] == "Shap-CA full, seed 1" and "C" in lines[1]
    page = found.page.read_text(encoding="utf8")
    assert page.count("<article") == 9 and "Side by side" in page and "MGIPS-CL" in page and "✓" in page


def test_entities_of_a_joint_system_are_compared_with_those_of_another(three):
    out, cells = three
    path = cells[1].result(out)
    path.write_text(path.read_text().replace('"task": "ner", "metric"', '"task": "joint", "metric"'), encoding="utf8")
    assert bench.cases(out, "baseline-", "shap_ca").counts["only B right"] == 1


def test_cases_need_two_to_eight_runs_of_the_same_documents(three):
    out, cells = three
    for names in ((), ("baseline-",), ("baseline-",) * 9):
        with pytest.raises(TrainError, match=rf"{len(names)} runs to compare.*2 to 8"):
            bench.cases(out, *names)
    other = replace(cells[0], seed=2)
    record(other, out, {"strict": 1.0}, "ner")
    path = other.result(out)
    more = {"data": "x", "documents": 6, "test": {"name": "other"}}
    path.write_text(json.dumps(json.loads(path.read_text()) | more), encoding="utf8")
    corpora.write([], other.predictions(out), "jsonl")
    with pytest.raises(TrainError, match="same test documents"):
        bench.cases(out, "shap_ca", "mgips_cl", other.name)
