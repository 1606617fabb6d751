"""`openmie caption-review`: out for review, back, and counted at once where the truth is known."""

from __future__ import annotations

import csv
import re

import pytest
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.diorama import Config, check_caption, generate, save
from openmie.errors import CorpusError


def run(*arguments):
    result = CliRunner().invoke(cli.app, ["caption-review", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def cells(stdout, name):
    """The cells of the row of this name."""
    line = next(x for x in stdout.splitlines() if re.match(rf"│ {re.escape(name)} +│", x))
    return [cell.strip() for cell in line.strip("│").split("│")]


@pytest.fixture
def corpus(tmp_path):
    """A folder with train and test of a few captioned posts."""

    def post(split, i):
        return Document(
            id=f"{split}{i}",
            text=f"post {i}",
            images=(Image(id=f"{split}{i // 2}.jpg"),),
            captions={"blip": f"picture number {i // 2}", **({"owl": f"picture number {i} , seen well"} if i else {})},
        )

    for split in ("train", "test"):
        corpora.write([post(split, i) for i in range(6)], tmp_path / f"{split}.jsonl")
    return f"jsonl:{tmp_path}"


def judge(path, **verdicts):
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    for row in table:
        row["correct"], row["corrected"] = verdicts.get(row["document"], ("", ""))
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(table[0]))
        out.writeheader()
        out.writerows(table)
    return table


def test_diorama_is_judged_by_what_was_drawn():
    stdout, _ = run("diorama:test=60,seed=2,size=48")
    found = list(generate(Config(seed=2, size=48), "test", 60, pixels=False))
    for name in ("noisy", "true"):
        said = [check_caption(d, name) for d in found]
        words = [len(d.captions[name].split()) for d in found]
        share, _, length, left, number, without = cells(stdout, name)[1:]
        assert float(share) == pytest.approx(100 * sum(v.correct for v in said) / 60, abs=0.005)
        assert float(length) == pytest.approx(sum(words) / 60, abs=0.005)
        assert float(left) == pytest.approx(100 * sum(not v.complete for v in said) / 60, abs=0.005)
        assert (number, without) == ("60", "0")
    stdout, _ = run("diorama:test=40,hallucinated=0,size=48,missing_image=0.5", "--source", "noisy")
    row = cells(stdout, "noisy")
    assert row[1] == "100.00" and row[2].endswith("100.0") and "true" not in stdout
    assert int(row[5]) + int(row[6]) == 40 and int(row[6]) > 5
    assert cells(run("diorama:dev=7,size=48", "--split", "dev")[0], "true")[5] == "7"


def test_a_saved_diorama_is_judged_too_and_better_captions_are_left_to_a_reader(tmp_path):
    save(generate(Config(size=48), "test", 12), tmp_path / "posts")
    (tmp_path / "posts" / "documents.jsonl").rename(tmp_path / "posts" / "test.jsonl")
    corpus = f"jsonl:{tmp_path / 'posts'}"
    assert cells(run(corpus)[0], "true")[1] == "100.00"
    run(corpus, "--source", "noisy", "--out", tmp_path / "r.csv")
    table = judge(tmp_path / "r.csv", **{f"diorama-test-{i:06d}": ("no", "People at a fair.") for i in range(3)})
    assert len(table) == 12 and all(row["image"].endswith("-main.png") for row in table)
    run(corpus, "--read", tmp_path / "r.csv", "--out", tmp_path / "new", "--name", "mine")
    row = cells(run(f"jsonl:{tmp_path / 'new'}?images={tmp_path / 'posts'}")[0], "mine")
    assert row[5] == "12" and row[1] != ""


def test_another_corpus_is_counted_and_told_how_to_judge(corpus):
    stdout, stderr = run(corpus)
    assert cells(stdout, "blip") == ["blip", "3.00", "3", "0"]  # a picture of two posts counts once
    assert cells(stdout, "owl") == ["owl", "6.00", "5", "1"]
    assert "CapAcc" not in stdout and "--out review.csv" in stderr and "--read review.csv" in stderr
    with pytest.raises(CorpusError, match=r"no caption 'x'.*'blip', 'owl'"):
        run(corpus, "--source", "x")


def test_out_and_back(corpus, tmp_path):
    path = tmp_path / "review.csv"
    _, stderr = run(corpus, "--source", "blip", "--out", path)
    assert "3 captions" in stderr and f"--read {path}" in stderr
    judge(path, test0=("yes", ""), test2=("NO", "two dogs"))
    stdout, _ = run(corpus, "--read", path)
    assert cells(stdout, "blip") == ["blip", "50.00", "9.5 to 90.5", "3.00", "2", "1"]
    stdout, stderr = run(corpus, "--read", path, "--out", tmp_path / "new")
    assert "blip (corrected)" in stderr
    new = {d.id: d for s in ("train", "test") for d in corpora.load(f"jsonl:{tmp_path / 'new'}").split(s)}
    old = {d.id: d for s in ("train", "test") for d in corpora.load(corpus).split(s)}
    assert list(new) == list(old)
    for id, d in new.items():
        assert d.replace(captions={k: v for k, v in d.captions.items() if k != "blip (corrected)"}) == old[id]
        same = old[id].captions["blip"]
        assert d.captions["blip (corrected)"] == ("two dogs" if id in ("test2", "test3") else same)
    with pytest.raises(CorpusError, match="there already"):
        run(corpus, "--read", path, "--out", tmp_path / "new")


def test_corrections_of_posts_with_pixels_in_memory_are_written(tmp_path):
    """Pixels are no file and are not written; the command says so and does not stop."""
    spec = "diorama:train=2,dev=2,test=4,size=48"
    run(spec, "--source", "noisy", "--out", tmp_path / "review.csv")
    first = next(iter(judge(tmp_path / "review.csv", **{"diorama-test-000000": ("no", "a better one")})))
    run(spec, "--read", tmp_path / "review.csv", "--out", tmp_path / "out")
    whole = list(corpora.load(f"jsonl:{tmp_path / 'out'}").test)
    assert len(whole) == 4 and whole[0].captions["noisy (corrected)"] == "a better one"
    assert whole[0].captions["noisy"] == first["caption"]


def test_samples_and_several_generators(corpus, tmp_path):
    path = tmp_path / "review.csv"
    assert "4 captions" in run(corpus, "--out", path, "--sample", 2, "--seed", 1)[1]
    table = judge(path)
    assert {r["generator"] for r in table} == {"blip", "owl"}
    judge(path, **{r["document"]: ("x", "") for r in table})
    stdout, _ = run(corpus, "--read", path)
    assert cells(stdout, "blip")[1] == cells(stdout, "owl")[1] == "100.00"
    assert "blip" not in run(corpus, "--read", path, "--source", "owl")[0]


def test_what_is_wrong_is_said(corpus, tmp_path):
    path = tmp_path / "review.csv"
    run(corpus, "--out", path, "--split", "train")
    with pytest.raises(CorpusError, match=r"judged documents that are not there: train0.*split"):
        run(corpus, "--read", path)
    assert not (tmp_path / "new").exists()
    with pytest.raises(CorpusError, match="not there"):
        run(corpus, "--read", path, "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    for wrong in (("--sample", 3), ("--sample", 3, "--read", path), ("--name", "x"), ("--name", "x", "--out", path)):
        with pytest.raises(CorpusError, match=wrong[0]):
            run(corpus, *wrong)
    with pytest.raises(CorpusError, match="no judgements"):
        run(corpus, "--read", path, "--source", "none")
    with pytest.raises(CorpusError, match="one name 'x'"):
        run(corpus, "--read", path, "--split", "train", "--name", "x")
    bare = tmp_path / "bare"
    bare.mkdir()
    corpora.write([Document(id="d", text="t")], bare / "test.jsonl")
    with pytest.raises(CorpusError, match=r"no captions.*captions=NAME"):
        run(f"jsonl:{bare}")


@pytest.mark.real
def test_the_published_captions_are_as_long_as_the_paper_says(request):
    """Table 2 of CAMIM, cut to whole numbers, each picture of the test set counted once."""
    paper = {"BLIP": 9, "instruct": 11, "llavanext": 19, "caption": 28, "cogvlm": 49, "minicpm": 67}
    stdout, _ = run(f"mnre:{request.getfixturevalue('corpora')}/mnre?captions={','.join(paper)}")
    for name, length in paper.items():
        _, found, number, without = cells(stdout, name)
        assert int(float(found)) == length and int(number) in (913, 914) and without == ("1" if name == "BLIP" else "0")
