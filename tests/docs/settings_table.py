"""Settings table: config.json's keys as rows of a Markdown table, from the schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trimtab.settings import schema

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows() -> list[str]:
    """Give a row for every key that takes a value: key, default, meaning."""
    return [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _keys(schema(), "")]


def _keys(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    definitions = schema()["$defs"]
    for name, entry in node["properties"].items():
        section = definitions.get(str(entry.get("$ref")).rsplit("/", 1)[-1])
        if section is not None and "properties" in section:
            yield from _keys(section, f"{prefix}{name}.")
        elif name != "$schema":
            default = f"`{json.dumps(entry['default'])}`" if "default" in entry else "none"
            yield f"{prefix}{name}", default, entry["description"].replace("|", "\\|")


if __name__ == "__main__":
    print("\n".join(rows()))  # noqa: T201 - it is what goes into docs/configuration.md
