"""The main job, from prompts to findings: :func:`detect` reads as its table of contents."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

import numpy as np

from harvestdetect.campaign.form import Part, communities, form_campaigns, is_copied, link_clusters, split_users
from harvestdetect.cluster.assign import Assigned, Volumes, assign_prompts, nearby, verbatim_clusters, volumes
from harvestdetect.cluster.tree import Postings, core_distance
from harvestdetect.cluster.views import carry_on, cluster_view
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.copies import copies_of
from harvestdetect.corpus.prompts import (
    Parts,
    first_rows,
    parts_of,
    prompt_vectors,
    requests,
    segment_starts,
    segments_of,
)
from harvestdetect.corpus.registry import Registry, load_registry
from harvestdetect.corpus.segments import Cutting
from harvestdetect.corpus.shards import ShardFolder, Window
from harvestdetect.data import (
    NO_TIME,
    Batch,
    Campaign,
    Corpus,
    Detection,
    Family,
    Neighbors,
    Prompt,
    Reject,
    SourceFile,
    StageCost,
    Template,
    TemplateCluster,
    View,
)
from harvestdetect.dump import Dumps, batches_of
from harvestdetect.embed.encoders import CACHED_VIEWS, encode_texts, load_encoder, open_cache, spare_cache
from harvestdetect.errors import CacheError, SettingsError
from harvestdetect.evidence.intent import Encode
from harvestdetect.incremental import FAR, Earlier
from harvestdetect.judge.attribute import Signature, attribute
from harvestdetect.judge.calibration import (
    Calibration,
    calibrated,
    check_calibration,
    expected_findings,
    load_calibration,
)
from harvestdetect.judge.candidates import seen_accounts
from harvestdetect.judge.findings import campaign_ids, candidates_of, finding_of, prompt_table
from harvestdetect.judge.measure import Background, Case, Weighed, background_of, judgements_of, weigh
from harvestdetect.judge.merge import join_parts, without_surer
from harvestdetect.judge.triage import Judgement, changes, expected_false, ranked, what_if
from harvestdetect.neighbors.partition import Partition
from harvestdetect.neighbors.search import nearest
from harvestdetect.settings import Settings
from harvestdetect.store.digests import places
from harvestdetect.store.keys import key_of
from harvestdetect.store.tables import Kept, keep_neighbors, kept_neighbors
from harvestdetect.template.align import Description, is_rigid, is_template
from harvestdetect.template.refine import Parted, describe_clusters
from harvestdetect.util.arrays import Digests, Floats32, Ints32
from harvestdetect.util.disk import SpareFolder
from harvestdetect.util.files import make_folder
from harvestdetect.util.machine import peak_memory_mb, processes
from harvestdetect.util.memory import Counts, available_gb, check_memory, estimate_gb, reading_gb, vectors_in_file
from harvestdetect.util.pool import Elsewhere
from harvestdetect.util.vectors import RowFile, Rows

__all__ = ["detect", "estimated"]

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""``progress(what, total)`` opens a bar and yields the function that is told how many more are done."""

NOMINAL_SPEED: Final = 20_000.0
"""Characters (of UTF-8) per second that the meaning view is reckoned at."""
MAX_REJECTS_KEPT: Final = 100_000
MAX_COPIES_TOLD: Final = 10
"""Files that hold nothing of their own are named in notes up to this number."""
LEAST_KNOWN: Final = 0.5
"""Neighbours of an earlier scan are of use where so many of the segments were in it."""
PROMPT_DIMENSIONS: Final = 48
MANY_CLUSTERS: Final = 500
"""So many are described by several processes; it takes a second to start these."""
INDIFFERENT: Final = frozenset(
    {
        "batch_size",
        "cache",
        "device",
        "format",
        "max_expansion",
        "max_line_bytes",
        "max_rejects",
        "memory_gb",
        "threads",
    }
) | frozenset({"allow_download", "use_cache", "work", "workers"})
"""Settings on which no finding depends, the dumps being the same."""


