"""Whether base keeps a person a person: the same sentences with names of different origins, pronouns and occupations.

    python benchmarks/base_names.py [--model FOLDER] [--out names.json]

Sentences and names are of our own writing; five full names an origin, none of a known person on purpose. Of each origin
is counted how often the whole name is found as PER (exact), how often something of it is PER, and how often it is taken
for another type, with 95% Wilson intervals; the same in small letters and with the given name alone. Pronouns and
occupations change around fixed names. 5,952 sentences, about 95 CPU seconds on one core.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openmie.base.labels import label_texts

ORIGINS: dict[str, tuple[tuple[str, str], ...]] = {  # given name, surname
    "Arabic": (("Layla", "Haddad"), ("Omar", "Khoury"), ("Yasmin", "Mansour"), ("Tariq", "Nasser"), ("Huda", "Saleh")),
    "Chinese": (("Weiming", "Zhou"), ("Shufen", "Gao"), ("Xiaoling", "Chen"), ("Jianguo", "Ma"), ("Yuting", "Huang")),
    "East African": (("Wanjiru", "Kamau"), ("Otieno", "Ochieng"), ("Achieng", "Mboya"), ("Juma", "Mwangi"),
                     ("Zawadi", "Njoroge")),
    "English": (("Emily", "Harris"), ("Jack", "Turner"), ("Grace", "Walker"), ("Oliver", "Bennett"),
                ("Hannah", "Cooper")),
    "French": (("Camille", "Rousseau"), ("Julien", "Moreau"), ("Amélie", "Girard"), ("Thierry", "Lefèvre"),
               ("Manon", "Dubois")),
    "German": (("Annika", "Schneider"), ("Lukas", "Vogel"), ("Greta", "Hoffmann"), ("Jürgen", "Krause"),
               ("Sabine", "Möller")),
    "Indian": (("Priya", "Raghavan"), ("Arjun", "Deshpande"), ("Lakshmi", "Iyer"), ("Rohit", "Banerjee"),
               ("Meena", "Patel")),
    "Indonesian": (("Dewi", "Lestari"), ("Budi", "Santoso"), ("Siti", "Rahayu"), ("Agus", "Wijaya"),
                   ("Putri", "Handayani")),
    "Japanese": (("Haruka", "Tanaka"), ("Kenji", "Yamamoto"), ("Yuki", "Nakamura"), ("Takeshi", "Mori"),
                 ("Aiko", "Fujita")),
    "Korean": (("Ji-woo", "Park"), ("Minjun", "Kim"), ("Seo-yeon", "Choi"), ("Hyun-woo", "Lee"), ("Eunji", "Kang")),
    "Nigerian": (("Chidinma", "Okafor"), ("Babatunde", "Adeyemi"), ("Ngozi", "Eze"), ("Olumide", "Balogun"),
                 ("Amina", "Bello")),
    "Polish": (("Zofia", "Kowalska"), ("Tomasz", "Wiśniewski"), ("Agnieszka", "Lis"), ("Piotr", "Zieliński"),
               ("Kasia", "Wójcik")),
    "Polynesian": (("Moana", "Tuilagi"), ("Sione", "Fifita"), ("Leilani", "Kealoha"), ("Tevita", "Vainikolo"),
                   ("Mele", "Taufa")),
    "Spanish": (("Lucía", "Fernández"), ("Diego", "Morales"), ("Ximena", "Castillo"), ("Javier", "Ortega"),
                ("Marisol", "Vega")),
    "Turkish": (("Elif", "Yılmaz"), ("Emre", "Demir"), ("Zeynep", "Kaya"), ("Mustafa", "Şahin"), ("Ayşe", "Çelik")),
    "Vietnamese": (("Thu", "Nguyen"), ("Minh", "Tran"), ("Linh", "Pham"), ("Duc", "Hoang"), ("Mai", "Vo")),
}  # fmt: skip
TEMPLATES = (
    "{} won the spelling contest again this year .",
    "Just met {} at the bus stop , what a day !",
    "Happy birthday {} ! See you on Saturday .",
    "Our new neighbour is called {} and plays the drums .",
    "The prize went to {} for a short film about bees .",
    "RT @quillnews : {} says the bridge will open in June",
    "I still owe {} twelve euros and an apology .",
    "Interview with {} tonight at nine , do not miss it #radio",
    "{} was arrested after the match , police said .",
    "My dentist , {} , sings in a choir .",
    "According to {} , the vote was never counted .",
    "Thank you {} for the soup \U0001f60a",
    "They elected {} as mayor of Brindlemoor .",
    "Has anyone seen {} since the concert ?",
    "The novel by {} is out at last .",
    "{} and Sam Carter opened a bakery together .",
    "A goal by {} in the last minute !",
    "Police are looking for {} , last seen in Ostwick .",
    "Congratulations to Dr {} on the new clinic .",
    "photo : {} at the harbour , 1987",
)
PRONOUNS = ("he", "she", "they")
OCCUPATIONS = ("nurse", "engineer", "cleaner", "judge", "soldier", "teacher", "dancer", "surgeon")
SWAPS = (
    "{name} is a {job} , and {pronoun} said the train was late .",
    "The {job} {name} told us that {pronoun} will be back soon .",
    "{pronoun} works as a {job} : meet {name} !",
)


def wilson(right: int, n: int) -> tuple[float, float]:
    """95% interval of a share, in percent."""
    if not n:
        return 0.0, 100.0
    z, share = 1.96, right / n
    middle, half = share + z * z / (2 * n), z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    scale = 100 / (1 + z * z / n)
    return scale * (middle - half), scale * (middle + half)


def judged(found: Sequence[Sequence[Any]], places: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Shares of names that are found exactly as PER, that overlap a PER, and that overlap another type."""
    exact = touched = other = 0
    for entities, (start, end) in zip(found, places, strict=True):
        labels = {e.label for e in entities if e.start < end and e.end > start}
        exact += any((e.start, e.end, e.label) == (start, end, "PER") for e in entities)
        touched += "PER" in labels
        other += bool(labels - {"PER"})
    n = len(places)
    low, high = wilson(exact, n)
    return {
        "sentences": n,
        "exact": round(100 * exact / n, 1),
        "interval": [round(low, 1), round(high, 1)],
        "some of it": round(100 * touched / n, 1),
        "another type": round(100 * other / n, 1),
    }


