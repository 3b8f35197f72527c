"""The words of the simulated texts: lists of phrases between bars.

Long because it is data.

``DOMAINS`` names the subjects that people write about. A domain has things, ways to ask about a thing, and
circumstances that a person adds. Phrases use the notation of :mod:`harvestdetect.simulate.grammar`.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DOMAINS", "RULES", "SHORT", "split"]


def split(text: str) -> list[str]:
    """The phrases between bars; white space becomes one space, and ``\\n`` a line feed."""
    phrases = (" ".join(part.split()) for part in text.split("|"))
    return [re.sub(r" ?\\n ?", "\n", phrase) for phrase in phrases if phrase]


# ---------------------------------------------------------------- general vocabulary

_LISTS: Final[dict[str, str]] = {
    "name": """Ada|Aisha|Akira|Alejandro|Amara|Amina|Anders|Anika|Antoine|Arjun|Astrid|Bashir|Beatriz|
        Bjorn|Bo|Camille|Carlos|Chidi|Chloe|Dana|Daniela|Darius|Deepa|Dmitri|Ebony|Eduardo|Elif|Emeka|
        Emil|Esra|Farid|Fatou|Felix|Fiona|Gabriel|Giulia|Greta|Hana|Hassan|Helena|Hugo|Ibrahim|Ines|
        Ivan|Jamal|Jana|Jin|Joao|Jonas|Kaito|Karim|Katya|Kofi|Kwame|Lars|Leila|Lena|Liam|Lucia|Magda|
        Malik|Marcus|Maren|Mateo|Mei|Milan|Mina|Mohan|Nadia|Naomi|Nia|Nikhil|Nora|Olga|Omar|Oscar|Paolo|
        Petra|Priya|Quentin|Rafael|Rania|Ravi|Rosa|Ruben|Sadie|Salma|Samir|Sanna|Selim|Simone|Sofia|
        Stefan|Sunita|Svetlana|Tamar|Tariq|Thea|Theo|Tomas|Uma|Valeria|Vikram|Wanjiru|Wei|Xiomara|Yara|
        Yusuf|Zainab|Zoe""",
    "city": """Accra|Adelaide|Ankara|Antwerp|Athens|Auckland|Baku|Bangalore|Barcelona|Belfast|Bergen|
        Bilbao|Bogota|Boise|Bologna|Brno|Busan|Calgary|Cape Town|Cardiff|Casablanca|Cebu|Chennai|
        Cleveland|Cologne|Cordoba|Cork|Dakar|Denver|Dhaka|Dresden|Durban|Fukuoka|Gdansk|Geneva|Ghent|
        Glasgow|Granada|Graz|Guadalajara|Halifax|Hanoi|Helsinki|Hobart|Houston|Izmir|Jaipur|Kampala|
        Kigali|Krakow|Kyoto|Lagos|Leeds|Leipzig|Lima|Lisbon|Ljubljana|Lyon|Malmo|Manchester|Manila|
        Marseille|Medellin|Memphis|Montevideo|Montreal|Mumbai|Nairobi|Naples|Nantes|Osaka|Oslo|Ottawa|
        Perth|Porto|Prague|Pune|Quito|Reykjavik|Riga|Rosario|Rotterdam|Salzburg|Santiago|Sapporo|
        Seattle|Seville|Sofia|Split|Tallinn|Tampere|Tbilisi|Tucson|Tunis|Turin|Utrecht|Valencia|Vilnius|
        Warsaw|Wellington|Windhoek|Winnipeg|Wroclaw|Zagreb""",
    "job": """accountant|air traffic controller|anaesthetist|archivist|baker|barista|beekeeper|bookseller|
        bricklayer|bus driver|carpenter|cashier|chef|civil engineer|cleaner|copywriter|customs officer|
        dental hygienist|dispatcher|electrician|estate agent|farmer|firefighter|florist|forester|
        game designer|geologist|glazier|goldsmith|graphic designer|hairdresser|hotel receptionist|
        HR manager|interpreter|journalist|kindergarten teacher|lab technician|landscape gardener|lawyer|
        librarian|locksmith|midwife|miller|museum guide|nurse|optician|paralegal|paramedic|pharmacist|
        photographer|physiotherapist|plumber|police officer|postdoc|product manager|radiographer|
        recruiter|roofer|sailor|school principal|security guard|shop owner|social worker|sound engineer|
        statistician|surveyor|tailor|tax adviser|taxi driver|tram driver|translator|upholsterer|vet|
        waiter|warehouse manager|welder|youth worker""",
    "relative": """son|daughter|wife|husband|mother|father|sister|brother|grandmother|grandfather|niece|
        nephew|cousin|mother-in-law|best friend|flatmate|neighbour|boss|colleague|landlord|teammate|
        partner|godson|stepdaughter|aunt|uncle|twins|fiance""",
    "weekday": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "month": "January|February|March|April|May|June|July|August|September|October|November|December",
    "language": """Spanish|French|German|Portuguese|Italian|Dutch|Polish|Czech|Swedish|Danish|Finnish|
        Hungarian|Romanian|Greek|Turkish|Arabic|Hebrew|Persian|Hindi|Bengali|Tamil|Urdu|Thai|Vietnamese|
        Indonesian|Tagalog|Korean|Japanese|Mandarin|Ukrainian|Swahili|Catalan""",
    "noun": """acorn|agreement|airport|alarm|album|anchor|archive|argument|armchair|attic|auction|avenue|
        badge|balcony|barrel|basket|battery|beach|bell|bench|bicycle|blanket|border|bottle|bracelet|
        branch|bridge|broom|bucket|budget|cabin|cable|calendar|camera|canal|candle|canvas|carpet|castle|
        ceiling|chain|chapel|chest|chimney|clinic|clock|coast|coat|collar|colony|column|compass|concert|
        contract|copper|corridor|cottage|council|couple|court|cradle|crane|crate|crowd|curtain|cushion|
        dam|dashboard|deadline|deck|deposit|desert|diary|dock|donkey|door|draft|drawer|drum|dune|dust|
        eagle|engine|envelope|estate|exhibit|factory|fan|farm|feather|fence|ferry|festival|fiddle|field|
        filter|fire|flag|flood|floor|flute|fog|forest|fork|fountain|frame|freight|furnace|gallery|
        garden|garlic|gate|ghost|glacier|glove|goose|grain|granite|guest|guitar|hall|hammer|harbour|
        harvest|hedge|helmet|herd|hill|hinge|honey|horizon|hospital|hotel|hut|iceberg|index|ink|
        inspector|island|ivory|jacket|jar|jewel|jetty|journal|judge|jungle|kettle|kiosk|kite|kitchen|
        ladder|lake|lamp|lantern|laundry|lawn|leather|ledger|lemon|letter|library|lighthouse|lobby|lock|
        lorry|magnet|mailbox|manual|map|market|mast|mattress|meadow|medal|memo|merchant|metal|mill|mine|
        mirror|monument|moor|mosaic|motor|mountain|mule|museum|needle|nest|net|notebook|oak|oar|office|
        olive|orchard|orchestra|oven|owl|paddle|page|palace|panel|paper|parade|parcel|park|pasture|path|
        pavement|pearl|pebble|pencil|pepper|permit|piano|pier|pigeon|pillar|pillow|pilot|pipe|plank|
        planet|plaster|plate|platform|plaza|pocket|poem|pond|porch|port|portrait|postcard|pottery|
        prison|puddle|pump|puppet|quarry|queue|quilt|rabbit|radio|raft|railway|rainbow|ramp|ranch|razor|
        receipt|recipe|reef|refund|register|report|reservoir|ribbon|river|roof|rope|rug|saddle|safe|
        sail|salary|salt|sand|scarf|school|screen|sculpture|seed|shed|shelf|shield|shovel|signal|silk|
        silver|sketch|sky|sledge|smoke|soap|sofa|soil|spoon|square|stable|stadium|staircase|stamp|
        statue|steam|stone|storm|stove|street|studio|suitcase|sunset|swamp|table|tailor|tank|tape|taxi|
        teapot|temple|tent|terrace|theatre|thread|thunder|ticket|timber|tower|toy|track|tractor|train|
        treaty|trench|tunnel|turbine|umbrella|uniform|valley|vase|veil|velvet|verdict|village|vineyard|
        violin|voucher|wagon|wall|warehouse|wave|well|wheel|whistle|window|wire|wolf|workshop|yard""",
    "adjective": """abrupt|amber|ancient|angry|anxious|awkward|bitter|blunt|bold|brave|brief|bright|
        brittle|broad|broken|bronze|busy|calm|careful|cheap|clumsy|coarse|cold|costly|cracked|crooked|
        cruel|curious|damp|dark|dear|deep|delicate|dense|dim|distant|drowsy|dry|dull|dusty|eager|early|
        elegant|empty|enormous|exact|faint|fair|faithful|false|famous|fancy|fierce|firm|flat|foreign|
        fragile|frozen|gentle|gloomy|golden|grand|grave|greedy|grim|hasty|heavy|hidden|hollow|honest|
        humble|idle|jealous|keen|kind|late|lazy|lean|likely|lonely|loose|loud|loyal|lucky|mild|modest|
        muddy|narrow|neat|nervous|noble|noisy|odd|orange|pale|patient|plain|polite|poor|precious|pretty|
        private|proud|public|purple|quaint|quick|quiet|rare|raw|recent|red|rough|round|rude|rural|rusty|
        sacred|safe|scarce|secret|severe|shallow|sharp|shiny|silent|simple|sleepy|slender|slow|smooth|
        solemn|solid|sour|spare|square|stale|steady|steep|sticky|stiff|strange|strict|stubborn|sturdy|
        sudden|sunny|sweet|swift|tame|tender|thick|thin|tidy|tight|tiny|tired|tough|upright|vague|vain|
        vast|vivid|warm|weak|wealthy|weary|wet|wicked|wide|wild|wise|wooden|worn|young""",
    "did": """abandoned|accepted|admired|adopted|altered|amused|announced|approved|arranged|assembled|
        attacked|avoided|baked|balanced|banned|blamed|blocked|borrowed|bought|bribed|built|buried|
        carried|caught|chased|checked|cleaned|closed|collected|combined|copied|counted|covered|crossed|
        dared|decorated|defended|delayed|delivered|demolished|denied|described|designed|destroyed|
        discovered|divided|doubted|dragged|dropped|emptied|examined|expanded|explained|explored|fed|
        fetched|filled|fixed|flooded|folded|followed|forgot|fought|found|gathered|greeted|guarded|
        guessed|hauled|heated|hid|hired|ignored|improved|inherited|inspected|invented|invited|joined|
        judged|kept|left|lent|lifted|lit|loaded|lost|lowered|measured|mended|missed|mixed|moved|named|
        noticed|occupied|offered|opened|ordered|owned|packed|painted|photographed|placed|planned|
        planted|polished|praised|preferred|prepared|printed|protected|pulled|punished|pushed|questioned|
        raised|reached|received|recorded|refused|remembered|removed|rented|repaired|replaced|reported|
        rescued|restored|returned|revealed|ruined|sacrificed|saved|searched|sent|served|shared|
        sheltered|signed|sketched|sold|sorted|split|spoiled|stole|stopped|stored|studied|surrounded|
        sketched|taught|tested|threw|tolerated|touched|traced|traded|trusted|turned|untied|used|visited|
        warned|washed|watched|welcomed|wrapped|wrote""",
    "adverb": """abruptly|again|almost|already|badly|barely|bravely|briefly|by accident|by night|calmly|
        carefully|cheaply|closely|daily|early|eagerly|eventually|fondly|for once|gently|gladly|hardly|
        hastily|in a hurry|in secret|in silence|kindly|lately|loudly|mostly|nearly|never|often|on foot|
        on purpose|once|openly|partly|patiently|politely|promptly|properly|proudly|quickly|quietly|
        rarely|reluctantly|sadly|seldom|slowly|softly|sometimes|soon|suddenly|together|twice|usually|
        wearily|wisely|with care|with pride|yearly""",
    "preposition": """above|across|after|against|along|among|around|before|behind|below|beneath|beside|
        between|beyond|by|despite|during|for|from|in|inside|near|next to|on|opposite|outside|over|past|
        through|towards|under|until|up|via|with|within|without""",
    "syllable": """al|an|ar|bel|bri|cal|cer|cor|dan|del|dor|el|en|fal|fer|gal|gor|hal|hel|il|jor|kal|ken|
        lan|lor|mal|mar|mel|mor|nal|nor|ol|or|pal|per|quin|ral|rin|ros|sal|sel|sol|tal|tan|ter|tor|ul|
        val|ven|ver|vor|wil|xan|yor|zan|zel""",
    "ending": "ia|on|ex|ify|ly|ara|ica|ium|ola|ent|ero|ine|io|is|us|ova|ette|ora|and|ick",
    "company_kind": """Bakery|Logistics|Studio|Labs|Foods|Textiles|Energy|Insurance|Dental|Hotels|Media|
        Motors|Pharma|Consulting|Software|Robotics|Farms|Clinic|Security|Travel|Books|Brewing|Partners|
        Optics|Shipping|Analytics|Tools|Furniture|Cosmetics|Cycles""",
    "tone": """formal|friendly|playful|dry|humorous|persuasive|neutral|apologetic|enthusiastic|poetic|
        blunt|academic|casual|diplomatic|warm|professional|sarcastic|confident|cautious|inspiring""",
    "audience": """a five year old|a beginner|my boss|a busy executive|a high school student|an expert|
        my grandmother|a first-year student|an investor|a jury|someone who has never heard of it|
        a non-native speaker|a sceptical friend|a class of ten year olds|the board|new hires|
        a journalist|a twelve year old|my team|a patient|a policy maker""",
    "format": """a table|bullet points|numbered steps|one paragraph|three sentences|a checklist|a poem|
        an email|a tweet|a short story|a dialogue|a list of questions|a timeline|JSON|markdown|a script|
        a letter|a slide outline|a flow chart in text|a limerick|a one-pager|a FAQ""",
}

# ---------------------------------------------------------------- domains: things | asks | circumstances

_DOMAINS: Final[dict[str, tuple[str, str, str]]] = {
    "python": (
        """a pandas dataframe with duplicate rows|asyncio tasks|a Flask login form|list comprehensions|
            a Django migration|decorators|a csv parser|pytest fixtures|a tkinter window|
            web scraping with requests|type hints|dataclasses|a recursive function|a memory leak|
            circular imports|a virtual environment|matplotlib subplots|datetime time zones|
            regular expressions|a generator|multiprocessing pools|a discord bot|numpy broadcasting|
            an SQLAlchemy model|logging configuration|a linked list|argparse subcommands|pickle files|
            string formatting|a binary search|a chess engine|an image resizer|context managers|
            a telegram bot|json serialization|unicode errors|a sudoku solver|a REST client|
            a priority queue|packaging with setuptools""",
        r"""{howdo} {do_code} {thing} in python|why does my code with {thing} {fail}|
            {can} you review {thing}? {codeask}|what is the difference between {thing} and {thing2}|
            write me a small script for {thing} that {codegoal}|
            getting "{error}" when I work on {thing}, any idea?|
            is {thing} faster than {thing2} for {#3-900}k items|
            explain {thing} like I only know {otherlang}|refactor this, it is about {thing}:\n\n{code}|
            {code}\n\nthis {fail}, it should handle {thing}|add tests for {thing}|
            best library for {thing} in {#2019-2026}?|what does this do\n{code}|
            I wrote {thing} but the reviewer says it is not pythonic. {codeask}""",
        """I use python 3.{#8-13} on {os}|this runs in a docker container|it has to work without internet|
            the file has about {#2-900} thousand lines|please no external libraries|
            it worked before I upgraded|I only started coding {#2-9} weeks ago|
            it's for a job interview on {weekday}|only the {adjective} case fails""",
    ),
    "web": (
        """a sticky header|flexbox centering|a React hook|a dark mode toggle|CORS errors|
            a responsive navbar|an infinite scroll|JWT login|a Vue component|a service worker|CSS grid|
            a drag and drop list|a contact form|lazy loaded images|a TypeScript generic|a Next.js route|
            websocket reconnects|a modal dialog|a date picker|form validation|an SVG icon|local storage|
            debounced search|a Tailwind button|a cookie banner|a WordPress plugin|an npm conflict|
            a GraphQL query|an Express middleware|a carousel|pagination|file upload|a loading spinner|
            accessibility labels|a Svelte store|a canvas game|page speed|a favicon|a sitemap|
            server side rendering""",
        r"""{howdo} {do_code} {thing}|my {thing} looks {adjective} on {browser}, why|
            {thing} vs {thing2}, which one for {a:adjective} site|
            {thing} stopped working after I added {thing2}|write {thing} without a framework|
            what's wrong here? {error}|make {thing} look like the one on {company}'s page|
            {can} you convert {thing} to {webtool}|steps to add {thing} to a {webtool} project|
            is {thing} bad for SEO|show me {thing} with {webtool}, {codegoal}|
            my client wants {thing} and {thing2} on the same page, possible?|
            {code}\n\n{thing} is not showing""",
        """the site is for {company}|it's hosted on a cheap shared server|only {browser} has the problem|
            I can't change the html|we have {#2-40} thousand visitors a month|
            we are stuck on an old version of {webtool}|bundle size matters""",
    ),
    "sql": (
        """a left join|a window function|a slow query|monthly revenue|duplicate customers|a pivot|
            a recursive CTE|an index on two columns|null handling|a running total|a stored procedure|
            a many-to-many table|date buckets|an upsert|median per group|a full text search|
            percent change by week|a foreign key error|partitioned tables|a materialized view|
            a VLOOKUP with two criteria|an INDEX MATCH formula|conditional formatting|a pivot chart|
            a Google Sheets script|a drop-down list|text to columns|a SUMIFS over dates|
            a macro that saves pdfs|power query merges|a waterfall chart|a gantt chart in a sheet|
            a budget template|a loan amortization sheet|blank rows""",
        """{howdo} {do_code} {thing} in {db}|write a query for {thing} from tables {noun}s and {noun}s|
            why is {thing} so slow with {#2-90} million rows|turn this into {thing}: {csvrow}|
            what's the formula for {thing} if the data is in {cell}|
            {thing} or {thing2} for {a:adjective} report?|{error} in {db} when I try {thing}|
            explain {thing} with an example about {noun}s|I need {thing} grouped by {noun} and {noun}|
            optimise: select * from {noun}s where {noun}_id in (select id from {noun}s)|
            column {cell} has {noun} names, {cell} has dates, I want {thing}""",
        """we're on {db}|I don't have admin rights|the table is called {noun}_{noun}|
            dates are stored as text, don't ask|my boss wants it by {weekday}|there are {#3-60} columns|
            it must also work in an old version""",
    ),
    "devops": (
        """a kubernetes pod in CrashLoopBackOff|a Dockerfile|an nginx reverse proxy|a GitHub action|
            ssh keys|a full disk|a cron job|terraform state|a systemd service|a bash loop|git rebase|
            a merge conflict|SSL certificates|a VPN tunnel|DNS records|log rotation|
            a Raspberry Pi cluster|a home NAS|iptables rules|a load balancer|an S3 bucket policy|
            ansible playbooks|a redis cache|a kafka consumer|prometheus alerts|a failed backup|
            swap space|file permissions|a bluetooth driver|a dual boot|a broken apt package|
            powershell remoting|a proxmox VM|wifi dropping|rsync over ssh|a helm chart|
            a jenkins pipeline|a stuck git push|environment variables|a mail server""",
        r"""{howdo} set up {thing} on {os}|{thing} fails with {error}|
            what is the safest way to change {thing} in production|one-liner for {thing}?|
            why would {thing} eat {#40-99}% cpu|{thing} vs {thing2} for a team of {#2-40}|
            write a script that checks {thing} every {#2-55} minutes|log says:\n{log}\nis it {thing}?|
            rollback plan for {thing}|{can} you explain {thing} without jargon|
            recover {thing} after a power cut|checklist before I touch {thing}""",
        """it's {os} {#18-24}.04|I have root but no console|server is in {city}|
            monitoring shows nothing odd|we have no budget for tools|
            it started at {#1-12}{ampm} on {weekday}|only one of {#2-12} nodes does it""",
    ),
    "cooking": (
        """chicken thighs|a lentil soup|sourdough starter|leftover rice|a birthday cake|pumpkin|beef stew|
            vegan lasagna|risotto|pickled onions|an air fryer salmon|banana bread|dumplings|ramen broth|
            a tagine|gluten free pancakes|meal prep for the week|a cast iron pan|tofu|a roast duck|
            caramel|hummus|fish tacos|potato gratin|jollof rice|a cheesecake|kimchi|mushroom gravy|
            pad thai|a low carb breakfast|pierogi|biryani|paella|an omelette|cinnamon rolls|fig jam|
            a school lunch box|a barbecue marinade|creme brulee|zucchini""",
        """recipe for {thing} {withfood}|{howdo} keep {thing} from getting {foodbad}|
            how long does {thing} keep in the fridge|substitute for {food} in {thing}|
            {thing} for {#2-40} people, shopping list please|what goes well with {thing}|
            my {thing} came out {foodbad}, what happened|can I freeze {thing}|
            quick dinner with {thing}, {food} and {food}|calories in {thing} with {food}|
            {thing} the way they make it in {city}|turn {thing} into something kids eat|
            difference between {thing} and {thing2}|convert {thing} to a slow cooker|wine for {thing}?""",
        """I'm allergic to {food}|my oven runs hot|I only have {#15-55} minutes|no {food} please|
            we are {#2-9} at the table|my {relative} doesn't eat {food}|I bought too much {food}|
            I live at {#1200-3200} m altitude|tight budget this month""",
    ),
    "travel": (
        """a week in {city}|an overnight train|a layover in {city}|a road trip from {city} to {city}|
            a honeymoon|cheap flights|a campervan|hand luggage rules|a hiking hut|
            a city break with kids|a visa on arrival|a rail pass|jet lag|travel insurance|
            a lost suitcase|a ferry to an island|street food in {city}|a cycling tour|
            a digital nomad month|museums in {city}|a ski weekend|solo travel|a hostel in {city}|
            a long haul flight with a baby|a wedding abroad|a packing list|tipping|a scuba course|
            local buses in {city}|a northern lights trip""",
        """plan {thing} in {month}|is {thing} worth it|{howdo} do {thing} on {#20-90} euros a day|
            {thing} or {thing2}?|what should I know before {thing}|{#2-14} day itinerary around {thing}|
            day by day plan for {thing} with {a:adjective} budget|which documents do I need for {thing}|
            things to avoid with {thing}|what to do if {thing} gets cancelled|
            best neighbourhood for {thing}|where to eat near {city} station after {thing}|
            ideas for {thing}, we like {noun}s and {noun}s""",
        """we are {#2-8} people|I'm vegetarian|my {relative} uses a wheelchair|we arrive late on {weekday}|
            we hate crowds|I don't drive|we've been to {city} already|my passport expires in {month}|
            kids are {#2-9} and {#10-16}""",
    ),
    "health": (
        """lower back pain|a sprained ankle|iron deficiency|insomnia|a marathon plan|intermittent fasting|
            a stiff neck|creatine|knee pain when running|a standing desk|seasonal allergies|stretching|
            high blood pressure readings|a dry cough|push ups|vitamin D|migraine triggers|
            a toddler's fever|meditation|protein intake|shin splints|a root canal|contact lenses|
            night shifts|an eczema cream|a 5k|swimming technique|blisters|caffeine|heart rate zones|
            a kettlebell routine|postnatal exercise|tennis elbow|snoring|sunburn|hiccups""",
        """what helps against {thing}|is {thing} dangerous at {#19-82}|{howdo} deal with {thing} at work|
            {thing} after {thing2}, normal?|when should I see a doctor about {thing}|
            weekly plan for {thing}, {#2-6} days|does {food} affect {thing}|
            how long until {thing} gets better|questions to ask my doctor about {thing}|
            what does research say about {thing}|explain {thing} to my {relative}|
            is it ok to combine {thing} with {thing2}|home remedies for {thing}, honest answer please""",
        """I'm {#18-79}, {#50-110} kg|I already tried {noun} tea, no effect|
            my doctor is on leave until {weekday}|I sit {#6-11} hours a day|no medication please|
            it got worse since {month}|I take blood thinners|I work as {a:job}""",
    ),
    "money": (
        """an index fund|a mortgage at {#2-7}.{#1-9}%|a budget for two|credit card debt|
            a tax return for freelancers|a pension gap|an emergency fund|a student loan|depreciation|
            an invoice that is overdue|a used car loan|crypto losses|inflation|a rent increase|
            a side income|VAT on services|a severance payment|a joint account|dividends|
            health insurance deductibles|stock options|a savings plan for a child|
            moving abroad and taxes|a small inheritance|bond yields|a business bank account|leasing|
            currency risk|payroll|break-even analysis""",
        """should I put {#2-90}k into {thing} or {thing2}|explain {thing} simply|{howdo} calculate {thing}|
            what happens to {thing} if I move to {city}|compare {thing} and {thing2} over {#3-30} years|
            mistakes people make with {thing}|draft a letter about {thing} to {company}|
            is {thing} a good idea at {#20-65}|spreadsheet layout for {thing}|
            what does a {job} need to know about {thing}|pros and cons of {thing}|
            monthly cost of {thing} for {#80-900} thousand""",
        """I earn {#19-140}k a year|I have two kids|I'm self-employed|interest is {#1-9}.{#1-9}%|
            my partner disagrees|I've got {#2-80}k saved|we rent in {city}|not advice, just explain|
            I know nothing about this""",
    ),
    "fiction": (
        """a lighthouse keeper who {did} {a:noun}|a heist in {city}|a dragon afraid of {noun}s|
            two rival {job}s|a haunted {noun}|a space station cook|a detective in the 1920s|
            a letter never sent|a talking {noun}|a village without {noun}s|the last librarian|
            an orphan and {a:adjective} {noun}|a wizard tax office|time travel to {city}|a ghost ship|
            a love story on a tram|a robot that collects {noun}s|a desert kingdom|
            a spy disguised as {a:job}|an unreliable narrator|a fairy tale for adults|a plague doctor|
            twins who swap lives|a cursed {noun}|a post-apocalyptic bakery|
            a courtroom drama about {a:noun}|a monster under the {noun}|a sea voyage|a prison break|
            a cosy mystery""",
        r"""write {fictionform} about {thing}|continue the story: {sentence} {sentence}|
            give me {#3-20} plot twists for {thing}|names for characters in {thing}|
            opening line for {thing}|{fictionform} where {thing} meets {thing2}|
            describe the setting of {thing} in {#60-400} words|
            dialogue between {name} and {name}, it's about {thing}|
            critique my paragraph:\n\n{paragraph}|make {thing} less cliche|chapter outline for {thing}|
            rhyme about {thing}|rewrite this scene from the view of {name}: {paragraph}""",
        """main character is called {name}|{adjective} mood please|around {#80-900} words|no happy ending|
            it's for my {relative}'s birthday|in the style of an old fable|first person, past tense|
            it's my {#2-9}th draft|for a contest, theme {noun}""",
    ),
    "mail": (
        """a refund from {company}|a day off on {weekday}|a missed deadline|a job offer|a noisy neighbour|
            a late delivery|a reference for {name}|a broken {noun}|a meeting on {weekday}|
            a birthday invitation|a complaint about {company}|a raise|a sponsor for our {noun} club|
            a resignation|an apology to {name}|a rent reduction|a parking ticket|a thank you note|
            a condolence|a wedding toast|a conference abstract|a quote for {#20-900} {noun}s|
            a late thesis|a reminder for {name}|a school absence|a landlord who ignores me|
            a speech about {noun}s|a product recall|out of office in {month}|a cold email to {company}""",
        r"""write {tonal} email about {thing}|reply to this: "{sentence} {sentence}"|shorten: {paragraph}|
            make this sound more {tone}: {sentence}|draft a text message about {thing}|
            subject line for {thing}|is this too {tone}? {sentence} {sentence}|
            fix grammar: {sentence} {sentence}|follow up on {thing}, {#2-6} weeks later|
            letter to {name} about {thing}|proofread\n\n{paragraph}|polite way to say no to {thing}|
            translate into {language}: {sentence}""",
        """I know {name} quite well|they ignored me twice|it goes to {a:job}|sign it with {name}|
            under {#40-180} words|don't mention the {noun}|it has to go out by {weekday}|
            english isn't my first language""",
    ),
    "language": (
        """the {language} subjunctive|false friends in {language}|{language} pronunciation|
            a {language} love letter|{language} numbers|phrasal verbs|articles in {language}|
            the {language} word for {noun}|a {language} menu|small talk in {language}|
            {language} word order|idioms with {noun}s|the past perfect|a {language} proverb|
            {language} swear words that aren't too bad|business {language}|a {language} tattoo|commas|
            who and whom|a {language} lullaby|an exam at B{#1-2} level in {language}|
            {language} for a trip to {city}|silent letters|{language} nicknames|spelling reform""",
        r"""translate to {language}: {sentence}|how do you say "{adjective} {noun}" in {language}|
            explain {thing} with {#3-12} examples|quiz me on {thing}|
            what does "{sentence}" mean in {language}|correct my {language}: {sentence}|
            is it "{adjective} {noun}" or "{noun} {adjective}"|mnemonics for {thing}|
            {#5-30} flash cards for {thing}|difference between {thing} and {thing2}|etymology of {noun}|
            a short dialogue that uses {thing}|
            translate the following into {language} and keep the tone\n\n{paragraph}""",
        """I'm at level A{#1-2}|native speaker of {language} here|I have a test on {weekday}|
            for my {relative}|informal please|with pronunciation hints|
            not the dictionary answer, the one people use in {city}""",
    ),
    "history": (
        """the fall of Constantinople|the silk road|Roman concrete|the Hanseatic league|the printing press|
            the Meiji era|the Black Death|the Treaty of Westphalia|Viking trade|the Suez canal|
            the Inca roads|the Dutch tulip mania|the Thirty Years War|the Mali empire|Byzantine mosaics|
            the Congress of Vienna|the Marshall plan|feudalism|the spice trade|Prague in 1968|
            the Phoenicians|the Enlightenment|the Ottoman navy|the cold war in space|
            the Great Fire of London|the Maya calendar|Venetian glass|the Partition of India|
            women at Bletchley Park|the gold rush|the Hundred Years War|early aviation|
            the Library of Alexandria|the Carolingian court""",
        """what caused {thing}|timeline of {thing}|was {thing} inevitable|compare {thing} and {thing2}|
            who profited from {thing}|explain {thing} to {audience}|three primary sources on {thing}|
            myths about {thing}|how did people in {city} live during {thing}|essay outline: {thing}|
            what would have happened without {thing}|role of {noun}s in {thing}|
            {thing} in {#80-300} words|quiz with {#5-15} questions about {thing}|
            books about {thing} that aren't boring""",
        """for a school presentation on {weekday}|I'm writing a novel set then|my teacher wants sources|
            keep dates to a minimum|I visited a museum in {city}|focus on trade|focus on everyday life|
            my {relative} and I disagree about it""",
    ),
    "science": (
        """black holes|photosynthesis|tides|mRNA|plate tectonics|superconductors|why the sky is blue|
            bird migration|entropy|the immune system|lithium batteries|fungi networks|
            quantum tunnelling|ocean currents|CRISPR|carbon dating|prime numbers in nature|auroras|
            gravitational waves|antibiotic resistance|coral bleaching|the placebo effect|enzymes|
            dark matter|bee navigation|volcano types|nuclear fusion|sleep cycles|magnetism|osmosis|
            neutrinos|the water cycle|crystals|evolution of eyes|isotopes|cloud formation|stem cells|
            tardigrades""",
        """how does {thing} work|explain {thing} to {audience}|{thing} and {thing2}, how are they related|
            experiment about {thing} for kids|why don't {noun}s {sciverb} because of {thing}|
            what don't we know about {thing}|history of the discovery of {thing}|
            is it true that {thing} needs {noun}s|everyday example of {thing}|
            summary of {thing} in {format}|derive the basic equation for {thing}|
            common misconceptions: {thing}|what if there was no {thing}|
            I read that {sentence} does it have to do with {thing}?""",
        """I teach grade {#3-12}|my {relative} asked me|no formulas|with formulas please|
            I'm {a:job}, not a physicist|for a podcast|for a poster session on {weekday}|
            saw a video about it""",
    ),
    "math": (
        """integration by parts|a quadratic with parameter|matrix inverses|Bayes theorem|
            a geometric series|permutations|eigenvalues|a percentage problem|trigonometric identities|
            proof by induction|a system of equations|limits|standard deviation|the chain rule|
            a word problem about {noun}s|complex numbers|a loan formula|logarithms|the birthday paradox|
            a confidence interval|modular arithmetic|vectors|fractions|volume of a cone|graph colouring|
            a differential equation|prime factors|linear regression|the pigeonhole principle|
            a probability tree""",
        """solve {#2-19}x^2 {sign} {#2-40}x {sign} {#1-99} = 0|{howdo} do {thing}|
            check my answer for {thing}: {#2-900}.{#1-9}|{mathword}|
            practice problems on {thing}, {#3-12} of them|why does {thing} work|
            intuition behind {thing}|integrate x^{#2-7} * e^({#2-9}x)|
            what's {#12-98} percent of {#200-9800}|step by step: {thing}|
            derivative of {#2-9}x^{#2-8} + sin({#2-9}x)|when do I use {thing} instead of {thing2}|
            convert {#2-900} {unit} to {unit}|I don't get {thing}""",
        """exam on {weekday}|show every step|no calculator|grade {#6-12}|only the idea, not the solution|
            my teacher does it differently|answer in the book is {#2-99}|my {relative} is stuck""",
    ),
    "career": (
        """a CV for {a:job}|a career change to {job}|an interview at {company}|a gap year|a cover letter|
            a salary negotiation|a performance review|burnout|a difficult boss|imposter syndrome|
            a LinkedIn summary|remote work|a promotion|freelancing as {a:job}|a portfolio|an internship|
            a layoff|a second degree|onboarding|a team conflict|networking events|a reference letter|
            working abroad in {city}|a four day week|public speaking|time management|a toxic workplace|
            a probation period|parental leave|retirement at {#50-67}""",
        """help me with {thing}|{#5-20} interview questions for {a:job} position|
            rate this bullet: {did} {a:adjective} {noun} for {company}, saved {#3-60}%|
            {howdo} handle {thing}|is {thing} realistic at {#20-60}|draft {thing} for {company}|
            pros and cons of {thing} versus {thing2}|what do recruiters think about {thing}|
            {#30-90} day plan for {thing}|my strengths are {noun}s and {noun}s, which job|
            how do I bring up {thing} with {name}|rewrite my summary: {paragraph}""",
        """I've been {a:job} for {#2-25} years|the interview is on {weekday}|
            I moved to {city} last {month}|no degree|two kids, part time only|they offered {#30-140}k|
            the company is {company}|honest opinion please""",
    ),
    "people": (
        """a friend who cancels|my {relative} and money|a first date|a breakup|a shy child|
            a wedding guest list|an argument about {noun}s|a long distance relationship|screen time|
            a jealous {relative}|moving in together|making friends in {city}|
            a birthday gift for my {relative}|a family reunion|saying no|a roommate who steals {food}|
            a teenager who lies|a crush at work|forgiveness|boundaries|a lonely neighbour|in-laws|
            a baby name|a surprise party|grief|an ex who texts|social anxiety|a stubborn {relative}|
            small talk|the mental load""",
        """{howdo} talk about {thing}|advice on {thing}|
            am I wrong? {sentence} now {name} is upset about {thing}|
            {#5-30} ideas for {thing}, budget {#10-200}|what would you do about {thing}|
            text to send because of {thing}|conversation starters, topic {thing}|is {thing} normal|
            signs that {thing} is getting worse|my {relative} says {thing} is my fault|
            {thing} or {thing2}, what hurts more|roleplay: you are my {relative}, we talk about {thing}""",
        """we've known each other {#2-30} years|{name} is {#16-70}|it started in {month}|
            I don't want to hurt anyone|please be blunt|we live in {city}|it's about my {relative}|
            therapist is booked out""",
    ),
    "garden": (
        """tomato blight|a raised bed|slugs|a lemon tree indoors|compost|a leaking tap|squeaky floorboards|
            a mossy lawn|aphids on roses|wallpaper removal|a wobbly table|repotting orchids|
            a drafty window|a hedge|mould in the bathroom|a pergola|pruning apple trees|a clogged drain|
            a green roof|a balcony in full shade|tiling a wall|a rain barrel|drilling into concrete|
            wild bees|a radiator that knocks|lavender cuttings|a shed on a slope|rust|
            a flickering light|overwintering dahlias|a pond liner|chicken coops|basil that dies|
            painting a door|bathroom silicone""",
        """{howdo} fix {thing}|what causes {thing}|tools for {thing}|when is the best month for {thing}|
            {thing} near {city}, which kind|how much does {thing} cost per {unit}|
            mistake I made with {thing}: {sentence}|can I do {thing} myself|{thing} without chemicals|
            plan for {thing} on {#2-60} square metres|will {thing} survive minus {#3-25}|
            {thing} and {thing2} together?|weekend schedule for {thing}""",
        """house is from {#1890-2015}|I rent|south facing|clay soil|my {relative} helps|budget {#40-900}|
            I own a drill and {a:noun}|we have a dog|third try already""",
    ),
    "pets": (
        """a puppy that bites|a cat that won't eat|an aquarium with algae|a budgie|crate training|
            a limping dog|hamster cages|a rescue greyhound|kitten names|a gecko terrarium|
            flea treatment|a barking neighbour dog|rabbit teeth|a hedgehog in the garden|
            a parrot that screams|raw feeding|a cat and a newborn|separation anxiety|a horse with colic|
            guppies|a shedding husky|litter boxes|an old dog|dog parks in {city}|goldfish tanks|
            a stray cat|clicker training|a tortoise in winter""",
        """{howdo} deal with {thing}|is {thing} normal at {#2-15} months|what to feed, we have {thing}|
            vet or not: {thing}, {sentence}|daily routine for {thing}|
            {#5-20} names, {thing}, theme {noun}s|cost of {thing} per month|
            {thing} and {thing2} in one flat?|first week with {thing}|how do I stop {thing} at night|
            products for {thing} that actually work|history of {thing} as pets""",
        """{name} is {#2-14} years old|we live in a flat in {city}|vet opens on {weekday}|
            {name} ate {food} yesterday|my {relative} is allergic|adopted in {month}""",
    ),
    "games": (
        """a D&D one-shot|a chess opening|Minecraft redstone|a wizard build|a pub quiz|a speedrun|
            a board game for {#2-8}|an escape room|a fantasy map|a trading card deck|a platformer level|
            crossword clues|a bard character|a poker hand|a sudoku trick|Rubik's cube algorithms|
            a murder mystery party|a Go joseki|Factorio belts|a farming sim|a rogue-like loop|
            a scavenger hunt|loot tables|a villain's motive|a word game|pinball physics|a Godot shader|
            a Unity collider|a text adventure|bingo cards""",
        """{#5-20} ideas for {thing}|rules for {thing} in {format}|is {thing} better than {thing2}|
            {howdo} get good at {thing}|let's play: {thing}, you start|
            balance {thing} for level {#1-20}|backstory for {thing}, involves {a:adjective} {noun}|
            puzzle with {a:noun} and {a:noun} for {thing}|beginner guide to {thing}|
            prize ideas for {thing}|name generator for {thing}, {adjective} and {adjective}|
            explain {thing} to {audience}""",
        """we play on {weekday}s|{#3-7} players|my {relative} always wins|no combat please|
            it should take {#20-180} minutes|setting is {city} in {#1400-2300}|I'm the game master""",
    ),
    "business": (
        """a pricing page|a newsletter for {company}|a competitor analysis|a coffee shop in {city}|
            customer churn|a pitch deck|an Etsy shop for {noun}s|a slogan for {company}|
            market entry in {city}|a SWOT analysis|onboarding emails|
            product names for {a:adjective} {noun}|a Google ads campaign|a loyalty programme|
            a crowdfunding page|a B2B cold call|a podcast about {noun}s|unit economics|a franchise|
            an influencer brief|a press release|user personas|a landing page|
            a survey with {#5-20} questions|a food truck|an OKR set|a supplier contract|
            inventory of {noun}s|a rebranding|a webinar""",
        r"""write {thing}|{#5-30} ideas for {thing}|review {thing}: {sentence} {sentence}|
            what is missing in {thing}|{howdo} measure {thing}|{thing} for {audience}|
            turn into {format}: {paragraph}|budget of {#2-90}k for {thing}, how to split|
            headline options for {thing}, {tone} tone|
            {thing} vs {thing2} for a company with {#2-400} people|risks of {thing}|
            social posts about {thing}, one per weekday|summarise for {audience}:\n\n{longtext}""",
        """we sell {noun}s|customers are mostly {job}s|founded {#1985-2025} in {city}|{#2-200} employees|
            launch is in {month}|tone should be {tone}|competitor is {company}|no buzzwords""",
    ),
    "law": (
        """a rental deposit|a parking fine|a non-compete clause|copyright of {a:noun} photo|a will|
            small claims|a prenup|a neighbour's tree|GDPR access requests|a used car with defects|
            a visa overstay|a trademark for {company}|a notice period|custody|an employment contract|
            a cancelled flight|defamation|a power of attorney|consumer rights|a data breach|jury duty|
            noise at night|a freelance contract|warranty on {a:noun}|adoption|a timeshare""",
        """explain {thing} in plain words|what are my options with {thing}|sample clause about {thing}|
            is {thing} enforceable in {city}|letter about {thing} to {company}|
            summarise this paragraph: {paragraph}|deadline for {thing}?|
            {thing}: what evidence do I need|questions for a lawyer about {thing}|
            does {thing} apply if {sentence}|difference between {thing} and {thing2}|history of {thing}""",
        """not looking for a lawyer yet|it's about {#200-9000} euros|signed in {month}|
            landlord is {company}|I have it in writing|my {relative} is a witness|general info only""",
    ),
    "art": (
        """a watercolour of {a:noun}|film photography|a jazz chord progression|a logo with {a:noun}|
            a short film|guitar tabs|a mural in {city}|music for {a:adjective} scene|a ballet|oil paint|
            a synth patch|a playlist for {weekday}s|drum fills|a children's book|perspective drawing|
            a documentary about {job}s|pottery glazes|colour grading|a ukulele song|
            brutalist architecture|a portrait of {name}|a vinyl collection|calligraphy|
            a choir arrangement|stop motion|an album about {noun}s|knitting {a:noun}|
            a museum audio guide|poster design|a bass line""",
        """image prompt: {adjective} {noun} {preposition} {a:adjective} {noun}, {adjective} light,
            {artstyle}|{#3-15} ideas for {thing}|{howdo} start with {thing}|
            critique {thing}: {sentence}|recommend {thing} for people who like {thing2}|
            lyrics about {a:adjective} {noun}, {artstyle}|explain {thing} to {audience}|
            gear for {thing} under {#50-900}|midjourney style description of {a:noun} {preposition}
            {a:noun}, {artstyle}, {adjective} mood|what makes {thing} good|tempo and key for {thing}|
            title for {thing}|exercise plan for {thing}, {#10-60} minutes a day""",
        """I'm left handed|beginner|deadline {weekday}|it's for {company}|
            {adjective} and {adjective}, please|influences: {city}, {noun}s|my {relative} plays along|
            no AI look""",
    ),
}

DOMAINS: Final[tuple[str, ...]] = tuple(_DOMAINS)
"""A domain d has the rules ``d_thing``, ``d_ask`` and ``d_more``."""

RULES: Final[dict[str, list[str]]] = {
    **{
        f"{domain}_{part}": split(text)
        for domain, texts in _DOMAINS.items()
        for part, text in zip(("thing", "ask", "more"), texts, strict=True)
    },
    **{name: split(text) for name, text in _LISTS.items()},
    **{
        name: split(text)
        for name, text in {
            "thing": "{noun}",
            "thing2": "{adjective} {noun}s",
            "company": """{^syllable}{syllable}{ending}|{^syllable}{ending} {company_kind}|
                {^syllable}{syllable} {company_kind}""",
            "howdo": """how do i|how can I|How do you|what's the best way to|whats an easy way to|
                is there a way to|could you tell me how to|any tips to|I need to|show me how to|
                what is the right way to|help me""",
            "can": "can|could|would",
            "do_code": """handle|use|debug|write|speed up|test|structure|replace|mock|build|fix|clean up|
                set up|explain""",
            "fail": """return None|hang forever|crash|only work the first time|print nothing|
                give different results each run|use {#2-30} GB|raise a KeyError|skip the last row|
                get slower and slower|work locally but not on the server|fail on {weekday}s""",
            "codeask": """be strict|is it thread safe?|what would you change|naming is bad I know|
                focus on performance|any edge cases?""",
            "codegoal": """reads {a:noun} file|sends a summary every {weekday}|skips empty {noun}s|
                retries {#2-9} times|has a progress bar|can be tested|keeps order|
                prints {noun}s by {noun}|runs in under {#2-50} seconds""",
            "error": """{^noun}Error: {adjective} {noun} at line {#2-900}|
                TypeError: {noun} is not iterable|undefined is not a function ({noun}.js:{#2-800})|
                permission denied: /var/{noun}/{noun}|exit code {#1-137}|{#400-504} {adjective} {noun}|
                cannot find module '{noun}-{noun}'|segmentation fault in {noun}_{did}|
                timeout after {#2-90}s|KeyError: '{noun}_{noun}'""",
            "otherlang": "java|javascript|C|excel|R|php|go|matlab|pascal|ruby|c#|kotlin",
            "os": "ubuntu|debian|windows|macos|fedora|arch|alpine|raspbian|wsl",
            "browser": "safari|firefox|chrome|my phone|an old ipad|edge|samsung internet",
            "webtool": """react|vue|svelte|angular|plain js|bootstrap|tailwind|next|astro|wordpress|htmx|
                shopify""",
            "db": """postgres|mysql|sqlite|bigquery|sql server|snowflake|excel|google sheets|oracle|duckdb|
                access""",
            "cell": "A{#1-9}|B{#2-40}|C{#2-900}|D|E|F{#2-20}|column G|H{#2-99}",
            "ampm": "am|pm",
            "csvrow": """{noun},{noun},{#2-9000}|{name};{city};{#2-900};{noun}|
                {noun}={#2-99} {noun}={#3-99} {noun}={#2-99}""",
            "food": """garlic|coriander|eggs|cashews|oat milk|feta|paprika|spinach|chickpeas|cream|lemon|
                ginger|bacon|rice|mustard|peas|coconut milk|anchovies|celery|walnuts|maple syrup|chili|
                mint|shrimp|leeks|yoghurt|capers|beetroot|polenta|sesame|cabbage|mushrooms|dates|
                parsley|lamb|cod|aubergine|tarragon|barley|quinoa""",
            "foodbad": """soggy|dry|bitter|too salty|burnt outside|raw inside|grainy|rubbery|bland|watery|
                flat|sticky""",
            "withfood": """with {food} and {food}|without {food}|, {#2-8} servings|
                for a {adjective} evening|using {food}|, quick|like in {city}""",
            "fictionform": """a short story|a scene|a poem|a haiku|a sonnet|a monologue|the first page|
                a bedtime story|flash fiction|a ballad|a diary entry|a script page|an epilogue|
                {#100-900} words|a limerick""",
            "tonal": "a {tone}|a short {tone}|{a:tone} but firm|a {tone} and {tone}|a brief",
            "sciverb": "float|melt|glow|rust|fall faster|freeze|expand|vanish|stick|spin|shrink|sing",
            "sign": "+|-",
            "unit": """kg|pounds|miles|km|litres|cups|acres|hectares|inches|metres|stone|ounces|fahrenheit|
                knots|square feet""",
            "artstyle": """oil on canvas|35mm|isometric|woodcut|bossa nova|art deco|lo-fi|pixel art|
                {adjective} folk|studio light|charcoal|paper cut|techno, {#90-150} bpm|gouache|baroque|
                macro lens|risograph|shoegaze|ukiyo-e|linocut""",
            "mathword": """{name} has {#3-90} {noun}s and gives {#2-9} to each of {#2-9} friends, how many
                are left|a {noun} costs {#3-90} after {#5-60}% off, what was the price|two trains leave
                {city} and {city}, {#200-900} km apart, at {#40-140} and {#50-160} km/h|
                if {#2-9} {job}s need {#3-30} days, how long do {#3-12} need|
                probability of {#2-4} red {noun}s out of {#5-20}""",
            "np": """the {noun}|the {adjective} {noun}|{a:noun}|{a:adjective} {noun}|{name}|
                the {noun} in {city}|{name}'s {noun}|every {noun}|no {noun}|the {job}|
                {a:adjective} {job}""",
            "clause": """{np} {did} {np}|{np} {did} {np} {preposition} {np}|{np} {adverb} {did} {np}|
                {np} {did} {np} {adverb}""",
            "sentence": """{^clause}.|{^clause}, and {clause}.|When {clause}, {clause}.|
                {^clause} because {clause}.|{^clause} in {month}.|{^clause}.|
                {^preposition} {np}, {clause}.|{^clause}, but {np} {did} {np}.|
                {name} said that {clause}.|It was {adjective} that {clause}.|
                {^clause} for {#2-900} {noun}s.|After {#2-40} days {clause}.|{^clause}!""",
            "paragraph": """{sentence} {sentence}|{sentence} {sentence} {sentence}|
                {sentence} {sentence} {sentence} {sentence} {sentence}""",
            "longtext": r"""{paragraph}\n\n{paragraph}\n\n{paragraph}|{paragraph}\n\n{paragraph}|
                {paragraph} {paragraph}\n\n{paragraph} {paragraph}\n\n{paragraph}\n\n{paragraph}""",
            "ident": "{noun}|{noun}_{noun}|{adjective}_{noun}|{noun}s|{noun}_{#1-9}|old_{noun}",
            "code": r"""```{codelang}\n{codeline}\n{codeline}\n{codeline}\n```|{codeline}\n{codeline}|
                ```\n{codeline}\n{codeline}\n{codeline}\n{codeline}\n{codeline}\n{codeline}\n```|def
                {ident}({ident}, {ident}={#0-99}):\n for {noun} in {ident}:\n {codeline}\n return
                {ident}|```{codelang}\n{codeline}\n{codeline}\n{codeline}\n{codeline}\n```""",
            "codelang": "python|js|go|java|sql|ts|c|rust||bash",
            "codeline": """{ident} = {ident}[{#0-90}]|if {ident} > {#2-900}: {ident}.append({ident})|
                {ident}({ident}, "{adjective} {noun}")|
                const {noun}{^noun} = await {noun}.{noun}({#2-90});|
                SELECT {ident}, count(*) FROM {noun}s WHERE {ident} = '{noun}' GROUP BY {#1-3};|
                for ({noun} of {ident}) {noun}.{noun} += {#1-9};|print(f"{noun}: {#2-90}")|
                {ident} = [{noun} for {noun} in {ident} if {noun}]|import {noun}.{noun} as {noun}|
                return {ident} or {ident}|# todo: {clause}|try: {ident}() except {^noun}Error: pass|
                {ident}.{noun}({#2-90}, {#2-90})|while not {ident}: {noun}.sleep({#1-9})|
                echo "{noun} {#2-90}" >> /tmp/{noun}.txt""",
            "log": r"""{logline}\n{logline}\n{logline}|{logline}\n{logline}|
                {logline}\n{logline}\n{logline}\n{logline}\n{logline}""",
            "logline": """{#10-23}:{#10-59}:{#10-59} WARN {noun}-{noun}: {adjective} {noun} ({#2-9000} ms)|
                [{noun}] ERROR {error}|{#10-23}:{#10-59}:{#10-59} INFO {did} {#2-900} {noun}s|
                {noun}d[{#200-9000}]: {clause}|kernel: {noun}{#0-9}: {adjective} {noun}""",
            "opener": """hi,|hello!|hey|Hi there,|quick question:|ok so|so|please help.|Question -|
                I was wondering,|um|good morning,|random one:|sorry if this is dumb but|ok new topic.|
                Thanks in advance.|hey again,|Hello, I am {name}.|I'm {a:job} and|as {a:job},|
                my {relative} wants to know:|urgent:|for work:|asking for my {relative}:|
                still about yesterday:|I live in {city},|""",
            "wish": """Keep it under {#30-400} words.|Answer in {format}.|for {audience}|
                In {a:tone} tone please.|no jargon|step by step|Give me {#2-12} options.|
                Please be brief.|with an example about {noun}s|and say why|be honest|
                explain your choice|Write it in {language}.|Avoid the word {noun}.|
                I need it by {weekday}.|Add a title.|Also mention {noun}s.|Don't repeat my question.|
                What would {a:job} say?|use simple words|make it {adjective}|thanks!|TIA|thank you :)|
                pls|rank them|short answer|long answer please|cite where you know it from|
                as {format}, for {audience}""",
            "ownstory": """{sentence}|Background: {sentence} {sentence}|Some context: {paragraph}|
                Last {month} {clause}.|My {relative} {did} {a:adjective} {noun}, that's why.|
                We {did} {a:noun} in {city}.|Here is what I have so far: {paragraph}|
                ({clause}, in case it matters)|
                My notes: {noun}, {adjective} {noun}, {noun}, {#2-90} {noun}s.""",
            "followup": """{make} it {shorter}|{make} it {shorter} and {shorter}|now the same for {thing2}|
                what about {thing2}?|why {thing}?|explain the {ordinal} point|expand on number {#1-9}|
                {can} you give {#2-6} more|give me an example with {noun}s|
                I don't understand the part about {thing}|that's wrong, {clause}|
                are you sure about {thing}?|what if {clause}?|rewrite it in {a:tone} tone|
                translate that to {language}|put that in {format}|and in {city}?|ok but {clause}|
                change {name} to {name}|add {a:adjective} {noun}|remove the {ordinal} one|
                you forgot {thing2}|hmm it still says {error}|same error. {log}|
                it works now but {thing2} is {adjective}|can you do that for {audience}|
                summarise what we have on {thing}|which of those is {adjective}|
                how much would that be for {#2-90} {unit}|and if I only have {#2-90} minutes|
                please use {noun}s instead of {noun}s|great, next: {thing2}|
                the {ordinal} option sounds good, more on {thing}|
                compare the {ordinal} and {ordinal} one|use this instead: {sentence}|
                what would {name} say about {thing}|is there a cheaper one than the {ordinal}""",
            "make": "make|can you make|please make|now make|rewrite it to be|I'd like",
            "shorter": """shorter|longer|funnier|more {tone}|less {tone}|simpler|
                more specific about {thing}|{adjective}|clearer|more like {a:noun}""",
            "ordinal": "first|second|third|fourth|last|middle|previous|other",
            "reply": """Here is one way to think about {thing}. {sentence} {sentence}|Sure! {paragraph}|
                {paragraph}|There are {#2-7} points about {thing}. {sentence} {sentence} {sentence}|
                It depends on the {noun}. {sentence}|
                Good question. {paragraph} Let me know if {clause}.|{sentence}""",
            "assistant": """You are {a:adjective} assistant for {company}. {assistant_rule}|
                You help {job}s with {noun}s. {assistant_rule} {assistant_rule}|
                You are {name}, the {tone} helper of {company} in {city}. {assistant_rule}|
                Act as {a:job}. {assistant_rule}|{assistant_rule} {assistant_rule}|
                {^company} support bot. Topics: {noun}s, {noun}s, {noun}s. {assistant_rule}""",
            "assistant_rule": """Be {tone}.|Answer in {language}.|Never mention {noun}s.|Use {format}.|
                Keep it under {#30-300} words.|Customers are mostly {job}s.|
                If asked about {noun}s, refer to {name}.|Opening hours: {#7-10} to {#15-20}.|
                Today is {weekday}.|Explain as for {audience}.|Refuse to discuss {noun}s or {noun}s.|
                Ask one question at a time.""",
        }.items()
    },
}

SHORT: Final[list[str]] = split(
    """hi|continue|hello|thanks|yes|test|ok|hey|go on|thank you|no|more|hola|why|next|again|good morning|
        how are you|who are you|yes please|continue please|what|Hello!|help|please continue|ok thanks|
        what is your name|tell me a joke|what can you do|keep going|sure|try again|perfect|
        can you help me|explain|lol|great|hi there|testing|how are you?|are you there|cool|summarize|
        bye|what is 2+2|thx|k|regenerate|and?|you there?|shorter|what do you mean|nice|1|a|Bonjour|
        hallo|.|wrong|in english please|good|what's the weather today|what day is it|are you human|asdf|
        stop|longer|what model are you|do you speak spanish|yes do it|correct|finish it|how old are you|
        say hello|really?|which one|both|option 2|the first one|the second one|ok go|write a poem|
        write a story|tell me a story|sing a song|what is love|meaning of life|hmm|idk|never mind|
        forget it|start over|new topic|what time is it|how|when|where|is that true|are you sure|source?|
        example|give me an example|more examples|in simple words|simplify|translate|fix it|
        it doesn't work|same error|still not working|that works|awesome|wow|good night|good evening|
        ciao|salut|namaste|merhaba|ola|privet|how does this work|can you see images|who made you|
        are you chatgpt|i'm bored|let's play a game|knock knock|roll a dice|flip a coin|count to 10|
        say something|random fact|fun fact|what's new|tell me something interesting|
        how many r in strawberry|what is AI|1+1|10*10|hello world|ping"""
)
