"""Shap-CA, flavour `paper`: each numbered equation against a slow loop that shares nothing with the code.

Parts are those of the recipes, with small widths. Equations, values and departures: docs/papers/shap-ca.md.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel

from openmie.model.extractor import Extractor
from openmie.model.features.encoded_document import Batch
from openmie.nn.align.shapley import own_values, shapley_values
from openmie.nn.align.shapley_coalitions import utility
from openmie.nn.encode.towers import VisionTower
from openmie.nn.streams import Stream
from openmie.papers import shap_ca
from tests.unit.papers.equations import loops
from tests.unit.papers.equations.loops import Row, add, agree, cosine, dot, drawn, every, gelu, mean, numbers, times

NER, JOINT = (shap_ca.recipe(task=task, flavour="paper") for task in ("ner", "joint"))
FUSION = replace(NER.fuse[0], width=4, heads=2)
CHANNELS = replace(NER.heads[0].channels, width=4)
TAGGER = replace(NER.heads[0], labels=("PER",), hidden=3, channels=CHANNELS)
GRID = replace(JOINT.heads[0], width=3, channels=CHANNELS)
TEXT = torch.tensor([[True, True, True], [True, True, False]])  # words of two documents
POS = torch.tensor([[4, 1, 7], [2, 4, 0]])


# -- encoders

SEQUENCE = [[2, 5, 6, 7, 3, 8, 9, 3], [2, 5, 8, 3, 6, 3]]  # [CLS] text [SEP] context [SEP]
WORD = [[-1, 0, 0, 1, -1, -1, -1, -1], [-1, 0, 1, -1, -1, -1]]  # of a piece; the first word has two
CONTEXT = [[-1, -1, -1, -1, -1, 0, 1, -1], [-1, -1, -1, -1, 0, -1]]
SEGMENT = [[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]]


def towers() -> tuple[Any, Any]:
    size = {"hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 5}
    bert = BertModel(BertConfig(vocab_size=11, max_position_embeddings=8, **size), add_pooling_layer=False)
    resnet = ResNetModel(ResNetConfig(embedding_size=3, hidden_sizes=[4, 6], depths=[1, 1]))
    return bert, VisionTower(resnet)


def padded(rows: list[list[int]], fill: int) -> Tensor:
    return torch.tensor([row + [fill] * (max(map(len, rows)) - len(row)) for row in rows])


def posts(documents: int = 2) -> dict[str, Tensor]:
    """What the encoder reads: two documents, or these again and again with other pieces and images."""
    copies = documents // 2
    ids = padded(SEQUENCE, 0).repeat(copies, 1)
    draw = torch.Generator().manual_seed(1)
    ids = torch.where(ids > 4, 5 + (ids + torch.arange(documents)[:, None]) % 6, ids)
    return {
        "input_ids": ids,
        "attention_mask": (ids > 0).long(),
        "token_type_ids": padded(SEGMENT, 0).repeat(copies, 1),
        "word_ids": padded(WORD, -1).repeat(copies, 1),
        "context": padded(CONTEXT, -1).repeat(copies, 1),
        "owner": torch.arange(documents),
        "words": torch.ones(documents, 2, dtype=torch.bool),
        "pixels": torch.randn(documents, 3, 16, 16, generator=draw, dtype=torch.float64),
        "image": torch.arange(documents),
        "slot": torch.zeros(documents, dtype=torch.long),
    }


def joint_pass(bert: Any, ids: list[int], segments: list[int]) -> list[Row]:
    h = loops.bert_embeddings(bert, ids, segments)
    for layer in bert.encoder.layer:
        h, _ = loops.bert_layer(layer, h, 2)
    return h


def test_eq_1_text_and_context_in_one_pass() -> None:
    encode = loops.stirred(NER.encode.build(*towers()), 0)
    given = posts()
    made = encode(given)
    fast = [made["text"].tokens, made["text"].pooled, made["context"].tokens[made["context"].mask]]
    slow: list[Any] = [[], [], [], []]
    for d, (word, context) in enumerate(zip(WORD, CONTEXT)):
        n = len(word)
        h = joint_pass(encode.text, given["input_ids"][d, :n].tolist(), SEGMENT[d])
        words, tokens = [h[word.index(w)] for w in (0, 1)], [row for row, c in zip(h, context) if c >= 0]
        for kept, found in zip(slow, (words, mean(words), tokens, mean(tokens))):  # H_t, x_t, H_c, x_c
            kept.append(found)
    both = torch.cat([x.flatten() for x in (*fast, made["context"].pooled)])
    agree(both, slow, list(encode.text.parameters()))


def test_eq_2_regions_and_whole_image() -> None:
    encode = loops.stirred(NER.encode.build(*towers()), 1)
    given = posts()
    made = encode(given)["vision"]
    maps = numbers(encode.vision.model(given["pixels"]).last_hidden_state)  # [image][feature][y][x]: the library's
    side = range(len(maps[0][0]))
    regions = [[[feature[y][x] for feature in image] for y in side for x in side] for image in maps]  # H_v
    whole = [mean(rows) for rows in regions]  # x_v
    assert len(regions[0]) > 1
    fast = torch.cat([made.tokens.flatten(), made.pooled.flatten()])
    agree(fast, [regions, whole], list(encode.vision.parameters()))


# -- Shapley values


def worth(sim: Row, coalition: Any, tau: float) -> Any:
    """u(S) of eq. 4: the similarities of its players, by the softmax over them; 0 of nobody."""
    members = list(coalition)
    if not members:
        return sim[0] * 0.0
    weights = loops.softmax([sim[i] / tau for i in members])  # p
    return dot(weights, [sim[i] for i in members])


def by_coalitions(sim: Row, tau: float) -> Row:
    """phi of eq. 3."""
    k = len(sim)
    values = []
    for i in range(k):
        rest, total = [j for j in range(k) if j != i], 0.0
        for size in range(k):
            for s in itertools.combinations(rest, size):
                total = total + (worth(sim, (*s, i), tau) - worth(sim, s, tau)) / math.comb(k - 1, size)
        values.append(total / k)
    return values


def by_cyclic_shifts(sim: Row, tau: float, places: list[int]) -> Row:
    """Algorithm 1, from a permutation given as each player's place."""
    k = len(sim)
    queue = [places.index(p) for p in range(k)]
    sums, passes, stride = [0.0 * sim[0]] * k, 0, k // 2
    while stride > 0:
        for at, player in enumerate(queue):
            added = worth(sim, queue[: at + 1], tau) - worth(sim, queue[:at], tau)
            sums[player] = sums[player] + added
        queue = queue[-stride:] + queue[:-stride]
        passes, stride = passes + 1, stride // 2
    return [x / passes for x in sums]


