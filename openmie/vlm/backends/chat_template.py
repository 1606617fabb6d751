"""A request as the text that a model reads: its chat template filled in, or pictures and prompt one after the other.

What a user wrote is text and nothing else: a token with a meaning of its own (`<|im_end|>`, `<image>`) that stands in a
prompt gets a blank behind its first character, so that no post can end a turn, speak as another role or show a picture
that is not there.
"""

from __future__ import annotations

import re
from typing import Any

from openmie.errors import OpenMIEError
from openmie.vlm.generate import GenerationError, Request


def prompt(processor: Any, request: Request) -> str:
    """The text up to where the answer begins. Pictures come before the prompt, in their order.

    A template that refuses or drops a system message reads it at the head of the prompt. `GenerationError` where a
    template loses the prompt.
    """
    said, system = plain(processor, request.prompt), plain(processor, request.system)
    whole = "\n\n".join(x for x in (system, said) if x)
    if not _template(processor):
        return _bare(processor, len(request.images)) + whole
    tries = [(system, said), ("", whole)] if system else [("", said)]
    told = ""
    for first, second in tries:
        for parts in (True, False)[: 1 if request.images else 2]:  # templates of language models read a string
            try:
                text = _filled(processor, first, second, len(request.images), parts)
            except Exception as error:  # a template raises what it likes, mostly jinja2's TemplateError
                told = f"{type(error).__name__}: {str(error)[:200]}"
                continue
            if all(x.strip() in text for x in (first, second)):
                return text
            told = "a text without the prompt"
    raise GenerationError(
        f"the chat template gave {told}",
        expected="a template for user messages with images",
        remedy="look at the model's chat_template.jinja",
    )


def _template(processor: Any) -> bool:
    return bool(getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None))


def _filled(processor: Any, system: str, said: str, images: int, parts: bool) -> str:
    def content(text: str, images: int = 0) -> Any:
        return [*[{"type": "image"}] * images, {"type": "text", "text": text}] if parts else text

    messages = [{"role": "system", "content": content(system)}] if system else []
    messages.append({"role": "user", "content": content(said, images)})
    filler = processor if getattr(processor, "chat_template", None) else processor.tokenizer
    return str(filler.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _bare(processor: Any, images: int) -> str:
    """A line a picture, where no template says better."""
    if not images:
        return ""
    mark = getattr(processor, "image_token", None)
    if not isinstance(mark, str):
        raise OpenMIEError(
            "a processor without chat template and without image token",
            expected="one of them",
            remedy="take a model that was tuned to chat",
        )
    known = processor.tokenizer.get_vocab()
    if {"<|vision_start|>", "<|vision_end|>"} <= known.keys():
        mark = f"<|vision_start|>{mark}<|vision_end|>"
    return f"{mark}\n" * images


def plain(processor: Any, text: str) -> str:
    """The text with each special token broken, so that it is read as what it looks like."""
    special = {str(t) for t in processor.tokenizer.added_tokens_decoder.values() if t.special and len(str(t)) > 1}
    special |= {t for name in ("image_token", "video_token") if isinstance(t := getattr(processor, name, None), str)}
    if not special:
        return text
    found = re.compile("|".join(re.escape(t) for t in sorted(special, key=len, reverse=True)))
    while match := found.search(text):
        at = match.start() + 1
        text = f"{text[:at]} {text[at:]}"
    return text
