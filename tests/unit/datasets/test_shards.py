"""A split of many files: read shard by shard in the order of their numbers, and none of them is held."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from openmie.corpora import load
from openmie.data.document import Document
from openmie.errors import CorpusError
from openmie.formats import parquet
from openmie.formats.registry import write


def posts(start, n):
    return [Document(id=f"d{i}", text=f"Ada {i}") for i in range(start, start + n)]


def shards(folder: Path, pattern: str, count=5, size=4, first=0):
    folder.mkdir(exist_ok=True)
    for n in range(count):
        write(posts(n * size, size), folder / pattern.format(n + first, count))
    return folder


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("train-{:05d}-of-{:05d}.parquet", 0),
        ("train-{:05d}-of-{:05d}.parquet", 1),
        ("train_{}.parquet", 0),
        ("train.{}.jsonl", 1),
        ("my-train-part-{}.jsonl", 0),
    ],
)
def test_shards_are_one_split_in_the_order_of_their_numbers(tmp_path, pattern, first):
    """Twelve of them: by name, 10 would come before 2."""
    shards(tmp_path, pattern, count=12, size=2, first=first)
    write(posts(100, 3), tmp_path / f"dev{Path(pattern).suffix}")
    corpus = load(f"{'jsonl' if pattern.endswith('jsonl') else 'parquet'}:{tmp_path}")
    assert [d.id for d in corpus.train] == [f"d{i}" for i in range(24)] and len(list(corpus.dev)) == 3
    assert not corpus.skipped


def test_a_folder_named_as_a_split_holds_its_files(tmp_path):
    """As Spark and `openmie extract --out` write them; other files beside them are no posts."""
    shards(tmp_path / "train", "part-{:05d}.parquet")
    shards(tmp_path / "validation", "posts.parquet", count=1)
    (tmp_path / "train" / "manifest.json").write_text("{}")
    corpus = load(f"parquet:{tmp_path}")
    assert set(corpus.sources) == {"train", "dev"} and [d.id for d in corpus.train] == [f"d{i}" for i in range(20)]


def test_a_missing_shard_is_an_error_that_names_it(tmp_path):
    shards(tmp_path, "train-{:05d}-of-{:05d}.parquet")
    (tmp_path / "train-00003-of-00005.parquet").unlink()
    with pytest.raises(CorpusError, match=r"4 of 5 shards(?s:.*)missing are 3"):
        load(f"parquet:{tmp_path}")


@pytest.mark.parametrize("names", [("train_2015", "train_2017"), ("train_1", "train_3"), ("train-a", "train-b")])
def test_files_that_are_no_shards_of_one_are_an_error(tmp_path, names):
    for name in names:
        write(posts(0, 1), tmp_path / f"{name}.jsonl")
    with pytest.raises(CorpusError, match="2 files for train"):
        load(f"jsonl:{tmp_path}")


def test_a_shard_may_be_named_itself_and_the_bare_name_wins(tmp_path):
    shards(tmp_path, "train-{:05d}-of-{:05d}.parquet")
    assert len(list(load(f"parquet:{tmp_path}/train-00001-of-00005.parquet").train)) == 4
    write(posts(0, 1), tmp_path / "train.parquet")
    assert len(list(load(f"parquet:{tmp_path}").train)) == 1


def test_equal_ids_in_two_shards_are_told_once_and_numbers_are_apart(tmp_path):
    for n, texts in enumerate((["a", "b"], ["c"])):
        rows = [{"text": t} for t in texts] + [{"text": "x", "id": "same"}]
        (tmp_path / f"train-{n}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = load(f"jsonl:{tmp_path}")
    found = list(corpus.train)
    assert [d.id for d in found] == ["train-0:1", "train-0:2", "same", "train-1:1", "same"]
    assert [len(d.errors) for d in found] == [0, 0, 0, 0, 1] and len(corpus.skipped) == 1


def test_no_shard_is_held(tmp_path, monkeypatch):
    """1,000 documents of five shards: at each document one file is open, and no row group is read ahead as a whole."""
    shards(tmp_path, "train-{:05d}-of-{:05d}.parquet", size=200)
    opened, most, real = [], 0, pq.ParquetFile

    def watched(file, **options):
        assert options["buffer_size"] == parquet._BUFFER
        opened.append(file)
        return real(file, **options)

    monkeypatch.setattr(pq, "ParquetFile", watched)
    ids = []
    for document in load(f"parquet:{tmp_path}").train:
        ids.append(document.id)
        most = max(most, sum(not file.closed for file in opened))
    assert len(ids) == len({*ids}) == 1000 and most == 1
