"""Large vision-language models: one protocol of images and a prompt in and text out, and what is built on it.

    from openmie.lvlm import Cached, Endpoint, Local
    model = Cached(Local("Qwen/Qwen2.5-VL-3B-Instruct"), "answers.sqlite")
    model.generate([picture], "What is to be seen?", schema)

Names are loaded when first used: torch and transformers only with `Local`. Where to look:

    generate       the protocol: a request, an answer, what can go wrong
    backends       by name; local weights, endpoints, and the cache before either
    pfa            PFA's answers, written and read as one pair, their grammar and scores
    zeroshot       any task asked of an untrained model: schema, instruction, reading, windows
    boxes          what families of models mean by a box, with coordinates and box_doctor
    captions, translation, dataset, lesson, tiny    what models are asked to write, and taught
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openmie.lvlm.backends import connect
    from openmie.lvlm.backends.cache import Cached
    from openmie.lvlm.backends.endpoint import Endpoint
    from openmie.lvlm.backends.local import Local
    from openmie.lvlm.captions import Captioning, caption
    from openmie.lvlm.generate import Answer, Backend, Grammar, Request
    from openmie.lvlm.translation import Paint, translate

_HOME = {
    **dict.fromkeys(("Answer", "Backend", "Grammar", "Request"), "generate"),
    **dict.fromkeys(("Paint", "translate"), "translation"),
    **dict.fromkeys(("Captioning", "caption"), "captions"),
    "Cached": "backends.cache",
    "Endpoint": "backends.endpoint",
    "Local": "backends.local",
    "connect": "backends",
}
__all__ = [
    "Answer", "Backend", "Cached", "Captioning", "Endpoint", "Grammar", "Local", "Paint", "Request", "caption",
    "connect", "translate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"openmie.lvlm.{_HOME[name]}"), name)
    raise AttributeError(f"module 'openmie.lvlm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
