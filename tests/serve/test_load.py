"""Many findings, and many people at once."""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from harvestdetect.report import AUDIT
from harvestdetect.state import open_state
from tests.report.making import make_detection, make_finding, make_member
from tests.serve.running import Client, running, state_of, with_prompts, written

FINDINGS = 500
LIMIT = 0.3
READERS, WRITERS, VERDICTS = 20, 2, 4


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan with many findings of forty accounts each, and its state."""
    folder = tmp_path_factory.mktemp("many")
    findings = [
        make_finding(
            f"c-{i:010x}", tier=("urgent", "review", "watch")[i % 3], summary=f"Group {i}", accounts=40,
            members=tuple(make_member(f"account-{i}-{j}") for j in range(40)),
        )
        for i in range(FINDINGS)
    ]  # fmt: skip
    detection = with_prompts(make_detection(*findings))
    written(detection, folder / "out")
    state_of(detection, folder / "state")
    return folder


@pytest.mark.alone
def test_pages_are_fast_with_many_findings(many: Path) -> None:
    with running(many / "out", many / "state") as server:
        ann = server.client()
        finding = ann.get("/finding/c-0000000007")
        found = re.search(r"/account/[0-9a-f]{20}", finding.text)
        assert found is not None
        ann.post("/find", {"find": "account-77-3"})
        paths = ["/?show=all&found=yes", "/", "/?show=all&page=7", "/?show=all&sort=accounts"]
        paths += ["/finding/c-0000000007", found[0], "/runs"]
        for path in (*paths, "/runs/compare?older=1&newer=2", "/search", "/audit", "/status"):
            took = []
            for _ in range(4):
                start = time.perf_counter()
                assert ann.get(path).status == 200, path
                took.append(time.perf_counter() - start)
            assert min(took) < LIMIT, (path, took)


def test_twenty_readers_and_two_writers(many: Path, tmp_path: Path) -> None:
    """Nothing is lost and nobody gets an error. Both writers judge the same findings, so that they meet."""
    state = tmp_path / "state"
    shutil.copytree(many / "state", state)
    campaigns = [f"c-{i:010x}" for i in range(VERDICTS)]
    failures: list[str] = []
    stored: list[tuple[str, str]] = []
    conflicts: list[int] = []
    done = threading.Event()

    def read(client: Client, number: int) -> None:
        paths = ["/?show=all", f"/finding/c-{number:010x}", "/runs", "/audit", "/status", "/?show=judged"]
        count = 0
        while not done.is_set() or count < len(paths):
            reply = client.get(paths[count % len(paths)])
            count += 1
            time.sleep(0.02)
            if reply.status != 200:
                failures.append(f"{paths[count % len(paths)]}: {reply.status}")

    def write(client: Client, name: str) -> None:
        for campaign in campaigns:
            while True:
                seen = client.get(f"/finding/{campaign}").field("seen")
                fields = {"verdict": "unsure", "note": f"{name} read {campaign}", "expires": "", "seen": seen}
                status = client.post(f"/finding/{campaign}/verdict", fields).status
                if status == 303:
                    stored.append((campaign, name))
                    break
                if status != 409:
                    failures.append(f"{campaign} by {name}: {status}")
                    break
                conflicts.append(status)

    names = tuple(f"reader{i}" for i in range(READERS)) + tuple(f"writer{i}" for i in range(WRITERS))
    with running(many / "out", state, reviewers=names) as server:
        clients = {name: server.client(name) for name in names}
        readers = [threading.Thread(target=read, args=(clients[f"reader{i}"], i)) for i in range(READERS)]
        writers = [threading.Thread(target=write, args=(clients[f"writer{i}"], f"writer{i}")) for i in range(WRITERS)]
        for thread in (*readers, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        assert not [note for note in server.notes if "could not be made" in note]
    assert not failures
    assert len(stored) == WRITERS * VERDICTS
    with open_state(state) as opened:
        kept = [(one.campaign_id, one.reviewer) for one in opened.verdicts()]
    assert sorted(kept) == sorted(stored)
    lines = (state / AUDIT).read_text().splitlines()
    assert sum('"what": "verdict"' in line for line in lines) == len(stored)
