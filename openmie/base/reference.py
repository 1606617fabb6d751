"""Names of many kinds, by which a text model sees how general a label is: "person" fits more of them than "scientist".

Where two labels fit one span, the one that says more is meant. What a label's general probability is, over these names,
is taken off its logit when it is weighed against others. The list is this project's own; names of no one kind prevail.
"""

from __future__ import annotations

from collections.abc import Iterator

NAMES: dict[str, tuple[str, ...]] = {
    "politicians": ("Angela Merkel", "Nelson Mandela", "Barack Obama", "Indira Gandhi", "Winston Churchill",
        "Lula da Silva"),
    "scientists": ("Marie Curie", "Isaac Newton", "Charles Darwin", "Alan Turing", "Srinivasa Ramanujan",
        "Rosalind Franklin"),
    "athletes": ("Serena Williams", "Lionel Messi", "Usain Bolt", "Michael Jordan", "Steffi Graf", "Sachin Tendulkar"),
    "musicians": ("Beyoncé", "Ludwig van Beethoven", "Bob Marley", "Taylor Swift", "Miles Davis", "Fela Kuti"),
    "actors and writers": ("Meryl Streep", "Tom Hanks", "Jane Austen", "Haruki Murakami", "Chinua Achebe",
        "Agatha Christie"),
    "characters": ("Sherlock Holmes", "Harry Potter", "Batman", "Zeus"),
    "plain names": ("John Smith", "Maria Garcia", "Wang Wei", "Fatima Hassan", "Anna Kowalska", "Olumide Adeyemi"),
    "countries": ("France", "Japan", "Brazil", "Kenya", "Canada", "India"),
    "cities": ("Paris", "New York City", "Lagos", "Shanghai", "Buenos Aires", "Melbourne"),
    "regions": ("California", "Bavaria", "Scotland", "Guangdong"),
    "landforms": ("Mount Everest", "the Nile", "Lake Victoria", "the Sahara", "Pacific Ocean"),
    "buildings": ("Eiffel Tower", "Wembley Stadium", "Heathrow Airport", "Golden Gate Bridge"),
    "stars and planets": ("Jupiter", "Andromeda Galaxy", "Halley's Comet"),
    "companies": ("Toyota", "Microsoft", "Nestlé", "Walmart", "Tata Motors"),
    "universities": ("Harvard University", "University of Cape Town", "Peking University"),
    "media": ("BBC", "The New York Times", "Al Jazeera"),
    "agencies": ("NASA", "World Health Organization", "European Commission", "Supreme Court"),
    "parties": ("Labour Party", "Democratic Party", "Indian National Congress"),
    "teams": ("Manchester United", "Los Angeles Lakers", "Boca Juniors"),
    "bands": ("The Beatles", "Metallica", "Coldplay"),
    "films and series": ("Titanic", "Game of Thrones", "Spirited Away"),
    "books and songs": ("Don Quixote", "Bohemian Rhapsody", "Things Fall Apart"),
    "journals": ("Nature", "The Lancet"),
    "software": ("Windows 10", "Photoshop", "Python", "Minecraft"),
    "products": ("iPhone", "Boeing 747", "Ford Mustang", "Coca-Cola"),
    "events": ("World War II", "Olympic Games", "French Revolution", "Hurricane Katrina", "Super Bowl"),
    "elections": ("2016 presidential election", "Brexit referendum"),
    "awards": ("Nobel Prize", "Academy Award", "Fields Medal"),
    "languages and peoples": ("Spanish", "Swahili", "Mandarin", "the Maori", "Buddhism"),
    "fields": ("biology", "machine learning", "economics"),
    "methods": ("linear regression", "quicksort", "theory of relativity", "natural selection"),
    "living things": ("oak", "blue whale", "Escherichia coli"),
    "substances": ("water", "gold", "insulin", "carbon dioxide", "hemoglobin"),
    "diseases": ("malaria", "diabetes", "COVID-19"),
    "dates": ("Monday", "12 March 1990", "the 1960s", "last year"),
    "numbers": ("three million", "42 %"),
}  # fmt: skip
EACH = 6  # names of an enumeration


def enumerations() -> Iterator[tuple[list[str], list[tuple[int, int]]]]:
    """All names, of different kinds side by side: words, and the spans of the names."""
    longest = max(map(len, NAMES.values()))
    order = [names[i] for i in range(longest) for names in NAMES.values() if i < len(names)]
    for at in range(0, len(order), EACH):
        words: list[str] = []
        spans = []
        for name in order[at : at + EACH]:
            words += [","] if words else []
            parts = name.split()
            spans.append((len(words), len(words) + len(parts)))
            words += parts
        yield [*words, "."], spans
