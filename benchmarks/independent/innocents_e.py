"""The innocent groups of design ``e``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.independent.forms import TOWNS, branch_report, paced, person, resume, tenant_message, topic
from benchmarks.independent.groups import Innocent
from benchmarks.independent.kinds import Clock, Infra, Manner, Unit
from benchmarks.independent.packing import tool_schema
from benchmarks.independent.people import Data, chat, own_data, system_prompt
from benchmarks.independent.scene import Scene
from benchmarks.independent.tempo import geometric
from benchmarks.independent.wordings import LANGUAGES, MORE_LANGUAGES, company
from harvestdetect.util.periods import DAY

__all__ = ["INNOCENTS_E", "RESELLER", "customers"]

RESELLER: Final = Infra(
    network="pool", addresses=24, client="few", clients=3, signup="aged", payment="pool", cards=16, owner="reseller"
)
"""A reseller's addresses, clients and cards, behind which a campaign hides too."""
_CANNED: Final = (
    "Write a [[birthday|wedding|get well|thank you]] message for my [[mom|boss|best friend|neighbour|sister]]",
    "Give me [[3|5]] captions for a photo of [[my dog|the beach|my lunch|a sunset|my new bike|the kids]]",
    "Explain {term} like I'm 5",
    "What can I cook with [[eggs|rice|chicken|leftover pasta|lentils]] and [[tomatoes|spinach|cheese|an onion]]?",
    "Plan a weekend in {town} for [[two|a family of four|me and my dog]]",
    "Fix my grammar: {line}",
    "Make this text sound more confident: {line}",
    "Translate to [[Spanish|French|German|Japanese|Italian]]: {line}",
    "Tell me something interesting",
    "Motivate me for today",
    "Give me a [[10|20]] minute workout [[without equipment|for my back|at my desk]]",
    "Suggest a [[movie|book|series]] like [[Dune|Inception|Friends|Heat|Up]]",
    "Write a dating profile for a [[nurse|teacher|student|chef]] who likes [[hiking|cats|board games|wine]]",
)
_WEEKLY: Final = (
    "Act as my future self, ten years from now. Ask me three questions about {own}, one at a time, then tell me what I "
    "should stop doing this month.",
    "List the hidden assumptions in how I think about {own}. For each, give one cheap experiment that could prove it "
    "wrong within a week.",
    "You are a ruthless editor of calendars. Here is how I spend my week on {own}. Cut it by half and defend each cut.",
    "Write the pre-mortem of {own}: it is one year later and it failed. What happened, month by month?",
    "Explain {own} to me three times: as a rival would, as a beginner would, and as a historian would in 2080.",
    "Turn {own} into a one-page checklist that a tired person can follow at 6 am. No more than 12 lines.",
    "Give me the 20 percent of {own} that brings 80 percent of the result, and a plan of 30 minutes a day.",
    "Be a friendly sceptic. I will defend {own}; raise your strongest doubt first and score my reply.",
)
_OWN_MATTERS: Final = (
    "my [[newsletter|thesis|garden|startup|running training|marriage|home office|podcast|savings|job search|choir]]",
    "learning [[Spanish|the piano|Rust|to swim|chess|to say no]]",
    "[[our move to {town}|the flat in {town}|a bakery in {town}]]",
    "[[raising twins|my team of six|my fear of flying|early retirement|selling candles online|the PTA]]",
)
_RECIPES: Final[tuple[tuple[Data, str], ...]] = (
    (
        "utterances",
        "Summarize the form response in one sentence and pick a label from: sales, support, spam, other.\n\n",
    ),
    (
        "documents",
        "Extract name, company, email and phone from this email as JSON. Leave missing fields empty.\n\nBody:\n",
    ),
    ("documents", "Write a short LinkedIn post from this blog item. Use 3 hashtags. Do not use emojis.\n\nItem: "),
    ("utterances", "Is this message urgent? Reply only yes or no, then a reason of at most 8 words.\n\nMessage: "),
    ("utterances", "Draft a polite reply to this customer. Sign as the team. Keep under 90 words.\n\nCustomer wrote: "),
    ("languages", "Translate the row to English and keep the column names.\n\nRow:\n"),
    ("documents", "Give this meeting note a title, action items and owners.\n\nNote:\n"),
)
"""Recipes of an automation service, with the kind of data that they are made for."""
_MODULES: Final = (
    (
        "Write a prompt that asks for a packing list for {town}. Then answer it.",
        "What is a large language model? I am {own}.",
    ),
    (
        "Role: travel agent. Task: three days in {town}. Format: table.",
        "Rewrite my prompt so that it is more specific: {line}",
    ),
    ("Think about {own}. List pros, cons and unknowns.", "Give two examples, then classify this: {line}"),
    ("Summarise {term} for a busy reader in {town}.", "Critique your last answer and improve it."),
    ("Make a quiz of 5 questions about {term}.", "Final project: an assistant for {own}. Write its instructions."),
)
_GUIDELINE: Final = (
    "You help me annotate entries of the Open Notes set. Give: tone (positive, neutral, negative), subject in two "
    "words, "
    "one word that decided it, and unclear=yes if a reader could disagree.\n\nEntry:\n"
)
_SUBTITLES: Final = (
    "Translate these subtitles into {l}. Keep numbers and timecodes, max 42 characters a line.\n\n",
    "{l} subtitles please, same numbering, natural speech, no notes:\n\n",
    "You are a subtitler. Source below, target {l}. Do not merge lines.\n\n",
)
_WRITING_CENTRE: Final = (
    "Check the paragraph for academic style. Do not rewrite it; list problems with line references.\n\n",
    "Which claims in this paragraph need a citation? Quote each one.\n\n",
    "Is the paragraph coherent? Name the topic sentence and any sentence that does not belong.\n\n",
)


