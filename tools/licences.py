"""Licences: what is installed with Trimtab, and under which licence, from the packages' own metadata."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tools.codes import ROOT
from tools.reference import table

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = ROOT / "docs/licences.md"
GROUPS = ("core", "alerts", "aws", "dashboard", "demo", "optimize", "serve")
"""The locks of what a user installs; tools of development are none of it."""
USUAL = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License v2": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "The MIT License (MIT)": "MIT",
}
"""What packages write, by the identifier that is meant."""
FREE = {"0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "HPND", "ISC"}
FREE |= {"MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"}
"""Licences that let it be used and passed on with Trimtab; any other is looked at by a person first."""
SHORT = 40
"""Characters of a licence's name; more is its whole text."""
HEAD = """<!-- Made by `make reference` from what the locks install: change that, not this page. -->

# Licences

Trimtab is under the MIT licence. These packages are installed with it, or with one of its extras; none is
part of it.
"""


def names() -> dict[str, list[str]]:
    """Give each locked package with the groups that install it."""
    found: dict[str, list[str]] = {}
    for group in GROUPS:
        text = (ROOT / "requirements" / f"{group}.txt").read_text()
        for name in re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==", text, re.MULTILINE):
            found.setdefault(canonicalize_name(name), []).append(group)
    return {name: ["core"] if "core" in groups else groups for name, groups in sorted(found.items())}


def licence(name: str) -> str | None:
    """Give a package's licence as it states it, as an identifier if it is known; None: not installed."""
    try:
        data = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    stated = data.get("License-Expression") or ""
    classified = [
        c.rsplit(" :: ", 1)[-1] for c in data.get_all("Classifier") or () if c.startswith("License ::")
    ]
    short = [line for line in (data.get("License") or "").splitlines()[:1] if len(line) <= SHORT]
    told = [stated] if stated else [c for c in classified if c != "OSI Approved"] or short
    return " AND ".join(USUAL.get(text, text) for text in told) or "not stated"


def unusual(stated: str) -> set[str]:
    """Give the parts of a licence expression that are not among the usual free ones."""
    options = [set(re.split(r"[()\s]+AND[()\s]+|/|, ", option)) for option in re.split(r"\s+OR\s+", stated)]
    left = [{part.strip("() ") for part in option} - FREE for option in options]
    return set() if any(not parts for parts in left) else set().union(*left)


def page() -> str:
    """Give the page; a package of another platform keeps the row that was written where it is installed."""
    written = (
        dict(re.findall(r"^\| (\S+) \| (.*?) \|", PAGE.read_text(), re.MULTILINE)) if PAGE.exists() else {}
    )
    rows = [
        (name, licence(name) or written.get(name, "on other platforms only"), ", ".join(groups))
        for name, groups in names().items()
    ]
    return f"{HEAD}\n{table(('package', 'licence', 'installed with'), rows)}\n"


def main(_arguments: Sequence[str]) -> int:
    """Write the page, and name what a person has to look at."""
    PAGE.write_text(page())
    odd = {name: stated for name in names() if (stated := licence(name)) and unusual(stated)}
    for name, stated in odd.items():
        print(f"{name}: {stated}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