def detect(
    source: Iterable[Batch] | Iterable[Prompt] | Window,
    *,
    settings: Settings | None = None,
    progress: Progress | None = None,
    notes: Callable[[str], None] | None = None,
    candidates: list[Weighed] | None = None,
    leave_out: Sequence[Family] = (),
    signatures: Sequence[Signature] = (),
    new_since: int | None = None,
) -> Detection:
    """Find campaigns in prompts.

    Args:
        source: what :func:`harvestdetect.read_dumps` yields, prompts in memory, or the window of a state.
        settings: None takes the defaults.
        progress: opens progress bars; None shows none.
        notes: told, in a sentence each, what was decided on the way; they are in ``Detection.notes`` too.
        candidates: takes what was measured on every candidate, before any calibration.
        leave_out: families of evidence that are not weighed, for ablations; the benign explanations still see what was
            measured.
        signatures: templates of known campaigns, whose senders are told apart from the findings...
        new_since: ...if they sent them from this time on (Unix seconds); None: at any time.

    Raises:
        CalibrationError: ``settings.calibration`` cannot be read, or was made for other settings or models.
        SettingsError: ``settings.registry`` cannot be read, or ``leave_out`` names no family.
        EncoderError: a model cannot be found, loaded or trusted.
        NeedsMemoryError: it would need more memory than ``settings.memory_gb``, or than there is.
        ScratchError: temporary files cannot be written.
    """
    settings = settings or Settings()
    run = _Run(settings=settings, progress=progress or _silent, tell=notes)
    left_out = _left_out(leave_out, run)
    run.open(in_state=isinstance(source, Window))
    if settings.work is not None and candidates is None:
        run.earlier = _earlier(settings.work, left_out, run)
    with run.stage("read"):
        corpus = _read(source, run)
    if not len(corpus.prompts.account):
        return run.detection(corpus)
    run.estimate(corpus)
    volume = volumes(corpus)
    postings = _postings(corpus, volume)
    with run.stage("encode wording"):
        wording = _encode("wording", corpus, np.arange(len(corpus.text), dtype=np.int32), run)
    with run.stage("cluster wording"):
        neighbors = _nearest("wording", wording, corpus.digest, run)
        clusters, core = _cluster("wording", neighbors, corpus, postings, run)
    clusters += _meaning(corpus, postings, core, run)
    with run.stage("assign"):
        clusters += verbatim_clusters(corpus, min_accounts=settings.min_accounts)
        assigned = assign_prompts(clusters, corpus, volume, min_accounts=settings.min_accounts)
    with run.stage("templates", blas_threads=1):
        parts = parts_of(corpus)
        assigned, described, templates = _described(assigned, corpus, parts, wording, run)
    with run.stage("campaigns", blas_threads=1):
        campaigns = _campaigns(assigned, described, corpus, volume, neighbors, run)
    with run.stage("evidence", blas_threads=1):
        case = Case(
            corpus=corpus, postings=postings, parts=parts, assigned=assigned, described=described, neighbors=neighbors,
            core=core, encode=run.encode["wording"], registry=run.registry,
            vectors=prompt_vectors(corpus, parts, wording, dimensions=PROMPT_DIMENSIONS, seed=settings.seed),
            leave_out=left_out, threads=settings.threads,
        )  # fmt: skip
        with run.progress("evidence", len(campaigns)) as advance:
            background = background_of(campaigns, case, seed=settings.seed)
            weighed = _weighed(campaigns, case, background, run, advance)
        campaigns, weighed = join_parts(campaigns, weighed, case, background, settings=settings)
        weighed = without_surer(campaigns, weighed, case, background, settings=settings)
        if candidates is not None:
            candidates.extend(weighed)
    with run.stage("triage", blas_threads=1):
        weighed = run.calibrate(weighed, prompts=len(corpus.prompts.account) - run.repeated)
        run.judged(campaigns, judgements_of(weighed, fdr=settings.fdr), weighed, case, volume.prompts, templates)
    if signatures:
        with run.stage("attribute"):
            run.results["attributed"] = attribute(signatures, corpus, wording, run.encode["wording"], since=new_since)
    run.counts.update(segments=len(corpus.text), clusters=len(assigned), candidates=len(campaigns))
    return run.detection(corpus)


