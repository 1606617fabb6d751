"""What a graph is made of while it is made: documents and their entities in an SQLite file, so that memory is bounded.

Every document is kept as JSON, with one row for each of its entities (`member`). A row of `entity` is what has one type
and one name, in whatever documents; `root` is the entity that it is merged into. What is in no other document, or has
no name, is an entity of its own.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from openmie.data.document import Document
from openmie.graph.local_entities import LocalEntity, local_entities
from openmie.graph.names import normalise_name

_TABLES = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA temp_store = FILE;
CREATE TABLE document(n INTEGER PRIMARY KEY, id TEXT, reading INTEGER, original INTEGER, content BLOB, data TEXT);
CREATE INDEX document_id ON document(id);
CREATE TABLE entity(e INTEGER PRIMARY KEY, key TEXT UNIQUE, type TEXT, title TEXT, members INTEGER,
                    root INTEGER, rule TEXT DEFAULT '', reason TEXT DEFAULT '');
CREATE TABLE member(n INTEGER, local TEXT, e INTEGER, title TEXT, edited INTEGER DEFAULT 0,
                    PRIMARY KEY(n, local)) WITHOUT ROWID;
CREATE TABLE alias(type TEXT, name TEXT, e INTEGER, title TEXT, n INTEGER, local TEXT,
                   PRIMARY KEY(type, name, e)) WITHOUT ROWID;
"""
EDITED, AS_BEFORE = 1, 2  # what a table of merges says of a member: another entity than by the rules, or the same
_ENTITY = """INSERT INTO entity(key, type, title, members) VALUES (?, ?, ?, ?)
ON CONFLICT(key) DO UPDATE SET members = members + excluded.members RETURNING e"""
_MEMBERS = """SELECT r.key, r.title, d.id, d.reading, m.local, m.title, r.type, m.edited, e.rule, e.reason, e.key,
e.members FROM member m JOIN entity e ON m.e = e.e JOIN entity r ON e.root = r.e JOIN document d ON m.n = d.n"""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of the graph.

    Args:
        document: as it was read.
        reading: 1, or the number of this result among those with one id.
        original: the reading whose document it is: an earlier one with the same text and images, or itself.
        number: position among all documents, from 1.
    """

    document: Document
    reading: int
    original: int
    number: int


@dataclass(frozen=True, slots=True)
class Membership:
    """That an entity of one document is an entity of the graph.

    Args:
        key: of the entity of the graph.
        title: of the entity of the graph.
        document: id of the document.
        reading: of the document.
        local: id of the entity in the document.
        name: what the document calls it.
        type: entity type.
        rule: what it is merged by: name, alias, similarity, edited; "" where it is alone.
        reason: the same in words.
    """

    key: str
    title: str
    document: str
    reading: int
    local: str
    name: str
    type: str
    rule: str
    reason: str


class FactStore:
    """Documents and entities on disk.

    Args:
        path: a new SQLite file.
        by_name: whether equal names of one type are one entity.
    """

    def __init__(self, path: str | os.PathLike[str], by_name: bool = True) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(_TABLES)
        self.connection.execute("BEGIN")
        self.by_name = by_name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(self, document: Document) -> None:
        """Add a document and its entities."""
        reading, original, content = self._reading(document)
        row = (document.id, reading, original, content, document.to_json())
        inserted = self.connection.execute(
            "INSERT INTO document(id, reading, original, content, data) VALUES (?, ?, ?, ?, ?)", row
        )
        n = inserted.lastrowid or 0
        for local in local_entities(document):
            e = self.entity(*self._key(local, document.id, reading), local.type)
            self.connection.execute("INSERT INTO member(n, local, e, title) VALUES (?, ?, ?, ?)",
                                    (n, local.id, e, local.title))  # fmt: skip
            rows = ((local.type, normalise_name(text), e, text, n, local.id) for text in local.aliases)
            self.connection.executemany("INSERT OR IGNORE INTO alias VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _reading(self, document: Document) -> tuple[int, int, bytes]:
        """The number of this result among those with its id, the first with its content, and the content's hash."""
        inputs = document.text, *(f"{i.id}\0{i.path}\0{i.width}x{i.height}" for i in document.images)
        content = hashlib.sha256("\0\0".join(inputs).encode()).digest()[:16]
        before = self.connection.execute(
            "SELECT count(*), min(CASE content WHEN ? THEN reading END) FROM document WHERE id = ?",
            (content, document.id),
        ).fetchone()
        return before[0] + 1, before[1] or before[0] + 1, content

    def _key(self, local: LocalEntity, document: str, reading: int) -> tuple[str, str]:
        type_ = local.type.replace("%", "%25").replace("/", "%2F")
        if local.name and self.by_name:
            return f"{type_}/{normalise_name(local.name)}", local.name
        again = f"~{reading}" if reading > 1 else ""
        return f"{type_}/@{document}{again}#{local.id}", local.title

    def entity(self, key: str, title: str, type: str, members: int = 1) -> int:
        """The number of the entity with this key, which is made where there is none."""
        return int(self.connection.execute(_ENTITY, (key, type, title, members)).fetchone()[0])

    def documents(self) -> Iterator[StoredDocument]:
        """All documents, in the order in which they came."""
        for n, reading, original, data in self.connection.execute("SELECT n, reading, original, data FROM document"):
            yield StoredDocument(Document.from_json(data), reading, original, n)

    def links(self, number: int) -> dict[str, Membership]:
        """Of each entity of a document, by its id there, what it is in the graph."""
        rows = self.connection.execute(f"{_MEMBERS} WHERE m.n = ?", (number,))
        return {row[4]: _membership(row) for row in rows}

    def memberships(self) -> Iterator[Membership]:
        """Those of all documents, entity by entity."""
        yield from map(_membership, self.connection.execute(f"{_MEMBERS} ORDER BY r.key, m.n, m.local"))

    def entities(self) -> Iterator[tuple[str, str, str, list[str]]]:
        """Key, type, title and aliases of each entity of the graph that has members."""
        aliases = """SELECT DISTINCT a.title FROM alias a JOIN entity x ON a.e = x.e WHERE x.root = ?
                     UNION SELECT title FROM entity WHERE root = ? AND title != ? AND members > 0 ORDER BY 1"""
        used = """SELECT DISTINCT r.e, r.key, r.type, r.title FROM member m JOIN entity x ON m.e = x.e
                  JOIN entity r ON x.root = r.e ORDER BY r.e"""
        for e, key, type_, title in self.connection.execute(used):
            others = [a for (a,) in self.connection.execute(aliases, (e, e, title)) if a != title]
            yield key, type_, title, others

    def counts(self) -> tuple[int, int, int]:
        """Documents, their entities, and the entities of the graph."""
        one = self.connection.execute
        documents, members = (one(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("document", "member"))
        return (
            documents,
            members,
            one("SELECT count(DISTINCT x.root) FROM member m JOIN entity x USING(e)").fetchone()[0],
        )

    def finish(self, roots: Iterable[tuple[int, str, str, int]] = ()) -> None:
        """Write which entities are merged.

        Args:
            roots: (root, rule, reason, entity) of those that are; all others are their own roots.
        """
        self.connection.execute("UPDATE entity SET root = e, rule = '', reason = ''")
        self.connection.executemany("UPDATE entity SET root = ?, rule = ?, reason = ? WHERE e = ?", roots)
        self.connection.execute("CREATE INDEX IF NOT EXISTS entity_root ON entity(root)")
        self.connection.execute("CREATE INDEX IF NOT EXISTS alias_entity ON alias(e)")
        self.connection.execute("CREATE INDEX IF NOT EXISTS alias_member ON alias(n, local)")
        self.connection.execute("CREATE INDEX IF NOT EXISTS member_entity ON member(e)")

    def move(self, n: int, local: str, e: int) -> None:
        """Make an entity of a document a member of another entity, with the aliases that it brought."""
        self.connection.execute("UPDATE member SET e = ?, edited = ? WHERE n = ? AND local = ?", (e, EDITED, n, local))
        self.connection.execute("UPDATE entity SET root = e WHERE e = ? AND root IS NULL", (e,))
        self.connection.execute("UPDATE OR IGNORE alias SET e = ? WHERE n = ? AND local = ?", (e, n, local))

    def settle_moves(self, targets: Iterable[int]) -> None:
        """Make each entity that something was moved to its own root; members that were to stay go to its old root."""
        for e in targets:
            stays = (e, AS_BEFORE)
            self.connection.execute(
                "UPDATE member SET e = (SELECT root FROM entity x WHERE x.e = member.e) WHERE e = ? AND edited = ?",
                stays,
            )
            self.connection.execute("UPDATE entity SET root = e, rule = '', reason = '' WHERE e = ?", (e,))
        self.connection.execute("UPDATE entity SET members = (SELECT count(*) FROM member m WHERE m.e = entity.e)")


def _membership(row: tuple) -> Membership:  # type: ignore[type-arg]
    key, title, document, reading, local, name, type_, edited, rule, reason, own, members = row
    if edited == EDITED:
        rule, reason = "edited", "the table of merges"
    elif not rule and members > 1:
        rule, reason = "name", f"equal name {own.partition('/')[2]!r} and type"
    return Membership(key, title, document, reading, local, name, type_, rule, reason)
