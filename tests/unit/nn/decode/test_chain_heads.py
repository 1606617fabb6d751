"""Chains and relations between chains (M3D, eq. 16, 17, 20, 21) against loops over pairs, and on known answers."""

import itertools
import math
import random
from dataclasses import replace

import pytest
import torch

from openmie.errors import RecipeError
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Bilinear, Chains, best_only, components, earlier, numbered
from openmie.nn.decode.spans import spans_of
from openmie.nn.streams import Stream
from openmie.recipe import check_part

D = 5
MENTIONS, LABELS = ("PER", "LOC"), ("PER-PER_peer", "PER-LOC_born", "near")
SPANS = [[(0, 1), (3, 3), (4, 6), (8, 8)], [(2, 2), (0, 1)], [], [(0, 0), (1, 1)]]  # not in order in the second
KINDS = [[0, 1, 0, 0], [0, 1], [], [0, 0]]
CHAINS = [[0, 1, 0, 2], [1, 0], [], [0, 0]]


def data(seed=0):
    """Four documents of nine words at most; the third has no text, and the last had but it was taken away."""
    g = torch.Generator().manual_seed(seed)
    mask = torch.arange(9) < torch.tensor([9, 3, 0, 5])[:, None]
    present = torch.tensor([True, True, False, False])
    stream = Stream(torch.randn(4, 9, D, generator=g, dtype=torch.float64), mask, present=present)

    def padded(rows, fill):
        return torch.tensor([[*row, *[fill] * (4 - len(row))] for row in rows])

    given = {
        "spans": padded(SPANS, (0, 0)),
        "spans_mask": padded([[1] * len(r) for r in SPANS], 0).bool(),
        "span_labels": padded(KINDS, 0),
        "chain_of": padded(CHAINS, -1),
    }
    links = torch.rand(4, 3, 3, 3, generator=g) < 0.4
    return {"fused": stream}, given, {"chain_of": given["chain_of"], "links": links}


def built(config):
    torch.manual_seed(1)
    return config.build({"fused": D}).double().eval()


def vector(stream, b, span):
    return torch.stack([stream.tokens[b, w] for w in range(span[0], span[1] + 1)]).mean(0)


