"""States of frozen backbones: computed once, kept on disk, keyed by weights, preprocessing and input bytes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from openmie.errors import ErrorRecord
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.features.images import needed_size, pictures_of
from openmie.model.pretrained import Model
from openmie.train.gather import json_across_processes
from openmie.train.lazy_examples import LazyExamples

IMAGE_BATCH = 32  # images of one pass


class Features(Mapping[str, Tensor]):
    """A table key -> tensor in one sqlite file; a write is whole or not there."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.table = sqlite3.connect(path, timeout=60)
        self.table.execute("create table if not exists states (key text primary key, value blob not null)")

    def __getitem__(self, key: str) -> Tensor:
        row = self.table.execute("select value from states where key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return load(row[0])["states"]

    def __contains__(self, key: object) -> bool:
        return self.table.execute("select 1 from states where key = ?", (key,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self.table.execute("select key from states"))

    def __len__(self) -> int:
        return self.table.execute("select count(*) from states").fetchone()[0]

    def put(self, states: Mapping[str, Tensor]) -> None:
        with self.table:
            self.table.executemany(
                "insert or ignore into states values (?, ?)",
                [(k, save({"states": v.contiguous()})) for k, v in states.items()],
            )


def weights_key(tower: nn.Module) -> str:
    """sha256 over names, types, shapes and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(tower.state_dict().items()):
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def cache_frozen(
    model: Model,
    examples: Sequence[EncodedDocument],
    path: Path,
    batch_size: int = 32,
    process: int = 0,
    processes: int = 1,
) -> int:
    """Give every example the keys of its frozen backbone states, computing those not there yet.

    Args:
        model: whose frozen backbones run.
        examples: of the documents, in every process the same.
        path: of the sqlite file, which all processes can write to.
        batch_size: texts of one pass.
        process: number of this process.
        processes: that share the work: each reads and computes its part, then tells the others the keys.

    Returns:
        How many states this process has computed.
    """
    encode, computed = model.extractor.encode, 0
    if not encode.cacheable:
        return 0
    store = model.featurizer.cached_states if isinstance(model.featurizer.cached_states, Features) else Features(path)
    model.featurizer.cached_states = store
    model.extractor.eval()
    keys = {name: weights_key(encode.get_submodule(name)) for name in encode.cacheable}
    told: list[tuple[int, Any, Any]] = []  # number of an example, keys, records
    for at in range(process * batch_size, len(examples), processes * batch_size):
        part = [examples[i] for i in range(at, min(at + batch_size, len(examples)))]
        if "text" in keys:
            computed += _text(model, part, keys["text"], store)
        if "vision" in keys:
            computed += _vision(model, part, keys["vision"], store)
        for i, example in enumerate(part, at):
            if isinstance(examples, LazyExamples):
                examples.keep_cached(i, example.cached, example.errors.values())
            if processes > 1:
                told.append((i, example.cached, [(k, v.model_dump()) for k, v in example.errors.items()]))
    for theirs in json_across_processes(told, next(model.extractor.parameters()).device) if processes > 1 else ():
        _take(examples, theirs)
    return computed


def _take(examples: Sequence[EncodedDocument], told: Iterable[tuple[int, Any, Any]]) -> None:
    """Take what a process tells of its examples."""
    for i, cached, errors in told:
        if "vision" in cached:
            cached["vision"] = [(slot, key) for slot, key in cached["vision"]]
        records = {what: ErrorRecord(**record) for what, record in errors}
        if isinstance(examples, LazyExamples):
            examples.keep_cached(i, cached, records.values())
        else:
            examples[i].cached, examples[i].errors = cached, records


def _text(model: Model, part: Sequence[EncodedDocument], weights: str, store: Features) -> int:
    inputs = model.featurizer.collate(part).inputs
    rows = [inputs["input_ids"][i, : int(n)] for i, n in enumerate(inputs["attention_mask"].sum(1))]
    types = [inputs["token_type_ids"][i, : len(r)] for i, r in enumerate(rows)]
    keys = [_key(weights, r.numpy().tobytes(), t.numpy().tobytes()) for r, t in zip(rows, types)]
    for example in part:
        example.cached["text"] = [keys.pop(0) for _ in example.rows]
    all_keys = [k for e in part for k in e.cached["text"]]
    if missing := [i for i, k in enumerate(all_keys) if k not in store]:
        device = next(model.extractor.parameters()).device
        states = model.extractor.encode.text_states({k: v.to(device) for k, v in inputs.items()}).cpu()
        store.put({all_keys[i]: states[i, : len(rows[i])] for i in missing})
        return len({all_keys[i] for i in missing})
    return 0


def _vision(model: Model, part: Sequence[EncodedDocument], weights: str, store: Features) -> int:
    assert model.vision is not None
    waiting, computed, kind = dict[str, object](), 0, model.extractor.encode.states_key

    def flush() -> int:
        device, n = next(model.extractor.parameters()).device, len(waiting)
        pixels = model.vision.process(list(waiting.values())).to(device)  # type: ignore[arg-type,union-attr]
        states = model.extractor.encode.vision_states({"pixels": pixels}).cpu()
        store.put(dict(zip(waiting, states)))
        waiting.clear()
        return n

    for example in part:
        example.cached["vision"] = []
        for slot, picture in pictures_of(example, model.featurizer.inputs, needed_size(model.vision.process)):
            content = np.asarray(picture)
            key = _key(kind, weights, model.vision.key.encode(), str(content.shape).encode(), content.tobytes())
            example.cached["vision"].append((slot, key))
            if key not in store:
                waiting[key] = picture
            if len(waiting) >= IMAGE_BATCH:
                computed += flush()
    return computed + (flush() if waiting else 0)


def _key(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
