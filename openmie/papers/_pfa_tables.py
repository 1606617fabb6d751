"""The published numbers of M-MRE and PFA, as printed. Its data, 5,533 posts of GMNER with summaries, are not public."""

from __future__ import annotations

from openmie.papers._published import Measure, Setting

NAME = "M-MRE (PFA)"
MEASURES = ("F1", "Accuracy", "BLEU", "ROUGE-1", "ROUGE-2", "ROUGE-L")  # of tables 2 and 3
SETTINGS = {
    "GMNER": Setting(  # drawn 7:3 (section 4); a tenth of train is dev here
        data=("gmner", "mmre", "m-mre"),
        task="joint",
        documents={"train and dev": 3873, "test": 1660},
        columns={name: Measure(score=name, title=name) for name in MEASURES},
    )
}
REPORTED: dict[str, dict[str, dict[str, float | None]]] = {
    "table 1": {
        "characters of a summary": {"max": 573.0, "min": 40.0, "median": 317.0, "mean": 318.0},
        "words of a summary": {"max": 97.0, "min": 10.0, "median": 54.0, "mean": 53.0},
    },
    "table 2": {
        "Single TS": {"BLEU": 15.65, "ROUGE-1": 57.22, "ROUGE-2": 28.41, "ROUGE-L": 42.22},
        "Single MNER": {"F1": 86.70, "Accuracy": 90.05},
        NAME: {"F1": 84.96, "Accuracy": 88.83, "BLEU": 15.81, "ROUGE-1": 57.30, "ROUGE-2": 28.72, "ROUGE-L": 42.64},
    },
    "table 3": {
        "Single TS (no PFA)": {"BLEU": 14.25, "ROUGE-1": 51.24, "ROUGE-2": 25.45, "ROUGE-L": 38.09},
        "Single MNER (no PFA)": {"F1": 84.21, "Accuracy": 86.79},
        "M-MRE (no PFA)": {
            "F1": 83.91,
            "Accuracy": 87.50,
            "BLEU": 15.61,
            "ROUGE-1": 56.96,
            "ROUGE-2": 28.71,
            "ROUGE-L": 42.44,
        },
    },
}
