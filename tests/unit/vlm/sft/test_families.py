"""The families of vision-language models, tiny, through the commands: train, save, load, answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from typer.testing import CliRunner  # noqa: E402

from openmie import corpora  # noqa: E402
from openmie.cli import application as cli  # noqa: E402
from openmie.vlm.backends.model_loading import load_processor, save_processor  # noqa: E402
from openmie.vlm.pfa.parsing import ANSWER_PLACE  # noqa: E402
from tests.fixtures import vlm_small  # noqa: E402

pytestmark = pytest.mark.slow  # trains

CORPUS = "diorama:train=4,dev=2,test=2,translation=false,patches=4,size=64"
FAMILIES = {"llava": vlm_small.llava, "idefics3": vlm_small.idefics3, "qwen25": vlm_small.qwen25}


@pytest.fixture(scope="module", params=FAMILIES)
def base(request, tmp_path_factory):
    """A model folder whose context is long enough for a prompt in byte-level pieces."""
    folder = tmp_path_factory.mktemp(request.param) / "base"
    FAMILIES[request.param](folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf8"))
    config["text_config"]["max_position_embeddings"] = 4096
    (folder / "config.json").write_text(json.dumps(config), encoding="utf8")
    return folder


def run(*arguments, partial=False):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert result.exit_code in ((0, cli.PARTIAL) if partial else (0,)), (result.output, result.exception)
    return result.output


@pytest.mark.parametrize("flavour", ["small", "improved"])
def test_a_family_is_trained_saved_loaded_and_answers(base, flavour, tmp_path):
    """`improved` trains adapters, and draws the split itself; `small` trains all parameters."""
    out = tmp_path / "model"
    few = ("--set", "training.epochs=2", "--set", "training.batch=2", "--set", "training.lr=0.01")
    told = run(
        "train", "pfa", "--flavour", flavour, "--corpus", CORPUS, "--option", f"model={base}", "--out", out, *few
    )
    assert "best dev loss" in told
    facts = json.loads((out / "training.json").read_text(encoding="utf8"))
    assert facts["steps"] == 4 and (facts["trained"] < facts["parameters"]) is (flavour == "improved")
    assert facts["curve"][1]["loss"] < facts["curve"][0]["loss"]
    assert not [p for p in out.rglob("*") if p.suffix in (".bin", ".pt", ".pth", ".pkl")]
    run(
        *("zero-shot", CORPUS, "--split", "test", "--system", "pfa", "--model", out, "--out", tmp_path / "said.jsonl"),
        *("--vlm-option", "injection_guard=false", "--vlm-option", "max_tokens=4", "--vlm-option", "constrained=false"),
        partial=True,  # four tokens are no whole answer, and it says so; but each document was answered
    )
    said = list(corpora.read(tmp_path / "said.jsonl"))
    assert len(said) == 2
    assert all(e.where.endswith(ANSWER_PLACE) for d in said for e in d.errors), [str(e) for d in said for e in d.errors]


def test_a_processor_comes_back_as_it_was(base, tmp_path):
    """Without torchvision Qwen's is built without a video processor, and has to be saved without one."""
    (tmp_path / "config.json").write_text((base / "config.json").read_text(encoding="utf8"), encoding="utf8")
    before = load_processor(str(base))
    save_processor(before, tmp_path)
    after = load_processor(str(tmp_path))
    image = vlm_small.square("red")
    token = getattr(before, "image_token", "<image>")
    asked = [p(text=[f"{token} hello"], images=[[image]], return_tensors="pt") for p in (before, after)]
    assert asked[0].keys() == asked[1].keys()
    assert all(torch.equal(asked[0][k], asked[1][k]) for k in asked[0])
    assert before.chat_template == after.chat_template
    if "qwen" in str(base):
        saved = json.loads((Path(tmp_path) / "processor_config.json").read_text(encoding="utf8"))
        assert saved["processor_class"] == "Qwen2_5_VLProcessor" and "video_processor" not in saved
        assert (tmp_path / "preprocessor_config.json").exists()  # from which torchvision's users get a video processor
