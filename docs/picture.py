"""Draws docs/post.png, the picture of the README: a photograph and a sentence with what openmie extracts as data.

python docs/picture.py PHOTOGRAPH    NASA's portrait of Eileen Collins (public domain), `astronaut.png` of scikit-image

The annotation is made by hand. It shows what a Document holds, not what a model predicts.
"""

import sys
from pathlib import Path

from openmie import Document, Image, Mention, Region, Relation
from openmie.report import picture

TEXT = "Eileen Collins, the first woman to command a Space Shuttle, poses for NASA with a model of the orbiter"
LABELS = ("ORG", "PER", "PRODUCT")


def mention(id: str, text: str, label: str) -> Mention:
    start = TEXT.index(text)
    return Mention(id=id, start=start, end=start + len(text), label=label, text=text)


def post(photograph: str) -> Document:
    image = Image(id="photo", path=photograph)
    return Document(
        id="post",
        text=TEXT,
        images=[image],
        mentions=[mention("m0", "Eileen Collins", "PER"), mention("m1", "Space Shuttle", "PRODUCT"),
                  mention("m2", "NASA", "ORG")],
        relations=[Relation(head="m0", tail="m2", label="member_of"), Relation(head="m0", tail="m1", label="commands")],
        regions=[Region(image="photo", box=(20, 14, 362, 510), label="PER", of="m0"),
                 Region(image="photo", box=(355, 1, 472, 290), label="PRODUCT", of="m1")],
    )  # fmt: skip


if __name__ == "__main__":
    picture(post(sys.argv[1]), width=1000, labels=LABELS).save(Path(__file__).with_name("post.png"), optimize=True)