def estimated(source: Iterable[Batch] | Iterable[Prompt], *, settings: Settings | None = None) -> Detection:
    """Reads prompts and estimates what :func:`detect` would need; nothing is compared.

    Args:
        source: as for :func:`detect`.
        settings: None takes the defaults.

    Returns:
        A detection without findings; ``memory`` has the estimate and ``counts`` what was read.
    """
    run = _Run(settings=settings or Settings(), progress=_silent, tell=None)
    run.open(in_state=False)
    with run.stage("read"):
        corpus = _read(source, run)
    run.estimate(corpus, check=False)
    run.counts["segments"] = len(corpus.text)
    return run.detection(corpus)


def _left_out(names: Sequence[Family], run: _Run) -> frozenset[Family]:
    """The families of evidence that are not weighed; a note says so."""
    known = get_args(Family)
    for name in names:
        if name not in known:
            raise SettingsError(f"leave_out knows {', '.join(known)}, not {name!r}")
    if names:
        run.note(f"not weighed: {', '.join(sorted(set(names)))}")
    return frozenset(names)


def _earlier(folder: Path, left_out: frozenset[Family], run: _Run) -> Earlier:
    """What scans with the same settings left in a work folder."""
    settings = {name: value for name, value in run.settings.to_dict().items() if name not in INDIFFERENT}
    known = None if run.registry is None else run.registry.entries
    return Earlier(
        folder,
        key_of({"settings": settings, "registry": known, "left out": sorted(left_out), "versions": _versions()}),
        notes=run.note,
        spare=run.work,
    )


# ---------------------------------------------------------------- the run


