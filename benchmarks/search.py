"""Search by example at a size: how long an index takes to write and to open, a question to answer, and the memory.

    python -m benchmarks.search --rows 1000000 [--docs docs/search.md]

Texts, accounts and vectors are made up: random words, and random directions in the dimensions of the wording view. To
make an index of real prompts, they are also read and embedded, as the first two stages of a scan do it
(``python -m benchmarks.scale``).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from benchmarks.pages import publish
from benchmarks.worlds import commit_of
from harvestdetect import Settings
from harvestdetect.corpus.segments import digests
from harvestdetect.data import Corpus, FieldColumn, Prompts
from harvestdetect.search.build import write_index
from harvestdetect.search.campaigns import Campaigns
from harvestdetect.search.index import open_index, open_vectors
from harvestdetect.search.opened import Search
from harvestdetect.search.place import Place
from harvestdetect.store.models import is_whole, publish_folder
from harvestdetect.util.arrays import Floats16, unit
from harvestdetect.util.machine import peak_memory_mb
from harvestdetect.util.texts import write_texts

__all__ = ["made_corpus", "made_vectors", "main", "measure", "searching"]

DIMENSIONS: Final = 256
"""Dimensions of the wording view."""
WORDS: Final = 5_000
"""Distinct words of the texts."""
LENGTH: Final = 40
"""Words of a text."""
PER_ACCOUNT: Final = 20
"""Prompts of an account."""
REPEATS: Final = 9
"""Questions of each kind; the median is printed."""


def made_corpus(rows: int, seed: int) -> Corpus:
    """A corpus of as many prompts, each with a text of its own."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{i}" for i in range(WORDS)])
    raw = [" ".join(words[rng.integers(0, WORDS, LENGTH)]) for _ in range(rows)]
    keys = digests([text.encode() for text in raw])
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    texts = write_texts(raw[i] for i in order.tolist())
    number = np.arange(rows, dtype=np.int32)
    account = (number // PER_ACCOUNT).astype(np.int32)
    accounts = int(account[-1]) + 1
    address = FieldColumn(
        code=rng.integers(0, accounts, rows).astype(np.int32),
        values=pa.array(sorted(f"198.{i // 62_500 % 250}.{i // 250 % 250}.{i % 250}" for i in range(accounts))),
    )
    return Corpus(
        digest=keys[order].astype(">u8").view("V16").reshape(-1), text=texts, display=texts,
        kind=np.zeros(rows, np.uint8), senders=np.ones(rows, np.int32), posting_segment=number,
        posting_prompt=rng.permutation(rows).astype(np.int32),
        prompts=Prompts(
            account=account, time=1_780_272_000 + rng.integers(0, 45 * 86_400, rows),
            file=np.zeros(rows, np.int32), line=np.arange(1, rows + 1), content=number,
            accounts=pa.array(sorted(f"account-{i:08}" for i in range(accounts))), fields={"ip": address},
            created_at=np.full(rows, 1_780_000_000),
        ),
    )  # fmt: skip


def made_vectors(rows: int, seed: int) -> Floats16:
    """float16[rows, d], unit rows in random directions."""
    rng = np.random.default_rng(seed)
    out = np.empty((rows, DIMENSIONS), np.float16)
    for start in range(0, rows, 1 << 16):
        part = out[start : start + (1 << 16)]
        part[...] = unit(rng.standard_normal(part.shape, dtype=np.float32))
    return out


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _median(work: Callable[[], object]) -> float:
    return statistics.median(_timed(work) for _ in range(REPEATS))


def _written(rows: int, target: Path, seed: int) -> tuple[float, str]:
    """Makes an index; returns how long writing it took, in seconds, and one of its texts."""
    corpus, vectors = made_corpus(rows, seed), made_vectors(rows, seed)

    def write(folder: Path) -> None:
        write_index(folder, corpus, vectors, files=["made up"], preambles=[])

    return _timed(lambda: publish_folder(target, write)), corpus.display[rows // 2]


def _opened(folder: Path) -> Search:
    """The search of the index in a folder."""
    target = folder / "search" / "index"
    place = Place(
        kind="work", folder=folder, findings=None, in_state=False, files=(), since=None, preambles=(),
        settings=Settings(),
    )  # fmt: skip
    return Search(place, target, open_index(target), open_vectors(target, "wording"), Campaigns(), lambda note: None)


def measure(rows: int, folder: Path, seed: int) -> list[tuple[str, str]]:
    """What was measured, and the figure."""
    target = folder / "search" / "index"
    written, question = _written(rows, target, seed)
    size = sum(path.stat().st_size for path in target.iterdir())
    checked = _timed(lambda: is_whole(target))
    opening = _timed(lambda: _opened(folder).close())
    with closing(_opened(folder)) as search:
        assert search.nearest(question, top=1).hits[0].exact  # loads the model as well
        return [
            ("index written, seconds", f"{written:.1f}"),
            ("size of the index, GB", f"{size / 1e9:.2f}"),
            ("its digests checked, seconds", f"{checked:.2f}"),
            ("index opened, seconds", f"{opening:.3f}"),
            ("nearest by wording, seconds", f"{_median(lambda: search.nearest(question)):.3f}"),
            ("same text, seconds", f"{_median(lambda: search.nearest(question, by='exact')):.3f}"),
            ("what an account sends, seconds", f"{_median(lambda: search.of_account('account-00000007')):.3f}"),
            ("who shares an address, seconds", f"{_median(lambda: search.sharing('198.0.0.7')):.3f}"),
        ]


def _memory(folder: Path) -> str:
    """Peak memory in MB of a process that only searches."""
    code = "import sys; from pathlib import Path; from benchmarks.search import searching; searching(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def searching(folder: Path) -> None:
    """Answers one question and prints the peak memory of the process, without the pages of mapped files, in MB."""
    with closing(_opened(folder)) as search:
        search.nearest("word1 word2 word3")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    own = int(status["RssAnon"].split()[0]) / 1e3
    print(f"{own:,.0f} (and {peak_memory_mb() - own:,.0f} of mapped files, which the system may take back)")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", type=Path, help="page whose section is replaced")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(chosen.rows, Path(folder), chosen.seed)
        found.append(("memory of a process that searches, MB", _memory(Path(folder))))
    lines = [f"| {chosen.rows:,} texts | |", "|---|---:|", *(f"| {name} | {figure} |" for name, figure in found)]
    command = f"python -m benchmarks.search --rows {chosen.rows}"
    publish(
        "\n".join(lines) + "\n", chosen.docs, "search", command=command, commit=commit_of(Path(__file__).parents[1])
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
