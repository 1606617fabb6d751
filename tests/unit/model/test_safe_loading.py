"""Code in the folder of a model never runs, whoever says yes on standard input; weights as a pickle are not read."""

import ast
import json
import shutil
from pathlib import Path

import pytest
import torch

import openmie
from openmie.errors import ModelError, OpenMIEError, RecipeError, TrainError
from openmie.inference import detector
from openmie.model import safe_loading
from openmie.model.backbones import load_text, load_vision
from openmie.model.pretrained import Model
from openmie.nn.encode.dual import Text, Vision
from openmie.video.transcribe import _load as load_whisper
from openmie.vlm import Local
from openmie.vlm.sft.finetune import load_model
from openmie.vlm.sft.settings import SFTTraining
from tests.fixtures import small
from tests.fixtures import vlm_small as lvlm_small
from tests.unit.inference.test_detector import save_dino

ROOT = Path(__file__).parents[3]
OWN = {"pretrained.py": {"Model.from_pretrained"}}  # reads a model folder of ours, by these very calls


def _loading_calls():
    """(file, call) of all calls that load by the libraries of models."""
    for file in sorted((ROOT / "openmie").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) not in OWN.get(file.name, ()):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                if name in ("from_pretrained", "from_config", "load_dataset", "get_class_from_dynamic_module"):
                    yield file, node