@contextmanager
def _silent(what: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda count: None


@dataclass(kw_only=True)
class _Run:
    """What a run collects beside its values."""

    settings: Settings
    progress: Progress
    tell: Callable[[str], None] | None
    rejects: list[Reject] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)
    stages: list[StageCost] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    encode: dict[View, Encode] = field(default_factory=dict)
    registry: Registry | None = None
    calibration: Calibration | None = None
    earlier: Earlier | None = None
    """What may be taken over from an earlier scan."""
    work: SpareFolder | None = None
    cache: SpareFolder | None = None
    allowed: float = 0.0
    """Memory that the scan may take, 10**9 bytes."""
    memory: dict[str, float] = field(default_factory=dict)
    batch_bytes: int = 0
    """Of the largest block of prompts that was read."""
    before: float = field(default_factory=peak_memory_mb)
    """Peak memory of the process when the run began, MB: it may have done other things."""
    results: dict[str, Any] = field(default_factory=dict)
    """Fields of the detection, as they come to be known."""
    repeated: int = 0
    """Rows that do not count, because another file holds them too."""

    def open(self, *, in_state: bool) -> None:
        """Reads the files that the settings name, before any work is done; ``in_state``: the work folder is a state."""
        settings = self.settings
        if settings.use_registry:
            self.registry = load_registry(settings.registry)
            if self.registry.expired:
                self.note(f"expired in the registry, and not used: {', '.join(e.id for e in self.registry.expired)}")
        if settings.calibration is not None:
            self.calibration = load_calibration(settings.calibration)
            check_calibration(self.calibration, settings=settings, version=_versions()["harvestdetect"])
        self.cache = spare_cache(settings, notes=self.note)
        self.allowed = available_gb() if settings.memory_gb is None else settings.memory_gb
        self.memory["allowed"] = round(self.allowed, 3)
        if settings.work is not None:
            what, instead = "work folder", "nothing more is kept for the next scan, and temporary files go to TMPDIR"
            if in_state:
                what, instead = "vectors and neighbours in the state", "the next run makes them again"
            self.work = SpareFolder(settings.work, what=what, instead=instead, notes=self.note)
            try:
                make_folder(settings.work)
            except OSError as error:
                self.work.give_up(error)

    def while_reading(self, prompts: int, batch: Batch) -> None:
        """Ends a scan that has read more than can be scanned.

        Raises:
            NeedsMemoryError: the prompts read so far alone need more memory than the scan may take, or reading took it.
        """
        self.batch_bytes = max(self.batch_bytes, batch.prompts.nbytes)
        need, what, peak = reading_gb(prompts), f"the first {prompts:,} prompts", peak_memory_mb()
        if self.settings.memory_gb is not None and peak > self.before:
            need = max(need, peak / 1e3)
        check_memory(need, self.allowed, self.settings, what=what)

    def estimate(self, corpus: Corpus, *, check: bool = True) -> None:
        """Estimates what the scan needs, now that it is known what there is to scan.

        Raises:
            NeedsMemoryError: more than it may take, and ``check``.
        """
        settings, prompts = self.settings, corpus.prompts
        counts = Counts(
            prompts=len(prompts.account),
            segments=len(corpus.text),
            pairs=len(corpus.posting_segment),
            value_bytes=prompts.accounts.nbytes + sum(column.values.nbytes for column in prompts.fields.values()),
            text_bytes=int(corpus.text.size.sum(dtype=np.int64)),
            batch_bytes=self.batch_bytes,
        )
        size, meaning = corpus.text.size, len(corpus.text)
        if settings.encoder == "auto" and float(size.sum()) / NOMINAL_SPEED > settings.auto_budget_seconds:
            # at most as many as there are shortest ones
            fit = np.cumsum(np.sort(size), dtype=np.int64) <= settings.auto_budget_seconds * NOMINAL_SPEED
            meaning = int(fit.sum())
        need = estimate_gb(counts, settings, meaning=meaning)
        self.memory["estimated"] = round(need, 3)
        what = f"{counts.prompts:,} prompts and {counts.segments:,} texts"
        if check:
            check_memory(need, self.allowed, settings, what=what)

    def _measured(self) -> None:
        """Puts the peak beside the estimate, and notes one that is above what the scan may take."""
        peak, bound = peak_memory_mb(), self.settings.memory_gb
        self.memory["peak"] = round(peak / 1e3, 3)
        if bound is not None and self.before < peak and peak > bound * 1e3:
            self.note(
                f"the scan took {peak / 1e3:.3g} GB of memory, more than the {bound:g} GB of --memory, though "
                f"{self.memory.get('estimated', 0.0):.3g} GB were estimated"
            )

    def calibrate(self, weighed: Sequence[Weighed], *, prompts: int) -> list[Weighed]:
        """The p-values as the calibration has them, where there is one."""
        calibration, settings = self.calibration, self.settings
        if calibration is None:
            return list(weighed)
        check_calibration(calibration, settings=settings, version=_versions()["harvestdetect"], models=self.models)
        rates = expected_findings(calibration, prompts=prompts, fdr=settings.fdr)
        self.results["calibration"] = {
            "file": str(settings.calibration),
            "sha256": calibration.sha256,
            "created": calibration.created,
            "candidates": calibration.counts.get("calibrating", 0),
            "expected_findings": {
                tier: {"found": r.found, "expected": r.expected, "at_most": r.at_most} for tier, r in rates.items()
            },
        }
        return self._as_calibrated(weighed)

    def _as_calibrated(self, weighed: Sequence[Weighed]) -> list[Weighed]:
        if self.calibration is None:
            return list(weighed)
        return [replace(w, evidence=tuple(calibrated(self.calibration, w.evidence))) for w in weighed]

    def are_far(self, weighed: Sequence[Weighed]) -> list[bool]:
        """Which of all candidates are :data:`FAR` from being findings."""
        fdr = self.settings.fdr
        return [j.reach["watch"] > FAR * fdr for j in judgements_of(self._as_calibrated(weighed), fdr=fdr)]

    def judged(
        self,
        campaigns: Sequence[Campaign],
        judgements: Sequence[Judgement],
        weighed: Sequence[Weighed],
        case: Case,
        volume: Ints32,
        templates: Mapping[int, Template],
    ) -> None:
        """Puts the judgements into findings, strongest first, and into what is said of the scan as a whole."""
        prompts, settings = case.corpus.prompts, self.settings
        ids = campaign_ids(campaigns, templates, prompts.accounts)
        rows = ranked(judgements)
        findings = [
            finding_of(
                campaigns[i], judgements[i], campaign_id=ids[i], prompts=prompts, volume=volume, templates=templates,
                evidence=weighed[i].evidence, benign=weighed[i].benign, targets=weighed[i].targets,
                shared_values=weighed[i].shared_values, changes=changes(judgements[i], fdr=settings.fdr),
                low_share=settings.low_share,
            )
            for i in rows
        ]  # fmt: skip
        self.results.update(
            findings=tuple(findings),
            prompts=prompt_table(
                list(zip(findings, [campaigns[i] for i in rows], strict=True)),
                prompts=prompts,
                templates=templates,
                request=requests(prompts),
                files=[f.name for f in self.files],
            ),
            expected_false=expected_false(judgements, fdr=settings.fdr),
            what_if=what_if(judgements, fdr=settings.fdr),
            candidates=candidates_of(
                campaigns, judgements, ids, evidence=[w.evidence for w in weighed],
                benign=[w.benign for w in weighed], prompts=prompts, volume=volume, vectors=case.vectors,
                templates=templates, rigid=[is_rigid(d) for d in case.described], link_log_p=settings.link_log_p,
            ),
            seen=seen_accounts(prompts.accounts, volume),
        )  # fmt: skip

    def note(self, sentence: str) -> None:
        """Remembers a note and passes it on."""
        self.told.append(sentence)
        if self.tell is not None:
            self.tell(sentence)

    @contextmanager
    def stage(self, name: str, *, blas_threads: int | None = None) -> Iterator[None]:
        """Times a stage.

        Args:
            name: of the stage.
            blas_threads: of matrix products. Many small ones are not shared out: beside another busy process a thread
                waits for the other longer than the product takes. None leaves it to the library.
        """
        from threadpoolctl import threadpool_limits

        start = time.perf_counter()
        with threadpool_limits(blas_threads, user_api="blas"):
            yield
        self.stages.append(
            StageCost(stage=name, seconds=round(time.perf_counter() - start, 3), peak_memory_mb=peak_memory_mb())
        )

    def detection(self, corpus: Corpus) -> Detection:
        """The answer, with everything collected."""
        self._measured()
        seen = corpus.prompts.time[corpus.prompts.time != NO_TIME]
        if len(seen):
            self.counts.update(first_seen=int(seen.min()), last_seen=int(seen.max()))
        return Detection(
            rejects=tuple(self.rejects),
            counts={
                "prompts": len(corpus.prompts.account) - self.repeated,
                "accounts": len(corpus.prompts.accounts),
                "files": len(self.files),
                **self.counts,
            },
            settings=self.settings.to_dict(),
            models=self.models,
            versions=_versions(),
            files=tuple(self.files),
            stages=tuple(self.stages),
            memory=dict(sorted(self.memory.items())),
            notes=tuple(self.told),
            **{"findings": (), **self.results},
        )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in (
        "harvestdetect",
        "numpy",
        "scipy",
        "faiss-cpu",
        "hdbscan",
        "pyarrow",
        "torch",
        "sentence-transformers",
    ):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


