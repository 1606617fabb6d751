"""`doctor`: statistics of a copy of a corpus compared with the published ones, and its anomalies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus
from openmie.datasets.audit.checks import (
    LENIENT,
    Anomalies,
    Check,
    Duplicates,
    Finding,
    Leaks,
    ReversedRelations,
    Statistics,
    is_label_count,
    main_images,
)
from openmie.datasets.audit.own_images import OwnImages
from openmie.datasets.audit.reference_stats import ReferenceStatistics, closest_reference
from openmie.datasets.audit.side_files import SideFiles, discover_side_files
from openmie.datasets.reading.attachments import AttachmentOptions
from openmie.datasets.reading.split_files import SPLIT_NAMES
from openmie.datasets.registry import DATASETS, Spec, accepted_options, resolve_function
from openmie.errors import ErrorRecord

ATTACHED = ("captions", "weights")  # options that are checked separately, not attached to every document


@dataclass(frozen=True)
class StatisticCount:
    """One statistic of one split, with the published number where there is one."""

    split: str
    what: str
    found: int
    published: int | None = None
    why: str = ""  # it differs from the published one, where that is known


@dataclass(frozen=True)
class AuditReport:
    """What `examine` found: counts, oddities, and what could not be read."""

    corpus: str
    reference: str  # title of the published statistics that the counts are compared with, or ""
    counts: tuple[StatisticCount, ...]
    findings: tuple[Finding, ...]
    records: tuple[ErrorRecord, ...]
    side_files: tuple[str, ...] = ()  # captions, scores and images that were checked too

    def count(self, what: str, split: str) -> int:
        """A number of a split, or of "all"; 0 where it is not counted."""
        return next((c.found for c in self.counts if (c.what, c.split) == (what, split)), 0)

    def finding(self, kind: str, split: str = "") -> int:
        """The number of anomalies of a kind in a split ("": in the entire corpus)."""
        return sum(f.count for f in self.findings if (f.kind, f.split) == (kind, split))

    @property
    def disagreements(self) -> tuple[StatisticCount, ...]:
        """The counts that differ from the published ones."""
        return tuple(c for c in self.counts if c.published is not None and c.published != c.found)

    @property
    def unexplained(self) -> tuple[StatisticCount, ...]:
        """Those of which nobody knows why."""
        return tuple(c for c in self.disagreements if not c.why)

    @property
    def lost(self) -> tuple[ErrorRecord, ...]:
        """The records of what could not be read; `records` also has notes of what was mended."""
        return tuple(r for r in self.records if not r.note)

    def table(self) -> list[tuple[str, ...]]:
        """Counts as rows of cells, the header first; `3,373 of 3,380` where fewer or more were published."""
        splits = list(dict.fromkeys(c.split for c in self.counts))
        cells = {(c.what, c.split): _cell(c) for c in self.counts}
        whats = sorted(
            dict.fromkeys(c.what for c in self.counts), key=lambda w: (1, w) if is_label_count(w) else (0, "")
        )
        return [("", *splits), *((what, *(cells.get((what, s), "") for s in splits)) for what in whats)]

    def lines(self, examples: int = 3) -> Iterator[str]:
        """The report as lines of plain text."""
        yield self.corpus
        yield f"published: {self.reference}" if self.reference else "no published statistics are known for this corpus"
        yield from _aligned(self.table())
        different = len(self.disagreements)
        known = sum(c.published is not None for c in self.counts)
        if known:
            yield f"{known - different} of {known} published numbers agree"
        for why in dict.fromkeys(c.why for c in self.disagreements):
            others = [f"{c.split} {c.what}" for c in self.disagreements if c.why == why]
            yield f"{len(others)} differ, {why or 'and it is not known why'}: {', '.join(others)}"
        if self.reference and any(c.what == "mentions" and c.found for c in self.counts):
            strict, lenient = (
                sum(c.found for c in self.counts if c.what == what and c.split != "all")
                for what in ("mentions", LENIENT)
            )
            yield f"strict counts {strict:,} mentions in all, lenient " + (
                f"{lenient:,}: orphan I- runs too" if lenient else "the same: there are no orphan I- runs"
            )
        yield ""
        if self.side_files:
            yield "also checked: " + ", ".join(self.side_files)
        yield f"{len({f.kind for f in self.findings})} kinds of findings"
        for kind in dict.fromkeys(f.kind for f in self.findings):
            found = [f for f in self.findings if f.kind == kind]
            numbers = ", ".join(f"{f.split or 'in all'} {f.count:,}" for f in found)
            shown = list(dict.fromkeys(e for f in found for e in f.examples))[:examples]
            yield f"  {kind}: {numbers}" + (f" (such as {'; '.join(shown)})" if shown else "")
        notes = [r for r in self.records if r.note]
        yield f"{len(self.lost)} records of what could not be read"
        yield from _first(self.lost)
        if notes:
            yield f"{len(notes)} notes"
            yield from _first(notes)

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _first(records: Sequence[ErrorRecord]) -> Iterator[str]:
    yield from (f"  {record}" for record in records[:20])
    if len(records) > 20:
        yield f"  ... and {len(records) - 20} more"


def _cell(count: StatisticCount) -> str:
    if count.published is None or count.published == count.found:
        return f"{count.found:,}" + (" =" if count.published is not None else "")
    return f"{count.found:,} (published {count.published:,})"


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()


def examine(spec: str | Sequence[str], *, decode: bool = True, **options: Any) -> AuditReport:
    """Audit a corpus: read all splits, count, compare with published statistics, and collect anomalies.

    Args:
        spec: as for `load`, or several files. Captions, relevance scores and an image folder are searched in the
            corpus folder unless options name them.
        decode: whether images are decoded; False reads their headers only, which misses truncated files.
        **options: as for `load`.

    Raises:
        CorpusError: an unknown corpus or option.
    """
    specs = [spec] if isinstance(spec, str) else list(spec)
    parsed = Spec.parse(specs[0], **options) if len(specs) == 1 else Spec("files", Path(), {"paths": specs, **options})
    parsed.load()  # a wrong option is an error before anything is read
    corpus = replace(parsed, options={k: v for k, v in parsed.options.items() if k not in ATTACHED}).load()
    tally = Statistics()
    checks: list[Check] = [tally, Anomalies(), ReversedRelations(), Duplicates(), Leaks()]
    own = OwnImages(decode)
    checks += [] if DATASETS[parsed.format].is_published else [own]
    used, lang = _read(corpus, checks)
    records = [*corpus.skipped, *own.records.values()]
    findings = [replace(f, split=_without(f.split, lang)) for check in checks for f in check.findings()]
    table = {_without(split, lang): row for split, row in tally.table().items()}
    side_files = SideFiles(_options(parsed, corpus), tuple(corpus.sources), used)
    if DATASETS[parsed.format].is_published:
        findings += side_files.findings(decode)
        records += [r for r in side_files.records if r not in records]
        for split, counts in side_files.counts.items():
            table.setdefault(split, {}).update(counts)
        findings += _dataset_findings(parsed, used)
    published = closest_reference(DATASETS[parsed.format].references, table)
    return AuditReport(
        corpus.name,
        published.title if published else "",
        compare(table, published),
        tuple(f for f in findings if f.count),
        tuple(records),
        side_files.named(),
    )


def _read(corpus: Corpus, checks: list[Check]) -> tuple[dict[str, Counter[str]], str]:
    """Give every document to every check; (split -> image id -> number of documents, the only language or "")."""
    used: dict[str, Counter[str]] = {}
    langs: set[str] = set()
    for split in (s for s in SPLIT_NAMES if s in corpus.sources):
        count = used.setdefault(split, Counter())
        for document in corpus.split(split):
            langs.add(document.lang)
            count.update(set(main_images(document)))
            for check in checks:
                check.add(f"{split} {document.lang}".rstrip(), document)
    return used, langs.pop() if len(langs) == 1 else ""


def _without(split: str, lang: str) -> str:
    """`dev + test` of `dev en + test en`, where English is all there is."""
    return " + ".join(part.removesuffix(" " + lang) for part in split.split(" + ")) if lang else split


def _options(spec: Spec, corpus: Corpus) -> AttachmentOptions:
    """What the user named, and for the rest what lies in the folder."""
    known = accepted_options(spec.format) if DATASETS[spec.format].is_published else ()
    if "captions" not in known:
        return AttachmentOptions()
    found = discover_side_files(spec.path, _sources(corpus), tuple(corpus.sources))
    given = {k: v for k, v in spec.options.items() if k in (*ATTACHED, "images") and v}
    named = AttachmentOptions.find(spec.path, tuple(corpus.sources), **given)
    return AttachmentOptions(
        captions=named.captions or found.captions,
        images=named.images or found.images,
        weights=named.weights or found.weights,
    )


def _sources(corpus: Corpus) -> frozenset[Path]:
    """The text files of the splits."""
    given = (arg for source in corpus.sources.values() for arg in getattr(source, "args", ()))
    return frozenset(arg for arg in given if isinstance(arg, Path))


def _dataset_findings(spec: Spec, used: dict[str, Counter[str]]) -> list[Finding]:
    """What only this dataset can have."""
    audit = DATASETS[spec.format].audit
    images = frozenset(image for count in used.values() for image in count)
    return list(resolve_function(audit)(spec.path, spec.options, images)) if audit else []


def compare(table: dict[str, dict[str, int]], published: ReferenceStatistics | None) -> tuple[StatisticCount, ...]:
    """The counts of a corpus beside the published ones.

    Args:
        table: split -> statistic -> count.
        published: None: nothing is known.
    """
    known = published.table if published else {}
    order = [s for s in table if s != "all"] + ["all"] * ("all" in table)
    return tuple(
        StatisticCount(
            split,
            what,
            found := table[split].get(what, 0),
            known.get(split, {}).get(what),
            published.explain(split, what, found) if published else "",
        )
        for split in order
        for what in {**table[split], **known.get(split, {})}
    )
