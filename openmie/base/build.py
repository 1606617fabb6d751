"""Train the shipped text weights: `python -m openmie.base.build --corpora OPEN --lexicon WORDNET --out FOLDER`.

OPEN holds the open corpora (docs/models/base.md lists them with their hashes), WORDNET the file `data.noun` of WordNet
3.1. States of the frozen layers and vectors of labels are computed once, and kept in FOLDER/cache for the next time.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from openmie.base import adapter, known_labels, lexicon, relation_sources, sources, text_files
from openmie.base import described as descriptions
from openmie.base.cached_states import CachedStates, encode_lower
from openmie.base.calibrate import calibrated
from openmie.base.examples import Example, Label
from openmie.base.relation_sources import PairExample
from openmie.base.settings import TextSettings
from openmie.base.text_model import TextModel
from openmie.base.tower import TextTower
from openmie.base.training import TrainingData, TrainingOptions, train

GUIDELINES = ("names", "posts", "wnut", "web", "news", "weibo", "wikipedia", "lexicon")
LIMITS = {"broad_twitter": 9000, "fewrel": 6000, "wordnet": 6000}  # sentences with entities, by source
REPEATED = {"wnut17": 2, "conll04": 2, "redocred": 2}  # sources of many types in few sentences
LEAST_SAID = 8  # names of a noun that is a type, too
PAIR_LIMITS = {"wikidata": 6000, "finre": 2500, "sanwen": 2500}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the corpora, train, calibrate and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the open corpora")
    parser.add_argument("--lexicon", type=Path, help="folder of WordNet's data.noun; default: train without it")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--without", default="", help="sources to leave out, with commas, such as wordnet,fewrel")
    parser.add_argument("--no-roles", action="store_true", help="teach no entity types that relations imply")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the sentences that are taken")
    parser.add_argument("--steps", type=int, default=1600, help="batches of 32 sentences")
    parser.add_argument("--frozen", type=int, default=6, help="lower layers without adapters")
    parser.add_argument("--rank", type=int, default=32, help="of the adapters")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    settings = TextSettings(
        mark_cjk=False, frozen=options.frozen, rank=options.rank, guidelines=GUIDELINES, version=f"1-seed{options.seed}"
    )
    model = TextModel(TextTower.load(settings.tower, settings.mark_cjk), settings)
    data = prepare(model, options)
    model.settings = replace(settings, trained_on=hashes(options.corpora, options.lexicon))
    adapter.adapt(model.upper, settings.rank)
    train(
        model,
        data,
        TrainingOptions(steps=options.steps, seed=options.seed),
        lambda step: text_files.save(model, options.out),
    )
    model.settings = calibrated(model, options.corpora)
    text_files.save(model, options.out)
    known_labels.write(options.out)


def prepare(model: TextModel, options: argparse.Namespace) -> TrainingData:
    """Sentences with lower states, and label vectors."""
    left_out = set(filter(None, options.without.split(",")))
    examples, labels = entity_examples(options.corpora, options.lexicon, left_out, options.scale)
    if options.no_roles:
        examples, labels = without_roles(examples, labels)
    pairs = {} if "pairs" in left_out else relation_sources.all_pairs(options.corpora, 0)
    pairs = {name: rows[: int(options.scale * PAIR_LIMITS.get(name, len(rows)))] for name, rows in pairs.items()}
    relations = relation_sources.texts(options.corpora)
    texts = {text for label in labels.values() for text in label.texts} | {t for own in relations.values() for t in own}
    cache = options.out / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    vectors = label_vectors(model, sorted(texts), cache)
    states = {name: cached(model, rows, cache, f"entities-{name}") for name, rows in examples.items()}
    pair_states = {name: cached(model, rows, cache, f"pairs-{name}") for name, rows in pairs.items()}
    sizes = ", ".join(f"{name} {len(found)}" for name, found in [*states.items(), *pair_states.items()])
    print(f"sentences: {sizes}; {len(labels)} labels", file=sys.stderr, flush=True)
    return TrainingData(
        examples=[e for name, rows in examples.items() for e in [*rows] * REPEATED.get(name, 1)],
        states=[s for name, found in states.items() for s in found * REPEATED.get(name, 1)],
        labels=labels,
        pairs=[e for rows in pairs.values() for e in rows],
        pair_states=[s for found in pair_states.values() for s in found],
        relations=relations,
        vectors=vectors,
    )


def entity_examples(
    corpora: Path, words: Path | None, left_out: set[str], scale: float
) -> tuple[dict[str, list[Example]], dict[str, Label]]:
    """Sentences by source, shuffled and limited, and every label."""
    found, labels = sources.all_examples(corpora), sources.labels()
    if words is not None and "wordnet" not in left_out:
        found, labels = with_lexicon(words, found, labels, "described" not in left_out)
    chosen = {}
    for name, rows in found.items():
        if name not in left_out:
            random.Random(name).shuffle(rows)
            rows.sort(key=lambda e: -max((len(s.labels) for s in e.spans), default=0) if name == "fewrel" else 0)
            chosen[name] = rows[: int(scale * min(len(rows), LIMITS.get(name, len(rows))))]
    return chosen, labels


def with_lexicon(
    folder: Path, found: dict[str, list[Example]], labels: dict[str, Label], described: bool
) -> tuple[dict[str, list[Example]], dict[str, Label]]:
    """The same with types of the lexicon: its own examples, and what sentences say of their names."""
    synsets = lexicon.read(folder)
    nouns = descriptions.Nouns(synsets, lexicon.read_order(folder))
    english = [e for name in sources.ENGLISH for e in found[name]] if described else []
    said = [place for place, number in descriptions.count(english, nouns).items() if number >= LEAST_SAID]
    words = lexicon.Lexicon(synsets, said)
    labels, renamed = sources.with_types(labels, words.labels)
    for name in sources.ENGLISH:
        rows = sources.with_lexical_names(found[name], renamed)
        found[name] = descriptions.described(rows, nouns, words, sources.KINDS.keys()) if described else rows
    found["wordnet"] = lexicon.build(words, 0, LIMITS["wordnet"])
    return found, labels


def without_roles(
    examples: Mapping[str, Sequence[Example]], labels: Mapping[str, Label]
) -> tuple[dict[str, list[Example]], dict[str, Label]]:
    """The same sentences without entity types that relations imply: only annotated and lexical types are left."""
    kept = {key: label for key, label in labels.items() if key in sources.KINDS or label.lexical}
    return {name: list(rows) for name, rows in examples.items() if name != "fewrel"}, kept


def cached(
    model: TextModel, rows: Sequence[Example] | Sequence[PairExample], folder: Path, name: str
) -> list[CachedStates]:
    """Lower states of sentences, computed or read again."""
    text = "\n".join(" ".join(row.words) for row in rows)
    key = hashlib.sha256(f"{model.settings.frozen} {model.settings.mark_cjk} {text}".encode()).hexdigest()[:16]
    path = folder / f"{name}-{key}.safetensors"
    if not path.exists():
        found = encode_lower(model, [row.words for row in rows])
        ends = torch.tensor([[len(c.states), len(c.heads)] for c in found]).reshape(-1, 2)
        save_file(
            {
                "states": torch.cat([c.states for c in found]),
                "heads": torch.cat([c.heads for c in found]),
                "ends": ends,
            },
            path,
        )
    stored = load_file(path)
    pieces, words = stored["ends"].T.tolist()
    return [CachedStates(*both) for both in zip(stored["states"].split(pieces), stored["heads"].split(words))]


def label_vectors(model: TextModel, texts: Sequence[str], folder: Path) -> dict[str, Tensor]:
    """Vectors of label texts, computed or read again."""
    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = folder / f"labels-{key}.safetensors"
    if not path.exists():
        with torch.no_grad():
            save_file({"vectors": model.tower.encode_texts(texts)}, path)
    return dict(zip(texts, load_file(path)["vectors"]))


def hashes(corpora: Path, words: Path | None) -> dict[str, str]:
    """SHA-256 of every file that is read, by its path."""
    found = {name: corpora / name for name in sources.FILES}
    if words is not None:
        found |= {f"wordnet/{name}": words / name for name in ("data.noun", "index.noun")}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(found.items())}


if __name__ == "__main__":
    main()
