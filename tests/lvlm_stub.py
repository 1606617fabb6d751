"""A quick backend for caption jobs: it says which picture it sees, and writes each call down. Imports no torch."""

from __future__ import annotations

import os
import time

import numpy as np
from PIL import Image as Picture

from openmie.errors import ErrorRecord
from openmie.vlm.backends.response_cache import picture_key
from openmie.vlm.generate import Answer, answer_one


def pixels(number):
    found = np.full((4, 5, 3), number % 251, dtype=np.uint8)
    found[0, 0] = number // 251
    return found


class Stub:
    """Says which picture it sees, by its key; some keys fail. Writes each call down before it answers."""

    name = "stub"

    def __init__(self, log=None, fails=(), pause=0.0, finish="stop"):
        self.log, self.fails, self.pause, self.finish, self.asked = log, set(fails), pause, finish, []

    def facts(self):
        return {"model": "stub"}

    def answers(self, requests):
        for request in requests:
            key = picture_key(request.images[0])
            self.asked.append(key)
            if self.log:
                with open(self.log, "a", encoding="utf8") as file:
                    file.write(key + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            time.sleep(self.pause)
            yield (ErrorRecord(where="stub", found="no answer") if key in self.fails else
                   Answer(text=f" picture {key} ", finish=self.finish, prompt_tokens=10, tokens=4, seconds=0.5))

    def generate(self, images, prompt, schema=None):
        return answer_one(self, images, prompt, schema)


def said(number):
    return f"picture {picture_key(Picture.fromarray(pixels(number)))}"


def key(number):
    return picture_key(Picture.fromarray(pixels(number)))
