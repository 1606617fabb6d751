"""`--task` of `openmie extract` for models that predict all that they can: the layers that are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openmie.data.document import Document
from openmie.errors import OpenMIEError

TASKS = ("ner", "chains", "re", "boxes")
ALIASES = {"joint": ("ner", "re"), "grounded": ("ner", "boxes")}  # as `openmie score` names them


def read_tasks(text: str) -> tuple[str, ...]:
    """The tasks of `--task`, in their order; "": all.

    Raises:
        OpenMIEError: a task that no such model has.
    """
    named = [part.strip() for part in text.split(",") if part.strip()]
    asked = {task for name in named for task in ALIASES.get(name, (name,))}
    if wrong := sorted(asked - {*TASKS}):
        raise OpenMIEError.unknown(
            "task of this model", wrong[0], (*TASKS, *ALIASES), where="--task",
            remedy="a vision-language model (--system) has summary and records, too",
        )  # fmt: skip
    return tuple(task for task in TASKS if task in asked) if asked else TASKS


def select_layers(documents: Iterable[Document], tasks: tuple[str, ...]) -> Iterator[Document]:
    """The documents with the layers of the tasks; mentions stay beside the chains and relations that name them."""
    for document in documents:
        if tasks == TASKS:
            yield document
            continue
        mentions = document.mentions if {"ner", "chains", "re"} & {*tasks} else ()
        chains = document.chains if "chains" in tasks or _ends_in_chains(document, tasks) else ()
        known = {*(m.id for m in mentions), *(c.id for c in chains)}
        regions = [r if r.of in known else r.model_copy(update={"of": ""}) for r in document.regions]
        yield document.replace(
            mentions=mentions,
            chains=chains,
            relations=document.relations if "re" in tasks else (),
            regions=tuple(regions) if "boxes" in tasks else (),
        )


def _ends_in_chains(document: Document, tasks: tuple[str, ...]) -> bool:
    """Whether relations that are kept are between chains."""
    chains = {c.id for c in document.chains}
    return "re" in tasks and any({r.head, r.tail} & chains for r in document.relations)
