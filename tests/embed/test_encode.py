"""The two encoders: a vector depends on its text alone, the cache changes nothing, bad models are refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvestdetect.embed import distill as distill_module
from harvestdetect.embed import encoders as encode
from harvestdetect.embed import model_files, onnx
from harvestdetect.embed import static as static_module
from harvestdetect.embed import transformer as transformer_module
from harvestdetect.embed.encoders import Encoder, encode_texts, load_encoder, open_cache
from harvestdetect.errors import EncoderError
from harvestdetect.settings import Settings
from harvestdetect.store.folder import cache_folder
from harvestdetect.store.vectors import VectorCache
from harvestdetect.util.arrays import unit
from harvestdetect.util.texts import Texts, write_texts
from harvestdetect.util.words import has_runs
from tests.once import forget_wording_model, keep_wording_model

UNLEARNT_TEXT = "你好，世界"
"""The packaged model has not learnt its words; they get vectors of their own."""
TEXTS = [
    "",
    "a",
    "Explain step by step why the sky is blue.",
    "explain step by step why the sea is salty, and put your reasoning in tags",
    "Translate the following sentence to French: the cat sat on the mat.",
    UNLEARNT_TEXT,
    "😀🏽 zero\u200bwidth",
    "one two three four five " * 30,
    "def f(x): return x ** 2  # what does this do?",
    "word " * 4_000,
    "</script><img src=x onerror=alert(1)>",
    "[MASK] [CLS] [SEP]",
]
HAS_ONNX = onnx.onnx_is_installed()


def digests_of(texts: Sequence[str]) -> npt.NDArray[np.void]:
    raw = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
    return np.frombuffer(raw, dtype="V16")


def column(texts: Sequence[str]) -> Texts:
    return write_texts(texts)


@pytest.fixture(scope="module")
def static(cache: Path) -> Encoder:
    """Distilled into the user's cache folder the first time, so that later runs are quick. No other test uses it."""
    forget_wording_model()
    made = load_encoder("wording", settings=Settings())
    keep_wording_model(cache)
    return made


