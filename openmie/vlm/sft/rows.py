"""Rows of TRL's trainer: prompt, pictures and answer as text, made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openmie.vlm.backends.chat_template import break_special_tokens, render_prompt
from openmie.vlm.sft.example import SFTExample

if TYPE_CHECKING:
    from datasets import Dataset


def as_dataset(lessons: Sequence[SFTExample], processor: Any) -> Dataset:
    """Rows that are made when they are asked for: pictures of a whole corpus do not lie in memory.

    The prompt is the text that `openmie.vlm.backends.local` gives to the model, to the letter; the answer follows with
    what the chat template puts behind it.
    """
    from datasets import Dataset  # comes with TRL, which trainer.py asks for

    return Dataset.from_dict({"index": list(range(len(lessons)))}).with_transform(_Rows(lessons, processor))


class _Rows:
    """Indices -> rows. Known to `datasets` by its number alone, which would else pickle all documents for a hash."""

    def __init__(self, lessons: Sequence[SFTExample], processor: Any) -> None:
        self.lessons, self.processor, self.ending = lessons, processor, end_of_turn(processor)

    def __reduce__(self) -> tuple[Any, ...]:
        return id, (id(self),)

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {"prompt": [], "completion": [], "images": []}
        for request, answer in ((self.lessons[i].request(), self.lessons[i].answer) for i in batch["index"]):
            found["prompt"].append(render_prompt(self.processor, request))
            found["completion"].append(break_special_tokens(self.processor, answer) + self.ending)
            found["images"].append(list(request.images))
        return found


def end_of_turn(processor: Any) -> str:
    """What a chat template writes behind an answer; the end token where it writes nothing that ends one."""
    filler = processor if getattr(processor, "chat_template", None) else processor.tokenizer
    mark, end = "the answer", str(processor.tokenizer.eos_token or "")
    if not getattr(filler, "chat_template", None):
        return end
    for said in ([{"type": "text", "text": "?"}], "?"):  # templates of language models read a string
        told: Any = [{"type": "text", "text": mark}] if isinstance(said, list) else mark
        messages = [{"role": "user", "content": said}, {"role": "assistant", "content": told}]
        try:
            text = str(filler.apply_chat_template(messages, tokenize=False))
        except Exception:  # a template raises what it likes
            continue
        if mark in text and (told == mark or str(told) not in text):  # a list that was written out is none of its turns
            behind = text.rpartition(mark)[2]
            return behind if behind.strip() else end + behind
    return end
