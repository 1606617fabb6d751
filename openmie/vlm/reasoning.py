"""Takes a model's reasoning off its answer, as models write it where their server leaves it in the text.

The marks are those of chat templates: `<think>` (Qwen, DeepSeek, GLM, SmolLM), `[THINK]` (Magistral), `◁think▷`
(Kimi-VL-Thinking), `<|channel|>` (gpt-oss) and `<|channel>` (Gemma 4); GLM-4.5V writes its answer between box marks.
"""

from __future__ import annotations

import re

_PAIRS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
)
_BOXED = re.compile(r"\s*<\|begin_of_box\|>(.*?)(?:<\|end_of_box\|>\s*)?", re.DOTALL)


def without_reasoning(text: str, prompt: str = "") -> str:
    """The answer behind the reasoning.

    Reasoning begins the text. Some templates write its opening mark themselves, so that only the closing one is in the
    text; it counts where the answer does not begin as JSON and the prompt does not contain the mark itself.

    Args:
        text: the text that a model generated.
        prompt: the prompt, whose own marks are quoted in an answer without meaning anything.

    Returns:
        The text without reasoning; "" where the reasoning does not end, the text itself where there is none.
    """
    begun = text.lstrip()
    for opening, closing in _PAIRS:
        if begun.startswith(opening):
            return _unboxed(begun.partition(closing)[2].lstrip())
    if not begun.startswith(("{", "[", "```")):
        for _, closing in _PAIRS:
            if closing in begun and closing not in prompt:
                return _unboxed(begun.partition(closing)[2].lstrip())
    return _unboxed(text)


def _unboxed(text: str) -> str:
    """The text between the marks that GLM-4.5V puts around its answer."""
    boxed = _BOXED.fullmatch(text)
    return boxed[1].strip() if boxed else text
