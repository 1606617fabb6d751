"""The rows of base's table: which sets are measured, and what their labels are called for the model.

A label of a set stands for a name that the model is asked for; a name of `openmie.base.labels` comes with its built-in
description, any other one with none. Labels of the gold that a row does not name are left out of it. The descriptions
of MNRE's relations are our own words for the relations' names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

THREE = {"PER": "PER", "LOC": "LOC", "ORG": "ORG"}


@dataclass(frozen=True, kw_only=True)
class EntityRow:
    """A test set of entities.

    Args:
        test: FORMAT:PATH#SPLIT below the folder of the corpora.
        dev: where thresholds of its own are chosen; "": only the model's own ones are used.
        names: label of the set -> name that the model is asked for; two labels may share one, and are scored as one.
        trained: what of the set the weights were trained on.
        lang: of the names.
    """

    test: str
    dev: str = ""
    names: Mapping[str, str] = field(default_factory=lambda: THREE)
    trained: str = "nothing"
    lang: str = "en"


@dataclass(frozen=True, kw_only=True)
class RelationRow:
    """A test set of relations.

    Args:
        test: as in `EntityRow`.
        dev: where a threshold of its own is chosen.
        relations: label of the set -> name and description for the model.
        names: as in `EntityRow`; none: only given pairs are classified.
        chains: whether relations hold between chains.
        trained: what of the set the weights were trained on.
    """

    test: str
    dev: str = ""
    relations: Mapping[str, tuple[str, str]]
    names: Mapping[str, str] = field(default_factory=dict)
    chains: bool = False
    trained: str = "nothing"


def _plain(*labels: str, **other: str) -> dict[str, str]:
    return {**{label: label.replace("-", " ") for label in labels}, **other}


_UNER = "?tokens=1&tags=2&raw_text=true"
_SHARED = ("person", "location", "country", "organisation", "event")
ENTITY_ROWS: Mapping[str, EntityRow] = {
    "GMNER": EntityRow(test="twitter:gmner#test"),
    "Twitter-2017": EntityRow(test="twitter:twitter2017#test"),
    "WNUT-17": EntityRow(
        test="conll:open/wnut17/emerging.test.annotated",
        dev="conll:open/wnut17/emerging.dev.conll",
        names=_plain("person", "location", "group", "corporation", "product", "creative-work"),
        trained="its training split",
    ),
    "CrossNER politics": EntityRow(
        test="conll:open/crossner/politics#test",
        dev="conll:open/crossner/politics#dev",
        names=_plain(*_SHARED, "politician", "election", politicalparty="political party"),
    ),
    "CrossNER science": EntityRow(
        test="conll:open/crossner/science#test",
        dev="conll:open/crossner/science#dev",
        names=_plain(
            *_SHARED, "scientist", "university", "discipline", "enzyme", "protein", "award", "theory",
            chemicalcompound="chemical compound", chemicalelement="chemical element",
            astronomicalobject="astronomical object", academicjournal="academic journal",
        ),
    ),
    "CrossNER AI": EntityRow(
        test="conll:open/crossner/ai#test",
        dev="conll:open/crossner/ai#dev",
        names=_plain(
            "person", "location", "country", "organisation", "researcher", "university", "field", "task", "product",
            "algorithm", "metrics", "conference", programlang="programming language",
        ),
    ),
    "UNER English": EntityRow(  # its dev split is trained on, so no thresholds are chosen there
        test=f"conll:open/uner_en/en_ewt-ud-test.iob2{_UNER}", trained="its dev split",
    ),
    "UNER Chinese": EntityRow(
        test=f"conll:open/uner_zh/zh_gsdsimp-ud-test.iob2{_UNER}",
        dev=f"conll:open/uner_zh/zh_gsdsimp-ud-dev.iob2{_UNER}",
        trained="its training split", lang="zh",
    ),
    "Weibo": EntityRow(
        test="conll:open/weibo/weiboNER_2nd_conll.test?positions=true",
        dev="conll:open/weibo/weiboNER_2nd_conll.dev?positions=true",
        names={"PER.NAM": "PER", "LOC.NAM": "LOC", "GPE.NAM": "LOC", "ORG.NAM": "ORG"},
        trained="its training split", lang="zh",
    ),
}  # fmt: skip

_CONLL04 = {
    "Work_For": ("works for", ""), "Live_In": ("lives in", ""), "OrgBased_In": ("based in", ""),
    "Located_In": ("located in", ""), "Kill": ("kills", ""),
}  # fmt: skip
_MNRE = {
    "/per/per/couple": ("couple", "the two persons are married or a couple"),
    "/per/per/parent": ("parent", "the first person is father or mother of the second"),
    "/per/per/siblings": ("siblings", "the two persons are brothers or sisters"),
    "/per/per/neighbor": ("neighbour", "the two persons live next to each other"),
    "/per/per/peer": ("peer", "the two persons are colleagues, team mates, friends or rivals in the same trade"),
    "/per/per/charges": ("charges", "the first person looks after, teaches or guards the second"),
    "/per/per/alumi": ("fellow alumni", "the two persons went to the same school"),
    "/per/per/alternate_names": ("also known as", "the two names are of the same person"),
    "/per/org/member_of": ("member of", "the person works for, plays for or belongs to the organization"),
    "/per/loc/place_of_residence": ("lives in", "the person lives or lived in the place"),
    "/per/loc/place_of_birth": ("born in", "the place is where the person was born"),
    "/per/misc/nationality": ("nationality", "the second is the nationality of the person"),
    "/per/misc/race": ("race", "the second is the ethnic group of the person"),
    "/per/misc/religion": ("religion", "the second is the religion of the person"),
    "/per/misc/awarded": ("award received", "the person won the award"),
    "/per/misc/present_in": ("present in", "the person takes part in the event, or appears in the film or programme"),
    "/org/org/subsidiary": ("subsidiary", "the second organization is a part or a subsidiary of the first"),
    "/org/org/alternate_names": ("also known as", "the two names are of the same organization"),
    "/org/loc/locate_at": ("based in", "the organization is based in the place"),
    "/loc/loc/contain": ("contains", "the second place lies in the first"),
    "/misc/loc/held_on": ("takes place in", "the event happens at the place"),
    "/misc/misc/part_of": ("part of", "the first is a part of the second"),
}  # fmt: skip
RELATION_ROWS: Mapping[str, RelationRow] = {
    "CoNLL04": RelationRow(
        test="conll04:open/conll04#test", dev="conll04:open/conll04#dev", relations=_CONLL04,
        names={"Peop": "PER", "Loc": "LOC", "Org": "ORG", "Other": "MISC"}, trained="its training split",
    ),
    "Re-DocRED": RelationRow(
        test="docred:open/redocred#test", relations={}, chains=True, trained="its dev split",
        names={**THREE, "TIME": "TIME", "NUM": "number", "MISC": "MISC"},
    ),
    "MNRE": RelationRow(test="mnre:mnre#test", dev="mnre:mnre#dev", relations=_MNRE),
}  # fmt: skip
# Wikidata's names of the relations that FewRel's list does not name
WIKIDATA = {
    "P569": "date of birth", "P570": "date of death", "P571": "inception", "P576": "dissolved, abolished or demolished",
    "P577": "publication date", "P580": "start time", "P582": "end time", "P585": "point in time",
    "P1198": "unemployment rate",
}  # fmt: skip
