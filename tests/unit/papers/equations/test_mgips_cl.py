"""MGIPS-CL, flavour `paper`: each numbered equation against a slow loop that shares nothing with the code.

Parts are those of the recipe, with small widths. Equations, values and departures: docs/papers/mgips-cl.md.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, BertModel, CLIPVisionConfig, CLIPVisionModel

from openmie.model.backbones import register
from openmie.model.extractor import Extractor
from openmie.model.features.encoded_document import Batch
from openmie.nn.encode.towers import VisionTower
from openmie.nn.streams import Stream
from openmie.papers import mgips_cl
from tests.unit.papers.equations import loops
from tests.unit.papers.equations.loops import Row, add, agree, cosine, dot, drawn, every, gelu, norm, numbers, times

PAPER = mgips_cl.recipe(flavour="paper")
WIDTH, HEADS = 4, 2
MGI = replace(PAPER.fuse[0], width=4, heads=2, expansion=1)
IPS_CL = PAPER.align[0]
TAGS = {"labels": ("PER",)}
CROPS = [[3], [2], [1], [3]]  # of each document: the slots that it fills
LENGTHS = [4, 3, 4, 3]  # pieces, with both marks


# -- the mutual-attention encoder


def towers(layers: int, side: int = 4) -> tuple[Any, Any]:
    """A BERT and a CLIP tower of one small size; images of `side` pixels, four patches each."""
    register()
    size = {"hidden_size": WIDTH, "num_hidden_layers": layers, "num_attention_heads": HEADS, "intermediate_size": 5}
    bert = BertModel(BertConfig(vocab_size=11, max_position_embeddings=8, **size), add_pooling_layer=False)
    clip = CLIPVisionModel(CLIPVisionConfig(image_size=side, patch_size=side // 2, **size))
    return bert, VisionTower(getattr(clip, "vision_model", clip))


def encoder(layers: int, seed: int = 0) -> Any:
    return loops.stirred(replace(PAPER.encode, image_size=4).build(*towers(layers)), seed)


def posts(documents: int, side: int = 4, crops: list[list[int]] = CROPS) -> dict[str, Tensor]:
    """What the encoder reads of the first documents: pieces, and pixels of the crops that they have."""
    draw = torch.Generator().manual_seed(7)
    longest, lengths = max(LENGTHS[:documents]), LENGTHS[:documents]
    real = torch.tensor([[i < n for i in range(longest)] for n in lengths])
    word = [[i - 1 if 0 < i < n - 1 else -1 for i in range(longest)] for n in lengths]
    slots = [(d, s) for d in range(documents) for s in crops[d]]
    return {
        "input_ids": torch.randint(1, 11, (documents, longest), generator=draw),
        "attention_mask": real.long(),
        "token_type_ids": torch.zeros(documents, longest, dtype=torch.long),
        "word_ids": torch.tensor(word),
        "owner": torch.arange(documents),
        "words": real[:, 2:],
        "pixels": torch.randn(len(slots), 3, side, side, generator=draw, dtype=torch.float64),
        "image": torch.tensor([d for d, _ in slots]),
        "slot": torch.tensor([s for _, s in slots]),
    }


def text_embeddings(encode: Any, given: dict[str, Tensor], d: int) -> list[Row]:
    """S^e of eq. 1."""
    n = LENGTHS[d]
    return loops.bert_embeddings(encode.text, given["input_ids"][d, :n].tolist(), [0] * n)


def visual_embeddings(encode: Any, given: dict[str, Tensor], d: int) -> list[Row]:
    """V^e of section 3.1.2: a class embedding, then patches of every crop, with positions; CLIP's norm before."""
    clip = encode.vision.model
    kernel = numbers(clip.embeddings.patch_embedding.weight)  # [feature][channel][y][x]
    places = numbers(encode.vision_positions)  # [slot][patch]
    rows = [add(numbers(clip.embeddings.class_embedding), numbers(clip.embeddings.position_embedding.weight)[0])]
    for image, owner, slot in zip(numbers(given["pixels"]), given["image"].tolist(), given["slot"].tolist()):
        for patch in range(4 if owner == d else 0):
            top, left = 2 * (patch // 2), 2 * (patch % 2)
            cut = [image[c][top + y][left + x] for c in range(3) for y in range(2) for x in range(2)]
            rows.append(add([dot(loops.flat(k), cut) for k in kernel], places[slot][patch]))
    return [norm(clip.pre_layrnorm, row) for row in rows]


def mutual_attention(encode: Any, given: dict[str, Tensor], d: int) -> tuple[list[Row], list[Row]]:
    """Eq. 2-4: the last H^t and H^v of a document, each layer with the other's keys and values of the layer before."""
    h, g = text_embeddings(encode, given, d), visual_embeddings(encode, given, d)
    text_pair, vision_pair = (h, h), (g, g)  # eq. 3: the embeddings as they are
    for reads, sees in zip(encode.text.encoder.layer, encode.vision.model.encoder.layers):
        new_h, new_text = loops.bert_layer(reads, h, HEADS, vision_pair)
        new_g, new_vision = loops.clip_layer(sees, g, HEADS, text_pair)
        h, g, text_pair, vision_pair = new_h, new_g, new_text, new_vision
    return h, g


def real_rows(states: Tensor, mask: Tensor) -> Tensor:
    return states[mask.bool()]


def test_eq_1_text_embeddings() -> None:
    encode, given = encoder(1), posts(2)
    fast = encode.text.embeddings(input_ids=given["input_ids"], token_type_ids=given["token_type_ids"])
    slow = [text_embeddings(encode, given, d) for d in range(2)]
    agree(real_rows(fast, given["attention_mask"]), slow, list(encode.text.embeddings.parameters()))


def test_section_3_1_2_visual_embeddings() -> None:
    encode, given = encoder(1), posts(2, crops=[[1, 3], [2]])
    fast, mask, _ = encode.embed_images(given)
    slow = [visual_embeddings(encode, given, d) for d in range(2)]
    agree(real_rows(fast, mask), slow, list(encode.parameters()))
    printed = PAPER.encode
    assert 1 + printed.objects * (printed.image_size // 32) ** 2 == 49, "a class token and 3 x 4 x 4 patches"


def check_towers(layers: int, documents: int, seed: int) -> None:
    encode, given = encoder(layers, seed), posts(documents)
    h, g, mask, _ = encode.towers(given)
    fast = torch.cat([real_rows(h, given["attention_mask"]), real_rows(g, mask)])
    slow = [mutual_attention(encode, given, d) for d in range(documents)]
    agree(fast, [*(s[0] for s in slow), *(s[1] for s in slow)], list(encode.parameters()))


def test_eq_3_first_layer_reads_the_embeddings() -> None:
    check_towers(layers=1, documents=2, seed=1)


def test_eq_2_and_4_layers_read_the_layer_before_of_the_other_tower() -> None:
    check_towers(layers=2, documents=2, seed=2)


# -- the multi-granularity interweave


WORDS = torch.tensor([[True, True, True], [True, True, False]])  # of two documents
PATCHES = torch.tensor([[True, True, True, True], [True, True, False, False]])


def interweave(seed: int = 3, **change: Any) -> Any:
    return loops.stirred(replace(MGI, **change).build({"text": 6, "vision": 6}), seed)


def states(seed: int = 4) -> tuple[Tensor, Tensor]:
    """H^t (2, 3, 6) and H^v (2, 4, 6)."""
    return drawn(seed, 2, 3, 6), drawn(seed + 1, 2, 4, 6)


def rows_of(x: Tensor, mask: Tensor) -> list[list[Row]]:
    return [numbers(x[b][mask[b]]) for b in range(len(x))]


class Mined:
    """Eq. 5-8 of own rows x that mine the other side's y, one document."""

    def __init__(self, part: Any, x: list[Row], y: list[Row]) -> None:
        own = every(part.own, [norm(part.norm1, row) for row in x])  # Linear_2 of the own side
        value = every(part.value, [norm(part.other_norm, row) for row in y])  # Linear_1 of the other
        over, bias = numbers(part.token_map.map.weight), numbers(part.token_map.map.bias)
        self.bound = [  # f_1: a linear layer over the tokens, and GELU
            [gelu(dot(over[n][: len(y)], [row[e] for row in value]) + bias[n]) for e in range(4)] for n in range(len(x))
        ]
        self.product = [times(a, b) for a, b in zip(self.bound, own)]  # M_im
        row, place = numbers(part.row), numbers(part.places)[: len(x)]
        self.by_row, self.by_column = [], []  # M_C [head][token], M_F [head][feature]
        for h in range(2):
            inside = [m[2 * h : 2 * h + 2] for m in self.product]
            self.by_row.append(loops.softmax([dot(m, [w[0] for w in row[h]]) for m in inside]))
            self.by_column.append(loops.softmax([dot(place, [m[e] for m in inside]) for e in range(2)]))
        self.mined = []  # V_F + V_C
        for n, values in enumerate(self.bound):
            fine = [self.by_column[e // 2][e % 2] * values[e] for e in range(4)]
            coarse = [self.by_row[e // 2][n] * values[e] for e in range(4)]
            self.mined.append(add(fine, coarse))
        self.out = []
        for before, u in zip(x, every(part.output, self.mined)):  # f_3: output, residual, norm, MLP
            inner = [gelu(v) for v in loops.linear(part.ffn.hidden, norm(part.norm2, add(before, u)))]
            self.out.append(add(u, loops.linear(part.ffn.output, inner)))


def image_guided() -> tuple[Any, tuple[Tensor, ...], list[Mined], list[Tensor]]:
    """The image-guided excavator, what it is given, its loops for two documents, and what has a gradient."""
    part, (t, v) = interweave().image_guided, states()
    slow = [Mined(part, x, y) for x, y in zip(rows_of(v, PATCHES), rows_of(t, WORDS))]
    return part, (v, t, PATCHES, WORDS), slow, [t, v, *part.parameters()]


def test_eq_5_intermediate_matrix() -> None:
    part, (v, t, *masks), slow, leaves = image_guided()
    bound, own = part._bind(part.norm1(v), part.other_norm(t), *masks)
    fast = (bound * own).transpose(1, 2).flatten(2)  # heads side by side
    agree(fast[PATCHES], [s.product for s in slow], leaves)


def test_eq_6_row_and_column_weights() -> None:
    part, (v, t, *masks), slow, leaves = image_guided()
    bound, own = part._bind(part.norm1(v), part.other_norm(t), *masks)
    places, part.places = part.places, None
    by_row = part._weights(bound * own, PATCHES)  # (B, h, N, 1)
    agree(by_row[..., 0].transpose(1, 2)[PATCHES], [list(map(list, zip(*s.by_row))) for s in slow], leaves)
    part.places, row, part.row = places, part.row, None
    by_column = part._weights(bound * own, PATCHES)  # (B, h, 1, E / h)
    agree(by_column, [s.by_column for s in slow], leaves)
    part.row = row


def test_eq_7_weighted_values_of_the_other_modality() -> None:
    part, given, slow, leaves = image_guided()
    mined = loops.inputs_of(part.output, lambda: part(*given))
    agree(mined[PATCHES], [s.mined for s in slow], leaves)


def test_eq_8_excavator() -> None:
    part, given, slow, leaves = image_guided()
    agree(part(*given)[PATCHES], [s.out for s in slow], leaves)


def test_eq_9_text_guided_excavator_reads_the_mined_patches() -> None:
    mgi, (t, v) = interweave(), states()
    x = mgi.image_guided(v, t, PATCHES, WORDS)
    fast = mgi.text_guided(t, x, WORDS, PATCHES)
    slow = []
    for words, patches in zip(rows_of(t, WORDS), rows_of(v, PATCHES)):
        slow.append(Mined(mgi.text_guided, words, Mined(mgi.image_guided, patches, words).out).out)
    leaves = [t, v, *mgi.image_guided.parameters(), *mgi.text_guided.parameters()]
    agree(fast[WORDS], slow, leaves)


def woven(mgi: Any, t: list[Row], x: list[Row], layers: int) -> tuple[list[Row], list[Row]]:
    """T_L of eq. 11 and X_(L+1) of eq. 10: one image-guided pass more than text-guided ones (section 3.3)."""
    for _ in range(layers):
        x = [add(a, b) for a, b in zip(x, Mined(mgi.image_guided, x, t).out)]
        t = [add(a, b) for a, b in zip(t, Mined(mgi.text_guided, t, x).out)]
    return t, [add(a, b) for a, b in zip(x, Mined(mgi.image_guided, x, t).out)]


def check_woven(stream: str, layers: int) -> None:
    mgi, (t, v) = interweave(gate="none", layers=layers), states()
    made = mgi({"text": Stream(t, WORDS), "vision": Stream(v, PATCHES)})
    pairs = [woven(mgi, *pair, layers) for pair in zip(rows_of(t, WORDS), rows_of(v, PATCHES))]
    slow = [pair[stream == "vision"] for pair in pairs]
    agree(made[stream].tokens[made[stream].mask], slow, [t, v, *mgi.parameters()])


def test_eq_10_image_side_of_the_interweave() -> None:
    check_woven("vision", MGI.layers)
    assert MGI.layers == 1


def test_eq_11_text_side_of_the_interweave() -> None:
    check_woven("fused", MGI.layers)
    check_woven("fused", 2)  # layers share their encoders (section 3.3.2)


def vector_gate(gate: Any, h: list[Row], t: list[Row]) -> list[Row]:
    """I of eq. 12."""
    both = zip(every(gate.after, t), every(gate.before, h))
    return [[loops.sigmoid(v) for v in add(a, b)] for a, b in both]


def test_eq_12_gate() -> None:
    gate = interweave().gate
    h, t = drawn(8, 3, 6), drawn(9, 3, 6)
    fast = (gate(h[None], t[None])[0] - t) / (h - t)  # z = I h + (1 - I) t
    agree(fast, vector_gate(gate, numbers(h), numbers(t)), [h, t, *gate.parameters()])
    assert gate.after.weight.shape == gate.before.weight.shape == (6, 6), "W in R^(d x d)"


def test_eq_13_words_after_the_gate() -> None:
    mgi, (t, v) = interweave(), states()
    made = mgi({"text": Stream(t, WORDS), "vision": Stream(v, PATCHES)})["fused"]
    slow = []
    for h, x in zip(rows_of(t, WORDS), rows_of(v, PATCHES)):
        after, _ = woven(mgi, h, x, 1)
        for i, before, late in zip(vector_gate(mgi.gate, h, after), h, after):
            slow.append([a * b + (1 - a) * c for a, b, c in zip(i, before, late)])
    agree(made.tokens[WORDS], slow, [t, v, *mgi.parameters()])


# -- implicit positives


def alignment(seed: int = 10, **change: Any) -> Any:
    loss = replace(IPS_CL.loss, **change)
    return loops.stirred(replace(IPS_CL, loss=loss).build({"fused": 4, "vision": 5}), seed)


def pooled(align: Any, side: int, name: str, rows: list[Row]) -> Row:
    """f and g of eq. 14: tokens by learned weights, a linear layer, GELU."""
    score = numbers(align.pool[side][name].score.weight)[0]
    found = loops.mixed(loops.softmax([dot(score, row) for row in rows]), rows)
    return [gelu(x) for x in loops.linear(align.projection[side][0], found)]


def similarity(align: Any, texts: list[list[Row]], images: list[list[Row]]) -> list[Row]:
    """sim of eq. 14: [text][image]."""
    g = [pooled(align, 0, "fused", rows) for rows in texts]
    f = [pooled(align, 1, "vision", rows) for rows in images]
    return [[cosine(b, a) for b in f] for a in g]


def batch_of(documents: int, seed: int = 11) -> tuple[dict[str, Stream], list[Row], Any, list[Tensor]]:
    """Streams of a batch after the fusion, sim of eq. 14 by the loop, the alignment, and what has a gradient."""
    align = alignment()
    words, patches = drawn(seed, documents, 3, 4), drawn(seed + 1, documents, 2, 5)
    mask, seen = torch.ones(documents, 3, dtype=torch.bool), torch.ones(documents, 2, dtype=torch.bool)
    mask[1, 2], seen[2, 1] = False, False
    streams = {"fused": Stream(words, mask), "vision": Stream(patches, seen)}
    sim = similarity(align, rows_of(words, mask), rows_of(patches, seen))
    return streams, sim, align, [words, patches, *align.parameters()]


def implicit_positives(row: Row, k: int) -> tuple[int, ...]:
    """V_K of eq. 15, of all sets of K images the one of the highest relevance."""
    return max(itertools.combinations(range(len(row)), k), key=lambda chosen: sum(row[j].item() for j in chosen))


def share(row: Row, chosen: Any, tau: float) -> Any:
    """-log of the chosen images' share of the sum over the batch."""
    e = [(s / tau).exp() for s in row]
    return -(sum(e[j] for j in chosen) / sum(e)).log()


def ips_cl(sim: list[Row], k: int, tau: float) -> Any:
    return sum(share(row, implicit_positives(row, k), tau) for row in sim) / len(sim)


def cl(sim: list[Row], tau: float) -> Any:
    return sum(share(row, [i], tau) for i, row in enumerate(sim)) / len(sim)


def test_eq_14_relevance() -> None:
    streams, sim, align, leaves = batch_of(5)
    a, b, _ = align.pairs(streams)
    agree(align.loss.logits(a, b) * align.loss.tau, sim, leaves)


def test_eq_15_images_of_the_highest_relevance() -> None:
    streams, sim, align, _ = batch_of(6)
    a, b, _ = align.pairs(streams)
    logits = align.loss.logits(a, b).detach()
    of_each = align.loss.chosen(logits)
    assert of_each.tolist() == [3] * 6
    for i, row in enumerate(sim):
        best = logits[i].argsort(descending=True)[: of_each[i]].tolist()
        assert sorted(best) == list(implicit_positives(row, 3))


def test_eq_16_implicit_positives() -> None:
    streams, sim, align, leaves = batch_of(6)
    a, b, _ = align.pairs(streams)
    fast = replace(align.loss, pair_weight=0.0)(a, b)
    agree(fast, ips_cl(sim, 3, align.loss.tau), leaves)


def test_eq_17_standard_contrast() -> None:
    streams, sim, align, leaves = batch_of(6)
    a, b, _ = align.pairs(streams)
    agree(replace(align.loss, topk_weight=0.0)(a, b), cl(sim, align.loss.tau), leaves)


# -- the decoder and the sum


def emissions(head: Any, stream: Stream) -> list[list[Row]]:
    """A linear layer on z."""
    return [every(head.emit.score[-1], rows) for rows in rows_of(stream.tokens, stream.mask)]


def gold(lengths: list[int], tags: int) -> list[list[int]]:
    return [[(3 * d + 2 * i + 1) % tags for i in range(n)] for d, n in enumerate(lengths)]


def padded(tags: list[list[int]]) -> Tensor:
    most = max(map(len, tags))
    return torch.tensor([row + [-1] * (most - len(row)) for row in tags])


def test_eq_18_crf() -> None:
    head = loops.stirred(PAPER.heads[0].build({"fused": 6}), 13)  # B and I of four types, and O
    z = drawn(14, 2, 3, 6)
    stream, tags = Stream(z, WORDS), gold([3, 2], 9)
    fast = head.loss({"fused": stream}, {}, {"tags": padded(tags)})
    agree(fast, loops.crf_loss(head.crf, emissions(head, stream), tags), [z, *head.parameters()])


def test_eq_19_sum_of_the_three_losses() -> None:
    small = replace(
        PAPER, encode=replace(PAPER.encode, image_size=16), fuse=(MGI,), heads=(replace(PAPER.heads[0], **TAGS),)
    )
    model = loops.stirred(Extractor.build(small, *towers(1, 16)), 15)
    given = posts(4, 16)
    tags = gold([n - 2 for n in LENGTHS], 3)
    output = model(Batch(given, {}, {"tags": padded(tags)}))
    fused, vision = output.streams["fused"], output.streams["vision"]
    align, head = model.align[0], model.heads[0]
    sim = similarity(align, *(rows_of(s.tokens, s.mask) for s in (fused, vision)))
    mner = loops.crf_loss(head.crf, emissions(head, fused), tags)
    slow = mner + ips_cl(sim, 3, align.loss.tau) + cl(sim, align.loss.tau)
    agree(output.total, slow, list(model.parameters()))


# -- values: field -> what is printed, section and line of the text

PRINTED = {
    "encode.objects": (3, "3.1.2, line 94: crops"),
    "encode.main_image_with_objects": (False, "3.1.2, line 94: crops alone"),
    "encode.image_size": (128, "3.1.2, line 94"),
    "encode.exchange": (True, "eq. 2, line 104"),
    "encode.order": ("lagged", "eq. 2, line 104: layer l + 1 reads layer l"),
    "encode.first_layer_prefix": ("raw", "eq. 3, line 108"),
    "encode.as_released": (False, "eq. 2, line 104: values are values"),
    "encode.text.name": ("bert-base-uncased", "4.3, line 257: BERT, 768, 12 heads, 12 layers"),
    "encode.vision.name": ("openai/clip-vit-base-patch32", "3.1.2, line 94, and 4.3, line 257"),
    "encode.text.freeze": (False, "4.3, line 257: it has a rate"),
    "encode.vision.freeze": (False, "4.3, line 257: it has a rate"),
    "encode.text_tokens": (40, "4.3, line 257"),
    "encode.missing_image": ("default", "4.1, line 243"),
    "encode.context": ("", "3.1: text and crops"),
    "fuse.0.layers": (1, "3.3.2, line 155"),
    "fuse.0.row": (True, "eq. 6, line 132"),
    "fuse.0.column": (True, "eq. 6, line 132"),
    "fuse.0.rescaled": (False, "eq. 6, line 132: softmax"),
    "fuse.0.gate": ("vector", "eq. 12, line 171, and the line of its W"),
    "fuse.0.width": (768, "4.3, line 257"),
    "align.0.loss.k": (3, "4.3, line 257, and 4.6.1, line 340"),
    "align.0.loss.anchor": ("text", "eq. 15, line 199: images of a text"),
    "align.0.loss.as_released": (False, "eq. 16 and 17, lines 203 and 214: two losses"),
    "align.0.loss.topk_weight": (1.0, "eq. 19, line 237"),
    "align.0.loss.pair_weight": (1.0, "eq. 19, line 237"),
    "align.0.weight": (1.0, "eq. 19, line 237"),
    "align.0.loss.warmup_steps": (0, "eq. 19, line 237"),
    "heads.0.weight": (1.0, "eq. 19, line 237"),
    "heads.0.loss_per": ("document", "eq. 18, line 233"),
    "heads.0.hidden": (0, "eq. 13, line 175: z goes into the CRF"),
    "training.epochs": (40, "4.6.1, line 340"),
    "training.warmup_ratio": (0.06, "4.3, line 257"),
    "training.param_groups.0.match": ("encode.text", "4.3, line 257"),
    "training.param_groups.0.lr": (5e-5, "4.3, line 257"),
    "training.param_groups.1.match": ("encode.vision", "4.3, line 257"),
    "training.param_groups.1.lr": (3e-5, "4.3, line 257"),
    "training.train_fraction": (1.0, "4.7: all of it but in figure 8"),
}


def test_printed_values() -> None:
    loops.check_values(PAPER, PRINTED)
    assert {group.weight_decay for group in PAPER.training.param_groups} == {1e-2}, "4.3, line 257: one for all"
    assert PAPER.heads[0].labels == ("LOC", "MISC", "ORG", "PER"), "4.1, table 1"
    assert len(PAPER.align) == len(PAPER.fuse) == len(PAPER.heads) == 1
