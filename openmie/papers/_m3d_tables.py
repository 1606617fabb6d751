"""The published numbers of M3D, as printed. Figures 8 and 9 are curves whose values are not legible in the text."""

from __future__ import annotations

from collections.abc import Iterable

from openmie.papers._published import Measure, Setting
from openmie.papers._tables import read_table

NAME = "M3D"
TASKS = {"Ent.": "entities", "Cha.": "chains", "Rel.": "relations", "Gro.": "regions", "Avg.": "document"}
Table = dict[str, dict[str, float | None]]

EN = """
VideoMAE+Longformer+Os 89.65 57.43 27.72 27.23 50.51
VideoMAE+Longformer+Ts 90.55 58.20 28.94 29.54 51.81
ViViT+Longformer+Os 91.11 58.28 27.47 27.09 50.99
ViViT+Longformer+Ts 92.03 59.23 28.51 30.87 52.66
MDocRE-HN 91.20 58.09 29.15 32.15 52.65
Video-LLaMA-2 13.04 26.51 0.29 8.63 12.12
Video-ChatGPT 35.69 36.21 3.23 14.75 22.47
M3D 91.24 59.67 29.78 34.52 53.80
"""
ZH = """
VideoMAE+Longformer+Os 83.15 60.72 26.96 20.28 47.78
VideoMAE+Longformer+Ts 87.96 64.03 29.82 22.13 50.99
ViViT+Longformer+Os 87.66 64.34 30.67 21.02 50.92
ViViT+Longformer+Ts 88.00 65.55 32.21 22.99 52.19
MDocRE-HN 87.85 66.04 33.97 21.82 52.42
Video-LLaMA-2 21.05 27.33 0.19 1.93 12.63
Video-ChatGPT 40.99 30.35 1.50 5.43 19.56
M3D 87.98 67.80 36.89 22.42 53.77
"""
ABLATIONS = {
    "EN": """
M3D 91.24 59.67 29.78 34.52 53.80
w/o MMCM 90.03 59.45 28.17 34.45 53.03
w/o DFFM 90.68 58.74 29.00 32.68 52.78
""",
    "ZH": """
M3D 87.98 67.80 36.89 22.42 53.77
w/o MMCM 87.08 67.44 35.88 22.02 53.11
w/o DFFM 87.77 65.90 31.80 21.99 51.86
""",
}
# In brackets behind the numbers of tables III and IV; the paper calls them variances, of three results each.
VARIANCES = {
    "EN": """
VideoMAE+Longformer+Os 0.01 0.03 0.01 0.01
VideoMAE+Longformer+Ts 0.01 0.01 0.01 0.01
ViViT+Longformer+Os 0.01 0.01 0.14 0.22
ViViT+Longformer+Ts 0.01 0.01 0.40 0.30
MDocRE-HN 0.01 0.27 0.23 0.69
M3D 0.01 0.01 0.02 0.03
w/o MMCM 0.01 0.01 0.01 0.01
w/o DFFM 0.01 0.02 0.01 0.01
""",
    "ZH": """
VideoMAE+Longformer+Os 0.51 0.64 0.36 0.02
VideoMAE+Longformer+Ts 0.01 0.01 0.05 0.06
ViViT+Longformer+Os 0.01 0.01 0.01 0.04
ViViT+Longformer+Ts 0.01 0.01 0.10 0.25
MDocRE-HN 0.01 0.67 0.48 0.09
M3D 0.01 0.04 0.01 0.02
w/o MMCM 0.18 0.34 2.32 6.12
w/o DFFM 0.01 0.01 0.01 0.01
""",
}
COUNTS = """
# Doc. 1644 205 207 1629 203 205
# Ent. 27843 3457 3587 22043 2685 2728
# Rel. 11410 1388 1364 8372 985 1049
# Cha. 15031 1885 1882 11481 1397 1419
# Gro. 9812 1171 1198 3726 505 482
"""
ERRORS = """
Ent., boundary 8.78 12.70
Ent., type 0.85 0.77
Cha., incorrect entities 41.32 27.12
Cha., missing entities 10.73 5.88
Rel., false relations 64.10 63.00
Rel., types 3.46 3.12
Gro., boundary 54.15 67.40
Gro., type 8.00 8.27
"""


def _both(tables: dict[str, str], tasks: Iterable[str] = TASKS) -> Table:
    """Tables of both languages side by side, columns named by language and task."""
    found: Table = {}
    for language, text in tables.items():
        for row, cells in read_table(text, [f"{language} {task}" for task in tasks]).items():
            found.setdefault(row, {}).update(cells)
    return found


SPLITS = [f"{language} {split}" for language in ("EN", "ZH") for split in ("Train", "Dev", "Test")]
REPORTED: dict[str, Table] = {
    "table III": _both({"EN": EN, "ZH": ZH}),
    "table IV": _both(ABLATIONS),
    "tables III and IV, variances": _both(VARIANCES, [f"{task} variance" for task in list(TASKS)[:4]]),
    "table II": read_table(COUNTS, SPLITS),
    "table VI": read_table(ERRORS, ["EN", "ZH"]),
    "figure 8": {f"prompt={n}": {"EN Avg.": None, "ZH Avg.": None} for n in (4, 8, 16, 32, 64, 128)},
    "figure 9": {
        f"{sweep}={n}": {"EN Avg.": None, "ZH Avg.": None}
        for sweep in ("missing", "missing, w/o MMCM")
        for n in (0, 0.2, 0.4, 0.6, 0.8)
    },
}


def _columns(language: str) -> dict[str, Measure]:
    """What the columns of a language are: chains among gold mentions, relations among gold chains."""
    means = {f"{language} {task}": Measure(score=score) for task, score in TASKS.items()}
    spread = {f"{column} variance": Measure(score=m.score, quantity="variance") for column, m in means.items()}
    return means | spread


SETTINGS = {
    language: Setting(
        data=("m3d",),
        task="document",
        options={"lang|language": language.lower()},
        documents=documents,
        columns=_columns(language),
    )
    for language, documents in {
        "EN": {"train": 1644, "dev": 205, "test": 207},
        "ZH": {"train": 1629, "dev": 203, "test": 205},
    }.items()
}
