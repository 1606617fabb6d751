"""Time, memory and bytes of `openmie graph build` on made-up posts: a chain, three mentions, two relations, a box each.

    python benchmarks/graph.py 100000 --format turtle

Prints a line for each number of posts: seconds of processor time, peak memory of the process, bytes written, facts
(mentions, entities of documents, relations and regions). Names are drawn so that most are of several documents, and
one in five documents brings two names that no other has.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.data.provenance import provenance, source_with
from openmie.graph import FORMATS, build_graph

MODEL = provenance([{"name": "openmie-base", "version": "1.0"}], "0.1.0", "2026-11-30T10:40:12Z")
FACTS = 3 + 2 + 2 + 1  # of a post


def posts(number: int, seed: int = 1) -> Iterator[Document]:
    """Posts whose facts are like those of social media: a person named twice, who is seen, and an organisation."""
    rng = random.Random(seed)
    for i in range(number):
        fresh = rng.random() < 0.2
        first, last = f"Ada{rng.randrange(2000)}", f"Byron{i if fresh else rng.randrange(20_000)}"
        company = f"Works {i}" if fresh else f"Works {rng.randrange(30_000)}"
        text = f"{first} {last} opened the new hall of {company} this morning, and {first} cut the ribbon herself #news"
        at, again = text.index(company), text.rindex(first)
        mentions = (
            Mention(id="m0", start=0, end=len(first) + 1 + len(last), label="PER", score=0.91),
            Mention(id="m1", start=at, end=at + len(company), label="ORG", score=0.83),
            Mention(id="m2", start=again, end=again + len(first), label="PER", score=0.77),
        )
        yield Document(
            id=f"post-{i:08d}",
            text=text,
            lang="en",
            images=(Image(path=f"photos/{i:08d}.jpg", id="photo", width=1280, height=960),),
            mentions=mentions,
            chains=(Chain(id="c0", mentions=("m0", "m2"), label="PER"),),
            relations=(
                Relation(head="c0", tail="m1", label="works for", score=0.6),
                Relation(head="c0", tail="m1", label="member of", score=0.5),
            ),
            regions=(Region(image="photo", box=(101.5, 20.0, 380.25, 700.0), label="PER", of="c0", score=0.8),),
            source=source_with({}, MODEL),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posts", type=int, nargs="+", help="numbers of posts, in ascending order")
    parser.add_argument("--format", default="turtle", choices=list(FORMATS))
    arguments = parser.parse_args()
    for number in arguments.posts:
        folder = Path(tempfile.mkdtemp())
        try:
            began = time.process_time()
            built = build_graph(posts(number), folder / f"g{FORMATS[arguments.format].suffix}")
            seconds = time.process_time() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
            print(
                f"{arguments.format}: {number:,} posts, {number * FACTS:,} facts, {built.entities:,} entities, "
                f"{built.counts.alias:,} merged by alias; {seconds:.0f} s, peak {peak:.0f} MB, {size:.0f} MB written",
                flush=True,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
