"""The protocol of M3D's tables III and IV, which runs may stand beside their numbers, and what a table says of it.

`m3d:DIR?lang=en&protocol=paper` and `diorama:documents=true,protocol=paper` take the text from a third of the documents
of every split and the frames from another third (section VI-C). Gold of what is taken goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from openmie.papers._m3d_tables import SETTINGS
from openmie.papers._published import ComparedRun, Comparison, compare

PROTOCOL = "paper"  # the option's value
HARMLESS = ("lang", "language", "images", "fps")  # options that leave documents and gold of a language as they are
CORPUS_SWEEPS = {"missing": "missing", "missing, w/o MMCM": "missing"}  # figure 9: sweep -> option of the corpus


def published(run: ComparedRun) -> Comparison:
    """The language whose numbers may stand beside a run, if it is of the paper's protocol and all four tasks.

    Tables III and IV are measured with `protocol=paper`; figure 9 at missing ratios of its own, which its sweeps ask
    for. A mean of three tasks, as without frames, stands beside no mean of four.
    """
    found = compare(SETTINGS, run)
    if not found.setting:
        return found
    told = {name: value for name, value in run.options.items() if name not in HARMLESS}
    swept = run.row.partition("=")[0] in CORPUS_SWEEPS
    if told != ({} if swept else {"protocol": PROTOCOL}):
        return Comparison(because=_other_protocol(told), closest=found.setting)
    if run.record is not None and "document" not in run.record["scores"]:
        because = f"the mean of the run is {next(iter(run.record['scores']))}, the paper's that of all four tasks"
        return Comparison(because=because, closest=found.setting)
    return found


def _other_protocol(told: Mapping[str, str]) -> str:
    """Why options of the corpus make another protocol than the paper's."""
    named = " and ".join(f"{name}={value}" for name, value in told.items())
    if "protocol" in told:
        return f"the run has {named}, the paper's tables protocol=paper alone"
    given = f" with {named}" if named else ", complete documents"
    return f"a run{given}; the paper's tables have protocol=paper, thirds without text and without frames"


def table_notes(corpora: Iterable[str]) -> list[str]:
    """What stands under a table of runs on these corpora: protocols, what the scores count, what is printed only."""
    notes = [
        f"Protocol of {corpus.partition(':')[0]} {options(corpus)}: {protocol(corpus)}."
        for corpus in dict.fromkeys(corpora)
    ]
    return [
        *notes,
        "document: the mean of entities, chains, relations and regions, the paper's Avg.; a mean of fewer tasks names "
        "them. Chains are scored among gold mentions, relations among gold chains, as in the paper; own: end to end.",
        "relations: labels without a direction (a third of M3D's relations) either way round; directed relations: "
        "subject with subject and object with object for every label, as section VI-B prints it; undirected relations: "
        "either way round for every label, as its release counts.",
        "The published numbers are means of three results; they stand beside runs of their protocol, language and all "
        "four tasks only. MDocRE-HN, the strongest baseline of table III, Video-LLaMA-2 and Video-ChatGPT are printed "
        "numbers only: nothing here runs them.",
    ]


def options(corpus: str) -> str:
    """The options of a corpus as they were given."""
    return corpus.partition("?")[2] or (corpus.partition(":")[2] if corpus.startswith("diorama") else "") or "(none)"


def protocol(corpus: str) -> str:
    """Which documents lack a modality."""
    found = dict(x.partition("=")[::2] for x in options(corpus).replace("&", ",").split(","))
    if found.get("protocol") == PROTOCOL:
        return "the paper's, a third of the documents without text, a third without frames"
    share = found.get("missing", "0")
    if share not in ("", "0"):
        return f"a share of {share} of the documents without text or without frames, half of it each"
    return "complete documents; MMCM has nothing to make, so that `w/o MMCM` is the same system but for its parameters"
