"""What a scan takes over from an earlier one: the same answer twice, nearly the same with a little more, no more."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvestdetect import Settings, detect, read_dumps
from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.views import Clustered
from harvestdetect.context import open_context
from harvestdetect.data import NO_TIME, Campaign, Corpus, Detection, TemplateCluster
from harvestdetect.incremental import folder as folder_module
from harvestdetect.incremental import reuse
from harvestdetect.incremental.candidates import CarriedCandidates, load_candidates, save_candidates
from harvestdetect.incremental.clusters import CarriedClusters, load_clusters, save_clusters
from harvestdetect.incremental.folder import CLUSTERS, Folder, Stored
from harvestdetect.incremental.templates import CarriedTemplates, load_templates, save_templates
from harvestdetect.judge import resolve
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.pipeline import run_scan
from harvestdetect.simulate import simulate
from harvestdetect.template.clusters import Described, template_of
from harvestdetect.template.description import Description
from harvestdetect.template.splitting import Split
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.disk import SpareFolder

pytestmark = pytest.mark.usefixtures("loaded_once")

ROWS = 4_000
"""Of the simulated dump."""


def digests(*numbers: int) -> npt.NDArray[np.void]:
    return np.array(sorted(numbers), ">u8").repeat(2).view("V16")


def cluster(*points: int, channel: str = "wording", reach: float = 0.25) -> Clustered:
    return Clustered(channel=channel, points=np.array(points, np.int32), quality=2.0, reach=reach)


class Scan:
    """What one scan loads from a work folder and saves into it, in the order of its stages."""

    def __init__(self, work: Path, key: str, *, notes: Callable[[str], object]) -> None:
        spare = SpareFolder(work, what="work folder", notes=notes)
        self.folder = Folder(work=spare, key=key, note=lambda note: notes(note) and None)
        self.carried: CarriedClusters | None = None
        self.templates = CarriedTemplates()
        self.candidates = CarriedCandidates()

    def clusters(self, view: Any, model: str, digest: npt.NDArray[np.void]) -> CarriedClusters | None:
        found = load_clusters(self.folder, view, model, digest)
        self.carried = found if view == "wording" else self.carried
        return found

    def keep_clusters(
        self, view: Any, model: str, digest: npt.NDArray[np.void], found: Any, carried: CarriedClusters | None
    ) -> None:
        save_clusters(self.folder, view, model, digest, found, carried)

    def described(self, items: Sequence[Assigned], corpus: Corpus, *, least: int) -> dict[int, Split]:
        self.templates = load_templates(self.folder, items, corpus, self.carried, min_accounts=least)
        return dict(self.templates.known)

    def keep_described(self, made: dict[int, Split], items: Sequence[Assigned], corpus: Corpus) -> None:
        scan = 0 if self.carried is None else self.carried.scan
        save_templates(self.folder, self.templates, made, items, corpus, scan=scan)

    def weighed(
        self, campaigns: Sequence[Campaign], described: Sequence[Description], corpus: Corpus
    ) -> dict[int, MeasuredCandidate]:
        self.candidates = load_candidates(self.folder, campaigns, described, corpus, self.carried)
        return self.candidates.known

    def keep_weighed(
        self,
        measured: dict[int, MeasuredCandidate],
        campaigns: Sequence[Campaign],
        described: Sequence[Description],
        corpus: Corpus,
        *,
        stands: Iterable[int] = (),
    ) -> None:
        save_candidates(
            self.folder, self.candidates, measured, campaigns, described, corpus, reused=set(stands)
        )  # fmt: skip


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of few texts the clusters are carried on."""
    monkeypatch.setattr(folder_module, "LEAST_TEXTS", 0)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Scan]:
    def one(key: str = "k", *, notes: Callable[[str], None] = pytest.fail) -> Scan:
        return Scan(tmp_path, key, notes=notes)

    return one


# ---------------------------------------------------------------- clusters


