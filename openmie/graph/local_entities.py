"""The entities of one document: its chains, and each mention that no chain has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from openmie.data.document import Document, Mention
from openmie.graph.names import is_name, main_name, normalise_name


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEntity:
    """An entity within one document.

    Args:
        id: of the chain, or of the mention.
        type: entity type: that of the chain, or else the most frequent one of its mentions.
        name: longest name among its mentions; "" where they are pronouns and descriptions alone.
        title: what it is shown as: its name, or else its first mention, or its id.
        aliases: other names among its mentions, each once.
        mentions: ids of its mentions that the document has.
        chain: whether it is a chain.
    """

    id: str
    type: str
    name: str
    title: str
    aliases: tuple[str, ...]
    mentions: tuple[str, ...]
    chain: bool


def local_entities(document: Document) -> list[LocalEntity]:
    """The entities of a document: chains in their order, then the mentions that are in none."""
    mentions = {m.id: m for m in document.mentions}
    found, chained = [], set[str]()
    for chain in document.chains:
        members = [mentions[id] for id in chain.mentions if id in mentions]
        chained.update(m.id for m in members)
        found.append(_entity(chain.id, members, chain.label, chain=True))
    found.extend(_entity(m.id, [m], m.label, chain=False) for m in document.mentions if m.id not in chained)
    return found


def owners(entities: list[LocalEntity]) -> dict[str, str]:
    """Id of each mention and chain -> id of its entity; of a mention in two chains, the first."""
    found: dict[str, str] = {}
    for entity in entities:
        found.setdefault(entity.id, entity.id)
        for mention in entity.mentions:
            found.setdefault(mention, entity.id)
    return found


def _entity(id: str, members: list[Mention], label: str, chain: bool) -> LocalEntity:
    texts = [m.text for m in members]
    name = main_name(texts)
    same = normalise_name(name)
    aliases = {normalise_name(text): text for text in reversed(texts) if is_name(text)}
    types = Counter(m.label for m in members if m.label)
    return LocalEntity(
        id=id,
        type=label or (types.most_common(1)[0][0] if types else ""),
        name=name,
        title=name or next(filter(None, texts), id),
        aliases=tuple(text for key, text in aliases.items() if key != same),
        mentions=tuple(m.id for m in members),
        chain=chain,
    )