def places_of(games: int, players: int, seed: int, of: int = 1) -> list[list[list[int]]]:
    """The random permutations of so many directions in a row, as the code draws them."""
    torch.manual_seed(seed)
    return [torch.rand(games, players).argsort(1).tolist() for _ in range(of)]


def similarities(seed: int, games: int, players: int) -> Tensor:
    return drawn(seed, games, players).detach().tanh().requires_grad_()


def test_eq_3_shapley_values() -> None:
    s, tau = similarities(2, 2, 4), NER.align[0].loss.tau
    slow = [by_coalitions(row, tau) for row in numbers(s)]
    agree(shapley_values(s, tau, estimator="enumerate"), slow, [s])
    # the estimator of `paper` is unbiased: over all permutations algorithm 1 gives eq. 3
    orders = list(itertools.permutations(range(4)))
    row = s.detach()[0].tolist()
    cyclic = [by_cyclic_shifts([torch.tensor(x, dtype=torch.float64) for x in row], tau, list(p)) for p in orders]
    torch.testing.assert_close(torch.tensor(mean(cyclic)).double(), torch.stack(slow[0]).detach(), atol=1e-6, rtol=0)


def test_eq_4_utility_of_every_coalition() -> None:
    a, b, tau = drawn(3, 4), drawn(4, 4, 4), NER.align[0].loss.tau
    sim = [cosine(numbers(a), row) for row in numbers(b)]
    s = torch.nn.functional.normalize(b, dim=1) @ torch.nn.functional.normalize(a, dim=0)
    for size in range(1, 5):
        for coalition in itertools.combinations(range(4), size):
            some = s[list(coalition)]
            agree(utility(some / tau, some)[None], [worth(sim, coalition, tau)], [a, b])