@pytest.mark.usefixtures("always")
def test_clusters_come_back_where_their_texts_are_now(opened: Callable[..., Scan]) -> None:
    then, now = digests(*range(0, 400, 4)), digests(*range(4, 400, 4), 5, 6)
    opened().keep_clusters("wording", "m", then, [cluster(0, 1, 2), cluster(2, 3, channel="wording/leaf")], None)
    stood = opened().clusters("wording", "m", now)
    assert stood is not None
    assert [(one.channel, one.points.tolist(), one.reach) for one in stood.clusters] == [
        ("wording", [0, 3], 0.25),
        ("wording/leaf", [3, 4], 0.25),
    ]
    assert np.flatnonzero(stood.new).tolist() == [1, 2]
    assert (stood.whole, stood.changed) == (100, 3)


@pytest.mark.usefixtures("always")
def test_what_was_made_otherwise_is_not_taken_over(opened: Callable[..., Scan]) -> None:
    texts = digests(*range(50))
    opened().keep_clusters("wording", "m", texts, [cluster(0, 1)], None)
    assert opened().clusters("wording", "m", texts) is not None
    assert opened().clusters("wording", "another model", texts) is None
    assert opened().clusters("meaning", "m", texts) is None
    assert opened("another key").clusters("wording", "m", texts) is None


