"""A vision-language model of the transformers library: found, told from any other, and loaded.

From safetensors only, and with nothing that a repository brings as code. Image processors are Pillow's, so that
torchvision need not be there; a processor that asks for a video processor it cannot have is built without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from openmie.errors import ModelError
from openmie.model import safe_loading

READ = (".json", ".safetensors", ".jinja", ".txt", ".model")  # what a model is loaded from
NEEDED = "a vision-language model: a hub id, or a folder with config, tokenizer, processor and safetensors weights"


def commit(source: str, revision: str = "") -> str:
    """What the weights are known by: the commit of a hub repository, or the sha256 of a folder's files.

    A folder's files are read whole, about a second a gigabyte: its name alone would not tell what was trained into it
    since. Folders within, where a training keeps its checkpoints, do not count.
    """
    folder = Path(source)
    if not folder.is_dir():
        from transformers import AutoConfig

        found = _loading(
            source, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned(revision))
        )
        return str(getattr(found, "_commit_hash", None) or revision)
    digest = hashlib.sha256()
    files = [*folder.iterdir(), *folder.glob("additional_chat_templates/*")]
    for file in sorted(f for f in files if f.is_file() and f.suffix in READ):
        with file.open("rb") as stream:
            digest.update(file.name.encode() + b"\0")
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def pinned(revision: str) -> dict[str, str]:
    return {"revision": revision} if revision else {}


def load(source: str, revision: str, device: str, dtype: str) -> tuple[Any, Any]:
    """(model, processor), the model on its device and ready to answer.

    `ModelError`: no such model, one that sees no pictures, weights that lack, a package that it needs.
    """
    from transformers import AutoModelForImageTextToText

    made = processor(source, revision)
    kind: Any = dtype if dtype == "auto" else getattr(torch, dtype)
    model, info = _loading(
        source,
        lambda: AutoModelForImageTextToText.from_pretrained(
            source,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=kind,
            output_loading_info=True,
            **pinned(revision),
        ),
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        lacking = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
        raise ModelError(
            f"{source!r} lacks {len(lacking)} weights, such as {lacking[0]}",
            expected="the weights of a trained model",
            remedy="fetch it again; random weights would answer rubbish",
        )
    return model.to(device).eval(), made


def processor(source: str, revision: str = "") -> Any:
    """Tokenizer, image processor and chat template of a model. `ModelError` as in `load`."""
    from transformers import AutoConfig, AutoProcessor

    def made() -> Any:
        try:
            return AutoProcessor.from_pretrained(source, backend="pil", trust_remote_code=False, **pinned(revision))
        except (ImportError, ValueError, TypeError) as error:
            if "ideo" not in str(error):  # Video, video: that it has no processor for videos is no matter here
                raise
            return _without_videos(source, revision)

    _loading(source, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned(revision)))
    found = _loading(source, made)
    if not hasattr(found, "image_processor") or not hasattr(found, "tokenizer"):
        raise ModelError(
            f"{source!r} has a {type(found).__name__} and no processor of pictures and texts",
            expected=NEEDED,
            remedy="name a vision-language model; a fine-tuned one needs its processor saved beside it",
        )
    return found


def _without_videos(source: str, revision: str) -> Any:
    """The processor from its parts."""
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    there = pinned(revision)
    known: Any = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(source, trust_remote_code=False, **there))]

    def check(self: Any, name: str, value: Any) -> Any:
        return (
            None
            if name == "video_processor" and value is None
            else known.check_argument_for_proper_class(self, name, value)
        )

    kind: Any = type(
        known.__name__, (known,), {"check_argument_for_proper_class": check, "__module__": known.__module__}
    )
    settings, _ = kind.get_processor_dict(source, **there)
    own = {k: v for k, v in settings.items() if k not in ("image_processor", "video_processor", "processor_class")}
    words = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **there)
    images = AutoImageProcessor.from_pretrained(source, backend="pil", trust_remote_code=False, **there)
    return kind(
        image_processor=images, tokenizer=words, video_processor=None, **{"chat_template": words.chat_template, **own}
    )


def _loading(source: str, load: Callable[[], Any]) -> Any:
    try:
        with safe_loading.loading(source, ModelError):
            return load()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        remedy = "check the name; with no network, pass a local folder"
        raise ModelError(
            f"{source!r} cannot be loaded: {first[:300]}",
            expected=NEEDED,
            remedy="install the package that it names" if isinstance(error, ImportError) else remedy,
        ) from error


def device(name: str) -> str:
    """The device that is meant: "" is the GPU where there is one. `ModelError` for one that is not there."""
    if not name:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"device {name!r}: {str(error).splitlines()[0][:120]}",
            expected="cpu, cuda, cuda:1, ...",
            remedy="leave it out for what is there",
        ) from error
    return name


def dtype(name: str, on: str) -> str:
    """The precision that is meant: "" is float32 on a CPU, where the short ones are slow, else as saved ("auto")."""
    if not name:
        return "float32" if on == "cpu" else "auto"
    if name != "auto" and not isinstance(getattr(torch, name, None), torch.dtype):
        raise ModelError(f"dtype {name!r}", expected="auto, float32, bfloat16 or float16", remedy="choose one")
    return name