@pytest.mark.parametrize("players", [2, 3, 7, 8])
def test_algorithm_1_cyclic_shifts(players: int) -> None:
    s, tau = similarities(5, players, players), NER.align[0].loss.tau
    (places,) = places_of(players, players, seed=6)
    slow = [by_cyclic_shifts(row, tau, at) for row, at in zip(numbers(s), places)]
    torch.manual_seed(6)
    agree(shapley_values(s, tau, estimator="cyclic"), slow, [s])
    torch.manual_seed(6)
    agree(own_values(s, tau, estimator="cyclic"), [row[j] for j, row in enumerate(slow)], [s])


def direction(sim: list[Row], tau: float, places: list[list[int]]) -> Any:
    """Eq. 5: sim [j][i], a game a row."""
    total = 0.0
    for j, row in enumerate(sim):
        phi = by_cyclic_shifts(row, tau, places[j])
        total = total + phi[j] - sum(phi[i] for i in range(len(row)) if i != j)
    return -total / len(sim)


def turned(sim: list[Row]) -> list[Row]:
    return [list(column) for column in zip(*sim)]


def contrast(first: list[Row], second: list[Row], loss: Any, places: list[list[list[int]]]) -> Any:
    """Eq. 6 and 7: the mean of both directions."""
    sim = [[cosine(a, b) for b in second] for a in first]
    return (direction(sim, loss.tau, places[0]) + direction(turned(sim), loss.tau, places[1])) / 2


def test_eq_5_contrast_of_one_direction() -> None:
    loss, s = NER.align[0].loss, similarities(7, 5, 5)
    (places,) = places_of(5, 5, seed=8)
    torch.manual_seed(8)
    agree(loss.direction(s), direction(numbers(s), loss.tau, places), [s])
    assert (loss.estimator, loss.negatives, loss.symmetric) == ("cyclic", "sum", True)


def streams_of(documents: int, widths: dict[str, int], seed: int) -> tuple[dict[str, Stream], list[Tensor]]:
    """Random streams of three tokens, the last one padding in every second document."""
    made, mask = {}, torch.ones(documents, 3, dtype=torch.bool)
    mask[1::2, 2] = False
    for i, (name, width) in enumerate(widths.items()):
        made[name] = Stream(drawn(seed + i, documents, 3, width), mask)
    return made, [s.tokens for s in made.values()]


def rows_of(stream: Stream) -> list[list[Row]]:
    return [numbers(x[m]) for x, m in zip(stream.tokens, stream.mask)]


def pooled(stream: Stream) -> list[Row]:
    return [mean(rows) for rows in rows_of(stream)]


def test_eq_6_semantic_loss() -> None:
    made, leaves = streams_of(5, {"context": 4, "text": 4}, 10)
    align = NER.align[0].build({"context": 4, "text": 4}).double()
    places = places_of(5, 5, seed=9, of=2)
    torch.manual_seed(9)
    (loss,) = [x for _, x in align(made).losses.values()]
    agree(loss, contrast(pooled(made["context"]), pooled(made["text"]), align.loss, places), leaves)


def test_eq_7_modality_loss() -> None:
    made, leaves = streams_of(5, {"context": 4, "vision": 6}, 12)
    align = loops.stirred(NER.align[1].build({"context": 4, "vision": 6}), 13)
    places = places_of(5, 5, seed=11, of=2)
    torch.manual_seed(11)
    (loss,) = [x for _, x in align(made).losses.values()]
    images = every(align.projection[1], pooled(made["vision"]))  # to the width of the context
    slow = contrast(pooled(made["context"]), images, align.loss, places)
    agree(loss, slow, [*leaves, *align.parameters()])