@pytest.mark.usefixtures("always")
def test_changes_add_up_until_all_are_clustered_anew(opened: Callable[..., Scan]) -> None:
    count, step = 100, 4
    opened().keep_clusters("wording", "m", digests(*range(count)), [cluster(0, 1)], None)
    for number in range(1, int(EXCEPTIONAL * count) // step + 1):
        now = digests(*range(count + number * step))
        stood = opened().clusters("wording", "m", now)
        assert stood is not None
        assert stood.changed == number * step
        opened().keep_clusters("wording", "m", now, stood.clusters, stood)
    more = digests(*range(count + (number + 1) * step))
    assert opened().clusters("wording", "m", more) is None
    # and so when they go
    assert opened().clusters("wording", "m", digests(*range(count // 2))) is None


def test_few_texts_are_clustered_whole(opened: Callable[..., Scan], tmp_path: Path) -> None:
    texts = digests(*range(50))
    opened().keep_clusters("wording", "m", texts, [cluster(0, 1)], None)
    assert opened().clusters("wording", "m", texts) is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_carried_on_does_not_stay(
    opened: Callable[..., Scan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = digests(*range(50))
    monkeypatch.setattr(folder_module, "LEAST_TEXTS", 50)
    opened().keep_clusters("wording", "m", texts, [cluster(0, 1)], None)
    opened("another key").keep_clusters("wording", "m", texts, [cluster(0, 1)], None)
    assert len({path.name.partition(".")[0] for path in (tmp_path / CLUSTERS / "wording").iterdir()}) == 1
    assert opened().clusters("wording", "m", texts) is None
    opened().keep_clusters("wording", "m", texts[1:], [cluster(0, 1)], None)
    assert not (tmp_path / CLUSTERS).exists()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", ["digest", "points", "values", "footer"])
def test_what_is_broken_is_made_anew_and_said(opened: Callable[..., Scan], tmp_path: Path, name: str) -> None:
    texts = digests(*range(50))
    opened().keep_clusters("wording", "m", texts, [cluster(0, 1)], None)
    files = sorted((tmp_path / CLUSTERS / "wording").iterdir())
    file = next(file for file in files if name in pq.read_schema(file).names or name == "footer")
    raw = bytearray(file.read_bytes())
    raw[-12 if name == "footer" else 40] ^= 0xFF
    file.write_bytes(raw)
    said: list[str] = []
    assert opened(notes=said.append).clusters("wording", "m", texts) is None
    assert len(said) == 1
    opened().keep_clusters("wording", "m", texts, [cluster(0, 1)], None)
    assert opened().clusters("wording", "m", texts) is not None


@pytest.mark.usefixtures("always")
def test_whole_tables_of_another_shape_are_made_anew(opened: Callable[..., Scan]) -> None:
    said: list[str] = []
    held = opened(notes=said.append)
    arrays = {"came": np.zeros(1, np.int32), "start": np.zeros(1, np.int64), "points": np.zeros(0, np.int32)}
    held.folder.write("wording", Stored(arrays={"digest": digests(1), **arrays}, values=[3]))
    assert held.clusters("wording", "m", digests(1)) is None
    assert "computed again" in said[0]


@pytest.mark.usefixtures("always")
def test_a_folder_that_cannot_be_written_is_said_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / CLUSTERS).write_text("a file")
    said: list[str] = []
    Scan(tmp_path, "k", notes=said.append).keep_clusters("wording", "m", digests(1, 2), [cluster(0, 1)], None)
    assert len(said) == 1
    assert "going on without the work folder" in said[0]


# ---------------------------------------------------------------- templates


def corpus_of(digest: npt.NDArray[np.void], *, sent: Sequence[tuple[int, int]] = ()) -> Corpus:
    """Texts, and of some prompts, from the first on, their accounts and a segment."""
    account = np.array([a for a, _ in sent] + [0] * 200, np.int32)
    return cast(
        "Corpus",
        SimpleNamespace(
            digest=digest,
            prompts=SimpleNamespace(account=account),
            posting_prompt=np.arange(len(sent)),
            posting_segment=np.array([s for _, s in sent], np.int64),
        ),
    )


def with_new(held: Scan, count: int, new: Sequence[int] = ()) -> Scan:
    """As after the clusters of so many texts were carried on by the first scan that did."""
    fresh = np.isin(np.arange(count), new)
    held.carried = CarriedClusters(
        clusters=[], first_scan=fresh.astype(np.int32), scan=1, whole=count, changed=len(new)
    )
    return held


def assigned(*segments: int, prompts: int = 20, channel: str = "wording") -> Assigned:
    held = TemplateCluster(channel=channel, segments=np.array(segments, np.int32), quality=1.0)
    return Assigned(cluster=held, prompts=np.arange(prompts, dtype=np.int32))


def parted(size: int, *shown: int) -> Split:
    texts = [f"Write a short poem about the {thing} and why it sings." for thing in ("bee", "owl", "sea", "fog")]
    vectors = np.eye(4, dtype=np.float32)
    description, template = template_of(texts, vectors, channel="wording", segments=4, prompts=20, accounts=4)
    one = Described(description=description, template=template, shown=np.array(shown, np.int32))
    return Split(described=[one], subcluster=np.zeros(size, np.int16), fills=np.ones(size, bool))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("now", "item", "taken"),
    [
        (range(100), assigned(*range(20)), True),
        (range(102), assigned(*range(20), 100), True),
        (range(110), assigned(*range(20), *range(100, 106)), False),  # has grown by more than a quarter
        (range(100), assigned(*range(20), prompts=26), False),
        (range(100), assigned(*range(20), channel="wording/shared"), False),
        (range(100), assigned(*range(40, 60)), False),
        ([*range(19), *range(20, 100)], assigned(*range(19)), True),  # a text that is not shown has left
        (range(1, 100), assigned(*range(19)), False),  # one that is shown has left
    ],
)
def test_what_is_said_of_a_cluster_stands_while_it_is_the_same(
    opened: Callable[..., Scan], now: Iterable[int], item: Assigned, taken: bool
) -> None:
    then, one = corpus_of(digests(*range(100))), parted(20, 0, 3)
    opened().keep_described({0: one}, [assigned(*range(20))], then)
    corpus = corpus_of(digests(*now))
    assert opened().described([item], corpus, least=5) == {}, "all were clustered anew"
    found = with_new(opened(), len(corpus.digest)).described([item], corpus, least=5)
    assert list(found) == ([0] if taken else [])
    if taken:
        assert found[0].described[0].template == one.described[0].template
        assert found[0].described[0].description == one.described[0].description
        assert found[0].described[0].shown.tolist() == [0, 3]


@pytest.mark.usefixtures("always")
def test_small_changes_do_not_add_up_unseen(opened: Callable[..., Scan]) -> None:
    """A cluster that is taken over is compared with what it was when its template was made."""
    one = parted(40, 0)
    opened().keep_described({0: one}, [assigned(*range(40))], corpus_of(digests(*range(100))))
    for size, taken in ((44, True), (50, True), (51, False)):
        corpus, item = corpus_of(digests(*range(100))), assigned(*range(size))
        held = with_new(opened(), 100)
        assert list(held.described([item], corpus, least=5)) == ([0] if taken else [])
        held.keep_described({}, [item], corpus)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("accounts", "taken"), [(4, True), (5, False)])
def test_accounts_that_come_back_with_new_texts_have_a_cluster_looked_at_again(
    opened: Callable[..., Scan], accounts: int, taken: bool
) -> None:
    opened().keep_described({0: parted(20, 0)}, [assigned(*range(20))], corpus_of(digests(*range(100))))
    # two prompts of each of these accounts hold a text that was not there, beside those of the cluster
    sent = [(account, 99) for account in range(accounts) for _ in range(2)]
    held = with_new(opened(), 100, [99])
    found = held.described([assigned(*range(20))], corpus_of(digests(*range(100)), sent=sent), least=5)
    assert list(found) == ([0] if taken else [])


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("each", "scans", "taken"), [(2, 2, True), (2, 3, False), (6, 1, False)])
def test_accounts_that_come_back_scan_after_scan_add_up(
    opened: Callable[..., Scan], each: int, scans: int, taken: bool, killed: bool
) -> None:
    """Also where a scan ended after its clusters were kept and before its templates were."""
    base = digests(*range(100))
    held = opened()
    held.keep_clusters("wording", "m", base, [cluster(*range(20))], None)
    held.keep_described({0: parted(20, 0)}, [assigned(*range(20))], corpus_of(base))
    sent: list[tuple[int, int]] = []
    found: dict[int, Split] = {}
    for scan_number in range(scans):
        texts = digests(*range(101 + scan_number))
        sent += [(each * scan_number + account, 100 + scan_number) for account in range(each) for _ in range(2)]
        held, item = opened(), assigned(*range(20))
        stood = held.clusters("wording", "m", texts)
        assert stood is not None
        held.keep_clusters("wording", "m", texts, [cluster(*range(20))], stood)
        found = held.described([item], corpus_of(texts, sent=sent), least=5)
        if not killed:
            held.keep_described({}, [item], corpus_of(texts, sent=sent))
    assert list(found) == ([0] if taken else [])


@pytest.mark.usefixtures("always")
def test_what_was_said_of_clusters_goes_when_all_are_found_anew(opened: Callable[..., Scan], tmp_path: Path) -> None:
    base = digests(*range(100))
    held = opened()
    held.keep_clusters("wording", "m", base, [cluster(*range(20))], None)
    held.keep_described({0: parted(20, 0)}, [assigned(*range(20))], corpus_of(base))
    assert (tmp_path / CLUSTERS / "templates").exists()
    opened().keep_clusters("wording", "m", base, [cluster(*range(20))], None)
    assert not (tmp_path / CLUSTERS / "templates").exists()


# ---------------------------------------------------------------- candidates


def people(count: int, *known: str, times: bool = False) -> Corpus:
    """Accounts; the fields that are known of some of their prompts."""
    names = pa.array([f"a{i}" for i in range(count)])
    fields = {name: SimpleNamespace(code=np.array([-1, 0 if name in known else -1])) for name in ("ip", "org")}
    time = np.array([5 if times else NO_TIME])
    prompts = SimpleNamespace(accounts=names, fields=fields, time=time, created_at=np.array([NO_TIME]))
    return cast("Corpus", SimpleNamespace(digest=np.empty(0), prompts=prompts))


def candidate(*accounts: int, prompts: int) -> Campaign:
    held = SimpleNamespace(
        clusters=np.array([0]), accounts=np.array(accounts, np.int32), prompts=np.arange(prompts, dtype=np.int32)
    )
    return cast("Campaign", held)


MEASURED = MeasuredCandidate(
    evidence=(), benign=(), templated=True, targets=("reasoning",), shared_values=(), readings={"copies": -1.5}
)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("now", "template", "taken"),
    [
        (candidate(*range(20), prompts=40), "same", True),
        (candidate(*range(20), prompts=40), "other", False),
        (candidate(*range(25), prompts=50), "same", True),  # four fifths
        (candidate(*range(20), prompts=51), "same", False),
        (candidate(*range(2, 22), prompts=40), "same", True),  # two have left, two have joined
        (candidate(*range(26), prompts=50), "same", False),  # fewer than four fifths
        (candidate(*range(4, 24), prompts=40), "same", False),  # four have left, four have joined
        (candidate(*range(17), prompts=34), "same", True),
        (candidate(*range(15), prompts=34), "same", False),
    ],
)
def test_what_was_measured_on_a_candidate_stands_while_it_is_the_same(
    opened: Callable[..., Scan], now: Campaign, template: str, taken: bool
) -> None:
    same, other = (cast("Description", SimpleNamespace(signature=name)) for name in ("same", "other"))
    with_new(opened(), 0).keep_weighed({0: MEASURED}, [candidate(*range(20), prompts=40)], [same], people(20))
    described = [same if template == "same" else other]
    assert opened().weighed([now], described, people(40)) == {}, "all were clustered anew"
    held = with_new(opened(), 0)
    assert held.weighed([now], described, people(40)) == ({0: MEASURED} if taken else {})


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("corpus", "taken"),
    [
        (people(20, "ip"), True),
        (people(20), False),
        (people(20, "ip", "org"), False),
        (people(20, "org"), False),
        (people(20, "ip", times=True), False),
    ],
)
def test_what_was_measured_stands_only_where_the_same_is_known(
    opened: Callable[..., Scan], corpus: Corpus, taken: bool
) -> None:
    described, one = [cast("Description", SimpleNamespace(signature="same"))], candidate(*range(20), prompts=40)
    with_new(opened(), 0).keep_weighed({0: MEASURED}, [one], described, people(20, "ip"))
    found = with_new(opened(), 0).weighed([one], described, corpus)
    assert found == ({0: MEASURED} if taken else {})


