"""PFA's grammar: what is rendered follows it, what is broken does not, and what follows it parses cleanly."""

from __future__ import annotations

import random

import numpy as np
import pytest

from openmie import diorama
from openmie.data.document import Document, Mention
from openmie.errors import OpenMIEError
from openmie.metrics.patches import letter, patches
from openmie.vlm import pfa
from openmie.vlm.pfa.grammar import Bounds, grammar
from tests.fixtures import adversarial_inputs as nasty
from tests.unit.vlm.pfa.test_pfa import ADA, ANSWER, LABELS, MENDED

llguidance = pytest.importorskip("llguidance")
BYTES = llguidance.LLTokenizer("byte")
SMALL = Bounds(line=40, lines=3, entity=12, entities=3, entities_per_patch=2)
TASKS = (pfa.TASKS, ("summary",), ("ner",))


def matcher(*arguments, **options):
    found = llguidance.LLMatcher(BYTES, grammar(*arguments, **options).text, log_level=0)
    assert not found.is_error(), found.get_error()
    return found


def follows(rules, answer: str) -> bool:
    rules, said = rules.deep_copy(), list(answer.encode())
    return rules.try_consume_tokens(said) == len(said) and rules.is_accepting()


def walk(rules, rng: random.Random, most: int = 3000) -> str:
    """Bytes drawn from those that the grammar allows, those of the format more often; to an end that it allows."""
    out = bytearray()
    while True:
        allowed = np.flatnonzero(np.unpackbits(np.frombuffer(rules.compute_bitmask(), np.uint8), bitorder="little"))
        allowed = [int(b) for b in allowed if b < 256]
        if rules.is_accepting() and (not allowed or rng.random() < 0.3):
            return out.decode()
        assert allowed and len(out) < most, bytes(out)
        liked = [b for b in allowed if b in b"{}':;\n[],PERLOCTask12 Answer\"\\#u`"]
        out.append(rng.choice(liked if liked and rng.random() < 0.8 else allowed))
        assert rules.consume_token(out[-1])


@pytest.mark.parametrize("tasks", TASKS)
@pytest.mark.parametrize("plain", [False, True])
def test_what_is_rendered_follows_it(tasks, plain):
    for document in diorama.generate(diorama.Config(seed=4), "train", 12):
        answer = pfa.render(document, LABELS, tasks, plain=plain)
        for text in (None, document.text or None):
            assert follows(matcher(LABELS, len(patches(document)), tasks, text, plain=plain), answer)


def test_hostile_answers_follow_it_too():
    """All that can be written as UTF-8, within the bounds; label sets without labels that hold others' separators."""
    for seed in range(60):
        rng = random.Random(seed)
        labels = rng.choice([ls for ls in nasty.LABELS if "A;B" not in ls])
        document = nasty.document(rng, labels)
        plain = rng.random() < 0.3
        answer = pfa.render(document, labels, plain=plain)
        assert follows(matcher(labels, len(patches(document)), plain=plain), answer), answer


@pytest.mark.parametrize("how", [*MENDED, "unknown letter", "letters out of order", "a letter twice", "unknown label"])
def test_what_is_broken_does_not(how):
    answer = MENDED.get(how) or {
        "unknown letter": ANSWER.replace("'b'", "'e'"),
        "letters out of order": ANSWER.split("{")[0] + "{'d': 'Turin', 'b': 'Ada Lovelace'}",
        "a letter twice": ANSWER.replace("'d'", "'b'"),
        "unknown label": ANSWER.replace(":PER;", ":CITY;"),
    }[how]  # fmt: skip
    assert follows(matcher(LABELS, 4), ANSWER) and not follows(matcher(LABELS, 4), answer)


def test_names_of_the_text_alone():
    rules = matcher(LABELS, 4, text=ADA.text)
    assert follows(rules, ANSWER)
    rome = ANSWER.replace("Turin", "Rome")
    assert not follows(rules, rome) and follows(matcher(LABELS, 4), rome)
    tricky = 'so :PER; and \'a "b" :LOC;c'
    document = Document(id="d", text=tricky, mentions=[Mention(id="m0", start=0, end=2, label="PER")])
    assert follows(matcher(LABELS, 0, text=tricky), pfa.render(document, LABELS))
    two = "Task 2 Answer: NER: :PER;so :PER; and\nimage-entity pair: {}"  # one name of the text, or two?
    assert follows(matcher(LABELS, 0, ("ner",), text=tricky), two)
    assert not pfa.parsed_cleanly(pfa.parse(two, LABELS, document, ("ner",)))


