"""Spans that stand in several chains of a document: the chains are scored as one, and that is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openmie.data.document import Document, Mention
from openmie.errors import ErrorRecord


def shared_spans(documents: Iterable[Document], side: str) -> Iterator[ErrorRecord]:
    """A note for each document whose chains share spans, so that they are merged when they are scored.

    Args:
        documents: with chains.
        side: "gold" or "predicted", as the note names it.
    """
    for document in documents:
        chains_of: dict[tuple[int, int], dict[str, None]] = {}
        for chain in document.chains:
            for m in map(document.find, chain.mentions):
                if isinstance(m, Mention) and m.status != "unlocated":
                    chains_of.setdefault((m.start, m.end), {})[chain.id] = None
        shared = {span: ids for span, ids in chains_of.items() if len(ids) > 1}
        if shared:
            (start, end), ids = next(iter(shared.items()))
            yield ErrorRecord(
                where=f"{side} document {document.id}",
                found=f"{len(shared)} spans in several chains, the first {start}:{end} "
                f"{document.text[start:end][:40]!r} in {', '.join(ids)}",
                expected="each span in one chain",
                remedy="put it into one of them: such chains are scored as one (the CoNLL scorer keeps the first)",
                note=True,
            )
