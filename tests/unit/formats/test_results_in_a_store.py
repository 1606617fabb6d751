"""Results in an object store, by fsspec's store in memory: it holds what a folder of this machine would hold."""

import json

import pytest

fsspec = pytest.importorskip("fsspec", reason="the extra ray is not installed: pip install '.[ray]'")

from openmie.cli.costs import JobCosts  # noqa: E402
from openmie.data.document import Document  # noqa: E402
from openmie.errors import CorpusError, OpenMIEError  # noqa: E402
from openmie.formats import sharded_output  # noqa: E402
from openmie.formats.sharded_output import open_output_folder  # noqa: E402
from openmie.vlm.usage import JobUsage  # noqa: E402

URL = "memory://bucket/found"


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sharded_output, "SHARD_POSTS", 4)
    system = fsspec.filesystem("memory")
    yield system
    if system.exists("/bucket"):
        system.rm("/bucket", recursive=True)


def posts(n):
    return [Document(id=f"d{i}", text=f"Ada {i}") for i in range(n)]


def run(where, n, stop=0, made=None, **options):
    """Rows of n posts; with `stop`, the process ends after so many."""
    with open_output_folder(where, {"--model": "stub"}, **options) as rows:
        for count, document in enumerate(rows.pending(posts(n)), 1):
            if made is not None:
                made.append(document.id)
            rows.add(document)
            if count == stop:
                return rows
        rows.finish()
    return rows


def there(system):
    return {name.rpartition("/")[2]: system.cat_file(name) for name in system.ls("/bucket/found", detail=False)}


def test_a_store_holds_the_bytes_of_a_folder_and_this_machine_none_of_the_parts(store, tmp_path):
    rows = run(URL, 10)
    run(tmp_path / "here", 10)
    expected = {p.name: p.read_bytes() for p in (tmp_path / "here").iterdir()}
    assert there(store) == expected and len(expected) == 4
    assert rows.place.where == URL and not list(rows.folder.glob("part-*"))


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_stopped_job_goes_on_from_the_journal(scheme, tmp_path):
    where, made = URL if scheme == "memory" else f"file://{tmp_path}/results/deep", []
    run(where, 10, stop=6, made=made)
    rows = run(where, 10, made=made)
    assert made == [f"d{i}" for i in range(10)] and rows.totals.posts == 10 and rows.manifest.finished
    again = []
    run(where, 10, made=again)
    assert not again


def test_another_machine_goes_on_behind_the_last_part_in_the_store(store, tmp_path, monkeypatch):
    run(URL, 10, stop=6)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    made = []
    run(URL, 10, made=made)
    assert made == [f"d{i}" for i in range(4, 10)]
    rows = [
        json.loads(line)["id"]
        for name in sorted(there(store))
        if "part" in name
        for line in there(store)[name].splitlines()
    ]
    assert rows == [f"d{i}" for i in range(10)]


def test_a_part_that_cannot_be_stored_ends_the_job_and_the_next_one_stores_it(store, monkeypatch):
    real = type(store).put_file

    def full(self, local, remote, **options):
        if "part-00002" in remote:
            raise OSError(28, "No space left on device")
        return real(self, local, remote, **options)

    monkeypatch.setattr(type(store), "put_file", full)
    with pytest.raises(CorpusError, match="no space left"):
        run(URL, 10)
    assert {*there(store)} == {"manifest.json", "part-00001.jsonl"}
    monkeypatch.setattr(type(store), "put_file", real)
    made = []
    run(URL, 10, made=made)
    assert len(made) <= 2 and {*there(store)} == {"manifest.json", *(f"part-0000{i}.jsonl" for i in (1, 2, 3))}


def test_removed_results_are_made_anew_and_restart_removes_them(store):
    run(URL, 6)
    store.rm("/bucket", recursive=True)
    made = []
    run(URL, 6, made=made)
    assert len(made) == 6
    run(URL, 6, made=made, restart=True)
    assert len(made) == 12 and len(there(store)) == 3


def test_other_files_other_settings_and_a_changed_part_are_refused(store):
    store.pipe("/bucket/found/notes.txt", b"mine")
    with pytest.raises(CorpusError, match=r"notes\.txt"):
        run(URL, 6)
    store.rm("/bucket/found/notes.txt")
    run(URL, 6)
    with (
        pytest.raises(CorpusError, match=r"(?s)memory://bucket/found.*--model"),
        open_output_folder(URL, {"--model": "b"}),
    ):
        pass
    store.pipe("/bucket/found/part-00001.jsonl", b"{}")
    with pytest.raises(CorpusError, match=r"part-00001\.jsonl has other contents"):
        run(URL, 6)


def test_the_summary_of_runs_is_in_the_store(store):
    run(URL, 1)
    for _ in range(2):
        JobCosts(usage=JobUsage(), model="m").keep(URL)
    assert len(json.loads(there(store)["summary.json"])["runs"]) == 2
    run(URL, 1)


def test_a_file_in_a_store_and_gpus_without_ray_are_errors():
    from openmie.cli import extract_output
    from openmie.cli.extract_engines import check_engine

    extract_output.check(URL, False)
    for out, stores in (("s3://bucket/found.jsonl", True), (URL, False)):
        with pytest.raises(OpenMIEError, match="--out"):
            extract_output.check(out, False, stores)
    given = {"engine": "local", "workers": 0, "address": "", "gpus_per_worker": 1.0, "out": URL, "source": ["a"]}
    with pytest.raises(OpenMIEError, match="--gpus-per-worker without --engine ray"):
        check_engine(given)
    check_engine({**given, "engine": "ray"})
