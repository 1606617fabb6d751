"""From captions to training, each step by the corpus name that the last one printed, with images in other folders."""

import csv
import json
import re

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import CorpusError
from openmie.formats.image_folders import ImageFolders
from openmie.vlm.sft import recipe as sft
from openmie.vlm.sft.image_check import broken_image
from tests.fixtures.prompted_server import chat_server


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert not result.exit_code, result.stderr
    return result


def printed(result):
    """The corpus that a command names at its end."""
    return re.findall(r"jsonl:\S+", result.stderr)[-1]


@pytest.fixture
def posts(tmp_path, monkeypatch):
    """Ten posts in data/, their pictures in two folders elsewhere, one below a name with a blank."""
    monkeypatch.chdir(tmp_path)
    made = []
    for n in range(10):
        folder = tmp_path / ("pictures/of may" if n % 2 else "scans")
        folder.mkdir(parents=True, exist_ok=True)
        Picture.new("RGB", (40, 30), (n * 20, 50, 90)).save(folder / f"{n}.png")
        regions = [Region(image="main", box=(2, 2, 20, 20), label="PER", of="m")]
        image = Image(path=str(folder / f"{n}.png"), id="main")
        mention = Mention(id="m", start=0, end=3, label="PER")
        made.append(Document(id=f"p{n}", text="Ada waves", mentions=[mention], images=[image], regions=regions))
    (tmp_path / "data").mkdir()
    corpora.write(made, tmp_path / "data" / "train.jsonl")
    return made


def test_each_step_takes_what_the_one_before_named(posts, tmp_path, monkeypatch):
    with chat_server(lambda prompt: "A person waves.") as server:
        named = printed(run("caption", "jsonl:data", "--image-dir", tmp_path, "--model", "m", "--endpoint", server.url,
                            "--prompt", "summary", "--name", "s", "--out", "out/captioned"))  # fmt: skip
        assert len(server.bodies) == 10
    assert named.startswith("jsonl:out/captioned?images=")
    run("caption-review", named, "--split", "train", "--out", "review.csv")
    with open("review.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {"correct": "no", "corrected": "Ada waves."}
    with open("review.csv", "w", encoding="utf8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows([{**row, "correct": row["correct"] or "yes"} for row in rows])
    named = printed(run("caption-review", named, "--split", "train", "--read", "review.csv", "--out", "better"))
    run("mmre", named, "--summary", "s (corrected)", "--llava", "exported")
    assert len(json.loads((tmp_path / "exported/train.json").read_text(encoding="utf8"))) == 7
    made = printed(run("mmre", named, "--summary", "s (corrected)", "--out", "made"))
    for document in corpora.load(made).split("train"):
        assert not document.errors and broken_image(document, document.images) is None and document.summary

    learnt = []
    done = {"best": None, "skipped": {"count": 0, "records": []}}
    monkeypatch.setattr(sft, "fit_sft", lambda recipe, train, *_, **__: learnt.extend(train) or done)
    run("train", "pfa", "--corpus", named, "--option", "summary=s (corrected)", "--out", "runs/pfa")
    assert len(learnt) == 10 and not any(broken_image(d, d.images) for d in learnt) and all(d.summary for d in learnt)
    for command in (["mmre", named, "--summary", "WRONG"],
                    ["train", "pfa", "--corpus", named, "--option", "summary=WRONG", "--out", "runs/w"]):  # fmt: skip
        with pytest.raises(CorpusError, match=r"'WRONG'.*s, s \(corrected\)"):
            run(*command)
    bare = named.partition("?")[0]
    assert printed(run("mmre", bare, "--image-dir", tmp_path, "--summary", "s", "--out", "again"))


@pytest.mark.parametrize(("paths", "spec"), [
    (["out/a.png"], "jsonl:out"),
    (["pics/a.png", "pics/b/c.png"], "jsonl:out?images=pics"),
    (["pics/a.png", "scans/b.png"], "jsonl:out?images=."),
    (["my pics/a.png"], "'jsonl:out?images=my pics'"),
    (["pics#1/a.png"], "jsonl:out --image-dir pics#1"),
    ([""], "jsonl:out"),
])  # fmt: skip
def test_the_folder_of_images_that_a_reader_needs(tmp_path, monkeypatch, paths, spec):
    monkeypatch.chdir(tmp_path)
    found = ImageFolders("out")
    for path in paths:
        found.add(Document(id="a", images=[Image(path=path)]))
    assert found.corpus("jsonl:out") == spec
    beside = ImageFolders("out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.png").write_bytes(b"")
    beside.add(Document(id="a", images=[Image(path="x.png")]))  # as a row that was read back has it
    assert beside.corpus("jsonl:out") == "jsonl:out"
