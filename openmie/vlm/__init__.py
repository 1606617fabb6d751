"""Vision-language models: one protocol (images and a prompt in, text out), and what is built on it.

    from openmie.vlm import Cached, Endpoint, Local
    model = Cached(Local("Qwen/Qwen2.5-VL-3B-Instruct"), "answers.sqlite")
    model.generate([picture], "What does the picture show?", schema)

Names are imported when first used; torch and transformers only by `Local`. The modules:

    generate       the protocol: requests, answers, errors
    backends       `connect`; local weights, servers, and the response cache
    pfa            answers in PFA's format, rendered and parsed as one pair, with grammar and scores
    prompting      zero-shot extraction: schema, prompt, parsing, long texts
    boxes          how families of models write boxes
    captions, generated_images, sft    captions, text-to-image, and fine-tuning
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openmie.vlm.backends import connect
    from openmie.vlm.backends.endpoint import Endpoint
    from openmie.vlm.backends.local import Local
    from openmie.vlm.backends.response_cache import Cached
    from openmie.vlm.captions import Captioning, caption
    from openmie.vlm.generate import Answer, Backend, Grammar, Request
    from openmie.vlm.generated_images import TextToImage, translate

_MODULES = {
    **dict.fromkeys(("Answer", "Backend", "Grammar", "Request"), "generate"),
    **dict.fromkeys(("TextToImage", "translate"), "generated_images"),
    **dict.fromkeys(("Captioning", "caption"), "captions"),
    "Cached": "backends.response_cache",
    "Endpoint": "backends.endpoint",
    "Local": "backends.local",
    "connect": "backends",
}
__all__ = [
    "Answer", "Backend", "Cached", "Captioning", "Endpoint", "Grammar", "Local", "Request", "TextToImage", "caption",
    "connect", "translate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"openmie.vlm.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'openmie.vlm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
