"""The Prompt Format Adapter: the paper's format to the letter, round trips, and any string at all."""

from __future__ import annotations

import random
import time

import pytest
from PIL import Image as Picture

from openmie import diorama
from openmie.corpora import load
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import ImageError, OpenMIEError
from openmie.metrics.patches import letter, mentions_by_patch, patches
from openmie.vlm import pfa
from tests.fixtures import adversarial_inputs as nasty

LABELS = {"PER": "a person", "LOC": "a place", "ORG": "an organisation", "MISC": "a mascot"}


def post(text: str, names: list[tuple[str, str]], shows: dict[int, int] | None = None, summary: str = "") -> Document:
    """A post with (label, name) in order of their places, four patches, and patch -> the mention that it shows."""
    at, mentions = 0, []
    for n, (label, name) in enumerate(names):
        start = text.index(name, at)
        at = start + len(name)
        mentions.append(Mention(id=f"m{n}", start=start, end=at, label=label))
    boxes = [(20.0 * n, 0.0, 20.0 * n + 16, 30.0) for n in range(4)]
    images = [Image(id="main"), *(Image(kind="patch", id=f"p{n}", parent="main", box=b) for n, b in enumerate(boxes))]
    regions = [Region(image="main", box=boxes[p], label=names[m][0], of=f"m{m}") for p, m in (shows or {}).items()]
    return Document(id="d", text=text, mentions=mentions, images=images, regions=regions, summary=summary)


ADA = post("Ada Lovelace spoke in Turin", [("PER", "Ada Lovelace"), ("LOC", "Turin")], {1: 0, 3: 1}, "A woman talks.")
ANSWER = """Task 1 Answer: A woman talks.
Task 2 Answer: NER: :PER;Ada Lovelace:LOC;Turin
image-entity pair: {'b': 'Ada Lovelace', 'd': 'Turin'}"""


def test_the_papers_format_to_the_letter():
    assert pfa.render(ADA, LABELS) == pfa.render(ADA, list(LABELS)) == ANSWER
    assert pfa.render(ADA, LABELS, ("summary",)) == "Task 1 Answer: A woman talks."
    assert pfa.render(ADA, LABELS, ("ner",)) == ANSWER.split("\n", 1)[1]
    assert pfa.render(ADA, LABELS, plain=True) == (
        "A woman talks.\n:PER;Ada Lovelace:LOC;Turin\n{'b': 'Ada Lovelace', 'd': 'Turin'}"
    )
    empty = Document(id="e", text="nothing here")
    assert pfa.render(empty, LABELS) == "Task 1 Answer:\nTask 2 Answer: NER:\nimage-entity pair: {}"


def test_what_is_read_is_what_was_written():
    assert pfa.parse(ANSWER, LABELS, ADA) == ADA
    bare = pfa.parse(ANSWER, LABELS)
    assert [(m.label, m.text, m.status) for m in bare.mentions] == [
        ("PER", "Ada Lovelace", "unlocated"), ("LOC", "Turin", "unlocated")]  # fmt: skip
    assert [(r.image, r.of, r.label) for r in bare.regions] == [("b", "m0", "PER"), ("d", "m1", "LOC")]
    assert (
        pfa.render(bare.replace(mentions=[m.model_copy(update={"status": "unlocated"}) for m in bare.mentions]), LABELS)
        == ANSWER
    )


PLAIN = ["7:30", "https://t.co/a;b", ":)", "a:b;c", "O'Neil", '"Zed"', "it's \"so\"", "PER;", ":PER", "{x}", "é",
         "北京", "a, 'b': c", "NER:", "Task 2 Answer:", "image-entity pair: {}", "C:\\new", "\\u{zz}",
         "```"]  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_odd_names_stand_as_they_are(name):
    """No escape where the plain format is read rightly, and the round trip is whole."""
    document = post(f"x {name} y Bo", [("PER", name), ("LOC", "Bo")], {0: 0, 1: 1}, f"Here is {name}")
    answer = pfa.render(document, LABELS)
    assert f"NER: :PER;{name}:LOC;Bo\n" in answer and f"Task 1 Answer: Here is {name}\n" in answer
    assert pfa.parse(answer, LABELS, document) == document


