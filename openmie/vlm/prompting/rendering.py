"""Writes the answer to a `Schema` that a perfect model would give: the inverse of `parsing`, for examples in prompts.

Boxes are left out, because the images of an example are not shown; so are mentions, chains and relations of labels that
are not asked for.
"""

from __future__ import annotations

import json
from typing import Any

from openmie.data.document import Document
from openmie.vlm.prompting.given_layers import given_content
from openmie.vlm.prompting.schema import ANSWER_FIELD, Schema


def render_answer(document: Document, schema: Schema) -> str:
    """The answer about a document as JSON.

    Args:
        document: with annotation.
        schema: tasks and labels.

    Returns:
        One JSON object with a field for each task but boxes, in the order of the tasks. A name that is annotated n
        times stands there n times, in the order of the text.
    """
    data = _content(document, schema)
    fields = [ANSWER_FIELD[task] for task in schema.tasks if task != "boxes"]
    return json.dumps({name: data[name] for name in fields}, ensure_ascii=False)


def _content(document: Document, schema: Schema) -> dict[str, Any]:
    asked = set(schema.tasks)
    kept = [m for m in document.mentions if not schema.mentions or m.label in schema.mentions]
    kept = sorted(kept, key=lambda m: (m.start, m.end)) if "ner" in asked else []
    given = given_content(document, schema)  # nothing where mentions are asked for
    ids = {id: short for short, id in {**given.mention_ids(), **given.chain_ids()}.items()}
    ids |= {m.id: f"m{n}" for n, m in enumerate(kept, 1)}
    mentions = []
    for m in kept:
        own = {name: m.attributes.get(name) for name in schema.attribute_names(m.label)}
        own = {**dict.fromkeys(schema.attribute_names()), **own}
        label = {"label": m.label} if schema.mentions else {}
        mentions.append({"id": ids[m.id], "text": m.text, **label, **({"attributes": own} if own else {})})
    chains: list[dict[str, Any]] = []
    for chain in document.chains if "chains" in asked else ():
        members = [ids[m] for m in chain.mentions if m in ids]
        if members and (not schema.chains or chain.label in schema.chains):
            ids[chain.id] = f"c{len(chains) + 1}"
            label = {"label": chain.label} if schema.chains else {}
            chains.append({"id": ids[chain.id], **label, "mentions": members})
    relations = [
        {"head": ids[r.head], "tail": ids[r.tail], "label": r.label}
        for r in document.relations
        if r.label in schema.relations and r.head in ids and r.tail in ids
    ]
    records = [r.data for r in document.records if schema.record and r.label in ("", schema.record.name)]
    return {
        "summary": document.summary, "mentions": mentions, "chains": chains, "relations": relations, "records": records,
    }  # fmt: skip
