"""Which classes of objects can show an entity of which type: PER is shown by a person, LOC by nothing that COCO names.

A label fits the classes that its name or the first words of its description name ("a person", "an animal of a zoo"), by
class or by a word for several classes. A label that names none fits none, unless a function of similarity is passed
(`class_similarity`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from openmie.base.objects import CLASSES

Fits = Mapping[str, Mapping[str, float]]  # label -> class -> how well it fits, in (0, 1]
Similarity = Callable[[Sequence[str], Sequence[str]], npt.ArrayLike]

ANIMALS = CLASSES[14:24]
VEHICLES = CLASSES[1:9]
DEVICES = ("tv", "laptop", "mouse", "remote", "keyboard", "cell phone")
FOOD = CLASSES[46:56]
DRINKS = ("bottle", "wine glass", "cup")
FURNITURE = ("bench", "chair", "couch", "bed", "dining table")
PERSON_WORDS = (
    *("per", "pers", "person", "persons", "people", "human", "man", "woman", "child", "boy", "girl", "individual"),
    *("politician", "scientist", "researcher", "writer", "author", "poet", "artist", "musician", "singer", "actor"),
    *("actress", "athlete", "player", "celebrity", "character", "musicalartist", "footballer", "coach", "rider"),
    *("journalist", "reporter", "presenter", "director", "composer", "dancer", "painter", "photographer", "designer"),
    *("chef", "cook", "doctor", "nurse", "patient", "teacher", "student", "professor", "lawyer", "judge", "officer"),
    *("official", "soldier", "police officer", "victim", "suspect", "criminal", "hero", "employee", "worker"),
    *("engineer", "entrepreneur", "founder", "manager", "leader", "president", "minister", "king", "queen", "prince"),
    *("princess", "mother", "father", "parent", "baby", "kid", "guest", "tourist", "customer"),
    *(
        "人",
        "人物",
        "人名",
        "人员",
        "名人",
        "演员",
        "歌手",
        "作家",
        "运动员",
        "球员",
        "科学家",
        "政治家",
        "记者",
        "医生",
    ),
)
CLASS_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(PERSON_WORDS, ("person",)),
    **dict.fromkeys(("animal", "animals", "pet", "species", "creature", "动物", "宠物"), ANIMALS),
    **dict.fromkeys(("mammal", "哺乳动物"), ANIMALS[1:]),
    **dict.fromkeys(("farm animal", "livestock", "家畜"), ("horse", "sheep", "cow")),
    **dict.fromkeys(("puppy", "hound"), ("dog",)),
    **dict.fromkeys(("kitten",), ("cat",)),
    **dict.fromkeys(("vehicle", "vehicles", "veh", "车辆", "交通工具"), VEHICLES),
    **dict.fromkeys(("automobile", "汽车"), ("car", "truck")),
    **dict.fromkeys(("motorbike", "摩托车"), ("motorcycle",)),
    **dict.fromkeys(("bike", "自行车"), ("bicycle",)),
    **dict.fromkeys(("device", "devices", "electronics", "gadget", "设备", "电子产品"), DEVICES),
    **dict.fromkeys(("appliance", "家电", "家用电器"), ("tv", *CLASSES[68:71], "refrigerator", "hair drier")),
    **dict.fromkeys(("computer", "电脑"), ("laptop",)),
    **dict.fromkeys(("food", "dish", "meal", "食品", "食物"), FOOD),
    **dict.fromkeys(("fruit", "水果"), ("banana", "apple", "orange")),
    **dict.fromkeys(("vegetable", "蔬菜"), ("broccoli", "carrot")),
    **dict.fromkeys(("dessert", "甜点"), ("donut", "cake")),
    **dict.fromkeys(("fast food", "snack", "快餐"), ("sandwich", "hot dog", "pizza", "donut")),
    **dict.fromkeys(("cutlery", "餐具"), ("fork", "knife", "spoon")),
    **dict.fromkeys(("luggage", "bag", "行李", "包"), ("backpack", "handbag", "suitcase")),
    **dict.fromkeys(("sports equipment", "体育用品"), CLASSES[29:39]),
    **dict.fromkeys(("plant", "houseplant", "植物"), ("potted plant",)),
    **dict.fromkeys(("toy", "玩具"), ("teddy bear",)),
    **dict.fromkeys(("drink", "beverage", "饮料"), DRINKS),
    **dict.fromkeys(("furniture", "家具"), FURNITURE),
    **dict.fromkeys(("product", "prod", "产品", "商品"), (*VEHICLES, *DEVICES, *DRINKS)),
    **dict.fromkeys(("plane", "aircraft", "飞机"), ("airplane",)),
    **dict.fromkeys(("ship", "watercraft", "船"), ("boat",)),
    **dict.fromkeys(("phone", "smartphone", "手机"), ("cell phone",)),
    **dict.fromkeys(("书", "书籍"), ("book",)),
    **{name: (name,) for name in CLASSES},
}
PRODUCT_FIT = 0.5  # most bottles and cars in a photograph are not the product that the text names
NOT_SHOWN = ("loc", "org", "event", "group", "work", "time", "misc", "other")  # no class of COCO shows their entities
_NAME = re.compile(r"^(?:(?:a|an|the) )?(?:proper )?(?:names?|kinds?|types?) of ")
_END = re.compile(r"[,;:.(，；：。（]|\b(?:who|that|which|whose|where|of|in|for|by|from|with|at|on|not)\b")


def fitting_classes(labels: Mapping[str, str], similarity: Similarity | None = None) -> Fits:
    """The classes of objects that fit each label.

    Args:
        labels: name -> description, "" for none.
        similarity: for labels that name no class: label texts (name and description) and COCO's class names to a table
            (labels, classes) in [0, 1], how well an object of the class shows such an entity; 0 for not at all.

    Returns:
        A row for each label: class -> fit, empty where none fits.
    """
    found = {name: _named(name, description) for name, description in labels.items()}
    rest = [name for name, classes in found.items() if not classes and _folded(name) not in NOT_SHOWN]
    if similarity is not None and rest:
        texts = [f"{name}: {labels[name]}" if labels[name] else name for name in rest]
        table = np.clip(np.asarray(similarity(texts, CLASSES), dtype=np.float64), 0.0, 1.0)
        for name, row in zip(rest, table):
            found[name] = {c: float(x) for c, x in zip(CLASSES, row) if x > 0}
    return found


def _named(name: str, description: str) -> dict[str, float]:
    """The classes that a label's name, or the beginning of its description, names."""
    if _folded(name) in NOT_SHOWN:
        return {}
    for text in (name, description):
        known = [next((noun for noun in thing if noun in CLASS_WORDS), None) for thing in _things(text)]
        classes = {c: _fit(noun) for noun in known if noun for c in CLASS_WORDS[noun]}
        if classes:
            return classes
    return {}


def _things(text: str) -> list[tuple[str, ...]]:
    """What a label is a kind of: the last two and one words of each thing that it begins with, without plural endings.

    "the name of a person, real or fictional" -> person; "a wild animal or a pet" -> animal, pet; "a person's home" ->
    home, and not person.
    """
    begin = _END.split(_NAME.sub("", _folded(text).replace("_", " ").strip()), maxsplit=1)[0]
    out = []
    for thing in re.split(r"\b(?:or|and)\b|/|或|和|、", begin):
        words = re.findall(r"[^\W\d_]+", re.sub(r"\w+['’]s\b", " ", thing))
        words = words[:-1] if len(words) > 1 and words[-1] in ("name", "names") else words
        nouns = (" ".join(words[-2:]), *words[-1:])
        out.append(tuple(form for noun in nouns for form in (noun, noun.removesuffix("s"))))
    return out


def _fit(word: str) -> float:
    return PRODUCT_FIT if CLASS_WORDS[word] == CLASS_WORDS["product"] else 1.0


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
