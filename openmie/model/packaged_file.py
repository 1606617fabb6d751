"""Files of models that installed packages carry: found without importing the package, and read if they are the known
ones."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from mmap import ACCESS_COPY, mmap
from pathlib import Path

from openmie.errors import MissingPackageError, ModelError


def packaged_file(model: str, package: str, module: str, file: str, extra: str) -> Path:
    """Where an installed package keeps a file or folder of a model; the package is not imported.

    Args:
        model: what needs it, for the error, such as "the text encoder e5".
        package: as it is installed.
        module: as it is imported.
        file: path within the module.
        extra: of openmie, that installs the package.

    Raises:
        MissingPackageError: the package is not installed.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            f"{model} needs the package {package}, which is not installed",
            remedy=f"install it: pip install 'openmie[{extra}]'",
        )
    return Path(next(iter(spec.submodule_search_locations))) / file


def read_pinned(path: Path, sha256: str, remedy: str) -> bytes:
    """A file's bytes, if they are the known ones.

    Raises:
        ModelError: no such file, or another content.
    """
    data = path.read_bytes() if path.is_file() else b""
    _check(data, sha256, path, remedy)
    return data


def map_pinned(path: Path, sha256: str, remedy: str) -> mmap:
    """A file mapped into memory, if its bytes are the known ones: what is not used of it takes none.

    Changes that are made to the mapped bytes stay in this process.

    Raises:
        ModelError: no such file, or another content.
    """
    if not path.is_file() or not path.stat().st_size:
        _check(b"", sha256, path, remedy)
    with open(path, "rb") as file:
        data = mmap(file.fileno(), 0, access=ACCESS_COPY)
    _check(data, sha256, path, remedy)
    return data


def _check(data: bytes | mmap, sha256: str, path: Path, remedy: str) -> None:
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ModelError(
            f"SHA-256 {found[:16]}..." if len(data) else "no such file",
            expected=f"SHA-256 {sha256[:16]}...",
            where=str(path),
            remedy=remedy,
        )
