"""Settings events: what a Lambda function is asked, typed, or refused before anything begins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError

from trimtab.errors import Misconfigured
from trimtab.settings.complaint import shown
from trimtab.settings.model import PORTFOLIO

__all__ = ["Instant", "Portfolio", "StoreUrl", "typed"]

Asked = TypeVar("Asked", bound=BaseModel)


def _instant(value: object) -> object:
    """Give a text as a moment; a number, which pydantic would take for seconds, is none."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
]
"""A moment of ISO 8601 with its zone, 2000 to 2199."""
Portfolio = Annotated[str, Field(pattern=f"^{PORTFOLIO}$")]
StoreUrl = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,500}$")]


def typed(event: object, model: type[Asked], *, allowed: str, hint: str) -> Asked:
    """Give an event as its model.

    Raises:
        Misconfigured: code `bad_event`; it has a key or a value that no such event has.
    """
    try:
        return model.model_validate(event)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"][:1]) or "the event"
        raise Misconfigured(
            "bad_event",
            f"{shown(where)}: {first['msg']}",
            seen=shown(first["input"]),
            allowed=allowed,
            hint=hint,
        ) from None
