"""Table: docs/mistakes.md, written from the mistakes as they are made."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mistakes import cases, cases_run
from mistakes.bench import Bench, Mistake, Said

PAGE = Path(__file__).parents[2] / "docs/mistakes.md"
GROUPS = {
    "On the command line": cases.COMMAND_LINE,
    "In the JSON": cases.JSON_TEXT,
    "In the settings": cases.SETTINGS,
    "In the strategy": cases_run.STRATEGY,
    "With the account": cases_run.ACCOUNT,
    "With files": cases_run.FILES,
    "In the installation": cases_run.INSTALLATION,
}
HEAD = """<!-- Made by `make reference` from the mistakes in tests/mistakes: change them, not this page. -->

# Mistakes, and what Trimtab says

{count} likely mistakes, each really made by a test, with the one message that answers it.
What to do about every error code: [recover](recover.md).
"""


def row(mistake: Mistake, said: Said) -> str:
    """Give a mistake's line of the table: what was done, the code, what is said, and what to do."""
    error = said.error
    does = error.get("hint") or f"allowed: {error.get('allowed', '')}"
    cells = (mistake.done, f"`{mistake.code}`", error.get("message", ""), does)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def page() -> str:
    """Make every mistake, and give the page."""
    parts = [HEAD.format(count=sum(map(len, GROUPS.values())))]
    for title, mistakes in GROUPS.items():
        parts += [
            f"\n## {title}\n",
            "| mistake | code | Trimtab says | and what to do |",
            "|---|---|---|---|",
        ]
        for mistake in mistakes:
            with tempfile.TemporaryDirectory() as folder:
                parts.append(row(mistake, mistake.make(Bench(Path(folder)))))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
