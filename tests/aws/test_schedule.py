"""The stack's schedule: when the bot wakes, with what event, and what becomes of an event that fails."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from script_kit import load_script
from stack_kit import Stack, raw, stack
from trimtab.settings import Settings
from trimtab.settings.events import typed

app = load_script("functions/rebalance/app.py")

HOURS = raw()["Parameters"]["RunHour"]["AllowedValues"]
MINUTES = raw()["Parameters"]["RunMinute"]["AllowedValues"]
TIMES = [(hour, minute) for hour, minute in product(HOURS, MINUTES) if (int(hour), int(minute)) >= (9, 35)]
NEW_YORK = ZoneInfo("America/New_York")


def asked(document: object) -> Any:  # noqa: ANN401 - an event of a script's own type
    """Give a document as the function's event."""
    return typed(document, app.Event, allowed=app.ALLOWED, hint="")


def schedules(hour: str = "10", minute: str = "0") -> dict[str, dict[str, Any]]:
    """The schedule's entries as they are written, for a run_time."""
    template = raw()
    made = Stack("trimtab-paper", template, {"RunHour": hour, "RunMinute": minute, "Portfolio": "main"})
    events = template["Resources"]["RebalanceFunction"]["Properties"]["Events"]
    return {name: made.resolved(event["Properties"]) for name, event in events.items()}


def clock(expression: str) -> tuple[int, int]:
    """The hour and minute of a cron expression that means every day."""
    assert expression.startswith("cron(")
    minute, hour, *days = expression.removeprefix("cron(").removesuffix(")").split()
    assert days == ["*", "*", "?", "*"]
    return int(hour), int(minute)


@pytest.mark.parametrize(("hour", "minute"), TIMES)
def test_the_bot_wakes_three_times_every_day(hour: str, minute: str) -> None:
    """At run_time, half an hour later and at 15:00 New York, whatever run_time is, weekends too."""
    found = schedules(hour, minute)
    assert {entry["ScheduleExpressionTimezone"] for entry in found.values()} == {"America/New_York"}
    times = {name: clock(entry["ScheduleExpression"]) for name, entry in found.items()}
    at = datetime(2026, 11, 24, int(hour), int(minute), tzinfo=NEW_YORK)
    later = at + timedelta(minutes=30)
    assert times == {
        "AtRunTime": (at.hour, at.minute),
        "HalfAnHourLater": (later.hour, later.minute),
        "Afternoon": (15, 0),
    }


def test_no_time_before_the_trading_window_can_be_chosen() -> None:
    """The template's rule lets at 9 only what is 9:35 or later."""
    rule = raw()["Rules"]["InsideTheWindow"]
    allowed, parameter = rule["Assertions"][0]["Assert"]["Fn::Contains"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "RunHour"}, "9"]}
    assert parameter == {"Ref": "RunMinute"}
    assert allowed == [minute for minute in MINUTES if int(minute) >= 35]


def test_the_event_is_one_that_the_function_takes() -> None:
    """With Scheduler's own time put in, it is an event of this portfolio at that instant."""
    made = stack({"Portfolio": "growth"})
    inputs = {entry["Target"]["Input"] for entry in made.of_type("Scheduler::Schedule").values()}
    (text,) = inputs
    document = json.loads(text.replace("<aws.scheduler.scheduled-time>", "2026-11-24T15:00:00Z"))
    event = asked(document)
    assert (event.portfolio, event.dry_run) == ("growth", False)
    assert event.scheduled_time == datetime(2026, 11, 24, 15, tzinfo=UTC)


def test_nothing_is_tried_again_and_nothing_is_lost() -> None:
    """Scheduler and Lambda repeat no run; each keeps in its queue what it could not bring to a good end."""
    made = stack()
    targets = [entry["Target"] for entry in made.of_type("Scheduler::Schedule").values()]
    assert [target["RetryPolicy"]["MaximumRetryAttempts"] for target in targets] == [0, 0, 0]
    assert {target["DeadLetterConfig"]["Arn"] for target in targets} == {"arn:UndeliveredEvents"}
    assert {target["Arn"] for target in targets} == {"arn:RebalanceFunction"}
    (invoke,) = [
        config
        for config in made.of_type("Lambda::EventInvokeConfig").values()
        if config["FunctionName"] == "RebalanceFunction"
    ]
    assert invoke["MaximumRetryAttempts"] == 0
    assert invoke["DestinationConfig"]["OnFailure"]["Destination"] == "arn:FailedEvents"


def test_reserved_concurrency_is_a_choice() -> None:
    """Correctness does not rest on it, and a new account has none to give."""
    functions = [stack(given).of_type("Lambda::Function") for given in ({}, {"ReservedConcurrency": "1"})]
    found = [function["RebalanceFunction"].get("ReservedConcurrentExecutions") for function in functions]
    assert found == [None, "1"]


def settings(run_time: str, timezone: str = "America/New_York") -> Settings:
    """A configuration's settings with this run_time."""
    strategy = {"name": "fixed_weights", "params": {"weights": {"SPY": 1.0}}}
    document: Any = {"strategy": strategy, "schedule": {"run_time": run_time, "timezone": timezone}}
    return Settings.of(document, folder=Path())


def woken(hour: int, minute: int) -> Any:  # noqa: ANN401 - an event of a script's own type
    """The event of a wake-up at this time, New York."""
    at = datetime(2026, 11, 24, hour, minute, tzinfo=NEW_YORK)
    return asked({"scheduled_time": at.astimezone(UTC).isoformat()})


@pytest.mark.parametrize(("hour", "minute"), TIMES)
def test_no_wake_up_of_an_agreeing_stack_warns(hour: str, minute: str) -> None:
    """With run_time as the template has it, all three wake-ups are as expected."""
    given = settings(f"{int(hour):02}:{int(minute):02}")
    times = [clock(entry["ScheduleExpression"]) for entry in schedules(hour, minute).values()]
    assert [app.judge_run_time(woken(*time), given) for time in times] == ["", "", ""]


@pytest.mark.parametrize("run_time", ["09:30", "10:05", "10:30", "11:00", "14:30", "15:00", "22:00"])
def test_a_run_time_that_the_stack_does_not_have_is_told_every_day(run_time: str) -> None:
    """Of a day's wake-ups at least one says that the two differ, and names both."""
    times = [clock(entry["ScheduleExpression"]) for entry in schedules("10", "0").values()]
    warnings = [app.judge_run_time(woken(*time), settings(run_time)) for time in times]
    told = [warning for warning in warnings if warning]
    assert told
    assert all(run_time in warning and "RunHour" in warning for warning in told)


def test_run_time_is_of_its_own_zone() -> None:
    """15:00 in London is 10:00 in New York, but for the weeks in which only one has changed its clock."""
    given = settings("15:00", "Europe/London")
    assert app.judge_run_time(woken(10, 0), given) == ""
    assert app.judge_run_time(woken(11, 0), given) != ""


def test_a_person_may_run_it_at_any_time() -> None:
    """Without a scheduled time there is no schedule to differ from."""
    assert app.judge_run_time(asked({}), settings("10:00")) == ""
