"""The innocent groups of design ``f``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks.independent.dealing import terms
from benchmarks.independent.forms import (
    TOWNS,
    case_file,
    home_listing,
    keyword,
    letter,
    paced,
    person,
    review_form,
    topic,
)
from benchmarks.independent.groups import Innocent
from benchmarks.independent.kinds import Infra, Manner, Unit
from benchmarks.independent.packing import trajectory
from benchmarks.independent.people import chat
from benchmarks.independent.scene import Scene
from benchmarks.independent.tempo import geometric
from benchmarks.independent.wordings import company
from harvestdetect.util.periods import DAY

__all__ = ["AGENT", "CARD", "HARNESS", "INNOCENTS_F"]

CARD: Final = (
    "[Character card v2: Captain Iselin Vane of the airship Merle]\nYou are Iselin: dry, brave, hides that she reads "
    "poetry. {user} is the new navigator. Stay in character. Actions between *asterisks*. Never speak for {user}. Slow "
    "burn. The crew: Bo the cook, Teodor the mechanic, a cat named Ballast. Current scene: fog over the Saltmark, the "
    "compass turns for no reason.\n<START>"
)
"""The card that the members of a fan community pass around, with a place for a name."""
HARNESS: Final = (
    "You are Tern, an open source coding agent that runs in the user's terminal. Work on the task until it is done. In "
    "each turn give one shell command in a ```bash block, and nothing after it. You see its output in the next turn. "
    "Prefer small edits with ed or git apply. Never push. Run the tests before you finish. When the task is done, "
    "write "
    "DONE and a summary of at most five lines. If you are blocked, write BLOCKED and the reason.\n\nLimits: 40 turns, "
    "30 "
    "s per command, output is cut after 200 lines."
)
"""The system prompt of a popular coding agent."""
AGENT: Final = Infra(client="rare", owner="agent")
"""The client of that agent, which is the same for everybody who runs it."""
_ACTS: Final = (
    "*[[looks|leans|steps]] [[at the compass|over the rail|closer|away]]* \"[[Captain|Iselin|Ma'am]], [[what is that "
    "light"
    '|how long have you known|we should turn back|tell me about Teodor|who wrote this]]?"',
    '*[[hands her|hides|drops]] [[a cup of tea|the torn map|Ballast|the book of poems]]* [["You should sleep."|"Not '
    'funny."'
    '|"I found it in {town}."|"..."|"I know what you read at night."]]',
    "[[i go to the engine room|I climb the mast|*waits*|we land in {town}]] and [[look for Bo|ask what she wants|draw "
    "my "
    "knife|say nothing|laugh]]",
    "(OOC: [[can we skip to morning|make her less cold|shorter replies pls|bring the pirates in|new scene in {town}]])",
    '"{line}" *[[smiles|shrugs|turns red|salutes]]*',
)
_SAYINGS: Final = (
    "[[I never asked to|You could have told me|We should talk]], [[Captain|Iselin]]. [[I'm not afraid|I was wrong|Look "
    "up]].",
    "[[Teodor|Bo]] [[says|thinks|swears]] you [[once|never]] [[crossed the Saltmark alone|lost a ship|cried at a "
    "song]]",
    "[[Read it to me|Teach me the stars|Let me steer|Stay a while]][[, please|. Just tonight|, or I wake the crew]]",
    "[[If we fall|If they find us|When this is over]], [[I want you to have this|tell my sister|I'm staying aboard]]",
)
_ARTICLE: Final = (
    "Act as an SEO expert with 15 years of experience. Write a 1,200 word article that ranks for the keyword below. "
    "Use "
    "one H1, at least five H2, a FAQ with four questions and a meta description of 155 characters. Keyword density "
    "1-2%. "
    "Write like a human.\n\nKeyword: "
)
_LESSON: Final = (
    "You are an expert teacher. Create a lesson plan of {m} minutes for grade {g} on {term}. Include a hook, direct "
    "instruction, guided practice, exit ticket, and differentiation for three levels. My class: {own}"
)
_CLASSES: Final = (
    "[[24|28|31|19]] kids, [[two|three|five]] with [[an IEP|dyslexia|little English]], [[right after lunch|first period"
    "|double period on Friday]], [[no projector|Chromebooks|a noisy room|outdoors possible]]",
)
_WORD: Final = (
    "You are a Discord bot. Post the jargon word of the day for a server about {own}. Format: **word**, pronunciation, "
    "meaning, "
    "example, emoji. Date: {date}. Do not repeat earlier words: {past}"
)
_SERVERS: Final = (
    "[[retro games|knitting|Formula 1|houseplants|K-pop|chess|astronomy|Warhammer|cooking|metal music|birds]]"
)
_SHOP: Final = (
    "You are ShopMate, the assistant of {shop}. Only talk about our products and policies. Shipping {n}-{m} days, "
    "returns "
    "within {v} days. If you do not know, offer to connect to the team. Be short and friendly.\n\nCustomer: "
)
_FLASHCARDS: Final = (
    "make [[flashcards|anki cards|10 cards|q and a]] from [[this|the slides|lecture {n}]]:\n",
    "[[explain|simplify|summarise]] [[slide {n}|this slide|this part]] [[like im dumb|for the exam|in 5 lines]]\n",
    "quiz me on [[this|lecture {n}]], one question at a time\n",
)
_LISTING: Final = (
    "Write a property listing. Structure: headline (max 9 words), three paragraphs, bullet list, call to action. Warm, "
    "no "
    "clichés, fair housing compliant.\n\nFacts: "
)
_REVIEW: Final = (
    "Performance review season 2026. Using the notes, write the review in our format: Summary (3 sentences), "
    "Strengths, "
    "Development areas, Goals for H1 (SMART), Overall rating. Do not mention health or family.\n\n"
)
_INVOICE: Final = (
    "Extract to JSON: vendor, invoice_no, date (ISO), currency, net, vat_rate, total, due_date, bill_to. Use null if "
    "unreadable. OCR text follows.\n\n"
)
_SIX_WORDS: Final = (
    "Write a [[six|6]]-word story about {own}", "six word story: {own}", "6 words. {own}. make it sad",
    "Improve my six-word story: {own} waited. The train did not.",
    "[[give me|need]] [[10|5|a few]] six word stories about {own} for the #SixForAutumn contest",
)  # fmt: skip
_SUGGESTED: Final = (
    "Help me plan a 7-day trip to Japan on a budget",
    "Write a Python script that renames all files in a folder by date",
    "Compare the pros and cons of buying and leasing a car",
    "Create a study schedule for an exam in two weeks",
    "Explain quantum entanglement with an everyday analogy",
    "Draft a cover letter for a marketing internship",
    "Suggest five names for a coffee shop near a lake",
    "Debug: why does my React component render twice?",
)


def _fans(scene: Scene, count: int) -> list[list[Unit]]:
    """Members of a fan community with one card and a story of their own."""
    found: list[list[Unit]] = []
    for _ in range(count):
        name = person(scene.rng).split()[0]
        own = [scene.say(*_ACTS) for _ in range(scene.heavy(5, 0.9, most=45))]
        own = [text.replace("{town}", scene.rng.choice(TOWNS)).replace("{line}", scene.say(*_SAYINGS)) for text in own]
        found.append([f"{CARD.replace('{user}', name)}\n{name}: {text}" for text in own])
    return found


def _agencies(scene: Scene, count: int) -> list[list[Unit]]:
    """Agencies with a prompt from a popular blog, and the keywords of their customers in several spellings."""
    found: list[list[Unit]] = []
    for _ in range(count):
        start = _ARTICLE if scene.rng.random() < 0.8 else _ARTICLE.replace("1,200", scene.rng.choice(("800", "2,000")))
        house = scene.say("[[|||\nBrand: {c}|\nLanguage: British English|\nLink to {c}]]").replace(
            "{c}", company(scene.rng)
        )
        found.append([start + keyword(scene.rng) + house for _ in range(scene.heavy(10, 0.8, least=1, most=60))])
    return found


def _harness_users(scene: Scene, count: int) -> list[list[Unit]]:
    """Developers with the same coding harness, each with tasks on their own project."""
    found: list[list[Unit]] = []
    for _ in range(count):
        tag, name = scene.rng.choice(scene.library.names("code")), company(scene.rng).split()[0].lower()
        system = f"{HARNESS}\ncwd: /home/dev/{name}"
        tasks = [scene.deck(tag).any() for _ in range(scene.rng.randint(1, 5))]
        found.append([trajectory(scene, system, task, scene.rng.randint(2, 7)) for task in tasks])
    return found


def _shops(scene: Scene, count: int) -> list[list[Unit]]:
    """Shops with the same plugin: its default prompt with own numbers, and what their customers ask."""
    rng, found = scene.rng, []
    intents = [name for name in scene.library.names("utterances") if name.split("/")[1] in _WARES]
    for _ in range(count):
        prompt = _SHOP.replace("{shop}", company(rng)).replace("{n}", str(rng.randint(1, 4)))
        prompt = prompt.replace("{m}", str(rng.randint(5, 12))).replace("{v}", rng.choice(("14", "30", "60")))
        own = [rng.choice(intents or scene.library.names("utterances")) for _ in range(3)]
        found.append([prompt + scene.deck(rng.choice(own)).any() for _ in range(scene.heavy(9, 0.9, most=60))])
    return [list(own) for own in found]


_WARES: Final = ("order", "order_status", "cancel", "redeem_rewards", "rewards_balance", "card_declined", "how_busy")


def _study_group(scene: Scene, count: int) -> list[list[Unit]]:
    """Students of one lecture, who all have the same slides and ask for cards and explanations of them."""
    slides = [scene.cut(text, 250, 700) for text in scene.deal(36, "docs/scientific_abstracts")]
    found: list[list[Unit]] = []
    for _ in range(count):
        chosen = sorted(scene.rng.sample(range(len(slides)), min(len(slides), scene.heavy(5, 0.7, most=20))))
        found.append([scene.say(*_FLASHCARDS).replace("{n}", str(i // 4 + 1)) + slides[i] for i in chosen])
    return found


def _lessons(scene: Scene, count: int) -> list[list[Unit]]:
    """Teachers with a prompt from a group of teachers, and lessons of their own."""
    found: list[list[Unit]] = []
    for _ in range(count):
        mine = _LESSON.replace("{own}", scene.say(*_CLASSES)).replace("{g}", str(scene.rng.randint(2, 12)))
        mine = mine.replace("{m}", scene.rng.choice(("40", "45", "50", "90")))
        found.append([mine.replace("{term}", topic(scene.rng)) for _ in range(geometric(scene.rng, 0.35))])
    return found


def _word_bots(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Hobby bots from one tutorial, which post once a day, each at its own hour, until they are switched off."""
    rng, days = scene.rng, scene.log.days
    words = [word for word in scene.once("terms", lambda: terms(scene)) if " " not in word]
    begin = datetime.fromtimestamp(scene.start, UTC)
    found = []
    for _ in range(count):
        mine, past = _WORD.replace("{own}", scene.say(_SERVERS)), rng.sample(words, 3)
        first, hour, own = rng.randrange(days // 2), rng.randrange(24) / 24, []
        for day in range(first, rng.choice((days, days, rng.randint(first + 1, days)))):
            text = mine.replace("{date}", f"{begin + timedelta(days=day):%d %B}").replace(
                "{past}", ", ".join(past[-8:])
            )
            own.append(((day + hour) * DAY + rng.expovariate(0.3), text))
            past.append(rng.choice(words))
        found.append(own)
    return found


def _reviews(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Managers of one company who write the reviews of their teams before a deadline."""
    found = []
    for _ in range(count):
        texts = [_REVIEW + review_form(scene.rng) for _ in range(scene.heavy(4, 0.6, most=16))]
        first = 5 + 4.5 * scene.rng.betavariate(3, 1.2)
        found.append(paced(scene, texts, "office", first, first + scene.rng.uniform(0.3, 3), zone=-5))
    return found


def _estates(scene: Scene, count: int) -> list[list[Unit]]:
    """Agents of a chain with one template, and the homes that they sell."""
    return [[_LISTING + home_listing(scene.rng) for _ in range(scene.heavy(6, 0.8, most=35))] for _ in range(count)]


def _data_entry(scene: Scene, count: int) -> list[list[Unit]]:
    """The workers of a data entry contractor in three shifts, among whom invoices are divided: a dealt list."""
    return [
        [_INVOICE + case_file(scene.rng) for _ in range(scene.heavy(18, 0.35, least=5, most=40))] for _ in range(count)
    ]


def _contest(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """People who take part in a contest with a deadline."""
    found = []
    for _ in range(count):
        texts = [
            scene.say(*_SIX_WORDS).replace("{own}", scene.say(_SUBJECTS)) for _ in range(geometric(scene.rng, 0.5))
        ]
        day = 3 + 7 * scene.rng.betavariate(2.5, 1)
        found.append([(time, text) for time, text in paced(scene, texts, "people", day, min(10.9, day + 0.6))])
    return found


_SUBJECTS: Final = (
    "[[my [[dog|ex|mother|first car|village]]|autumn|a [[lost glove|locked door|last bus|red kite]]|war|rain]]"
)


def _suggestions(scene: Scene, count: int) -> list[list[Unit]]:
    """New users who press the suggestions of the start page before they ask something of their own."""
    found: list[list[Unit]] = []
    for _ in range(count):
        own: list[Unit] = list(scene.rng.sample(_SUGGESTED, geometric(scene.rng, 0.6) % len(_SUGGESTED) or 1))
        found.append(own + list(chat(scene, scene.rng.randint(0, 5))))
    return found


def _pen_friends(scene: Scene, count: int) -> list[list[tuple[float, str]]]:
    """Pupils of twinned schools who write letters on the same three days, with the frame of their teachers."""
    frame = "Help me with my letter to my pen friend in {town}. Correct it, keep my words.\n\nDear {name},\n{text}"
    found = []
    for _ in range(count):
        name, town, sent = person(scene.rng).split()[0], scene.rng.choice(TOWNS[:3]), []
        for day in (3, 6, 10):
            if scene.rng.random() < 0.75:
                text = letter(scene.rng)
                time = (day + 0.35 + scene.rng.choice((0, 0.06, 0.12)) + scene.rng.uniform(0, 0.03)) * DAY
                sent.append((time, frame.replace("{town}", town).replace("{name}", name).replace("{text}", text)))
        found.append(sent or [((3.4 + scene.rng.random()) * DAY, "how do i start a letter to my pen friend")])
    return found


INNOCENTS_F: Final = (
    Innocent(
        name="fans_of_the_card", what="a fan community with one role-play card, and a story of each member",
        accounts=125,
        side=0.3, share=_fans, manner=Manner(clocks=("people", "evening"), stagger=12),
        infra=Infra(client="few", clients=3),
    ),
    Innocent(
        name="seo_agencies", what="agencies with a prompt from a popular blog, and the keywords of their customers",
        accounts=48, side=0.3, share=_agencies, manner=Manner(clocks=("office", "people", "bursts"), stagger=10),
    ),
    Innocent(
        name="harness_users", what="developers with the same coding harness, each with tasks of their own", accounts=42,
        side=0.2, share=_harness_users, manner=Manner(clocks=("people", "office"), stagger=10, span=6),
        infra=AGENT,
    ),
    Innocent(
        name="shop_plugin", what="shops with the default prompt of one plugin, and the questions of their customers",
        accounts=62, side=0, share=_shops, manner=Manner(clocks=("service", "people"), stagger=8),
        infra=Infra(client="rare"),
    ),
    Innocent(
        name="lecture_slides", what="students of one lecture with the same slides", accounts=60, side=0.6,
        share=_study_group, manner=Manner(clocks=("people",), first=4, last=14, stagger=4, zones=(2,)),
        infra=Infra(client="web"),
    ),
    Innocent(
        name="lesson_planners", what="teachers with a prompt from a group of teachers, and lessons of their own",
        accounts=105, side=0.3, share=_lessons, manner=Manner(clocks=("evening", "weekend", "people"), stagger=12),
        infra=Infra(client="web"),
    ),
    Innocent(
        name="word_bots", what="hobby bots from one tutorial that post once a day", accounts=38, side=0.2,
        timed=_word_bots, infra=Infra(client="few", clients=3),
    ),
    Innocent(
        name="review_season", what="managers of one company who write the reviews of their teams before a deadline",
        accounts=75, side=0.3, timed=_reviews, infra=Infra(client="web"),
    ),
    Innocent(
        name="estate_agents", what="agents of a chain with one template, and the homes that they sell", accounts=54,
        side=0.2, share=_estates, manner=Manner(clocks=("office", "shifts"), stagger=6, zones=(-5, -6, -8)),
        infra=Infra(client="web"),
    ),
    Innocent(
        name="data_entry", what="the workers of a data entry contractor in three shifts, who divide invoices",
        accounts=32,
        side=0, share=_data_entry, manner=Manner(clocks=("shifts",), stagger=1, zones=(5,)), infra=Infra(client="rare"),
    ),
    Innocent(
        name="story_contest", what="people who take part in a contest for stories of six words", accounts=115, side=0.6,
        timed=_contest, infra=Infra(client="web"),
    ),
    Innocent(
        name="suggested_prompts", what="new users who press the suggestions of the start page", accounts=160, side=0.2,
        share=_suggestions, manner=Manner(clocks=("people",), stagger=16, span=2), infra=Infra(client="web"),
    ),
    Innocent(
        name="pen_friends", what="pupils of twinned schools who write letters in the same lessons",
        accounts=70, side=0.2,
        timed=_pen_friends, infra=Infra(client="web"),
    ),
)  # fmt: skip
"""Groups that share a card, a prompt from a blog, a harness, a plugin, slides, a deadline or a shift."""
