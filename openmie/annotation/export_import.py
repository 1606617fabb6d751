"""Clips out to annotators and back: brat for text, LabelImg for frames, or Label Studio for both in one task.

    export     out/brat/         NAME.txt, NAME.ann, annotation.conf          text: entities, links, relations
               out/labelimg/     voc/NAME.xml, yolo/labels/NAME.txt, classes  frames: boxes
               out/labelstudio/  tasks.json, interface.xml                    all in one task
               and GUIDELINES.md in each
    collect    what annotators return, on the clips that they were given

Chains are links between mentions on the way (`openmie.annotation.coref_links`), as M3D's annotators drew them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from openmie.annotation import labelimg_import
from openmie.annotation.coref_links import COREFERENCE, chains_to_links, links_to_chains
from openmie.annotation.guidelines import LABELS, guidelines
from openmie.data.corpus import Labels
from openmie.data.document import Document, Image, Region, Relation
from openmie.data.folder_lock import hold_folder
from openmie.data.frame_files import link_or_copy
from openmie.datasets.relation_directions import end_types, match_direction
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import brat, labelstudio, output, voc, yolo
from openmie.formats.jsonl import load_json
from openmie.formats.labelstudio_annotations import is_annotated
from openmie.metrics.grounding import iou_matrix

TOOLS = ("brat", "labelimg", "labelstudio")


def export(
    documents: Iterable[Document], out: str | os.PathLike[str], tools: Sequence[str] = TOOLS, labels: Labels = LABELS
) -> dict[str, output.Written]:
    """One new folder a tool, with what is annotated already to be corrected; what each tool could not hold.

    `labels` are offered to the annotators, beside those that the documents have. In Label Studio what is annotated
    already is a prediction, so that a task counts as done only when a person did it. Errors: an unknown tool, a folder
    that is there already.
    """
    if unknown := sorted(set(tools) - set(TOOLS)):
        raise CorpusError.unknown("tool", unknown[0], TOOLS, where="video export")
    tools = tuple(dict.fromkeys(tools))
    if there := [t for t in tools if os.path.lexists(Path(out) / t)]:
        raise CorpusError(
            "something is there already",
            expected="no such folder",
            where=str(Path(out) / there[0]),
            remedy="remove it, or choose another folder",
        )
    flat = [chains_to_links(d) for d in documents]
    known = _with(labels, Labels.of(flat))
    make = {"brat": _brat, "labelimg": _labelimg, "labelstudio": _labelstudio}
    found: dict[str, output.Written] = {}
    with hold_folder(out):
        for tool in tools:
            found |= make[tool](flat, Path(out) / tool, known)
            (Path(out) / tool / "GUIDELINES.md").write_text(guidelines(tool, known), encoding="utf-8")
    return found


def _with(labels: Labels, more: Labels) -> Labels:
    layers = {
        name: tuple(dict.fromkeys((*getattr(labels, name), *getattr(more, name))))
        for name in ("mentions", "relations", "regions")
    }
    layers["relations"] = tuple(x for x in layers["relations"] if x != COREFERENCE)
    return Labels(**layers, symmetric=labels.symmetric)


def _brat(documents: list[Document], folder: Path, labels: Labels) -> dict[str, output.Written]:
    written = brat.write(documents, folder)
    any_ = "Arg1:<ENTITY>, Arg2:<ENTITY>"
    lines = [
        "[entities]",
        *map(brat.escape_label, labels.mentions),
        "",
        "[relations]",
        f"{COREFERENCE}\t{any_}, <REL-TYPE>:symmetric-transitive",
    ]
    for label in labels.relations:
        types = end_types(label)
        between = "Arg1:{}, Arg2:{}".format(*types) if types and set(types) <= set(labels.mentions) else any_
        turn = ", <REL-TYPE>:symmetric" if label in labels.symmetric else ""
        lines.append(f"{brat.escape_label(label)}\t{between}{turn}")
    text = "\n".join([*lines, "", "[events]", "", "[attributes]", ""])
    (folder / "annotation.conf").write_text(text, encoding="utf-8")
    return {"brat": written}


def _labelimg(documents: list[Document], folder: Path, labels: Labels) -> dict[str, output.Written]:
    folder.mkdir()
    found = {"labelimg, voc": voc.write(documents, folder / "voc")}
    found |= {"labelimg, yolo": yolo.write(documents, folder / "yolo")}
    for name in ("voc", "yolo"):  # classes keep the numbers that boxes were written with; the rest follows
        file = folder / name / "classes.txt"
        there = file.read_text(encoding="utf-8").split("\n")[:-1]
        lines = dict.fromkeys((*there, *(json.dumps(x, ensure_ascii=False)[1:-1] for x in labels.regions)))
        file.write_text("".join(f"{x}\n" for x in lines), encoding="utf-8")
    shutil.copyfile(folder / "yolo" / "classes.txt", folder / "yolo" / "labels" / "classes.txt")  # LabelImg looks there
    return found


def _labelstudio(documents: list[Document], folder: Path, labels: Labels) -> dict[str, output.Written]:
    """Frames go along, for Label Studio serves one folder; every task has every image that the interface names."""
    (folder / "frames").mkdir(parents=True)
    missing: list[ErrorRecord] = []
    placed = [
        d.replace(images=tuple(_copy_image(i, folder / "frames", d.id, missing) for i in d.images)) for d in documents
    ]
    offered = Labels(labels.mentions, (COREFERENCE, *labels.relations), (), labels.regions)
    file, config = folder / "tasks.json", folder / "interface.xml"
    written = labelstudio.write(placed, file, served=True, predictions=True, config=config, offered=offered)
    return {"labelstudio": replace(written, records=(*missing, *written.records))}


def _copy_image(image: Image, folder: Path, document: str, missing: list[ErrorRecord]) -> Image:
    """The image with its file in the folder, a link or, where links cannot be, a copy; without one if it is gone."""
    if image.path and not Path(image.path).is_file():
        missing.append(
            ErrorRecord(
                where=f"document {document}, image {image.id}",
                found=f"no file {image.path}",
                expected="the frame that build wrote",
                remedy="build the video again",
            )
        )
        return image.model_copy(update={"path": ""})
    if not image.path:
        return image
    return image.model_copy(update={"path": str(link_or_copy(Path(image.path), folder))})


def collect(
    clips: Iterable[Document],
    text: str | os.PathLike[str] | None = None,
    boxes: str | os.PathLike[str] | None = None,
) -> Iterator[Document | ErrorRecord]:
    """The clips with what annotators made of them; a clip that nobody returned keeps what it had, and says so.

    `text`: a brat folder or a Label Studio export, whose rectangles are read too. `boxes`: LabelImg's folder, VOC or
    YOLO; boxes find their frame by its file's name. Records at the end: what was returned and belongs to no clip.
    Errors: neither is given; a folder of another kind.
    """
    if text is None and boxes is None:
        raise CorpusError(
            "nothing to read",
            expected="annotated text, boxes or both",
            where="video import",
            remedy="name a brat folder, a Label Studio export or a LabelImg folder",
        )
    spans, unread = _read_returned(Path(text)) if text is not None else ({}, [])
    pages = labelimg_import.open_folder(boxes) if boxes is not None else None
    for clip in clips:
        document = clip
        if text is not None:
            document = _with_annotation(document, spans.pop(clip.id, None), f"{text}", Path(text).is_file())
        yield document if pages is None else _with_boxes(document, pages)
    yield from unread
    if spans:
        yield ErrorRecord(
            where=str(text),
            found=f"{len(spans)} documents of no clip, such as {next(iter(spans))!r}",
            expected="documents named as these clips",
            remedy="name all clips, or check who renamed them",
        )
    yield from pages.unmatched_files() if pages is not None else ()


def _read_returned(path: Path) -> tuple[dict[str, Document | ErrorRecord], list[ErrorRecord]]:
    """What was returned by the id of its clip, and what has none; a task that nobody did was not returned.

    Nor was a text of a brat folder whose `.ann` is gone: in one where nothing was marked it is there, and empty.
    """
    found: dict[str, Document | ErrorRecord] = {}
    others: list[ErrorRecord] = []
    alone = path.is_file()
    undone = _tasks_without_annotation(path) if alone else _texts_without_annotation(path)
    for item in labelstudio.read(path) if alone else brat.read(path):
        if isinstance(item, ErrorRecord) and alone:
            others += [item] if item.where not in undone else []
            continue
        id = item.id if isinstance(item, Document) else unquote(Path(item.where).stem)
        if id in found:
            others.append(
                ErrorRecord(
                    where=str(path),
                    found=f"the document {id!r} again",
                    expected="one of each",
                    remedy="remove one; the first was read",
                )
            )
        elif id not in undone:
            found[id] = item
    return found, others


def _tasks_without_annotation(path: Path) -> set[str]:
    """Label Studio's tasks without an annotation, or with skipped ones only, as records name them."""
    tasks = enumerate(load_json(path))
    return {f"{path}, task {n}" for n, t in tasks if isinstance(t, dict) and not is_annotated(t)}