def test_every_call_that_loads_refuses_code_and_pickles():
    found = list(_loading_calls())
    for file, call in found:
        where, given = f"{file}:{call.lineno}", {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert given.get("trust_remote_code") == "False", where
        loader = ast.unparse(call.func)
        assert loader.startswith("Auto"), f"{where}: a class of which this test does not know whether it loads weights"
        if loader.startswith("AutoModel") and loader.endswith("from_pretrained"):
            assert given.get("use_safetensors") == "True", where
    assert len(found) >= 24, len(found)
    weights = [c for _, c in found if "use_safetensors" in {k.arg for k in c.keywords}]
    assert len(weights) >= 6, len(weights)


def test_nothing_else_loads_or_trusts():
    """Files load within `safe_loading.loading`; nothing is trusted anywhere, nor loaded under another name."""
    for file in {f for f, _ in _loading_calls()}:
        assert "safe_loading.loading(" in file.read_text(encoding="utf8"), file
    for file in (ROOT / "openmie").rglob("*.py"):
        text = file.read_text(encoding="utf8").replace(" ", "")
        for word in (
            "trust_remote_code=True",
            '"trust_remote_code"',
            "allow_all_kernels",
            "custom_generate=",
            "getattr(transformers",
            "from_pretrained,",
            "transformersimportpipeline",
            "transformers.pipeline",
        ):
            assert word not in text or file.name == "safe_loading.py", (file, word)


# -- folders with code of their own


def _change(file: Path, **values) -> None:
    data = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    file.write_text(json.dumps({**data, **values}), encoding="utf8")


def _plant(folder: Path, marker: Path) -> None:
    (folder / "planted.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "from transformers import BertModel, BertTokenizer, PreTrainedConfig, ProcessorMixin\n"
        "class Settings(PreTrainedConfig):\n    model_type = 'planted'\n"
        "class Words(BertTokenizer):\n    pass\nclass Both(ProcessorMixin):\n    pass\n"
        "class Net(BertModel):\n    pass\n"
    )
    generate = folder / "custom_generate"
    generate.mkdir()
    (generate / "generate.py").write_text(
        f"open({str(marker)!r}, 'w').close()\ndef generate(model, **kwargs):\n    return 1\n"
    )


MAPS = {
    "AutoConfig": "planted.Settings",
    "AutoModel": "planted.Net",
    "AutoTokenizer": ["planted.Words", None],
    "AutoModelForImageTextToText": "planted.Net",
    "AutoModelForZeroShotObjectDetection": "planted.Net",
    "AutoModelForSpeechSeq2Seq": "planted.Net",
    "AutoProcessor": "planted.Both",
    "AutoImageProcessor": "planted.Both",
}


def _in_config(folder: Path) -> None:
    """A family that the library does not know."""
    _change(folder / "config.json", model_type="planted", auto_map=MAPS)


def _in_tokenizer(folder: Path) -> None:
    """A known family without a tokenizer of its own, a tokenizer that is not known."""
    _change(folder / "config.json", model_type="timesformer", auto_map={})
    _change(folder / "tokenizer_config.json", tokenizer_class="Words", auto_map=MAPS)


def _in_processor(folder: Path) -> None:
    _change(folder / "config.json", model_type="timesformer")
    _change(folder / "processor_config.json", processor_class="Both", auto_map=MAPS)
    _change(folder / "preprocessor_config.json", image_processor_type="Both", auto_map=MAPS)


def _in_part(folder: Path) -> None:
    """Within a model of a known family, a part of a kind that is no model: the library's own call loads it."""
    part = {"model_type": "blip_text_model", "_name_or_path": str(folder), "auto_map": MAPS}
    _change(folder / "config.json", text_config=part)


PLANTS = {"config": _in_config, "tokenizer": _in_tokenizer, "processor": _in_processor, "part": _in_part}
LOADS = {
    "text": "openmie.model.backbones.load_text(openmie.nn.encode.dual.Text(name=at))",
    "vision": "openmie.model.backbones.load_vision(openmie.nn.encode.dual.Vision(name=at))",
    "detector": "openmie.inference.detector.load(at, 'cpu')",
    "local": "openmie.vlm.Local(at, device='cpu')._loaded",
    "sft": "openmie.vlm.sft.finetune.load_model(at, openmie.vlm.sft.settings.SFTTraining())",
    "whisper": "openmie.video.transcribe._load(at, '', 'cpu')",
}
UNREAD = {  # what these paths do not read in these folders, or have a class for
    ("text", "text_processor"),
    ("text", "text_part"),
    ("vision", "vlm_tokenizer"),
    ("vision", "vlm_processor"),
}
PATHS = {"dino": ("detector",), "text": ("text", "vision"), "vlm": LOADS}
YES = "y\n" * 50  # what standard input says to whatever is asked
MODULES = (
    "model.backbones",
    "nn.encode.dual",
    "inference.detector",
    "vlm",
    "vlm.sft.finetune",
    "vlm.sft.settings",
    "video.transcribe",
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    save_dino(dino := tmp_path_factory.mktemp("dino"), "GroundingDino")
    return {
        "dino": dino,
        "text": Path(small.save_bert(tmp_path_factory.mktemp("bert"))),
        "vlm": Path(lvlm_small.llava(tmp_path_factory.mktemp("llava"))),
    }


@pytest.mark.slow
def test_no_path_that_loads_runs_code_of_the_folder(originals, python, tmp_path):
    """All folders, all paths, one process: each answer is an error of ours, none asks, nothing has run."""
    marker, cases = tmp_path / "has_run", []
    for kind, original in originals.items():
        for name, plant in PLANTS.items():
            folder = tmp_path / f"{kind}_{name}"
            shutil.copytree(original, folder)
            _plant(folder, marker)
            plant(folder)
            cases += [(load, str(folder)) for load in PATHS[kind]]
    code = (
        "import importlib, openmie\n"
        f"for module in {MODULES!r}:\n    importlib.import_module('openmie.' + module)\n"
        f"loads, cases = {LOADS!r}, {cases!r}\n"
        "for name, at in cases:\n"
        "    try:\n        eval(loads[name])\n        print('LOADED', name, at)\n"
        "    except openmie.OpenMIEError as error:\n"
        "        told = error.record.found and error.record.expected and error.record.remedy\n"
        "        print('REFUSED' if told else 'UNCLEAR', name, at, error)\n"
    )
    ran = python.run(code, cwd=tmp_path, stdin=YES)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert not marker.exists(), ran.stdout
    assert "[y/N]" not in ran.stdout + ran.stderr
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("LOADED", "REFUSED", "UNCLEAR"))]
    assert len(lines) == len(cases) and "UNCLEAR" not in ran.stdout
    assert sum("brings code of its own" in line for line in lines) >= 12, "\n".join(lines)
    loaded = {tuple(line.replace(f"{tmp_path}/", "").split()[1:]) for line in lines if line.startswith("LOADED")}
    assert loaded == UNREAD, "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "plant", "call"),
    [
        ("text", "config", "AutoConfig.from_pretrained(sys.argv[1])"),
        ("text", "tokenizer", "AutoTokenizer.from_pretrained(sys.argv[1])"),
        ("vlm", "part", "AutoModelForImageTextToText.from_pretrained(sys.argv[1], trust_remote_code=False)"),
        ("dino", "part", "AutoModelForZeroShotObjectDetection.from_pretrained(sys.argv[1], trust_remote_code=False)"),
    ],
)
def test_the_library_alone_asks_and_runs_the_code_of_these_folders(originals, python, tmp_path, kind, plant, call):
    """What the test above feeds is live; in the last two the library asks although it was told not to trust."""
    shutil.copytree(originals[kind], tmp_path / "m")
    _plant(tmp_path / "m", tmp_path / "has_run")
    PLANTS[plant](tmp_path / "m")
    ran = python.run(f"import sys, transformers\ntransformers.{call}", tmp_path / "m", cwd=tmp_path, stdin=YES)
    assert (tmp_path / "has_run").exists(), ran.stderr[-2000:]


