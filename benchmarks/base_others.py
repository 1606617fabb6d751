"""Other systems on the rows of base's table, for `benchmarks/base_table.py --others NAME=FOLDER`.

    python benchmarks/base_others.py spacy MODEL --corpora DIR --out FOLDER
    python benchmarks/base_others.py jieba --corpora DIR --out FOLDER

spaCy reads the words of the set, so that its tokenizer costs it nothing: PERSON is PER; GPE, LOC and FAC are LOC; ORG
is ORG. jieba tags words of the text, `nr` persons, `ns` places, `nt` organisations. Documents go to FOLDER/ROW.jsonl.
Both need openmie without torch and the system itself; a model's folder is loaded, its package is not imported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from base_rows import ENTITY_ROWS, THREE
from base_scoring import Entity, gold_documents, in_words, with_entities

from openmie.corpora import load
from openmie.data.document import Document
from openmie.formats.registry import write

SPACY = {"PERSON": "PER", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "ORG": "ORG"}
JIEBA = {"nr": "PER", "nrfg": "PER", "nrt": "PER", "ns": "LOC", "nt": "ORG"}
System = Callable[[Sequence[Document]], list[list[Entity]]]


def spacy_system(path: str) -> System:
    """The named entities of a spaCy pipeline."""
    import spacy
    from spacy.tokens import Doc

    nlp = spacy.load(path)

    def answer(some: Sequence[Document]) -> list[list[Entity]]:
        docs = nlp.pipe(Doc(nlp.vocab, words=list(d.word_texts())) for d in some)
        return [
            [
                Entity(d.words[e.start].start, d.words[e.end - 1].end, SPACY[e.label_], 1.0)
                for e in doc.ents
                if e.label_ in SPACY
            ]
            for d, doc in zip(some, docs)
        ]

    return answer


def jieba_system(_: str = "") -> System:
    """Words that jieba's part-of-speech tagger calls names."""
    import jieba.posseg

    def answer(some: Sequence[Document]) -> list[list[Entity]]:
        found = []
        for d in some:
            at, mine = 0, []
            for word, tag in jieba.posseg.cut(d.text):
                if tag in JIEBA:
                    mine.append(Entity(at, at + len(word), JIEBA[tag], 1.0))
                at += len(word)
            found.append(in_words(d, mine))
        return found

    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=["spacy", "jieba"])
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    system = (spacy_system if asked.system == "spacy" else jieba_system)(asked.model)
    for name, row in ENTITY_ROWS.items():
        if set(row.names.values()) != set(THREE) or (row.lang == "zh") != (asked.system == "jieba"):
            continue
        spec, _, split = row.test.partition("#")
        kind, _, path = spec.partition(":")
        corpus = load(f"{kind}:{asked.corpora / path}")
        gold = gold_documents(corpus.split(split or next(iter(corpus.sources))), row.names)
        started = time.perf_counter()
        found = system(gold)
        print(name, len(gold), f"{len(gold) / (time.perf_counter() - started):.0f} documents a second", flush=True)
        asked.out.mkdir(parents=True, exist_ok=True)
        write(with_entities(gold, found), asked.out / f"{name}.jsonl")


if __name__ == "__main__":
    main()
