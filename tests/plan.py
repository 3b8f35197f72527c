"""In which order the tests run, which of them share a worker, and which are left out of the quick run.

With several workers the longest tests begin first: a long test that begins last keeps the other workers waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

__all__ = ["SLOW", "is_slow", "rank", "scheduler", "unit_of"]

FIRST: Final = (
    *("tests/faults/test_faults.py", "tests/faults/test_kills.py", "tests/faults/test_soak.py"),
    *("tests/test_pipeline.py", "tests/benchmarks/test_stream.py", "tests/benchmarks/test_peers.py"),
    *("tests/serve/test_browser.py", "tests/faults/test_full_disk.py", "tests/state/test_state.py"),
    "tests/state/test_resume.py",
    *("tests/test_incremental.py", "tests/ops/test_nightly_page.py::test_the_page_is_followed"),
    *("tests/faults/test_bombs.py", "tests/benchmarks/test_tables.py", "tests/benchmarks/test_scale.py"),
    *(
        "tests/benchmarks/",
        "tests/state/",
        "tests/signatures/",
        "tests/faults/",
        "tests/cli/",
        "tests/test_examples.py",
        "tests/test_site.py",
    ),
    *(
        "tests/corpus/",
        "tests/embed/",
        "tests/judge/",
        "tests/stages/",
        "tests/dump/",
        "tests/util/",
        "tests/evidence/",
        "tests/template/",
        "tests/drill/test_run.py",
        "tests/engines/",
        "tests/serve/",
    ),
)
"""Beginnings of the names of tests, the longest first; what is not listed runs at the end."""

ALONE: Final = (
    "tests/benchmarks/test_peers.py",
    "tests/benchmarks/test_stream.py",
    "tests/benchmarks/test_tables.py",
    "tests/cli/test_interrupts.py",
    "tests/faults/test_bombs.py",
    "tests/ops/test_nightly_page.py",
    "tests/test_examples.py",
)
"""Files of long tests that share no fixture: each of their tests may run on any worker."""

TOGETHER: Final = ("tests/faults/test_faults.py", "tests/faults/test_kills.py", "tests/faults/test_soak.py")
"""Files that share the fixture ``world``, which takes long to make: they run on one worker."""

SLOW: Final = (
    *("tests/benchmarks/", "tests/faults/", "tests/state/", "tests/embed/test_encode.py"),
    *("tests/ops/test_nightly_page.py", "tests/ops/test_watch.py", "tests/ops/test_deploy.py"),
    *("tests/test_incremental.py", "tests/test_pipeline.py", "tests/test_site.py", "tests/test_examples.py"),
    "tests/stages/",
    *("tests/drill/test_run.py", "tests/cli/test_drill_command.py"),
    *("tests/test_docs.py::test_the_first_example", "tests/test_docs.py::test_the_examples_of_the_search_page"),
    *("tests/cli/test_scan", "tests/cli/test_interrupts.py", "tests/cli/test_outside_world.py"),
    *("tests/cli/test_export_command.py", "tests/cli/test_simulate_command.py"),
    *("tests/search/", "tests/cli/test_search_command.py", "tests/accounts/test_seeds.py"),
    *("tests/corpus/test_registry.py", "tests/explain/test_explain.py", "tests/explain/test_account.py"),
    "tests/judge/test_candidates.py",
    *("tests/dump/storage/test_sources.py", "tests/dump/storage/test_limits.py", "tests/dump/test_bad_input.py"),
    "tests/dump/test_bad_parquet.py",
    *("tests/dump/storage/test_databases.py", "tests/cli/test_pseudonym_command.py"),
    *("tests/util/test_memory_estimate.py", "tests/util/test_redact.py::test_hostile_repeats", "tests/engines/"),
    *("tests/signatures/", "tests/cli/test_signatures_command.py"),
    *("tests/serve/test_browser.py", "tests/serve/test_load.py", "tests/serve/test_search.py"),
    "tests/serve/test_server.py",
    "tests/serve/test_screenshots.py",
    "tests/report/test_page.py::test_a_browser",
)
"""Tests that the quick run leaves out: end to end, with faults, in a browser, of the benchmarks or of the site."""


def is_slow(name: str) -> bool:
    """Whether the quick run leaves a test out."""
    return name.startswith(SLOW)


def rank(name: str) -> int:
    """The place of a test in the order of the run; equal ranks keep their order."""
    return next((i for i, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))


def unit_of(name: str) -> str:
    """What runs on one worker without a break: usually the tests of a file, which share its fixtures."""
    file = name.split("::", 1)[0]
    if file in TOGETHER:
        return "world"
    return name if file in ALONE else file


def scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Hand out :func:`unit_of` after unit in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False
    return Units(config, log)
