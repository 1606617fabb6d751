"""Documents asked about by a `Schema`: windows of the text with the images, one request each, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from openmie.data.document import Chain, Document, Mention
from openmie.errors import ErrorRecord
from openmie.vlm.boxes.coordinates import Coordinates
from openmie.vlm.generate import Answer, Request
from openmie.vlm.prompting import schema as schemas
from openmie.vlm.prompting.options import Asking, note, shown
from openmie.vlm.prompting.parsed_answer import Found
from openmie.vlm.prompting.parsing import read
from openmie.vlm.prompting.prompt import Shown, askable, prompt
from openmie.vlm.prompting.schema import NONE, Schema
from openmie.vlm.prompting.windows import joined, windows


class BySchema:
    """Asks by one schema. `model` tells the family of its boxes, where `asking` does not."""

    def __init__(self, schema: Schema, asking: Asking, model: str = "") -> None:
        self.schema, self.asking = schema, asking
        model = model if "boxes" in schema.tasks else "pixels"  # not asked for
        self.coordinates = Coordinates.of(asking.family, model, asking.max_pixels)

    def work(self, document: Document) -> SchemaWork:
        """A request for each window of the text; none where there is nothing to be asked."""
        found, errors = shown(document, self.asking.images)
        given = self._given(document)
        asked: list[tuple[Schema, Shown]] = []
        spans = windows(document.text, self.asking.window, self.asking.shared)
        for number, (start, end) in enumerate(spans, 1):
            one = Shown(
                text=document.text[start:end],
                start=start,
                part=(number, len(spans)),
                images=tuple(image for image, _ in found),
                sizes=tuple(picture.size for _, picture in found),
                caption=document.caption(self.asking.context),
                coordinates=self.coordinates.words,
                tells_sizes=self.coordinates.tells_sizes,
                **given.inside(start, end),
            )
            if tasks := askable(self.schema, one):
                asked.append((replace(self.schema, tasks=tasks), one))
        errors += given.unasked(document, [one for _, one in asked])
        pictures = tuple(picture for _, picture in found)
        return SchemaWork(self, document, asked, [self._request(*each, pictures) for each in asked], errors)

    def _request(self, schema: Schema, one: Shown, pictures: tuple[Any, ...]) -> Request:
        form = schemas.answer(schema, len(one.images), tuple(one.mention_ids()), tuple(one.chain_ids()))
        return Request(
            prompt=prompt(schema, one, self.asking.everywhere),
            images=pictures,
            schema=None if self.asking.constrained is False else form,
        )

    def _given(self, document: Document) -> _Given:
        tasks = set(self.schema.tasks)
        if "ner" in tasks or not tasks & {"chains", "re"}:
            return _Given()
        mentions = tuple(m for m in document.mentions if m.status != "unlocated")
        chains = document.chains if "chains" not in tasks else ()
        listed = document.relations if "re" in tasks and NONE in self.schema.relations else ()
        return _Given(mentions, chains, tuple(dict.fromkeys((r.head, r.tail) for r in listed)), bool(listed))

    def finish(self, document: Document, found: Found, errors: Sequence[ErrorRecord]) -> Document:
        """The document with what was found in the layers that were asked for; given layers stay, all others go."""
        tasks, given = set(self.schema.tasks), self._given(document)
        return document.replace(
            mentions=tuple(found.mentions) if "ner" in tasks else document.mentions if given.mentions else (),
            chains=tuple(found.chains) if "chains" in tasks else given.chains,
            relations=tuple(found.relations),
            regions=tuple(found.regions),
            summary=found.summary,
            errors=tuple(dict.fromkeys((*document.errors, *errors, *found.errors))),
        )


@dataclass
class SchemaWork:
    """One document: what each request shows of it."""

    system: BySchema
    document: Document
    asked: list[tuple[Schema, Shown]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        """What all windows say, joined; a window without an answer leaves a record."""
        document, system = self.document, self.system
        parts: list[Found] = []
        for (schema, one), answer in zip(self.asked, answers, strict=True):
            part = f", part {one.part[0]} of {one.part[1]}" if one.part[1] > 1 else ""
            where = f"document {document.id}{part}"
            if isinstance(answer, ErrorRecord):
                told = ", ".join(x for x in (where, answer.where) if x)
                parts.append(Found(errors=[answer.model_copy(update={"where": told})]))
            else:
                parts.append(
                    read(
                        answer,
                        schema,
                        one,
                        system.coordinates.decode,
                        where=f"{where}, answer",
                        everywhere=system.asking.everywhere,
                    )
                )
        old = [*(m.id for m in document.mentions), *(c.id for c in document.chains)]
        taken = old if "ner" not in system.schema.tasks else ()
        return system.finish(document, joined(parts, f"document {document.id}", taken), self.errors)


@dataclass(frozen=True)
class _Given:
    """What a prompt names for its answer to refer to: mentions and chains of the document, and pairs of their ids."""

    mentions: tuple[Mention, ...] = ()
    chains: tuple[Chain, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    listed: bool = False  # the pairs are all that is asked

    def inside(self, start: int, end: int) -> dict[str, Any]:
        """Fields of `Shown` for a window: what lies whole in it."""
        mentions = sorted(
            (m for m in self.mentions if start <= m.start and m.end <= end), key=lambda m: (m.start, m.end)
        )
        here = {m.id for m in mentions}
        chains = tuple(c for c in self.chains if here & set(c.mentions))
        names = {m.id: f"m{n}" for n, m in enumerate(mentions, 1)} | {c.id: f"c{n}" for n, c in enumerate(chains, 1)}
        pairs = tuple((names[a], names[b]) for a, b in self.pairs if a in names and b in names)
        return {"mentions": tuple(mentions), "chains": chains, "pairs": pairs if self.listed else None}

    def unasked(self, document: Document, asked: Sequence[Shown]) -> list[ErrorRecord]:
        """Listed pairs that no window shows both ends of."""
        seen: set[tuple[str, str]] = set()
        for one in asked:
            ids = {**one.mention_ids(), **one.chain_ids()}
            seen |= {(ids[a], ids[b]) for a, b in one.pairs or ()}
        return [
            note(
                document,
                f"relation {a} {b}",
                "ends that stand in no part of the text together",
                "located ends less than a window apart",
                "it was not asked: raise the window",
            )
            for a, b in self.pairs
            if (a, b) not in seen
        ]
