"""Conf: how Sphinx makes the site of the same Markdown that the repository's page shows."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Trimtab"
author = "Trimtab's authors"
project_copyright = author
version = release = metadata.version("trimtab")

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
source_suffix = {".md": "markdown"}
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "benchmarks/README.md"]
exclude_patterns = ["build", "dist", ".venv"]

myst_enable_extensions = ["tasklist"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_title = "Trimtab"
html_extra_path = [str(Path(__file__).parent / "site")]


def setup(app: Sphinx) -> None:
    """Give the index its contents."""
    app.connect("source-read", contents)


def contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Make the side bar of the links in the index: a part for each of its sections."""
    if page != root_doc:
        return
    for section in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0].partition(":")[0]
        pages = dict.fromkeys(re.findall(r"\]\(([\w./]+)\.md\)", section))
        source[0] += "\n".join(["\n```{toctree}", ":hidden:", f":caption: {title}", *pages, "```\n"])
