"""What is known of a training sentence: what a corpus is silent about is masked, never learnt as no entity."""

from __future__ import annotations

import numpy as np
import torch

from openmie.base.examples import Example, Label, Span, targets
from openmie.base.losses import known_spans, span_loss

PERSON = Label(key="person", texts=("person",), coarse=frozenset({"person"}))
PLACE = Label(key="location", texts=("location",), coarse=frozenset({"location"}))
RIVER = Label(key="river", texts=("river",), coarse=frozenset({"location"}), lexical=True)
POET = Label(key="poet", texts=("poet",), coarse=frozenset({"person"}), lexical=True)
ALL = [PERSON, PLACE, RIVER, POET]


def by_label(example: Example) -> dict[str, tuple[list[int], list[int]]]:
    """Label -> words that are inside, words of which that is known."""
    _, inside, known = targets(example, ALL)
    return {
        label.key: (np.flatnonzero(inside[:, i]).tolist(), np.flatnonzero(known[:, i]).tolist())
        for i, label in enumerate(ALL)
    }


def test_annotated_labels_are_known_everywhere_and_others_nowhere() -> None:
    example = Example(words=("Ada", "saw", "Rome"), spans=(Span(start=0, end=1, labels=frozenset({"person"})),),
                      annotated=frozenset({"person"}))  # fmt: skip
    assert by_label(example) == {
        "person": ([0], [0, 1, 2]), "location": ([], []), "river": ([], []), "poet": ([], []),
    }  # fmt: skip


def test_a_marked_span_says_nothing_of_the_other_words() -> None:
    span = Span(start=2, end=3, labels=frozenset({"river"}), coarse=frozenset({"location"}))
    found = by_label(Example(words=("Ada", "saw", "Tiber"), spans=(span,)))
    assert found["river"] == ([2], [2])
    assert found["location"] == ([], [])  # it may be one, the mark does not say so
    assert found["person"] == ([], [2]) and found["poet"] == ([], [2])  # kinds that exclude each other


def test_lower_case_words_are_no_names_where_the_corpus_marks_names() -> None:
    span = Span(start=2, end=3, labels=frozenset({"river"}), coarse=frozenset({"location"}))
    example = Example(words=("Ada", "saw", "Tiber"), spans=(span,), lower_is_none=True)
    assert by_label(example)["person"] == ([], [1, 2])
    assert by_label(example)["location"] == ([], [1])


def test_a_marked_lower_case_word_keeps_its_label() -> None:
    span = Span(start=1, end=2, labels=frozenset({"river"}), coarse=frozenset({"location"}))
    example = Example(words=("the", "nile"), spans=(span,), lower_is_none=True)
    assert by_label(example)["river"] == ([1], [0, 1])


def test_the_lexicon_excludes_types_that_no_sense_of_the_word_has() -> None:
    span = Span(start=0, end=1, labels=frozenset({"river"}), possible=frozenset({"river"}), coarse=frozenset())
    found = by_label(Example(words=("Tiber",), spans=(span,)))
    assert found["poet"] == ([], [0])  # lexical, and none of its senses
    assert found["person"] == ([], [])  # not of the lexicon, and no kind is known


def test_known_spans_against_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    known = torch.rand(3, 6, 2, generator=generator) > 0.3
    found = known_spans(known, 4)
    for b in range(3):
        for start in range(6):
            for wide in range(4):
                for label in range(2):
                    end = start + wide + 1
                    assert bool(found[b, start, wide, label]) == (end <= 6 and bool(known[b, start:end, label].all()))


def test_masked_words_have_no_gradient() -> None:
    """The loss of a sentence with one marked span moves no logit outside of it."""
    span = Span(start=1, end=3, labels=frozenset({"river"}), coarse=frozenset({"location"}))
    example = Example(words=("Ada", "New", "River", "Rome"), spans=(span,))
    logits = torch.zeros(1, 4, len(ALL), 3, requires_grad=True)
    sum(span_loss(logits, [example], ALL, 3).values()).backward()  # type: ignore[union-attr]
    moved = logits.grad.abs().sum((0, 3)) > 0  # type: ignore[union-attr]  # (words, labels)
    river = ALL.index(RIVER)
    assert moved[:, river].tolist() == [False, True, True, False]
    assert not moved[:, ALL.index(PLACE)].any() and not moved[[0, 3]].any()


def test_the_loss_against_a_loop() -> None:
    torch.manual_seed(0)
    examples = [
        Example(words=("Ada", "Byron", "sang"), annotated=frozenset({"person"}),
                spans=(Span(start=0, end=2, labels=frozenset({"person"}), coarse=frozenset({"person"})),)),
        Example(words=("Po",), spans=(Span(start=0, end=1, labels=frozenset({"river"})),)),
    ]  # fmt: skip
    logits = torch.randn(2, 3, len(ALL), 3)
    found = span_loss(logits, examples, ALL, 2)

    def cost(z: float, wanted: bool) -> float:
        return float(torch.nn.functional.softplus(torch.tensor(-z if wanted else z)))

    from openmie.nn.decode.labelled import span_logits

    words = spans = 0.0
    scores = span_logits(logits, 2)
    for row, example in enumerate(examples):
        positive, inside, known = targets(example, ALL)
        held = {tuple(p) for p in positive.tolist()}
        for label in range(len(ALL)):
            for start in range(len(example.words)):
                if known[start, label]:
                    words += cost(float(logits[row, start, label, 1]), bool(inside[start, label]))
                for end in range(start + 1, min(start + 2, len(example.words)) + 1):
                    if known[start:end, label].all():
                        spans += cost(float(scores[row, start, end - start - 1, label]), (start, end, label) in held)
    assert float(found["words"]) == torch.tensor(words / 4).item() or abs(float(found["words"]) - words / 4) < 1e-4
    assert abs(float(found["spans"]) - spans / 4) < 1e-4
