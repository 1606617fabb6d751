"""M-MRE: which documents, patches, summary and split; and the summaries of Diorama with their ceiling."""

from __future__ import annotations

from collections import Counter

import pytest

from openmie import corpora, diorama
from openmie.data.corpus import Corpus
from openmie.data.document import Document, Image, Mention, Region
from openmie.datasets import mmre
from openmie.diorama.posts import summaries
from openmie.diorama.posts.captions import NOUNS
from openmie.errors import CorpusError
from openmie.metrics.patches import mentions_by_patch

TEXT = "Ada met Bo in Turin"


def post(n=0, boxes=((60, 0, 90, 50), (5, 5, 40, 90)), captions=None, objects=()):
    mentions = (
        Mention(id="m0", start=0, end=3, label="PER"),
        Mention(id="m1", start=8, end=10, label="PER"),
        Mention(id="m2", start=14, end=19, label="LOC"),
    )
    regions = tuple(Region(image="main", box=box, of=f"m{i}", label="PER") for i, box in enumerate(boxes))
    main = Image(id="main", path="a.jpg", width=100, height=100)
    others = tuple(Image(kind="object", id=f"o{i}", parent="main", box=box) for i, box in enumerate(objects))
    return Document(
        id=f"d{n}",
        text=TEXT,
        mentions=mentions,
        regions=regions,
        images=(main, *others),
        captions={"a": "Two people talk."} if captions is None else captions,
    )


