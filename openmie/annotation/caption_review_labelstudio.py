"""Captions for review in Label Studio: a task a caption, with its picture, an area to rewrite it, and yes or no.

`write` makes the tasks to import and, beside them, the labelling configuration for the project's settings; `read` takes
the project's JSON export back. The area holds the caption to begin with, so that only what is wrong has to be typed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openmie.errors import CorpusError
from openmie.formats import output
from openmie.formats.jsonl import load_json
from openmie.formats.labelstudio_paths import BLANK, LOCAL_FILES_URL

INTERFACE = """<View>
  <Header value="$generator"/>
  <Image name="image" value="$image"/>
  <Text name="text" value="$text"/>
  <Header value="Is the caption correct?"/>
  <Choices name="correct" toName="text" choice="single-radio" showInLine="true">
    <Choice value="yes"/><Choice value="no"/>
  </Choices>
  <Header value="The caption. Correct it where it is wrong."/>
  <TextArea name="corrected" toName="text" editable="true" maxSubmissions="1" rows="4"/>
  <Header value="Note"/>
  <TextArea name="note" toName="text" editable="true" maxSubmissions="1" rows="1"/>
</View>
"""


@dataclass(frozen=True, kw_only=True)
class CaptionJudgement:
    """A caption with the judgement of a reader."""

    document: str
    generator: str
    caption: str
    correct: bool | None = None  # None: not judged
    corrected: str = ""  # a better caption
    image: str = ""  # path or id of the image; documents of the same image share the judgement
    note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Document and generator, which identify a caption."""
        return self.document, self.generator


def named(path: str | os.PathLike[str]) -> bool:
    """A file of this format, by its name."""
    return Path(path).suffix.lower() == ".json"


def write(rows: Iterable[tuple[CaptionJudgement, str]], path: str | os.PathLike[str]) -> None:
    """Captions with the text of their document as tasks, and NAME.xml, the configuration, beside them.

    Pictures in the file's folder are named as Label Studio serves a local folder: this one, its parent being
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, as the root itself cannot be a storage. A post without one has an empty one.
    """
    folder = Path(os.path.realpath(path)).parent
    with output.open_output(path) as file:
        file.write(b"[")
        for number, (judgement, text) in enumerate(rows):
            task = json.dumps(_task(judgement, text, folder), ensure_ascii=False, sort_keys=True)
            file.write((b",\n" if number else b"\n") + output.encode_utf8(task, f"document {judgement.document}"))
        file.write(b"\n]\n")
    with output.open_output(Path(path).with_suffix(".xml")) as file:
        file.write(INTERFACE.encode())


def _task(judgement: CaptionJudgement, text: str, folder: Path) -> dict[str, Any]:
    data = {
        "document": judgement.document,
        "generator": judgement.generator,
        "caption": judgement.caption,
        "picture": judgement.image,
        "image": _shown(judgement.image, folder),
        "text": text,
    }
    begun = [
        {
            "id": "corrected",
            "from_name": "corrected",
            "to_name": "text",
            "type": "textarea",
            "value": {"text": [judgement.caption]},
        }
    ]
    return {"data": data, "predictions": [{"model_version": judgement.generator, "result": begun}]}


def _shown(image: str, folder: Path) -> str:
    if not image:
        return BLANK
    try:
        return LOCAL_FILES_URL + quote(f"{folder.name}/{Path(image).resolve().relative_to(folder).as_posix()}")
    except ValueError:  # outside: shown where the user's own storage serves it
        return image


def read(path: str | os.PathLike[str]) -> Iterator[tuple[int, CaptionJudgement]]:
    """The number of each task, from 0, and its judgement. A task that nobody has worked on is not judged.

    Of several annotations of a task the one that is marked as ground truth counts. `CorpusError`: another file, another
    verdict than yes or no, several annotations that say different things.
    """
    tasks = load_json(path)
    if not isinstance(tasks, list):
        raise CorpusError(
            "JSON that is no list", expected="a list of tasks", where=str(path), remedy="export the project as JSON"
        )
    for number, task in enumerate(tasks):
        where = f"{path}, task {number}"
        try:
            yield number, _judgement(task, where)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise CorpusError(
                f"a task of another shape ({type(error).__name__}: {str(error)[:80]})",
                expected="data with document, generator and caption",
                where=where,
                remedy="import what `openmie caption-review --out FILE.json` wrote, and export it as JSON",
            ) from None


def _judgement(task: Mapping[str, Any], where: str) -> CaptionJudgement:
    data = {key: task["data"].get(key, "") for key in ("document", "generator", "caption", "picture")}
    if wrong := [key for key, value in data.items() if not isinstance(value, str)]:
        raise ValueError(f"{wrong[0]} is no text")
    if missing := [key for key in ("document", "generator", "caption") if not data[key].strip()]:
        raise KeyError(missing[0])
    done = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
    values = {
        _annotation_values(a["result"], data["caption"], where)
        for a in [a for a in done if a.get("ground_truth")] or done
    }
    if len(values) > 1:
        raise CorpusError(
            f"{len(values)} annotations that say different things",
            expected="one a task",
            where=where,
            remedy="mark one of them as ground truth",
        )
    correct, corrected, note = values.pop() if values else (None, "", "")
    return CaptionJudgement(
        document=data["document"],
        generator=data["generator"],
        caption=data["caption"],
        correct=correct,
        corrected=corrected,
        image=data["picture"],
        note=note,
    )


def _annotation_values(result: Sequence[Mapping[str, Any]], caption: str, where: str) -> tuple[bool | None, str, str]:
    """Judgement, corrected caption where its words differ, and note of one annotation."""
    correct, texts = None, {"corrected": "", "note": ""}
    for item in result:
        name, value = item.get("from_name"), item["value"]
        if name == "correct":
            choice = "".join(value["choices"])
            if choice not in ("yes", "no"):
                raise CorpusError(
                    f"correct={choice!r}",
                    expected="yes or no",
                    where=where,
                    remedy="take the labelling configuration that was written beside the tasks",
                )
            correct = choice == "yes"
        elif name in texts:
            text = value["text"]
            texts[name] = text if isinstance(text, str) else "\n".join(text)
    better = texts["corrected"]
    same = better.split() == caption.split() or not better.strip()
    return correct, "" if same else better, texts["note"]
