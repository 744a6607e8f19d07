"""The stack's settings, its costs and its documentation agree with one another."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from script_kit import ROOT, load_script
from stack_kit import raw, stack

cost = load_script("benchmarks/aws_cost.py")


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_an_environment_deploys_its_own_stack(mode: str) -> None:
    """Its parameters are the template's, with values that it takes; stack, mode and tags are its own."""
    given = tomllib.loads((ROOT / "samconfig.toml").read_text())[mode]["deploy"]["parameters"]
    chosen = dict(entry.split("=", maxsplit=1) for entry in given["parameter_overrides"])
    parameters = raw()["Parameters"]
    assert set(chosen) <= set(parameters)
    for name, value in chosen.items():
        assert value in parameters[name].get("AllowedValues", [value])
        assert re.fullmatch(parameters[name].get("AllowedPattern", ".*"), value)
    assert chosen["Mode"] == mode
    assert given["stack_name"] == f"trimtab-{mode}"
    assert given["tags"] == ["application=trimtab", f"mode={mode}"]
    assert given["capabilities"] == "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
    assert given["confirm_changeset"] is (mode == "live")
    assert stack(chosen, given["stack_name"]).of_type("Lambda::Function")


def test_whatever_needs_no_choice_has_a_default() -> None:
    """Only paper or live must be said, and every parameter says what it is."""
    parameters = raw()["Parameters"]
    assert [name for name, found in parameters.items() if "Default" not in found] == ["Mode"]
    assert all(len(found["Description"]) > 4 for found in parameters.values())
    grouped = raw()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in grouped for name in group["Parameters"]) == sorted(parameters)


def test_the_layers_and_functions_are_built_from_this_repository() -> None:
    """Each folder that the template names is there, and its handler too."""
    for resource in raw()["Resources"].values():
        properties = resource["Properties"]
        if "CodeUri" in properties:
            assert (ROOT / properties["CodeUri"] / "app.py").is_file()
        if "ContentUri" in properties:
            assert resource["Metadata"]["BuildMethod"] == "makefile"
            assert (ROOT / properties["ContentUri"] / "Makefile").is_file()


TABLES = {"s3": cost.on_s3(cost.BILLED_S, cost.MEMORY_MB), "efs": cost.on_efs()}


@pytest.mark.parametrize("lines", TABLES.values(), ids=TABLES)
def test_the_costs_are_the_ones_that_are_documented(lines: object) -> None:
    """docs/aws.md holds the tables as they are worked out, and the sums that the texts speak of."""
    assert "\n".join(cost.table(lines)) in (ROOT / "docs/aws.md").read_text()


def test_memory_costs_what_the_stack_has() -> None:
    """The table is of the template's default, and its alarms, wake-ups and dashboard are counted."""
    made = stack()
    lines = {line.what: line for line in cost.on_s3(cost.BILLED_S, cost.MEMORY_MB)}
    assert str(cost.MEMORY_MB) == made.of_type("Lambda::Function")["RebalanceFunction"]["MemorySize"]
    assert lines["Alarms"].amount == len(made.of_type("CloudWatch::Alarm"))
    assert pytest.approx(len(made.of_type("Scheduler::Schedule")) * 365 / 12) == cost.RUNS
    assert lines["Lambda, time"].usd == pytest.approx(cost.RUNS * 10 * 0.5 * 0.0000133334)
    assert lines["Lambda, time"].after_free == 0


def test_the_template_is_valid() -> None:
    """cfn-lint finds nothing in it."""
    linter = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run(
        [linter, "template.yaml"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
