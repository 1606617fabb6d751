"""Progress: how many of how many, how fast, time left, failures; the last line; nothing where there is no terminal."""

import io
import sys
from types import SimpleNamespace

import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from openmie.base import loading
from openmie.cli import application as cli
from openmie.cli import base_options, progress
from openmie.data.document import Document, Mention
from openmie.errors import ErrorRecord
from tests.fixtures.base_stub import stub_base

GOOD = Document(id="a", text="Ada", mentions=(Mention(id="m", start=0, end=3),))
BAD = Document(id="b", errors=(ErrorRecord(found="no such file"), ErrorRecord(found="cut", note=True)))


@pytest.fixture
def base(monkeypatch):
    monkeypatch.setattr(loading, "shipped", stub_base)


def run(*words):
    return CliRunner().invoke(cli.app, [str(w) for w in words])


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_what_stands_beside_the_bar():
    counts = progress.PostCounts(posts=120, mentions=7, failed=3)
    assert progress.progress_text(counts, 2000, 30.0) == "120/2,000, 4 posts/s, 7:50 left, 3 failed"
    assert progress.progress_text(progress.PostCounts(posts=2000), 2000, 30.0) == "2,000/2,000, 66.7 posts/s"
    assert progress.progress_text(progress.PostCounts(posts=5), None, 10.0) == "5, 0.5 posts/s"
    assert progress.progress_text(progress.PostCounts(), 7, 0.0) == "0/7, 0 posts/s"
    assert [progress.clock(s) for s in (7, 750.4, 3723)] == ["0:07", "12:30", "1:02:03"]


def test_a_bar_on_a_terminal(monkeypatch):
    screen, counts = Screen(), progress.PostCounts()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "160")
    assert list(progress.watched([GOOD, BAD, GOOD], "extracting", counts, lambda: 3)) == [GOOD, BAD, GOOD]
    assert "extracting" in screen.getvalue() and "3/3" in screen.getvalue() and "1 failed" in screen.getvalue()
    assert (counts.posts, counts.mentions, counts.failed, counts.records) == (3, 2, 1, [str(BAD.errors[0])])


def test_nothing_where_there_is_no_terminal(monkeypatch):
    """And the number of posts is not asked for."""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    assert list(progress.watched([GOOD], "extracting", progress.PostCounts(), lambda: 1 // 0)) == [GOOD]
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    "name, data, count",
    [
        ("a.jsonl", b'{"text":"x"}\n' * 5, 5),
        ("a.jsonl", b'{"text":"x"}\n{"text":"y"}', 2),
        ("a.csv", b"text\nx\ny\n", 2),
        ("a.txt", b"", 0),
        ("a.json", b"[]", None),
        ("a.parquet", b"broken", None),
    ],
)
def test_posts_are_counted_without_being_read(name, data, count, tmp_path):
    (tmp_path / name).write_bytes(data)
    assert progress.count_file(str(tmp_path / name)) == count


def test_rows_of_parquet_are_counted_by_its_footer(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["x"] * 7}), tmp_path / "a.parquet")
    assert progress.count_file(str(tmp_path / "a.parquet")) == 7
    assert progress.count_file(str(tmp_path / "none.jsonl")) is None is progress.count_file("-")


def test_extract_ends_with_a_line(base, tmp_path):
    """Posts, mentions, failures and where; without --out, where the output is piped, there is none."""
    (tmp_path / "a.jsonl").write_text('{"text": "Ada Lovelace in Turin"}\nno json\n')
    said = run("extract", tmp_path / "a.jsonl", "--out", tmp_path / "b.jsonl")
    assert said.exit_code == cli.PARTIAL
    assert said.stderr.splitlines()[-1] == f"2 posts, 2 mentions, 1 failed, in {tmp_path / 'b.jsonl'}"
    assert "failed, in" not in run("extract", tmp_path / "a.jsonl").stderr


@pytest.mark.parametrize("reads", [True, False])
def test_photographs_that_no_model_reads_are_told(reads, tmp_path, monkeypatch):
    model = SimpleNamespace(predict=list, identity=lambda: {"name": "m"}, reads_images=reads)
    monkeypatch.setattr(base_options, "load_models", lambda *_, **__: [model])
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "a.jsonl").write_text('{"text": "Ada", "image": "a.png"}\n{"text": "Bo"}\n')
    said = run("extract", tmp_path / "a.jsonl", "--out", tmp_path / "b.jsonl").stderr
    assert ("1 post with images, which this model does not read" in said) is not reads


def test_notes_are_counted_and_the_first_are_told(capsys):
    from openmie.cli import console
    from openmie.cli.progress import PostCounts
    from openmie.data.document import Document
    from openmie.errors import ErrorRecord

    note, error = ErrorRecord(found="a long text", note=True), ErrorRecord(found="no image")
    counts = PostCounts()
    for errors in ((), (note,), (note, error), (note, note), (note,)):
        counts.count(Document(id="d", text="x", errors=errors))
    assert counts.line("found") == "5 posts, 0 mentions, 1 failed, 3 with notes, in found"
    console.say_notes(counts)
    told = capsys.readouterr().err
    assert told.count("note: Found a long text") == 3 and "3 documents with notes" in told
    assert PostCounts(posts=2).line("-") == "2 posts, 0 mentions, 0 failed, in -"


def test_a_folder_counts_notes_of_all_its_rows(tmp_path, monkeypatch):
    from openmie.data.document import Document
    from openmie.errors import ErrorRecord
    from openmie.formats import sharded_output

    monkeypatch.setattr(sharded_output, "SHARD_POSTS", 2)
    note, error = ErrorRecord(found="a long text", note=True), ErrorRecord(found="no image")
    posts = [Document(id=str(i), text="x", errors=e) for i, e in enumerate([(note,), (note, error), (), (note,)])]
    for count in (3, 4):  # the second process takes over what the first finished
        with sharded_output.open_output_folder(tmp_path, {}) as rows:
            for document in rows.pending(posts[:count]):
                rows.add(document)
            if count == 4:
                rows.finish()
            assert (rows.totals.posts, rows.totals.failed, rows.totals.noted) == (count, 1, count - 2)
    with sharded_output.open_output_folder(tmp_path, {}) as rows:
        assert (rows.totals.posts, rows.totals.failed, rows.totals.noted) == (4, 1, 2)
