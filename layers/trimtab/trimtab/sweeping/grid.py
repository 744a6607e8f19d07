"""Grid: what a sweep varies, read strictly from its JSON document."""

from __future__ import annotations

import difflib
import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODE", "MOST_VALUES", "Grid", "Sample", "WalkForward"]

CODE = "grid"
MOST_VALUES = 10_000
"""Of one range: more is a step mistyped."""
_SHOWN = 120
_FIRM = ConfigDict(extra="forbid", frozen=True, strict=True)
_RANGE = frozenset({"from", "to", "step"})


def _values(value: object) -> object:
    """Give the values that a parameter takes in turn: of a list, a range, or one that stands alone."""
    if isinstance(value, list):
        return _distinct(value)
    if not isinstance(value, dict):
        return (value,)
    if set(value) != _RANGE:
        raise ValueError(
            'an object is a range; {"from": 63, "to": 252, "step": 21}, or a list of one: [ { … } ]'
        )
    return _range(*(value[name] for name in ("from", "to", "step")))


def _distinct(values: list[Any]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("a list without a value; one value or more")
    seen = [json.dumps(value, sort_keys=True) for value in values]
    if len(set(seen)) < len(seen):
        repeated = next(text for text in seen if seen.count(text) > 1)
        raise ValueError(f"{repeated[:_SHOWN]} stands there twice; each value once")
    return tuple(values)


def _range(first: object, last: object, step: object) -> tuple[float, ...]:
    """Give the numbers from `first` to `last`, both included, exactly as they are written."""
    numbers = [
        Decimal(str(number))
        for number in (first, last, step)
        if isinstance(number, int | float) and not isinstance(number, bool)
    ]
    if len(numbers) < len(_RANGE) or not all(number.is_finite() for number in numbers):
        raise ValueError("a range that is not of numbers; from, to and step are finite numbers")
    begin, end, by = numbers
    if by <= 0 or end < begin:
        raise ValueError("a range that leads nowhere; a step above 0, and to at or above from")
    count = int((end - begin) / by) + 1
    if count > MOST_VALUES:
        raise ValueError(f"a range of {count:,} values; at most {MOST_VALUES:,}")
    whole = all(isinstance(number, int) for number in (first, step))
    exact = [begin + i * by for i in range(count)]
    return tuple(int(number) if whole else float(number) for number in exact)


def _as_list(value: object) -> object:
    return _distinct(value) if isinstance(value, list) else (value,)


def _day(value: object) -> object:
    if value is None:
        return None
    try:
        return str(date.fromisoformat(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError("no date; YYYY-MM-DD, or null for the first or last of the data") from None


def _named_once(symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(_distinct(list(symbols))))


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Values = Annotated[tuple[JsonValue, ...], BeforeValidator(_values)]
Day = Annotated[str | None, BeforeValidator(_day)]
Days = Annotated[tuple[Day, ...], BeforeValidator(_as_list)]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9.\-/]{1,16}$")]
Symbols = Annotated[
    tuple[Symbol, ...], BeforeValidator(_as_tuple), Field(min_length=1), AfterValidator(_named_once)
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Sample(BaseModel):
    """So many combinations, drawn from all by chance; the same seed draws the same."""

    model_config = _FIRM

    n: Annotated[int, Field(ge=1)]
    seed: int = 0


class WalkForward(BaseModel):
    """Windows that move through the data: `train` sessions to choose by, the `test` sessions after them.

    Each begins `step` sessions after the one before (default: `test`, so that the tests follow one another).
    """

    model_config = _FIRM

    train: Annotated[int, Field(ge=40)]
    test: Annotated[int, Field(ge=10)]
    step: Annotated[int, Field(ge=1)] | None = None


class Grid(BaseModel):
    """What a sweep varies; every key may be left out."""

    model_config = _FIRM

    strategy: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Default: the configuration's, with its params below those of the grid."""
    params: dict[str, Values] = Field(default_factory=dict)
    """Of the strategy's factory: a list of values, a range, or one value."""
    universes: Annotated[dict[Name, Symbols], Field(min_length=1)] | None = None
    """Names and their symbols. Default: the configuration's universe."""
    starts: Days = (None,)
    """First sessions. null: the first of the data."""
    ends: Days = (None,)
    """Last sessions. null: the last of the data."""
    rebalance: Annotated[
        tuple[Literal["daily", "weekly", "monthly", "quarterly"], ...] | None, BeforeValidator(_as_list)
    ] = None
    """Default: the configuration's schedule."""
    fill: Annotated[tuple[Literal["close", "next_open"], ...], BeforeValidator(_as_list)] = ("next_open",)
    cost_bps: Annotated[tuple[Cost, ...], BeforeValidator(_as_list)] = (10.0,)
    plan: Literal["live", "exact"] = "live"
    """`live` plans and reviews as the bot does, `exact` trades to the weights."""
    cash: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100_000.0
    sample: Sample | None = None
    walk_forward: WalkForward | None = None

    @classmethod
    def of(cls, document: object) -> Grid:
        """Give the grid of a JSON document.

        Raises:
            Misconfigured: a key is unknown, or a value is not allowed.
        """
        if not isinstance(document, dict):
            raise Misconfigured(
                CODE, "the grid is no object", seen=_short(document), allowed='{"params": { … }}'
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise _refused(error) from None


def _refused(error: ValidationError) -> Misconfigured:
    """Word what pydantic found first: a key that is unknown before one that is missing for it."""
    found = error.errors(include_url=False, include_context=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return _unknown(first["loc"], path)
    said = first["msg"].removeprefix("Value error, ")
    wrong, _, allowed = said.partition("; ")
    return Misconfigured(
        CODE,
        f"{path}: {wrong}{more}",
        seen=_short(first["input"]),
        allowed=allowed or None,
        hint="docs/sweep.md shows a grid with every key",
    )


def _unknown(location: tuple[int | str, ...], path: str) -> Misconfigured:
    sections: Mapping[str, type[BaseModel]] = {"sample": Sample, "walk_forward": WalkForward}
    model = sections.get(str(location[0]), Grid) if len(location) > 1 else Grid
    near = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1, cutoff=0.5)
    return Misconfigured(
        CODE,
        f"no key of a grid is called {path}",
        seen=path,
        allowed=", ".join(model.model_fields),
        hint=f"did you mean '{near[0]}'?" if near else "docs/sweep.md shows a grid with every key",
    )


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
