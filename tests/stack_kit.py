"""Stack kit: template.yaml as CloudFormation would see it, expanded, its parameters put in, without AWS.

What only AWS knows stands as a name of its own: `arn:<logical id>` for an ARN, `<logical id>.<attribute>` for
other attributes, `<logical id>` for what `Ref` gives.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from script_kit import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ACCOUNT", "NOTHING", "REGION", "Stack", "raw", "stack"]

Json = Any
"""What YAML or JSON holds: a template is not typed."""

REGION, ACCOUNT = "us-east-1", "123456789012"
NOTHING = object()
"""What AWS::NoValue resolves to: the property is not there."""


@cache
def _text() -> str:
    return json.dumps(yaml_parse((ROOT / "template.yaml").read_text()))


def raw() -> dict[str, Json]:
    """The template as it is written, a fresh copy."""
    document: dict[str, Json] = json.loads(_text())
    return document


@cache
def _expanded(parameters: tuple[tuple[str, str], ...]) -> str:
    """The template without SAM's own resources, as JSON."""
    document = raw()
    for resource in document["Resources"].values():  # folders become objects in S3 when SAM packages them
        for key in ("CodeUri", "ContentUri"):
            if key in resource["Properties"]:
                resource["Properties"][key] = "s3://packaged/code.zip"
    session = boto3.Session(region_name=REGION)
    translator = Translator(None, Parser(), boto_session=session)
    return json.dumps(translator.translate(document, dict(parameters)))


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that would be made: its name, its parameters, and the template they are put into."""

    name: str
    template: dict[str, Json]
    values: dict[str, str]
    resources: dict[str, dict[str, Json]] = field(default_factory=dict)

    def of_type(self, kind: str) -> dict[str, dict[str, Json]]:
        """The properties of each resource of a type, by logical id."""
        return {
            name: found["Properties"]
            for name, found in self.resources.items()
            if found["Type"] == f"AWS::{kind}"
        }

    def resolved(self, value: Json) -> Json:
        """A value with its intrinsic functions carried out."""
        if isinstance(value, list):
            return [found for inner in value if (found := self.resolved(inner)) is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        found = {key: self.resolved(inner) for key, inner in value.items()}
        return {key: inner for key, inner in found.items() if inner is not NOTHING}

    def _function(self, name: str, argument: Json) -> Json:
        known = {
            "Ref": self._ref,
            "If": self._chosen,
            "GetAtt": lambda path: self._attribute(".".join(path)),
            "Sub": self._substituted,
            "FindInMap": self._found,
            "Select": lambda pair: self.resolved(pair[1])[int(pair[0])],
            "GetAZs": lambda _region: [f"{REGION}a", f"{REGION}b"],
        }
        return known[name](argument)

    def _chosen(self, argument: Json) -> Json:
        condition, then, otherwise = argument
        return self.resolved(then if self.holds(condition) else otherwise)

    def _found(self, argument: Json) -> Json:
        table, first, second = self.resolved(argument)
        return self.template["Mappings"][table][first][second]

    def _ref(self, name: str) -> Json:
        pseudo = {
            "AWS::NoValue": NOTHING,
            "AWS::StackName": self.name,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }
        return pseudo[name] if name in pseudo else self.values.get(name, name)

    def _attribute(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        return f"arn:{name}" if attribute == "Arn" else path

    def _substituted(self, argument: Json) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def put(found: re.Match[str]) -> str:
            name = found[1]
            if name in names:
                return str(self.resolved(names[name]))
            return str(self._attribute(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([\w.:]+)\}", put, text)

    def holds(self, condition: Json) -> bool:
        """Whether a condition, or the one of a name, is true."""
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        ((name, argument),) = condition.items()
        if name == "Fn::Not":
            return not self.holds(argument[0])
        if name == "Fn::And":
            return all(map(self.holds, argument))
        if name == "Condition":
            return self.holds(argument)
        assert name == "Fn::Equals"
        left, right = self.resolved(argument)
        return bool(left == right)


def stack(parameters: Mapping[str, str] | None = None, name: str = "trimtab-paper") -> Stack:
    """The stack of these parameters, the rest at their defaults; its resources resolved."""
    given = {"Mode": "paper", **(parameters or {})}
    defaults = {name: str(p["Default"]) for name, p in raw()["Parameters"].items() if "Default" in p}
    template = json.loads(_expanded(tuple(sorted(given.items()))))
    made = Stack(name, template, defaults | given)
    for logical, resource in template["Resources"].items():
        if "Condition" not in resource or made.holds(resource["Condition"]):
            made.resources[logical] = made.resolved(resource)
    return made
