"""Options that several commands share, and the settings that they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from harvestdetect.settings import Settings

__all__ = [
    "FOLDER",
    "TIERS",
    "output_option",
    "parse_max_rejects",
    "preparing_options",
    "quiet_option",
    "reading_options",
    "scan_options",
    "settings_of",
    "settings_of_reading",
]

TIERS: Final = ("urgent", "review", "watch")
"""The tiers of ``data.TIERS``, repeated here because that module imports pyarrow, which would slow ``--help`` down."""
FOLDER: Final = click.Path(path_type=Path)
"""Type of options and arguments that name a file or a folder."""


def output_option(text: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The option ``--format``: ``text`` or ``json``.

    Args:
        text: what the help calls the output for people, such as ``a table``.
    """
    return click.option(
        "--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True,
        help=f"What to print on standard output: {text}, or one JSON object.",
    )  # fmt: skip


def quiet_option(what: str = "no progress") -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The option ``--quiet``.

    Args:
        what: what the command does not print then.
    """
    return click.option("--quiet", "-q", is_flag=True, help=f"Print {what} on standard error.")


def parse_max_rejects(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Reads ``--max-rejects``: a count (``20``), a share (``0.01``) or a percentage (``1%``).

    Returns:
        The number as ``Settings.max_rejects`` takes it: a share below 1, or a count.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if text.endswith("%") and 0 <= number <= 100:
        return number / 100 if number < 100 else float("inf")
    if text.endswith("%") or not (0 <= number < 1 or number.is_integer()) or number < 0:
        what = "a count (20), a share below 1 (0.01) or a percentage (1%)"
        raise click.BadParameter(f"{value!r} is not {what}", ctx, param)
    return number


def _parse_mapping(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    mapping: dict[str, str] = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r} is not FIELD=COLUMN, such as prompt=body.messages", ctx, param)
        if name.strip() in mapping:
            raise click.BadParameter(f"{name.strip()!r} is mapped twice", ctx, param)
        mapping[name.strip()] = column.strip()
    return mapping or None


PROFILES: Final = (
    "Names: litellm-spend-logs, litellm-logging-payload, litellm-callback, helicone, portkey, "
    "cloudflare-ai-gateway, cloudflare-ai-gateway-api, kong-ai-proxy, azure-apim-llm, azure-apim-diagnostic, "
    "sagemaker-data-capture, azure-ml-inference, bedrock-invocation, vertex-request-response, google-audit-log, "
    "databricks-inference-table, openpipe, keywords-ai, langfuse-ingestion, langfuse-observations, "
    "langfuse-traces, langsmith-runs, mlflow-trace, mlflow-search, weave-calls, opik-traces, braintrust-logs, "
    "datadog-llm, openinference-dataframe, otel-gen-ai, openai-batch-input, anthropic-batch-requests, "
    "openai-stored-completion, openai-response, openai-responses-request, chat-completions-request, sharegpt, "
    "lmsys-chat, wildchat, open-webui, chatgpt-export, claude-export, cohere-chat, vllm-request, tgi-request, "
    "ollama-generate."
)
"""The shapes that ``--profile`` takes, in words. They are written down here so that help does not load them."""

_READING_OPTIONS: Final = (
    click.option(
        "--map", "mapping", multiple=True, metavar="FIELD=COLUMN", callback=_parse_mapping,
        help="Column of a field, with dots for nested columns: prompt=body.messages. Repeat for more fields. Fields: "
        "account, timestamp, prompt, org, ip, asn, user_agent, api_key, payment, email_domain, created_at, model, "
        "session, request. [] stands for the elements of a list: prompt=calls[].body. FIELD=none: there is no such "
        "column. account=@path:logs/{}.jsonl takes the account from the path of the file: {} stands for the account, "
        "* for any part of a name, ** for any part of the path.  [default: chosen by names and values of columns]",
    ),
    click.option(
        "--profile", metavar="NAME", help="Known shape of all records, or a TOML file with your own shapes "
        f"(docs/shapes.md). {PROFILES}  [default: recognise each record]",
    ),
    click.option(
        "--input-format", "format_", type=click.Choice(["auto", "jsonl", "csv", "parquet"]),
        help="Format of the dumps.  [default: auto, by content]",
    ),
    click.option(
        "--table", metavar="NAME",
        help="Table or view to read, if DUMP is a database: postgresql://..., or a file of SQLite or DuckDB.",
    ),
    click.option("--query", metavar="SQL", help="The same, with the rows of a query in place of a table."),
    click.option(
        "--since-column", metavar="COLUMN",
        help="With --table or --query: read the rows in the order of this column. With --state, the next scan reads "
        "from its last value on.",
    ),
    click.option(
        "--pseudonyms", type=FOLDER, metavar="KEYFILE",
        help="Replace account ids, organisations, addresses, keys and other identifiers by hashes with the key in "
        "this file; the command pseudonym makes one.  [default: keep them]",
    ),
    click.option(
        "--settings", "settings_file", type=click.Path(), metavar="FILE",
        help="TOML file with settings. Options override environment variables (HARVESTDETECT_ENCODER=fast), which "
        "override the file.  [default: no file]",
    ),
)  # fmt: skip
"""Options of the commands that read dumps."""

_REGISTRY_OPTIONS: Final = (
    click.option(
        "--registry", type=FOLDER, metavar="FILE",
        help="TOML file with your own known scaffolds and viral prompts. Scaffolds are removed from prompts before "
        "these are compared.  [default: only the shipped registry]",
    ),
    click.option("--no-registry", is_flag=True, help="Use no registry, not even the shipped one."),
)  # fmt: skip
"""Options that choose the known texts."""

_WORKERS: Final = click.option(
    "--workers", type=int, metavar="N",
    help="Number of processes that share the work; 0 uses all cores.  [default: 0]",
)  # fmt: skip
"""The option ``--workers``."""

_OUTPUT_OPTIONS: Final = (
    click.option(
        "--quiet", "-q", is_flag=True,
        help="Print no progress and no notes, and instead of a table one line without a word of a prompt.",
    ),
    click.option(
        "--verbose", "-v", is_flag=True, help="Print the cost of each stage, and a traceback for internal errors."
    ),
)  # fmt: skip
"""Options that say how much a command prints."""

_PREPARING_OPTIONS: Final = (
    *_READING_OPTIONS,
    *_REGISTRY_OPTIONS,
    click.option(
        "--min-accounts", type=int, metavar="N", help="Smallest number of accounts that send a text.  [default: 10]"
    ),
    _WORKERS,
    *_OUTPUT_OPTIONS,
)  # fmt: skip
"""Options of the commands that read and prepare dumps, and compare nothing."""

_SCAN_OPTIONS: Final = (
    *_READING_OPTIONS,
    click.option(
        "--encoder", type=click.Choice(["auto", "fast", "full"]),
        help="How texts are compared: fast by wording, full by wording and meaning, auto by meaning as far as "
        "the time budget allows.  [default: fast]",
    ),
    click.option(
        "--model",
        metavar="MODEL",
        help="Folder of a sentence-transformers model that compares meaning.  [default: the packaged model]",
    ),
    click.option(
        "--allow-download",
        is_flag=True,
        help="Let --model name a model to download. No other option makes a scan go online.",
    ),
    click.option(
        "--cache", type=FOLDER, metavar="DIR",
        help="Folder for vectors and prepared models.  [default: the user's cache folder]",
    ),
    click.option("--no-cache", is_flag=True, help="Neither read nor write cached vectors."),
    *_REGISTRY_OPTIONS,
    click.option(
        "--no-preambles", is_flag=True,
        help="Do not look for texts that many accounts always send, such as the system prompt of a product. Without "
        "this option, they are found and removed from prompts before these are compared.",
    ),
    click.option(
        "--min-accounts", type=int, metavar="N", help="Smallest number of accounts in a campaign.  [default: 10]"
    ),
    click.option(
        "--selection", type=click.Choice(["account", "leaf", "eom"]),
        help="How clusters are selected from the tree: by the accounts that come back to them (account), or by the "
        "methods of HDBSCAN (leaf; eom: excess of mass).  [default: account]",
    ),
    click.option(
        "--fdr", type=float, metavar="P",
        help="Largest probability of innocence at review; urgent takes a tenth of it, watch two and a half times as "
        "much. Lower is more precise, higher finds more.  [default: 0.2]",
    ),
    click.option("--seed", type=int, metavar="N", help="Seed of all random numbers.  [default: 0]"),
    click.option("--threads", type=int, metavar="N", help="Number of threads; 0 uses all cores.  [default: 0]"),
    _WORKERS,
    click.option(
        "--engine", type=click.Choice(["loop", "processes", "ray"]),
        help="Where the work runs: in one process (loop), in the --workers processes of this machine, or on the "
        "machines of a Ray cluster (docs/engines.md). The findings are the same.  [default: processes]",
    ),
    click.option(
        "--ray-address", metavar="ADDRESS",
        help="With --engine ray: HOST:PORT, ray://HOST:PORT, or auto for a cluster that runs on this machine.  "
        "[default: start Ray on this machine]",
    ),
    click.option(
        "--memory", "memory_gb", type=float, metavar="GB",
        help="Memory limit of the scan. A scan that needs more ends with an error once the dumps are read. Vectors "
        "larger than a twentieth of the limit go to a temporary file.  [default: the available memory]",
    ),
    click.option(
        "--work", type=FOLDER, metavar="DIR",
        help="Keep prepared files, vectors and neighbours in this folder. A scan that was stopped, and a scan of the "
        "same dumps and some more, reuse them.  [default: keep nothing]",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        help="Device that runs the model.  [default: auto]",
    ),
    *_OUTPUT_OPTIONS,
)  # fmt: skip
"""Options of the commands that scan."""


def scan_options(command: Callable[..., int]) -> Callable[..., int]:
    """Decorator that adds the options of the commands that scan."""
    for option in reversed(_SCAN_OPTIONS):
        command = option(command)
    return command


def preparing_options(command: Callable[..., int]) -> Callable[..., int]:
    """Decorator that adds the options of a command that reads and prepares dumps, and compares nothing."""
    for option in reversed(_PREPARING_OPTIONS):
        command = option(command)
    return command


def reading_options(command: Callable[..., int]) -> Callable[..., int]:
    """Decorator that adds the options of a command that reads dumps and does not scan them."""
    for option in reversed(_READING_OPTIONS):
        command = option(command)
    return command


def settings_of_reading(options: dict[str, Any]) -> Settings:
    """The settings of a command that reads dumps and does not scan them.

    Args:
        options: values of the options of :func:`reading_options`, by parameter name.

    Raises:
        SettingsError: a value is out of its range, or the file cannot be read.
    """
    from harvestdetect.settings import load_settings

    flags = dict(options)
    file = flags.pop("settings_file")
    flags["format"] = flags.pop("format_")
    return load_settings(file, flags=flags)


def settings_of(options: dict[str, Any], settings_file: str | None) -> Settings:
    """The settings of a scan, or of a command that prepares dumps.

    Args:
        options: values of the options that are settings, by parameter name.
        settings_file: TOML file, or None.

    Raises:
        SettingsError: a value is out of its range, or the file cannot be read.
    """
    from harvestdetect.settings import load_settings

    flags = dict(options)
    flags["format"] = flags.pop("format_")
    flags["allow_download"] = flags.get("allow_download") or None
    flags["use_cache"] = False if flags.pop("no_cache", False) else None
    flags["use_registry"] = False if flags.pop("no_registry") else None
    flags["make_map"] = False if flags.pop("no_map", False) else None
    flags["find_preambles"] = False if flags.pop("no_preambles", False) else None
    return load_settings(settings_file, flags=flags)