def _texts_without_annotation(folder: Path) -> set[str]:
    """Ids of a brat folder's texts without an annotation file."""
    bare = [f for f in folder.rglob("*.txt") if not f.with_suffix(".ann").exists()]
    return {unquote(f.relative_to(folder).with_suffix("").as_posix()) for f in bare}


def _with_annotation(clip: Document, found: Document | ErrorRecord | None, where: str, regions: bool) -> Document:
    if not isinstance(found, Document) or found.text.rstrip("\r\n") != clip.text.rstrip("\r\n"):  # editors end a file
        what = "no annotation" if found is None else "another text" if isinstance(found, Document) else found.found
        return clip.replace(errors=(*clip.errors, _missing_record(clip, what, "this clip's text, annotated", where)))
    names = {i.id: i.id for i in clip.images} | {Path(i.path).stem: i.id for i in clip.images if i.path}
    missing: list[ErrorRecord] = []
    regions_: list[Region] = []
    for r in found.regions if regions else clip.regions:
        image = names.get(r.image) or names.get(Path(r.image).stem, "")
        of = r.of if regions else _matching_mention(clip, r.of, found)
        if not image:
            missing.append(_missing_record(clip, f"a box in {r.image!r}", "a frame of the clip", where))
        if r.of and not of:
            missing.append(
                _missing_record(clip, f"no mention of {r.of!r}, which a box in {r.image!r} shows", "one of them", where)
            )
        regions_ += [r.model_copy(update={"image": image, "of": of})] if image else []
    annotation_errors = [
        e for e in found.errors if not e.where.startswith(f"document {clip.id}, image ")
    ]  # paths: not needed
    return _fix_directions(
        links_to_chains(
            clip.replace(
                mentions=found.mentions,
                relations=found.relations,
                chains=(),
                regions=tuple(regions_),
                errors=(*clip.errors, *annotation_errors, *missing),
            )
        )
    )


