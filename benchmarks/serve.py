"""The page behind a large scan: how long each kind of page takes, the memory of the server, and many people at once.

    python -m benchmarks.serve --rows 1000000 --findings 500 --clients 20 --writers 2 --seconds 300 \\
        [--docs docs/speed.md]

The folders are laid by :mod:`benchmarks.serve_folder`. The server is the command ``harvestdetect serve`` in a process
of its own, and the clients are threads of this one. First one client asks for each kind of page. Then all clients read,
a second after each page, while writers judge the same findings. In the end, every verdict that the server confirmed
must be in the state and in the audit log. ``--keep DIR`` keeps the folders for the next time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec

from benchmarks.pages import publish
from benchmarks.serve_folder import Folders, lay
from benchmarks.worlds import commit_of
from harvestdetect.report import AUDIT
from harvestdetect.state import open_state

__all__ = ["Client", "Folders", "Load", "Server", "Timed", "fresh", "loaded", "lost", "main", "measured", "serving"]

LIMITS: Final[Mapping[str, float]] = {"page": 300.0, "search": 1_000.0, "memory": 1_500.0}
"""Milliseconds of a page and of a search, and MB of the server, that are promised."""
REPEATS: Final = 20
"""Pages of each kind."""
PAUSE: Final = 1.0
"""Seconds for which a client looks at a page."""
TIMEOUT: Final = 60.0
"""Seconds after which a page counts as failed."""
SAMPLE: Final = 0.2
"""Seconds between two looks at the memory of the server."""
JUDGED: Final = 20
"""Findings that the writers judge, again and again, so that they meet."""
SEED: Final = 7
"""Seed of what clients ask for."""


@dataclass
class Client:
    """A client with a session."""

    port: int
    cookie: str = ""
    key: str = ""
    """The hidden field of every form."""

    def ask(
        self, method: str, path: str, fields: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        """Sends a request. Returns the status, the headers and the text of the answer."""
        headers = {"Cookie": self.cookie} if self.cookie else {}
        body = None
        if fields is not None:
            headers |= {
                "Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/x-www-form-urlencoded",
            }  # fmt: skip
            body = urlencode({"key": self.key, **fields})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read().decode()
        finally:
            connection.close()

    def get(self, path: str) -> str:
        """The text of a page.

        Raises:
            ValueError: the server answered something else.
        """
        status, _, text = self.ask("GET", path)
        if status != 200:
            raise ValueError(f"{path}: the server answered {status}")
        return text

    def search(self, fields: Mapping[str, str]) -> str:
        """Asks a question, and reads the page until the answer is on it."""
        status, _, _ = self.ask("POST", "/search", fields)
        if status != 303:
            raise ValueError(f"/search: the server answered {status}")
        while 'id="answer-title">Searching' in (text := self.get("/search")):
            time.sleep(0.02)
        return text

    def enter(self, address: str) -> None:
        """Opens the address that the server printed."""
        _, headers, _ = self.ask("GET", address[address.index("/enter") :])
        self.cookie = headers["set-cookie"].split(";")[0]
        self.key = field_of(self.get("/"), "key")


def field_of(text: str, name: str) -> str:
    """The value of a hidden field of a page.

    Raises:
        ValueError: there is none.
    """
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    if found is None:
        raise ValueError(f"the page has no field {name}")
    return found[1]


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    clients: dict[str, Client]
    peak: dict[str, float] = field(default_factory=dict)
    """Largest memory in MB: ``own`` (anonymous pages), ``mapped`` (pages of files) and ``whole``."""

    def cpu(self) -> float:
        """The CPU time of the process so far, in milliseconds."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        user, system = text.rpartition(")")[2].split()[11:13]
        return 1e3 * (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def look(self) -> None:
        """Takes note of the memory of the process."""
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return
        sizes = {name: int(value) / 1e3 for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
        seen = {"own": sizes.get("RssAnon", 0), "mapped": sizes.get("RssFile", 0), "whole": sizes.get("VmHWM", 0)}
        self.peak = {name: max(size, self.peak.get(name, 0)) for name, size in seen.items()}


@contextmanager
def serving(folders: Folders, names: Sequence[str]) -> Iterator[Server]:
    """Runs ``harvestdetect serve``, with a client for each name, until the end of the context."""
    command = [sys.executable, "-m", "harvestdetect", "serve", folders.out, "--state", folders.state, "--port", "0"]
    command += ["--idle", "0", *(text for name in names for text in ("--reviewer", name))]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    ended = threading.Event()
    server = Server(process, {})

    def watch() -> None:
        while not ended.wait(SAMPLE):
            server.look()

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        assert process.stdout is not None
        for _ in names:
            name, _, address = process.stdout.readline().strip().partition(": ")
            if not address:
                raise ValueError("the server did not start; run harvestdetect serve on a folder to see why")
            port = int(address.split(":")[2].split("/")[0])
            server.clients[name] = Client(port)
            server.clients[name].enter(address)
        watcher.start()
        yield server
    finally:
        server.look()
        ended.set()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


# ---------------------------------------------------------------- pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """How long pages of one kind took, in milliseconds."""

    kind: str
    took: tuple[float, ...]
    cpu: float
    """CPU time of the server for each page, in milliseconds; NaN if several clients asked at once."""
    limit: float

    @classmethod
    def of(cls, kind: str, took: Sequence[float], cpu: float = math.nan) -> Timed:
        """The figures of a kind, whose name tells whether it is a search."""
        limit = LIMITS["search" if kind.startswith("search ") else "page"]
        return cls(kind=kind, took=tuple(took), cpu=cpu, limit=limit)

    @property
    def p95(self) -> float:
        """The time within which 19 of 20 pages came."""
        return sorted(self.took)[max(-(-95 * len(self.took) // 100) - 1, 0)]

    def row(self) -> str:
        """A row of the table."""
        figures = (statistics.median(self.took), self.p95, max(self.took))
        cpu = "" if math.isnan(self.cpu) else f"{self.cpu:,.0f}"
        return f"| {self.kind} | {len(self.took)} | {' | '.join(f'{one:,.0f}' for one in figures)} | {cpu} |"


def questions(folders: Folders, keys: Sequence[str]) -> dict[str, Callable[[Client, random.Random], object]]:
    """Kind of page -> what asks for one.

    Args:
        folders: what is served.
        keys: names of accounts in addresses.
    """

    def page(path: str) -> Callable[[Client, random.Random], object]:
        return lambda client, choice: client.get(path)

    def finding(rest: str) -> Callable[[Client, random.Random], object]:
        return lambda client, choice: client.get(f"/finding/{choice.choice(folders.campaigns)}{rest}")

    def search(texts: Sequence[str], **fields: str) -> Callable[[Client, random.Random], object]:
        return lambda client, choice: client.search({**fields, "text": choice.choice(texts)})

    def find(client: Client, choice: random.Random) -> None:
        client.ask("POST", "/find", {"find": choice.choice(folders.accounts)})
        client.get("/?show=all&found=yes")

    def reveal(client: Client, choice: random.Random) -> None:
        campaign = choice.choice(folders.campaigns)
        client.ask("POST", f"/finding/{campaign}/reveal", {"reason": "a benchmark"})
        client.get(f"/finding/{campaign}")

    words = [" ".join(text.split()[:12]) for text in folders.texts]
    return {
        "queue": page("/"),
        "queue, filtered": page("/?show=all&tier=review&family=time&sort=accounts&page=2"),
        "queue, last page": page("/?show=all&page=10"),
        "queue, an account looked for": find,
        "finding with its map": finding(""),
        "finding, second page of accounts": finding("?accounts=2"),
        "finding, tenth page of prompts": finding("?prompts=10"),
        "finding with its texts": reveal,
        "account": lambda client, choice: client.get(f"/account/{choice.choice(keys)}"),
        "runs": page("/runs"),
        "two runs compared": page("/runs/compare?older=1&newer=2"),
        "audit log": page("/audit"),
        "search page": page("/search"),
        "search by wording": search(words, kind="text", by="wording"),
        "search for the same text": search(folders.texts, kind="text", by="exact"),
        "search by account": search(folders.accounts, kind="account"),
        "search by shared address": search(folders.addresses, kind="value"),
    }


def measured(folders: Folders, server: Server, *, repeats: int) -> tuple[list[Timed], float]:
    """Asks for each kind of page, one after the other.

    Args:
        folders: what is served.
        server: its first client asks.
        repeats: pages of each kind.

    Returns:
        The times, and how long the first search took, which checks and opens the index, in milliseconds.
    """
    client, found = next(iter(server.clients.values())), set[str]()
    for campaign in folders.campaigns[:5]:
        found.update(re.findall(r"/account/([0-9a-f]{20})", client.get(f"/finding/{campaign}")))
    choice = random.Random(SEED)
    start = time.perf_counter()
    client.search({"kind": "text", "by": "wording", "text": folders.texts[0]})
    first = 1e3 * (time.perf_counter() - start)
    made = []
    for kind, ask in questions(folders, sorted(found)).items():
        took, before = [], server.cpu()
        for _ in range(repeats):
            start = time.perf_counter()
            ask(client, choice)
            took.append(1e3 * (time.perf_counter() - start))
        made.append(Timed.of(kind, took, (server.cpu() - before) / repeats))
    return made, first


# ---------------------------------------------------------------- many people at once


@dataclass
class Load:
    """What many clients at once saw."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """``page`` and ``search`` -> milliseconds."""
    failures: list[str] = field(default_factory=list)
    stored: list[tuple[str, str, str]] = field(default_factory=list)
    """Campaign, reviewer and note of each verdict that the server confirmed."""
    conflicts: int = 0
    """Verdicts that were refused because somebody else was faster."""


def loaded(folders: Folders, server: Server, *, writers: int, seconds: float, pause: float = PAUSE) -> Load:
    """Lets all clients work at once: the last ``writers`` of them judge, the others read.

    Args:
        folders: what is served.
        server: with a client for each person.
        writers: clients that judge.
        seconds: how long.
        pause: seconds between two pages of a client.
    """
    load, lock, until = Load(), threading.Lock(), time.monotonic() + seconds
    every = list(server.clients.items())

    def read(client: Client, number: int) -> None:
        choice = random.Random(number)
        some = re.findall(r"/account/([0-9a-f]{20})", client.get(f"/finding/{folders.campaigns[0]}"))
        kinds = questions(folders, some)
        while time.monotonic() < until:
            kind = choice.choice(list(kinds))
            start = time.perf_counter()
            try:
                kinds[kind](client, choice)
            except (OSError, ValueError) as error:
                with lock:
                    load.failures.append(f"{kind}: {error}")
            with lock:
                load.took["search" if kind.startswith("search ") else "page"].append(
                    1e3 * (time.perf_counter() - start)
                )
            time.sleep(pause * choice.uniform(0.5, 1.5))

    def write(client: Client, name: str) -> None:
        choice, number = random.Random(name), 0
        while time.monotonic() < until:
            campaign, number = choice.choice(folders.campaigns[:JUDGED]), number + 1
            note = f"{name} {number}"
            try:
                seen = field_of(client.get(f"/finding/{campaign}"), "seen")
                fields = {"verdict": "unsure", "note": note, "expires": "", "seen": seen}
                status, _, _ = client.ask("POST", f"/finding/{campaign}/verdict", fields)
            except (OSError, ValueError) as error:
                with lock:
                    load.failures.append(f"a verdict: {error}")
                continue
            with lock:
                if status == 303:
                    load.stored.append((campaign, name, note))
                elif status == 409:
                    load.conflicts += 1
                else:
                    load.failures.append(f"a verdict: the server answered {status}")
            time.sleep(pause * choice.uniform(0, 1))

    threads = [threading.Thread(target=read, args=(client, i)) for i, (_, client) in enumerate(every[:-writers])]
    threads += [threading.Thread(target=write, args=(client, name)) for name, client in every[-writers:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def lost(folders: Folders, load: Load) -> list[str]:
    """What is wrong with the verdicts in the end, a sentence each; empty if every confirmed one is kept once."""
    with open_state(folders.state) as opened:
        kept = sorted((one.campaign_id, one.reviewer, one.note) for one in opened.verdicts())
    lines = [json.loads(line) for line in (folders.state / AUDIT).read_text(encoding="utf-8").splitlines()]
    recorded = sum(line.get("what") == "verdict" for line in lines)
    found = []
    if kept != sorted(load.stored):
        found.append(f"the server confirmed {len(load.stored):,} verdicts, and the state has {len(kept):,}")
    if recorded != len(kept):
        found.append(f"the state has {len(kept):,} verdicts, and the audit log {recorded:,}")
    return found


# ---------------------------------------------------------------- the command


def fresh(place: Path, state: Path, chosen: argparse.Namespace) -> Folders:
    """The folders in a place, which are laid if there are none, with a copy of the state that nobody has judged in."""
    about = place / f"{chosen.rows}-{chosen.findings}-{chosen.seed}.json"
    if not about.exists():
        made = lay(place, rows=chosen.rows, findings=chosen.findings, seed=chosen.seed)
        about.write_bytes(msgspec.json.encode(made, enc_hook=str))
    folders = msgspec.json.decode(about.read_bytes(), type=Folders, dec_hook=lambda kind, value: kind(value))
    shutil.copytree(folders.state, state)
    return replace(folders, state=state)


def _lines(chosen: argparse.Namespace, times: Sequence[Timed], first: float, server: Server, load: Load) -> list[str]:
    """The tables."""
    head = ["| page | asked | p50, ms | p95, ms | max, ms | CPU of each, ms |", "|---|---:|---:|---:|---:|---:|"]
    at_once = [Timed.of(f"{kind} with {chosen.clients} readers", took) for kind, took in sorted(load.took.items())]
    over = [one.kind for one in times if one.p95 > one.limit]
    heavy = [one.kind for one in times if one.cpu > one.limit]
    return [
        f"{chosen.rows:,} prompts, {chosen.findings:,} findings.",
        "",
        *head,
        *(one.row() for one in (*times, *at_once)),
        "",
        "| server | |",
        "|---|---:|",
        f"| first search, which checks and opens the index, ms | {first:,.0f} |",
        f"| its own memory at most, MB | {server.peak['own']:,.0f} |",
        f"| mapped files in memory at most, which the system may take back, MB | {server.peak['mapped']:,.0f} |",
        f"| seconds with {chosen.clients} readers and {chosen.writers} writers | {chosen.seconds:,.0f} |",
        f"| verdicts confirmed and kept | {len(load.stored):,} |",
        f"| verdicts refused because another reviewer was faster | {load.conflicts:,} |",
        f"| pages that failed | {len(load.failures):,} |",
        f"| kinds of pages over {LIMITS['page']:.0f} ms, or searches over {LIMITS['search']:,.0f} ms, at p95 | "
        f"{', '.join(over) or 'none'} |",
        f"| the same by CPU time | {', '.join(heavy) or 'none'} |",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--findings", type=int, default=500)
    parser.add_argument("--clients", type=int, default=20, help="people who read at once")
    parser.add_argument("--writers", type=int, default=2, help="people who judge at once")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long they do")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the folders here, and use those that are here")
    parser.add_argument("--docs", type=Path, help="page whose section is replaced")
    chosen = parser.parse_args(arguments)
    names = [f"{kind}{i}" for kind, n in (("reader", chosen.clients), ("writer", chosen.writers)) for i in range(n)]
    with tempfile.TemporaryDirectory() as spare:
        folders = fresh(chosen.keep or Path(spare) / "laid", Path(spare) / "state", chosen)
        with serving(folders, names) as server:
            times, first = measured(folders, server, repeats=REPEATS)
            load = loaded(folders, server, writers=chosen.writers, seconds=chosen.seconds)
        wrong = lost(folders, load)
    command = f"python -m benchmarks.serve --rows {chosen.rows} --findings {chosen.findings}"
    command += f" --clients {chosen.clients} --writers {chosen.writers} --seconds {chosen.seconds:g}"
    text = "\n".join(_lines(chosen, times, first, server, load)) + "\n"
    publish(text, chosen.docs, "serve", command=command, commit=commit_of(Path(__file__).parents[1]))
    for sentence in (*load.failures[:10], *wrong):
        sys.stderr.write(f"{sentence}\n")
    return 1 if wrong or load.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
