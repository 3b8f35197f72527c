"""Folders to export from: results with hostile texts, and real scans of few rows."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa

from harvestdetect import Settings
from harvestdetect.data import PROMPT_COLUMNS, SharedValue
from harvestdetect.report import write_outputs
from harvestdetect.state import open_state
from tests.report.making import HOSTILE, SCRIPT, T0, make_detection, make_finding, make_member, make_template

DAY = 86_400
LONG = "long-" + "x" * 20_000
IDS = (
    *(f"user{i}" for i in range(3)),
    *('=HYPERLINK("http://example.org")', "+1", "-2", "@sum", "\t=1", "＝1", "'=1", "two\nlines\r\n\x00end"),
    *(HOSTILE, SCRIPT, "]]></data><x a='", "&amp;\"'<>", "\u202egnp.exe", "a\ufffe\uffff", "e\u0301\U000e0041", LONG),
)
"""Ids of accounts that programs may trip over."""


def hostile_folder(out: Path) -> Path:
    """Results in which every text is hostile."""
    members = tuple(make_member(name, templates={"t-1": 2, "t-2": 1}, reasons=(HOSTILE,)) for name in IDS)
    shared = (
        SharedValue(field="network", value="203.0.113.*", members=12, known=20, accounts=14, population=640),
        SharedValue(field="ip", value="203.0.113.*", members=3, known=20, accounts=3, population=640),
        SharedValue(field="network", value="2001:db8:1:*", members=4, known=20, accounts=4, population=640),
        SharedValue(field="asn", value="AS64500", members=18, known=20, accounts=20, population=640),
        SharedValue(field="asn", value=HOSTILE, members=18, known=20, accounts=20, population=640),
        SharedValue(field="user_agent", value=HOSTILE, members=18, known=20, accounts=20, population=640),
        SharedValue(field=HOSTILE, value=HOSTILE, members=0, known=0, accounts=0, population=0),
        SharedValue(field="ip", value="999.1.1.*", members=2, known=20, accounts=3, population=640),
        SharedValue(field="ip", value="not an address", members=2, known=20, accounts=3, population=640),
    )
    finding = make_finding(
        title=HOSTILE,
        members=members,
        shared_values=shared,
        templates=(make_template(), make_template("t-2", words=("=cmd|", None), slots=((HOSTILE,),))),
    )
    bare = make_finding(
        "c-2", tier="watch", families=(), orgs=None, first_seen=None, last_seen=None, days=(), templates=(),
        evidence=(), ledger=(), benign_explanations=(), capability_targets=(), shared_values=(), summary=HOSTILE,
        members=(make_member("@late", first_seen=None, last_seen=None, templates={}), make_member("user1")),
        probability=float("nan"), score=float("nan"), q_value=float("nan"),
    )  # fmt: skip
    rows = [
        {
            "file": HOSTILE, "line": 10 * place + number, "account": name, "campaign_id": "c-1",
            "template_id": "t-1" if number < 2 else "t-2", "membership": 0.97,
            "timestamp": None if place == 1 else (T0 + number * 60) * 1_000,
        }
        for place, name in enumerate(IDS)
        for number in range(3)
    ]  # fmt: skip
    write_outputs(make_detection(finding, bare, prompts=pa.Table.from_pylist(rows, schema=PROMPT_COLUMNS)), out)
    return out


def small_scan(folder: Path, cache: Path, **settings: Any) -> Path:
    """A folder with ``state`` and ``out`` of a scan that found one campaign of 14 accounts named ``pool-...``."""
    rng = random.Random(3)
    words = [f"{a}{b}" for a in ("sol", "mer", "tan", "vik", "ral") for b in ("ia", "on", "eth", "ur", "im")]
    rows = [
        {"account": f"person-{rng.randrange(40)}", "timestamp": T0 + rng.randrange(DAY), "prompt": _said(rng, words)}
        for _ in range(120)
    ]
    form = "Solve the following {} exam question step by step and grade your own reasoning from one to ten: {} and {}"
    rows += [
        {
            "account": f"pool-{i:02d}x",
            "timestamp": T0 + rng.randrange(DAY),
            "prompt": form.format(*rng.sample(words, 3)),
        }
        for i in range(14)
        for _ in range(3)
    ]
    folder.mkdir(exist_ok=True)
    dump = folder / "day.jsonl"
    dump.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made = Settings(encoder="fast", workers=1, threads=1, cache=cache, **settings)
    with open_state(folder / "state", write=True) as state:
        state.scan([dump], settings=made, now=T0 + 2 * DAY, write=lambda found: write_outputs(found, folder / "out"))
    return folder


def _said(rng: random.Random, words: list[str]) -> str:
    return " ".join(rng.sample(words, 9)) + "?"
