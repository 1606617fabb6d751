"""DocRED and Re-DocRED: Wikipedia abstracts with entities as chains of mentions, and relations between the chains.

A file is a JSON list of `title`, `sents` (lists of tokens), `vertexSet` (a list of entities, each a list of mentions
`{sent_id, pos, type}`, `pos` being half-open in tokens of the sentence) and, where annotated, `labels`: `{h, t, r}`,
indices into `vertexSet` and a Wikidata relation such as `P17`. Sentences are joined by blanks. A chain has the type of
its first mention; Re-DocRED has a few entities whose mentions differ in type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Chain, Document, Mention, Relation, Word
from openmie.datasets.reading.python_literal_rows import read_rows
from openmie.datasets.reading.split_files import one_file_per_split, split_files
from openmie.datasets.twitter import word_spans
from openmie.errors import ErrorRecord
from openmie.formats.text_lines import catch_invalid_document, line_error, shorten

EXPECTED = "an object with title, sents, vertexSet and labels"


def load_docred(path: Path) -> Corpus:
    """Load a folder with `train*.json`, `dev*.json` and `test*.json`, such as `dev_revised.json`.

    Args:
        path: the folder, or one file.

    Raises:
        CorpusError: files that are not there, or several for one split.
    """
    files = one_file_per_split(split_files(path, (".json",)))
    return Corpus(f"docred:{path}", {s: partial(read_articles, f, s) for s, f in files.items()})


def read_articles(path: Path, split: str) -> Iterator[Item]:
    """One document per article; a record for an article, mention or relation that cannot be read."""
    for number, row in enumerate(read_rows(path), 1):
        yield from (e for e in (row.error, row.noted) if e is not None)
        if row.error is None:
            yield from catch_invalid_document(_document(path, f"{split}-{number}", row.line, row.value), path, row.line)


def _document(path: Path, id: str, line: int, article: object) -> Iterator[Item]:
    row = article if isinstance(article, dict) else {}
    sents, entities = row.get("sents"), row.get("vertexSet")
    if not (_is_tokens(sents) and isinstance(entities, list) and isinstance(row.get("labels", []), list)):
        yield line_error(path, line, shorten(article), EXPECTED, "mend or remove the article; it was left out")
        return
    assert isinstance(sents, list)
    tokens = [token for sent in sents for token in sent]
    article_words = _Article(path, line, sents, word_spans(tokens))
    for number, entity in enumerate(entities):
        article_words.add_entity(number, entity)
    for label in row.get("labels", []):
        article_words.add_relation(label)
    yield from article_words.errors
    yield Document(
        id=id,
        text=" ".join(tokens),
        words=article_words.spans,
        mentions=tuple(article_words.mentions),
        chains=tuple(article_words.chains),
        relations=tuple(dict.fromkeys(article_words.relations)),
        source={"corpus": "docred", "file": path.name, "line": line, "title": str(row.get("title", ""))},
        lang="en",
        errors=tuple(article_words.errors),
    )


def _is_tokens(sents: object) -> bool:
    return isinstance(sents, list) and all(
        isinstance(sent, list) and all(isinstance(token, str) and token for token in sent) for sent in sents
    )


class _Article:
    """What an article says, entity by entity; what cannot be read is an error record."""

    def __init__(self, path: Path, line: int, sents: Sequence[Sequence[str]], spans: tuple[Word, ...]) -> None:
        self.path, self.line, self.sents, self.spans = path, line, sents, spans
        self.first = [sum(map(len, sents[:k])) for k in range(len(sents))]  # word at which each sentence begins
        self.mentions: list[Mention] = []
        self.chains: list[Chain] = []
        self.relations: list[Relation] = []
        self.errors: list[ErrorRecord] = []

    def add_entity(self, number: int, entity: object) -> None:
        """A chain with its mentions."""
        made = []
        for k, given in enumerate(entity if isinstance(entity, list) else [entity]):
            mention = self._mention(f"m{number}.{k}", given)
            if mention is None:
                self._note(
                    f"mention {shorten(given)}",
                    "sent_id, type, and pos as [start, end) in the sentence's tokens",
                    "correct the mention; it was left out",
                )
            else:
                made.append(mention)
        self.mentions += made
        if made:
            self.chains.append(Chain(id=f"c{number}", mentions=tuple(m.id for m in made), label=made[0].label))

    def _mention(self, id: str, given: object) -> Mention | None:
        row: dict[str, Any] = given if isinstance(given, dict) else {}
        sent, pos, label = row.get("sent_id"), row.get("pos"), row.get("type")
        if not (isinstance(label, str) and type(sent) is int and 0 <= sent < len(self.sents)):
            return None
        if not (isinstance(pos, list) and len(pos) == 2 and all(type(p) is int for p in pos)):
            return None
        start, end = pos
        if not 0 <= start < end <= len(self.sents[sent]):
            return None
        first = self.first[sent]
        return Mention(id=id, start=self.spans[first + start].start, end=self.spans[first + end - 1].end, label=label)

    def add_relation(self, given: object) -> None:
        """A relation between two chains."""
        row: dict[str, Any] = given if isinstance(given, dict) else {}
        known = {c.id for c in self.chains}
        head, tail, label = (f"c{row.get('h')}", f"c{row.get('t')}", row.get("r"))
        if head in known and tail in known and isinstance(label, str) and label:
            self.relations.append(Relation(head=head, tail=tail, label=label))
        else:
            self._note(
                f"relation {shorten(given)}", "h and t in vertexSet, and r", "correct it; the relation was left out"
            )

    def _note(self, found: str, expected: str, remedy: str) -> None:
        self.errors.append(line_error(self.path, self.line, found, expected, remedy))
