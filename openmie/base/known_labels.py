"""What need not be computed again: vectors of a model's own labels and how general each is, and the states of the
reference names, by which that of any other label is known; in a file.

Without it the first text of a process waits for the encoder to read 40 descriptions and 150 names, which takes longer
than loading the model. The file names the weights that it was computed with and every text that was read: with other
weights nothing of it is taken, and a label whose description has changed is computed as any new one. The states of the
names are in half precision, which changes a label's generality by less than 0.001.

The build and fine-tuning write it; for a folder without it: python -m openmie.base.known_labels FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from openmie.base import text_files
from openmie.base.labels import RELATIONS, described
from openmie.base.reference import enumerations
from openmie.data.replace_file import replace_file

if TYPE_CHECKING:
    from openmie.base.text_model import TextModel

FILE = "labels.safetensors"


def write(folder: Path) -> None:
    """Compute the file of a folder with weights, from these: of the model's own labels, or of the built-in ones.

    Raises:
        ModelError: no weights in the folder.
    """
    from openmie.base.text_model import TextModel

    model = TextModel.load(folder)
    model.forget()
    model.tower.forget_labels()
    labels = described(model.settings.labels or None)
    relations = described(model.settings.relations or None, RELATIONS, "relation")
    tensors = {
        "labels": model.tower.encode_labels(labels),
        "general": model.generality(labels),
        "relations": model.tower.encode_labels(relations),
        "reference": torch.cat([states for states, _ in model.reference()]).half(),
    }
    about = {
        "weights": _weights(folder),
        "names": _names(),
        "labels": json.dumps(labels, ensure_ascii=False),
        "relations": json.dumps(relations, ensure_ascii=False),
    }
    with replace_file(folder / FILE, sync=True) as file:
        file.write(to_bytes({name: value.contiguous() for name, value in tensors.items()}, about))


def load_into(model: TextModel, folder: Path) -> bool:
    """Give a model what the file of its folder holds; whether there is one that was computed with its weights.

    Args:
        model: with the folder's weights, on the tower that they were trained on.
        folder: with them.
    """
    try:
        with safe_open(folder / FILE, "pt") as file:
            about = file.metadata() or {}
            if about.get("weights") != _weights(folder) or about.get("names", _names()) != _names():
                return False
            labels, relations = (json.loads(about[name]) for name in ("labels", "relations"))
            vectors = {name: file.get_tensor(name) for name in ("labels", "relations", "general")}
            reference = file.get_tensor("reference").float() if "names" in about else None
    except (OSError, SafetensorError, KeyError, ValueError):
        return False  # it saves time, no more
    shapes = [(len(labels), model.tower.width), (len(relations), model.tower.width), (len(labels),)]
    if [tuple(vector.shape) for vector in vectors.values()] != shapes:
        return False
    if reference is not None and reference.shape != (sum(len(w) for w, _ in enumerations()), 2 * model.tower.width):
        return False
    model.tower.remember_labels(relations, vectors["relations"])
    model.remember(labels, vectors["labels"], vectors["general"].to(torch.float32), reference)
    return True


def _weights(folder: Path) -> str:
    """SHA-256 of the weights of a folder."""
    return hashlib.sha256((folder / text_files.FILE).read_bytes()).hexdigest()


def _names() -> str:
    """SHA-256 of the reference names."""
    return hashlib.sha256(json.dumps(list(enumerations())).encode()).hexdigest()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
