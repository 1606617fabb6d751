"""Public names and docstrings use the field's terms: one class, one name; none of the old words of the glossary."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "openmie"
CLEAN = (  # packages and modules whose names and docstrings follow the glossary
    "annotation",
    "base",
    "bench",
    "cli",
    "client",
    "corpora",
    "data",
    "datasets",
    "diorama",
    "errors",
    "formats",
    "inference",
    "metrics",
    "model",
    "nn",
    "papers",
    "recipe",
    "report",
    "serve",
    "text",
    "train",
    "video",
    "vlm",
)


# Parts of names (between underscores, in lower case) that the glossary replaces, and what by.
OLD_NAMES = {
    "alike": "similarity",
    "apart": "separate",
    "asked": "query",
    "asks": "query",
    "beside": "inline",
    "closure": "normalised gain",
    "dial": "option",
    "dials": "options",
    "dream": "generated image",
    "dreams": "generated images",
    "haste": "time decay",
    "heard": "attention output",
    "heed": "attention",
    "homeless": "unmatched",
    "inlet": "input projection",
    "kept": "selected, or what it is",
    "laws": "distributions",
    "lesson": "SFT example",
    "mute": "without text",
    "oddities": "anomalies",
    "opening": "initial bias",
    "pieces": "tokens",
    "refused": "skipped",
    "said": "the value's own name",
    "sides": "modalities, or image inputs",
    "tally": "micro counts",
    "teach": "build SFT dataset",
    "told": "observable from",
    "twin": "matched",
    "wanted": "select",
    "whereupon": "",
    "worlds": "outcomes",
}
OLD_FIELDS = {  # whole names of a recipe's fields
    "alike": "similarity_init",
    "at": "stage",
    "chunk": "frames_per_pass",
    "drop": "modality_dropout",
    "empty": "no_object_weight",
    "local": "conv_width",
    "opening": "gate_bias",
    "own": "pair_weight",
    "per": "loss_per",
    "positives": "topk_weight",
    "reads": "input_stream",
    "reconstruct": "reconstruction_weight",
    "same": "nms_iou",
    "spread": "bridge_pooling",
    "times": "time_decay",
}
OLD_PHRASES = (
    r"\b(is|are|be) apart\b|\bstands? apart\b",
    r"\bheed(s|ed|ing)?\b",
    r"\bhaste\b",
    r"\bwhereupon\b",
    r"\bdream(s|ed|t)?\b",
    r"\bdials?\b",
    r"\bword pieces?\b",
    r"\bpieces of a window\b",
    r"\bheads? (answers?|asks?|says?|hears?|tells?|told)\b",
    r"\b(words|tokens|frames|patches|towers?) (ask|hear|heed|say|tell)s?\b",
    r"\bmodels? (answers?|says?|tells?|told)\b",
    r"\banswers? in words\b",
    r"\blikeliest answer\b",
    r"\b(both|other|missing) sides? of a (document|post)\b",
    r"\bsaid twice\b",
    r"\bfrozen towers\b",
    r"\bown nearest\b",
)


def files(packages=CLEAN):
    for name in packages:
        at = PACKAGE / name
        yield from sorted(at.rglob("*.py")) if at.is_dir() else [at.with_suffix(".py")]


def public_definitions(tree):
    """Classes and functions without underscore, and the methods of such classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_"))


def public_names(tree):
    """Names of definitions, arguments and fields."""
    for node in public_definitions(tree):
        yield node.name
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            yield from (a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
        else:
            yield from (
                n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            )


def parts(name):
    """`WordPairs`, `word_pairs` -> word, pairs."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def old_words(tree, module=""):
    return sorted(
        {
            f"{name}: {OLD_NAMES[part] or 'leave it out'}"
            for name in (module, *public_names(tree))
            for part in parts(name)
            if part in OLD_NAMES and not name.startswith("_")
        }
    )


def old_phrases(tree):
    docstrings = [ast.get_docstring(n) or "" for n in (tree, *public_definitions(tree))]
    return sorted({m.group() for text in docstrings for p in OLD_PHRASES for m in re.finditer(p, text, re.I)})


def test_public_names_and_docstrings_have_none_of_the_old_words():
    trees = {file: ast.parse(file.read_text(encoding="utf8")) for file in files()}
    words = {str(file.relative_to(PACKAGE)): old_words(tree, file.stem) for file, tree in trees.items()}
    phrases = {str(file.relative_to(PACKAGE)): old_phrases(tree) for file, tree in trees.items()}
    assert not {k: v for k, v in words.items() if v}, "the glossary (docs) has the field's terms"
    assert not {k: v for k, v in phrases.items() if v}, "write the docstring as the field's papers do"


def test_a_class_name_has_one_meaning():
    defined = defaultdict(list)
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert not {name: places for name, places in defined.items() if len(places) > 1}


@pytest.mark.parametrize(
    ("code", "names", "phrases"),
    [
        ("def f(told): ...", 1, 0),
        ("class WordPieces: ...", 1, 0),
        ("class C:\n    asked: int = 0", 1, 0),
        ('def f():\n    """A part that stands apart."""', 0, 1),
        ('class C:\n    def f(self):\n        """Words heed frames."""', 0, 2),
        ('def _f(told):\n    """Heads answer."""', 0, 0),
        ('def f(selected):\n    """The head predicts."""', 0, 0),
    ],
)
def test_the_check_itself(code, names, phrases):
    assert len(old_words(ast.parse(code))) == names and len(old_phrases(ast.parse(code))) == phrases
