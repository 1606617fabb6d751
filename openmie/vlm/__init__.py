"""Large vision-language models: one protocol of images and a prompt in and text out, and what is built on it.

    from openmie.vlm import Cached, Endpoint, Local
    model = Cached(Local("Qwen/Qwen2.5-VL-3B-Instruct"), "answers.sqlite")
    model.generate([picture], "What is to be seen?", schema)

Names are loaded when first used: torch and transformers only with `Local`. Where to look:

    generate       the protocol: a request, an answer, what can go wrong
    backends       by name; local weights, endpoints, and the cache before either
    pfa            PFA's answers, written and read as one pair, their grammar and scores
    prompting      any task asked of an untrained model: schema, instruction, reading, windows
    boxes          what families of models mean by a box, with coordinates and a probe
    captions, generated_images, sft    what models are asked to write, and how they are fine-tuned
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
    from openmie.vlm.generated_images import Paint, translate

_MODULES = {
    **dict.fromkeys(("Answer", "Backend", "Grammar", "Request"), "generate"),
    **dict.fromkeys(("Paint", "translate"), "generated_images"),
    **dict.fromkeys(("Captioning", "caption"), "captions"),
    "Cached": "backends.response_cache",
    "Endpoint": "backends.endpoint",
    "Local": "backends.local",
    "connect": "backends",
}
__all__ = [
    "Answer", "Backend", "Cached", "Captioning", "Endpoint", "Grammar", "Local", "Paint", "Request", "caption",
    "connect", "translate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"openmie.vlm.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'openmie.vlm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
