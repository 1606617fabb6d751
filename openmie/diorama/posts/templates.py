"""Sentence templates. Words are joined by single spaces; {a} and {b} are the slots of a post's first and second name.

NEUTRAL sentences suit a person, a place, an organisation, an animal and a vehicle alike, and any two of them. In
RELATED sentences {h} is the head and {t} the tail; a directed relation has sentences for either order.
"""

from __future__ import annotations

from functools import lru_cache

from openmie.diorama.posts.distributions import NONE, SYMMETRIC, TypedRelation

NEUTRAL_ONE = (
    "So proud of {a} today !",
    "Nothing beats {a} on a morning like this",
    "What a day with {a} !",
    "Can not stop thinking about {a}",
    "{a} again , and I love it",
    "Here is {a} for you all",
    "Everyone asks me about {a} lately",
    "My picture of {a} from last week",
    "Who else remembers {a} ?",
    "{a} made my week",
    "Finally some news about {a}",
    "I could look at {a} for hours",
    "There is only one {a} in this world",
    "Good morning from {a} and from me",
    "Still dreaming of {a} tonight",
    "They told me that {a} was special , and they were right",
    "One more photo of {a} before I go",
    "You have to see {a} at least once",
    "{a} looks great in this light",
    "Guess what : {a} !",
    "If you like {a} , say so",
    "This is {a} as few of us know it all",
    "Thinking of {a} and smiling",
    "Let us talk about {a} for a minute",
)
NEUTRAL_TWO = (
    "{a} and {b} again today",
    "Nothing beats {a} and {b} on a morning like this",
    "What a day with {a} and {b} !",
    "Here are {a} and {b} for you all",
    "First {a} , then {b} , what a week",
    "{a} with {b} , as promised",
    "Everyone asks me about {a} and {b} lately",
    "My picture of {a} and {b} from last week",
    "Who else remembers {a} and {b} ?",
    "I could look at {a} and {b} for hours",
    "Guess what : {a} and {b} !",
    "Look at {a} , and then look at {b}",
    "Some call it luck : {a} , {b} and my camera",
    "You asked for {a} , you get {b} too",
    "Still dreaming of {a} and of {b}",
    "{a} , {b} and a perfect light",
    "One more photo of {a} and {b} before I go",
    "Let us talk about {a} and {b} for a minute",
)
CLEAR = {
    "PER": (
        "{a} sings her new song tonight",
        "The singer {a} turned forty today",
        "{a} wrote his second novel at night",
        "Our teacher {a} retires this summer",
        "{a} says she will run for mayor",
        "Actor {a} thanked all his fans",
    ),
    "LOC": (
        "We flew to {a} for the weekend",
        "The river in {a} froze last night",
        "It rains in {a} all through autumn",
        "The old streets of {a} are empty now",
        "Ten million people live in {a}",
        "We hiked up to {a} at dawn",
    ),
    "ORG": (
        "{a} hired 200 engineers this year",
        "Shares of {a} fell again",
        "The board of {a} fired its chairman",
        "{a} opens a new branch office on Monday",
        "Staff at {a} voted to strike",
        "{a} reported record profits",
    ),
    "MISC": (
        "Our mascot {a} needs a good wash",
        "I washed and brushed my old {a} today",
        "{a} won best of show this year",
        "We raffle off {a} the lucky mascot",
        "They sold {a} at the fair for a record price",
        "The kids want to ride on {a} again",
    ),
}
RELATED = {
    TypedRelation("couple", "PER", "PER"): (
        "{h} kissed her husband {t} at the altar",
        "Actress {h} married the singer {t}",
        "Happy wedding day to Mister {h} and to Missis {t}",
    ),
    TypedRelation("couple", "MISC", "MISC"): (
        "Our two lovebird mascots {h} and {t} share one bed",
        "Mascot {h} is in love with mascot {t}",
    ),
    TypedRelation("parent", "PER", "PER"): (
        "Mother {h} gave birth to little {t}",
        "Proud father {h} walks his baby daughter {t}",
        "Little {t} got a hug from mother {h}",
        "Baby {t} has the eyes of father {h}",
    ),
    TypedRelation("parent", "MISC", "MISC"): (
        "Big mascot {h} got a small copy that we call {t}",
        "Mascot {h} now has a little one , {t}",
        "The little mascot {t} was modelled on {h}",
        "Mini mascot {t} takes after big {h}",
    ),
    TypedRelation("peer", "PER", "PER"): (
        "Midfielder {h} passed to his team mate {t}",
        "Singer {h} toured in one band with drummer {t}",
    ),
    TypedRelation("peer", "MISC", "MISC"): (
        "The mascots {h} and {t} pull in one team",
        "Mascot {h} races in one team with mascot {t}",
    ),
    TypedRelation("member_of", "PER", "ORG"): (
        "Striker {h} signed with the club {t}",
        "Doctor {h} joined the staff of the company {t}",
        "The company {t} made Mister {h} its chairman",
    ),
    TypedRelation("member_of", "MISC", "ORG"): (
        "The company {t} keeps {h} as its mascot",
        "{h} is the mascot of the company {t}",
    ),
    TypedRelation("present_in", "PER", "LOC"): (
        "Singer {h} plays live in the city of {t}",
        "The city of {t} cheered the actor {h} on stage",
    ),
    TypedRelation("present_in", "MISC", "LOC"): (
        "Mascot {h} is on show in the city of {t}",
        "The city of {t} hosts the mascot {h} tonight",
    ),
    TypedRelation("locate_at", "ORG", "LOC"): (
        "The company {h} moved to the city of {t}",
        "The city of {t} is home to the company {h}",
    ),
}
CUES = {  # (kind of cue, whether the first name's figure is the left one) -> clauses; {p} is the colour of its flag
    ("none", True): ("", "( no filter )", "( from my phone )", "( photo of the day )"),
    ("none", False): ("", "( no filter )", "( from my phone )", "( photo of the day )"),
    ("position", True): ("( first one left )", "( the former is on the left )", "( starting on the left )"),
    ("position", False): ("( first one right )", "( the former is on the right )", "( starting on the right )"),
    ("colour", True): ("( first one by the {p} flag )", "( the former has the {p} flag )"),
    ("colour", False): ("( first one by the {p} flag )", "( the former has the {p} flag )"),
}
TAILS = ("", "", "", "", "#goodtimes", "#photo", "😊", "✨", "RT !", "…")
LONG = {  # names of two words, in unambiguous posts; {n} and {m} are made-up words
    "PER": ("{m} {n}",),
    "LOC": ("{n} Valley", "{n} Falls", "Lake {n}"),
    "ORG": ("{n} Ltd", "{n} Bank", "{n} United"),
    "MISC": ("{n} Junior", "Lucky {n}"),
}


@lru_cache(256)
def clear_two(types: tuple[str, ...], relation: str, head: int) -> tuple[str, ...]:
    """Templates with {a} and {b} that determine the relation and both types; for None, two sentences in a row."""
    if relation == NONE:
        return tuple(f"{x} . {y.replace('{a}', '{b}')}" for x in CLEAR[types[0]] for y in CLEAR[types[1]])
    related = RELATED[TypedRelation(relation, types[head], types[1 - head])]
    out = []
    for sentence in related:
        head_first = sentence.index("{h}") < sentence.index("{t}")
        if relation in SYMMETRIC or head_first == (head == 0):
            first, second = ("{h}", "{t}") if head_first else ("{t}", "{h}")
            out.append(sentence.replace(first, "{a}").replace(second, "{b}"))
    return tuple(out)
