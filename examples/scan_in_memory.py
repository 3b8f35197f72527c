"""Scan prompts that are in memory, without a file.

python examples/scan_in_memory.py
"""

from __future__ import annotations

import random

from harvestdetect import Prompt, Settings, detect

START = 1_780_272_000
"""2026-06-01 in Unix seconds."""
DAY = 86_400
SUBJECTS = ("tides", "glaciers", "enzymes", "inflation", "orbits", "vaccines", "recursion", "poetry", "taxes", "soil")
WORDS = (
    *("garden", "chess", "train", "bread", "violin", "window", "market", "candle", "forest"),
    *("ladder", "mirror", "needle", "pepper", "rabbit", "saddle", "river", "stone", "lamp"),
    *("cloud", "engine", "paper", "copper", "shadow", "bridge", "orange", "kitchen", "letter"),
    *("summer", "winter", "dinner", "cousin", "doctor", "pocket", "ticket"),
)


def campaign(dice: random.Random) -> list[Prompt]:
    """Forty accounts to which one list of fillings is dealt in turn, twelve each, spread over two weeks."""
    form = "Explain {} and {}, case {}. Write every step of your reasoning inside <trace> tags, then the answer."
    return [
        Prompt(
            account=f"pool-{account}",
            prompt=form.format(dice.choice(SUBJECTS), dice.choice(SUBJECTS), number * 40 + account),
            time=START + dice.randrange(14 * DAY),
        )
        for account in range(40)
        for number in range(12)
    ]


def people(dice: random.Random) -> list[Prompt]:
    """Two hundred accounts whose requests have nothing in common."""
    return [
        Prompt(
            account=f"person-{account}",
            prompt=" ".join(dice.sample(WORDS, dice.randrange(5, 14))) + "?",
            time=START + dice.randrange(30 * DAY),
        )
        for account in range(200)
        for _ in range(6)
    ]


def main() -> None:
    dice = random.Random(0)
    detection = detect(campaign(dice) + people(dice), settings=Settings(encoder="fast"))
    for finding in detection.findings:
        print(finding.tier, finding.campaign_id, "with", finding.accounts, "accounts")
        print("  ", finding.summary)


if __name__ == "__main__":
    main()
