from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from script_kit import load_script
from trimtab.errors import Misconfigured
from trimtab.settings.events import typed

if TYPE_CHECKING:
    from pydantic import BaseModel

ASKED: dict[str, type[BaseModel]] = {
    name: load_script(f"functions/{name}/app.py").Event for name in ("rebalance", "fleet", "backtest")
}
"""What each function may be asked, by the function."""
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(timezones=st.none() | ZONES).map(datetime.isoformat)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=30)
    | INSTANTS
    | st.sampled_from(["main", "s3://bucket", "config/main.json", f"jobs/{64 * 'a'}/job.json", {}, [{}]])
)
KEYS = st.sampled_from([key for model in ASKED.values() for key in model.model_fields] + ["amount", "mode"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
)
NEARLY = st.fixed_dictionaries(
    {"scheduled_time": INSTANTS},
    optional={"dry_run": LEAVES, "store": st.just("s3://bucket"), "key": st.just("config/main.json")},
)


@pytest.mark.parametrize("name", ASKED)
@settings(max_examples=300, deadline=None, database=None)
@given(event=VALUES | st.dictionaries(KEYS, LEAVES, max_size=4) | NEARLY)
def test_any_event_is_typed_or_refused(name: str, event: object) -> None:
    """Nothing else ever comes of one: no amount passes, no moment is naive or of another century."""
    try:
        asked = typed(event, ASKED[name], allowed="that", hint="this")
    except Misconfigured as error:
        refusal = error
    else:
        judge(asked, event)
        return
    assert (refusal.code, refusal.allowed) == ("bad_event", "that")
    assert len(str(refusal).encode()) < 1_500  # a log takes it


def judge(asked: BaseModel, event: object) -> None:
    """Hold what was let pass against what it was made of."""
    assert isinstance(event, dict)
    assert set(event) <= set(type(asked).model_fields)
    assert getattr(asked, "dry_run", False) is event.get("dry_run", False)
    at = getattr(asked, "scheduled_time", None)
    if at is not None:
        assert datetime(2000, 1, 1, tzinfo=UTC) <= at < datetime(2200, 1, 1, tzinfo=UTC)
        assert at == datetime.fromisoformat(event["scheduled_time"])
