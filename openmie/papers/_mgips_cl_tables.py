"""The published numbers of MGIPS-CL, as printed: tables 2 and 3. Those of its figures are not legible in the text."""

from __future__ import annotations

from openmie.papers._published import Measure, Setting
from openmie.papers._tables import read_table

NAME = "MGIPS-CL"
LABELS = ("PER", "LOC", "ORG", "MISC")
ENDS = (*(f" {label}" for label in LABELS), " P", " R", "")  # of a column's name; F1 of each type, then of all
MEASURES = [f"{corpus}{end}" for corpus in ("T-15", "T-17") for end in ENDS]


def _columns(corpus: str) -> dict[str, Measure]:
    """What the columns of a corpus are: strict scores of names."""
    types = {f"{corpus} {label}": Measure(score="strict", label=label) for label in LABELS}
    micro = {
        f"{corpus} P": Measure(score="strict", quantity="precision"),
        f"{corpus} R": Measure(score="strict", quantity="recall"),
    }
    return {**types, **micro, corpus: Measure(score="strict")}


SETTINGS = {
    "T-15": Setting(
        data=("twitter2015", "T15", "T-15"),
        task="ner",
        documents={"train": 4000, "dev": 1000, "test": 3257},
        columns=_columns("T-15"),
    ),
    "T-17": Setting(
        data=("twitter2017", "T17", "T-17"),
        task="ner",
        documents={"train": 3373, "dev": 723, "test": 723},
        columns=_columns("T-17"),
    ),
}
TABLE_2 = f"""
BiLSTM-CRF          76.77 72.56 41.33 26.80 68.14 61.09 64.42  85.12 72.68 72.5  52.56 79.42 73.43 76.31
CNN-BiLSTM-CRF      80.86 75.39 47.77 32.61 66.24 68.09 67.15  87.99 77.44 74.02 60.82 80.00 78.76 79.37
BERT                84.72 79.91 58.26 38.81 68.30 74.61 71.32  90.88 84.00 79.25 61.63 82.19 83.72 82.95
BERT-CRF            84.74 80.51 60.27 37.29 69.22 74.59 71.81  90.25 83.05 81.13 62.21 83.32 83.57 83.44
BERT-BiLSTM-CRF     84.32 79.31 61.66 37.53 71.03 73.57 72.27  90.29 84.55 80.97 64.85 83.20 84.68 83.93
ChatGPT             -     -     -     -     -     -     50.21  -     -     -     -     -     -     57.50
GPT-4               -     -     -     -     -     -     57.98  -     -     -     -     -     -     66.61
CoT (ChatGPT)       -     -     -     -     -     -     76.53  -     -     -     -     -     -     87.79
UMIE (Flan-T5)      -     -     -     -     -     -     76.10  -     -     -     -     -     -     88.10
AdaCAN              81.98 78.95 53.07 34.02 72.75 68.74 70.69  89.63 77.46 79.24 62.77 84.16 80.24 82.15
AdaCAN-BERT-CRF     85.28 80.64 59.39 38.88 69.87 74.59 72.15  90.20 82.97 82.67 64.83 85.13 83.20 84.10
UMT                 85.24 81.58 63.03 39.45 71.84 74.61 73.20  91.56 84.73 82.24 70.10 85.08 85.27 85.18
MEGA                -     -     -     -     70.35 74.58 72.35  -     -     -     -     84.03 84.75 84.39
UMGF                84.26 83.17 62.45 42.42 74.49 75.21 74.85  91.92 85.22 83.13 69.83 86.54 84.50 85.51
MAF                 84.67 81.18 63.35 41.82 71.86 75.10 73.42  91.51 85.80 85.10 68.79 86.13 86.38 86.25
M3S                 86.05 81.32 62.97 41.36 74.92 75.14 75.03  92.73 84.81 82.49 69.53 86.93 85.21 86.06
CAT-MNER            85.57 81.97 61.12 40.20 76.19 74.65 75.41  91.90 85.96 83.38 68.67 87.04 84.97 85.99
FMIT                86.77 83.93 64.88 42.97 75.11 77.43 76.25  93.14 86.52 83.93 70.90 87.51 86.08 86.79
HVPNet              -     -     -     -     73.87 76.82 75.32  -     -     -     -     85.84 87.93 86.87
MKGFormer           -     -     -     -     -     -     -      -     -     -     -     86.98 88.01 87.49
BFCL                85.60 81.77 63.81 40.30 74.02 75.07 74.54  91.17 86.43 83.97 66.67 85.99 85.42 85.70
MNER-QG             85.31 81.65 63.41 41.32 77.43 72.15 74.70  90.90 86.19 84.52 71.67 88.26 85.65 86.94
DebiasCL            85.97 81.84 64.02 43.38 74.45 76.13 75.28  93.46 84.15 84.42 67.88 87.59 86.11 86.84
MPMRC-MNER          85.88 83.06 66.60 42.99 77.15 75.39 76.26  92.80 86.80 83.40 72.79 87.10 87.16 87.13
BGA-MNER            86.80 83.62 63.60 42.65 78.60 74.16 76.31  93.71 85.55 85.71 71.05 87.71 87.71 87.71
MCG-MNER            -     -     -     -     76.00 77.32 76.65  -     -     -     -     87.59 88.52 88.05
TMR                 -     -     -     -     75.26 76.49 75.87  -     -     -     -     88.12 88.38 88.25
ICKA                87.01 83.85 65.87 48.28 72.36 78.75 75.42  93.99 87.24 86.24 75.76 85.13 89.19 87.12
VEC-MNER            86.11 81.03 62.86 40.60 74.56 75.23 74.89  93.88 81.27 85.49 73.40 87.42 87.61 87.51
{NAME}            86.83 82.72 66.20 46.02 77.70 76.04 76.86  94.87 85.88 85.68 73.31 88.29 88.75 88.52
"""
TABLE_3 = f"""
{NAME}              77.70 76.04 76.86  88.29 88.75 88.52
w/o IPS-CL            74.66 77.08 75.85  87.20 88.23 87.71
w/o MGI               75.09 76.81 75.94  86.87 87.92 87.39
w/o row-grained       76.03 76.70 76.36  88.25 87.92 88.08
w/o column-grained    76.12 76.70 76.41  87.79 88.52 88.15
"""
REPORTED: dict[str, dict[str, dict[str, float | None]]] = {
    "table 3": read_table(TABLE_3, [m for m in MEASURES if m[4:] in (" P", " R", "")]),
    "table 2": read_table(TABLE_2, MEASURES),
}
