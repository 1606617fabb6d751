"""The built-in labels of `base`: entity types and relations, with words and descriptions in English and Chinese.

A label is passed to the model as name -> description. The description of a built-in label begins with its words
("person: ..."), because a name such as PER means little to a text encoder, and says what is in and what is out. A label
of the user's own needs a name only; one with the name of a built-in label and no description gets the built-in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from openmie.errors import RecipeError

Language = Literal["en", "zh"]
LabelSet = Mapping[str, str] | Iterable[str]  # name -> description, or names
MAX_LENGTH = 400  # characters of a description: label texts are encoded whole


@dataclass(frozen=True, kw_only=True)
class EntityLabel:
    """An entity type.

    Args:
        words: what it is called.
        description: what is in, and what is out.
        words_zh: the same in Chinese.
        description_zh: the same in Chinese.
    """

    words: str
    description: str
    words_zh: str
    description_zh: str

    def text(self, language: Language = "en") -> str:
        """Words and description, as the model reads them."""
        if language == "zh":
            return f"{self.words_zh}：{self.description_zh}"
        return f"{self.words}: {self.description}"


@dataclass(frozen=True, kw_only=True)
class RelationLabel(EntityLabel):
    """A relation from a head to a tail entity; its words are a phrase between the two ("works for").

    Args:
        head: entity types that the head may have.
        tail: entity types that the tail may have.
        symmetric: whether it holds in both directions.
    """

    head: tuple[str, ...]
    tail: tuple[str, ...]
    symmetric: bool = False


def _entity(words: str, description: str, words_zh: str, description_zh: str) -> EntityLabel:
    return EntityLabel(words=words, description=description, words_zh=words_zh, description_zh=description_zh)


def _relation(
    types: str, words: str, description: str, words_zh: str, description_zh: str, symmetric: bool = False
) -> RelationLabel:
    head, tail = (tuple(side.split("|")) for side in types.split(" -> "))
    return RelationLabel(
        words=words, description=description, words_zh=words_zh, description_zh=description_zh,
        head=head, tail=tail, symmetric=symmetric,
    )  # fmt: skip


LABELS: Mapping[str, EntityLabel] = {
    "PER": _entity(
        "person",
        "the name of a person, real or fictional; not a title or an occupation alone, nor the @name of an account",
        "人物",
        "真实或虚构人物的姓名或昵称；不包括单独的头衔或职业，也不包括账号名",
    ),
    "LOC": _entity(
        "location",
        "the name of a place: country, city, region, mountain, river, street, building or venue; not an address of a "
        "website",
        "地点",
        "地方的名称：国家、城市、地区、山川、街道、建筑或场馆；不包括网址",
    ),
    "ORG": _entity(
        "organization",
        "the name of a company, institution, government body, party, school, media outlet, sports club or band",
        "组织",
        "公司、机构、政府部门、政党、学校、媒体、体育俱乐部或乐队的名称",
    ),
    "PRODUCT": _entity(
        "product",
        "the name of something made or sold: device, vehicle, food, brand or software; not the company that makes it",
        "产品",
        "制造或销售之物的名称：设备、车辆、食品、品牌或软件；不包括制造它的公司",
    ),
    "WORK": _entity(
        "creative work",
        "the title of a book, film, series, song, album, game, painting or law; not its author",
        "作品",
        "书籍、电影、剧集、歌曲、专辑、游戏、绘画或法律的标题；不包括其作者",
    ),
    "EVENT": _entity(
        "event",
        "the name of an event: tournament, festival, election, war, storm, award ceremony or holiday",
        "事件",
        "事件的名称：赛事、节庆、选举、战争、风暴、颁奖典礼或节日",
    ),
    "GROUP": _entity(
        "group",
        "the name of a people, religion, movement or community; not an organization with members and a seat",
        "群体",
        "民族、宗教、运动或社群的名称；不包括有成员和所在地的组织",
    ),
    "TIME": _entity(
        "time",
        "a date, year, period, weekday or time of day that can be put on a calendar or a clock; not a duration",
        "时间",
        "可在日历或时钟上定位的日期、年份、时期、星期或时刻；不包括时长",
    ),
    "MISC": _entity(
        "miscellaneous name",
        "a proper name of another kind: language, nationality, award, species, disease or idea; not a common noun",
        "其他专名",
        "其他种类的专有名称：语言、国籍、奖项、物种、疾病或概念；不包括普通名词",
    ),
}

_PLACED = "PER|ORG|GROUP"
RELATIONS: Mapping[str, RelationLabel] = {
    "works for": _relation(
        "PER -> ORG|GROUP", "works for", "the person is employed by the organization or holds an office in it",
        "任职于", "该人受雇于该组织或在其中担任职务",
    ),
    "lives in": _relation(
        "PER -> LOC", "lives in", "the person lives or lived in the place", "居住于", "该人居住或曾居住在该地",
    ),
    "born in": _relation(
        "PER -> LOC", "born in", "the place is where the person was born", "出生于", "该地是该人的出生地",
    ),
    "died in": _relation(
        "PER -> LOC", "died in", "the place is where the person died", "逝世于", "该地是该人的逝世地",
    ),
    "citizen of": _relation(
        "PER -> LOC", "citizen of", "the country is the person's nationality", "国籍", "该国是该人的国籍",
    ),
    "born on": _relation(
        "PER -> TIME", "born on", "the date or year is the person's birth",
        "出生日期", "该日期或年份是该人的出生时间",
    ),
    "died on": _relation(
        "PER -> TIME", "died on", "the date or year is the person's death",
        "逝世日期", "该日期或年份是该人的逝世时间",
    ),
    "spouse": _relation(
        "PER -> PER", "spouse", "the two persons are or were married", "配偶", "两人现在或曾经是夫妻", symmetric=True,
    ),
    "parent": _relation(
        "PER -> PER", "child of", "the second person is father or mother of the first",
        "父母", "后者是前者的父亲或母亲",
    ),
    "sibling": _relation(
        "PER -> PER", "sibling", "the two persons are brothers or sisters",
        "兄弟姐妹", "两人是兄弟姐妹", symmetric=True,
    ),
    "kills": _relation(
        "PER -> PER", "kills", "the first person killed, or tried to kill, the second",
        "杀害", "前者杀害或企图杀害后者",
    ),
    "educated at": _relation(
        "PER -> ORG", "educated at", "the person is or was a pupil or student there",
        "就读于", "该人现在或曾经在此就读",
    ),
    "member of": _relation(
        "PER|ORG|LOC -> ORG|GROUP", "member of", "the first belongs to the party, team, band, league or organization",
        "成员", "前者属于该政党、球队、乐队、联盟或组织",
    ),
    "head of": _relation(
        "PER -> ORG|LOC", "head of", "the person leads the state, government, city or organization",
        "领导", "该人领导该国家、政府、城市或组织",
    ),
    "based in": _relation(
        "ORG|GROUP -> LOC", "based in", "the organization has its headquarters or home in the place",
        "总部位于", "该组织的总部或所在地在该地",
    ),
    "located in": _relation(
        "LOC -> LOC", "located in", "the first place lies in the second", "位于", "前一地点位于后一地点之内",
    ),
    "capital of": _relation(
        "LOC -> LOC", "capital of", "the city is the capital of the country or region",
        "首都", "该城市是该国家或地区的首都",
    ),
    "takes place in": _relation(
        "EVENT -> LOC", "takes place in", "the event happens at the place", "举办地", "该事件在该地发生",
    ),
    "participant": _relation(
        f"EVENT -> {_PLACED}", "participant", "the person, team or organization takes part in the event",
        "参与者", "该人、球队或组织参与该事件",
    ),
    "founded by": _relation(
        "ORG|GROUP|LOC -> PER|ORG", "founded by", "the second founded the first", "创立者", "后者创立了前者",
    ),
    "founded on": _relation(
        "ORG|GROUP|LOC -> TIME", "founded on", "the date or year is when it was founded",
        "成立日期", "该日期或年份是其成立时间",
    ),
    "owned by": _relation(
        "ORG|PRODUCT|LOC -> PER|ORG", "owned by", "the second owns the first, or is its parent company",
        "所有者", "后者拥有前者或是其母公司",
    ),
    "author": _relation(
        "WORK -> PER", "written by", "the person wrote the work", "作者", "该人创作了该作品",
    ),
    "director": _relation(
        "WORK -> PER", "directed by", "the person directed the film or series", "导演", "该人执导了该影视作品",
    ),
    "cast member": _relation(
        "WORK -> PER", "cast member", "the person acts in the film or series", "演员", "该人出演该影视作品",
    ),
    "performer": _relation(
        "WORK -> PER|ORG|GROUP", "performed by", "the person or band performs the song or album",
        "表演者", "该人或乐队演唱或演奏该歌曲或专辑",
    ),
    "composer": _relation(
        "WORK -> PER", "composed by", "the person composed the music", "作曲者", "该人为其作曲",
    ),
    "published by": _relation(
        "WORK|PRODUCT -> ORG", "published by", "the organization publishes the book, record, film or game",
        "出版者", "该组织出版或发行该作品",
    ),
    "published on": _relation(
        "WORK|PRODUCT -> TIME", "published on", "the date or year is when it came out",
        "出版日期", "该日期或年份是其发布时间",
    ),
    "record label": _relation(
        "PER|GROUP|ORG|WORK -> ORG", "record label", "the company publishes the artist's or the album's music",
        "唱片公司", "该公司发行该艺人或专辑的音乐",
    ),
    "made by": _relation(
        "PRODUCT -> ORG|PER", "made by", "the second makes or develops the product", "制造者", "后者制造或开发该产品",
    ),
}  # fmt: skip


def label_texts(language: Language = "en") -> dict[str, str]:
    """The built-in entity types as the model takes them: name -> "words: description".

    Args:
        language: of words and descriptions; `en` or `zh`.
    """
    return {name: label.text(language) for name, label in LABELS.items()}


def relation_texts(language: Language = "en") -> dict[str, str]:
    """The built-in relations, like `label_texts`."""
    return {name: label.text(language) for name, label in RELATIONS.items()}


def described(
    labels: LabelSet | None, known: Mapping[str, EntityLabel] = LABELS, what: str = "label"
) -> dict[str, str]:
    """Labels as the model takes them, name -> description.

    Args:
        labels: name -> description, which may be "", or names; None: all built-in ones.
        known: built-in labels; a name without a description gets the one of its built-in label.
        what: "label" or "relation", for errors.

    Returns:
        Name -> description, in the order given. Names and descriptions are stripped of blanks around them.

    Raises:
        RecipeError: no label at all, one without a name or of another type than text, a name given twice, or a
            description of more than `MAX_LENGTH` characters.
    """
    if labels is None:
        return {name: label.text() for name, label in known.items()}
    if isinstance(labels, str):
        labels = [labels]
    pairs = list(labels.items()) if isinstance(labels, Mapping) else [(name, "") for name in labels]
    found: dict[str, str] = {}
    for name, text in pairs:
        name, text = _checked(name, text, what)
        if name in found:
            raise RecipeError(
                f"the {what} {name!r} twice",
                expected=f"each {what} once",
                where=f"{what}s",
                remedy="give the second one another name, or leave it out",
            )
        found[name] = text or (known[name].text() if name in known else "")
    if not found:
        raise RecipeError(
            f"no {what}s",
            expected=f"at least one {what}",
            where=f"{what}s",
            remedy=f'name them, such as {{"PER": "a person"}}, or leave {what}s out for the built-in ones',
        )
    return found


def _checked(name: object, text: object, what: str) -> tuple[str, str]:
    """A name and a description that are texts, without blanks around them."""
    if not (isinstance(name, str) and name.strip() and isinstance(text, str | None)):
        raise RecipeError(
            f"invalid {what} {name!r}"
            + (f" with the description {text!r}" if not isinstance(text, str | None) else ""),
            expected=f"{what}s with a name, and descriptions that are texts",
            where=f"{what}s",
            remedy='write {"PER": "a person"}, or a list of names',
        )
    name, text = name.strip(), (text or "").strip()
    if len(text) > MAX_LENGTH or len(name) > MAX_LENGTH:
        raise RecipeError(
            f"{max(len(text), len(name))} characters of {what} {name[:40]!r}",
            expected=f"at most {MAX_LENGTH} for a name and for a description",
            where=f"{what}s",
            remedy="say in a sentence or two what is meant",
        )
    return name, text
