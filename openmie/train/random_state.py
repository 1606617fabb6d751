"""The states of the random generators of Python, NumPy and torch, in this process and in all of a run."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from openmie.train.gather import across_processes

RandomState = tuple[dict[str, Tensor], dict[str, Any]]  # tensors, and the rest as JSON


def random_state() -> RandomState:
    """The random generators of this process."""
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    tensors = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor(internal, dtype=torch.int64),
        "numpy": torch.from_numpy(np.asarray(keys).astype(np.int64)),
    }
    if torch.cuda.is_available():
        tensors |= {f"cuda{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return tensors, {"python": [version, gauss], "numpy": [kind, int(position), int(has_gauss), float(cached)]}


def set_random_state(tensors: Mapping[str, Tensor], rng: Mapping[str, Any]) -> None:
    """Set them to what `random_state` gave."""
    version, gauss = rng["python"]
    random.setstate((version, tuple(tensors["python"].tolist()), gauss))
    kind, *rest = rng["numpy"]
    np.random.set_state((kind, tensors["numpy"].numpy().astype(np.uint32), *rest))
    torch.set_rng_state(tensors["torch"])
    cuda = [tensors[k] for k in sorted(tensors, key=lambda k: (len(k), k)) if k.startswith("cuda")]
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda)


def random_states(device: torch.device) -> list[RandomState]:
    """Those of all processes, in their order. Every process calls it, and it draws nothing."""
    tensors, rest = random_state()
    told = torch.frombuffer(bytearray(json.dumps(rest).encode()), dtype=torch.uint8)
    data = torch.frombuffer(bytearray(save({**tensors, "rest": told})), dtype=torch.uint8).to(device)
    sizes = across_processes(torch.tensor([len(data)], device=device)).tolist()
    found = []
    for part in across_processes(data).cpu().split(sizes):
        whole = load(part.numpy().tobytes())
        found.append((whole, json.loads(whole.pop("rest").numpy().tobytes())))
    return found
