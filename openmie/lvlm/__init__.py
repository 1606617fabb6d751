"""Large vision-language models: one protocol of images and a prompt in and text out, and what is built on it.

    from openmie.lvlm import Cached, Endpoint, Local
    model = Cached(Local("Qwen/Qwen2.5-VL-3B-Instruct"), "answers.sqlite")
    model.generate([picture], "What is to be seen?", schema)

Names are loaded when first used: torch and transformers only with `Local`. Where to look:

    one question      generate (the protocol), local with weights, turns, guide; endpoint with wire, flight; cache
    PFA               pfa with pfa_labels, pfa_pairs, pfa_reading, pfa_grammar, locate; pfa_scores
    any task          schema with instruction, guard; reading with loose_json, found, occurrence; windows, coordinates
                      predict with by_schema, by_pfa, asking; asked, scoring for the command line
    boxes             boxes, box_doctor
    by name           backends
    data and models   captions, translation; dataset with lesson; tiny
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openmie.lvlm.backends import connect
    from openmie.lvlm.cache import Cached
    from openmie.lvlm.captions import Captioning, caption
    from openmie.lvlm.endpoint import Endpoint
    from openmie.lvlm.generate import Answer, Backend, Grammar, Request
    from openmie.lvlm.local import Local
    from openmie.lvlm.translation import Paint, translate

_HOME = {
    **dict.fromkeys(("Answer", "Backend", "Grammar", "Request"), "generate"),
    **dict.fromkeys(("Paint", "translate"), "translation"),
    **dict.fromkeys(("Captioning", "caption"), "captions"),
    "Cached": "cache",
    "Endpoint": "endpoint",
    "Local": "local",
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
