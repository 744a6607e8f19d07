"""Settings document: the JSON schema of config.json, and the one that `init` writes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from trimtab.settings.model import Settings

DRAFT = "https://json-schema.org/draft/2020-12/schema"


@cache
def _schema() -> dict[str, Any]:
    plain: dict[str, Any] = _without_null(Settings.model_json_schema())
    plain["properties"]["$schema"] = {"description": "Where editors find this schema; ignored."}
    return {"$schema": DRAFT, "title": "config.json of Trimtab", **plain}


def schema() -> dict[str, Any]:
    """Give the JSON schema (draft 2020-12) of config.json: every key, its meaning, default and limits."""
    copy: dict[str, Any] = json.loads(json.dumps(_schema()))
    return copy


def _without_null(node: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """Give the schema without titles, and without null, which no key takes: left out means the default."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _without_null(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    options = [option for option in kept.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        return {**options[0], **kept}
    return {**kept, "anyOf": options} if options else kept


def describe(path: tuple[str | int, ...]) -> str:
    """Say in words what the key at `path` takes; empty where there is nothing to say."""
    node: dict[str, Any] = _schema()
    for part in path:
        node = _resolve(node)
        inner = node.get("properties", {}).get(part, node.get("additionalProperties"))
        if isinstance(part, int):
            pairs = node.get("prefixItems")
            inner = pairs[part] if pairs and part < len(pairs) else node.get("items")
        if not isinstance(inner, dict):
            break
        node = inner
    return _words(_resolve(node))


def _resolve(node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return _schema()["$defs"][reference.rsplit("/", 1)[-1]] if reference else node


_NOUNS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
}
_BOUNDS = {
    "exclusiveMinimum": "above {}",
    "minimum": "at least {}",
    "exclusiveMaximum": "below {}",
    "maximum": "at most {}",
    "minLength": "of at least {} characters",
    "maxLength": "of at most {} characters",
    "pattern": "matching {}",
    "minItems": "of at least {}",
    "maxItems": "of at most {}",
}


def _words(node: dict[str, Any]) -> str:
    if "enum" in node:
        return "one of " + ", ".join(map(str, node["enum"]))
    if "anyOf" in node:
        return ", or ".join(_words(option) for option in node["anyOf"])
    noun = _NOUNS.get(str(node.get("type")), "")
    bounds = [text.format(node[key]) for key, text in _BOUNDS.items() if key in node]
    items = node.get("items")
    of = f", each {_words(_resolve(items))}" if isinstance(items, dict) else ""
    return " ".join([noun, ", ".join(bounds)]).strip() + of


def starter() -> str:
    """Give the text of the config.json that `init` writes: a small portfolio on the embedded exchange."""
    document = {
        "$schema": "./config.schema.json",
        "portfolio": "main",
        "mode": "simulated",
        "dry_run": False,  # simulated money is not real
        "strategy": {
            "name": "fixed_weights",
            "params": {"weights": {"AAPL": 0.4, "IBM": 0.3, "MSFT": 0.3}},
        },
        "schedule": {"job_interval": "daily"},
    }
    return json.dumps(document, indent=2) + "\n"
