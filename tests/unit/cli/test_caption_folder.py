"""`caption --out FOLDER` and `objects --out FOLDER`: a file a split, under the guarantees of `extract --out FOLDER`."""

import json
import shutil
import sys
from collections import Counter

import pytest
from PIL import Image as Picture

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Document, Image, Mention
from openmie.data.folder_lock import hold_folder
from openmie.errors import ErrorRecord
from openmie.vlm import backends
from openmie.vlm.backends import endpoint
from tests.fixtures.chat_server import ChatServer, refused
from tests.fixtures.chat_server import said as answered
from tests.fixtures.vlm_stub import Stub, key, pixels
from tests.unit.cli.test_extract_folder import files, interrupt, kill, killed, small_disk

SPLITS = {"train": range(24), "dev": (), "test": range(24, 33)}  # documents; two share a picture
PICTURES = 17


class Camera(Stub):
    """Before it answers request `number`, `stop(number)` may stop the process; pictures in `lost` have no answer."""

    def __init__(self, log):
        super().__init__(log)
        self.stop, self.lost = lambda number: None, set()

    def answers(self, requests):
        for request in requests:
            self.stop(len(self.asked))
            for answer in super().answers([request]):
                gone = self.asked[-1] in self.lost
                yield ErrorRecord(found="no connection", remedy=endpoint._RUN_AGAIN) if gone else answer

    def paid(self):
        return Counter(self.log.read_text(encoding="utf8").split())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")
    monkeypatch.setenv("OPENMIE_ANSWERS", str(tmp_path / "answers"))
    monkeypatch.chdir(tmp_path)
    for folder in ("corpus", "corpus/pictures"):
        (tmp_path / folder).mkdir()
    for number in range(PICTURES):
        Picture.fromarray(pixels(number)).save(tmp_path / "corpus" / "pictures" / f"{number}.png")
    for split, numbers in SPLITS.items():
        pictures = {i: (Image(id="main", path=f"corpus/pictures/{i // 2}.png"),) for i in numbers}
        posts = [Document(id=f"d{i}", text=f"text {i}", images=pictures[i]) for i in numbers]
        corpora.write(posts, tmp_path / "corpus" / f"{split}.jsonl")
    return tmp_path


@pytest.fixture
def camera(here, monkeypatch):
    made = Camera(here / "paid.log")
    made.log.touch()
    monkeypatch.setattr(backends, "connect", lambda *_, **__: made)
    return made