@pytest.mark.usefixtures("always")
def test_only_what_stands_is_left_for_the_next_scan(opened: Callable[..., Scan]) -> None:
    described = [cast("Description", SimpleNamespace(signature="same"))]
    two = [candidate(*range(20), prompts=40), candidate(*range(20, 40), prompts=40)]
    with_new(opened(), 0).keep_weighed({0: MEASURED, 1: MEASURED}, two, described, people(40))
    held = with_new(opened(), 0)
    assert set(held.weighed(two, described, people(40))) == {0, 1}
    held.keep_weighed({}, two, described, people(40), stands={1})
    assert set(with_new(opened(), 0).weighed(two, described, people(40))) == {1}


# ---------------------------------------------------------------- scans


def scan(files: list[Path], work: Path | None) -> Detection:
    settings = Settings(encoder="fast", work=work)
    return detect(read_dumps(files, settings=settings), settings=settings)


def said(detection: Detection, part: str) -> list[str]:
    return [note for note in detection.notes if part in note]


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A simulated dump cut by time into one of nineteen twentieths and one that came later."""
    folder = tmp_path_factory.mktemp("earlier")
    simulate(folder, prompts=ROWS, harvest_share=0.25, seed=3)
    lines: list[str] = []
    for file in sorted((folder / "dump").iterdir()):
        with gzip.open(file, "rt") as rows:
            lines.extend(rows)
    lines.sort(key=lambda line: str(json.loads(line)["timestamp"]))
    cut = len(lines) * 19 // 20
    files = []
    for name, part in (("first.jsonl", lines[:cut]), ("later.jsonl", lines[cut:])):
        (folder / name).write_text("".join(part))
        files.append(folder / name)
    return files


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A scan and the work folder that it left, if it had one."""

    work: Path
    detection: Detection

    def copy(self, to: Path) -> Path:
        """The work folder, for the scan after."""
        return Path(shutil.copytree(self.work, to / "work"))