# ---------------------------------------------------------------- the stages, one by one


def _read(source: Iterable[Batch] | Iterable[Prompt] | Window, run: _Run) -> Corpus:
    settings = run.settings
    shards = source.shards if isinstance(source, Window) else None
    if settings.work is not None and isinstance(source, Dumps):
        cutting = Cutting(
            segment_characters=settings.segment_characters, max_windows=settings.max_windows, registry=run.registry
        )
        shards = ShardFolder(settings.work / "read", settings=settings, cutting=cutting, spare=run.work)
    rejects = 0
    with CorpusBuilder(
        segment_characters=settings.segment_characters, max_windows=settings.max_windows, registry=run.registry,
        min_senders=settings.min_accounts, workers=processes(settings.workers),
        shards=shards, folder=run.work, since=source.since if isinstance(source, Window) else None,
    ) as builder:  # fmt: skip
        for batch in _taken(source, builder, by_file=shards is not None):
            run.while_reading(len(builder), batch)
            rejects += len(batch.rejects) + batch.unlisted
            run.rejects.extend(batch.rejects[: MAX_REJECTS_KEPT - len(run.rejects)])
            run.files.extend(batch.files)
        run.counts["rejects"] = rejects
        known = run.registry.entries if run.registry else ()
        if cut := [f"{e.id} {builder.known[e.id]:,}" for e in known if e.kind == "scaffold" and builder.known[e.id]]:
            run.note(f"known scaffolds are left out of what is compared and shown (prompts of each: {', '.join(cut)})")
        if rejects > len(run.rejects):
            run.note(f"the first {len(run.rejects):,} of {rejects:,} rejects are listed")
        corpus = builder.finish()
    return _without_copies(corpus, run)