READ = {  # how models write it -> what is meant; all of ADA
    "spelling of Algorithm 1": ANSWER.replace("image-entity pair:", "image entities pair:"),
    "more spellings": ANSWER.replace("image-entity pair:", "Image-Entity Pairs:"),
    "no blank": ANSWER.replace("NER: :", "NER::").replace("Answer: A", "Answer:A"),
    "one line": ANSWER.replace("\n", " "),
    "blank lines": "\n\n" + ANSWER.replace("\n", "\n\n").replace("NER: ", "\nNER:\n") + "\n\n",
    "a line each": ANSWER.replace(":LOC;", "\n:LOC;"),
    "blanks": ANSWER.replace(":PER;", ": PER ; ").replace(":LOC;", " :LOC; "),
    "bold": ANSWER.replace("Task 1 Answer:", "**Task 1 Answer:**").replace("Task 2 Answer:", "## **Task 2 Answer**:"),
    "fence": "```\n" + ANSWER + "\n```",
    "fenced dict": ANSWER.replace("{", "\n```python\n{") + "\n```",
    "JSON": ANSWER.replace("'", '"'),
    "carriage returns": ANSWER.replace("\n", "\r\n"),
    "trailing comma": ANSWER.replace("'}", "', }"),
}


@pytest.mark.parametrize("how", READ)
def test_harmless_variants_parse_cleanly(how):
    assert pfa.parse(READ[how], LABELS, ADA) == ADA


MENDED = {  # read all the same, and said
    "no first header": ANSWER.replace("Task 1 Answer: ", ""),
    "no second header": ANSWER.replace("Task 2 Answer: ", ""),
    "no NER header": ANSWER.replace("NER: ", ""),
    "no pair header": ANSWER.replace("image-entity pair: ", ""),
    "no headers": pfa.render(ADA, LABELS, plain=True),
    "repeated": ANSWER + "\n" + ANSWER,
    "the other order": "\n".join([*ANSWER.split("\n")[1:], ANSWER.split("\n")[0]]),
    "chatty": "Sure! Here you are.\n" + ANSWER + "\n\nI hope this helps.",
    "lower case": ANSWER.replace(":PER;", ":per;"),
    "full width": ANSWER.replace(":PER;", "：PER；"),
    "no brace": ANSWER[:-1],
    "no quotes": ANSWER.replace("'", ""),
    "one quote": ANSWER.replace("'Turin'", "'Turin"),
    "curly quotes": ANSWER.replace("'Turin'", "‘Turin’"),
    "cut in the last name": ANSWER[:-2],
    "junk behind a name": ANSWER.replace(";Turin\n", ";Turin\nand more\n"),
}


@pytest.mark.parametrize("how", MENDED)
def test_broken_answers_are_read_and_said(how):
    found = pfa.parse(MENDED[how], LABELS, ADA)
    assert not pfa.parsed_cleanly(found)
    assert found.replace(errors=()) == ADA
    assert all(e.where == "document d, PFA answer" and e.expected and e.remedy for e in found.errors)


@pytest.mark.parametrize("at", range(len(ANSWER)))
def test_cut_off_anywhere(at):
    """Nothing is invented: names are prefixes of the answer's, letters are its own, and the cut is said."""
    found = pfa.parse(ANSWER[:at], LABELS, ADA)
    assert not pfa.parsed_cleanly(found)
    assert all(any(m.text and w.startswith(m.text) for w in ("Ada Lovelace", "Turin")) for m in found.mentions)
    assert set(found.regions) <= set(ADA.regions) and ADA.summary.startswith(found.summary[:1])


def test_apostrophes_without_escapes_in_the_dict():
    document = post("O'Neil and D'Arcy's", [("PER", "O'Neil"), ("PER", "D'Arcy's")], {0: 0, 2: 1})
    answer = "Task 2 Answer: NER: :PER;O'Neil:PER;D'Arcy's\nimage-entity pair: {'a': 'O'Neil', 'c': 'D'Arcy's'}"
    assert pfa.parse(answer, LABELS, document).regions == document.regions


def test_a_label_that_nobody_asked_for_is_no_label():
    answer = "Task 1 Answer:\nTask 2 Answer: NER: :PER;Ada Lovelace:CITY;Turin\nimage-entity pair: {}"
    found = pfa.parse(answer, LABELS, ADA)
    assert [(m.label, m.text, m.status) for m in found.mentions] == [("PER", "Ada Lovelace", "located")]
    assert "CITY" in found.errors[0].found and not pfa.parsed_cleanly(found)
    bare = pfa.parse(answer, LABELS)  # without the text it may be part of the name
    assert [m.text for m in bare.mentions] == ["Ada Lovelace:CITY;Turin"]
    assert pfa.parse("Task 2 Answer: NER: :CITY;Turin\nimage-entity pair: {}", LABELS, ADA, ("ner",)).mentions == ()