# -- adaptive fusion


def fusion(seed: int = 14) -> tuple[Any, dict[str, Stream], list[Tensor]]:
    widths = {"text": 5, "context": 5, "vision": 6}
    part = loops.stirred(FUSION.build(widths), seed)
    made, leaves = streams_of(2, widths, 15)
    return part, made, [*leaves, *part.parameters()]


def bridging_term(part: Any, context: list[Row]) -> Row:
    """B of eq. 8: the mean of the rows of C^T C / sqrt(D)."""
    c = every(part.gates.context, context)
    size = len(c[0])
    product = [
        [dot([row[d] for row in c], [row[e] for row in c]) / math.sqrt(size) for e in range(size)] for d in range(size)
    ]
    return mean(product)


def opening(gate: Any, x: Row, b: Row) -> Row:
    """g of eq. 10: tanh of one linear layer on [x ; B]."""
    weight = [own + other for own, other in zip(numbers(gate.own.weight), numbers(gate.bridge.weight))]
    return [(dot(w, x + b) + c).tanh() for w, c in zip(weight, numbers(gate.own.bias))]


def bent(gate: Any, x: Row, b: Row) -> Row:
    """Q' or K' of eq. 9."""
    g = opening(gate, x, b)
    return add(times(g, x), times([1 - v for v in g], b))


def test_eq_8_bridging_term() -> None:
    part, made, leaves = fusion()
    slow = [bridging_term(part, rows) for rows in rows_of(made["context"])]
    agree(part.gates.vector(made["context"]), slow, leaves)


def test_eq_9_bent_queries_and_keys() -> None:
    part, made, leaves = fusion()
    q, k = drawn(20, 2, 3, 4), drawn(21, 2, 2, 4)
    fast = part.gates.modulation(made["context"])(q, k)
    b = [bridging_term(part, rows) for rows in rows_of(made["context"])]
    slow = []
    for x, gate in ((q, part.gates.query), (k, part.gates.key)):
        slow.append([[bent(gate, row, b[d]) for row in rows] for d, rows in enumerate(numbers(x))])
    agree(torch.cat([x.flatten() for x in fast]), slow, [q, k, *leaves])


def test_eq_10_gates() -> None:
    part, made, leaves = fusion()
    q, k = drawn(22, 2, 3, 4), drawn(23, 2, 3, 4)
    both = part.gates.modulation(made["context"])(q, k)
    vector = part.gates.vector(made["context"])[:, None]
    fast = torch.cat([((x - vector) / (y - vector)).flatten() for x, y in zip(both, (q, k))])  # of eq. 9
    b = [bridging_term(part, rows) for rows in rows_of(made["context"])]
    slow = []
    for x, gate in ((q, part.gates.query), (k, part.gates.key)):
        slow.append([[opening(gate, row, b[d]) for row in rows] for d, rows in enumerate(numbers(x))])
    agree(fast, slow, [q, k, *leaves])
    assert NER.fuse[0].gate_bias == 0


def test_eq_11_image_aware_words() -> None:
    part, made, leaves = fusion()
    fused = part(made)["fused"]
    slow = []
    for words, regions, context in zip(*(rows_of(made[name]) for name in ("text", "vision", "context"))):
        b = bridging_term(part, context)
        q = [bent(part.gates.query, row, b) for row in every(part.query, words)]
        k = [bent(part.gates.key, row, b) for row in every(part.key["vision"], regions)]
        slow.append(loops.attention(q, k, every(part.value["vision"], regions), 2))
    agree(fused.tokens[fused.mask], slow, leaves)


# -- heads


