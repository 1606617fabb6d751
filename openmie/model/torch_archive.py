"""Tensors of a file that `torch.save` wrote before torch 1.6, read without unpickling it.

Such a file is five pickles, then the numbers of each storage behind their count, in the order that the fifth pickle
lists them. The fourth is the state of a module: its names, each followed by the key of its storage. Only the texts of
these pickles are looked at, by the standard library's disassembler, which builds and calls nothing; shapes, types
and the order of the axes in the file are told by the caller.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from openmie.errors import ModelError

PICKLES = 5  # magic number, protocol, system, state, keys of the storages
TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "UNICODE")


def read_state(data: bytes, expected: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tensors of a module's state.

    Args:
        data: the file.
        expected: name -> a tensor of the shape, type and strides that it has there, each with a storage of its own.
        where: the file's path, for the errors.

    Returns:
        Name -> tensor, for every name that is expected.

    Raises:
        ModelError: another format, a name that is not there, or a storage that is not as long as its tensor.
    """
    stream = io.BytesIO(data)
    try:
        texts = [_texts(stream) for _ in range(PICKLES)]
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise _error(str(error), "a file of torch.save before torch 1.6", where) from None
    keys, name = dict[str, str](), ""
    for text in texts[3]:
        if text in expected:
            name = text
        elif text.isdecimal() and name:
            keys.setdefault(name, text)
    if lacking := [n for n in expected if n not in keys]:
        raise _error(f"no tensor {lacking[0]!r}", f"{len(expected)} tensors, each by its name", where)
    places = {key: name for name, key in keys.items()}
    return _storages(data, stream.tell(), [places.get(k, "") for k in texts[4]], expected, where)


def _texts(stream: io.BytesIO) -> list[str]:
    """The texts of the next pickle of a stream, in order."""
    return [str(value) for code, value, _ in pickletools.genops(stream) if code.name in TEXTS]


def _storages(data: bytes, at: int, names: list[str], expected: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    found = {}
    for name in names:
        if name not in expected:
            raise _error("a storage of no tensor", "the storages of the tensors, in their order", where)
        numbers, size = expected[name].numel(), expected[name].element_size()
        end = at + 8 + numbers * size
        if end > len(data) or int.from_bytes(data[at : at + 8], "little") != numbers:
            raise _error(f"a storage of another length for {name!r}", f"{numbers:,} numbers", where)
        kind = np.dtype(str(expected[name].dtype).removeprefix("torch."))
        values = np.frombuffer(data, kind, numbers, at + 8).copy()
        found[name] = torch.from_numpy(values).as_strided(expected[name].shape, expected[name].stride())
        at = end
    if len(found) < len(expected) or at != len(data):
        raise _error(
            f"{len(found)} storages, and {len(data) - at} bytes behind them", f"{len(expected)} storages", where
        )
    return found


def _error(found: str, expected: str, where: str) -> ModelError:
    return ModelError(found, expected=expected, where=where, remedy="install the package that brings it again")