def test_a_name_that_holds_a_separator_is_coded_or_said():
    document = post("so x:PER;y it is", [("LOC", "x:PER;y")], {0: 0})
    answer = pfa.render(document, LABELS)
    assert ":LOC;x\\u{3a}PER\\u{3b}y\n" in answer and pfa.parse(answer, LABELS, document) == document
    raw = "Task 1 Answer:\nTask 2 Answer: NER: :LOC;x:PER;y\nimage-entity pair: {}"
    assert not pfa.parsed_cleanly(pfa.parse(raw, LABELS, document))


def test_names_are_found_in_order_and_no_place_twice():
    text = "Canada: Ada, Ada and New York, York"
    for names, want in (
        ([("PER", "Ada")], [(8, 11)]),
        ([("PER", "Ada"), ("ORG", "Ada"), ("PER", "Ada")], [(8, 11), (13, 16), None]),
        ([("LOC", "New York"), ("LOC", "York")], [(21, 29), (31, 35)]),
        ([("LOC", "York")], [(25, 29)]),
        ([("LOC", "nada")], [(2, 6)]),
        ([("LOC", "New\n York")], [(21, 29)]),
        ([("LOC", "Rome")], [None]),
    ):
        answer = "".join(f":{label};{name}" for label, name in names)
        found = pfa.parse(
            f"Task 2 Answer: NER: {answer}\nimage-entity pair: {{}}", LABELS, Document(id="d", text=text), ("ner",)
        )
        if "\n" not in answer:
            assert [(m.start, m.end) if m.status == "located" else None for m in found.mentions] == want
        assert all(m.text in text for m in found.mentions if m.status == "located")


def test_which_occurrence_is_meant_can_be_said():
    text = "Ada met Ada"
    second = Document(id="d", text=text, mentions=[Mention(id="m0", start=8, end=11, label="PER")])
    assert ":PER;Ada\\#2\n" in pfa.render(second, LABELS)
    twice = second.replace(
        mentions=[Mention(id="m0", start=0, end=3, label="PER"), Mention(id="m1", start=0, end=3, label="ORG")]
    )
    nowhere = second.replace(mentions=[Mention(id="m0", start=0, end=0, label="PER", text="Ada", status="unlocated")])
    for document in (second, twice, nowhere):
        assert pfa.parse(pfa.render(document, LABELS), LABELS, document) == document


def test_one_patch_of_several_names_and_one_name_on_several_patches():
    names = [("PER", "Ada"), ("LOC", "Turin"), ("PER", "Ada")]
    both = post("Ada in Turin with Ada", names, {})
    box = [p.box for p in patches(both)]

    def on(*pairs):
        return both.replace(regions=[Region(image="main", box=box[p], label=names[m][0], of=f"m{m}") for p, m in pairs])

    for document, want in (
        (on((0, 0), (0, 2)), "{'a': 'Ada'}"),  # the name, for all that are called so
        (on((0, 2)), "{'a': 3}"),  # the third entity alone
        (on((0, 0), (0, 1), (0, 2)), "{'a': ['Ada', 'Turin']}"),
        (on((0, 1), (2, 1)), "{'a': 'Turin', 'c': 'Turin'}"),
        (on((3, 0), (3, 1)), "{'d': [1, 'Turin']}"),
    ):
        answer = pfa.render(document, LABELS)
        back = pfa.parse(answer, LABELS, document)
        assert answer.endswith(f"image-entity pair: {want}") and set(back.regions) == set(document.regions)
        assert back.replace(regions=()) == document.replace(regions=())


def test_pairs_that_lead_nowhere_are_said_and_left_out():
    answer = ANSWER.replace("'d': 'Turin'", "'z': 'Turin', 'a': 'Rome', 'c': 9")
    found = pfa.parse(answer, LABELS, ADA)
    assert found.regions == ADA.regions[:1] and pfa.parsed_cleanly(found)
    assert [e.found for e in found.errors] == ["pair 'z': 'Turin'", "pair 'a': 'Rome'", "pair 'c': 9"]
    loose = pfa.parse(ANSWER.replace("{'b': 'Ada Lovelace'", "{'B': 'ada  lovelace'"), LABELS, ADA)
    assert loose.regions == ADA.regions