def place_code(i: int, width: int) -> Row:
    """Sine and cosine of a word's index, in the first and the second half."""
    half = width // 2
    angles = [i * 10000.0 ** (-c / half) for c in range(half)]
    code = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
    return [torch.tensor(x, dtype=torch.float64) for x in code]


def integrated(head: Any, words: list[list[Row]]) -> list[list[Row]]:
    """M of eq. 12, the MLP a linear layer and tanh."""
    table, (first, *_) = numbers(head.emit.channels.pos.weight), [m for m in head.emit.score if hasattr(m, "weight")]
    out = []
    for d, rows in enumerate(words):
        joined = [row + table[POS[d][i]] + place_code(i, 4) for i, row in enumerate(rows)]
        out.append([[x.tanh() for x in row] for row in every(first, joined)])
    return out


def tagger(seed: int = 30) -> tuple[Any, Stream, list[Tensor]]:
    head, tokens = loops.stirred(TAGGER.build({"fused": 5}), seed), drawn(seed + 1, 2, 3, 5)
    return head, Stream(tokens, TEXT), [tokens, *head.parameters()]


def test_eq_12_three_channels_in_one() -> None:
    head, words, leaves = tagger()
    fast = loops.inputs_of(head.emit.score[-1], lambda: head.emit(words, {"pos": POS}))
    agree(fast[TEXT], integrated(head, rows_of(words)), leaves)


def test_eq_13_likelihood_of_the_tags() -> None:
    head, words, leaves = tagger()
    tags = [[1, 2, 0], [0, 1]]
    fast = head.loss({"fused": words}, {"pos": POS}, {"tags": padded(tags, -1)})
    scores = [every(head.emit.score[-1], rows) for rows in integrated(head, rows_of(words))]
    agree(fast, loops.crf_loss(head.crf, scores, tags), leaves)


Cell = tuple[int, int, int]  # document, i, j
CELLS: list[Cell] = [(d, i, j) for d, n in enumerate((3, 2)) for i in range(n) for j in range(i, n)]


def grid(seed: int = 40, **change: Any) -> tuple[Any, Stream, list[Tensor]]:
    head = loops.stirred(replace(GRID, **change).build({"fused": 5}), seed)
    tokens = drawn(seed + 1, 2, 3, 5)
    return head, Stream(tokens, TEXT), [tokens, *head.parameters()]


def log_final(head: Any, words: Stream) -> Tensor:
    """What the code gives for the cells, (cells, classes)."""
    at = (torch.tensor(x) for x in zip(*CELLS))
    return head.log_final(head.words({"fused": words}, {"pos": POS}), *at)


def pair(layer: Any, a: Row, b: Row) -> Row:
    """X^l of eq. 14: one layer on [M_i ; M_j ; M_i - M_j]."""
    return [gelu(x) for x in loops.linear(layer.first, a + b + [x - y for x, y in zip(a, b)])]


def pair_features(head: Any, words: Stream, cell: Cell) -> tuple[Row, Row, Row]:
    """X^t, X^s and X^p."""
    d, i, j = cell
    table, m = numbers(head.channels.pos.weight), numbers(words.tokens[d])
    spoken = pair(head.pos, table[POS[d][i]], table[POS[d][j]])
    return pair(head.text, m[i], m[j]), spoken, pair(head.place, place_code(i, 4), place_code(j, 4))


def plain(head: Any, features: tuple[Row, Row, Row]) -> Row:
    """P^t of eq. 15."""
    first, _, second = head.plain
    return loops.softmax(loops.linear(second, [gelu(x) for x in loops.linear(first, features[0])]))


def enhanced(head: Any, features: tuple[Row, Row, Row]) -> Row:
    """P^tsp of eq. 16: one layer on the three side by side, GELU, one more."""
    weights = [loops.flat(list(parts)) for parts in zip(*(numbers(layer.weight) for layer in head.hidden))]
    joined, bias = loops.flat(list(features)), numbers(head.hidden[0].bias)
    inner = [gelu(dot(w, joined) + b) for w, b in zip(weights, bias)]
    return loops.softmax(loops.linear(head.enhanced, inner))