def _fix_directions(clip: Document) -> Document:
    """The clip with relations from the type that their label names first; records say which were turned."""
    types = {c.id: c.label for c in clip.chains}
    relations: dict[tuple[str, str, str], Relation] = {}
    errors: list[ErrorRecord] = []
    for r in clip.relations:
        head, tail = r.head, r.tail
        if match_direction(r.label, types.get(head, ""), types.get(tail, "")) == "turned":
            errors.append(
                ErrorRecord(
                    where=f"document {clip.id}, relation {head} {tail}",
                    found=f"{r.label!r} from a {types[head]} to a {types[tail]}",
                    expected="the ends in the order of the label",
                    remedy="it was turned",
                )
            )
            head, tail = tail, head
        relations.setdefault((head, tail, r.label), r.model_copy(update={"head": head, "tail": tail}))
    return clip.replace(relations=tuple(relations.values()), errors=(*clip.errors, *errors))


def _matching_mention(clip: Document, of: str, found: Document) -> str:
    """The annotated mention where the clip has one of this thing: what boxes show, which brat cannot hold."""
    chain = next((c.mentions for c in clip.chains if c.id == of), (of,))
    places = {(m.start, m.end) for m in clip.mentions if m.id in chain}
    return next((m.id for m in found.mentions if (m.start, m.end) in places), "")


def _missing_record(clip: Document, found: str, expected: str, where: str) -> ErrorRecord:
    return ErrorRecord(
        where=f"document {clip.id}, {where}", found=found, expected=expected, remedy="annotate it, or leave it as it is"
    )


def _with_boxes(clip: Document, pages: labelimg_import.VocAnnotations | labelimg_import.YoloAnnotations) -> Document:
    """The clip with the boxes of its frames; one that overlaps an earlier one of its label shows what that did."""
    regions: list[Region] = []
    errors: list[ErrorRecord] = []
    for image in clip.images:
        page, before = pages.get(clip.id, image), [r for r in clip.regions if r.image == image.id]
        if isinstance(page, ErrorRecord):
            errors.append(page)
            regions += before
            continue
        same = iou_matrix(page[0], before)
        for r, row in zip(page[0], same):
            best = max(range(len(before)), key=lambda k: (before[k].label == r.label) * row[k], default=None)
            kept = best is not None and before[best].label == r.label and row[best] > 0.5
            regions.append(r.model_copy(update={"of": before[best].of}) if kept and best is not None else r)
        errors += page[1]
    return clip.replace(regions=tuple(regions), errors=(*clip.errors, *errors))