@pytest.fixture(scope="module")
def transformer() -> Encoder:
    """The packaged model by torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "onnx_is_installed", lambda: False)
        return load_encoder("meaning", settings=Settings(device="cpu"))


@pytest.fixture(params=["static", "transformer"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    chosen: Encoder = request.getfixturevalue(request.param)
    return chosen


class Toy:
    """An encoder that costs nothing and counts its work."""

    name = "toy"
    digest = "70" * 32
    dimensions = 4

    def __init__(self, *, fail_after: int | None = None) -> None:
        self.encoded: list[str] = []
        self._fail_after = fail_after

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self._fail_after is not None and len(self.encoded) >= self._fail_after:
            raise KeyboardInterrupt
        self.encoded += texts
        raw = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:4], dtype=np.uint8) for text in texts]
        rows = np.array(raw, dtype=np.float32).reshape(len(texts), 4) + 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


# ---------------------------------------------------------------- both encoders


def test_unit_rows(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    whole = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    among_many = encoder.encode([*TEXTS, *(f"{text} {i}" for i in range(2) for text in TEXTS[1:7])])
    for other in (alone, backwards, among_many[: len(TEXTS)]):
        assert np.abs(other - whole).max() < 1e-5


# ---------------------------------------------------------------- wording


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=8), cut=st.integers(0, 8))
def test_static_vectors_are_the_same_to_the_bit(static: Encoder, texts: list[str], cut: int) -> None:
    whole = static.encode(texts)
    parts = np.concatenate([static.encode(texts[:cut]), static.encode(texts[cut:])])
    np.testing.assert_array_equal(whole, parts)
    assert np.isfinite(whole).all()


def test_static_model_is_an_ordinary_model(static: Encoder) -> None:
    place = next(p for p in (cache_folder() / "models").glob("static-*") if p.suffix != ".tmp")
    model = model_files.load_transformer(place, settings=Settings(device="cpu"))
    known = [text for text in TEXTS if text not in ("", UNLEARNT_TEXT, "[MASK] [CLS] [SEP]")]
    theirs = model.encode(known, show_progress_bar=False)
    np.testing.assert_allclose(static.encode(known), theirs, atol=1e-5)


def test_texts_without_a_known_token_are_apart(static: Encoder) -> None:
    vectors = static.encode(["", "[MASK]", "[SEP]"])
    np.testing.assert_array_equal(vectors, static.encode(["", "[MASK]", "[SEP]"]))
    assert np.abs(vectors @ vectors.T - np.eye(3)).max() < 0.4


def test_wording_needs_no_torch(static: Encoder) -> None:
    code = (
        "import sys\nfrom harvestdetect.embed.encoders import load_encoder\n"
        "from harvestdetect.settings import Settings\n"
        "print(load_encoder('wording', settings=Settings()).encode(['a text']).shape)\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 256)"
    assert done.stderr == ""


def long_way(static: Encoder, texts: list[str]) -> list[bytes]:
    asked = static._tokens._tokenizer.encode_batch_fast(texts, add_special_tokens=False)  # type: ignore[attr-defined]
    return [np.array(tokens.ids, np.int32).tobytes() for tokens in asked]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(max_codepoint=127), max_size=60)
        | st.text(max_size=20)
        | st.lists(
            st.sampled_from(["[MASK]", "[mask]", "Sky", "sky", "don't", "3.14", "\x00", "\x0b", "\t", "é", " "])
        ).map("".join),
        max_size=8,
    )
)
def test_tokens_are_those_of_the_tokenizer_but_for_unlearnt_words(static: Encoder, texts: list[str]) -> None:
    tokens = static._tokens  # type: ignore[attr-defined]
    for text, own, asked in zip(texts, tokens.of(texts), long_way(static, texts), strict=True):
        if own != asked:
            assert has_runs(text) or tokens._unknown in np.frombuffer(asked, np.int32)
            assert not text.isascii()
            assert np.frombuffer(own, np.int32).max() >= tokens._first_direction


UNLEARNT = {
    "zh": ("帮我看看象棋开局吧，已经搜过了", "帮我看看水管漏水吧，已经搜过了", "写两句关于素食蛋糕的话"),
    "th": ("ช่วยดูเรื่องหมากรุกหน่อยค้นแล้ว", "ช่วยดูเรื่องท่อน้ำรั่วหน่อยค้นแล้ว", "อยากรู้เรื่องมะเขือเทศแขกจะมา"),
    "km": ("សូមជួយមើលអុកចត្រង្គបន្តិច", "សូមជួយមើលបំពង់ទឹកលេចបន្តិច", "ខ្ញុំចង់សួរអំពីផ្កាអ័រគីដេ"),
    "am": ("ምን ላድርግ የብስክሌት ፓምፕ", "ምን ላድርግ የቤት ፓምፕ", "ሁለት መስመር ጻፍ"),
}


@pytest.mark.parametrize("texts", UNLEARNT.values(), ids=UNLEARNT)
def test_texts_of_unlearnt_words_are_near_if_they_share_words(static: Encoder, texts: tuple[str, str, str]) -> None:
    first, second, other = static.encode(texts)
    assert first @ second > max(0.35, first @ other + 0.1)


def test_the_vector_of_an_unlearnt_word_is_longer_the_more_letters_it_has(static: Encoder) -> None:
    tokens, matrix = static._tokens, static._matrix  # type: ignore[attr-defined]
    length = [float(np.linalg.norm(matrix[np.frombuffer(row, np.int32)[0]])) for row in tokens.of(["の", "的", "主题"])]
    usual = float(np.median(np.linalg.norm(matrix[2_000 : tokens._first_direction], axis=1)))
    np.testing.assert_allclose(length, usual * np.array([1, 2, 3]) / static_module.LENGTHS, rtol=0.1)


def test_tokens_of_long_words_and_long_texts(static: Encoder) -> None:
    texts = ["a" * 99, "a" * 100, "a" * 101, "x " * 511, "x " * 512, "x " * 513, "unbelievable! " * 400]
    texts += [text for text in TEXTS if text != UNLEARNT_TEXT]
    assert static._tokens.of(texts) == long_way(static, texts)  # type: ignore[attr-defined]


def test_what_follows_a_long_scaffold_counts(static: Encoder) -> None:
    scaffold = "Compare the submitted answer with the expert answer and ignore style. " * 80
    first, second, other = static.encode([scaffold + "volcanoes", scaffold + "volcanoes", scaffold + "tax returns"])
    np.testing.assert_array_equal(first, second)
    assert np.linalg.norm(first - other) > 1e-3


def test_words_are_forgotten_when_there_are_too_many(static: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_module, "KNOWN_WORDS", 3)
    texts = ["one two three four five", "five six"]
    before = static.encode(texts)
    np.testing.assert_array_equal(static.encode(texts), before)
    static.encode(["seven"])
    assert len(static._tokens._known) == 1  # type: ignore[attr-defined]


def test_another_tokenizer_is_asked_about_everything() -> None:
    from tokenizers import Tokenizer

    tokens = static_module._Tokens(Tokenizer.from_str(small_model().tokenizer), first_direction=3)
    assert [np.frombuffer(row, np.int32).tolist() for row in tokens.of(["red blue", "RED", ""])] == [[1, 2], [0], []]
    assert not tokens._known


def test_reduction_fixes_the_signs_and_keeps_the_distances() -> None:
    points = np.random.default_rng(1).standard_normal((200, 12)).astype(np.float32)
    full = distill_module.reduce_dimensions(points, 12)
    np.testing.assert_allclose(
        np.linalg.norm(full[0] - full[1:], axis=1), np.linalg.norm(points[0] - points[1:], axis=1), rtol=1e-5
    )
    variances = full.var(axis=0)
    assert (np.diff(variances) <= 0).all()
    np.testing.assert_array_equal(distill_module.reduce_dimensions(points, 5), full[:, :5])
    np.testing.assert_allclose(distill_module.reduce_dimensions(points[::-1], 5)[::-1], full[:, :5], atol=1e-8)


def test_rare_tokens_weigh_more() -> None:
    weights = distill_module.rarity_weights(np.arange(100, 30_000))
    assert (np.diff(weights) > 0).all()
    assert 0 < weights[0] < 0.5 < weights[-1] < 1


def small_model() -> distill_module.StaticModel:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "red": 1, "blue": 2, "green": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    matrix = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float32)
    return distill_module._model(matrix, tokenizer.to_str())


@pytest.mark.parametrize("damage", [None, "matrix", "cut", "modules", "more"])
def test_static_model_is_trusted_only_when_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str | None
) -> None:
    made: list[int] = []

    def distill(transformer: object) -> distill_module.StaticModel:
        made.append(1)
        return small_model()

    def get() -> distill_module.StaticModel:
        return distill_module.static_model(tmp_path, "5" * 64, lambda: object(), notes=notes.append)

    notes: list[str] = []
    monkeypatch.setattr(distill_module, "distill", distill)
    first = get()
    (place,) = tmp_path.iterdir()
    weights = next(place.rglob("model.safetensors"))
    content = bytearray(weights.read_bytes())
    if damage == "matrix":
        content[-1] ^= 1
        weights.write_bytes(content)
    elif damage == "cut":
        weights.write_bytes(content[:-3])
    elif damage == "modules":
        (place / "modules.json").write_text("[]")
    elif damage == "more":
        (place / "payload.py").write_text("raise SystemExit")
    second = get()
    assert len(made) == (1 if damage is None else 2)
    assert second.digest == first.digest == small_model().digest
    np.testing.assert_array_equal(second.matrix, small_model().matrix)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert notes == []


def test_static_model_without_a_place_to_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill_module, "distill", lambda transformer: small_model())
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    notes: list[str] = []
    model = distill_module.static_model(blocked, "5" * 64, lambda: object(), notes=notes.append)
    assert model.digest == small_model().digest
    assert "not kept" in notes[0]


# ---------------------------------------------------------------- ONNX Runtime


@pytest.mark.skipif(not HAS_ONNX, reason="needs the onnx extra: onnxruntime, onnx and onnxscript")
def test_onnx_gives_the_vectors_of_torch(transformer: Encoder) -> None:
    notes: list[str] = []
    onnx = load_encoder("meaning", settings=Settings(device="cpu"), notes=notes.append)
    assert notes == []
    assert "ONNX" in onnx.name
    assert onnx.digest != transformer.digest
    ours, theirs = onnx.encode(TEXTS), transformer.encode(TEXTS)
    assert np.einsum("ij,ij->i", ours, theirs).min() >= 0.9999
    alone = np.concatenate([onnx.encode([text]) for text in TEXTS])
    assert np.abs(alone - ours).max() < 1e-5


def test_failed_export_falls_back_to_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transformer: Encoder
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise onnx.OnnxError("the model cannot be exported: for a test")

    monkeypatch.setattr(encode, "onnx_is_installed", lambda: True)
    monkeypatch.setattr(onnx, "_export", fail)
    notes: list[str] = []
    made = load_encoder("meaning", settings=Settings(device="cpu", cache=tmp_path), notes=notes.append)
    assert made.digest == transformer.digest
    assert notes == ["ONNX Runtime is not used: the model cannot be exported: for a test"]


# ---------------------------------------------------------------- batches


@given(
    counts=st.lists(st.integers(0, 300), max_size=60),
    size=st.integers(1, 40),
)
def test_batches_hold_every_text_once_and_one_length_each(counts: list[int], size: int) -> None:
    array = np.array(counts, dtype=np.int64)
    seen: list[int] = []
    for rows, repeats in transformer_module.equal_length_batches(array, size):
        assert len(set(array[rows].tolist())) == 1
        assert 1 <= len(rows) <= size
        assert len(rows) * repeats >= transformer_module.MIN_BATCH_ROWS
        assert len(rows) * repeats * max(1, counts[rows[0]]) >= transformer_module.MIN_BATCH_TOKENS
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(counts)))


# ---------------------------------------------------------------- encode_texts and the cache


def test_cache_changes_nothing(encoder: Encoder, tmp_path: Path) -> None:
    digests, texts = digests_of(TEXTS), column(TEXTS)
    without = encode_texts(encoder, digests, texts)
    half = np.arange(0, len(TEXTS), 2)
    cache = VectorCache(tmp_path, encoder.digest)
    encode_texts(encoder, digests[half], texts.select(half), cache=cache)
    mixed = encode_texts(encoder, digests, texts, cache=cache)
    hits = encode_texts(encoder, digests, texts, cache=VectorCache(tmp_path, encoder.digest))
    np.testing.assert_array_equal(mixed, hits)
    np.testing.assert_allclose(without, hits, atol=1e-3)
    assert (without == hits).mean() > 0.99, "float16 steps may differ where the arithmetic's last bit does"
    np.testing.assert_allclose(np.linalg.norm(unit(hits), axis=1), 1.0, atol=1e-6)


def test_only_missing_texts_are_encoded(tmp_path: Path) -> None:
    names = [f"text {i}" for i in range(300)]
    done: list[int] = []
    cache = VectorCache(tmp_path, Toy.digest)
    first, second = Toy(), Toy()
    encode_texts(first, digests_of(names[:200]), column(names[:200]), cache=cache, batch_size=1)
    vectors = encode_texts(second, digests_of(names), column(names), cache=cache, batch_size=1, progress=done.append)
    assert sorted(first.encoded) == sorted(names[:200])
    assert sorted(second.encoded) == sorted(names[200:])
    assert sum(done) == 300
    assert done[0] == 200
    np.testing.assert_array_equal(vectors, encode_texts(Toy(), digests_of(names), column(names)))


def test_no_texts() -> None:
    assert encode_texts(Toy(), digests_of([]), column([])).shape == (0, 4)
    with pytest.raises(ValueError, match="as many digests as texts"):
        encode_texts(Toy(), digests_of(["a"]), column([]))


def test_interrupt_keeps_what_is_done(tmp_path: Path) -> None:
    names = [f"text {i}" for i in range(400)]
    cache = VectorCache(tmp_path, Toy.digest)
    interrupted = Toy(fail_after=128)
    with pytest.raises(KeyboardInterrupt):
        encode_texts(interrupted, digests_of(names), column(names), cache=cache, batch_size=1)
    assert len(interrupted.encoded) == 128
    again = Toy()
    encode_texts(again, digests_of(names), column(names), cache=cache, batch_size=1)
    assert sorted(again.encoded + interrupted.encoded) == sorted(names)


def test_full_disk_does_not_fail_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = VectorCache(tmp_path, Toy.digest)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(encode, "SHARD_ROWS", 64)
    names = [f"text {i}" for i in range(300)]
    notes: list[str] = []
    vectors = encode_texts(Toy(), digests_of(names), column(names), cache=cache, batch_size=1, notes=notes.append)
    assert len(notes) == 1
    assert "No space left" in notes[0]
    np.testing.assert_array_equal(vectors, encode_texts(Toy(), digests_of(names), column(names)))


def test_open_cache(tmp_path: Path) -> None:
    options = Settings(cache=tmp_path)
    assert open_cache("meaning", Toy(), settings=options) is not None
    assert open_cache("wording", Toy(), settings=options) is None
    assert open_cache("meaning", Toy(), settings=options.replace(use_cache=False)) is None
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    notes: list[str] = []
    assert open_cache("meaning", Toy(), settings=Settings(cache=blocked), notes=notes.append) is None
    assert "going on without the vector cache" in notes[0]


# ---------------------------------------------------------------- models that are refused


def copy_of_packaged(folder: Path) -> Path:
    shutil.copytree(model_files.packaged_folder(), folder, copy_function=os.symlink)
    return folder


def change_modules(folder: Path, **changes: str) -> None:
    listing = folder / "modules.json"
    modules = json.loads(listing.read_text())
    modules[1].update(changes)
    listing.unlink()
    listing.write_text(json.dumps(modules))


def refused(model: Path | str, match: str) -> None:
    with pytest.raises(EncoderError, match=match):
        load_encoder("meaning", settings=Settings(model=str(model), device="cpu"))


def test_hub_name_without_permission() -> None:
    refused("sentence-transformers/all-mpnet-base-v2", "downloading is off.*--allow-download")


def test_hub_name_with_permission(monkeypatch: pytest.MonkeyPatch, transformer: Encoder) -> None:
    import huggingface_hub

    asked: list[object] = []

    def snapshot_download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert "*.bin" not in allow_patterns
        return str(model_files.packaged_folder())

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(encode, "onnx_is_installed", lambda: False)
    options = Settings(model="some/model", allow_download=True, device="cpu")
    assert load_encoder("meaning", settings=options).digest == transformer.digest
    assert asked == ["some/model"]


def test_no_such_folder(tmp_path: Path) -> None:
    refused(tmp_path / "absent", "no such model folder")
    refused(Path(__file__), "must be a folder, got the file")
    refused(tmp_path, "no modules.json")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = copy_of_packaged(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    refused(folder, "pickled weights")


def test_code_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder = copy_of_packaged(tmp_path / "model")
    (folder / "evil.py").write_text("raise SystemExit('executed')")
    change_modules(folder, type="evil.Pooling")
    refused(folder, "code of its own")


def test_module_outside_the_folder_is_refused(tmp_path: Path) -> None:
    folder = copy_of_packaged(tmp_path / "model")
    change_modules(folder, path="../elsewhere")
    refused(folder, "outside its folder")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": 1}', '[{"type": 1}]'])
def test_broken_listing(tmp_path: Path, content: str) -> None:
    folder = copy_of_packaged(tmp_path / "model")
    (folder / "modules.json").unlink()
    (folder / "modules.json").write_text(content)
    refused(folder, "cannot read")


def test_broken_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "onnx_is_installed", lambda: False)
    folder = copy_of_packaged(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    refused(folder, "cannot load the model")


def test_digest_follows_the_content(tmp_path: Path) -> None:
    folder = copy_of_packaged(tmp_path / "model")
    before = model_files.folder_digest(folder)
    assert before == model_files.folder_digest(model_files.packaged_folder())
    (folder / "README.md").unlink()
    assert model_files.folder_digest(folder) == before
    change_modules(folder, name="other")
    assert model_files.folder_digest(folder) != before
