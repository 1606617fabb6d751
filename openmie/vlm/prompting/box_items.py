"""The fields of one box of an answer, under the names that models were trained to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BOX_FIELDS = ("box", "box_2d", "bbox_2d", "bbox")  # ours, Gemini's and Gemma's, Qwen's, and what others write


def read_box_item(item: Any, images: int) -> Any:
    """The item with its values under `box` and the number of its image under `image`.

    Args:
        item: an item of the list of boxes.
        images: number of images in the request; one alone need not be named.

    Returns:
        The item with both fields, where it has them under any name; a number written as text is a number. What is no
        object comes back as it is.
    """
    if not isinstance(item, Mapping):
        return item
    name = next((field for field in BOX_FIELDS if field in item), "box")
    found = {("box" if key == name else key): value for key, value in item.items()}
    if "image" not in found and images == 1:
        found["image"] = 1
    number = found.get("image")
    if isinstance(number, str) and number.strip().isascii() and number.strip().isdigit() and len(number) < 10:
        found["image"] = int(number)
    return found