@pytest.mark.slow
def test_commands_end_with_one_line_and_code_2(originals, python, tmp_path):
    marker, folder = tmp_path / "has_run", tmp_path / "saved"
    Model.new(small.recipe()).save_pretrained(folder)
    _plant(folder / "text" / "tokenizer", marker)
    _change(folder / "text" / "tokenizer" / "tokenizer_config.json", tokenizer_class="Words", auto_map=MAPS)
    shutil.copytree(originals["vlm"], tmp_path / "foreign")
    _plant(tmp_path / "foreign", marker)
    _in_config(tmp_path / "foreign")
    (tmp_path / "posts.jsonl").write_text('{"id": "a", "text": "Zorvane sings in Lummer"}\n')
    at, data = str(tmp_path / "foreign"), "diorama:train=8,dev=4,test=4"
    for words in (
        ["extract", "-", "--model", str(folder)],
        ["train", "baseline", "--corpus", data, "--option", f"text={at}", "--out", "out"],
        ["train", "pfa", "--corpus", data, "--option", f"model={at}", "--out", "out"],
        ["objects", "posts.jsonl", "--model", at, "--out", "found"],
        ["extract", "posts.jsonl", "--system", "pfa", "--model", at],
    ):
        given = "y\n" + '{"text": "Zorvane sings"}\n'
        ran = python.run("import openmie.cli\nopenmie.cli.main()", *words, cwd=tmp_path, stdin=given)
        assert not marker.exists(), words
        assert ran.returncode == 2 and "Traceback" not in ran.stderr, (words, ran.returncode, ran.stderr[-2000:])
        assert "brings code of its own" in ran.stderr and "auto_map in" in ran.stderr, (words, ran.stderr[-2000:])


def test_a_saved_model_with_code_beside_its_tokenizer_is_refused_by_load(tmp_path):
    Model.new(small.recipe()).save_pretrained(tmp_path / "m")
    _plant(tmp_path / "m" / "text" / "tokenizer", tmp_path / "has_run")
    _change(tmp_path / "m" / "text" / "tokenizer" / "tokenizer_config.json", tokenizer_class="Words", auto_map=MAPS)
    with pytest.raises(ModelError, match=r"auto_map in text/tokenizer/tokenizer_config\.json"):
        openmie.load(tmp_path / "m")
    assert not (tmp_path / "has_run").exists()


def test_nothing_of_these_calls_is_written_into_a_saved_model(tmp_path):
    Model.new(small.recipe()).save_pretrained(tmp_path / "m")
    openmie.load(tmp_path / "m").save_pretrained(tmp_path / "again")
    for file in (tmp_path / "again").rglob("*.json"):
        assert "trust_remote_code" not in file.read_text(encoding="utf8"), file


# -- pickles


class _Evil:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "w")


@pytest.mark.parametrize("evil", [False, True])
def test_weights_as_a_pickle_alone_are_refused(originals, tmp_path, evil):
    from safetensors.torch import load_file

    marker = tmp_path / "has_run"
    for kind in ("text", "vlm"):
        shutil.copytree(originals[kind], tmp_path / kind)
        state = load_file(tmp_path / kind / "model.safetensors")
        torch.save({"weight": _Evil(marker)} if evil else state, tmp_path / kind / "pytorch_model.bin")
        (tmp_path / kind / "model.safetensors").unlink()
    vlm = str(tmp_path / "vlm")
    with pytest.raises(TrainError, match=r"model\.safetensors.*Expected.*safetensors weights"):
        load_model(vlm, SFTTraining())
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        _ = Local(vlm, device="cpu")._loaded
    with pytest.raises(RecipeError, match=r"model\.safetensors"):
        load_text(Text(name=str(tmp_path / "text")))
    for load in (
        lambda: load_vision(Vision(name=vlm)),
        lambda: detector.load(vlm, "cpu"),
        lambda: load_whisper(vlm, "", "cpu"),
    ):
        with pytest.raises(OpenMIEError):
            load()
    assert not marker.exists()


def test_an_adapter_as_a_pickle_beside_a_model_is_refused(originals, tmp_path):
    """The library loads it by itself, and as a pickle although safetensors are asked for."""
    shutil.copytree(originals["text"], tmp_path / "m")
    _change(tmp_path / "m" / "adapter_config.json", peft_type="LORA", base_model_name_or_path=str(tmp_path / "m"))
    torch.save({}, tmp_path / "m" / "adapter_model.bin")
    with pytest.raises(RecipeError, match=r"adapter_model\.bin.*safetensors"):
        load_text(Text(name=str(tmp_path / "m")))


# -- the switch itself


def test_the_library_is_left_as_it_was():
    from transformers import dynamic_module_utils as library

    before = library.TIME_OUT_REMOTE_CODE
    assert before > 0
    with safe_loading.loading("a", ModelError):
        with pytest.raises(ModelError, match="brings code"), safe_loading.loading("b", ModelError):
            library.resolve_trust_remote_code(None, "b", has_local_code=False, has_remote_code=True)
        assert library.TIME_OUT_REMOTE_CODE == 0
    assert before == library.TIME_OUT_REMOTE_CODE
    with pytest.raises(ValueError, match="another matter"), safe_loading.loading("a", ModelError):
        raise ValueError("another matter")
    assert before == library.TIME_OUT_REMOTE_CODE
