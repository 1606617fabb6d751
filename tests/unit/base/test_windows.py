"""TokenRows of pieces against slow loops: every word is read once, whole and where it is most central."""

import random

import numpy as np
import pytest
import torch

from openmie.base.windows import cut_rows

BOS, EOS, BLANK, PAD = 0, 2, 5, 1


def draw_texts(seed, texts, words, longest):
    draw = random.Random(seed)
    made = []
    for _ in range(texts):
        text = []
        for _ in range(draw.randint(0, words)):
            pieces = [draw.randint(6, 99) for _ in range(draw.randint(1, longest))]
            text.append(tuple([BLANK, *pieces] if draw.random() < 0.4 else pieces))
        made.append(text)
    return made


@pytest.mark.parametrize("max_tokens", [8, 20, 66, 514])
@pytest.mark.parametrize("seed", range(6))
def test_every_word_is_read_once_where_it_is_most_central(seed, max_tokens):
    texts = draw_texts(seed, 7, 90, 2 if max_tokens < 20 else 4)
    rows = cut_rows(texts, (BOS, EOS), BLANK, max_tokens, overlap=max_tokens // 2)
    assert max(map(len, rows.tokens)) <= max_tokens
    assert all(r[0] == BOS and r[-1] == EOS for r in rows.tokens)
    assert np.diff(rows.row).min(initial=0) >= 0 and rows.texts[-1] == sum(map(len, texts)) == len(rows.row)
    at, word = 0, 0
    for text in texts:
        flat = [p for pieces in text for p in pieces]
        mine = slow_windows(flat, rows.tokens, at)
        begin = 0
        for pieces in text:
            row, head = rows.row[word], rows.head[word]
            found = rows.tokens[row]
            assert tuple(found[rows.first[word] : rows.end[word]]) == pieces  # whole
            assert found[head] == (pieces[1] if pieces[0] == BLANK and len(pieces) > 1 else pieces[0])
            place = begin + int(head - rows.first[word])
            margins = [
                min(
                    place - a if a else len(flat),
                    a + n - 1 - place if a + n < len(flat) else len(flat),
                )
                for a, n in mine
            ]
            assert margins[row - at] >= max(margins) - 1
            assert mine[row - at][0] + head - 1 == place
            begin, word = begin + len(pieces), word + 1
        at += len(mine)
    assert at == len(rows.tokens)


def slow_windows(flat, pieces, at):
    """Begin and length of the rows of a text, found by their pieces: each begins where it fits, behind the last one."""
    found, begin = [], 0
    for row in pieces[at:]:
        inner = row[1:-1].tolist()
        while flat[begin : begin + len(inner)] != inner:
            begin += 1
            assert begin <= len(flat)
        found.append((begin, len(inner)))
        if begin + len(inner) == len(flat):
            break
    return found


def test_a_text_that_fits_is_one_row_and_an_empty_one_two_tokens():
    rows = cut_rows([[(7,), (BLANK, 8)], [], [(9,)]], (BOS, EOS), BLANK, 6)
    assert [r.tolist() for r in rows.tokens] == [[0, 7, BLANK, 8, 2], [0, 2], [0, 9, 2]]
    assert rows.texts.tolist() == [0, 2, 2, 3] and rows.row.tolist() == [0, 0, 2] and rows.head.tolist() == [1, 3, 1]
    none = cut_rows([], (BOS, EOS), BLANK, 6)
    assert none.tokens == [] and none.texts.tolist() == [0]
    assert none.batch([], PAD).ids.shape == (0, 0)


def test_a_word_longer_than_a_row_keeps_its_first_pieces():
    long = tuple(range(10, 60))
    rows = cut_rows([[(7,), long, (8,)]], (BOS, EOS), BLANK, 18, overlap=8)
    first, end = rows.first[1], rows.end[1]
    assert tuple(rows.tokens[rows.row[1]][first:end]) == long[: end - first] and end - first >= 4
    assert rows.tokens[rows.row[2]][rows.head[2]] == 8


@pytest.mark.parametrize("mean", [False, True])
def test_words_are_pooled_as_a_loop_does(mean):
    texts = draw_texts(3, 5, 30, 4)
    rows = cut_rows(texts, (BOS, EOS), BLANK, 40, overlap=16)
    table = torch.randn(100, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    flat = [pieces for text in texts for pieces in text]
    seen = []
    for numbers in rows.batches(100):
        batch = rows.batch(numbers, PAD)
        assert batch.ids.shape == batch.mask.shape and (batch.ids.numel() <= 100 or len(numbers) == 1)
        assert ((batch.ids == PAD) == ~batch.mask).all()
        for word, state in zip(batch.words.tolist(), batch.pool(table[batch.ids], mean)):
            pieces = flat[word]
            head = pieces[1] if pieces[0] == BLANK and len(pieces) > 1 else pieces[0]
            assert torch.allclose(state, table[list(pieces)].mean(0) if mean else table[head])
            seen.append(word)
    assert sorted(seen) == list(range(len(flat)))
