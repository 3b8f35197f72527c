"""Forms that people fill in at work, and other invented private data that looks real."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from benchmarks.independent.kinds import Clock
from benchmarks.independent.scene import Scene
from benchmarks.independent.wordings import company, say

__all__ = [
    *("TOWNS", "branch_report", "case_file", "home_listing", "keyword", "letter", "paced", "person", "resume"),
    *("review_form", "tenant_message", "topic", "with_details"),
]

_FIRST: Final = (
    *("Amara", "Jonas", "Mei", "Sofia", "Tariq", "Elena", "Luis", "Priya", "Owen", "Hana", "Piotr", "Fatou", "Greta"),
    *("Diego", "Ingrid", "Kofi", "Leila", "Marco", "Nadia", "Oscar", "Rosa", "Samir", "Tess", "Yuki", "Zoe", "Ben"),
)
_LAST: Final = (
    *("Okafor", "Lindgren", "Chen", "Marino", "Haddad", "Novak", "Alvarez", "Sharma", "Price", "Sato", "Kowalski"),
    *("Diallo", "Becker", "Romero", "Dahl", "Mensah", "Karimi", "Ricci", "Petrov", "Silva", "Nguyen", "Murphy", "Roy"),
)
TOWNS: Final = (
    *("Leeds", "Porto", "Tampa", "Graz", "Lyon", "Austin", "Cork", "Ghent", "Malmo", "Turin", "Perth", "Pune", "Kyoto"),
    *("Halifax", "Bilbao", "Gdansk", "Tucson", "Bergen", "Brno", "Quito", "Cebu", "Dayton", "Utrecht", "Izmir"),
)
_JOBS: Final = (
    *("warehouse lead", "nurse", "account manager", "data analyst", "electrician", "line cook", "payroll clerk"),
    *("front-end developer", "buyer", "site engineer", "receptionist", "sales assistant", "lab technician", "driver"),
)
_SKILLS: Final = (
    *("Excel", "SAP", "forklift licence", "Spanish", "Python", "stock control", "triage", "Figma", "first aid"),
    *("negotiation", "welding", "Salesforce", "scheduling", "AutoCAD", "customer complaints", "SQL", "shift planning"),
)
_TOPICS: Final = (
    *("photosynthesis", "fractions", "the water cycle", "the French Revolution", "magnets", "persuasive writing"),
    *("plate tectonics", "Romeo and Juliet", "probability", "the digestive system", "haiku", "the Silk Road", "atoms"),
    *("adjectives", "volcanoes", "linear equations", "the Cold War", "food webs", "poetry of the Harlem Renaissance"),
    *("simple machines", "the solar system", "decimals", "city states of Greece", "vaccines", "telling the time"),
    *("climate zones", "Newton's laws", "the Constitution", "metaphors", "cell division", "coding with Scratch"),
    *("inflation", "the Aztecs", "symmetry", "renewable energy", "conflict in stories", "sound waves", "budgeting"),
)
_NEWS: Final = (
    "[[My|Our]] [[dog|cat|rabbit|hamster]] is called {p} and [[he|she]] is {n} years old",
    "On [[Saturday|Sunday|Friday]] I [[was|go|went]] [[swimming|to the cinema|to my grandparents|in the forest]] with "
    "{p}",
    "My favourite [[food|subject|sport|band]] [[is|are]] [[noodles|maths|handball|art|pizza|music|biology|football]]",
    "I [[have|has]] {n} [[cousins|brothers|teachers|friends in my class]], the best is {p}",
    "In {t} it [[is|was]] [[raining all week|very hot|snow|windy]] and we [[can not|do not]] [[play outside|go to the "
    "park]]",
    "What [[do you do|you are doing|did you do]] in the [[holidays|break|evening]]?",
    "[[Next|Last]] [[month|week]] we [[had|have]] a [[test|school trip to {t}|concert|sports day]]",
    "Do you [[like|likes]] [[Minecraft|chess|drawing|K-pop|cooking]]? I [[love|hate]] it",
)
_TENANCY: Final = (
    "[[my landlord|the agency|the owner|the new owner]] [[wants me out by {d}|raised the rent from {r} to {s}|keeps my "
    "deposit of {r}|comes in without asking|charges {n}0 for [[cleaning|the lift|a letter|a new key]]]]",
    "the [[boiler|lift|roof|window|shower|front door]] is [[broken|leaking|mouldy]] since {d} and [[nobody comes|they "
    "say "
    "it is my fault|{p} from the office laughs at me]]",
    "they [[cut off|turned off]] the [[heating|water|electricity]] on {d}",
    "I live here since {y} with [[my {n} kids|my mother|two flatmates|a dog]] on floor {n}",
    "the contract [[says nothing|ends on {d}|is only spoken|is with my ex {p}]]",
    "I [[paid every month|am {n} weeks late|have photos|wrote to them on {d}]]",
    "the neighbour {p} [[complains about noise|smokes on the stairs|has the same problem]]",
)
_TRADES: Final = (
    *(
        "plumber",
        "dentist",
        "wedding photographer",
        "roof repair",
        "personal injury lawyer",
        "dog groomer",
        "yoga studio",
    ),
    *("used cars", "accountant", "carpet cleaning", "vegan restaurant", "solar panels", "physiotherapist", "locksmith"),
    *("moving company", "air conditioning", "garden design", "driving school", "coworking space", "tattoo studio"),
)


def paced(
    scene: Scene, texts: Sequence[str], clock: Clock, first: float, last: float, *, zone: int | None = None
) -> list[tuple[float, str]]:
    """Texts with times between two days, in seconds from the start of the dump."""
    times = scene.tempo.times(clock, len(texts), first, last, zone=zone)
    return [(time - scene.start, text) for time, text in zip(times, texts, strict=True)]


def person(rng: random.Random) -> str:
    """The name of a person."""
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def resume(rng: random.Random) -> str:
    """The curriculum vitae of an applicant, as a form of an agency exports it."""
    year, lines = rng.randint(1996, 2016), []
    while year < 2025:
        until = min(2025, year + rng.randint(1, 6))
        what = say(rng, "[[team of {n}|reported to the owner|nights and weekends|{n} customers a day|two sites|]]")
        what = what.replace("{n}", str(rng.randint(3, 60)))
        lines.append(
            f"{year}-{until} {rng.choice(_JOBS)}, {company(rng)}, {rng.choice(TOWNS)}{'; ' + what if what else ''}"
        )
        year = until
    skills = ", ".join(rng.sample(_SKILLS, rng.randint(2, 6)))
    end = say(rng, "[[Available from {m}|Notice period {m} weeks|Driving licence, own car|References on request|]]")
    return (
        f"{person(rng)}\n"
        + "\n".join(lines[-4:])
        + f"\nSkills: {skills}\n{end.replace('{m}', str(rng.randint(1, 12)))}"
    )


def branch_report(rng: random.Random, branch: str) -> str:
    """The figures of one day of a branch."""
    staff, sales = rng.randint(2, 9), rng.randint(600, 7_400)
    note = say(
        rng,
        "[[oven {n} down till noon|delivery late again|school group at {h}|quiet, rain all day|new hire {p} on till"
        "|card terminal offline {n}0 min|ran out of buns|complaint about cold fries, refunded|nothing special"
        "|{p} off sick|health inspector visited, ok|local derby, very busy after {h}]]",
    )
    note = note.replace("{n}", str(rng.randint(1, 5))).replace("{h}", f"{rng.randint(11, 20)}h")
    waste = f"{rng.uniform(0.4, 6):.1f}"
    return (
        f"Branch: {branch}\nStaff on duty: {staff}\nSales: {sales}\nOrders: {int(sales / rng.uniform(8, 14))}\n"
        f"Waste %: {waste}\nNotes: {note.replace('{p}', person(rng).split()[0])}"
    )


def review_form(rng: random.Random) -> str:
    """The notes of a manager about a member of the team."""
    good = say(
        rng,
        "[[took over the {s} work|trained {n} juniors|closed {n}0 tickets a week|calm with customers"
        "|kept the audit on time|fixed the {s} mess|always covers shifts]]",
    )
    weak = say(
        rng,
        "[[late with reports|does not delegate|too quiet in meetings|needs {s}|misses details under pressure"
        "|argued with {p}|documentation is thin|none really]]",
    )
    text = f"Name: {person(rng)}\nRole: {rng.choice(_JOBS)}\nYears: {rng.randint(1, 14)}\nStrong: {good}\nWeak: {weak}"
    text = text.replace("{n}", str(rng.randint(2, 9))).replace("{s}", rng.choice(_SKILLS))
    return text.replace("{p}", person(rng).split()[0]) + f"\nRating: {rng.choice('223334445')}/5"


def home_listing(rng: random.Random) -> str:
    """The facts about a home that is for sale."""
    extra = say(
        rng,
        "[[south-facing balcony|needs a new roof|renovated {y}|sea view|by the tram|cellar|old trees"
        "|no lift|corner plot|heat pump {y}|tenant until next spring|garage for two]]",
    )
    kind = rng.choice(("flat", "semi-detached house", "bungalow", "loft", "townhouse", "farmhouse", "studio"))
    price, size = rng.randint(79, 1_240), rng.randint(28, 260)
    return (
        f"{kind}, {rng.choice(TOWNS)}, {size} m2, {1 + size // rng.randint(35, 60)} bedrooms, built "
        f"{rng.randint(1890, 2024)}, price {price},{rng.choice(('000', '500', '900'))}, "
        f"{extra.replace('{y}', str(rng.randint(2008, 2025)))}, {rng.randint(2, 25)} min to the station"
    )


def case_file(rng: random.Random) -> str:
    """A scanned invoice, as characters that a machine has read."""
    lines = [
        f"{rng.randint(1, 40)} x {rng.choice(_SKILLS).title()} {rng.choice(('kit', 'course', 'service', 'fee'))} "
        f"{rng.randint(3, 900)}.{rng.randrange(100):02d}"
        for _ in range(rng.randint(1, 5))
    ]
    start = rng.choice(("INVOICE", "Rechnung", "FACTURA", "Invoice No", "lnvoice"))
    return (
        f"{company(rng)}\n{start} {rng.randint(1_000, 99_999)}/{rng.randint(24, 26)}  {rng.choice(TOWNS)} "
        f"{rng.randint(1, 28)}.{rng.randint(1, 12)}.26\n"
        + "\n".join(lines)
        + f"\nVAT {rng.choice((5, 7, 19, 20, 21))}% "
        f"TOTAL {rng.randint(20, 9_000)}.{rng.randrange(100):02d}  due {rng.randint(7, 60)} d\nBill to: {person(rng)}"
    )


def keyword(rng: random.Random) -> str:
    """What a customer of an agency wants to be found for."""
    trade, town = rng.choice(_TRADES), rng.choice(TOWNS)
    return say(
        rng, f"[[best |cheap |emergency |top rated |affordable ||]]{trade} [[in |near |]]{town}[[| prices| reviews]]"
    )


def topic(rng: random.Random) -> str:
    """A topic of a lesson, or of somebody who is curious."""
    return rng.choice(_TOPICS)


def letter(rng: random.Random) -> str:
    """A few sentences of a pupil who learns a language."""
    return ". ".join(with_details(rng, wording) for wording in rng.sample(_NEWS, rng.randint(3, 5))).replace("?.", "?")


def tenant_message(rng: random.Random) -> str:
    """What a tenant writes to a helpline."""
    said = rng.sample(_TENANCY, rng.randint(2, 4))
    asked = say(
        rng, "[[What can I do?|Is that legal?|Please help|Can they do that|Do I have to leave?|pls answer fast|]]"
    )
    return f"{'. '.join(with_details(rng, wording) for wording in said)}. {asked}".strip()


def with_details(rng: random.Random, wording: str) -> str:
    """A wording with names, numbers and dates in its slots."""
    rent = rng.randint(380, 1_700)
    values = {
        "{p}": person(rng).split()[0],
        "{n}": str(rng.randint(2, 9)),
        "{t}": rng.choice(TOWNS),
        "{d}": f"{rng.randint(1, 28)} {rng.choice(('January', 'February', 'March', 'April'))}",
        "{r}": str(rent),
        "{s}": str(int(rent * rng.uniform(1.04, 1.4))),
        "{y}": str(rng.randint(1988, 2025)),
    }
    text = say(rng, wording)
    for slot, value in values.items():
        text = text.replace(slot, value)
    return text
