"""Renders a request as the text that a model reads: its chat template, or image tokens and prompt without one.

User text stays text: a special token (`<|im_end|>`, `<image>`) that occurs in a prompt gets a blank behind its first
character, so that no post can end a turn, speak as another role or refer to an image that is not there.
"""

from __future__ import annotations

import re
from typing import Any

from openmie.errors import OpenMIEError
from openmie.vlm.generate import GenerationError, Request


def render_prompt(processor: Any, request: Request) -> str:
    """Render a request up to where the answer begins. Images come before the prompt, in their order.

    Where a template rejects or drops a system message, the message stands at the head of the prompt.

    Args:
        processor: a transformers processor with tokenizer.
        request: prompt, images and system message; only the number of images matters here.

    Returns:
        The text to tokenise, image tokens included.

    Raises:
        GenerationError: a chat template that loses the prompt.
        OpenMIEError: a processor without chat template and without image token.
    """
    prompt, system = break_special_tokens(processor, request.prompt), break_special_tokens(processor, request.system)
    whole = "\n\n".join(x for x in (system, prompt) if x)
    if not _has_template(processor):
        return _image_tokens(processor, len(request.images)) + whole
    tries = [(system, prompt), ("", whole)] if system else [("", prompt)]
    failure = ""
    for system_text, user_text in tries:
        for as_parts in (True, False)[: 1 if request.images else 2]:  # templates of language models read a string
            try:
                text = _apply_template(processor, system_text, user_text, len(request.images), as_parts)
            except Exception as error:  # a template raises whatever it likes, mostly jinja2's TemplateError
                failure = f"failed with {type(error).__name__}: {str(error)[:200]}"
                continue
            if all(x.strip() in text for x in (system_text, user_text)):
                return text
            failure = "dropped the prompt"
    raise GenerationError(
        f"chat template {failure}",
        expected="a template for user messages with images",
        remedy="check the model's chat_template.jinja",
    )


def _has_template(processor: Any) -> bool:
    return bool(getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None))


def _apply_template(processor: Any, system: str, user: str, images: int, as_parts: bool) -> str:
    def content(text: str, images: int = 0) -> Any:
        return [*[{"type": "image"}] * images, {"type": "text", "text": text}] if as_parts else text

    messages = [{"role": "system", "content": content(system)}] if system else []
    messages.append({"role": "user", "content": content(user, images)})
    owner = processor if getattr(processor, "chat_template", None) else processor.tokenizer
    return str(owner.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _image_tokens(processor: Any, images: int) -> str:
    """One image token a line, for processors without a template."""
    if not images:
        return ""
    token = getattr(processor, "image_token", None)
    if not isinstance(token, str):
        raise OpenMIEError(
            "processor has neither a chat template nor an image token",
            expected="a chat template, or an image token",
            remedy="use an instruction-tuned model",
        )
    vocabulary = processor.tokenizer.get_vocab()
    if {"<|vision_start|>", "<|vision_end|>"} <= vocabulary.keys():
        token = f"<|vision_start|>{token}<|vision_end|>"
    return f"{token}\n" * images


def break_special_tokens(processor: Any, text: str) -> str:
    """Insert a blank into each special token of a text, so that it is tokenised as the characters that it shows.

    Args:
        processor: a transformers processor with tokenizer.
        text: text by users.

    Returns:
        The text; unchanged where it has no special token.
    """
    special = {str(t) for t in processor.tokenizer.added_tokens_decoder.values() if t.special and len(str(t)) > 1}
    special |= {t for name in ("image_token", "video_token") if isinstance(t := getattr(processor, name, None), str)}
    if not special:
        return text
    pattern = re.compile("|".join(re.escape(t) for t in sorted(special, key=len, reverse=True)))
    while match := pattern.search(text):
        at = match.start() + 1
        text = f"{text[:at]} {text[at:]}"
    return text