@pytest.mark.parametrize("tasks", TASKS)
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("bound", [False, True])
def test_random_walks_parse_cleanly(tasks, plain, bound):
    rng = random.Random(f"{tasks} {plain} {bound}")
    for _ in range(8):
        text = ADA.text if bound else None
        answer = walk(matcher(list(LABELS), 4, tasks, text, plain=plain, bounds=SMALL), rng)
        found = pfa.parse(answer, LABELS, ADA if bound else None, tasks, plain=plain)
        assert pfa.parsed_cleanly(found), (answer, found.errors)
        if bound:
            assert all(m.status == "located" or m.text in ADA.text for m in found.mentions)
        assert (
            pfa.parse(pfa.render(found, LABELS, tasks, plain=plain), LABELS, found, tasks, plain=plain).mentions
            == found.mentions
        )


def test_an_answer_comes_to_an_end():
    rules = matcher(LABELS, 1, bounds=SMALL)
    start = "Task 1 Answer: " + "\n".join(["a" * 40] * 3)
    assert rules.try_consume_tokens(list(start.encode())) == len(start)
    assert follows(rules, "\nTask 2 Answer: NER:\nimage-entity pair: {}")
    assert not follows(rules, "\na\nTask 2 Answer: NER:\nimage-entity pair: {}")
    assert not rules.try_consume_tokens([ord("a")])


def test_many_patches_and_odd_labels():
    many = matcher(["PER"], 60, ("ner",))
    assert follows(many, "Task 2 Answer: NER: :PER;x\nimage-entity pair: {'a': 'x', 'z': 1, 'bh': ['x', 1]}")
    assert letter(59) == "bh"
    odd = ["a/b.c", "(x|y)*", '"q"', "人物", " z ", "p:q", "r;s"]
    answer = pfa.render(Document(id="d", text="x", mentions=[
        Mention(id=f"m{n}", start=0, end=1, label=label) for n, label in enumerate(odd)]), odd)  # fmt: skip
    assert follows(matcher(odd, 0), answer)
    assert follows(matcher([], 0), "Task 1 Answer: x\nTask 2 Answer: NER:\nimage-entity pair: {}")


def test_refusals():
    for arguments, options in (
        ((["PER"], ["a", "a"]), {}),
        ((["PER"], ["1"]), {}),
        ((["PER"], 1), {"text": " "}),
        (("PER", 1), {}),
        ((["PER"], 1, ("re",)), {}),
    ):
        with pytest.raises(OpenMIEError):
            grammar(*arguments, **options)


def test_a_large_vocabulary_many_labels_and_patches():
    """At every token all pieces are tried; llguidance gives up on expressions that are long to follow."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rng = random.Random(0)
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    letters = "abcdefghijklmnoprstuvwy ,.:;'{}\n"
    words = ["".join(rng.choices(letters, k=rng.randint(1, 7))) for _ in range(12_000)]
    made.train_from_iterator(
        [" ".join(words), (ANSWER + "\n") * 9],
        trainers.BpeTrainer(vocab_size=8000, special_tokens=["</s>"], show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))  # fmt: skip
    pieces = llguidance.LLTokenizer(made.to_str(), eos_token=0)
    labels = [f"label-{a}{b} of x" for a in "abcd" for b in "mnopq"]
    text = f"{ADA.text} at x; y; says 7:30 :PER; don't (Turin) Ada's \"big\" day " * 20
    answer = ANSWER.replace("PER", labels[3]).replace("LOC", labels[13]).replace("'d'", "'bz'")
    long = answer.replace("A woman talks.", "A woman talks: of what?\n" * 9 + "End.")
    for given in (None, text):
        rules = llguidance.LLMatcher(pieces, grammar(labels, 80, text=given).text, log_level=0)
        for token in made.encode(long).ids:
            rules.compute_bitmask()
            assert not rules.is_error() and rules.consume_token(token), rules.get_error()
        assert rules.is_accepting()