@pytest.fixture
def caption(here, monkeypatch, capfd):
    def run(*arguments, model="m"):
        told = ["caption", "jsonl:corpus", "--model", model, *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", ["openmie", *told])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        return ended.value.code or 0, errors

    return run


def begin_anew(here, camera):
    """Nothing was ever asked."""
    camera.log.write_bytes(b"")
    camera.asked = []
    (here / "answers").unlink(missing_ok=True)


def test_a_picture_is_paid_for_once_whatever_stops_the_job(caption, camera, here):
    assert caption("--out", "whole")[0] == 0 and len(camera.asked) == PICTURES
    whole = files(here / "whole")
    assert set(whole) == {"manifest.json", *(f"{split}.jsonl" for split in SPLITS)} and whole["dev.jsonl"] == b""
    found = corpora.load("jsonl:whole?images=corpus/pictures")
    assert [len(list(found.split(s))) for s in SPLITS] == [24, 0, 9] and all(d.captions["stub"] for d in found.test)
    begin_anew(here, camera)
    for stop in (interrupt(0), interrupt(5), interrupt(9)):  # the last in the second split
        camera.stop, camera.asked = stop, []
        code, errors = caption("--out", "found")
        assert code == 130 and "Interrupted" in errors
    assert "27 posts are finished and kept in found. To go on, run: openmie caption jsonl:corpus" in errors
    for at in (0, 1):
        camera.stop, camera.asked = kill(at), []
        killed(lambda: caption("--out", "found"))
    camera.stop = lambda number: None
    code, errors = caption("--out", "found")
    assert code == 0 and "33 captions 'stub' in 33 documents, 0 failed: jsonl:found" in errors
    assert files(here / "found") == whole and set(camera.paid().values()) == {1} and len(camera.paid()) == PICTURES
    camera.asked = []
    assert caption("--out", "found")[0] == 0 and caption("--out", "found", "--restart")[0] == 0 and not camera.asked
    assert files(here / "found") == whole


def test_without_a_store_rows_are_kept_all_the_same_and_only_what_failed_is_asked_again(caption, camera, here):
    """Before, all documents after the first failed one were captioned again."""
    bare = ("--cache", "none", "--out")
    assert caption(*bare, "whole")[0] == 0
    begin_anew(here, camera)
    camera.lost, camera.stop = {key(2), key(13)}, interrupt(8)
    assert caption(*bare, "found")[0] == 130 and len(camera.asked) == 8
    camera.asked, camera.stop = [], lambda number: None
    code, errors = caption(*bare, "found")
    assert code == 3 and "4 posts could not be asked about. To ask again, run: openmie caption" in errors
    assert Counter(camera.asked) == Counter(map(key, [2, 7, *range(8, PICTURES)]))  # d15, of picture 7, was not read
    camera.asked, camera.lost = [], {key(13)}
    assert caption(*bare, "found")[0] == 3 and camera.asked == [key(2), key(13)]
    camera.asked, camera.lost = [], set()
    assert caption(*bare, "found")[0] == 0 and camera.asked == [key(13)]
    assert files(here / "found") == files(here / "whole")


def test_a_full_disk_costs_no_row(caption, camera, here):
    assert caption("--out", "whole")[0] == 0
    begin_anew(here, camera)
    for size in (2000, 4000):
        with small_disk(size):
            code, errors = caption("--cache", "none", "--out", "found")
        assert code == 2 and "file too large" in errors and "To go on, run: openmie caption" in errors
    assert " 0 posts are finished" not in errors
    assert caption("--cache", "none", "--out", "found")[0] == 0
    assert files(here / "found") == files(here / "whole")
    assert sum(camera.paid().values()) <= PICTURES + 4  # at each stop, the row that did not fit and the next


def test_a_moved_server_is_asked_nothing_and_a_lost_one_ends_the_job(caption, here, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    more = ("--out", "found", "--max-failures", 2, "--retries", 0, "--concurrency", 1, "--endpoint")
    with ChatServer(lambda n, p: answered("a square") if n < 6 else refused(500)) as server:
        code, errors = caption(*more, server.url)
        assert code == 2 and "12 posts are finished and kept in found. To go on, run: openmie caption" in errors
        server.reply = lambda n, p: answered("a square")
        before = len(server.prompts)
        assert caption(*more, server.url)[0] == 0 and len(server.prompts) - before == PICTURES - 6
        moved = server.url.replace("127.0.0.1", "localhost")
        assert caption(*more, moved)[0] == 0
        shutil.rmtree(here / "found")
        assert caption(*more, moved)[0] == 0 and len(server.prompts) - before == PICTURES - 6
    runs = json.loads((here / "found" / "summary.json").read_text(encoding="utf8"))["runs"]
    assert [(run["requests"], run["known"]) for run in runs] == [(0, PICTURES)]


def test_another_job_is_refused_and_nothing_is_lost(caption, camera, here):
    assert caption("--out", "found")[0] == 0
    before, posts = files(here / "found"), (here / "corpus" / "test.jsonl").read_bytes()
    for more, told in (
        (("--prompt", "summary"), "--prompt Summarise what this picture shows"),
        (("--max-side", 100), "--max-side 100, where it was begun with 2016"),
        (("--split", "test"), '--split ["test"], where it was begun with none'),
        (("--replace",), "--replace true"),
    ):
        code, errors = caption("--out", "found", *more)
        assert code == 2 and told in errors and "--restart" in errors
    added = Document(id="d99", text="new").to_json().encode() + b"\n"
    for changed, told in (
        (posts + added, "more posts of test.jsonl than the 9"),
        (posts.splitlines(keepends=True)[0], "1 posts of test.jsonl, and rows of 9"),
        (posts.replace(b"text 30", b"text 31"), "other posts in test.jsonl"),
    ):
        (here / "corpus" / "test.jsonl").write_bytes(changed)
        code, errors = caption("--out", "found")
        assert code == 2 and told in errors
    (here / "corpus" / "test.jsonl").write_bytes(posts)
    with hold_folder("found"):
        assert "another process is at it" in caption("--out", "found")[1]
    assert files(here / "found") == before and caption("--out", "found")[0] == 0
    (here / "found" / "test.jsonl").write_bytes(b"")
    assert "test.jsonl has other contents" in caption("--out", "found")[1]
    assert caption("--out", "found", "--restart")[0] == 0 and files(here / "found") == before
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_bytes(b"x")
    assert "something is there already (thesis.tex)" in caption("--out", "mine")[1]
    assert [p.name for p in (here / "mine").iterdir()] == ["thesis.tex"]


def test_gold_of_a_document_is_part_of_it(caption, camera, here):
    """A corpus whose annotation was corrected is another one: a folder with both would be neither."""
    camera.stop = interrupt(3)
    assert caption("--out", "found")[0] == 130
    posts = list(corpora.read("corpus/train.jsonl"))
    posts[1] = posts[1].replace(mentions=(Mention(id="m", start=0, end=4, label="X"),))
    corpora.write(posts, "corpus/train.jsonl")
    code, errors = caption("--out", "found")
    assert code == 2 and "another post at place 2 of train.jsonl" in errors
