"""Capability targets on public texts: how often the right one is named, and how often one is named in error.

    python -m benchmarks.intent --data DIR [--half reporting]

The unit is a campaign of :data:`SIZE` texts. Templates of distillation sets, graders and exams are filled with ordinary
questions. The tasks of a distillation set and the prompts of graders are used as they are. Ordinary requests are
grouped by subject where their source has subjects, which is the harder case. The described requests were written and
the margins were chosen on the tuning part alone.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from benchmarks.real_texts import Half, Row, cycle, fill, fixed_words, read, slots
from benchmarks.real_texts import part as part_of
from benchmarks.real_texts import texts as texts_of
from harvestdetect import Settings
from harvestdetect.corpus.normalize import normalize
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.evidence.intent import FIXED_MARGIN, Prototypes, load_prototypes, margins, targets_of
from harvestdetect.template.description import describe

__all__ = ["FILES", "LabelledGroup", "groups", "main", "table"]

SIZE: Final = 12
"""Texts of a group."""
PER_SOURCE: Final = 60
"""Most groups of one source for one target, or for none."""
SLOTLESS_WORDS: Final = 6
"""Least number of words of a template without a slot."""
FILES: Final = (
    "app_templates",
    "arena_prompts",
    "clinc150_utterances",
    "distillation_templates",
    "gpteacher_distillation",
    "hh_human_turns",
    "hwu64_utterances",
    "llm_judge_prompts",
    "lm_eval_templates",
    "nq_questions",
    "stackoverflow_titles",
)
ORDINARY: Final = (
    "arena_prompts",
    "clinc150_utterances",
    "hh_human_turns",
    "hwu64_utterances",
    "nq_questions",
    "stackoverflow_titles",
)
TEMPLATES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("reasoning traces", "lm_eval_templates", "", r"step[ -]by[ -]step"),
    ("reasoning traces", "distillation_templates", r"math_shepherd|cot(_response)?\.txt", ""),
    ("knowledge boundaries", "lm_eval_templates", "", r"^(?!.*step[ -]by[ -]step).*(choices|options)"),
    ("rubric grading", "distillation_templates", r"^(prometheus_eval|tatsu|lm-sys|allenai)|ultrafeedback/", ""),
    ("rubric grading", "distillation_templates", r"prometheus/|quality-scorer|complexity-scorer", ""),
    ("rubric grading", "app_templates", r"langchain_classic/evaluation/(?!qa/generate)", ""),
    ("safety behaviour", "app_templates", "constitutional", ""),
    (
        "task generation",
        "distillation_templates",
        r"self.instruct|evol_instruct|genstruct|text_embeddings|template_prompt"
        r"|(general|riddle|trivia|orca|contextual|coding|multiple_choice|misconception|temporal_awareness)\.txt",
        "",
    ),
)
"""Templates with a target: target, file, pattern of source and task, pattern of the text."""
PLAIN: Final = (
    ("coding", "gpteacher_distillation", "codegen"),
    ("writing style", "gpteacher_distillation", "roleplay"),
    ("response patterns", "gpteacher_distillation", "toolformer"),
    ("rubric grading", "llm_judge_prompts", "mt_bench/single-v1"),
    ("rubric grading", "llm_judge_prompts", "mt_bench/pair-v2"),
    ("rubric grading", "llm_judge_prompts", "arena_hard/pairwise"),
)
"""Texts that are used as they are: target, file, task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledGroup:
    """Texts as the accounts of one campaign, or people with one subject, would send them."""

    target: str | None
    """The true target; None for ordinary requests."""
    source: str
    texts: tuple[str, ...]


def groups(data: Path, half: Half) -> list[LabelledGroup]:
    """The groups of one part of the texts."""
    rng = random.Random(half)
    ordinary = {name: _by_task(data, name, half) for name in ORDINARY}
    payloads = [t for name in ("nq_questions", "arena_prompts") for texts in ordinary[name].values() for t in texts]
    found = _filled(data, half, cycle(payloads, rng))
    for target, name, task in PLAIN:
        found += _cut(target, f"{name}: {task}", [_by_task(data, name, half).get(task, [])], rng)
    for name in ORDINARY:
        found += _cut(None, name, ordinary[name].values(), rng)
    return found


