"""English sentences of biographies. Words are joined by single blanks.

ONE and TWO suit a person, a place and an organisation alike. Pronouns are no mentions.
"""

from __future__ import annotations

JOIN, STOP = " ", " ."  # between sentences; at the end of each
ROLES = (
    "painter",
    "singer",
    "writer",
    "doctor",
    "sailor",
    "teacher",
    "baker",
    "lawyer",
    "farmer",
    "pilot",
    "poet",
    "actor",
    "chemist",
    "tailor",
)  # of a person, each used once in a document
PERSON = ("the {r}", "the young {r}", "the famous {r}", "the tireless {r}", "the modest {r}")
FULL_PERSON = "{n} {m}"
PLACES = (
    ("{n} Valley", "the valley"),
    ("{n} Falls", "the falls"),
    ("Port {n}", "the port"),  # in full, and not
    ("{n} Harbour", "the harbour"),
    ("{n} Bay", "the bay"),
    ("{n} Heights", "the heights"),
    ("{n} City", "the city"),
    ("{n} Village", "the village"),
    ("{n} Mills", "the mills"),
    ("{n} Beach", "the beach"),
    ("{n} Castle", "the castle"),
    ("{n} Forest", "the forest"),
)
COMPANIES = (
    ("{n} Bank", "the bank"),
    ("{n} Company", "the company"),
    ("{n} Press", "the press"),
    ("{n} Theatre", "the theatre"),
    ("{n} College", "the college"),
    ("{n} Club", "the club"),
    ("{n} Orchestra", "the orchestra"),
    ("{n} Gazette", "the gazette"),
    ("{n} Studio", "the studio"),
    ("{n} Institute", "the institute"),
    ("{n} Circus", "the circus"),
    ("{n} Society", "the society"),
)
HOME = ("the home town", "the birthplace")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
YEAR, MONTH, DAY = "{y}", "{m} {y}", "{d} {m} {y}"
COLOURS = {c: c for c in ("red", "blue", "green", "yellow", "purple", "orange", "black", "cyan")}

OPEN = (
    "This is the story of the {role} {F} , born in {H} on {D}",
    "The {role} {F} came into the world in {H} on {D}",
    "It was on {D} that the {role} {F} was born in {H}",
    "In {H} , on {D} , the {role} {F} was born",
    "We begin in {H} , where the {role} {F} was born on {D}",
)
LIFE = (
    "{P} worked hard and slept little",
    "By {T} , {P} was known all over the country",
    "For years {P} lived in one small room",
    "In {T} , {P} fell ill and lost a whole year",
    "Nobody expected much of {P} at first",
    "Money was short , but {P} never complained",
    "We know little of what {P} did until {T}",
    "Everyone could see that {P} had changed",
    "At night {P} sat by the window and made plans",
    "From {T} to {T} , {P} hardly spoke to anyone",
)
CLEAR = {
    "couple": (
        "In {T} , {P} married the {r} {x}",
        "{P} fell in love with the {r} {x} and married within a year",
        "The {r} {x} and {P} became husband and wife in {T}",
        "The {r} {x} said yes when {P} proposed",
    ),
    "couple and peer": (
        "{P} and the {r} {x} were team mates first and a married couple later",
        "In {T} , {P} married the {r} {x} , a mate from the same team",
        "The {r} {x} and {P} trained in one team and married in {T}",
        "The {r} {x} , a team mate of {P} for years , became a spouse too",
    ),
    "peer": (
        "{P} shared a bench in one team with the {r} {x}",
        "In {T} , {P} and the {r} {x} joined forces in one team",
        "The {r} {x} was a team mate of {P} from {T} on",
        "The {r} {x} and {P} pulled together in one team",
    ),
    "child": (
        "{P} raised a child , the later {r} {x}",
        "In {T} , {P} became a proud parent of the later {r} {x}",
        "The {r} {x} is a child of {P} , born in the lean years",
        "Little {x} , the later {r} , learned to walk holding on to {P} , a patient parent",
    ),
    "parent": (
        "{P} was brought up by a strict parent , the {r} {x}",
        "{P} never forgot the last words of a loving parent , the {r} {x}",
        "The {r} {x} , a gentle parent , taught {P} to read",
        "The {r} {x} had only one child , {P}",
    ),
    "member": (
        "{P} joined {x} in {T}",
        "In {T} , {P} signed a contract with {x}",
        "{x} hired {P} as an adviser",
        "{x} made {P} a member of its board in {T}",
    ),
    "founded": (
        "{P} joined the staff of {x} , founded in {T}",
        "{P} sat on the board of {x} , which was founded in {T}",
        "{x} , founded in {T} , took {P} on its staff",
        "Founded in {T} , {x} soon counted {P} among its members",
    ),
    "located": (
        "{P} moved to {x} in {T}",
        "From {T} on , {P} lived in {x}",
        "{x} became the new home of {P}",
        "{x} was where {P} lived for ten years",
    ),
    "seat": (
        "{P} worked for {x} , which had its seat in {y}",
        "{P} signed with {x} , based in {y}",
        "In {y} , the seat of {x} , the board made {P} a member",
        "From its seat in {y} , the board of {x} offered a post to {P}",
    ),
}
RECALL = (
    "{P} often spoke of {q}",
    "Even then , {P} did not forget {q}",
    "All that time {q} stayed on the mind of {P}",
    "In {T} , it was {q} again that mattered most",
    "We may ask what {P} would have been without {q}",
    "The letters of {T} are full of {q}",
)
ONE = (
    "Then came {a} , and everything changed",
    "It all had to do with {a}",
    "{a} was a turning point in the story of {P}",
    "Few things shaped {P} as much as {a} did",
    "We can not tell this story without {a}",
    "{a} made the headlines in {T}",
    "The diary of that year is full of {a}",
    "Many asked what {P} saw in {a}",
    "From {T} on , all the talk was of {a}",
    "{P} had never come across the like of {a}",
    "Without {a} it would have been another life",
    "On the wall hung a picture of {a}",
)
TWO = (
    "The names of {a} and {b} turn up together in the diary",
    "First came {a} , then {b}",
    "Whoever says {a} must also say {b}",
    "In {T} , {a} and {b} made the headlines",
    "{P} kept a picture of {a} and {b} on the desk",
    "The album opens with {a} and {b}",
    "There is much to tell about {a} and about {b}",
    "{P} could talk about {a} and {b} for hours",
    "Nobody in those days had heard of {a} or {b}",
    "The archive keeps a whole box on {a} and {b}",
    "Few remember {a} today , and fewer {b}",
    "Now we come to {a} and {b}",
)
CLOSE = (
    "To the very end , {q} meant the world to {P}",
    "In the last interview , {P} spoke of {q} and smiled",
    "What remained was {q} , as {P} used to say",
    "With {q} in mind , {P} looked back without regret",
    "The last page of the diary is about {q}",
)
FLAG = (  # of a sentence with a frame
    " , as the photo with the {c} flag shows",
    " ; here is the photo with the {c} flag",
    " ( see the photo with the {c} flag )",
)
PHOTO = (" , as the photo shows", " ; here is the photo", " ( see the photo )")
SIDE = {
    True: (" , {n} on the left", " , with {n} to the left"),
    False: (" , {n} on the right", " , with {n} to the right"),
}
