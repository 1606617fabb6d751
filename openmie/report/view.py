"""Pages of posts with what was found in them: `write_view`. Static files that ask no host for anything.

Up to `PER_PAGE` posts are one page, `index.html`. More are `page-1.html`, `page-2.html`, ..., and `index.html` finds
posts in all of them. Each page stands alone, its pictures inside it, decoded small. Its policy forbids requests and
every script but ours, by its hash; texts, labels and names of files are escaped, wherever they stand.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from openmie.characters import whole
from openmie.data.document import Document
from openmie.data.folder_lock import NAME as LOCK
from openmie.data.folder_lock import hold_folder
from openmie.data.provenance import describe, read_provenance
from openmie.data.replace_file import describe_path
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError
from openmie.formats import output
from openmie.report.comparison import compare, view_labels
from openmie.report.label_colours import assign_colours
from openmie.report.markup import data, plain, render, script
from openmie.report.page import POLICY, save_page
from openmie.report.posts import found_labels, has_failed, render_cards
from openmie.report.style import style_sheet

PER_PAGE = 50  # posts
ONE_FILE = 2000  # posts that one file may hold
LONGEST = 480  # pixels of a thumbnail's longer side: half as many again as are shown
SEARCHED = 2000  # characters of a text that the list of all posts finds words in
OURS = "Written by openmie."  # stands on each of our pages

Item = Document | ErrorRecord


@dataclass
class Contents:
    """What a first reading finds: all that the pages have in common.

    Args:
        mentions: their number.
        failed: posts that have an error.
        labels: label -> posts that have it.
        coloured: labels that have a colour.
        models: descriptions of the provenance.
        entries: id, text, labels and failure of each post.
    """

    mentions: int = 0
    failed: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    coloured: set[str] = field(default_factory=set)
    models: dict[str, None] = field(default_factory=dict)
    entries: list[tuple[str, str, list[str], bool]] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Count a post. What cannot be drawn is counted as failed; its card says why."""
        try:
            self._add(document)
        except Exception as error:
            self._add(undrawn(document, error))

    def _add(self, document: Document) -> None:
        coloured = view_labels(compare(document))
        labels, failed = found_labels(document), has_failed(document)
        self.mentions += len(document.mentions)
        self.failed += failed
        self.labels.update(labels)
        self.coloured.update(coloured)
        if told := read_provenance(document):
            self.models[describe(told)] = None
        self.entries.append((plain(document.id), plain(document.text[:SEARCHED]), labels, failed))

    def counts(self) -> str:
        """Posts, mentions and failures."""
        posts, mentions = (
            f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in ((len(self.entries), "post"), (self.mentions, "mention"))
        )
        return f"{posts}, {mentions}, {self.failed:,} failed."

    def intro(self) -> str:
        """The counts, and what predicted the posts."""
        named = [*self.models][:3] + (["…"] if len(self.models) > 3 else [])
        return self.counts() + (f"\nPredicted by {'; '.join(named)}." if named else "")


def write_view(
    read: Callable[[], Iterable[Item]], out: str | os.PathLike[str], title: str, per_page: int = PER_PAGE
) -> tuple[Path, Contents]:
    """Write the pages of a result.

    Args:
        read: opens the result, once to count and once to write; error records become posts that failed.
        out: a folder, in which earlier pages of ours are replaced, or a file that ends in `.html`, for `ONE_FILE`
            posts at most.
        title: of the pages.
        per_page: posts of a page.

    Returns:
        The page to begin with, and what was counted.

    Raises:
        CorpusError: more posts than a file may hold, or a folder that holds something else.
        OutputError: a path that cannot be written.
    """
    contents = Contents()
    for document in _documents(read()):
        contents.add(document)
    number = len(contents.entries)
    if Path(out).suffix.lower() in (".html", ".htm"):
        if number > ONE_FILE:
            raise CorpusError(
                f"{number:,} posts on one page",
                expected=f"at most {ONE_FILE}",
                where=os.fspath(out),
                remedy="name a folder with --out, which gets as many pages as it needs",
            )
        cards = _cards(_documents(read()), 1, contents)
        return save_page(out, _page(title, contents, cards=cards)), contents
    _check_folder(Path(out))
    with hold_folder(out):
        _clear(Path(out))
        return _write_folder(read, Path(out), title, contents, per_page), contents


