"""Loads a vision-language model of the transformers library: weights, processor, revision, device and dtype.

Weights come from safetensors only, and no code of a repository is run. Image processors are Pillow's, so that
torchvision need not be installed; a processor whose video processor is missing is built without one.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openmie.errors import ModelError
from openmie.model import safe_loading

LOADED_SUFFIXES = (".json", ".safetensors", ".jinja", ".txt", ".model")  # files that a model is loaded from
EXPECTED = "a vision-language model: a hub id, or a folder with config, tokenizer, processor and safetensors weights"


def resolve_revision(source: str, revision: str = "") -> str:
    """Identify the weights of a model.

    Files of a folder are read whole, about a second a gigabyte: its name alone does not tell what was trained since.
    Folders within, where training keeps checkpoints, do not count.

    Args:
        source: hub id or folder.
        revision: commit, branch or tag of a hub id; "": its main branch.

    Returns:
        The commit of a hub repository, or "sha256:..." over the files of a folder.

    Raises:
        ModelError: a model that cannot be found.
    """
    folder = Path(source)
    if not folder.is_dir():
        from transformers import AutoConfig

        config = _guarded(
            source, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **revision_argument(revision))
        )
        return str(getattr(config, "_commit_hash", None) or revision)
    digest = hashlib.sha256()
    files = [*folder.iterdir(), *folder.glob("additional_chat_templates/*")]
    for file in sorted(f for f in files if f.is_file() and f.suffix in LOADED_SUFFIXES):
        with file.open("rb") as stream:
            digest.update(file.name.encode() + b"\0")
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def revision_argument(revision: str) -> dict[str, str]:
    """The keyword argument of `from_pretrained`; none for the main branch."""
    return {"revision": revision} if revision else {}


def load_model_and_processor(source: str, revision: str, device: str, dtype: str) -> tuple[Any, Any]:
    """Load a model for inference, with its processor.

    Args:
        source: hub id or folder.
        revision: commit, branch or tag of a hub id; "": its main branch.
        device: torch device, such as "cpu" or "cuda:1".
        dtype: "auto" (as saved), "float32", "bfloat16" or "float16".

    Returns:
        (model, processor); the model on its device, in evaluation mode.

    Raises:
        ModelError: no such model, one that reads no images, missing weights, or a package that is not installed.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    processor = load_processor(source, revision)
    torch_dtype: Any = dtype if dtype == "auto" else getattr(torch, dtype)
    model, info = _guarded(
        source,
        lambda: AutoModelForImageTextToText.from_pretrained(
            source,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch_dtype,
            output_loading_info=True,
            **revision_argument(revision),
        ),
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        missing = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
        raise ModelError(
            f"model {source!r} lacks {len(missing)} weights, such as {missing[0]}",
            expected="the weights of a trained model",
            remedy="download it again; random weights give random answers",
        )
    return model.to(device).eval(), processor


def load_processor(source: str, revision: str = "") -> Any:
    """Load a model's processor: tokenizer, image processor and chat template. Raises `ModelError` as the model does."""
    from transformers import AutoConfig, AutoProcessor

    pinned = revision_argument(revision)

    def load() -> Any:
        try:
            return AutoProcessor.from_pretrained(source, backend="pil", trust_remote_code=False, **pinned)
        except (ImportError, ValueError, TypeError) as error:
            if "ideo" not in str(error):  # Video, video: a missing video processor does not matter here
                raise
            return _without_video_processor(source, revision)

    _guarded(source, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned))
    processor = _guarded(source, load)
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(
            f"model {source!r} has a {type(processor).__name__} and no processor of images and texts",
            expected=EXPECTED,
            remedy="name a vision-language model; a fine-tuned one needs its processor saved beside it",
        )
    return processor


def _without_video_processor(source: str, revision: str) -> Any:
    """The processor, built from its parts; it has no attribute for videos, so that it can be saved as any other."""
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    pinned = revision_argument(revision)
    base: Any = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned))]
    attributes = list(base.get_attributes())

    def check(self: Any, name: str, value: Any) -> Any:
        return (
            None
            if name == "video_processor" and value is None
            else base.check_argument_for_proper_class(self, name, value)
        )

    own_class = {
        "check_argument_for_proper_class": check,
        "get_attributes": classmethod(lambda cls: attributes),
        "__module__": base.__module__,
    }
    cls: Any = type(base.__name__, (base,), own_class)
    settings, _ = cls.get_processor_dict(source, **pinned)
    own = {k: v for k, v in settings.items() if k not in ("image_processor", "video_processor", "processor_class")}
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **pinned)
    images = AutoImageProcessor.from_pretrained(source, backend="pil", trust_remote_code=False, **pinned)
    template = {"chat_template": tokenizer.chat_template}
    made = cls(image_processor=images, tokenizer=tokenizer, video_processor=None, **{**template, **own})
    del made.video_processor
    attributes.remove("video_processor")
    return made


def save_processor(processor: Any, folder: str | Path) -> None:
    """Save a processor beside its model, so that machines with and without torchvision load it.

    One that was built without a video processor also gets the image processor's own file, from which the transformers
    library derives a video processor where it can, as it does for the folders on the hub.

    Args:
        processor: of `load_processor`, or another of the transformers library.
        folder: the model's.
    """
    processor.save_pretrained(folder)
    takes_videos = "video_processor" in inspect.signature(type(processor).__init__).parameters
    if takes_videos and not hasattr(processor, "video_processor"):
        processor.image_processor.save_pretrained(folder)


def _guarded(source: str, load: Callable[[], Any]) -> Any:
    """Load safely; whatever transformers raises for a model that is not there becomes a `ModelError`."""
    try:
        with safe_loading.loading(source, ModelError):
            return load()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        remedy = "check the name; without a network, pass a local folder"
        raise ModelError(
            f"model {source!r} cannot be loaded: {first[:300]}",
            expected=EXPECTED,
            remedy="install the package that it names" if isinstance(error, ImportError) else remedy,
        ) from error


def resolve_device(name: str) -> str:
    """The torch device of a name; "": the GPU where there is one. Raises `ModelError` for a missing device."""
    import torch

    if not name:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0][:120]}",
            expected="cpu, cuda, cuda:1 or another torch device",
            remedy="leave it out to use the GPU where there is one",
        ) from error
    return name


def resolve_dtype(name: str, device: str) -> str:
    """The precision of a name; "": float32 on a CPU, where the short types are slow, else as saved ("auto")."""
    import torch

    if not name:
        return "float32" if device == "cpu" else "auto"
    if name != "auto" and not isinstance(getattr(torch, name, None), torch.dtype):
        raise ModelError(
            f"unknown dtype {name!r}", expected="one of auto, float32, bfloat16, float16", remedy="choose one"
        )
    return name
