"""The mentions, chains and pairs of a document that an answer refers to, where it is not asked for mentions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openmie.data.document import Chain, Document, Mention
from openmie.errors import ErrorRecord
from openmie.vlm.prompting.options import document_record
from openmie.vlm.prompting.prompt import PromptContent
from openmie.vlm.prompting.schema import NONE, Schema


@dataclass(frozen=True)
class GivenLayers:
    """Mentions and chains of the document that an answer may refer to, and pairs of their ids."""

    mentions: tuple[Mention, ...] = ()
    chains: tuple[Chain, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    only_pairs: bool = False  # the pairs are all that is asked

    @classmethod
    def of(cls, document: Document, schema: Schema) -> GivenLayers:
        """What of a document is given where a schema asks for chains or relations, but not for mentions."""
        tasks = set(schema.tasks)
        if "ner" in tasks or not tasks & {"chains", "re"}:
            return cls()
        mentions = tuple(m for m in document.mentions if m.status != "unlocated")
        chains = document.chains if "chains" not in tasks else ()
        listed = document.relations if "re" in tasks and NONE in schema.relations else ()
        return cls(mentions, chains, tuple(dict.fromkeys((r.head, r.tail) for r in listed)), bool(listed))

    def inside(self, start: int, end: int) -> dict[str, Any]:
        """Fields of `PromptContent` for a window: the mentions inside it, their chains and pairs."""
        mentions = sorted(
            (m for m in self.mentions if start <= m.start and m.end <= end), key=lambda m: (m.start, m.end)
        )
        inside = {m.id for m in mentions}
        chains = tuple(c for c in self.chains if inside & set(c.mentions))
        names = {m.id: f"m{n}" for n, m in enumerate(mentions, 1)} | {c.id: f"c{n}" for n, c in enumerate(chains, 1)}
        pairs = tuple((names[a], names[b]) for a, b in self.pairs if a in names and b in names)
        return {"mentions": tuple(mentions), "chains": chains, "pairs": pairs if self.only_pairs else None}

    def separated_pairs(self, document: Document, prompted: Sequence[PromptContent]) -> list[ErrorRecord]:
        """A record for each pair whose head and tail are in no window together."""
        seen: set[tuple[str, str]] = set()
        for content in prompted:
            ids = {**content.mention_ids(), **content.chain_ids()}
            seen |= {(ids[a], ids[b]) for a, b in content.pairs or ()}
        return [
            document_record(
                document,
                f"relation {a} {b}",
                "head and tail are in no part of the text together, and the pair was not asked for",
                "a distance of less than a window",
                "raise window",
            )
            for a, b in self.pairs
            if (a, b) not in seen
        ]


def given_content(document: Document, schema: Schema) -> PromptContent:
    """The whole text of an example with what is given of it; of pairs, those with a label that is asked for."""
    asked = document.model_copy(
        update={"relations": tuple(r for r in document.relations if r.label in schema.relations)}
    )
    given = GivenLayers.of(asked, schema).inside(0, len(document.text))
    return PromptContent(text=document.text, **given)
