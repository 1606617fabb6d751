"""Clips out to annotators and back: brat for text, LabelImg for frames, or Label Studio for both in one task.

    export     out/brat/         NAME.txt, NAME.ann, annotation.conf          text: entities, links, relations
               out/labelimg/     voc/NAME.xml, yolo/labels/NAME.txt, classes  frames: boxes
               out/labelstudio/  tasks.json, interface.xml                    all in one task
               and GUIDELINES.md in each
    collect    what annotators return, on the clips that they were given

Chains are links between mentions on the way (`openmie.corpora.linked`), as M3D's annotators drew them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from openmie.corpora import brat, labelstudio, output, voc, yolo
from openmie.corpora.boxes import Boxes
from openmie.corpora.corpus import Labels
from openmie.corpora.linked import COREFERENCE, chained, unchained
from openmie.document import Document, Image, Region
from openmie.errors import CorpusError, ErrorRecord
from openmie.video.guidelines import LABELS, guidelines

TOOLS = ("brat", "labelimg", "labelstudio")


def export(
    documents: Iterable[Document], out: str | os.PathLike[str], tools: Sequence[str] = TOOLS, labels: Labels = LABELS
) -> dict[str, output.Written]:
    """One new folder a tool, with what is annotated already to be corrected; what each tool could not hold.

    `labels` are offered to the annotators, beside those that the documents have. Errors: an unknown tool, a folder that
    is there already.
    """
    if unknown := sorted(set(tools) - set(TOOLS)):
        raise CorpusError(f"the tool {unknown[0]!r}", expected=f"one of {', '.join(TOOLS)}", where="video export",
                          remedy="correct it")
    flat = [unchained(d) for d in documents]
    known = _with(labels, Labels.of(flat))
    make = {"brat": _brat, "labelimg": _labelimg, "labelstudio": _labelstudio}
    Path(out).mkdir(parents=True, exist_ok=True)
    found: dict[str, output.Written] = {}
    for tool in tools:
        found |= make[tool](flat, Path(out) / tool, known)
        (Path(out) / tool / "GUIDELINES.md").write_text(guidelines(tool, known), encoding="utf-8")
    return found


def _with(labels: Labels, more: Labels) -> Labels:
    layers = {name: tuple(dict.fromkeys((*getattr(labels, name), *getattr(more, name))))
              for name in ("mentions", "relations", "regions")}
    layers["relations"] = tuple(x for x in layers["relations"] if x != COREFERENCE)
    return Labels(**layers, symmetric=labels.symmetric)


def _brat(documents: list[Document], folder: Path, labels: Labels) -> dict[str, output.Written]:
    written = brat.write(documents, folder)
    any_ = "Arg1:<ENTITY>, Arg2:<ENTITY>"
    lines = ["[entities]", *labels.mentions, "", "[relations]",
             f"{COREFERENCE}\t{any_}, <REL-TYPE>:symmetric-transitive"]
    for label in labels.relations:
        ends = label.partition("_")[0].split("-")
        fits = len(ends) == 2 and set(ends) <= set(labels.mentions)
        turn = ", <REL-TYPE>:symmetric" if label in labels.symmetric else ""
        lines.append(f"{label}\t" + (f"Arg1:{ends[0]}, Arg2:{ends[1]}" if fits else any_) + turn)
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
        file.write_text("".join(f"{x}\n" for x in dict.fromkeys((*there, *labels.regions))), encoding="utf-8")
    return found


def _labelstudio(documents: list[Document], folder: Path, labels: Labels) -> dict[str, output.Written]:
    """Frames go along, for Label Studio serves one folder."""
    (folder / "frames").mkdir(parents=True)
    placed = [d.replace(images=tuple(_placed(i, folder / "frames") for i in d.images)) for d in documents]
    offered = Labels(labels.mentions, (COREFERENCE, *labels.relations), (), labels.regions)
    (folder / "interface.xml").write_text(labelstudio.interface(placed, offered), encoding="utf-8")
    return {"labelstudio": labelstudio.write(placed, folder / "tasks.json", served=True)}


def _placed(image: Image, folder: Path) -> Image:
    """The image with its file in the folder: a link to it, or a copy where links cannot be."""
    if not image.path:
        return image
    target = folder / Path(image.path).name
    try:
        os.link(image.path, target)
    except FileExistsError:
        raise CorpusError(f"two frames called {target.name}", expected="a name of its own", where="video export",
                          remedy="export videos of equal names apart from each other") from None
    except OSError:
        shutil.copyfile(image.path, target)
    return image.model_copy(update={"path": str(target)})


def collect(
    clips: Iterable[Document],
    text: str | os.PathLike[str] | None = None,
    boxes: str | os.PathLike[str] | None = None,
) -> Iterator[Document]:
    """The clips with what annotators made of them; a clip that nobody returned keeps what it had, and says so.

    `text`: a brat folder or a Label Studio export, whose rectangles are read too. `boxes`: LabelImg's folder, VOC or
    YOLO; boxes find their frame by its file's name. Errors: neither is given; a folder of another kind.
    """
    if text is None and boxes is None:
        raise CorpusError("nothing to read", expected="annotated text, boxes or both", where="video import",
                          remedy="name a brat folder, a Label Studio export or a LabelImg folder")
    spans = _returned(text) if text is not None else {}
    pages = _boxes(boxes) if boxes is not None else {}
    whole = text is not None and Path(text).is_file()
    for clip in clips:
        document = clip
        if text is not None:
            document = _annotated(document, spans.get(clip.id), f"{text}", whole)
        if boxes is not None:
            document = _boxed(document, pages, f"{boxes}")
        yield document


def _returned(path: str | os.PathLike[str]) -> dict[str, Document | ErrorRecord]:
    items = labelstudio.read(path) if Path(path).is_file() else brat.read(path)
    found: dict[str, Document | ErrorRecord] = {}
    for item in items:
        found[item.id if isinstance(item, Document) else item.where] = item
    return found


def _annotated(clip: Document, found: Document | ErrorRecord | None, where: str, regions: bool) -> Document:
    if isinstance(found, Document) and found.text == clip.text:
        names = {i.id: i.id for i in clip.images} | {Path(i.path).stem: i.id for i in clip.images if i.path}
        own = found.regions if regions else tuple(r.model_copy(update={"of": ""}) for r in clip.regions)
        placed = [(r, names.get(r.image) or names.get(Path(r.image).stem, "")) for r in own]
        errors = [_lost(clip, f"a box in {r.image!r}", "a frame of the clip", where) for r, i in placed if not i]
        made = clip.replace(mentions=found.mentions, relations=found.relations, chains=(),
                            regions=tuple(r.model_copy(update={"image": i}) for r, i in placed if i))
        told = [e for e in found.errors if not e.where.startswith(f"document {clip.id}, image ")]  # paths: not needed
        return chained(made.replace(errors=(*clip.errors, *told, *errors)))
    what = "no annotation" if found is None else "another text" if isinstance(found, Document) else found.found
    return clip.replace(errors=(*clip.errors, _lost(clip, what, "this clip's text, annotated", where)))


def _lost(clip: Document, found: str, expected: str, where: str) -> ErrorRecord:
    return ErrorRecord(where=f"document {clip.id}, {where}", found=found, expected=expected,
                       remedy="annotate it, or leave it as it is")


Pages = dict[str | tuple[str, str], tuple[list[Region], tuple[ErrorRecord, ...]]]


def _boxes(path: str | os.PathLike[str]) -> Pages:
    """Name of a frame's file, or document and image where YOLO's index tells them -> boxes, and what was not read."""
    root = Path(path)
    if not root.is_dir():
        raise CorpusError("no such folder", expected="LabelImg's folder, VOC or YOLO", where=str(path),
                          remedy="check the path")
    found: Pages = {}
    if next(root.glob("*.xml"), None):
        pages = Boxes(root)
        for stem in pages.images():
            page = pages.get(stem)
            assert page is not None
            found[stem] = [Region(image=stem, box=o.box, label=o.name) for o in page.objects], page.errors
        return found
    for item in yolo.read(root):
        if isinstance(item, ErrorRecord):
            found[item.where] = [], (item,)
            continue
        for image in item.images:  # pictures lie elsewhere, and are not looked for
            wrong = tuple(e for e in item.errors if not e.where.startswith(f"document {item.id}, image "))
            boxes = [r for r in item.regions if r.image == image.id], wrong
            found[Path(image.path).stem or image.id] = found[item.id, image.id] = boxes
    return found


def _boxed(clip: Document, pages: Pages, where: str) -> Document:
    regions: list[Region] = []
    errors: dict[ErrorRecord, None] = {}
    for image in clip.images:
        stem = Path(image.path).stem or image.id
        page = pages.get((clip.id, image.id)) or pages.get(stem)
        if page is None:
            errors[_lost(clip, f"no file for frame {stem}", "a file per frame", where)] = None
            regions += [r for r in clip.regions if r.image == image.id]
            continue
        own, wrong = page
        before = {(r.label, tuple(round(x) for x in r.box)): r.of for r in clip.regions if r.image == image.id}
        regions += [Region(image=image.id, box=r.box, label=r.label,
                           of=before.get((r.label, tuple(round(x) for x in r.box)), "")) for r in own]
        errors |= dict.fromkeys(wrong)
    return clip.replace(regions=tuple(regions), errors=(*clip.errors, *errors))
