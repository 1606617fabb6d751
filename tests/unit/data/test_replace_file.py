"""A regular file is replaced, anything else is written to: nodes and links stay, files are whole or as before."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from openmie import diorama
from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.data.replace_file import OutputError, replace_file, replace_path, replace_text
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError
from openmie.formats import output
from openmie.formats.sharded_output import open_output_folder
from tests.fixtures import file_nodes as nodes


def by_stream(path, data):
    with replace_file(path) as file:
        file.write(data)


def by_path(path, data):
    with replace_path(path) as made:
        made.write_bytes(data)


def by_text(path, data):
    replace_text(path, data.decode(), sync=True)


WAYS = pytest.mark.parametrize("write", [by_stream, by_path, by_text])
BIG = b"a line of a file\n" * 20_000  # more than a buffer or a pipe holds


def names(folder):
    return sorted(os.listdir(folder))


@WAYS
def test_a_new_file_has_what_the_umask_leaves(write, tmp_path):
    for mask in (0o022, 0o027, 0o077):
        before = os.umask(mask)
        try:
            write(tmp_path / "new", BIG)
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o666 & ~mask
        assert (tmp_path / "new").read_bytes() == BIG and names(tmp_path) == ["new"]
        (tmp_path / "new").unlink()


@WAYS
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o777])
def test_a_file_is_replaced_and_keeps_its_bits(write, mode, tmp_path):
    file = tmp_path / "old"
    file.write_bytes(b"old")
    file.chmod(mode)
    os.link(file, tmp_path / "other")
    write(file, BIG)
    assert file.read_bytes() == BIG and stat.S_IMODE(file.stat().st_mode) == mode
    assert (tmp_path / "other").read_bytes() == b"old" and names(tmp_path) == ["old", "other"]


def test_a_file_keeps_its_owner_where_that_may_be_given(tmp_path):
    file = tmp_path / "old"
    file.write_bytes(b"old")
    try:
        os.chown(file, 65534, 65534)
    except OSError as error:
        pytest.skip(f"files cannot be given away here: {error}")
    by_stream(file, b"new")
    assert (file.stat().st_uid, file.stat().st_gid, file.read_bytes()) == (65534, 65534, b"new")


@pytest.mark.parametrize("there", [True, False])
def test_an_error_leaves_what_was_there_and_nothing_else(there, tmp_path):
    file = tmp_path / "file"
    if there:
        file.write_bytes(b"old")
    for way in (replace_file, replace_path):
        with pytest.raises(KeyboardInterrupt), way(file) as made:
            made.write(BIG) if way is replace_file else made.write_bytes(BIG)
            raise KeyboardInterrupt
        assert names(tmp_path) == (["file"] if there else [])
        assert not there or file.read_bytes() == b"old"


def links(folder):
    """Every kind of link, and the file that it leads to."""
    (folder / "a").mkdir()
    (folder / "a" / "file").write_bytes(b"old")
    (folder / "a" / "file").chmod(0o640)
    made = {
        "relative": ("a/file", "a/file"), "absolute": (str(folder / "a" / "file"), "a/file"),
        "chain": ("relative", "a/file"), "a/back": ("../chain", "a/file"),
        "dangling": ("a/gone", "a/gone"), "far": ("dangling", "a/gone"),
    }  # fmt: skip
    for name, (target, _) in made.items():
        os.symlink(target, folder / name)
    return {name: folder / file for name, (_, file) in made.items()}


@WAYS
@pytest.mark.parametrize("name", ["relative", "absolute", "chain", "a/back", "dangling", "far"])
def test_a_link_stays_and_what_it_leads_to_is_written(write, name, tmp_path):
    targets = links(tmp_path)
    before = {n: (nodes.identity(tmp_path / n), os.readlink(tmp_path / n)) for n in targets}
    here = names(tmp_path), set(names(tmp_path / "a"))
    write(tmp_path / name, BIG)
    assert {n: (nodes.identity(tmp_path / n), os.readlink(tmp_path / n)) for n in targets} == before
    target = targets[name]
    assert target.read_bytes() == BIG and not target.is_symlink()
    assert target.name == "gone" or stat.S_IMODE(target.stat().st_mode) == 0o640
    assert names(tmp_path) == here[0] and set(names(tmp_path / "a")) - here[1] <= {"gone"}


@WAYS
def test_a_pipe_is_written_to(write, tmp_path):
    with nodes.Reader(tmp_path / "pipe") as reader:
        os.symlink("pipe", tmp_path / "link")
        before = nodes.identity(tmp_path / "pipe"), nodes.identity(tmp_path / "link")
        write(tmp_path / "pipe", BIG)
        write(tmp_path / "link", b"end")
    assert reader.data == BIG + b"end"
    assert (nodes.identity(tmp_path / "pipe"), nodes.identity(tmp_path / "link")) == before
    assert names(tmp_path) == ["link", "pipe"]


def test_a_pipe_whose_reader_goes_is_told_as_such(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BrokenPipeError), replace_file(tmp_path / "pipe") as file:
        os.close(reader)
        file.write(BIG)
    assert stat.S_ISFIFO(os.lstat(tmp_path / "pipe").st_mode)


@WAYS
@pytest.mark.parametrize("data", [b"x", BIG], ids=["little", "much"])
def test_devices_stay_devices(write, data, tmp_path):
    null, full = nodes.device(tmp_path / "null", "/dev/null"), nodes.device(tmp_path / "full", "/dev/full")
    os.symlink("full", tmp_path / "link")
    before = [nodes.identity(p) for p in (null, full, tmp_path / "link")]
    write(null, data)
    for path in (full, tmp_path / "link"):
        with pytest.raises(OutputError, match="no space left on device") as error:
            write(path, data)
        assert error.value.record.where == str(path) and error.value.record.expected and error.value.record.remedy
    assert [nodes.identity(p) for p in (null, full, tmp_path / "link")] == before
    assert names(tmp_path) == ["full", "link", "null"]


@WAYS
def test_what_cannot_be_written_to_is_refused_and_not_touched(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    (tmp_path / "folder").mkdir()
    os.symlink("folder", "to folder")
    os.symlink("two", "one")
    os.symlink("one", "two")
    os.symlink("no/such", "nowhere")
    (tmp_path / "file").write_bytes(b"old")
    cases = {
        "socket": "a socket",
        "folder": "a folder",
        "to folder": "a folder",
        "one": "in a circle",
        "nowhere": "no folder",
        "no/such": "no folder",
        "file/in": "not a directory",
    }
    try:
        os.mknod("block", 0o600 | stat.S_IFBLK, os.makedev(240, 0))  # a number for experiments: no such disk
        cases["block"] = "a block device"
    except OSError:
        pass
    before = {n: nodes.identity(n) for n in names(".")}
    for name, told in cases.items():
        with pytest.raises(OutputError, match=told) as error:
            write(name, b"new")
        assert error.value.record.where == name and error.value.record.expected and error.value.record.remedy
    assert {n: nodes.identity(n) for n in names(".")} == before and Path("file").read_bytes() == b"old"


def test_an_open_descriptor_is_written_to_under_its_name(tmp_path):
    """`> file`, `>> file` and `| program`: the bytes come where the shell says, after what is there already."""
    if not os.path.exists("/dev/stdout"):
        pytest.skip("no /dev/stdout here")
    code = (
        "import sys\nfrom openmie.data.replace_file import replace_file\nprint('before')\n"
        "with replace_file(sys.argv[1]) as f: f.write(b'data\\n')\nprint('after')\n"
    )
    os.symlink("/dev/stdout", tmp_path / "link")
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", str(tmp_path / "link")):
        file = tmp_path / "file"
        file.write_text("old\n")
        inode = file.stat().st_ino
        with file.open("ab") as out:
            subprocess.run([sys.executable, "-c", code, name], stdout=out, check=True)
        assert (file.read_text(), file.stat().st_ino) == ("old\nbefore\ndata\nafter\n", inode), name
        piped = subprocess.run([sys.executable, "-c", code, name], stdout=subprocess.PIPE, check=True)
        assert piped.stdout == b"before\ndata\nafter\n"
    assert names(tmp_path) == ["file", "link"]


def test_errors_about_other_files_are_let_through(tmp_path):
    with pytest.raises(FileNotFoundError, match="picture"), replace_file(tmp_path / "new"):
        (tmp_path / "picture").read_bytes()
    with pytest.raises(OSError, match="of another") as error, replace_file(tmp_path / "new"):
        raise OSError(errno.ENOSPC, "full", "of another")
    assert not isinstance(error.value, OpenMIEError) and names(tmp_path) == []


def test_long_names_of_any_alphabet(tmp_path):
    for name in ("x" * 255, "名" * 85, "😀" * 63):
        by_stream(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"


def test_a_folder_through_a_link(tmp_path):
    (tmp_path / "there").mkdir(mode=0o750)
    (tmp_path / "there").chmod(0o750)
    for name, target in (("to", "there"), ("dangling", "gone")):
        os.symlink(target, tmp_path / name)
        with output.new_folder(tmp_path / name) as folder:
            (folder / "a").write_text("a")
        assert os.readlink(tmp_path / name) == target and names(tmp_path / target) == ["a"]
    assert stat.S_IMODE(os.stat(tmp_path / "there").st_mode) == 0o750
    os.symlink("circle", tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    for name, told in (("circle", "leads nowhere"), ("pipe", "a pipe"), ("to", "something is there already")):
        with pytest.raises(CorpusError, match=told), output.new_folder(tmp_path / name):
            pass
    assert names(tmp_path) == ["circle", "dangling", "gone", "pipe", "there", "to"]


def fill(folder, documents, again=None):
    """A folder of one split, made or gone on with."""
    with open_output_folder(folder, {"a": 1}, files=["train.jsonl"], again=again or (lambda d: False)) as rows:
        for document in rows.pending(documents):
            rows.add(document)
        rows.finish()


@pytest.mark.parametrize("name", ["train.jsonl", ".train.jsonl.rows", "manifest.json"])
@pytest.mark.parametrize("kind", ["a pipe", "a symbolic link that leads nowhere", "a folder"])
def test_what_is_gone_on_with_must_be_a_file(name, kind, tmp_path):
    documents = [d.replace(images=()) for d in diorama.generate(diorama.Config(), "train", 2)]
    fill(tmp_path / "out", documents)
    (tmp_path / "out" / name).unlink(missing_ok=True)
    make = {"a pipe": os.mkfifo, "a folder": os.mkdir}.get(kind, lambda at: os.symlink("gone", at))
    make(tmp_path / "out" / name)
    before = nodes.identity(tmp_path / "out" / name)
    told = {"manifest.json": "already", "train.jsonl": "is missing"}.get(name, kind)
    with pytest.raises(CorpusError, match=told):
        fill(tmp_path / "out", documents)
    assert nodes.identity(tmp_path / "out" / name) == before


def test_no_file_is_made_in_the_place_of_a_pipe(tmp_path):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", [])
    os.remove(tmp_path / "out" / "train.jsonl")
    manifest = tmp_path / "out" / "manifest.json"
    manifest.write_text('{"settings": {"a": 1}, "shards": []}', encoding="utf8")
    os.mkfifo(tmp_path / "out" / "train.jsonl")
    with pytest.raises(CorpusError, match="a pipe"):
        fill(tmp_path / "out", [Document(id="a")])


def test_what_is_gone_on_with_may_be_a_link_to_a_file(tmp_path):
    documents = [d.replace(images=()) for d in diorama.generate(diorama.Config(), "train", 3)]
    broken = documents[1].replace(errors=(ErrorRecord(found="no answer"),))
    with open_output_folder(tmp_path / "out", {"a": 1}, files=["train.jsonl"], again=lambda d: True) as rows:
        for _, made in zip(rows.pending(documents), [documents[0], broken, documents[2]]):
            rows.add(made)
        rows.finish()
    os.replace(tmp_path / "out" / "train.jsonl", tmp_path / "moved")
    os.symlink("../moved", tmp_path / "out" / "train.jsonl")
    for _ in range(2):
        fill(tmp_path / "out", documents)
        assert os.readlink(tmp_path / "out" / "train.jsonl") == "../moved"
        assert (tmp_path / "moved").read_bytes() == b"".join(d.to_json().encode() + b"\n" for d in documents)
        assert names(tmp_path / "out") == ["manifest.json", "train.jsonl"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: nodes.device(p, "/dev/null")], ids=["pipe", "device"])
def test_no_folder_is_made_in_the_place_of_a_node(make, tmp_path):
    make(tmp_path / "node")
    before = nodes.identity(tmp_path / "node")
    for path in (tmp_path / "node", tmp_path / "node" / "in"):
        with pytest.raises(OutputError, match=r"a (pipe|character device)"):
            writing.make_folder(path)
        with pytest.raises(CorpusError):
            fill(path, [])
    assert nodes.identity(tmp_path / "node") == before


def test_nothing_else_moves_files_into_place():
    """The one module that replaces files, and what only moves what is its own."""
    import re

    root = Path(writing.__file__).parents[1]
    moving = re.compile(r"os\.(replace|rename)\(|\.rename\(|shutil\.move|mkstemp|\b(beside|part|tmp)\.replace\(\w+\)")
    found = {f.relative_to(root).as_posix() for f in root.rglob("*.py") if moving.search(f.read_text(encoding="utf8"))}
    own = {"data/replace_set.py", "formats/output.py", "train/checkpoint.py"}
    assert found == {"data/replace_file.py", *own}