def _slots(scene: Scene, text: str) -> str:
    """A text with a person's own words in its slots."""
    if "{own}" in text:
        text = text.replace("{own}", scene.say(*_OWN_MATTERS))
    if "{line}" in text:
        text = text.replace("{line}", scene.deck(scene.rng.choice(scene.library.names("utterances"))).any())
    if "{term}" in text:
        text = text.replace("{term}", topic(scene.rng))
    return text.replace("{town}", scene.rng.choice(TOWNS))


def customers(scene: Scene, count: int) -> list[str]:
    """What several unrelated customers of a reseller send through one account."""
    rng = scene.rng
    found: list[str] = []
    while len(found) < count:
        number = min(count - len(found), rng.randint(2, 9))
        if rng.random() < 0.55:
            found += chat(scene, number)
            continue
        prompt, own = system_prompt(scene), own_data(scene)
        found += [f"{prompt}\n\n{own()}" for _ in range(number)]
    rng.shuffle(found)
    return found


def _reseller(scene: Scene, count: int) -> list[list[Unit]]:
    return [list(customers(scene, scene.heavy(13, 0.7, least=3, most=60))) for _ in range(count)]


def _rollout(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """An employer that gives a tool to one department after the other; each begins with the same training."""
    rng, days = scene.rng, scene.log.days
    prompt = f"You are Compass, the writing assistant of {company(rng)}. Follow the house style. Be brief.\n\n"
    training = (
        "Summarise the travel policy in three bullets.",
        "Draft an email that declines a meeting.",
        "Turn these notes into minutes: budget ok, launch moved to May, Ana to call the printer.",
    )
    domains = ("finance_filings", "manual_installguide", "changelogs", "government_blog", "product_reviews")
    asks = "[[Shorten|Rewrite|Summarise|Reply to|Find mistakes in|What is missing in]][[ this| the text|]]: "
    found = []
    for number in range(count):
        department = number * 6 // count
        start = 3 + 8 * department + 0.35
        own = paced(scene, training[: rng.randint(1, 3)], "office", start, start + 0.4, zone=1)
        texts = scene.passages(scene.heavy(3, 0.9, most=25), domains[department % len(domains)], most=700)
        later = paced(scene, [scene.say(asks) + text for text in texts], "office", start + 0.5, days, zone=1)
        found.append([(time, prompt + text) for time, text in (*own, *later)])
    return found


def _volunteers(scene: Scene, count: int) -> list[list[Unit]]:
    """Volunteers who label a public set; a queue gives each entry to three of them."""
    rng = scene.rng
    sizes = [scene.heavy(6, 1.0, most=50) for _ in range(count)]
    entries = [text[:500] for text in scene.deal(max(1, sum(sizes) // 3), "docs/museum_tate", "docs/wine_reviews")]
    queue, found = entries * 4, []
    for size in rng.sample(sizes, len(sizes)):
        own, queue = queue[:size], queue[size:] or entries
        found.append([_GUIDELINE + text for text in dict.fromkeys(own)])
    return [list(own) for own in found]


def _canned(scene: Scene, count: int) -> list[list[Unit]]:
    """Users of a mobile application with buttons; some buttons leave a place for own words."""
    return [
        [_slots(scene, scene.say(scene.rng.choice(_CANNED))) for _ in range(scene.heavy(2.5, 0.9, most=30))]
        for _ in range(count)
    ]


def _subtitled(scene: Scene, count: int) -> list[list[Unit]]:
    """Translators of subtitles, each with a film of their own, which goes in one piece after the other."""
    rng, found = scene.rng, []
    languages = (*list(LANGUAGES.values())[:12], *MORE_LANGUAGES)
    for _ in range(count):
        wording = rng.choice(_SUBTITLES).replace("{l}", rng.choice(languages))
        texts = rng.sample(scene.library.pools["docs/overheard_talk"], 15) + scene.deck("docs/drama_shakespeare").take(
            15
        )
        lines = [line.strip()[:80] for text in texts for line in text.split("\n") if len(line) > 12]
        own: list[Unit] = []
        number, second = rng.randint(1, 300), rng.uniform(20, 2_000)
        for _ in range(scene.heavy(12, 0.6, least=3, most=40)):
            block = ""
            for _ in range(rng.randint(5, 10)):
                end = second + rng.uniform(1, 4)
                block += f"{number}\n{_code(second)} --> {_code(end)}\n{rng.choice(lines)}\n\n"
                number, second = number + 1, end + rng.expovariate(0.5)
            own.append(wording + block.strip())
        found.append(own)
    return found


def _code(seconds: float) -> str:
    """A time as subtitles have it."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{int(seconds % 1 * 1_000):03d}"


def _newsletter(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Readers of a newsletter who try its prompt of the week, most of them on the day when it comes."""
    rng, days = scene.rng, scene.log.days
    weeks = [week for week in range(len(_WEEKLY)) if 1.3 + 7 * week < days - 1]
    found = []
    for _ in range(count):
        own = sorted({rng.choice(weeks) for _ in range(geometric(rng, 0.55))})
        sent = []
        for week in own:
            text = _WEEKLY[week] if rng.random() < 0.25 else _slots(scene, _WEEKLY[week])
            text = text.replace("{own}", "[TOPIC]") + (
                _slots(scene, " Also about {own}.") if rng.random() < 0.2 else ""
            )
            sent.append((min(days - 0.1, 1.3 + 7 * week + rng.expovariate(0.8)) * DAY, text))
        found.append(sent)
    return found


def _branches(scene: Scene, count: int) -> list[list[Unit]]:
    """Branches of a franchise that fill in the same form after closing on most days."""
    prompt = (
        "Daily close-out. Write the report for the area manager from the form: 4 sentences, compare with a normal day, "
        "one suggestion for tomorrow.\n\n"
    )
    found: list[list[Unit]] = []
    for number in range(count):
        place = scene.rng.choice(("Centre", "Station", "North", "Mall", "Airport"))
        branch = f"{scene.rng.choice(TOWNS)} {place} #{number + 11}"
        found.append([prompt + branch_report(scene.rng, branch) for _ in range(scene.rng.randint(6, 30))])
    return found


def _automations(scene: Scene, count: int) -> list[list[Unit]]:
    """Customers of an automation service who take a public recipe and run it on data of their own."""
    rng = scene.rng
    found: list[list[Unit]] = []
    for _ in range(count):
        kind, recipe = rng.choices(_RECIPES, weights=(6, 5, 4, 3, 2, 1, 1))[0]
        if rng.random() < 0.25:
            recipe = f"{recipe}({company(rng)})\n"
        own = own_data(scene, kind)
        found.append([recipe + own()[:900] for _ in range(scene.heavy(8, 0.9, least=1, most=52))])
    return found


def _monday_course(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Cohorts of an online course that start on Mondays: a module a week, until somebody gives up."""
    rng, days, found = scene.rng, scene.log.days, []
    for _ in range(count):
        start, sent = 7 * rng.randrange(1, 6), []
        for week, module in enumerate(_MODULES):
            first = start + 7 * week
            if first > days - 1 or (week and rng.random() < 0.25):
                break
            texts = [_slots(scene, text) for text in module[: rng.randint(1, 2)]]
            if rng.random() < 0.5:
                texts += chat(scene, rng.randint(1, 2))
            sent += paced(scene, texts, "people", first, min(days, first + rng.uniform(0.4, 6)))
        found.append(sent)
    return found


def _screening(scene: Scene, count: int) -> list[list[Unit]]:
    """Recruiters of one agency with one prompt, the positions of the agency's clients, and applicants of their own."""
    rng = scene.rng
    prompt = (
        "Screen this candidate against the job. Output: fit (0-5), must-haves met, gaps, two interview questions, and "
        "a line that I can send to the client.\n\nJOB: "
    )
    jobs = [
        f"{rng.choice(('Senior', 'Junior', ''))} {scene.say(_JOBS)} at {company(rng)}, {rng.choice(TOWNS)}"
        for _ in range(14)
    ]
    found: list[list[Unit]] = []
    for _ in range(count):
        own, number = rng.sample(jobs, 2), scene.heavy(9, 0.7, least=2, most=40)
        found.append([f"{prompt}{rng.choice(own).strip()}\n\nCANDIDATE:\n{resume(rng)}" for _ in range(number)])
    return found


_JOBS: Final = "[[buyer|site engineer|payroll clerk|data analyst|shift supervisor|account manager|lab technician]]"


def _tool_developers(scene: Scene, count: int) -> list[list[Unit]]:
    """Developers of applications with tools, each with a schema and users of its own."""
    rng, found = scene.rng, []
    usual = ("", "", "The user-visible reason for this call.")
    for _ in range(count):
        role = rng.choice(("Use the tools.", "You can call:", "Available tools:", "functions =", "TOOLS"))
        schema = tool_schema(scene, extra=rng.choice(usual), tools=rng.randint(1, 4))
        own = own_data(scene, rng.choice(("utterances", "utterances", "languages")))
        found.append([f"{role}\n{schema}\nuser: {own()[:300]}" for _ in range(scene.heavy(7, 1.0, most=60))])
    return [list(own) for own in found]


def _thesis(scene: Scene, count: int) -> list[list[Unit]]:
    """Thesis writers with the three prompts of their writing centre, and chapters of their own."""
    fields = ("scientific_abstracts", "scientific_abstracts", "finance_filings", "news_abc")
    found: list[list[Unit]] = []
    for _ in range(count):
        own, field = list(_WRITING_CENTRE[: scene.rng.randint(1, 3)]), f"docs/{scene.rng.choice(fields)}"
        chapter = scene.deck(field).take(5)
        number = scene.heavy(6, 0.7, most=30)
        found.append([scene.rng.choice(own) + scene.cut(scene.rng.choice(chapter), 250, 900) for _ in range(number)])
    return found


def _signed(scene: Scene) -> Callable[[str], str]:
    """What a volunteer of a helpline adds to each message."""
    name = person(scene.rng).split()[0]
    return lambda text: f"{text}\n(shift: {name})"


def _helpline(scene: Scene, count: int) -> list[list[Unit]]:
    """Volunteers of a helpline for tenants who draft replies with one prompt, in shifts."""
    prompt = (
        "Tenant helpline. Draft a kind reply: what the law says in general, what to do this week, whom to call. Not "
        "legal advice. Message from the tenant:\n"
    )
    found: list[list[Unit]] = []
    for _ in range(count):
        sign = _signed(scene)
        found.append([prompt + sign(tenant_message(scene.rng)) for _ in range(scene.heavy(8, 0.6, least=2, most=30))])
    return found


_PROGRAMS: Final[tuple[Clock, ...]] = ("schedule", "schedule", "nightly", "service")
INNOCENTS_E: Final = (
    Innocent(
        name="rollout_departments", what="an employer that gives a tool to one department after the other",
        accounts=140, side=0.1, timed=_rollout,
        infra=Infra(network="office", addresses=8, client="web", signup="instant", payment="pool"),
    ),
    Innocent(
        name="label_volunteers", what="volunteers who label a public set; each entry goes to three of them",
        accounts=65, side=0.5, share=_volunteers, manner=Manner(clocks=("people",), first=6, stagger=34, span=12),
        infra=Infra(network="home", payment="none"),
    ),
    Innocent(
        name="canned_app", what="users of a mobile application with canned prompts", accounts=240, side=0,
        share=_canned, manner=Manner(clocks=("people",), stagger=45, span=20),
        infra=Infra(network="mobile", client="rare", signup="instant", payment="none"),
    ),
    Innocent(
        name="subtitlers", what="translators of subtitles, each with an own film", accounts=36, share=_subtitled,
        manner=Manner(clocks=("people", "evening"), stagger=30, span=18), infra=Infra(network="home"),
    ),
    Innocent(
        name="prompt_of_the_week", what="readers of a newsletter with the prompt of the week", accounts=170, side=0.6,
        timed=_newsletter, infra=Infra(client="web"),
    ),
    Innocent(
        name="franchise_reports", what="branches of a franchise that fill in the same form after closing", accounts=58,
        side=0.05, share=_branches, manner=Manner(clocks=("evening",), stagger=6, zones=(-6, -5, -5)),
        infra=Infra(network="home", client="few", signup="burst", day=-40, payment="pool"),
    ),
    Innocent(
        name="reseller_customers", what="accounts of a reseller with the traffic of unrelated customers", accounts=85,
        side=0, share=_reseller, manner=Manner(clocks=("steady",), stagger=14), infra=RESELLER,
    ),
    Innocent(
        name="automation_jobs", what="customers of an automation service with scheduled recipes and data of their own",
        accounts=105, side=0.1, share=_automations, manner=Manner(clocks=_PROGRAMS, stagger=40),
        infra=Infra(network="pool", addresses=10, client="rare"),
    ),
    Innocent(
        name="monday_course", what="cohorts of an online course that start on Mondays", accounts=115, side=0.3,
        timed=_monday_course, infra=Infra(network="home", client="web", signup="instant"),
    ),
    Innocent(
        name="recruiters", what="recruiters of one agency with one screening prompt, and applicants of their own",
        accounts=38, side=0.4, share=_screening, manner=Manner(clocks=("office",), zones=(0,)),
        infra=Infra(network="office", addresses=3, client="web", signup="aged", payment="pool"),
    ),
    Innocent(
        name="tool_developers", what="developers of applications with tools, each with a schema and users of its own",
        accounts=60, side=0.1, share=_tool_developers,
        manner=Manner(clocks=("service", "people", "bursts", "schedule"), stagger=40, span=30),
        infra=Infra(network="hosting"),
    ),
    Innocent(
        name="thesis_writers", what="thesis writers with the prompts of their writing centre", accounts=55,
        side=0.6, share=_thesis, manner=Manner(clocks=("people",), first=10, last=45, stagger=10, zones=(1,)),
        infra=Infra(network="office", addresses=6, client="web", payment="none"),
    ),
    Innocent(
        name="tenant_helpline", what="volunteers of a helpline with one prompt, in shifts", accounts=30, side=0.3,
        share=_helpline, manner=Manner(clocks=("shifts", "evening"), stagger=20, zones=(1,)),
        infra=Infra(network="home", client="web", payment="pool", cards=1),
    ),
)  # fmt: skip
"""Groups that share an employer, a queue, an application, a newsletter, a form, a reseller or a course."""