def _without_copies(corpus: Corpus, run: _Run) -> Corpus:
    """The corpus with its copied rows marked; notes say what files have in common."""
    copies = copies_of(corpus.prompts)
    run.repeated = copies.repeated
    names = {number: file.name for number, file in enumerate(run.files)}
    for one, (file, other) in enumerate(sorted(copies.within.items())):
        if one == MAX_COPIES_TOLD and len(copies.within) > MAX_COPIES_TOLD + 1:
            run.note(f"{len(copies.within) - one:,} more files have only prompts that are in other files too")
            break
        run.note(f"all prompts of {names.get(file, file)} are in {names.get(other, other)} too, and count once")
    if copies.repeated and not copies.within:
        run.note(f"{copies.repeated:,} prompts are in more than one file, and count once")
    if copies.copied is None:
        return corpus
    return replace(corpus, prompts=replace(corpus.prompts, copied=copies.copied))


def _taken(
    source: Iterable[Batch] | Iterable[Prompt] | Window, builder: CorpusBuilder, *, by_file: bool
) -> Iterator[Batch]:
    """The batches, when the builder has them; ``by_file`` those of files that are kept, as they were kept."""
    if isinstance(source, Window):
        for position, (name, sha256) in enumerate(source.files):
            yield from builder.add_file(_gone(name), file=position, name=name, sha256=sha256)
        return
    if by_file and isinstance(source, Dumps):
        for file in source.files():
            yield from builder.add_file(file.batches, file=file.position, name=file.name, sha256=file.sha256())
        return
    for batch in batches_of(source):
        builder.add(batch.prompts)
        yield batch


def _gone(name: str) -> Iterator[Batch]:
    raise CacheError(f"the prepared file of {name} is missing or damaged")
    yield


def _postings(corpus: Corpus, volume: Volumes) -> Postings:
    prompts = corpus.prompts
    return Postings(
        start=segment_starts(corpus),
        account=prompts.account[corpus.posting_prompt],
        text=prompts.content[corpus.posting_prompt],
        volume=volume.texts,
    )


def _encode(view: View, corpus: Corpus, segments: Ints32, run: _Run) -> Rows:
    """Vectors of some segments: float16[len(segments), d]."""
    encoder = load_encoder(view, settings=run.settings, notes=run.note, spare=run.cache)
    spare = run.cache if view in CACHED_VIEWS else run.work
    run.models[view] = encoder.digest
    run.encode[view] = encoder.encode
    settings, n, d = run.settings, len(segments), encoder.dimensions
    large = vectors_in_file(n, d, settings)
    with run.progress(view, n) as advance:
        return encode_texts(
            encoder,
            corpus.digest[segments],
            corpus.text.select(segments),
            cache=open_cache(view, encoder, settings=settings, notes=run.note, spare=spare),
            batch_size=settings.batch_size,
            by_length=view == "meaning",
            out=RowFile(n, d, folder=run.work) if large else None,
            progress=advance,
            notes=run.note,
        )