def _write_folder(
    read: Callable[[], Iterable[Item]], folder: Path, title: str, contents: Contents, per_page: int
) -> Path:
    """One page, or several and the list of them; the page to begin with."""
    first, number = folder / "index.html", len(contents.entries)
    if number <= per_page:
        return save_page(first, _page(title, contents, cards=_cards(_documents(read()), 1, contents)))
    rest, pages = iter(_documents(read())), -(-number // per_page)
    for page in range(1, pages + 1):
        cards = _cards(islice(rest, per_page), (page - 1) * per_page + 1, contents)
        save_page(folder / f"page-{page}.html", _page(title, contents, cards=cards, page=page, pages=pages))
    return save_page(first, _page(title, contents, entries=_entries(contents, per_page), pages=pages))


def _documents(items: Iterable[Item]) -> Iterator[Document]:
    for number, item in enumerate(items, 1):
        yield Document(id=f"unread-{number}", errors=(item,)) if isinstance(item, ErrorRecord) else item


def undrawn(document: Document, error: Exception) -> Document:
    """What stands in the place of a document that cannot be drawn: its id, and why."""
    facts = error.record.found if isinstance(error, OpenMIEError) else f"{type(error).__name__}: {error}"
    record = ErrorRecord(where=f"document {document.id}", found=f"a document that cannot be shown ({facts[:300]})")
    return Document(id=whole(str(document.id)), errors=(record,))


def _cards(
    documents: Iterable[Document], first: int, contents: Contents, failed: Callable[..., Document] = undrawn
) -> Markup:
    colours = assign_colours(contents.coloured)
    cards = (_card(document, number, colours, failed) for number, document in enumerate(documents, first))
    return Markup("").join(cards)


def _card(document: Document, number: int, colours: dict[str, int], failed: Callable[..., Document]) -> Markup:
    try:
        return render_cards([compare(document)], number, colours, LONGEST)
    except Exception as error:  # no document ends a job
        return render_cards([compare(failed(document, error))], number, colours, LONGEST)


def write_page(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """Write documents as one page, as a format of `openmie extract`; "-" is standard output.

    Args:
        documents: any number; a browser shows some thousands, `write_view` any.
        path: of the file.

    Returns:
        What was written. A document that cannot be drawn gives a record, and a card that says why.

    Raises:
        OutputError: a path that cannot be written.
    """
    report, contents, kept = output.WriteReport(), Contents(), list(documents)
    for document in kept:
        report.count(document)
        contents.add(document)
    cards = _cards(kept, 1, contents, report.placeholder)
    page = _page("What was found", contents, cards=cards)
    with output.open_output(path) as file:
        file.write(f"{page}\n".encode())
    return report.result()


def _page(
    title: str,
    contents: Contents,
    cards: Markup | str = "",
    entries: Markup | None = None,
    page: int = 0,
    pages: int = 1,
) -> Markup:
    source, allowed = script("look.js", "view.js")
    return render(
        "view.html",
        policy=f"{POLICY}; script-src {allowed}",
        title=title if page < 2 else f"{title}, page {page}",
        intro=contents.intro() if page < 2 else "",
        style=Markup(style_sheet()),
        sections=[],
        cards=cards,
        entries=entries,
        labels=sorted(contents.labels.items()),
        failed=contents.failed,
        page=page,
        pages=_pager(page, pages),
        script=source,
    )


def _pager(page: int, pages: int) -> list[tuple[object, str]]:
    """Numbers of pages with their files: the first, the last, and those around this one, or (of the list) all."""
    near = {1, pages, *range(page - 3, page + 4)} if page else set(range(1, pages + 1))
    found: list[tuple[object, str]] = []
    before = 0
    for number in sorted(n for n in near if 1 <= n <= pages):
        found += [("…", "")] if number > before + 1 else []
        found.append((number, "" if number == page else f"page-{number}.html"))
        before = number
    return found


def _entries(contents: Contents, per_page: int) -> Markup:
    names = sorted(contents.labels)
    numbers = {name: number for number, name in enumerate(names)}
    posts: list[list[Any]] = [
        [id, text, [numbers[label] for label in labels], int(failed), at // per_page + 1]
        for at, (id, text, labels, failed) in enumerate(contents.entries)
    ]
    return data({"labels": names, "posts": posts})


def _check_folder(folder: Path) -> None:
    """Errors, before anything is made: what is there is no folder, or holds what `write_view` did not write."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise CorpusError(
            f"{describe_path(folder)}; something is there already",
            expected="a folder, or a file that ends in .html",
            where=os.fspath(folder),
            remedy="choose another folder; what is there was not touched",
        )
    index = folder / "index.html"
    holds = folder.is_dir() and any(file.name != LOCK for file in folder.iterdir())
    if holds and (not index.is_file() or OURS not in index.read_text(encoding="utf8", errors="replace")[-200:]):
        raise CorpusError(
            "a folder that holds something else",
            expected="a new or empty folder, or one with earlier pages",
            where=os.fspath(folder),
            remedy="name another folder with --out",
        )


def _clear(folder: Path) -> None:
    """Remove the pages of an earlier view."""
    for old in folder.glob("page-*.html"):
        old.unlink()
