"""Limits: the `execution` and `risk` of a live plan, from a configuration in whatever form it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from trimtab.core.limits import Execution, Risk
from trimtab.errors import Misconfigured

Limits = TypeVar("Limits", bound=BaseModel)


def limits_of(config: object) -> tuple[Execution, Risk]:
    """Give the limits: of None the defaults, of a mapping its `execution` and `risk`, of settings theirs.

    Raises:
        Misconfigured: it is none of these, or a limit is not allowed.
    """
    if config is None:
        return Execution(), Risk()
    if isinstance(config, Mapping):
        return _model(Execution, config, "execution"), _model(Risk, config, "risk")
    execution, risk = getattr(config, "execution", None), getattr(config, "risk", None)
    if isinstance(execution, Execution) and isinstance(risk, Risk):
        return execution, risk
    raise Misconfigured(
        "backtest_terms",
        "config is not usable",
        seen=type(config).__name__,
        allowed='a mapping such as {"risk": {"max_order_size": 0.3}}, or settings',
        hint="read config.json with json.load, and give what it holds",
    )


def _model(kind: type[Limits], config: Mapping[str, object], name: str) -> Limits:
    try:
        return kind.model_validate(config.get(name, {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join([name, *map(str, first["loc"])])
        raise Misconfigured(
            "invalid_value",
            f"config: {where}: {first['msg']}",
            seen=repr(first["input"]),
            allowed="as config.json takes it",
            hint="docs/configuration.md lists every key",
        ) from None