def _by_task(data: Path, name: str, half: Half) -> dict[str, list[str]]:
    """The distinct texts of a file in one part, by task."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in read(data, name):
        if part_of(row["text"]) == half:
            found[str(row.get("task", ""))].add(row["text"])
    return {task: sorted(texts) for task, texts in sorted(found.items())}


def _filled(data: Path, half: Half, payloads: Iterator[str]) -> list[LabelledGroup]:
    """A group of fillings of each template; templates that begin with the same words count once.

    A template without slots is put after an ordinary question.
    """
    found = []
    seen: set[tuple[str, ...]] = set()
    for target, name, task, text in TEMPLATES:

        def wanted(row: Row, task: str = task, text: str = text) -> bool:
            return bool(
                row["text"].isascii()
                and re.search(task, f"{row['source']} {row['task']}")
                and re.search(text, row["text"].lower(), re.DOTALL)
            )

        for template in sorted(texts_of(data, name, half=half, seed=0, keep=wanted)):
            words = fixed_words(template)
            start = tuple(words[:8])
            if start in seen or (not slots(template) and len(words) < SLOTLESS_WORDS):
                continue
            seen.add(start)
            if slots(template):
                texts = tuple(fill(template, payloads) for _ in range(SIZE))
            else:
                texts = tuple(f"{next(payloads)}\n\n{template}" for _ in range(SIZE))
            found.append(LabelledGroup(target=target, source=name, texts=texts))
    return found


def _cut(target: str | None, source: str, tasks: Iterable[list[str]], rng: random.Random) -> list[LabelledGroup]:
    """Groups of texts of one task each."""
    found: list[LabelledGroup] = []
    for texts in tasks:
        mixed = list(texts)
        rng.shuffle(mixed)
        found += [
            LabelledGroup(target=target, source=source, texts=tuple(mixed[i : i + SIZE]))
            for i in range(0, len(mixed) - SIZE + 1, SIZE)
        ]
    rng.shuffle(found)
    return found[:PER_SOURCE]


def named(group: LabelledGroup, prototypes: Prototypes) -> tuple[str, ...]:
    """The targets that are named for a group, clearest first."""
    vectors = prototypes.encode([normalize(text) for text in group.texts])
    fixed = " ".join(w for w in describe(group.texts, vectors).words if w is not None)
    return tuple(t.name for t in targets_of(group.texts, prototypes, fixed=[fixed]))


def table(found: Sequence[LabelledGroup], prototypes: Prototypes) -> list[str]:
    """The rows of the table: one per target, then one per source of ordinary requests."""
    said = [named(group, prototypes) for group in found]
    rows = [
        "| target | groups | named first | named | precision of first |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in prototypes.names:
        own = [names for group, names in zip(found, said, strict=True) if group.target == name]
        first = sum(names[:1] == (name,) for names in said)
        right = sum(names[:1] == (name,) for names in own)
        rows.append(
            f"| {name} | {len(own)} | {_share(right, len(own))} | {_share(sum(name in n for n in own), len(own))} "
            f"| {_share(right, first)} |"
        )
    rows += ["", "| ordinary requests | groups | a target named | single texts above the margin |"]
    rows.append("|---|---:|---:|---:|")
    for source in ORDINARY:
        own_groups = [(g, n) for g, n in zip(found, said, strict=True) if g.target is None and g.source == source]
        texts = [t for g, _ in own_groups for t in g.texts]
        above = int((margins(texts, prototypes).max(axis=1, initial=-1.0) >= FIXED_MARGIN).sum())
        alarms = sum(bool(n) for _, n in own_groups)
        rows.append(
            f"| {source} | {len(own_groups)} | {_share(alarms, len(own_groups))} | {_share(above, len(texts))} |"
        )
    return rows


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the public texts")
    parser.add_argument("--half", choices=get_args(Half), default="reporting")
    chosen = parser.parse_args(arguments)
    missing = [name for name in FILES if not (chosen.data / f"{name}.jsonl.gz").is_file()]
    if missing:
        print(f"{chosen.data} lacks {', '.join(missing)}", file=sys.stderr)
        return 2
    prototypes = load_prototypes(load_encoder("wording", settings=Settings()).encode)
    found = groups(chosen.data, chosen.half)
    print(f"{len(found)} groups of {SIZE} texts, {chosen.half} part, wording view\n")
    print("\n".join(table(found, prototypes)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
