"""Training examples of a corpus in the format of PFA, and the files that other people's fine-tuning scripts read.

    examples, skipped = build_sft_dataset(documents, PromptSpec(labels=("LOC", "PER")))
    export(examples, "exported", "train")

writes `exported/train.json`, a list of `{"id", "image": [...], "conversations": [{"from": "human", "value":
"<image>\\n..."}, {"from": "gpt", "value": ...}]}` as LLaVA has it, its pictures under `exported/images`, and
`exported/dataset_info.json`, by which LLaMA-Factory finds it; the Qwen fine-tuning scripts read the same file with
`--data_path exported/train.json --image_folder exported`. `format="messages"` writes OpenAI's roles instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.data.folder_lock import hold_folder
from openmie.errors import CorpusError, ErrorRecord, ImageError, OpenMIEError
from openmie.formats import output
from openmie.vlm import pfa
from openmie.vlm.pfa.labels import MentionLabels
from openmie.vlm.sft.example import SFTExample
from openmie.vlm.sft.image_check import broken_image, checked

PICTURE = "<image>"
FORMATS = ("llava", "messages")
TAGS: dict[str, dict[str, str]] = {
    "llava": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
    "messages": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
}
COLUMNS = {"llava": ("conversations", "image"), "messages": ("messages", "images")}  # of turns and of pictures


@dataclass(frozen=True, kw_only=True)
class PromptSpec:
    """What each prompt asks for, as `openmie.vlm.pfa` takes it."""

    labels: MentionLabels
    tasks: tuple[str, ...] = pfa.TASKS
    patches: bool = True  # the lettered patches are shown
    plain: bool = False  # without PFA: the text alone, and an answer without headers


def build_example(document: Document, ask: PromptSpec) -> SFTExample:
    """The training example of one document.

    Raises:
        OpenMIEError: no image or one that cannot be read, no summary where the task needs it, an unknown label.
    """
    group = pfa.image_group(document, ask.patches)
    if document.main_image is None or ("summary" in ask.tasks and not document.summary.strip()):
        raise OpenMIEError(
            "no main image" if document.main_image is None else "no summary",
            expected="a document with an image, and a summary to learn from",
            where=f"document {document.id}",
            remedy="choose documents with openmie.datasets.mmre, and name the captions to be summaries",
        )
    if (broken := broken_image(document, group)) is not None:
        raise ImageError.of(broken)
    return SFTExample(
        document=document,
        images=group,
        prompt=pfa.instruction(document, ask.labels, ask.tasks, ask.patches, ask.plain),
        answer=pfa.render(document, ask.labels, ask.tasks, plain=ask.plain),
    )


def build_sft_dataset(documents: Iterable[Document], ask: PromptSpec) -> tuple[list[SFTExample], list[ErrorRecord]]:
    """The training examples of documents, and a record for each that gives none; each picture is read whole."""
    made: list[SFTExample] = []
    refused: list[ErrorRecord] = []
    for found in checked(partial(_example_or_record, ask=ask), documents):
        if isinstance(found, ErrorRecord):
            refused.append(found)
        else:
            made.append(found)
    return made, refused


def _example_or_record(document: Document, ask: PromptSpec) -> SFTExample | ErrorRecord:
    try:
        return build_example(document, ask)
    except OpenMIEError as error:
        return error.record


def export(lessons: Iterable[SFTExample], folder: str | os.PathLike[str], split: str, format: str = "llava") -> Path:
    """Write `folder/SPLIT.json` and its pictures, and name it in `folder/dataset_info.json`; say where it is.

    Images are PNG files of the upright originals and patches, as they were labelled. A `<image>` in a text is broken by
    a blank, for scripts count these marks.

    Args:
        lessons: the examples.
        folder: where to write.
        split: name of the file.
        format: one of FORMATS.

    Returns:
        The path of the JSON file.

    Raises:
        CorpusError: another format, two examples of one id, a split's name that is no file name.
        ImageError: an image that cannot be read; nothing was written then.
    """
    if format not in FORMATS or not re.fullmatch(r"[\w.-]+", split):
        raise CorpusError(
            f"format {format!r}, split {split!r}",
            expected=f"one of {FORMATS}; a name for a file",
            where="export",
            remedy="choose one",
        )
    lessons, at = list(lessons), Path(folder)
    for broken in checked(lambda item: broken_image(item.document, item.images), lessons):
        if broken is not None:
            raise ImageError.of(broken)
    with hold_folder(at):
        return _exported(lessons, at, split, format)


def _exported(lessons: Sequence[SFTExample], at: Path, split: str, format: str) -> Path:
    writing.make_folder(at / "images")
    rows: dict[str, dict[str, Any]] = {}
    for item in lessons:
        if item.id in rows:
            raise CorpusError(
                f"two lessons of document {item.id!r}",
                expected="one id a document",
                where="export",
                remedy="export them as two splits",
            )
        rows[item.id] = _row(item, at, split, format)
    with output.open_output(at / f"{split}.json") as file:
        file.write(output.encode_utf8(json.dumps(list(rows.values()), ensure_ascii=False, indent=1), split))
    _inform(at, split, format)
    return at / f"{split}.json"


def _row(item: SFTExample, at: Path, split: str, format: str) -> dict[str, Any]:
    stem = hashlib.sha256(item.id.encode("utf8", "surrogatepass")).hexdigest()[:16]
    names = []
    for n, picture in enumerate(item.pictures()):
        names.append(f"images/{split}-{stem}-{n}.png")
        with output.open_output(at / names[-1]) as file:
            picture.save(file, format="PNG")
    asked = "\n".join([*[PICTURE] * len(names), _broken(item.prompt)])
    tags, (turns, pictures) = TAGS[format], COLUMNS[format]
    said = [("system", item.system)] if item.system else []
    said += [(tags["user_tag"], asked), (tags["assistant_tag"], _broken(item.answer))]
    told = [{tags["role_tag"]: role, tags["content_tag"]: text} for role, text in said]
    return {"id": item.id, pictures: names, turns: told}


def _broken(text: str) -> str:
    return text.replace(PICTURE, "< image>")


def _inform(at: Path, split: str, format: str) -> None:
    path = at / "dataset_info.json"
    known = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    turns, pictures = COLUMNS[format]
    columns, tags = {"messages": turns, "images": pictures}, {**TAGS[format], "system_tag": "system"}
    known[split] = {"file_name": f"{split}.json", "formatting": "sharegpt", "columns": columns, "tags": tags}
    with output.open_output(path) as file:
        file.write(output.encode_utf8(json.dumps(known, ensure_ascii=False, indent=1), "dataset_info.json"))


@dataclass(frozen=True)
class ChatRow:
    """A row of an exported file: images by path, prompt and answer."""

    id: str
    images: tuple[Path, ...]
    prompt: str
    answer: str
    system: str = ""


def read(path: str | os.PathLike[str]) -> list[ChatRow]:
    """The rows of a file that `export` wrote, in either format. Errors: a file of another kind, a picture not there."""
    at = Path(path)
    try:
        rows = json.loads(at.read_text(encoding="utf8"))
        return [_chat_row(row, at.parent) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{type(error).__name__}: {str(error)[:160]}",
            expected="conversations as LLaVA has them",
            where=str(at),
            remedy="read a file that openmie mmre --llava wrote",
        ) from None


def _chat_row(row: dict[str, Any], folder: Path) -> ChatRow:
    format = FORMATS[1] if COLUMNS[FORMATS[1]][0] in row else FORMATS[0]
    (turns, pictures), tags = COLUMNS[format], TAGS[format]
    said: Sequence[dict[str, str]] = row[turns]
    texts = {turn[tags["role_tag"]]: turn[tags["content_tag"]] for turn in said}
    names = row.get(pictures, [])
    prompt = texts[tags["user_tag"]].removeprefix(f"{PICTURE}\n" * len(names))
    paths = tuple(folder / name for name in names)
    if missing := [p for p in paths if not p.exists()]:
        raise CorpusError(
            f"no file {missing[0]}",
            expected="the pictures beside the file",
            where=row["id"],
            remedy="copy the folder images too",
        )
    return ChatRow(row["id"], paths, prompt, texts[tags["assistant_tag"]], texts.get("system", ""))


def texts(lessons: Iterable[SFTExample]) -> tuple[list[str], list[str]]:
    """The prompts and the answers of examples, as a tokenizer is trained on them."""
    pairs = [(x.prompt, x.answer) for x in lessons]
    return [p for p, _ in pairs], [a for _, a in pairs]


__all__ = [
    "COLUMNS",
    "FORMATS",
    "TAGS",
    "ChatRow",
    "PromptSpec",
    "SFTExample",
    "build_example",
    "build_sft_dataset",
    "export",
    "read",
    "texts",
]
