"""Settings of the documentation site, which Sphinx builds from the root of the checkout::

    .venv/bin/python -m sphinx -W --keep-going -b html -c docs . build/site

The pages are the Markdown files that GitHub shows, read in place, so a link works in both. Sphinx was chosen over
MkDocs because the docstrings are reStructuredText with cross-references, which it resolves.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.ext.napoleon import Config, GoogleDocstring

import harvestdetect

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "harvestdetect"
author = "The harvestdetect authors"
copyright = f"{author}, Apache-2.0"
version = release = harvestdetect.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/api/*.md"]
exclude_patterns = [".*", "build", "harvestdetect", "tests"]
"""Folders without pages. Sphinx would look through all files of ``.venv`` for pages, which takes seconds."""

myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"harvestdetect {version}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

NAVIGATION = """

```{toctree}
:hidden:
:caption: Use

docs/tour
docs/cookbook
docs/usage
docs/formats
docs/databases
docs/nightly
docs/state
docs/serve
docs/alerts
docs/exports
docs/signatures
docs/search
docs/schedule
docs/shapes
docs/engines
docs/limits
```

```{toctree}
:hidden:
:caption: Python

docs/python
docs/api/index
```

```{toctree}
:hidden:
:caption: Trust

docs/alternatives
docs/benchmarks
docs/speed
docs/scale
docs/constants
docs/promises
```

```{toctree}
:hidden:
:caption: Develop

ARCHITECTURE
CONTRIBUTING
CHANGELOG
```
"""
"""The side bar, appended to the home page when it is read: GitHub would show these directives in README.md."""


def add_navigation(app: Sphinx, name: str, source: list[str]) -> None:
    """Append the side bar to the home page when it is read."""
    if name == root_doc:
        source[0] += NAVIGATION


def add_index(app: Sphinx, error: Exception | None) -> None:
    """Copy the home page to ``index.html``, which web servers serve for a folder."""
    if error is None and app.builder.format == "html":
        page = Path(app.outdir) / f"{root_doc}.html"
        (Path(app.outdir) / "index.html").write_bytes(page.read_bytes())


def read_google_style(
    app: Sphinx, what: str, name: str, value: object, options: dict[str, bool], lines: list[str]
) -> None:
    """Turn ``Args:`` and ``Raises:`` into fields, but not the first colon in the docstring of an attribute.

    The extension ``sphinx.ext.napoleon`` would read the words before that colon as the type of the attribute.
    """
    if what not in ("attribute", "data", "property"):
        lines[:] = GoogleDocstring(lines, Config(), app, what, name, value, options).lines()


def name_defaults(
    app: Sphinx, what: str, name: str, value: object, options: dict[str, bool], signature: str, returns: str
) -> tuple[str, str] | None:
    """Write ``...`` for a default that a factory makes, so that the signature is valid Python."""
    return (signature.replace("<factory>", "..."), returns) if signature else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks above."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", add_index)
    app.connect("autodoc-process-docstring", read_google_style)
    app.connect("autodoc-process-signature", name_defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
