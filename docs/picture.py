"""Draws docs/diorama.png, the picture of the README: two posts of the built-in corpus, as annotated.

python docs/picture.py [MODEL]     with a model folder, its predictions instead of the annotation
"""

import sys
from pathlib import Path

from PIL import Image

from openmie import diorama
from openmie.report import picture

LABELS = ("LOC", "MISC", "ORG", "PER")


def chosen() -> list:
    """The first post of two names whose relation only the scene tells, and the first of one name; both shown."""
    posts = list(diorama.generate(diorama.Config(seed=1, translation=False), "test", 200))
    shown = [p for p in posts if p.regions and all(p.source["ambiguous"])]
    two = next(p for p in shown if len(p.mentions) == 2 and any(r.label != "None" for r in p.relations))
    one = next(p for p in shown if len(p.mentions) == 1)
    return [two, one]


def main() -> None:
    posts = chosen()
    if len(sys.argv) > 1:
        import openmie

        found = openmie.load(sys.argv[1]).predict(posts)
        posts = [
            f.replace(regions=p.regions, mentions=f.mentions) if len(f.mentions) == len(p.mentions) else p
            for f, p in zip(found, posts)
        ]
    drawn = [picture(post, width=1000, labels=LABELS) for post in posts]
    whole = Image.new("RGB", (1000, sum(d.height for d in drawn) + 16 * (len(drawn) - 1)), "white")
    top = 0
    for d in drawn:
        whole.paste(d, (0, top))
        top += d.height + 16
    whole.save(Path(__file__).with_name("diorama.png"), optimize=True)


if __name__ == "__main__":
    main()
