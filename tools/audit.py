"""Audit: risky code, secrets, known vulnerabilities, and the bill of materials of what is installed.

`make audit` runs it by the Python that holds the tools. Exit status 1 where something was found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
BILL = ROOT / "build/sbom.json"
GROUPS = ("core", "alerts", "aws", "dashboard", "optimize", "serve")
"""The locks of what a user installs."""
CODE = ("layers/trimtab/trimtab", "functions", "dashboard")
MADE_UP = {"docs/dashboard.md", "layers/trimtab/trimtab/adapters/sandbox/face.py"}
"""Files that show where a secret stands, and hold none."""
APART = ("tests/", "requirements/", "layers/dependencies/requirements.txt", "benchmarks/requirements")
"""Tests hold made-up secrets by the dozen, and locks hashes."""
SIGNS = {True: "✓", False: "✗", None: "?"}


def main() -> int:
    """Do all four, and say what each found: ✗ what is wrong, ? what could not be looked for."""
    found = {
        "risky code": code(),
        "secrets": secrets(),
        "known vulnerabilities": vulnerabilities(),
        "bill of materials": bill(),
    }
    for what, (fine, text) in found.items():
        print(f"{SIGNS[fine]} {what}: {text}")
    return 1 if any(fine is False for fine, _ in found.values()) else 0


def code() -> tuple[bool, str]:
    """Look for what bandit rates high; of the rest Ruff asks a reason line by line (its rules S)."""
    told = json.loads(ran("bandit", "-q", "-f", "json", "-r", *CODE))
    high = [r for r in told["results"] if r["issue_severity"] == "HIGH"]
    places = ", ".join(f"{r['filename']}:{r['line_number']} {r['test_id']}" for r in high)
    return not high, places or f"none is high in {told['metrics']['_totals']['loc']:,} lines"


def secrets() -> tuple[bool, str]:
    """Look for secrets in every file that is kept, but for those of tests and locks."""
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607 - the caller's git
    files = [name for name in kept.stdout.splitlines() if not name.startswith(APART)]
    found = set(json.loads(ran("detect-secrets", "scan", *files))["results"]) - MADE_UP
    return not found, ", ".join(sorted(found)) or f"none in {len(files)} files"


def vulnerabilities() -> tuple[bool | None, str]:
    """Ask for the known vulnerabilities of all that is locked; None where not all of it was answered for."""
    known: dict[tuple[str, str], Any] = {}
    silent = []
    for group in GROUPS:
        lock = f"requirements/{group}.txt"
        told = ran("pip-audit", "-f", "json", "--require-hashes", "--disable-pip", "-r", lock)
        if told:
            known |= {(d["name"], d.get("version", "")): d for d in json.loads(told)["dependencies"]}
        else:
            silent.append(lock)
    asked = [d for d in known.values() if "skip_reason" not in d]
    bad = [f"{d['name']} {d['version']}: {d['vulns'][0]['id']}" for d in asked if d["vulns"]]
    text = "; ".join(bad) or f"none in {len(asked)} of {len(known)} packages"
    if silent:
        text += f"; no answer for {', '.join(silent)}: is the service in reach?"
    whole = not silent and len(asked) == len(known)
    return False if bad else True if whole else None, text


def bill() -> tuple[bool, str]:
    """Write what is installed, with hashes, as CycloneDX."""
    BILL.parent.mkdir(exist_ok=True)
    both = BILL.with_suffix(".txt")
    locks = [(ROOT / f"requirements/{group}.txt").read_text() for group in GROUPS]
    entries = dict.fromkeys(e for lock in locks for e in lock.replace("\\\n", " ").splitlines() if "==" in e)
    both.write_text("\n".join(entries))
    ran("cyclonedx-py", "requirements", str(both), "--of", "JSON", "-o", str(BILL))
    both.unlink()
    parts = json.loads(BILL.read_text())["components"]
    return bool(parts), f"{len(parts)} components in {BILL.relative_to(ROOT)}"


def ran(tool: str, *arguments: str) -> str:
    """Give what one of the tools prints, whatever its exit status."""
    command = [str(BIN / tool), *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=600).stdout  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