def _nearest(view: View, vectors: Rows, digest: Digests, run: _Run) -> Neighbors:
    """Neighbours of segments; those that an earlier scan left in the work folder are taken from there."""
    settings = run.settings
    key = key_of({"model": run.models[view], **{n: getattr(settings, n) for n in ("k", "exact_below", "seed")}})
    kept = None if settings.work is None else kept_neighbors(settings.work, key, notes=run.note)
    known = partition = None
    if kept is not None:
        place = places(kept.digest, digest)
        there = place >= 0
        if there.sum() >= LEAST_KNOWN * len(digest):
            known = (kept.neighbors, place)
            if kept.partition is not None:
                home = np.full(len(digest), -1, np.int32)
                home[place[there]] = kept.partition.home[there]
                partition = replace(kept.partition, home=home)
    used: list[Partition] = []
    with run.progress("neighbours", len(vectors)) as advance:
        found = nearest(
            vectors,
            k=settings.k,
            exact_below=settings.exact_below,
            threads=settings.threads,
            seed=settings.seed,
            progress=advance,
            notes=run.note,
            known=known,
            partition=partition,
            leave=used.append,
        )
    if run.work is not None and run.work.writable:
        # where nothing was searched the cells are as they were
        partition = used[0] if used else partition
        try:
            keep_neighbors(run.work.path, key, Kept(digest=digest, neighbors=found, partition=partition))
        except CacheError as error:
            run.work.give_up(error)
    return found


def _cluster(
    view: View,
    neighbors: Neighbors,
    corpus: Corpus,
    postings: Postings,
    run: _Run,
    among: Ints32 | None = None,
) -> tuple[list[TemplateCluster], Floats32]:
    """Clusters of a view in all its channels, and the core distances.

    ``among`` names the segments that the rows of ``neighbors`` are; None: all.
    """
    settings = run.settings
    own = postings if among is None else postings.among(among)
    core = core_distance(
        neighbors,
        min_samples=settings.min_samples,
        account=own.account[own.start[:-1]],
        senders=corpus.senders if among is None else corpus.senders[among],
    )
    digest = corpus.digest if among is None else corpus.digest[among]
    earlier = run.earlier
    stood = None if earlier is None else earlier.clusters(view, run.models[view], digest)
    if stood is None:
        found = cluster_view(view, neighbors, core, own, settings=settings, lasting=earlier is not None)
    else:
        found, joined = carry_on(view, neighbors, core, own, earlier=stood.clusters, new=stood.new, settings=settings)
        run.note(
            f"{view}: the clusters of an earlier scan are carried on; of {int(stood.new.sum()):,} new texts {joined:,} "
            f"joined one of them ({stood.changed / stood.whole:.1%} of the texts came or went since all were clustered)"
        )
    if earlier is not None:
        earlier.keep_clusters(view, run.models[view], digest, found, stood)
    return [
        TemplateCluster(
            channel=one.channel, segments=one.points if among is None else among[one.points], quality=one.quality
        )
        for one in found
    ], core


def _described(
    assigned: Sequence[Assigned], corpus: Corpus, parts: Parts, vectors: Rows, run: _Run
) -> tuple[list[Assigned], list[Description], dict[int, Template]]:
    """Template and description of every cluster, as an earlier scan had them where it may be asked."""
    settings, earlier = run.settings, run.earlier
    known = anew = None
    if earlier is not None:
        known, anew = earlier.described(assigned, corpus, least=settings.min_accounts), dict[int, Parted]()
    workers = processes(settings.workers) if len(assigned) - len(known or ()) >= MANY_CLUSTERS else 1
    with Elsewhere(workers) as elsewhere:
        found = describe_clusters(
            assigned, corpus, parts, vectors, least=settings.min_accounts, known=known, made_anew=anew,
            elsewhere=elsewhere,
        )  # fmt: skip
    if earlier is not None and anew is not None:
        earlier.keep_described(anew, assigned, corpus)
    return found


def _weighed(
    campaigns: Sequence[Campaign], case: Case, background: Background, run: _Run, advance: Callable[[int], None]
) -> list[Weighed]:
    """What is measured on every candidate, as an earlier scan had it where it may be asked and is no finding now."""
    seed, earlier = run.settings.seed, run.earlier
    if earlier is None:
        return weigh(campaigns, case, background, seed=seed, advance=advance)
    known = earlier.weighed(campaigns, case.described, case.corpus, least=run.settings.min_accounts)
    found = weigh(campaigns, case, background, seed=seed, advance=advance, known=known)
    far = run.are_far(found)
    stands = {i for i in known if far[i]}
    if len(stands) < len(known):
        # other candidates make a cut lower or higher: what is near it now is looked at now
        same = {i: one for i, one in enumerate(found) if i in stands or i not in known}
        found = weigh(campaigns, case, background, seed=seed, known=same)
        far = run.are_far(found)
    if stands:
        run.note(f"{len(stands):,} of {len(campaigns):,} candidates, no findings, are as an earlier scan weighed them")
    anew = {i: found[i] for i in range(len(found)) if far[i] and i not in stands}
    earlier.keep_weighed(anew, campaigns, case.described, case.corpus, stands=stands)
    return found


