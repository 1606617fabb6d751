"""The published numbers of Shap-CA, as printed.

Table 1 lost its cells in the text at hand; what sections 4.4 and 5.1 and table 4 say of it stands here. None: printed
there, not legible here; nothing is filled in from memory. The sizes of the splits are those of section 4.1, but for
Twitter-2015's test split, 3,357 in print, whose files have 3,257.
"""

from __future__ import annotations

from openmie.papers._published import Measure, Quantity, Setting

NAME = "Shap-CA"
TWITTER_2015, TWITTER_2017 = ("twitter2015", "T15", "T-15"), ("twitter2017", "T17", "T-17")
QUANTITIES: dict[str, Quantity] = {" P": "precision", " R": "recall", "": "f1"}  # how a column's name ends
STRICT, PARAMETERS = Measure(score="strict"), {"parameters, M": Measure(quantity="parameters")}
SETTINGS = {
    "T-15": Setting(
        data=TWITTER_2015,
        task="ner",
        documents={"train": 4000, "dev": 1000, "test": 3257},
        columns={"T-15": STRICT, **PARAMETERS},
    ),
    "T-17": Setting(
        data=TWITTER_2017,
        task="ner",
        documents={"train": 3373, "dev": 723, "test": 723},
        columns={"T-17": STRICT, **PARAMETERS},
    ),
    "MNRE": Setting(
        data=("mnre",),
        task="re",
        documents={"train": 12247, "dev": 1624, "test": 1614},
        columns={"MNRE": Measure(score="as_released")},  # one row a pair, as all systems on MNRE count
    ),
    "MJERE": Setting(  # pairs and entities of one joint run
        data=("jmere", "mjere"),
        task="joint",
        documents={"train": 3617, "dev": 495, "test": 474},
        columns={
            **{f"MJERE joint{end}": Measure(score="pairs", quantity=q) for end, q in QUANTITIES.items()},
            **{f"MJERE ner{end}": Measure(score="entities", quantity=q) for end, q in QUANTITIES.items()},
            **PARAMETERS,
        },
    ),
    "T-17 to T-15": Setting(
        data=TWITTER_2017,
        task="ner",
        tested=TWITTER_2015,
        documents={"train": 3373, "test": 3257},
        columns={"T-17 to T-15": STRICT},
    ),
    "T-15 to T-17": Setting(
        data=TWITTER_2015,
        task="ner",
        tested=TWITTER_2017,
        documents={"train": 4000, "test": 723},
        columns={"T-15 to T-17": STRICT},
    ),
}
UNREAD: dict[str, float | None] = dict.fromkeys(("T-15", "T-17", "MNRE", "MJERE joint", "MJERE ner"))


def _table(rows: dict[str, tuple[float, ...]]) -> dict[str, dict[str, float | None]]:
    """Precision, recall and F1 of pairs, then of entities, on MJERE."""
    names = [f"MJERE {what}{measure}" for what in ("joint", "ner") for measure in (" P", " R", "")]
    return {row: dict(zip(names, numbers)) for row, numbers in rows.items()}


REPORTED: dict[str, dict[str, dict[str, float | None]]] = {
    "table 1": {
        NAME: {**UNREAD, "T-15": 76.93, "T-17": 88.32, "MJERE joint": 55.95, "MJERE ner": 79.29},
        "w/o context in alignment": {**UNREAD, "T-15": 74.87},
        **dict.fromkeys(("w/o context in fusion", "w/o Shapley", "w/o word-pair contrast"), UNREAD),
    },
    "table 2": _table(
        {
            "baseline": (50.89, 53.93, 52.36, 74.09, 78.75, 76.35),
            "w/o image": (51.81, 56.29, 53.96, 74.31, 80.30, 77.19),
            NAME: (54.03, 58.02, 55.95, 77.19, 81.50, 79.29),
        }
    ),
    "table 3": _table(
        {
            "context=BU": (54.11, 56.92, 55.48, 76.57, 80.92, 78.69),
            "context=VinVL": (53.64, 57.86, 55.67, 77.02, 80.73, 78.83),
            "context=BLIP-2": (54.50, 57.08, 55.76, 77.33, 80.83, 79.03),
            "context=LLaVA-1.5": (54.03, 58.02, 55.95, 77.19, 81.50, 79.29),
            "context=GPT-4": (53.98, 58.45, 56.13, 77.39, 81.54, 79.41),
        }
    ),
    "table 4": {
        "UMT": {"parameters, M": 206.3, "T-15": 73.41, "T-17": 85.31},
        "CAT-MNER": {"parameters, M": 198.5, "T-15": 75.41, "T-17": 85.99},
        "EEGA": {"parameters, M": 179.7, "MJERE joint": 55.29, "MJERE ner": 78.59},
        NAME: {"parameters, M": 170.7, "T-15": 76.93, "T-17": 88.32, "MJERE joint": 55.95, "MJERE ner": 79.29},
    },
    "table 5": {NAME: {"T-17 to T-15": None, "T-15 to T-17": None}},  # its cells are lost too
    "section 4.4": {"ahead of the best competitor": {"T-15": 1.33, "T-17": 1.07, "MJERE ner": 0.7, "MNRE": 1.05}},
}
