"""`openmie train` selects on dev: an audit of all files that the command opens."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from tests.fixtures import small

FILES = {
    "jsonl": ("train.jsonl", "dev.jsonl", "test.jsonl"),
    "twitter": ("train.txt", "valid.txt", "test.txt"),
}


def write(folder: Path, format: str) -> None:
    docs = [d.replace(images=()) for d in small.documents(24)]
    for name, part in zip(FILES[format], (docs[:12], docs[12:18], docs[18:])):
        if format == "jsonl":
            corpora.write(part, folder / name)
        else:
            (folder / name).write_text("".join(f"IMGID:{i}\nAda\tB-PER\nlikes\tO\nRome\tB-LOC\n\n" for i in range(6)))


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("broken", [False, True])
def test_the_test_split_is_not_opened(tmp_path, bert, opened, format, broken):
    """Nor is its place looked at: a test split that cannot be read changes nothing."""
    write(tmp_path, format)
    train, dev, test = FILES[format]
    if broken:
        (tmp_path / test).write_bytes(b"\xff\xfe no corpus at all")
    opened.clear()  # written above
    arguments = ["train", "baseline", "--ablate", "text", "--corpus", f"{format}:{tmp_path}", "--task", "ner"]
    arguments += ["--set", f"encode.text.name={bert}", "--set", "training.epochs=1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0 and "best dev F1" in result.output, result.output
    files = (Path(name) for name in opened)  # a folder is opened for a temporary file in it
    read = {file.name for file in files if file.parent == tmp_path and not file.is_dir()}
    assert read == {train, dev}
