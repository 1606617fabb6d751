"""Models that others made, loaded without running anything that their makers wrote.

A folder can name Python files of its own (`auto_map` in its JSON, `custom_generate`). Every call that loads says
`trust_remote_code=False`, but the transformers library (5.23) does not hand that on to all parts that a model is made
of: for a language model within another it asks on standard input, and takes a `y` in piped data for consent. So nothing
is loaded outside `loading`, in which it cannot ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from openmie.errors import OpenMIEError

_lock = Lock()
_within: list[int] = []  # what the library waited before, once for each `loading` that has not ended


@contextmanager
def loading(source: str | Path, kind: type[OpenMIEError]) -> Iterator[None]:
    """Nobody is asked. Errors, of `kind`: code that would have to run; an adapter whose weights are a pickle."""
    _no_pickled_adapter(Path(source), kind)
    _enter()
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        named = _naming(Path(source))
        raise kind(
            f"{str(source)!r} brings code of its own that would have to run" + f" ({named})" * bool(named),
            expected="a model, tokenizer and processor of classes that the transformers library has",
            remedy="choose another model: openmie runs no code that comes with one",
        ) from error
    finally:
        _leave()


def _enter() -> None:
    from transformers import dynamic_module_utils as library

    with _lock:
        _within.append(_within[0] if _within else library.TIME_OUT_REMOTE_CODE)
        library.TIME_OUT_REMOTE_CODE = 0  # it raises where it would have asked


def _leave() -> None:
    from transformers import dynamic_module_utils as library

    with _lock:
        before = _within.pop()
        if not _within:
            library.TIME_OUT_REMOTE_CODE = before


def _no_pickled_adapter(folder: Path, kind: type[OpenMIEError]) -> None:
    """The library loads an adapter that lies beside a model, and takes a pickle whatever `use_safetensors` says."""
    if (folder / "adapter_model.bin").exists() and not (folder / "adapter_model.safetensors").exists():
        raise kind(
            f"adapter_model.bin in {str(folder)!r}",
            expected="weights as safetensors",
            remedy="save the adapter as safetensors: a pickle can run code when it is read",
        )


def _naming(folder: Path) -> str:
    files = sorted(folder.rglob("*config.json")) if folder.is_dir() else []
    naming = [f for f in files if '"auto_map"' in f.read_text(encoding="utf8", errors="replace")]
    names = [f.relative_to(folder).as_posix() for f in naming]
    return f"auto_map in {', '.join(names[:3])}" if names else ""
