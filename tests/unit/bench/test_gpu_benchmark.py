"""benchmarks/gpu.py: the backbones have the published sizes, and the whole of it runs small on a CPU."""

import re
import sys
from pathlib import Path

import pytest
import torch

PUBLISHED = {  # millions of parameters, without poolers and classifiers
    "bert-base-uncased": 108.9,
    "allenai/longformer-base-4096": 148.1,
    "microsoft/resnet-152": 58.1,
    "microsoft/resnet-50": 23.5,
    "google/vit-base-patch16-224": 85.8,
}
LINE = re.compile(r"(.+?) +batch +(\d+): ([\d.]+) steps a second, memory: .*, ratio to the backbones alone ([\d.]+) \(")


@pytest.fixture
def benchmarks(monkeypatch):
    """The folder of the benchmarks is no package; what is imported from it goes again."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
    before = set(sys.modules)
    yield
    for name in ("gpu", "paper_sizes", "train_step"):
        if name not in before:
            sys.modules.pop(name, None)


def millions(module):
    return sum(p.numel() for n, p in module.named_parameters() if "pooler" not in n) / 1e6


def test_the_shapes_are_the_published_ones(benchmarks):
    from paper_sizes import PAPER, SMALL, qwen
    from transformers import AutoModel, AutoModelForImageTextToText

    assert PAPER.keys() == SMALL.keys() == {*PUBLISHED, "openai/clip-vit-base-patch32"}
    with torch.device("meta"):
        for name, size in PUBLISHED.items():
            assert millions(AutoModel.from_config(PAPER[name])) == pytest.approx(size, abs=0.1), name
        clip = AutoModel.from_config(PAPER["openai/clip-vit-base-patch32"])
        assert millions(clip.vision_model) == pytest.approx(87.5, abs=0.1) and millions(clip) == pytest.approx(
            151.3, abs=0.1
        )
        large = AutoModelForImageTextToText.from_config(qwen("paper"))
    assert millions(large) == pytest.approx(8292, abs=1)


@pytest.mark.slow
def test_it_runs_small(benchmarks):
    import gpu

    from openmie.papers import pfa

    head, *found = gpu.lines(["--size", "small", "--device", "cpu", "--repeat", "1", "--warm", "0"])
    assert head.startswith("CPU, float32, size small")
    rows = {m[1]: m for m in map(LINE.match, found) if m}
    assert tuple(rows) == gpu.NAMES and len(found) == len(gpu.NAMES)
    printed = {name: recipe.training.batch_size for name, recipe in gpu.recipes().items()}
    printed["M-MRE/PFA"] = pfa.recipe(gpu.LABELS, flavour="paper").training.batch
    assert {name: int(m[2]) for name, m in rows.items()} == printed
    assert all(float(m[3]) > 0 and float(m[4]) > 0 for m in rows.values())
    assert "a run needs 0.4 GB" in found[-1]


def test_one_that_fails_does_not_end_the_others(benchmarks, monkeypatch):
    import gpu

    def measure(name, *_):
        if name == "M3D":
            raise RuntimeError("no memory left\nat all")
        return name

    monkeypatch.setattr(gpu, "measure", measure)
    assert list(gpu.lines(["M3D", "Shap-CA"]))[1:] == ["M3D           failed: no memory left", "Shap-CA"]


def test_an_unknown_system_is_refused(benchmarks, capsys):
    import gpu

    with pytest.raises(SystemExit):
        list(gpu.lines(["Shap"]))
    assert "no system 'Shap'" in capsys.readouterr().err