def final(head: Any, features: tuple[Row, Row, Row]) -> Row:
    """P_final of eq. 17."""
    both = zip(enhanced(head, features), plain(head, features))
    return loops.softmax([p + head.scale * (p / q).log() for p, q in both])


def test_eq_14_pair_features() -> None:
    head, words, leaves = grid()
    slow = [pair_features(head, words, cell) for cell in CELLS]
    for channel in range(3):
        fast = loops.inputs_of(head.hidden[channel], lambda: log_final(head, words))
        if channel == 1:  # the code makes it for every pair of tags at once
            kinds = head.channels.pos.num_embeddings
            fast = fast.flatten(0, 1)[[int(POS[d][i]) * kinds + int(POS[d][j]) for d, i, j in CELLS]]
        agree(fast, [features[channel] for features in slow], leaves)


def test_eq_15_distribution_by_the_text_alone() -> None:
    head, words, leaves = grid()
    text = loops.inputs_of(head.plain, lambda: log_final(head, words))
    slow = [plain(head, pair_features(head, words, cell)) for cell in CELLS]
    agree(head.plain(text).softmax(-1), slow, leaves)


def test_eq_16_distribution_by_three_channels() -> None:
    head, words, leaves = grid(contrast=None)
    slow = [enhanced(head, pair_features(head, words, cell)) for cell in CELLS]
    agree(log_final(head, words).exp(), slow, leaves)


def test_eq_17_contrast_of_the_two() -> None:
    head, words, leaves = grid()
    slow = [final(head, pair_features(head, words, cell)) for cell in CELLS]
    agree(log_final(head, words).exp(), slow, leaves)
    assert (JOINT.heads[0].contrast, JOINT.heads[0].scale) == ("literal", 1.0)


def test_eq_18_sum_over_the_cells_of_a_sentence() -> None:
    head, words, leaves = grid()
    cells, total = torch.full((2, 3, 3), -1), 0.0
    for n, cell in enumerate(CELLS):
        label = (5 * n) % head.classes if n % 3 else 0
        cells[cell] = label
        total = total - final(head, pair_features(head, words, cell))[label].log()
    agree(head.loss({"fused": words}, {"pos": POS}, {"cells": cells}), total / 2, leaves)
    assert head.classes == 26


def test_eq_19_weighted_sum_of_the_three_losses() -> None:
    model = loops.stirred(Extractor.build(replace(NER, fuse=(FUSION,), heads=(TAGGER,)), *towers()), 50)
    given, tags, pos = posts(4), [[1, 0], [0, 1], [2, 2], [1, 2]], torch.tensor([[4, 1], [2, 4], [1, 1], [3, 5]])
    torch.manual_seed(51)
    output = model(Batch(given, {"pos": pos}, {"tags": padded(tags, -1)}))
    places = places_of(4, 4, seed=51, of=4)
    head, (semantic, modality) = model.heads[0], model.align
    encoded = {name: pooled(s) for name, s in output.streams.items()}
    main = loops.crf_loss(head.crf, numbers(head.emit(output.streams["fused"], {"pos": pos})), tags)
    near = contrast(encoded["context"], encoded["text"], semantic.loss, places[:2])
    images = every(modality.projection[1], encoded["vision"])
    slow = 0.2 * near + 0.4 * contrast(encoded["context"], images, modality.loss, places[2:]) + main
    agree(output.total, slow, list(model.parameters()))


# -- values: field -> what is printed, section and line of the text

