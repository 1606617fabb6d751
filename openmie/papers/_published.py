"""Published numbers and the runs that they may stand beside: those of the same data, task and protocol.

A page of a paper gives

    REPORTED: dict[table, dict[row, dict[column, float | None]]]
        the numbers as printed, in percent. A row is `NAME`, the name of an ablation, `SWEEP=VALUE`, or another
        system's; None: printed there, but not legible in the text that the page was written from.
    SETTINGS: dict[str, Setting]
        what the columns were measured on, and what each of them is of a run's record.
    published(run: ComparedRun) -> Comparison
        optional: what else a run must be, such as a protocol; else `compare(SETTINGS, run)` decides.

Numbers of columns that no setting has, such as the sizes of a data set, stand beside no run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Quantity = Literal["precision", "recall", "f1", "accuracy", "variance", "parameters"]
SYMBOLS = {"precision": "P", "recall": "R", "f1": "F1"}
PRESENT = 0.9  # share of the test documents that must have their images here, where images are read


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a published column is of a run's record: a quantity of one score, or of one label of it.

    `variance` is that of F1 over seeds; `parameters` are of the model, in millions, and of no score.
    """

    score: str = ""
    label: str = ""
    quantity: Quantity = "f1"
    title: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """As a table of runs calls it: its title, or `pairs P`, `PER F1`, `relations accuracy`."""
        quantity = SYMBOLS.get(self.quantity, self.quantity)
        return self.title or " ".join(filter(None, (self.label or self.score, quantity)))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Data and task of some published columns.

    Args:
        data: names of the data set, as the last part of a corpus's path may be written; case and marks do not count.
        options: of the corpus that must be given, such as {"lang": "en"}; by one of several names, `lang|language`.
        task: of the run.
        tested: names of another data set whose test split is scored; (): the corpus's own.
        documents: of its splits, as printed: {"train": 3373, "test": 723}; "train and dev" is their sum; {}: not said.
        columns: column of REPORTED -> what it is of a run's record.
        prefix: what the bench writes before the row of these columns, such as `hvpnet `, where it is another sweep's.
    """

    data: tuple[str, ...]
    task: str
    columns: Mapping[str, Measure]
    options: Mapping[str, str] = field(default_factory=dict)
    tested: tuple[str, ...] = ()
    documents: Mapping[str, int] = field(default_factory=dict)
    prefix: str = ""


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """What decides whether published numbers may stand beside a run.

    Args:
        data: the corpus by the last part of its path, or by its format.
        format: of the corpus; a data set's own, such as `mnre`, names it too.
        task: of the run.
        options: of the corpus, such as {"lang": "en", "fold": "0"}.
        tested: another corpus whose test split is scored; "": its own.
        posts: it was trained on the first so many documents; 0: on all.
        row: the variant, as the bench names it.
        flavour: of the page.
        recipe: dumped; {}: it cannot be built.
        reads_images: whether the recipe does.
        record: the run's record; None: not run.
    """

    data: str
    task: str
    format: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    tested: str = ""
    posts: int = 0
    row: str = ""
    flavour: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    reads_images: bool = False
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The setting whose numbers stand beside a run, or why none does.

    Args:
        setting: its name; "": none.
        because: why none does, as a clause for a footnote.
        closest: the setting of this data whose numbers do not stand beside the run, because; "": none.
    """

    setting: str = ""
    because: str = ""
    closest: str = ""


def compare(settings: Mapping[str, Setting], run: ComparedRun) -> Comparison:
    """The setting of the run's data and task, if the run was trained and scored on all of it.

    Args:
        settings: the page's SETTINGS.
        run: what is known of the run.

    Returns:
        The first setting that fits; else the reason of the one that came closest.
    """
    known = {name: s for name, s in settings.items() if _same_data(s, run) and run.row.startswith(s.prefix)}
    known = dict(sorted(known.items(), key=lambda found: -len(found[1].prefix)))
    if not known:
        return Comparison(because=f"{_corpus(run)} is no data set of the paper's tables")
    for name, setting in known.items():
        if setting.task == run.task:
            because = _unlike(setting, run)
            return Comparison(because=because, closest=name) if because else Comparison(setting=name)
    tasks = " or ".join(dict.fromkeys(s.task for s in known.values()))
    because = f"the published numbers of {_corpus(run)} are of the task {tasks}, not {run.task}"
    return Comparison(because=because, closest=next(iter(known)))


def same_name(name: str, known: tuple[str, ...]) -> bool:
    """Whether a data set is called one of these names, however it is written: Twitter-17, twitter_2017, twitter2017."""
    return plain(name) in {plain(k) for k in known}


def plain(name: str) -> str:
    """A name without what people write differently."""
    found = "".join(c for c in name.lower() if c not in "-_ ")
    return f"twitter20{found[-2:]}" if found in ("twitter15", "twitter17") else found


def _same_data(setting: Setting, run: ComparedRun) -> bool:
    given = all(
        any(run.options.get(key) == value for key in keys.split("|")) for keys, value in setting.options.items()
    )
    tested = same_name(run.tested, setting.tested) if setting.tested else not run.tested
    return given and tested and (same_name(run.data, setting.data) or same_name(run.format, setting.data))


def _corpus(run: ComparedRun) -> str:
    return f"{run.data}, tested on {run.tested}," if run.tested else run.data


def _unlike(setting: Setting, run: ComparedRun) -> str:
    """Why a run on this data and task is no run of the same protocol; "": it is."""
    if "fold" in run.options:
        return f"fold {run.options['fold']} has other splits than the paper's"
    if run.posts:
        return f"trained on the first {run.posts:,} documents"
    share = run.recipe.get("training", {}).get("train_fraction", 1)
    if share != 1:
        return f"trained on a share of {share:g} of the documents"
    if run.record is None:
        return ""
    for split, printed in setting.documents.items():
        found = sum(_documents(run.record, part) for part in split.split(" and "))
        if found != printed:
            return f"{found:,} documents of {split}, where the paper has {printed:,}"
    images, documents = run.record.get("with images"), run.record.get("documents", 0)
    if run.reads_images and images is not None and images < PRESENT * documents:
        return f"{images:,} of {documents:,} test documents have their images here"
    return ""


def _documents(record: Mapping[str, Any], split: str) -> int:
    if split == "test":
        return int(record.get("documents", 0))
    return int(record.get("corpus", {}).get(split, {}).get("documents", 0))