def corpus_of(n, **given):
    parts = {"train": range(n // 2), "dev": range(n // 2, n * 3 // 4), "test": range(n * 3 // 4, n)}
    return Corpus("made", {s: lambda r=r: (post(i, **given) for i in r) for s, r in parts.items()})


def test_patches_stand_from_left_to_right_and_are_tied():
    found = mmre.with_patches_and_summary(post())
    assert [i.box for i in found.images[1:]] == [(5, 5, 40, 90), (60, 0, 90, 50)]
    assert mentions_by_patch(found) == {"a": [1], "b": [0]}  # the left one shows the second name
    assert found.summary == "Two people talk." and found.without_gold().summary == ""


def test_one_patch_for_equal_boxes_and_distractors_only_where_nothing_is():
    found = mmre.with_patches_and_summary(
        post(boxes=((5, 5, 40, 90), (5, 5, 40, 90)), objects=((6, 6, 41, 91), (70, 70, 90, 90)))
    )
    assert [i.box for i in found.images[1:]] == [(5, 5, 40, 90), (70, 70, 90, 90)]
    assert mentions_by_patch(found) == {"a": [0, 1]}


def test_a_distractor_overlaps_none_of_several_boxes():
    found = mmre.with_patches_and_summary(post(objects=((6, 6, 41, 91), (61, 1, 90, 50), (70, 70, 90, 90))))
    assert [i.box for i in found.images[1:]] == [(5, 5, 40, 90), (60, 0, 90, 50), (70, 70, 90, 90)]


def test_a_blank_caption_is_none():
    assert mmre.with_patches_and_summary(post(captions={"a": " \n", "b": "Two."})).summary == "Two."


def test_summary_by_generator_and_what_lacks_one():
    two = {"a": "One.", "b": "Two."}
    assert mmre.with_patches_and_summary(post(captions=two), "b").summary == "Two."
    for captions, name in ((two, ""), (two, "c"), ({}, "")):
        found = mmre.with_patches_and_summary(post(captions=captions), name)
        assert found.summary == "" and "summary" in found.errors[-1].where
    assert "['a', 'b']" in mmre.with_patches_and_summary(post(captions=two), "c").errors[-1].expected


def test_only_groundable_documents():
    assert mmre.groundable(post())
    assert not mmre.groundable(post(boxes=()))
    untied = [r.model_copy(update={"of": ""}) for r in post().regions]
    assert not mmre.groundable(post().replace(regions=untied))
    assert not mmre.groundable(post().replace(images=(), regions=()))
    with pytest.raises(CorpusError, match="no main image"):
        mmre.with_patches_and_summary(post().replace(images=(), regions=()))


@pytest.mark.parametrize("n", [10, 79, 200])
def test_split_is_seven_to_three_by_seed(n):
    where = mmre.draw_splits(corpus_of(n), 0, 0.1)
    count = Counter(where.values())
    train = int(0.7 * n)
    assert count == Counter({"train": train - int(0.1 * train), "dev": int(0.1 * train), "test": n - train}) - Counter()
    assert where == mmre.draw_splits(corpus_of(n), 0, 0.1) != mmre.draw_splits(corpus_of(n), 1, 0.1)
    test = {id for id, part in where.items() if part == "test"}
    assert test == {
        id for id, part in mmre.draw_splits(corpus_of(n), 0, 0.0).items() if part == "test"
    }  # dev comes of train


def test_paper_sizes_follow_from_the_rule():
    train = int(mmre.TRAIN * mmre.PUBLISHED["documents"])
    assert (train, mmre.PUBLISHED["documents"] - train) == (mmre.PUBLISHED["train"], mmre.PUBLISHED["test"])


def test_corpus_splits_every_document_once_or_keeps_the_own_ones():
    drawn = mmre.build_mmre(corpus_of(40), seed=3)
    ids = [d.id for s in drawn.sources for d in drawn.split(s)]
    assert sorted(ids) == sorted(f"d{i}" for i in range(40))
    own = mmre.build_mmre(corpus_of(40), split=False)
    assert [d.id for d in own.test] == [f"d{i}" for i in range(30, 40)]
    assert "dev" not in mmre.build_mmre(corpus_of(40), dev=0.0).sources
    with pytest.raises(CorpusError, match="dev=1"):
        mmre.build_mmre(corpus_of(4), dev=1)
    twice = Corpus("made", {s: lambda: iter([post()]) for s in ("train", "test")})
    with pytest.raises(CorpusError, match="two splits"):
        mmre.draw_splits(twice, 0, 0.1)


# -- Diorama


def test_diorama_says_what_is_seen_and_whom():
    config = diorama.Config(seed=5, two_names=0.5)
    for document in diorama.generate(config, "train", 60, pixels=False):
        found = summaries.with_image_summary(document)
        caption, *told = found.summary.removesuffix(" .").split(" . ")
        assert caption == document.captions["true"]
        of = {r.of for r in document.regions}
        assert [t.split(" is the ")[0] for t in told] == [m.text for m in document.mentions if m.id in of]
        nouns = {f"the {n.partition(' ')[2]}" for n in NOUNS.values()} | {"the child", "the small copy"}
        assert all("the " + t.split(" is the ")[1] in nouns for t in told)
        assert {(i.kind, i.parent) for i in found.images} == {("main", ""), ("patch", "main")}
        assert (found.mentions, found.regions) == (document.mentions, document.regions)
        assert not found.without_gold().summary and not found.without_gold().source


def test_diorama_of_posts_without_images_is_refused():
    bare = next(diorama.generate(diorama.Config(missing_image=1), "train", 1, pixels=False))
    with pytest.raises(CorpusError, match="no scene"):
        summaries.with_image_summary(bare)
    assert not list(mmre.build_mmre(diorama.corpus(diorama.Config(missing_image=1), 3, 1, 1)).train)


@pytest.mark.parametrize("dials", [{"two_names": 1.0}, {"unrelated": 0.6, "clutter": 0.0}])
def test_ceiling_of_summaries_is_what_the_likeliest_answer_reaches(dials):
    """Oracle: over many posts, group by all that may be known, answer each group's likeliest, and count."""
    config = diorama.Config(seed=2, translation=False, patches=4, **dials)  # without what a summary does not read
    groups: dict[tuple, Counter] = {}
    n = 3000
    for post_ in diorama.generate(config, "train", n, pixels=False):
        source, flags = post_.source, ()
        scene = source["scene"]
        if source["cue"] == "colour":
            first = scene["flags"].index(_first_flag(post_)) if _first_flag(post_) in scene["flags"] else -1
            flags = (len(scene["figures"]) == 2 and first,)
        clear = not source["ambiguous"][0]
        said = (tuple(source["types"]), source["relation"], source["head"]) if clear else clear
        left = source["left"] if source["cue"] == "position" else None
        figures = tuple((f["type"], f["young"]) for f in scene["figures"])
        key = (source["names"], said, source["cue"], left, figures, scene["sign"], flags)
        answer = source["left"] if not source["unrelated"] else None
        groups.setdefault(key, Counter())[answer] += 1
    reached = 100 * sum(c.most_common(1)[0][1] for c in groups.values()) / n
    assert summaries.summary_ceiling(config) == pytest.approx(reached, abs=2.5)


def _first_flag(document):
    return next((w for w in document.word_texts() if w in ("red", "blue", "green", "yellow")), "")


def test_ceiling_has_known_ends():
    assert summaries.summary_ceiling(diorama.Config(unrelated=0.0, two_names=0.0)) == pytest.approx(100)
    assert summaries.summary_ceiling(diorama.Config(unrelated=1.0)) == pytest.approx(100)
    unsaid = diorama.Config(unrelated=0.0, two_names=1.0, cue=0.0, in_order=0.5, ambiguous=1.0)
    assert 50 < summaries.summary_ceiling(unsaid) < 100
    with pytest.raises(CorpusError, match="no post with an image"):
        summaries.summary_ceiling(diorama.Config(missing_image=1.0))


# -- the real files


@pytest.mark.slow
@pytest.mark.real
def test_gmner_has_5612_tweets_to_ground(request):
    source = corpora.load(f"gmner:{request.getfixturevalue('corpora')}/gmner")
    where = mmre.draw_splits(source, 0, 0.0)
    assert len(where) == 5612
    assert Counter(where.values()) == {"train": 3928, "test": 1684}
    made = mmre.build_mmre(source, split=False)
    patches = pairs = 0
    for name in made.sources:
        for document in made.split(name):
            found = mentions_by_patch(document)
            patches += len(document.images) - 1
            pairs += len(found)
            assert len(found) == len(document.images) - 1  # each patch shows at least one name
    assert 8000 < patches <= 8058 and patches == pairs


def test_a_generator_that_wrote_nothing_is_an_error_where_the_corpus_writes_its_summaries():
    with pytest.raises(CorpusError, match="unknown generator of captions 'WRONG'"):
        mmre.build_mmre(corpora.load("diorama:patches=4,train=4,dev=2,test=2"), summary="WRONG")