PRINTED = {
    "encode.text.name": ("bert-base-uncased", "4.2, line 273: BERT, 768"),
    "encode.vision.name": ("microsoft/resnet-152", "4.2, line 273"),
    "encode.separate_context_pass": (False, "eq. 1, line 84: [t; c]"),
    "encode.drop_context": (0.0, "3.3: no such thing"),
    "encode.objects": (0, "3.3: regions of the image"),
    "fuse.0.block": ("attention", "eq. 11, line 197"),
    "fuse.0.layers": (1, "eq. 11, line 197"),
    "fuse.0.gates": ("tanh", "eq. 10, line 185"),
    "fuse.0.gate_bias": (0.0, "eq. 10, line 185"),
    "fuse.0.bridge_pooling": ("sum", "eq. 8, line 166"),
    "align.0.first": (("context",), "eq. 4, line 117"),
    "align.0.second": (("text",), "eq. 4, line 117"),
    "align.0.stage": ("encoded", "3.4, line 97: what section 3.3 gives"),
    "align.0.weight": (0.2, "eq. 19, line 257, and 5.2, line 339: alpha"),
    "align.0.loss.estimator": ("cyclic", "algorithm 1, line 136"),
    "align.0.loss.negatives": ("sum", "eq. 5, line 143"),
    "align.0.loss.symmetric": (True, "eq. 6, line 150"),
    "align.1.first": (("context",), "3.4.3"),
    "align.1.second": (("vision",), "3.4.3"),
    "align.1.weight": (0.4, "eq. 19, line 257, and 5.2, lines 321 and 339: beta"),
    "align.1.loss.estimator": ("cyclic", "3.4.3"),
    "align.1.loss.negatives": ("sum", "3.4.3"),
    "align.1.loss.symmetric": (True, "eq. 7, line 157"),
    "heads.0.channels.width": (100, "4.2, line 273: d1"),
    "heads.0.channels.tagger": ("spacy:en_core_web_sm", "4.2, line 273"),
    "heads.0.weight": (1.0, "eq. 19, line 257"),
    "heads.0.loss_per": ("document", "eq. 13 and 18, lines 215 and 247"),
    "training.batch_size": (28, "4.2, line 275"),
    "training.lr_schedule": ("cosine", "4.2, line 275"),
    "training.warmup_ratio": (0.05, "4.2, line 275"),
    "training.patience": (7, "4.2, line 275"),
    "training.param_groups.0.match": ("encode.text", "4.2, line 275"),
    "training.param_groups.0.lr": (5e-5, "4.2, line 275"),
    "training.param_groups.1.match": ("encode.vision", "4.2, line 275"),
    "training.param_groups.1.lr": (5e-5, "4.2, line 275"),
    "training.param_groups.2.match": ("", "4.2, line 275: other modules"),
    "training.param_groups.2.lr": (1e-4, "4.2, line 275: Twitter-17, MJERE, MNRE"),
}
PAIRS = {
    "heads.0.contrast": ("literal", "eq. 17, line 240"),
    "heads.0.scale": (1.0, "4.2, line 275: lambda"),
    "heads.0.none_weight": (1.0, "eq. 18, line 247"),
    "heads.0.scheme": ("as_released", "3.1: word-pair labels of EEGA"),
}


def test_printed_values() -> None:
    loops.check_values(NER, PRINTED | {"heads.0.hidden": (200, "eq. 12, line 208: an MLP; its width is not printed")})
    loops.check_values(JOINT, PRINTED | PAIRS)
    relations = shap_ca.recipe(task="re", flavour="paper")
    given = {"heads.0.loss_per", "heads.0.scheme"}  # entities are given: a loss a pair, and a direction
    loops.check_values(relations, {k: v for k, v in (PRINTED | PAIRS).items() if k not in given})


def test_number_of_parameters() -> None:
    with torch.device("meta"):  # BERT base and ResNet-152 by the library's own sizes
        text = BertModel(BertConfig(), add_pooling_layer=False)
        vision = VisionTower(ResNetModel(ResNetConfig(depths=[3, 8, 36, 3])))
        counts = {}
        for recipe in (NER, JOINT):
            model = Extractor.build(recipe, text, vision)
            counts[recipe.task] = sum(weight.numel() for weight in model.parameters()) / 1e6
    for task, count in counts.items():  # table 4, line 355: 170.7 million
        assert count == pytest.approx(170.7, abs=0.5), (task, count)
