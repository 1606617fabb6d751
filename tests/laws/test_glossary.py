"""The glossary is in order, and has the abbreviations of the pages that a newcomer reads first."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "concepts" / "glossary.md").read_text(encoding="utf8")
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/quickstart.md",
    *(f"docs/concepts/{n}.md" for n in ("index", "path-of-a-document")),
]
GENERAL = {  # known to whoever knows PyTorch, transformers and information extraction
    *("ACM", "API", "AP", "BERT", "BIO", "CLEVR", "CLIP", "CONTRIBUTING", "CPU", "CRF", "CUDA", "EXIF", "GPU", "HTML"),
    *("ID", "IOB2", "JSON", "LICENSE", "MIT", "MUC", "NASA", "NER", "PNG", "URL", "LOG", "CHANGELOG", "MM", "CITATION"),
    *("B3", "CEAF_e", "IoU", "F1", "LOC", "ORG", "PER", "LLaVA", "MiniLM", "VL", "CoNLL", "InfoNCE", "OpenAI"),
}


def terms(text):
    return [
        term.strip()
        for line in re.findall(r"^(\S[^\n:#]*)\n:   ", text, re.M)
        for term in re.split(", (?![^(]*\\))", line)
    ]


def abbreviations(text):
    """Words with two capitals: MNER, Shap-CA, HVPNeT. Code blocks, links and placeholders of commands left out."""
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|\]\[[^\]]*\]|<!--.*?-->", " ", text, flags=re.S)
    words = set(re.findall(r"(?<![\w-])[A-Za-z][\w-]*\w", text))
    return {w for w in words if len(re.findall("[A-Z]", w)) > 1 and not re.fullmatch(r"[A-Z][a-z]+(-[A-Z][a-z]+)+", w)}


def test_terms_are_sorted_and_unique():
    first = [line.lower() for line in re.findall(r"^(\S[^\n:#]*)\n:   ", GLOSSARY, re.M)]
    assert first == sorted(first) and len(set(terms(GLOSSARY))) == len(terms(GLOSSARY)) > 60


@pytest.mark.parametrize("page", PAGES)
def test_abbreviations_of_the_first_pages_are_explained(page):
    known = {t.lower() for t in (*terms(GLOSSARY), *GENERAL)}
    found = abbreviations((ROOT / page).read_text(encoding="utf8"))
    classes = {w for w in found if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", w)}
    assert not {w for w in found - classes if not {w.lower(), w.split("-")[0].lower()} & known}


GUESSED = (  # by people who read the pages without having seen the project
    *("annotation layer", "bootstrap interval", "clip", "data hash", "entity markers", "extra", "implicit positives"),
    *("level", "model card", "seed", "singleton", "stage", "state", "summary", "sweep", "target", "text-only", "token"),
    *("candidate", "ceiling", "component", "context", "departure", "flavour", "gap closure", "phrases", "record"),
    *("converged", "encoded document", "endpoint", "label", "link", "model folder", "note", "result folder", "row"),
    *("task", "threshold", "variant", "window", "worker"),
)


@pytest.mark.parametrize("term", GUESSED)
def test_a_word_that_had_to_be_guessed_is_explained(term):
    assert term in terms(GLOSSARY)


def test_the_check_itself():
    assert abbreviations("The MNER of `ABC` in [x](QRS.md), an EncodedDocument of Shap-CA.") == {
        "MNER",
        "EncodedDocument",
        "Shap-CA",
    }
    assert terms("a, b\n:   Two.\n\nc\n:   One.\n") == ["a", "b", "c"]
