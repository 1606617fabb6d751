"""Regions (M3D, eq. 18, 22, 23): boxes against loops, matching against every assignment, a bright patch found."""

import itertools
import math
import random
from dataclasses import replace

import pytest
import torch

from openmie.errors import RecipeError
from openmie.nn.decode.boxes import box_iou_giou, corners, distinct, in_order, matched
from openmie.nn.decode.regions import Regions, within
from openmie.nn.decode.slots import POSITION_STEPS, PatchSlots, grid_points, initial_box, patch_grid
from openmie.nn.layers import sinusoidal_code, sinusoidal_positions
from openmie.nn.streams import Stream
from openmie.recipe import check_part
from tests.fixtures.oracles import box_iou


def some_boxes(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    size = 0.05 + 0.6 * torch.rand(n, 2, generator=g, dtype=torch.float64)
    return torch.cat([size / 2 + (1 - size) * torch.rand(n, 2, generator=g, dtype=torch.float64), size], 1)


def slow_overlap(a, b):
    a, b = ([c - s / 2 for c, s in zip(x[:2], x[2:])] + [c + s / 2 for c, s in zip(x[:2], x[2:])] for x in (a, b))
    area = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    iou = box_iou(a, b)
    union = sum(area) / (1 + iou)
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return iou, iou - (hull - union) / hull


def test_overlap_is_the_loop_and_safe_without_area():
    boxes = some_boxes(30)
    iou, giou = box_iou_giou(boxes[:, None], boxes)
    for i, j in itertools.product(range(30), repeat=2):
        want = slow_overlap(boxes[i].tolist(), boxes[j].tolist())
        assert math.isclose(iou[i, j], want[0], abs_tol=1e-9) and math.isclose(giou[i, j], want[1], abs_tol=1e-9)
    flat = torch.tensor([0.5, 0.5, 0.0, 0.0], requires_grad=True)
    value = box_iou_giou(flat, flat)[1]
    value.backward()
    assert value == 0 and flat.grad.isfinite().all()
    torch.testing.assert_close(corners(torch.tensor([0.5, 0.4, 0.2, 0.4])), torch.tensor([0.4, 0.2, 0.6, 0.6]))


@pytest.mark.parametrize(("slots", "gold"), [(4, 3), (3, 4), (3, 3), (5, 0)])
def test_matching_is_the_best_of_all_assignments(slots, gold):
    g = torch.Generator().manual_seed(slots)
    cost, real = torch.randn(12, slots, gold, generator=g), torch.rand(12, gold, generator=g) < 0.8
    slot = matched(cost, real)
    for k in range(12):
        there = [j for j in range(gold) if real[k, j]]
        assert (slot[k][~real[k]] == -1).all()
        used = [int(s) for s in slot[k] if s >= 0]
        assert len(set(used)) == len(used) == min(slots, len(there))
        if len(there) <= slots:
            options = [list(zip(rows, there)) for rows in itertools.permutations(range(slots), len(there))]
        else:
            options = [list(enumerate(columns)) for columns in itertools.permutations(there, slots)]
        best = min(sum(cost[k, i, j].item() for i, j in option) for option in options)
        got = sum(cost[k, int(slot[k, j]), j].item() for j in there if slot[k, j] >= 0)
        assert math.isclose(got, best, abs_tol=1e-5)
    want = [[j if r and j < slots else -1 for j, r in enumerate(row)] for row in real.tolist()]
    assert in_order(cost, real).tolist() == want


def test_a_cost_that_is_no_number_does_not_stop_training():
    cost = torch.tensor([[[float("nan")], [1.0]]])
    assert matched(cost, torch.tensor([[True]])).tolist() == [[1]]


def test_duplicates_are_dropped_from_the_best_down():
    rng = random.Random(0)
    for seed in range(20):
        boxes = some_boxes(6, seed)
        boxes[3:] = (boxes[:3] + 0.02 * rng.random()).clamp(0, 1)
        scores, real = torch.rand(6, dtype=torch.float64), torch.rand(6) < 0.8
        most = rng.choice((0.3, 0.9))
        kept = []
        for i in sorted(range(6), key=lambda i: -scores[i]):
            if real[i] and all(slow_overlap(boxes[i].tolist(), boxes[j].tolist())[0] <= most for j in kept):
                kept.append(i)
        assert distinct(boxes[None], scores[None], real[None], most)[0].nonzero()[:, 0].tolist() == sorted(kept)


def test_patches_lie_in_a_square_after_a_class_token():
    mask = torch.arange(10) < torch.tensor([4, 5, 6, 9, 10, 0, 1])[:, None]
    middle, side, placed = patch_grid(mask)
    assert placed.sum(1).tolist() == [4, 4, 0, 9, 9, 0, 1]
    assert middle[0, :4].tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert torch.equal(middle[1, 1:5], middle[0, :4]) and not placed[1, 0] and side[:2].tolist() == [0.5, 0.5]
    torch.testing.assert_close(middle[4, 1:10], middle[3, :9])
    even = torch.zeros(7, 1, 10)
    even[3, 0, [0, 1, 3, 4]] = 0.25  # the upper left 2 x 2 of 3 x 3
    even[0, 0, 3] = 1.0
    box = initial_box(even, middle, side, placed).sigmoid()
    torch.testing.assert_close(box[3, 0], torch.tensor([1 / 3, 1 / 3, 2 / 3, 2 / 3]))
    torch.testing.assert_close(box[0, 0], torch.tensor([0.75, 0.75, 0.5, 0.5]))
    torch.testing.assert_close(box[2, 0], torch.full((4,), 0.5))  # six patches lie nowhere
    assert grid_points(4).tolist() == middle[0, :4].tolist() and grid_points(5).max() < 1


def streams(width=8, seed=0):
    """Three documents of two frames, one and none of its own (constructed); five patches a frame, class token first."""
    g = torch.Generator().manual_seed(seed)
    present = torch.tensor([True, True, False])
    mask = torch.arange(10) < torch.tensor([10, 5, 7])[:, None]
    groups = torch.stack([torch.arange(10) // 5, torch.arange(10) // 5, torch.zeros(10, dtype=torch.long)])
    patches = torch.randn(3, 10, width, generator=g, dtype=torch.float64)
    frames = torch.tensor([[True, True], [True, False], [True, False]])
    words = torch.randn(3, 4, width, generator=g, dtype=torch.float64)
    return {
        "vision": Stream(patches, mask, groups, present),
        "frames": Stream(torch.randn(3, 2, width, generator=g, dtype=torch.float64), frames, present=present),
        "fused": Stream(words, torch.ones(3, 4, dtype=torch.bool), present=torch.tensor([True, False, True])),
    }


GIVEN = {
    "spans": torch.arange(4)[:, None].expand(3, 4, 2),
    "spans_mask": torch.ones(3, 4, dtype=torch.bool),
    "span_labels": torch.zeros(3, 4, dtype=torch.long),
    "chain_of": torch.tensor([[0, 1, 0, 2]] * 3),
}


def gold():
    boxes = some_boxes(18).view(3, 2, 3, 4)
    labels = torch.tensor([[[0, 1, -1], [-1, -1, -1]], [[1, 0, 0], [-1, -1, -1]], [[0, 0, 0]] * 2])
    of = torch.tensor([[[2, -1, -1], [-1] * 3], [[0] * 3] * 2, [[1] * 3] * 2])
    return {"boxes": boxes, "box_labels": labels, "box_of": of}


VARIANTS = [
    Regions(labels=("A", "B"), num_slots=3, width=8, heads=2, dropout=0.0),
    Regions(labels=("A", "B"), num_slots=4, width=8, heads=2, dropout=0.0, links=False, layers=1),
    Regions(labels=("A", "B"), num_slots=2, slots="frame", match="order", giou_weight=0.0, no_object_weight=1.0),
    Regions(labels=("A", "B"), num_slots=2, slots="frame", match="order", giou_weight=0.0, box_loss="every"),
]


@pytest.mark.parametrize("config", VARIANTS, ids=["patches", "no links", "paper", "as released"])
def test_loss_is_the_sum_over_frames_of_the_best_assignment(config):
    s, t = streams(), gold()
    torch.manual_seed(1)
    head = config.build(dict.fromkeys(s, 8)).double().eval()
    losses, rows = [], [(0, 0), (0, 1), (1, 0)]  # frames of documents that have theirs
    for x, logits, boxes in head.found(s):
        entropy, weights, l1, giou, links = [], [], [], [], []
        for b, f in rows:
            q, there = config.num_slots, [k for k in range(3) if t["box_labels"][b, f, k] >= 0]

            def cost(slot, k, b=b, f=f, logits=logits, boxes=boxes):
                p = logits[b, f, slot].softmax(0)[t["box_labels"][b, f, k]].item()
                ours, theirs = boxes[b, f, slot].tolist(), t["boxes"][b, f, k].tolist()
                far = sum(abs(m - n) for m, n in zip(ours, theirs))
                return config.l1_weight * far - config.giou_weight * slow_overlap(ours, theirs)[1] - p

            if config.match == "order":
                best = list(zip(there, there))[:q]
            elif len(there) <= q:
                options = [list(zip(slots, there)) for slots in itertools.permutations(range(q), len(there))]
                best = min(options, key=lambda o: sum(cost(*pair) for pair in o))
            label = {slot: int(t["box_labels"][b, f, k]) for slot, k in best}
            for slot in range(q):
                share = 1.0 if slot in label else config.no_object_weight
                entropy.append(-share * logits[b, f, slot].log_softmax(0)[label.get(slot, 2)])
                weights.append(share)
            if config.box_loss == "every":  # an empty slot's gold is a box of zeros
                at = {slot: t["boxes"][b, f, k] for slot, k in best}
                l1 += [(boxes[b, f, slot] - at.get(slot, 0.0)).abs().sum() for slot in range(q)]
            for slot, k in best:
                if config.box_loss == "matched":
                    l1.append((boxes[b, f, slot] - t["boxes"][b, f, k]).abs().sum())
                giou.append(1 - box_iou_giou(boxes[b, f, slot], t["boxes"][b, f, k])[1])
                if b == 0 and config.links:  # the other document has no text
                    words = s["fused"].tokens[b]
                    chains = [(words[0] + words[2]) / 2, words[1], words[3]]
                    asked = head.link.query(x[b, f, slot])
                    none = head.link.none(x[b, f, slot])[0]
                    scores = torch.stack([*(asked @ c / math.sqrt(8) for c in chains), none])
                    links.append(-scores.log_softmax(0)[int(t["box_of"][b, f, k]) % 4])
        loss = (
            sum(entropy) / sum(weights)
            + config.l1_weight * sum(l1) / len(l1)
            + config.giou_weight * sum(giou) / len(giou)
        )
        losses.append(loss + (sum(links) / len(links) if links else 0.0))
    ours, theirs = head.loss(s, GIVEN, t), sum(losses) / len(losses)
    torch.testing.assert_close(ours, theirs)
    used = [p for p in head.parameters() if p.requires_grad]
    for a, b in zip(*(torch.autograd.grad(v, used, allow_unused=True) for v in (ours, theirs))):
        if a is not None or b is not None:
            torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b)


@pytest.mark.parametrize("config", VARIANTS, ids=["patches", "no links", "paper", "as released"])
@pytest.mark.parametrize("lacking", ["regions", "frames", "texts"])
def test_without_anything_to_learn_each_parameter_still_has_a_gradient(config, lacking):
    """Else training on several devices stops at a batch of such documents; nor is a loss lost to inf times 0."""
    s, t = streams(), gold()
    if lacking == "regions":
        t["box_labels"] = torch.full_like(t["box_labels"], -1)
    elif lacking == "texts":  # of all documents that have regions, and these have more chains than some
        s["fused"] = replace(s["fused"], present=torch.tensor([False, False, True]))
    else:
        s = {r: replace(x, present=torch.zeros(3, dtype=torch.bool)) for r, x in s.items()}
    head = config.build(dict.fromkeys(s, 8)).double()
    loss = head.loss(s, GIVEN, t)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters() if p.requires_grad)


def test_answers_are_of_real_frames_and_name_chains():
    s = streams()
    for seed in range(6):
        torch.manual_seed(seed)
        head = VARIANTS[0].build(dict.fromkeys(s, 8)).double().eval()
        with torch.no_grad():
            head.label.weight.mul_(20)
            _, logits, boxes = head.found(s)[-1]
            found = head.predict(s, GIVEN)
        assert (found["box_labels"][0, :, :] >= 0).any() or seed
        assert (found["box_labels"][1, 1] == -1).all() and (found["box_labels"][2] == -1).all()
        said = found["box_labels"] >= 0
        assert not found["box_scores"][~said].any() and (found["box_of"][~said] == -1).all()
        assert torch.equal(found["boxes"][said], boxes[said])
        assert (found["box_of"][1] == -1).all()  # its text is not there
        p = logits.softmax(-1) / torch.tensor([1.0, 1.0, 0.3])  # the weight of empty slots is undone
        p = p / p.sum(-1, keepdim=True)
        assert torch.equal(found["box_labels"][said], p.argmax(-1)[said])
        torch.testing.assert_close(found["box_scores"][said], p.amax(-1)[said])
    plain = VARIANTS[0].build(dict.fromkeys(s, 8)).double().eval()
    assert (plain.predict(s, {})["box_of"] == -1).all()  # nobody asked about a chain
    tags = torch.tensor([[1, 2, 0, 1]] * 3)
    assert plain.predict(s, {"tags": tags})["spans"].shape == (3, 2, 2)


def test_gold_of_more_or_fewer_frames_than_there_are():
    x = torch.arange(6).view(1, 3, 2)
    assert within(x, 2).tolist() == [[[0, 1], [2, 3]]]
    assert within(x, 4).tolist() == [[[0, 1], [2, 3], [4, 5], [-1, -1]]]


def test_a_constructed_frame_of_thousands_of_positions_makes_no_others_larger():
    s = streams()
    long = torch.zeros(3, 3000, 8, dtype=torch.float64)
    mask = torch.zeros(3, 3000, dtype=torch.bool)
    mask[:, :10], mask[2] = s["vision"].mask, True
    long[:, :10] = s["vision"].tokens
    groups = torch.nn.functional.pad(s["vision"].groups, (0, 2990))
    head = VARIANTS[0].build(dict.fromkeys(s, 8)).double().eval()
    longer = {**s, "vision": Stream(long, mask, groups, s["vision"].present)}
    a, b = head.predict(s, GIVEN), head.predict(longer, GIVEN)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_heads_that_do_not_divide_the_width_say_so():
    with pytest.raises(RecipeError, match="heads"):
        check_part(Regions(labels=("A",), width=9, heads=2))


def test_boxes_a_bright_patch_and_names_the_chain_of_its_colour():
    """4 x 4 patches, one of them in a colour; two chains, one of the same colour. New frames and colours."""
    torch.manual_seed(0)
    n, f, d = 16, 3, 16
    config = Regions(labels=("A", "B"), num_slots=2, width=32, heads=2, layers=1, dropout=0.0)
    head = config.build(dict.fromkeys(("frames", "vision", "fused"), d))
    marks = torch.randn(2, d)
    optimizer = torch.optim.Adam(head.parameters(), 5e-3)

    def batch():
        where, kind, of = torch.randint(16, (n, f)), torch.randint(2, (n, f)), torch.randint(2, (n, f))
        chains = torch.nn.functional.one_hot(torch.stack([torch.randperm(8)[:2] for _ in range(n)]), d).float() * 4
        patches = torch.zeros(n, f, 16, d)
        bright = marks[kind] + chains.gather(1, of[..., None].expand(-1, -1, d))
        patches.scatter_(2, where[..., None, None].expand(-1, -1, 1, d), bright[:, :, None])
        boxes = torch.stack([where % 4 + 0.5, where // 4 + 0.5, *[torch.ones_like(where)] * 2], -1)[:, :, None] / 4
        groups = (torch.arange(f * 16) // 16).expand(n, -1)
        s = {
            "vision": Stream(patches.flatten(1, 2), torch.ones(n, f * 16, dtype=torch.bool), groups),
            "frames": Stream(patches.mean(2), torch.ones(n, f, dtype=torch.bool)),
            "fused": Stream(chains, torch.ones(n, 2, dtype=torch.bool)),
        }
        spans = torch.arange(2)[:, None].expand(n, 2, 2)
        given = {"spans": spans, "spans_mask": torch.ones(n, 2, dtype=torch.bool), "chain_of": spans[..., 0]}
        return s, given, {"boxes": boxes, "box_labels": kind[..., None], "box_of": of[..., None]}

    for _ in range(150):
        optimizer.zero_grad()
        head.loss(*batch()).backward()
        optimizer.step()
    s, given, t = batch()
    with torch.no_grad():
        found = head.eval().predict(s, given)
    hit = (box_iou_giou(found["boxes"], t["boxes"])[0] > 0.5) & (found["box_labels"] == t["box_labels"])
    assert hit.any(2).float().mean() > 0.95
    assert (found["box_labels"] >= 0).sum() < 1.05 * n * f  # and little else
    assert (found["box_of"] == t["box_of"])[hit].float().mean() > 0.95


@pytest.mark.parametrize("config", VARIANTS, ids=["patches", "no links", "paper", "as released"])
def test_half_precision_is_near(config):
    s = {r: Stream(x.tokens.float(), x.mask, x.groups, x.present) for r, x in streams().items()}
    t = {k: v.float() if v.is_floating_point() else v for k, v in gold().items()}
    head = config.build(dict.fromkeys(s, 8)).eval()
    want = head.loss(s, GIVEN, t)
    with torch.autocast("cpu", torch.bfloat16):
        loss = head.loss(s, GIVEN, t)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, want, rtol=0.05, atol=0.02)


def test_the_code_of_a_point_has_no_steps():
    """What rounding does to a point, which differs from batch to batch, moves nothing, on borders of cells neither."""
    torch.manual_seed(0)
    slots = PatchSlots(Regions(labels=("A",), width=32), 16, 16)
    border = torch.arange(1, POSITION_STEPS, 7)[None, :, None].expand(1, -1, 2) / POSITION_STEPS
    with torch.no_grad():
        before, at, behind = (slots._position_code(border + shift) for shift in (-2e-7, 0.0, 2e-7))
        next_cell = slots._position_code(border + 1 / POSITION_STEPS)
    moved = max((at - before).abs().max(), (behind - before).abs().max())
    assert moved < 1e-3 < 0.1 * (next_cell - at).abs().max()


def test_codes_of_whole_numbers_are_the_table():
    table = sinusoidal_positions(50, 9, torch.device("cpu"))
    torch.testing.assert_close(sinusoidal_code(torch.arange(50).view(5, 10).float(), 9), table.view(5, 10, 9))
    half = sinusoidal_code(torch.tensor([2.5]), 2)
    torch.testing.assert_close(half, torch.tensor([[math.sin(2.5), math.cos(2.5)]]))