def normed(x):
    """Mean 0 and variance 1."""
    return (x - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt()


def form(pair, a, b):
    """a^T W b + bias, with the Kronecker product of eq. 16 written out."""
    return torch.stack(
        [
            sum(a[i] * b[j] * pair.weight[i, k, j] for i in range(len(a)) for j in range(len(b))) + pair.bias[k]
            for k in range(len(pair.bias))
        ]
    )


def agree(module, ours, theirs):
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(*(torch.autograd.grad(x, list(module.parameters())) for x in (ours, theirs))):
        torch.testing.assert_close(a, b)


def test_bilinear_is_torchs_own():
    pair, slow = Bilinear(D, 3).double(), torch.nn.Bilinear(D, D, 3).double()
    slow.load_state_dict({"weight": pair.weight.detach().permute(1, 0, 2), "bias": pair.bias.detach()})
    a, b = torch.randn(2, 4, D, dtype=torch.float64), torch.randn(2, 6, D, dtype=torch.float64)
    want = slow(a[:, :, None].expand(2, 4, 6, D).contiguous(), b[:, None].expand(2, 4, 6, D).contiguous())
    torch.testing.assert_close(pair(a, b), want)


def test_scores_begin_at_one_whatever_the_width():
    torch.manual_seed(0)
    for width in (16, 768):
        pair = Bilinear(width, 3)
        assert 0.7 < pair(torch.randn(1, 40, width), torch.randn(1, 40, width)).std() < 1.4


@pytest.mark.parametrize("rank", [0, 3])
def test_chain_loss_is_the_mean_over_pairs(rank):
    streams, given, targets = data()
    head, losses = built(Chains(labels=MENTIONS, rank=rank)), []
    for b in (0, 1):
        for i, j in itertools.combinations(range(len(SPANS[b])), 2):
            first, second = sorted((SPANS[b][i], SPANS[b][j]))
            x, y = (vector(streams["fused"], b, s) for s in (first, second))
            x, y = (normed(head.project[0](v) if rank else v) for v in (x, y))
            p = form(head.pair, x, y).softmax(0)
            losses.append(-p[int(CHAINS[b][i] == CHAINS[b][j])].log())
    assert len(losses) == 7
    agree(head, head.loss(streams, given, targets), torch.stack(losses).mean())


def connected(links):
    """Nodes that can be reached from each, by a walk."""
    n = len(links)
    out = []
    for start in range(n):
        seen, todo = {start}, [start]
        while todo:
            at = todo.pop()
            new = {k for k in range(n) if (links[at][k] or links[k][at]) and k not in seen}
            seen |= new
            todo += new
        out.append(min(seen))
    return out


def test_components_are_what_a_walk_reaches():
    rng = random.Random(0)
    for n in (0, 1, 2, 9, 30):
        for density in (0.02, 0.05, 0.2):
            links = torch.tensor([rng.random() < density for _ in range(n * n)], dtype=torch.bool).view(1, n, n)
            assert components(links)[0].tolist() == connected(links[0].tolist())
    order = torch.randperm(200)
    path = torch.diag(torch.ones(199), 1).bool()[order][:, order]
    path[order[:5]] = False
    assert components(path[None])[0].tolist() == connected(path.tolist())


def test_numbers_follow_the_first_mention():
    real = torch.tensor([[True] * 4, [True, True, True, False]])
    root = torch.tensor([[0, 1, 0, 3], [0, 1, 1, 3]])
    assert numbered(root, real).tolist() == [[0, 1, 0, 2], [0, 1, 1, -1]]


@pytest.mark.parametrize("link", ["closure", "best"])
@pytest.mark.parametrize("typed", [False, True])
def test_chains_are_connected_links(link, typed):
    """Against pair scores one by one; padding and documents without their text have no chain."""
    streams, given, _ = data()
    for seed in range(8):
        torch.manual_seed(seed)
        head = Chains(labels=MENTIONS, link=link, typed=typed).build({"fused": D}).double().eval()
        with torch.no_grad():
            head.pair.weight.mul_(6)
            found = head.predict(streams, {k: v for k, v in given.items() if k != "chain_of"})
        for b in range(4):
            n = len(SPANS[b]) if b < 2 else 0
            assert found["chain_of"][b, n:].tolist() == [-1] * (4 - n) and not found["chain_scores"][b, n:].any()
            p = [[0.0] * n for _ in range(n)]
            for i, j in itertools.combinations(range(n), 2):
                first, second = sorted((SPANS[b][i], SPANS[b][j]))
                x, y = (normed(vector(streams["fused"], b, s)) for s in (first, second))
                p[i][j] = p[j][i] = form(head.pair, x, y).softmax(0)[1].item()
            fits = [[i != j and (not typed or KINDS[b][i] == KINDS[b][j]) for j in range(n)] for i in range(n)]
            links = [[fits[i][j] and p[i][j] > 0.5 for j in range(n)] for i in range(n)]
            if link == "best":
                kept = [[False] * n for _ in range(n)]
                for i in range(n):
                    before = [j for j in range(n) if links[i][j] and SPANS[b][j] < SPANS[b][i]]
                    if before:
                        kept[i][max(before, key=lambda j, i=i: p[i][j])] = True
                links = kept
            roots = connected(links)
            order = {r: k for k, r in enumerate(dict.fromkeys(roots))}
            assert found["chain_of"][b, :n].tolist() == [order[r] for r in roots]
            for i in range(n):
                same = [p[i][j] for j in range(n) if j != i and roots[j] == roots[i] and fits[i][j]]
                alone = 1 - max([p[i][j] for j in range(n) if fits[i][j]], default=0.0)
                assert math.isclose(found["chain_scores"][b, i], max(same) if same else alone, abs_tol=1e-9)


def test_the_earlier_of_two_mentions_stands_first():
    spans = torch.tensor([[[3, 4], [0, 1], [3, 3], [0, 1]]])
    assert earlier(spans)[0].tolist() == [
        [True, False, False, False],
        [True, True, True, True],
        [True, False, True, False],
        [True, False, True, True],
    ]
    links = ~torch.eye(4, dtype=torch.bool)[None]
    p = torch.tensor([[[0, 0.6, 0.9, 0.7], [0.6, 0, 0.8, 0.9], [0.9, 0.8, 0, 0.7], [0.7, 0.9, 0.7, 0]]])
    assert best_only(links, p, spans)[0].nonzero().tolist() == [[0, 2], [2, 1], [3, 1]]


def test_tags_give_the_mentions_where_none_are_given():
    streams, _, _ = data()
    tags = torch.tensor([[1, 2, 0, 3, 4, 4, 0, 1, 1], [3, 0, 1, *[0] * 6], [0] * 9, [1, *[0] * 8]])
    head = built(Chains(labels=MENTIONS))
    found = head.predict(streams, {"tags": tags})
    spans, real = spans_of(tags, streams["fused"].mask)
    assert torch.equal(found["spans"], spans) and torch.equal(found["spans_mask"], real)
    assert found["span_labels"][0].tolist() == [0, 1, 0, 0] and found["span_labels"][1].tolist() == [1, 0, 0, 0]
    again = head.predict(streams, {k: found[k] for k in ("spans", "spans_mask", "span_labels")})
    assert torch.equal(again["chain_of"], found["chain_of"]) and "spans" not in again
    none = head.predict(streams, {"tags": torch.zeros_like(tags)})
    assert none["chain_of"].shape == (4, 0)
    links = built(ChainRelations(labels=LABELS)).predict(streams, {**none, "tags": tags * 0})["links"]
    assert links.shape == (4, 0, 0, 3)


@pytest.mark.parametrize("similarity_init", [1.0, 0.0])
def test_two_things_named_again_and_again_become_two_chains(similarity_init):
    """Names never seen in training: what is learnt is that like vectors are one thing, and begins so."""
    torch.manual_seed(0)
    n, m, width = 64, 6, 48
    head = Chains(labels=MENTIONS, dropout=0.0, similarity_init=similarity_init).build({"fused": width})
    optimizer = torch.optim.Adam(head.parameters(), 1e-3)

    def batch():
        names, chain_of = torch.randn(n, 2, width), torch.randint(2, (n, m))
        words = names.gather(1, chain_of[..., None].expand(-1, -1, width)) + 0.2 * torch.randn(n, m, width)
        spans = torch.arange(m)[:, None].expand(n, m, 2)
        mask = torch.ones(n, m, dtype=torch.bool)
        return {"fused": Stream(words, mask)}, {"spans": spans, "spans_mask": mask}, {"chain_of": chain_of}

    for _ in range(120):
        optimizer.zero_grad()
        head.loss(*batch()).backward()
        optimizer.step()
    streams, given, gold = batch()
    found = head.predict(streams, given)["chain_of"]
    want = numbered(components(gold["chain_of"][:, :, None] == gold["chain_of"][:, None]), given["spans_mask"])
    right = (found == want).all(1).float().mean()
    assert right > 0.9 if similarity_init else right < 0.7


# -- relations between chains


def fitting(label, head, tail):
    if label in ("near", "None"):
        return True
    return label.startswith(f"{MENTIONS[head]}-{MENTIONS[tail]}_")


RELATIONS = [
    ChainRelations(labels=LABELS, mentions=MENTIONS, symmetric=("near",)),
    ChainRelations(labels=(*LABELS, "None"), mentions=MENTIONS),
    ChainRelations(labels=LABELS, mentions=MENTIONS, decide="one", symmetric=("near",)),
    ChainRelations(labels=LABELS, mentions=MENTIONS, aggregation="vote", rank=3),
    ChainRelations(labels=LABELS, mentions=MENTIONS, aggregation="vote", decide="one", symmetric=("near",)),
]
TYPES = [[0, 1, 0], [1, 0], [], [0]]  # of the chains: each has one label


def units(config, head, streams, b):
    """(chain, vector) of what is paired."""
    each = [(c, vector(streams["fused"], b, s)) for c, s in zip(CHAINS[b], SPANS[b])]
    if config.aggregation == "mean":
        each = [(c, torch.stack([v for o, v in each if o == c]).mean(0)) for c in range(max(CHAINS[b]) + 1)]
    assert [type(part) for part in head.project] == [torch.nn.Linear] * bool(config.rank) + [torch.nn.LayerNorm]
    return [(c, normed(head.project[0](v) if config.rank else v)) for c, v in each]


@pytest.mark.parametrize("config", RELATIONS, ids=range(len(RELATIONS)))
def test_link_loss_is_the_mean_over_ordered_pairs(config):
    streams, given, targets = data()
    if "None" in config.labels:
        targets["links"] = torch.nn.functional.pad(targets["links"], (0, 1))
    head, losses = built(config), []
    names = config.labels if config.decide == "several" or "None" in config.labels else (*config.labels, "None")
    for b in (0, 1):
        for (c, x), (d, y) in itertools.permutations(units(config, head, streams, b), 2):
            if c == d:
                continue
            gold = {
                label
                for k, label in enumerate(config.labels)
                if targets["links"][b, c, d, k] or (label in config.symmetric and targets["links"][b, d, c, k])
            }
            scores = form(head.pair, x, y)
            if config.decide == "several":
                losses.append(
                    sum(
                        -torch.nn.functional.logsigmoid(scores[k] if label in gold else -scores[k])
                        for k, label in enumerate(names)
                        if label != "None" and fitting(label, TYPES[b][c], TYPES[b][d])
                    )
                )
                continue
            gold = gold or {"None"}
            kept = [k for k, label in enumerate(names) if label in gold or fitting(label, TYPES[b][c], TYPES[b][d])]
            p = scores[kept].log_softmax(0)
            losses.append(-sum(p[kept.index(names.index(label))] for label in gold) / len(gold))
    agree(head, head.loss(streams, given, targets), torch.stack(losses).mean())


@pytest.mark.parametrize("config", RELATIONS, ids=range(len(RELATIONS)))
def test_links_are_answered_pair_by_pair(config):
    streams, given, _ = data()
    names = config.labels if "None" in config.labels else (*config.labels, "None")
    for seed in range(5):
        torch.manual_seed(seed)
        head = config.build({"fused": D}).double().eval()
        with torch.no_grad():
            head.pair.weight.mul_(6)
            head.pair.bias.zero_()
            found = head.predict(streams, given)
        assert found["links"].shape == found["link_scores"].shape == (4, 3, 3, len(config.labels))
        assert not found["links"][2:].any()  # no text, no links
        for b in (0, 1):
            raw = {}
            all_units = list(enumerate(units(config, head, streams, b)))
            for (i, (c, x)), (j, (d, y)) in itertools.permutations(all_units, 2):
                if c != d:
                    raw[i, j] = (c, d, form(head.pair, x, y))
            said, score = {}, {}
            for (i, j), (c, d, scores) in raw.items():
                scores = scores.clone()
                for k, label in enumerate(config.labels):
                    if label in config.symmetric:
                        scores[k] = (scores[k] + raw[j, i][2][k]) / 2
                fits = [fitting(label, TYPES[b][c], TYPES[b][d]) for label in names][: len(scores)]
                if config.decide == "several":
                    p = scores.sigmoid()
                    yes = [float(f and q > 0.5 and label != "None") for f, q, label in zip(fits, p, names)]
                else:
                    p = scores.masked_fill(~torch.tensor(fits), -torch.inf).softmax(0)
                    yes = [float(k == p.argmax()) for k in range(len(p))]
                said.setdefault((c, d), []).append(yes)
                score.setdefault((c, d), []).append([q.item() * f for q, f in zip(p, fits)])
            answers = {}
            for pair, votes in said.items():
                share = [sum(v) / len(votes) for v in zip(*votes)]
                if config.aggregation == "vote":
                    several = [k for k, s in enumerate(share) if s > 0.5]
                    answers[pair] = several if config.decide == "several" else [share.index(max(share))]
                else:
                    answers[pair] = [k for k, v in enumerate(votes[0]) if v]
            want = set()
            for (c, d), ks in answers.items():
                for k in ks:
                    if names[k] == "None":
                        continue
                    want.add((min(c, d), max(c, d), k) if names[k] in config.symmetric else (c, d, k))
            assert {tuple(x) for x in found["links"][b].nonzero().tolist()} == want
            if config.aggregation == "mean":
                for c, d, k in want:
                    each = [score[p][0][k] for p in {(c, d), *([(d, c)] if names[k] in config.symmetric else [])}]
                    assert math.isclose(found["link_scores"][b, c, d, k], max(each), abs_tol=1e-9)


def test_gold_chains_are_read_where_a_chains_head_has_answered_too():
    streams, given, _ = data()
    chains, links = built(Chains(labels=MENTIONS)), built(RELATIONS[0])
    found = {**given, **chains.predict(streams, given)}
    assert torch.equal(found["given_chain_of"], given["chain_of"])
    alone, after = links.predict(streams, given), links.predict(streams, found)
    assert torch.equal(alone["link_scores"], after["link_scores"])
    own = {k: v for k, v in found.items() if k != "given_chain_of"}
    assert links.predict(streams, own)["links"].shape[1] == int(found["chain_of"].max()) + 1


def test_between_chains_of_the_tagger_a_label_is_weighed_by_how_sure_the_types_are():
    streams, _, _ = data()
    tags = torch.tensor([[1, 2, 0, 3, 1, 2, 2, 0, 1], [3, 0, 1, *[0] * 6], [0] * 9, [0] * 9])
    sure = torch.rand(4, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    given = {"tags": tags, "tag_scores": sure, "chain_of": torch.tensor(CHAINS[:1] + [[0, 1, -1, -1]] + [[-1] * 4] * 2)}
    config = ChainRelations(labels=LABELS, mentions=MENTIONS, threshold=0.01)
    module = built(config)
    made, plain = (built(c).predict(streams, given) for c in (config, replace(config, joint=False)))
    each = [[sure[0, 0:2].mean(), sure[0, 3], sure[0, 4:7].mean(), sure[0, 8]], [sure[1, 0], sure[1, 2]]]
    for b, (spans, chains) in enumerate(zip(each, ([0, 1, 0, 2], [0, 1]))):
        of = [torch.stack([s for s, c in zip(spans, chains) if c == k]).mean() for k in range(max(chains) + 1)]
        for i, j in itertools.permutations(range(len(of)), 2):
            want = plain["link_scores"][b, i, j] * min(of[i], of[j])
            torch.testing.assert_close(made["link_scores"][b, i, j], want)
            assert torch.equal(made["links"][b, i, j], want > 0.01)
    told = {k: v for k, v in given.items() if k != "tag_scores"}  # gold types, and taggers without certainties
    assert torch.equal(module.predict(streams, told)["link_scores"], plain["link_scores"])
    assert not torch.equal(made["links"], plain["links"])


def test_signatures_that_training_showed():
    config = ChainRelations(labels=("a", "b"), mentions=MENTIONS, allowed=(("a", "PER", "LOC"), ("a", "LOC", "LOC")))
    fits = built(config).fits
    assert fits[..., 0].tolist() == [[False, True], [False, True]] and fits[..., 1].all()
    both = built(replace(config, symmetric=("a",))).fits
    assert both[..., 0].tolist() == [[False, True], [True, True]]
    for entry in (("a", "PER"), ("c", "PER", "LOC"), ("a", "PER", "TIME")):
        with pytest.raises(RecipeError, match="allowed"):
            check_part(replace(config, allowed=(entry,)))


def test_nothing_to_score_costs_nothing_and_has_a_gradient():
    streams, given, targets = data()
    none = {**given, "spans_mask": torch.zeros_like(given["spans_mask"])}
    for config in (Chains(labels=MENTIONS), *RELATIONS[:1], *RELATIONS[3:4]):
        loss = built(config).loss(streams, none, targets)
        loss.backward()
        assert loss == 0


@pytest.mark.parametrize("aggregation", ["mean", "vote"])
def test_learns_several_relations_of_one_pair(aggregation):
    """Two labels that hold together for the chains of one pair, learnt by heart with what else there is."""
    torch.manual_seed(0)
    config = ChainRelations(labels=("a", "b", "c"), symmetric=("c",), dropout=0.0, aggregation=aggregation)
    head = config.build({"fused": 16})
    words = torch.randn(6, 8, 16)
    spans = torch.arange(8)[:, None].expand(6, 8, 2)
    mask = torch.ones(6, 8, dtype=torch.bool)
    given = {"spans": spans, "spans_mask": mask, "span_labels": spans[..., 0] * 0, "chain_of": spans[..., 0] % 4}
    links = torch.rand(6, 4, 4, 3) < 0.2
    links[:, 0, 1, :2] = True
    once = torch.ones(4, 4).triu(1).bool()
    links &= ~torch.eye(4, dtype=torch.bool)[..., None]
    links[..., 2] = (links[..., 2] | links[..., 2].transpose(1, 2)) & once
    optimizer = torch.optim.Adam(head.parameters(), 2e-2)
    for _ in range(150):
        optimizer.zero_grad()
        head.loss({"fused": Stream(words, mask)}, given, {"links": links}).backward()
        optimizer.step()
    assert torch.equal(head.predict({"fused": Stream(words, mask)}, given)["links"], links)


@pytest.mark.parametrize("config", [Chains(labels=MENTIONS), *RELATIONS], ids=range(1 + len(RELATIONS)))
def test_half_precision_is_near(config):
    streams, given, targets = data()
    if "None" in getattr(config, "labels", ()):
        targets["links"] = torch.nn.functional.pad(targets["links"], (0, 1))
    streams = {"fused": replace(streams["fused"], tokens=streams["fused"].tokens.float())}
    head = built(config).float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = head.loss(streams, given, targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, head.loss(streams, given, targets), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("of", ["vectors", "scores"])
def test_dropout_is_of_vectors_or_of_the_scores_of_a_pair(of):
    streams, given, targets = data()
    one = {"decide": "one", "norm": False, "joint": False}
    parts = [Chains(labels=MENTIONS, dropout=0.5, dropout_of=of, norm=False)]
    parts += [ChainRelations(labels=LABELS, dropout=0.5, dropout_of=of, **one)]
    for part in parts:
        head = built(part).train()
        whole = replace(part, dropout=0.0).build({"fused": D}).double()
        whole.load_state_dict(head.state_dict())
        torch.manual_seed(5)
        ours = head.loss(streams, given, targets)
        torch.manual_seed(5)
        kept = whole.pair.forward

        def dropped(a, b, kept=kept):
            if of == "scores":
                return torch.nn.functional.dropout(kept(a, b), 0.5)
            x = torch.nn.functional.dropout(a, 0.5)
            return kept(x, x)

        whole.pair.forward = dropped
        theirs = whole.loss(streams, given, targets)
        torch.testing.assert_close(ours, theirs)
        agreed = zip(*(torch.autograd.grad(v, list(m.parameters())) for v, m in ((ours, head), (theirs, whole))))
        for a, b in agreed:
            torch.testing.assert_close(a, b)
        torch.testing.assert_close(
            head.eval().loss(streams, given, targets), built(replace(part, dropout=0.0)).loss(streams, given, targets)
        )
