from __future__ import annotations

import re

import numpy as np

from docs.settings_table import rows
from rules.copied import ROOT
from trimtab.core.gates import GATES
from trimtab.core.risk import RULES
from trimtab.core.sizing import Why


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def first_column(text: str, heading: str) -> list[str]:
    section = text.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    return re.findall(r"^\| `([a-z_]+)` \|", section, flags=re.MULTILINE)


def test_the_settings_table_is_the_schema() -> None:
    """Every key stands in docs/configuration.md with its default and meaning, and no other does."""
    table = [line for line in read("configuration.md").splitlines() if line.startswith("| `") and "." in line]
    documented = {line for line in table if not line.startswith(("| `APCA", "| `TRIMTAB"))}
    assert set(rows()) >= documented
    assert set(rows()) <= set(read("configuration.md").splitlines())


def test_every_risk_rule_is_documented_in_its_order() -> None:
    """docs/risk.md lists the rules that review judges."""
    assert first_column(read("risk.md"), "Rules on the plan") == [rule.__name__ for rule in RULES]


def test_every_gate_is_documented() -> None:
    """docs/gates.md lists the data gates, and docs/risk.md those on the account, as the code names them."""
    folder = ROOT / "layers/trimtab/trimtab/core/gates"

    def verdicts(name: str) -> list[str]:
        return re.findall(r'Verdict\(\s*"([a-z_]+)"', (folder / f"{name}.py").read_text())

    data = first_column(read("gates.md").replace("# Data gates", "## Data gates"), "Data gates")
    assert set(data) == {*verdicts("shape"), *GATES, "trade_apart", "revised"}
    assert first_column(read("risk.md"), "Gates on the account") == list(dict.fromkeys(verdicts("account")))


def test_every_reason_code_is_documented() -> None:
    """docs/risk.md names each reason an order or a hold opens with."""
    names = {str(flag.name).lower() for flag in Why if np.log2(flag) % 1 == 0}
    assert {name for name in names if f"`{name}`" not in read("risk.md")} == set()
