"""Sweeps and fleets in the stack: off by default, and each function no further than its own part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from script_kit import ROOT
from stack_kit import REGION, raw, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = {"Name": "trimtab", "Bucket": "b", "DependenciesLayer": "arn:d", "TrimtabLayer": "arn:t"}
GIVEN |= {"Mode": "paper", "AlarmTopic": "arn:a", "Fleet": "yes"}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """Give the resources of scale.yaml without SAM's own."""
    document = yaml_parse((ROOT / "scale.yaml").read_text())
    for resource in document["Resources"].values():
        for key in ("CodeUri", "DefinitionUri"):
            if key in resource["Properties"]:
                assert (ROOT / resource["Properties"][key]).exists()
                resource["Properties"][key] = "s3://packaged/code.zip"
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name=REGION))
    resources: dict[str, Any] = translator.translate(document, GIVEN)["Resources"]
    return resources


def statements(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give what a role's policies say."""
    for policy in resource["Properties"]["Policies"]:
        yield from policy.get("PolicyDocument", {"Statement": []})[
            "Statement"
        ]  # not that of a key of one's own


def actions(made: dict[str, Any], role: str, effect: str = "Allow") -> set[str]:
    """Give what a role may do."""
    found = [one["Action"] for one in statements(made[role]) if one["Effect"] == effect]
    return {name for each in found for name in ([each] if isinstance(each, str) else each)}


def test_scale_is_off_by_default() -> None:
    """No nested stack and no output of it; with either choice there is one, in a bucket's stack only."""
    assert "CloudFormation::Stack" not in {
        r["Type"].removeprefix("AWS::") for r in stack().resources.values()
    }
    for choice, fleet in (("sweeps", "no"), ("fleet", "yes")):
        nested = stack({"Scale": choice}).of_type("CloudFormation::Stack")["ScaleStack"]
        assert nested["Parameters"]["Fleet"] == fleet
    assert not stack({"Scale": "fleet", "Store": "efs"}).of_type("CloudFormation::Stack")


def test_the_nested_stack_is_given_what_it_takes() -> None:
    """Every parameter without a default, and none that it does not know."""
    given = set(raw()["Resources"]["ScaleStack"]["Properties"]["Parameters"])
    taken = yaml_parse((ROOT / "scale.yaml").read_text())["Parameters"]
    assert {name for name, found in taken.items() if "Default" not in found} <= given <= set(taken)


def test_a_sweep_reaches_neither_keys_nor_records(made: dict[str, Any]) -> None:
    """It reads and writes below sweeps/ alone."""
    assert not {name for name in actions(made, "BacktestRole") if name.startswith(("ssm", "kms", "lambda"))}
    resources = json.dumps(
        [one["Resource"] for one in statements(made["BacktestRole"]) if "Condition" not in one]
    )
    assert all("/sweeps/" in part for part in resources.split('"Fn::Sub": ')[1:] if ":s3:::" in part)


def test_a_fleet_writes_no_configuration(made: dict[str, Any]) -> None:
    """What a portfolio may trade is its owner's to say."""
    denied = [one for one in statements(made["FleetRole"]) if one["Effect"] == "Deny"]
    assert [one["Action"] for one in denied] == ["s3:PutObject"]
    assert "config/*" in json.dumps(denied[0]["Resource"])


def test_a_fleet_is_never_held_to_one_run_at_a_time(made: dict[str, Any]) -> None:
    """Its portfolios run side by side; its schedule starts once, and is not repeated."""
    functions = [r["Properties"] for r in made.values() if r["Type"] == "AWS::Lambda::Function"]
    assert len(functions) == 2
    assert not any("ReservedConcurrentExecutions" in function for function in functions)
    schedules = [r["Properties"] for r in made.values() if r["Type"] == "AWS::Scheduler::Schedule"]
    assert len(schedules) == 2
    assert all(one["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0} for one in schedules)


def test_every_machine_plays_the_definition_of_the_repository() -> None:
    """With exactly the names put in that stand in it."""
    document = yaml_parse((ROOT / "scale.yaml").read_text())
    for name in ("SweepMachine", "FleetMachine"):
        properties = document["Resources"][name]["Properties"]
        text = (ROOT / properties["DefinitionUri"]).read_text()
        assert text.count("${") == len(properties["DefinitionSubstitutions"])
        assert all(f"${{{key}}}" in text for key in properties["DefinitionSubstitutions"])
        json.loads(text)
