"""What was published of each corpus: split -> statistic -> count, under the names that `doctor` counts by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

StatisticTable = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class KnownDifference:
    """Numbers in which the files that people have differ from the publication.

    Args:
        why: one sentence.
        table: split -> statistic -> count of these files.
    """

    why: str
    table: StatisticTable


@dataclass(frozen=True)
class ReferenceStatistics:
    """The statistics of one corpus, where they stand, and in what its files are known to differ."""

    title: str
    table: StatisticTable
    known: tuple[KnownDifference, ...] = field(default=())

    def explain(self, split: str, what: str, found: int) -> str:
        """Why a count differs from the published one; "" where nobody knows."""
        return next((k.why for k in self.known if k.table.get(split, {}).get(what) == found), "")


def _table(splits: str, **rows: str) -> dict[str, dict[str, int]]:
    """Rows `statistic="train dev test"` turned round; `__` in a name is a blank."""
    names = splits.split(",")
    return {s: {k.replace("__", " "): int(v.split()[i]) for k, v in rows.items()} for i, s in enumerate(names)}


TWITTER_2015 = ReferenceStatistics(
    "Twitter-2015 (Zhang et al., AAAI 2018)",  # 522 as the total demands; some papers print 552 for LOC of dev
    _table(
        "train,dev,test",
        documents="4000 1000 3257",
        mentions="6176 1546 5078",
        mentions__PER="2217 552 1816",
        mentions__LOC="2091 522 1697",
        mentions__ORG="928 247 839",
        mentions__OTHER="940 225 726",
    ),
    (
        KnownDifference(
            "the files that all repositories share have fewer than the paper's table",
            {
                "train": {"mentions": 6166, "mentions ORG": 927, "mentions OTHER": 931},
                "dev": {"mentions": 1541, "mentions OTHER": 220},
                "test": {"mentions": 5072, "mentions OTHER": 720},
            },
        ),
    ),
)
TWITTER_2017 = ReferenceStatistics(
    "Twitter-2017 (Lu et al., ACL 2018; split of Yu et al., ACL 2020)",
    _table(
        "train,dev,test",
        documents="3373 723 723",
        mentions="6049 1324 1351",
        mentions__PER="2943 626 621",
        mentions__LOC="731 173 178",
        mentions__ORG="1674 375 395",
        mentions__MISC="701 150 157",
    ),
)
GMNER = ReferenceStatistics(
    "GMNER (Yu et al., ACL 2023), documents as in the paper, boxes as counted in release 2.0 of July 2023",
    {
        s: {"documents": d, "boxes": b, "images with boxes": f}
        for s, d, b, f in (("train", 7000, 5652, 3925), ("dev", 1500, 1164, 832), ("test", 1500, 1242, 855))
    },
)
MNRE = ReferenceStatistics(
    "MNRE version 2 (Zheng et al., ICME 2021)",
    {
        **_table("train,dev,test", documents="12247 1624 1614"),  # "sentences" there are images: some texts occur twice
        "all": {"documents": 15485, "images": 9201, "mentions": 30970, "relation types": 23},
    },
)
M3D = ReferenceStatistics(
    "M3D (Liu et al., TPAMI 2026, Table II); its boxes are published apart from the texts",
    {
        **_table(
            "train en,dev en,test en",
            documents="1644 205 207",
            mentions="27843 3457 3587",
            relations="11410 1388 1364",
            chains="15031 1885 1882",
            boxes="9812 1171 1198",
        ),
        **_table(
            "train zh,dev zh,test zh",
            documents="1629 203 205",
            mentions="22043 2685 2728",
            relations="8372 985 1049",
            chains="11481 1397 1419",
            boxes="3726 505 482",
        ),
    },
    (
        KnownDifference(
            "boxes are published apart from the texts",
            {f"{split} {lang}": {"boxes": 0} for split in ("train", "dev", "test") for lang in ("en", "zh")},
        ),
    ),
)
JMERE = ReferenceStatistics(
    "JMERE (Yuan et al., AAAI 2023), splits as in Shap-CA", _table("train,dev,test", documents="3617 495 474")
)

GMNER_TEXTS = ReferenceStatistics(GMNER.title, {s: {"documents": row["documents"]} for s, row in GMNER.table.items()})


def closest_reference(names: Sequence[str], counted: StatisticTable) -> ReferenceStatistics | None:
    """The published statistics whose numbers of documents are closest to those counted.

    Args:
        names: of statistics in this module, as in the table of datasets.
        counted: split -> statistic -> count.

    Returns:
        The closest; None where there is none, or where the closest of several differs by more than a tenth.
    """

    def distance(candidate: ReferenceStatistics) -> float:
        pairs = [
            (row["documents"], counted[split].get("documents", 0))
            for split, row in candidate.table.items()
            if split in counted
        ]
        return max((abs(a - b) / a for a, b in pairs), default=1.0)

    known: list[ReferenceStatistics] = [globals()[name] for name in names]
    best = min(known, key=distance, default=None)
    return best if best and (len(known) == 1 or distance(best) <= 0.1) else None