def _meaning(corpus: Corpus, postings: Postings, core: Floats32, run: _Run) -> list[TemplateCluster]:
    """The clusters of the meaning view, where the settings ask for it.

    ``auto`` embeds by meaning what the budget allows, see :func:`_affordable`.
    """
    settings = run.settings
    if settings.encoder == "fast":
        return []
    with run.stage("encode meaning"):
        among = np.arange(len(corpus.text), dtype=np.int32)
        if settings.encoder == "auto":
            among = _affordable(corpus, core, run)
        vectors = _encode("meaning", corpus, among, run)
    with run.stage("cluster meaning"):
        return _cluster(
            "meaning", _nearest("meaning", vectors, corpus.digest[among], run), corpus, postings, run, among=among
        )[0]


def _affordable(corpus: Corpus, core: Floats32, run: _Run) -> Ints32:
    """The segments that ``auto`` embeds by meaning: all, or the densest among other accounts' in the wording view.

    The cost is reckoned at a nominal speed, not measured: neither the machine nor the cache may change findings.
    """
    characters = corpus.text.size
    budget = run.settings.auto_budget_seconds
    seconds = float(characters.sum()) / NOMINAL_SPEED
    if seconds <= budget:
        run.note(f"encoder auto: wording and meaning for all {len(characters):,} segments")
        return np.arange(len(characters), dtype=np.int32)
    densest = np.argsort(core, kind="stable")
    among = densest[np.cumsum(characters[densest]) <= budget * NOMINAL_SPEED]
    run.note(
        f"encoder auto: wording for all {len(characters):,} segments, meaning for the {len(among):,} densest (all "
        f"would take some {seconds:,.0f} s on two cores, the budget is {budget:,.0f} s)"
    )
    return np.sort(among).astype(np.int32)


def _campaigns(
    assigned: Sequence[Assigned],
    described: Sequence[Description],
    corpus: Corpus,
    volume: Volumes,
    neighbors: Neighbors,
    run: _Run,
) -> list[Campaign]:
    least, account = run.settings.min_accounts, corpus.prompts.account
    prompts = [item.prompts for item in assigned]
    sets = [np.unique(account[held], return_counts=True) for held in prompts]
    rigid = [is_rigid(description) for description in described]
    links = link_clusters(
        [a for a, _ in sets], [h.astype(np.int32) for _, h in sets], volume.prompts, log_p=run.settings.link_log_p,
        rigid=rigid, copied=[is_copied(corpus.prompts.content[held]) for held in prompts],
    )  # fmt: skip
    free = first_rows(corpus.prompts)
    for held_prompts in prompts:
        free[held_prompts] = False
    sender = account[corpus.posting_prompt[segment_starts(corpus)[:-1]]]
    segments, total = segments_of(corpus), int(volume.prompts.sum())
    border = np.searchsorted(account, np.arange(len(volume.prompts) + 1))
    parts = []
    for group in communities(links, len(assigned), seed=run.settings.seed):
        for clusters, held in split_users(group, prompts, account=account, min_accounts=least):
            more = None
            if not any(is_template(described[c]) for c in clusters):
                own = np.concatenate([held[c] for c in clusters])
                more = account[nearby(own, free, corpus, neighbors, sender, segments, border)]
            parts.append(Part(clusters=clusters, held=held, nearby=more, rigid=all(rigid[c] for c in clusters)))
    found = form_campaigns(parts, links, account=account, volume=volume.prompts, total_prompts=total)
    return [campaign for campaign in found if len(campaign.accounts) >= least]
