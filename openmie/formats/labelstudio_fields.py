"""Which keys of Label Studio tasks hold the text and the images: a project names them as it likes.

The labelling configuration says it (`<Text name="text" value="$tweet"/>`), but an export does not hold that. Without
one, what annotators did says it: the text is the value that the spans' own texts stand in, and an image is what
rectangles were drawn on, or what is named like a picture's file. A caption or an id is no image, whatever its key.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from openmie.errors import CorpusError
from openmie.formats.labelstudio_paths import stored_path

SPANS = ("labels", "hypertextlabels")
_PICTURE = re.compile(r"\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|mpo|ppm|jp2|avif|heic)$", re.IGNORECASE)
_NAMED = re.compile(r"(image|img|picture|pic|photo|frame)s?_?(url|uri|path|file|src)?_?\d*$", re.IGNORECASE)
Task = Mapping[str, Any]


@dataclass(frozen=True)
class Fields:
    """The keys of one project's tasks.

    Args:
        text: key of the text; "": a project without spans and without a key `text`.
        images: what rectangles name as their object (`to_name`) -> key of the image.
        declared: whether a labelling configuration said so; then no other key holds an image.
    """

    text: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    declared: bool = False


def read_config(path: str | os.PathLike[str]) -> Fields:
    """The fields that a labelling configuration declares.

    Args:
        path: XML file, as the settings of a project show it.

    Raises:
        CorpusError: no XML, or no configuration.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.S):
            raise ValueError("a declaration of its own")
        tags = list(ElementTree.fromstring(text).iter())
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise CorpusError(
            f"no labelling configuration ({str(error)[:120]})",
            expected="XML, <View> with <Text> and <Image>",
            where=os.fspath(path),
            remedy="copy it from the project's settings, Labeling Interface, Code",
        ) from None
    found = {
        kind: {
            t.get("name", ""): (t.get("value") or t.get("valueList") or "").removeprefix("$")
            for t in tags
            if t.tag.lower() in kinds
        }
        for kind, kinds in (("text", ("text", "hypertext")), ("image", ("image",)))
    }
    return Fields(text=next(iter(found["text"].values()), ""), images=found["image"], declared=True)


def find_fields(tasks: Sequence[Task], results: Sequence[Sequence[Task]]) -> Fields:
    """The fields that the tasks of a project show.

    Args:
        tasks: of one project.
        results: what was annotated in each of them.
    """
    texts: Counter[str] = Counter()
    pictures: dict[str, Counter[str]] = {}
    for task, items in zip(tasks, results):
        data = task["data"]
        for item in items:
            if item.get("type") in SPANS:
                texts.update(dict(_fitting(item, data)))
            elif "original_width" in item and isinstance(item.get("to_name"), str):
                pictures.setdefault(item["to_name"], Counter()).update(_candidates(item["to_name"], data))
    named = {str(item.get("to_name")) for items in results for item in items if item.get("type") in SPANS}
    best = max(texts.values(), default=0)
    fits = [key for key, count in texts.items() if count == best]
    text = next((k for k in fits if k in named or k == "text"), fits[0] if fits else "")
    return Fields(text or _text_key(tasks, named), _assign(pictures))


def _fitting(item: Task, data: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Keys whose text has what a span says: 2 where it stands at the span's place, 1 where it stands elsewhere."""
    value = item.get("value")
    stated = value.get("text") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(stated, str) or not stated.strip():
        return
    start = value.get("start")
    for key, text in data.items():
        if isinstance(text, str) and stated.strip() in text:
            yield key, 2 if isinstance(start, int) and text[start:].startswith(stated) else 1


def _text_key(tasks: Sequence[Task], named: set[str]) -> str:
    """Where no span says which text it is of: what spans name, or `text`, or the one value that reads like a text."""
    keys = [k for k in (*sorted(named), "text") if any(isinstance(t["data"].get(k), str) for t in tasks)]
    if keys:
        return keys[0]
    prose = Counter(k for t in tasks for k, v in t["data"].items() if reads_like_text(k, v))
    return next(iter(prose)) if len(prose) == 1 else ""


def _candidates(name: str, data: Mapping[str, Any]) -> Iterator[str]:
    if is_file_name(data.get(name)):
        yield name
        return
    yield from (k for k, v in data.items() if any(looks_like_image(k, x) for x in (v if isinstance(v, list) else [v])))


def _assign(pictures: Mapping[str, Counter[str]]) -> dict[str, str]:
    """Each object's key: its own name, or the one that is left in all tasks; where several are, none."""
    found = {name: name for name, keys in pictures.items() if name in keys}
    for name, keys in pictures.items():
        left = [k for k in keys if k not in found.values()]
        if name not in found and len(left) == 1:
            found[name] = left[0]
    return found


def is_file_name(value: Any) -> bool:
    """Whether a value can be the name of a file or a link: a text without blanks or with a picture's ending."""
    if isinstance(value, list):
        return bool(value) and all(is_file_name(v) for v in value)
    return isinstance(value, str) and bool(value) and (not re.search(r"\s", value) or bool(_ends_like_picture(value)))


def _ends_like_picture(value: str) -> re.Match[str] | None:
    return _PICTURE.search(urlsplit(stored_path(value)).path if "://" in value else stored_path(value))


def looks_like_image(key: str, value: Any) -> bool:
    """Whether a key of a task's data holds an image that nothing was drawn on.

    Args:
        key: of the data.
        value: of the key.
    """
    if not isinstance(value, str) or "\n" in value or len(value) > 4096:
        return False
    if _ends_like_picture(value):
        return True
    numbered = re.fullmatch(r"image\d*", key) is not None
    link = "/" in value or numbered
    return bool(_NAMED.fullmatch(key)) and link and not re.search(r"\s", value)


def reads_like_text(key: str, value: Any) -> bool:
    """Whether a value has several words, and its key neither an id nor an image."""
    return isinstance(value, str) and " " in value.strip() and key != "id" and not looks_like_image(key, value)
