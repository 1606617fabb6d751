"""What annotators are told: M3D's rules (its section IV) in our words, and how to say each in their tool."""

from __future__ import annotations

from openmie.annotation.coref_links import COREFERENCE
from openmie.data.corpus import Labels
from openmie.datasets.m3d import SYMMETRIC
from openmie.datasets.relation_directions import example_label

LABELS = Labels(  # M3D's: types of entities and boxes, and the relations that its published files hold
    mentions=("PER", "LOC", "ORG", "TIME"),
    relations=tuple(
        f"{ends}_{name}"
        for ends, names in {
            "LOC-LOC": "contain nearby",
            "LOC-TIME": "disintegrate establish",
            "ORG-LOC": "contain located nearby",
            "ORG-ORG": "affiliated nearby",
            "ORG-TIME": "establish",
            "PER-LOC": "birth go_to leave_for located residence work",
            "PER-ORG": "depart go_to leave_for located member",
            "PER-PER": "brother_sister colleague couple employ neighbor other_relatives parents peer",
            "PER-TIME": "birth_time death_time depart entry",
        }.items()
        for name in names.split()
    ),
    regions=("PER", "LOC", "ORG"),
    symmetric=SYMMETRIC,
)

RULES = """# Guidelines for annotators

Work through one clip at a time: first the text, then the frames. Ask in the group when a case is unclear, and write the
decision down: two people annotate each clip, and what they differ on is decided together.

## Entities ({mentions})

* Mark every name: of people, places and organisations, full, shortened, or a nickname.
* Mark general mentions too, where a noun stands for somebody or something in particular: "his wife", "the band".
* Do not mark a mention that is a pronoun alone: he, she, it, we, they.
* Of times mark years, months, days, hours and minutes, as far as they are said.
* A mention is as short as it can be and as long as it must be: the name with its title, without the comma behind it.

## Chains

All mentions of one thing are one chain, across the whole clip. Say so {coreference}. A thing that is mentioned once
needs nothing.

## Relations ({relations})

* A relation holds between two chains. Mark it once, between any two mentions of them.
* Two things can stand in several relations, such as colleagues who later marry: mark each.
* The first part of a label names the types of its two ends, in their order{example}. {directions}
* Mark what the clip says or shows, not what you know.

## Frames ({regions})

* Draw a box around a person, place or organisation that is mentioned in the text and clearly to be seen.
* Whoever is not mentioned gets no box, and neither does what is too small or blurred to be told.
* A box is tight around all that is visible. Its label is the type.
"""
TOOL = {
    "brat": (
        f"by the relation `{COREFERENCE}` from one mention to the next",
        "Copy this folder into brat's data folder. Types and relations stand in `annotation.conf`. When done, "
        "hand the folder back.",
    ),
    "labelimg": (
        f"in the text tool, by `{COREFERENCE}`",
        "Start `labelImg FRAMES voc/classes.txt voc`, FRAMES being the video's folder of frames, and save as "
        "PascalVOC; or `labelImg FRAMES yolo/labels/classes.txt yolo/labels`, and save as YOLO. New labels go "
        "behind those that `classes.txt` has. Rename no frame. When done, hand the folder back.",
    ),
    "labelstudio": (
        f"by a relation `{COREFERENCE}` from one mention to the next",
        "Paste `interface.xml` into the project's labelling interface. Start Label Studio with "
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and the folder that holds this folder as "
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, add this folder as the project's local storage (without a sync), "
        "and import `tasks.json`. What is annotated "
        "already is there as predictions, to be copied into your annotation. Draw a relation `shows` from "
        "a box to a mention of what it shows. When done, export as JSON and hand that file back.",
    ),
}


def guidelines(tool: str, labels: Labels) -> str:
    """The rules with these labels, and how this tool is used."""
    how, use = TOOL[tool]
    turned = sorted(labels.symmetric & set(labels.relations))
    directions = f"These have no direction: {', '.join(turned)}." if turned else "The direction counts."
    layers = {name: ", ".join(getattr(labels, name)) or "none yet" for name in ("mentions", "relations", "regions")}
    shown = example_label(labels.relations, labels.mentions)
    order = "; draw {} from a {} to a {}".format(*shown) if shown else ""
    return RULES.format(coreference=how, directions=directions, example=order, **layers) + f"\n## Your tool\n\n{use}\n"