def scanned(files: list[Path], folder: Path) -> Scanned:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_module, "LEAST_TEXTS", 0)
        return Scanned(work=folder, detection=scan(files, folder))


@pytest.fixture(scope="module")
def whole(dumps: list[Path]) -> Detection:
    """A scan of all dumps without a work folder."""
    return scan(dumps, None)


@pytest.fixture(scope="module")
def all_scanned(dumps: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    return scanned(dumps, tmp_path_factory.mktemp("all"))


@pytest.fixture(scope="module")
def first_scanned(dumps: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """Only the first dump was there."""
    return scanned(dumps[:1], tmp_path_factory.mktemp("first"))


@pytest.mark.usefixtures("always")
def test_a_scan_of_the_same_dumps_takes_all_over_and_says_the_same(
    dumps: list[Path], all_scanned: Scanned, whole: Detection, tmp_path: Path
) -> None:
    first = all_scanned.detection
    second = scan(dumps, all_scanned.copy(tmp_path))
    assert said(second, "carried on")
    assert said(second, "measures of an earlier scan are reused")
    assert second.findings == first.findings
    assert second.candidates == first.candidates
    assert whole.findings == first.findings
    assert not said(first, "carried on")


@pytest.mark.usefixtures("always")
def test_a_scan_with_a_little_more_says_nearly_what_a_whole_one_says(
    dumps: list[Path], first_scanned: Scanned, whole: Detection, tmp_path: Path
) -> None:
    work = first_scanned.copy(tmp_path)
    more = scan(dumps, work)
    assert said(more, "carried on")
    assert more.counts["prompts"] == whole.counts["prompts"]
    members = [[{m.account for m in f.members} for f in d.findings] for d in (whole, more)]
    strong = [[{m.account for m in f.members} for f in d.findings if f.tier != "watch"] for d in (whole, more)]
    assert min(map(len, strong)) > 1
    # what is strong in one scan is a finding of the other: one near the border may be on its other side
    for these, others in zip(strong, members[::-1], strict=True):
        for one in these:
            assert max(len(one & other) / len(one | other) for other in others) >= 0.95
    # what was taken over is not looked at less closely the next time
    again = scan(dumps, work)
    assert again.findings == more.findings
    assert again.candidates == more.candidates


def test_every_setting_changes_findings_or_is_indifferent() -> None:
    """A new setting belongs here, or in ``INDIFFERENT``: otherwise work is carried on that it should discard."""
    deciding = {
        *("mapping", "profile", "pseudonyms", "segment_characters", "max_windows", "registry", "use_registry"),
        *("find_preambles", "encoder", "model", "auto_budget_seconds", "k", "exact_below", "min_samples"),
        *("min_cluster_size", "distance_floor", "distance_cap", "selection", "min_accounts", "max_account_share"),
        *("link_log_p", "fdr", "calibration", "seed"),
    }
    assert not deciding & reuse.INDIFFERENT
    assert deciding | reuse.INDIFFERENT == set(Settings().to_dict())


@pytest.mark.usefixtures("always")
def test_a_candidate_that_is_no_longer_far_is_weighed_anew(
    dumps: list[Path], all_scanned: Scanned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, work = all_scanned.detection, all_scanned.copy(tmp_path)
    taken: list[int] = []
    measure_candidates = reuse.measure_candidates

    def spied(
        campaigns: Sequence[Campaign], *args: Any, known: dict[int, MeasuredCandidate], **named: Any
    ) -> list[MeasuredCandidate]:
        taken.append(len(known))
        taken.append(len(campaigns))
        return measure_candidates(campaigns, *args, known=known, **named)

    monkeypatch.setattr(reuse, "measure_candidates", spied)
    scan(dumps, work)
    assert len(taken) == 2
    assert taken[0] > 0
    # a cut so low that all are near it
    taken.clear()
    monkeypatch.setattr(resolve, "FAR", 0.0)
    second = scan(dumps, work)
    first_known, count, then_known, again = taken
    assert again == count
    assert then_known == count - first_known  # only what was measured just now stands
    assert second.findings == first.findings


@pytest.mark.usefixtures("always")
def test_other_settings_take_nothing_over(dumps: list[Path], first_scanned: Scanned, tmp_path: Path) -> None:
    settings = Settings(encoder="fast", work=first_scanned.copy(tmp_path), min_accounts=11)
    other = detect(read_dumps(dumps[:1], settings=settings), settings=settings)
    assert not said(other, "carried on")


@pytest.mark.usefixtures("always")
def test_a_scan_that_measures_all_reuses_no_measures(dumps: list[Path], all_scanned: Scanned, tmp_path: Path) -> None:
    first = all_scanned.detection
    settings = Settings(encoder="fast", work=all_scanned.copy(tmp_path))
    again = run_scan(read_dumps(dumps, settings=settings), open_context(settings), measure_all=True)
    assert not said(again.detection, "carried on")
    assert not said(again.detection, "as an earlier scan measured them")
    assert again.detection.candidates == first.candidates
