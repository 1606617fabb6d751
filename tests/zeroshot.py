"""A backend that says what a test has it say, and pictures for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from PIL import Image as Picture

from openmie.errors import ErrorRecord
from openmie.vlm.generate import Answer, Request, answer_one

Says = Callable[[Request], Any]  # a text, an Answer or a record; anything else is written as JSON


class Stub:
    """Answers by a function of the request, and keeps what it was asked. Its name tells the family of its boxes."""

    def __init__(self, says: Says, name: str = "pixels") -> None:
        self.says, self.name, self.asked = says, name, list[Request]()

    def facts(self) -> dict[str, Any]:
        return {"model": self.name}

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        for request in requests:
            self.asked.append(request)
            said = self.says(request)
            if isinstance(said, Answer | ErrorRecord):
                yield said
            else:
                yield Answer(text=said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))

    def generate(self, images: Any, prompt: str, schema: Any = None) -> str:
        return answer_one(self, images, prompt, schema)


def picture(width: int = 64, height: int = 48, colour: str = "navy") -> Picture.Image:
    return Picture.new("RGB", (width, height), colour)


def fenced(prompt: str) -> list[str]:
    """What stands between the marks of a prompt, piece by piece."""
    mark = next(line for line in prompt.splitlines() if line.startswith("----- DATA-"))
    return [piece.strip("\n") for piece in prompt.split(mark)[1::2]]


def plausible(request: Request) -> Any:
    """A right answer to whatever openmie asks: nothing found, in the form that was asked for; boxes as Qwen2.5-VL."""
    from openmie.vlm.boxes import probe as box_doctor
    from openmie.vlm.boxes.families import ADAPTERS

    if "Task 2 Answer:" in request.prompt:
        return "Task 1 Answer: A picture.\nTask 2 Answer: NER:\nimage-entity pair: {}"
    if request.schema == box_doctor.FORM:
        probes = (p for p in box_doctor.probes(16) if p.picture.tobytes() == request.images[0].tobytes())
        probe = next(p for p in probes if f"{p.colour} {p.shape}?" in request.prompt)
        return {"box": list(ADAPTERS["qwen2.5-vl"].encode(probe.box, probe.picture.size))}
    assert isinstance(request.schema, dict)
    return {name: "" if part["type"] == "string" else [] for name, part in request.schema["properties"].items()}