def filled(template: str, name: str) -> tuple[str, tuple[int, int]]:
    """The sentence with a name in it, and where the name is."""
    start = template.index("{}")
    return template.replace("{}", name), (start, start + len(name))


def by_origin(model: Any, form: str = "full") -> dict[str, Any]:
    """Shares by origin, of names in full, in small letters, or of given names alone; and the widest gap."""
    made: dict[str, Any] = {}
    for origin, names in ORIGINS.items():
        texts, places = [], []
        for template, (given, surname) in itertools.product(TEMPLATES, names):
            name = given if form == "given" else f"{given} {surname}"
            text, place = filled(template, name.lower() if form == "lower" else name)
            texts.append(text)
            places.append(place)
        made[origin] = judged(model.entities(texts, label_texts()), places)
    shares = [v["exact"] for v in made.values()]
    made["all"] = {"exact": round(sum(shares) / len(shares), 1), "gap": round(max(shares) - min(shares), 1)}
    return made


def by_word(model: Any) -> dict[str, Any]:
    """Shares by pronoun and by occupation, over one name an origin."""
    made: dict[str, Any] = {}
    cases = []
    for swap, (given, surname), pronoun, job in itertools.product(
        SWAPS, (names[0] for names in ORIGINS.values()), PRONOUNS, OCCUPATIONS
    ):
        name = f"{given} {surname}"
        shown = pronoun.capitalize() if swap.startswith("{pronoun}") else pronoun
        text = swap.format(name=name, pronoun=shown, job=job)
        cases.append((pronoun, job, text, (text.index(name), text.index(name) + len(name))))
    found = model.entities([text for _, _, text, _ in cases], label_texts())
    for kind, words in (("pronoun", PRONOUNS), ("occupation", OCCUPATIONS)):
        made[kind] = {}
        for word in words:
            mine = [k for k, case in enumerate(cases) if word in case[:2]]
            made[kind][word] = judged([found[k] for k in mine], [cases[k][3] for k in mine])
    return made


def measure(model: Any) -> dict[str, Any]:
    """All of it."""
    return {
        "templates": len(TEMPLATES),
        "names": sum(map(len, ORIGINS.values())),
        **{form: by_origin(model, form) for form in ("full", "given", "lower")},
        **by_word(model),
    }


def markdown(record: dict[str, Any]) -> str:
    """Tables for docs/models/base.md."""
    lines = ["| origin | whole name is PER (95%) | some of it | another type | given name alone | small letters |"]
    lines.append("|" + "---|" * 6)
    for origin, full in record["full"].items():
        if origin != "all":
            low, high = full["interval"]
            more = [record[form][origin]["exact"] for form in ("given", "lower")]
            lines.append(
                f"| {origin} | {full['exact']} ({low} to {high}) | {full['some of it']} | {full['another type']} "
                f"| {more[0]} | {more[1]} |"
            )
    whole = [record[form]["all"] for form in ("full", "given", "lower")]
    lines.append(f"| mean | {whole[0]['exact']} | | | {whole[1]['exact']} | {whole[2]['exact']} |")
    lines.append(f"| highest less lowest | {whole[0]['gap']} | | | {whole[1]['gap']} | {whole[2]['gap']} |")
    for kind in ("pronoun", "occupation"):
        lines += ["", f"| {kind} | whole name is PER (95%) |", "|---|---|"]
        lines += [
            f"| {word} | {v['exact']} ({v['interval'][0]} to {v['interval'][1]}) |" for word, v in record[kind].items()
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None, help="folder; default: the shipped weights")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    import torch
    from base_table import model_hash

    from openmie.base.text_model import WEIGHTS, TextModel

    torch.set_num_threads(1)
    about = {"date": str(datetime.date.today()), "weights": model_hash(asked.model or WEIGHTS)}
    record = {**measure(TextModel.load(asked.model)), **about, "cpu_s": round(time.process_time())}
    if asked.out:
        asked.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(markdown(record))


if __name__ == "__main__":
    main()
