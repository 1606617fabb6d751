"""README and docs are executed: every Python block and every command of a page, in order, in a folder made for it."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora, diorama, metrics
from openmie.cli import application as cli
from openmie.cli import video
from openmie.data.document import Document
from openmie.formats import labelstudio
from openmie.model import Model
from openmie.vlm.prompting import request as asked
from tests.fixtures import small
from tests.fixtures.forked_python import ForkedPython
from tests.fixtures.prompting_stub import Stub, plausible
from tests.unit.inference.test_detector import save_owl
from tests.unit.video.test_video import CUES, film, srt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(python|console)\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.S)
BLOCKS = {str(p.relative_to(ROOT)): BLOCK.findall(p.read_text(encoding="utf8")) for p in PAGES}
TEXT = PAGES[0].read_text(encoding="utf8")
CONSOLE = [block for blocks in BLOCKS.values() for kind, block, _ in blocks if kind == "console"]


@pytest.fixture(scope="module")
def found(tmp_path_factory, colours):
    """What the commands of README and docs find: corpora, rows, a photograph, annotations, a film, models."""
    tmp_path = tmp_path_factory.mktemp("found")
    docs = [d.replace(images=(), relations=()) for d in small.documents(16)]
    (tmp_path / "twitter2017").mkdir()
    for name in ("train", "valid", "test"):
        (tmp_path / "twitter2017" / f"{name}.txt").write_text(
            "".join(
                f"IMGID:{name}{i}\n{who}\tB-PER\nsaw\tO\n{where}\tB-LOC\n\n"
                for i, (who, where) in enumerate(zip(small.NAMES, small.PLACES))
            )
        )
    Picture.fromarray(small.picture(0)).save(tmp_path / "photo.jpg")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "collins.jpg", tmp_path / "docs")
    (tmp_path / "posts.jsonl").write_text('{"text": "Ada saw Rome", "image": "photo.jpg"}\n{"text": "Bo saw Oslo"}\n')
    (tmp_path / "mine").mkdir()
    labelstudio.write(docs[:12], tmp_path / "export.json")
    corpora.write(docs[12:], tmp_path / "annotated.conll")
    save_owl(tmp_path / "detector", "OwlViT")
    shutil.copytree(colours, tmp_path / "llava")
    film(tmp_path / "film.mp4", 130)
    (tmp_path / "film.srt").write_text(srt([cue for cue in CUES if cue[1] < 129]))
    others = [Document(id=f"{v}_0", text="Ada", source={"video": v}) for v in ("one", "two")]
    corpora.write(others, tmp_path / "other.jsonl")
    (tmp_path / "runs").mkdir()
    Model.new(small.recipe("ner")).save_pretrained(tmp_path / "runs" / "mine")
    told = list(diorama.generate(diorama.Config(documents=True, seed=1), "test", 3, pixels=False))
    for name in ("gold", "predicted"):
        corpora.write(told, tmp_path / "runs" / f"{name}.jsonl")
    return tmp_path


@pytest.fixture
def folder(found, tmp_path, monkeypatch):
    """A copy for one page, and a model that answers."""
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(asked, "connect", lambda model, *_, **__: Stub(plausible, model))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def bare_python():
    """`python -c` of a block, which imports all of openmie for itself."""
    with ForkedPython() as processes:
        yield processes


@pytest.mark.parametrize("page", [page for page, blocks in BLOCKS.items() if blocks])
def test_blocks_of_a_page_run_in_order(page, folder, bare_python):
    for kind, block, printed in BLOCKS[page]:
        if kind == "python":
            _check_python(bare_python.run(block, cwd=folder), printed)
        else:
            _run_commands(block)


def _check_python(done, printed):
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if printed:  # word for word, numbers to within what another processor's rounding may change in a short training
        number = re.compile(r"\d+(?:\.\d+)?")
        assert number.sub("#", done.stdout) == number.sub("#", printed)
        shown, found = (list(map(float, number.findall(x))) for x in (printed, done.stdout))
        assert all(abs(a - b) <= 5 for a, b in zip(shown, found)), done.stdout


def _run_commands(block):
    for line in block.splitlines():
        dollar, name, *arguments = shlex.split(line)
        assert (dollar, name) == ("$", "openmie"), line
        result = CliRunner().invoke(cli.app, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception!r}"


def test_the_readme_is_short():
    assert TEXT.count("\n") <= 150


def test_every_command_is_shown():
    shown = {line.split()[2] for block in CONSOLE for line in block.splitlines()} | {"demo"}
    commands = {name for group in cli.COMMANDS.values() for name in group}
    assert commands == shown, "each command stands once in a console block of README or docs"
    below = {line.split()[3] for block in CONSOLE for line in block.splitlines() if " video " in line}
    assert set(video.COMMANDS) == below


def test_the_reference_has_every_metric():
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf8")
    assert all(re.search(rf"\b{name}\b", page) for name in metrics.__all__)
    listed = re.findall(r"members: \[(.*?)\]", page)[0].split(", ")
    assert set(listed) <= set(metrics.__all__)


def test_make_targets_and_pictures_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", TEXT, re.M):
        assert f"\n{target}:" in makefile
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", TEXT):
        assert (ROOT / picture).stat().st_size > 10_000, picture
    for name in ("LICENSE", "CHANGELOG.md", "LOG.md", "CONTRIBUTING.md", "constraints.txt"):
        assert (ROOT / name).exists(), name


@pytest.mark.slow
def test_the_demo_runs_small(tmp_path):
    """The whole of the demo on 64 posts and one epoch: report, models, scores; what `extract` takes by default."""
    result = CliRunner().invoke(cli.app, ["demo", "--out", str(tmp_path / "demo"), "--posts", "64", "--epochs", "1"])
    assert result.exit_code == 0, result.output + repr(result.exception)
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf8")
    assert (
        "<svg" in page and "data:image" in page and "<script" not in page and "http://" not in page.split("<body>")[1]
    )
    assert "gap closure" in result.output and "not for real posts" in result.output
    assert (tmp_path / "demo" / "cross" / "model.safetensors").exists()
