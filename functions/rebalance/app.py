"""Rebalance: the schedule's arrival. An event in, one run of the line, the run's document out."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, ConfigDict, StrictBool

from trimtab.configuration import load
from trimtab.core.schedule import NEW_YORK
from trimtab.desk import Desk
from trimtab.errors import Misconfigured
from trimtab.settings import error_document, log_line, redactor
from trimtab.settings.events import Instant, Portfolio, typed
from trimtab.show.document import exit_status, run_document
from trimtab.show.page import number
from trimtab.show.run import turnover
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from trimtab.core.record import Document
    from trimtab.settings import Settings


logger = Logger(service="rebalance", json_serializer=log_line)
metrics = Metrics(namespace="Trimtab", service="rebalance")

LOGGED = (
    *("run_id", "portfolio", "session", "outcome", "stage", "reason", "plan_digest", "error"),
    *("timings", "data_age_s"),
)

AGAIN = timedelta(minutes=30)
"""How long after `schedule.run_time` template.yaml wakes the bot again."""
AFTERNOON = "15:00"
"""When it does for the last time, New York."""


ALLOWED = "portfolio, scheduled_time (ISO 8601 with zone, 2000 to 2199), dry_run (true or false)"


class Event(BaseModel):
    """What the schedule says. It never carries amounts, and `dry_run` can only make a run safer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    portfolio: Portfolio | None = None
    scheduled_time: Instant | None = None
    dry_run: StrictBool = False


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: object, context: LambdaContext) -> Document:
    """Run the line once and give the run's document; log it once, and count it.

    Raises:
        Misconfigured: the event or the configuration is wrong; nothing began.
        Halted | Interrupted: the store can't be written, so that no record could tell of the run.
    """
    metrics.add_dimension("function", context.function_name)  # two stacks may hold portfolios of one name
    try:
        record = run(typed(event, Event, allowed=ALLOWED, hint="see events/ for examples"), context)
    except Exception as error:  # noqa: BLE001 - it is raised again, without the secrets in its text
        failed(error)
        raise redactor(os.environ).error(error) from None
    report(record)
    return run_document(record)


def run(event: Event, context: LambdaContext) -> Document:
    """Run the line for an event, within the time that the function has left, and give its record.

    Raises:
        Misconfigured | Halted | Interrupted: as `handler` says.
    """
    settings = load(None, {"dry_run": event.dry_run or None}, os.environ)
    metrics.add_dimension("portfolio", settings.portfolio)  # now: what is untold counts, however the run ends
    judge_portfolio(event, settings)
    arrival = Arrival(scheduled_time=event.scheduled_time, warning=judge_run_time(event, settings))

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1000

    with Desk.of(settings, os.environ, seconds_left=seconds_left, warn=untold) as desk:
        return desk.run(arrival)


def judge_portfolio(event: Event, settings: Settings) -> None:
    """Refuse an event that is meant for another portfolio.

    Raises:
        Misconfigured: code `wrong_portfolio`.
    """
    if event.portfolio not in {None, settings.portfolio}:
        raise Misconfigured(
            "wrong_portfolio",
            "the event is for another portfolio than the configuration",
            seen=event.portfolio,
            allowed=settings.portfolio,
            hint="let the schedule name the portfolio of this function's configuration",
        )


def judge_run_time(event: Event, settings: Settings) -> str:
    """Say that the schedule woke the bot when the configuration would not have; empty where both agree.

    The template's first wake-up is at its own run_time, so of any other one of a day's wake-ups tells.
    """
    if event.scheduled_time is None:
        return ""
    schedule = settings.schedule
    woken = event.scheduled_time.astimezone(ZoneInfo(schedule.timezone))
    afternoon = f"{event.scheduled_time.astimezone(NEW_YORK):%H:%M}" == AFTERNOON
    if afternoon or schedule.run_time in {f"{woken:%H:%M}", f"{woken - AGAIN:%H:%M}"}:
        return ""
    return (
        f"the schedule woke this run at {woken:%H:%M}, but schedule.run_time is {schedule.run_time}"
        f" ({schedule.timezone}); on AWS the stack's RunHour and RunMinute decide: make the two agree"
    )


def report(record: Document) -> None:
    """Log a run, and measure it: outcome, orders, turnover, equity, age of its data, time in each station.

    `Heartbeat` counts the runs that ended well, a closed market's too: its silence is an alarm.
    """
    log = logger.error if record["error"] else logger.info
    log("run", extra={name: record[name] for name in LOGGED if record.get(name) is not None})
    count(f"Run{record['outcome'].title().replace('_', '')}")
    if exit_status(record) == 0:
        count("Heartbeat")
    count("Orders", sum(1 for order in record["orders"] if order["sent"]))
    timings = record["timings"]
    measured = {
        "Turnover": (MetricUnit.Percent, _percent(turnover(record))),
        "EquityUsd": (MetricUnit.NoUnit, number(record["equity"])),
        "DataAge": (MetricUnit.Seconds, record["data_age_s"]),
        "Duration": (MetricUnit.Seconds, sum(timings.values()) if timings else None),
        **{f"{name.title()}Duration": (MetricUnit.Seconds, spent) for name, spent in timings.items()},
    }
    for name, (unit, value) in measured.items():
        if value is not None:
            metrics.add_metric(name=name, unit=unit, value=value)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def untold(text: str) -> None:
    """Log and count what the owner could not be told."""
    logger.warning("not told", extra={"detail": text})
    count("NotTold")


def failed(error: Exception) -> None:
    """Log and count what ended in an error; the runtime adds the traceback."""
    logger.error("failed", extra={"error": error_document(error)})
    count("RunFailed")


def count(name: str, value: int = 1) -> None:
    """Add to a metric of this run."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