def test_a_patch_is_known_by_itself_its_box_or_its_overlap():
    images = [Image(id="main"), Image(kind="patch", id="p0", box=(0, 0, 10, 10)),
              Image(kind="object", id="o", parent="main", box=(50, 0, 60, 10)), Image(kind="generated", id="g"),
              Image(kind="patch", id="dream", parent="g", box=(0, 0, 10, 10)),
              Image(kind="patch", id="file", path="crop.png", width=7, height=5)]  # fmt: skip
    regions = [
        Region(image="main", box=(1, 0, 10, 10), of="m"),
        Region(image="o", box=(0, 0, 3, 3), of="m"),
        Region(image="file", box=(0, 0, 7, 5), of="m"),
        Region(image="main", box=(0, 0, 90, 90), of="m"),
        Region(image="dream", box=(0, 0, 10, 10), of="m"),
        Region(image="main", box=(0, 0, 10, 10)),
    ]
    document = Document(
        id="d", text="Ada", images=images, regions=regions, mentions=[Mention(id="m", start=0, end=3, label="PER")]
    )
    assert [p.id for p in patches(document)] == ["p0", "o", "file"]
    assert mentions_by_patch(document) == {"a": [0], "b": [0], "c": [0]}
    back = pfa.parse(pfa.render(document, LABELS), LABELS, document)
    assert [(r.image, r.box) for r in back.regions] == [
        ("main", (0, 0, 10, 10)), ("main", (50, 0, 60, 10)), ("file", (0, 0, 7, 5))]  # fmt: skip
    assert [letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["a", "z", "aa", "az", "ba", "zz", "aaa"]


def test_diorama_both_ways():
    """Every post of two hundred, all tasks and both variants; in the answers nothing is coded."""
    for document in diorama.generate(diorama.Config(seed=5), "train", 200):
        for tasks in (pfa.TASKS, ("summary",), ("ner",)):
            for plain in (False, True):
                answer = pfa.render(document, LABELS, tasks, plain=plain)
                back = pfa.parse(answer, LABELS, document.without_gold(), tasks, plain=plain)
                assert "\\" not in answer and not back.errors
                assert back.mentions == (document.mentions if "ner" in tasks else ())
                assert back.summary == (document.summary if "summary" in tasks else "")
                assert mentions_by_patch(back) == (mentions_by_patch(document) if "ner" in tasks else {})


def check(document: Document, labels: tuple[str, ...], plain: bool) -> None:
    """All round trips of one document."""
    answer = pfa.render(document, labels, plain=plain)
    back = pfa.parse(answer, labels, document.without_gold(), plain=plain)
    assert nasty.said(back) == nasty.said(document) and not back.errors, answer
    assert mentions_by_patch(back) == mentions_by_patch(document), answer
    bare = pfa.parse(answer, labels, plain=plain)
    assert [(m.label, m.text) for m in bare.mentions] == [(m.label, m.text) for m in document.mentions], answer
    assert (
        bare.summary == document.summary and mentions_by_patch(bare) == mentions_by_patch(document) and not bare.errors
    ), answer


def test_random_round_trips():
    """A tenth of what benchmarks/pfa_roundtrip.py does."""
    for seed in range(1000):
        rng = random.Random(seed)
        labels = rng.choice(nasty.LABELS)
        check(nasty.document(rng, labels), labels, rng.random() < 0.3)


@pytest.mark.parametrize("number", range(200))
def test_adversarial_round_trips(number):
    """Fifty hostile names: as the only one, beside others, in the summary, and with each set of labels."""
    name, way = nasty.HOSTILE[number // 4], number % 4
    labels = (("PER", "LOC", "ORG"), nasty.LABELS[number % len(nasty.LABELS)])[way == 3]
    first, last = labels[0], labels[-1]
    text = (name, f"Bo {name}{name} Bo", f"Bo {name}", f"a{name}b")[way]
    spans = {0: [(0, len(name))], 1: [(0, 2), (3, 3 + len(name)), (3 + len(name), 3 + 2 * len(name))], 2: [(0, 2)],
             3: [(1, 1 + len(name)), (0, len(text))]}[way]  # fmt: skip
    mentions = [Mention(id=f"m{n}", start=a, end=b, label=(first, last)[n % 2]) for n, (a, b) in enumerate(spans)]
    base = post("", [])
    regions = [Region(image="main", box=p.box, of=m.id) for p, m in zip(patches(base), reversed(mentions))]
    document = base.replace(text=text, mentions=mentions, regions=regions, summary=name if way > 1 else "")
    for plain in (False, True):
        check(document, labels, plain)


def test_no_string_makes_it_raise():
    """A tenth of what benchmarks/pfa_roundtrip.py does."""
    for seed in range(10_000):
        rng = random.Random(-seed)
        labels = rng.choice(nasty.LABELS)
        source = ADA if seed % 3 == 0 else None
        found = pfa.parse(nasty.answer(rng), labels, source, plain=seed % 5 == 0)
        assert {m.label for m in found.mentions} <= set(labels)
        assert all(found.text[m.start : m.end] == m.text for m in found.mentions if m.status == "located")


LONG = [":PER;", "{", "'a': ", "Task 1 Answer:", " ", "\n", "`", ":PER;a\n", "{'a': 'b', ", "\\", "```\n", "'"]


@pytest.mark.parametrize("piece", LONG)
def test_long_answers_take_no_long_time(piece):
    start = time.process_time()
    for before in ("", "Task 1 Answer:\nTask 2 Answer: NER: ", "Task 2 Answer: NER:\nimage-entity pair: {'"):
        pfa.parse(before + piece * (40_000 // len(piece)), LABELS, ADA)
    assert time.process_time() - start < 5


def test_refusals():
    with pytest.raises(OpenMIEError, match="LOC"):
        pfa.render(ADA, ["PER"])
    assert pfa.render(ADA, ["PER"], ("summary",)) == "Task 1 Answer: A woman talks."
    for labels in ("PER", ["PER", "PER"], [1]):
        with pytest.raises(OpenMIEError, match="labels"):
            pfa.parse("", labels)
    for tasks in ((), ("NER",), "ner"):
        with pytest.raises(OpenMIEError, match="tasks"):
            pfa.parse("", LABELS, tasks=tasks)


def test_the_prompt_shows_main_image_and_patches(tmp_path):
    Picture.new("RGB", (80, 30), "white").save(tmp_path / "a.png")
    document = ADA.replace(images=[Image(id="main", path=str(tmp_path / "a.png")), *ADA.images[1:]])
    request = pfa.prompt(document, LABELS)
    assert [p.size for p in request.images] == [(80, 30), *[(16, 30)] * 3, (16, 30)]
    said = request.prompt
    assert "two tasks" in said and "a, b, c, d" in said and "PER (a person)" in said and said.endswith(document.text)
    assert said.index("Task 1:") < said.index("Task 2:") and ":label;entity" in said and "{'a': 'entity'}" in said
    assert "Task 2" not in pfa.prompt(document, LABELS, ("summary",)).prompt
    assert "Task 1" not in pfa.prompt(document, ["PER"], ("ner",)).prompt
    alone = pfa.prompt(document, LABELS, patches=False)
    assert len(alone.images) == 1 and "patches of it" not in alone.prompt
    bare = pfa.prompt(document, LABELS, plain=True)
    assert bare.prompt == document.text and len(bare.images) == 5
    text = pfa.prompt(Document(id="d", text="Ada"), LABELS)
    assert text.images == () and "image is" not in text.prompt
    with pytest.raises(ImageError):
        pfa.prompt(ADA, LABELS)


def test_what_a_source_knew_stays():
    known = ADA.replace(source={"line": 3}, captions={"x": "y"}, summary="old")
    found = pfa.parse(ANSWER, LABELS, known)
    assert (found.id, found.source, found.captions, found.images) == ("d", {"line": 3}, {"x": "y"}, ADA.images)
    assert found.summary == "A woman talks."
    broken = pfa.parse("nothing", LABELS, known)
    assert not pfa.parsed_cleanly(broken) and pfa.parsed_cleanly(pfa.parse(ANSWER, LABELS, broken))


@pytest.mark.real
def test_gmner_with_its_own_boxes_as_patches(corpora):
    """Every tweet of the test split, its gold boxes as patches as in M-MRE; few answers need a code."""
    labels, coded = ("PER", "LOC", "ORG", "OTHER"), 0
    documents = list(load(f"gmner:{corpora}/gmner").split("test"))
    for document in documents:
        boxes = list(dict.fromkeys(r.box for r in document.regions))
        cut = [Image(kind="patch", id=f"p{n}", parent=document.images[0].id, box=b) for n, b in enumerate(boxes)]
        regions = [r for r in document.regions if r.of]
        document = document.replace(images=(document.images[0].model_copy(update={"kind": "main"}), *cut),
                                    regions=regions, errors=())  # fmt: skip
        answer = pfa.render(document, labels)
        back = pfa.parse(answer, labels, document.without_gold())
        assert nasty.said(back) == nasty.said(document) and set(back.regions) == set(regions) and not back.errors
        coded += "\\" in answer
    assert len(documents) == 1500 and coded < 5
