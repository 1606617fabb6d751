"""Whose annotation of a Label Studio task is read: a person's, never a model's unless that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openmie.errors import ErrorRecord

LAYERS = ("annotations", "predictions")
ALL = "all"  # the annotator whose name is everybody's
Task = Mapping[str, Any]


def annotations_of(task: Task) -> list[Task]:
    """The annotations of a task, skipped ones too; `completions` in files of Label Studio before 1.0."""
    listed = task.get("annotations")
    listed = task.get("completions") if listed is None else listed
    return [a for a in listed or () if isinstance(a, Mapping)]


def was_skipped(annotation: Task) -> bool:
    """Whether the annotator skipped the task."""
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def is_annotated(task: Task) -> bool:
    """Whether anybody annotated the task and did not skip it."""
    return any(not was_skipped(a) for a in annotations_of(task))


def annotator_of(annotation: Task) -> str:
    """Who made an annotation: the id or e-mail of a person, the version of a model; "" where nothing says it."""
    who = annotation.get("completed_by", annotation.get("model_version"))
    if isinstance(who, Mapping):
        who = who.get("email") or who.get("id")
    return "" if who is None else str(who)


def choose(task: Task, layer: str, annotator: str, where: str) -> tuple[list[Task], list[ErrorRecord]]:
    """The annotations of a task that are to be read, and records of what is not.

    Args:
        task: of an export.
        layer: "annotations" or "predictions".
        annotator: id or e-mail of the person whose annotations are read, or a model's version; "all": everybody's; "":
            the ground truth where there is one, else the first.
        where: of the task, as records name it.

    Returns:
        One annotation, or with "all" any number, or none, with records of what was passed over.
    """
    made: Sequence[Task] = annotations_of(task)
    if layer == "predictions":
        made = [p for p in task.get("predictions") or () if isinstance(p, Mapping)]
    done = [a for a in made if not was_skipped(a)]
    if annotator not in ("", ALL):
        done = [a for a in done if annotator in _names(a)]
    if not done or annotator == ALL:
        return list(done), [] if done else _nothing(task, layer, annotator, where)
    true = [a for a in done if a.get("ground_truth")]
    if len(true) == 1 or len(done) == 1:
        return (true or done)[:1], []
    who = ", ".join(annotator_of(a) or "nobody named" for a in done)
    record = ErrorRecord(
        where=where,
        found=f"{len(done)} {layer} of one task, by {who}; the first is read",
        expected="one, or one that is ground truth",
        remedy=f"choose whose (annotator=NAME), or read everybody's (annotator={ALL})",
    )
    return (true or done)[:1], [record]


def _names(annotation: Task) -> set[str]:
    who = annotation.get("completed_by")
    names = {str(v) for k, v in who.items() if k in ("id", "email")} if isinstance(who, Mapping) else set()
    return names | {annotator_of(annotation)}


def _nothing(task: Task, layer: str, annotator: str, where: str) -> list[ErrorRecord]:
    """Why nothing of a task is read; nothing to tell of one that is to be annotated yet."""
    predictions = task.get("predictions") or ()
    remedy = "annotate it, or leave it out"
    if layer == "predictions":
        ids = [p for p in predictions if not isinstance(p, Mapping)]
        found = "predictions of which the file has only the ids" if ids else "a task without predictions"
        remedy = "export with the predictions themselves"
    elif annotator and is_annotated(task):
        found, remedy = f"a task that {annotator!r} did not annotate", "leave it out, or choose another annotator"
    elif any(was_skipped(a) for a in annotations_of(task)):
        found = "a task that its annotator skipped"
    elif task.get("annotations") or task.get("completions"):
        found, remedy = "annotations of which the file has only the ids", "export with the annotations themselves"
    elif task.get("drafts"):
        found, remedy = "a task with a draft that was not submitted", "submit it in Label Studio, and export again"
    elif predictions:
        found, remedy = "a task that nobody annotated", "a model's predictions are read with layer=predictions"
    elif "annotations" in task or "completions" in task:
        found = "a task that nobody annotated"
    else:
        return []
    return [ErrorRecord(where=where, found=found, expected=f"{layer} to read", remedy=remedy)]
