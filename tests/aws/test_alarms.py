"""The stack's alarms: each watches what the functions really say, and is heard."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from lambda_kit import Context, event, portfolio, sandbox
from script_kit import ROOT, load_script
from stack_kit import Stack, raw, stack

if TYPE_CHECKING:
    from pathlib import Path

app = load_script("functions/rebalance/app.py")

WATCHED = {
    "MissingRunAlarm": ("Trimtab", "Heartbeat"),
    "ErrorsAlarm": ("AWS/Lambda", "Errors"),
    "HaltedAlarm": ("Trimtab", "RunHalted"),
    "InterruptedAlarm": ("Trimtab", "RunInterrupted"),
    "DurationAlarm": ("AWS/Lambda", "Duration"),
    "ThrottlesAlarm": ("AWS/Lambda", "Throttles"),
    "UndeliveredAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    "FailedAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    "NotToldAlarm": ("Trimtab", "NotTold"),
    "NotifyErrorsAlarm": ("AWS/Lambda", "Errors"),
}


def alarms(made: Stack | None = None) -> dict[str, dict[str, Any]]:
    """The alarms by logical id."""
    return (made or stack()).of_type("CloudWatch::Alarm")


def dimensions(alarm: dict[str, Any]) -> dict[str, str]:
    """An alarm's dimensions by name."""
    return {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}


def test_every_alarm_is_there_and_says_what_it_means() -> None:
    """What is watched, in words for whoever is woken by it."""
    found = alarms()
    assert {name: (a["Namespace"], a["MetricName"]) for name, a in found.items()} == WATCHED
    assert all(len(alarm["AlarmDescription"]) > 60 for alarm in found.values())


def test_every_alarm_reaches_the_function_that_tells() -> None:
    """Alarm, topic, subscription, permission, function: no link is missing."""
    made = stack()
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms(made).values()} == {("AlarmTopic",)}
    (subscription,) = made.of_type("SNS::Subscription").values()
    assert (subscription["TopicArn"], subscription["Protocol"]) == ("AlarmTopic", "lambda")
    assert subscription["Endpoint"] == "arn:NotifyFunction"
    (permission,) = made.of_type("Lambda::Permission").values()
    assert (permission["FunctionName"], permission["SourceArn"]) == ("NotifyFunction", "AlarmTopic")
    (policy,) = made.of_type("SNS::TopicPolicy").values()
    (publish,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    pattern = publish["Condition"]["ArnLike"]["aws:SourceArn"].rpartition(":")[2]
    assert pattern == "trimtab-paper-*"
    assert all(alarm["AlarmName"].startswith("trimtab-paper-") for alarm in alarms(made).values())


def test_mail_is_a_second_way() -> None:
    """Where an address is given, it hears the same topic, past functions/notify."""
    made = stack({"AlarmEmail": "me@example.com"})
    mail = made.of_type("SNS::Subscription")["AlarmMail"]
    assert mail == {"TopicArn": "AlarmTopic", "Protocol": "email", "Endpoint": "me@example.com"}


def test_an_alarm_that_nobody_took_is_kept() -> None:
    """SNS leaves what it could not deliver in the queue of what was not, Lambda in the one of what failed."""
    made = stack()
    (subscription,) = made.of_type("SNS::Subscription").values()
    assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": "arn:UndeliveredEvents"}
    (policy,) = made.of_type("SQS::QueuePolicy").values()
    (letting,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert letting["Resource"] == "arn:UndeliveredEvents"
    assert letting["Condition"] == {"ArnEquals": {"aws:SourceArn": "AlarmTopic"}}
    invoke = made.of_type("Lambda::EventInvokeConfig")["NotifyFunctionEventInvokeConfig"]
    assert invoke["MaximumRetryAttempts"] == 2
    assert invoke["DestinationConfig"]["OnFailure"]["Destination"] == "arn:FailedEvents"


def test_silence_of_26_hours_is_an_alarm() -> None:
    """No heartbeat breaches; 26 hours outlast the day on which clocks go back; its end is told, too."""
    alarm = alarms()["MissingRunAlarm"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 26 * 3600
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    assert alarm["TreatMissingData"] == "breaching"
    judged = (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"])
    assert judged == ("Sum", "LessThanThreshold", 1)
    assert alarm["OKActions"] == ["AlarmTopic"]


def test_only_silence_breaches_by_being_absent() -> None:
    """Lambda's and SQS's metrics are missing while nothing happens."""
    missing = {name for name, alarm in alarms().items() if alarm["TreatMissingData"] != "notBreaching"}
    assert missing == {"MissingRunAlarm"}


def test_both_queues_are_watched() -> None:
    """One dead letter is enough."""
    found = alarms()
    watched = {name: dimensions(found[name])["QueueName"] for name in ("UndeliveredAlarm", "FailedAlarm")}
    assert watched == {
        "UndeliveredAlarm": "UndeliveredEvents.QueueName",
        "FailedAlarm": "FailedEvents.QueueName",
    }
    assert {found[name]["Threshold"] for name in watched} == {0}


def test_a_run_is_slow_before_it_is_out_of_time() -> None:
    """The alarm's threshold lies below the function's timeout."""
    timeout = stack().of_type("Lambda::Function")["RebalanceFunction"]["Timeout"]
    assert alarms()["DurationAlarm"]["Threshold"] == 0.8 * timeout * 1000


Emitted = list[tuple[str, dict[str, str], float]]
"""Each time a metric was written: its name, its dimensions, its value."""


@pytest.fixture
def emitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Emitted:
    """What a closed and a halted run really write, with a webhook that is not there."""
    for name in os.environ:
        if name.startswith(("TRIMTAB_", "APCA_")):
            monkeypatch.delenv(name)
    with sandbox() as served:
        for name, value in portfolio(tmp_path, served.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", f"{served.url}/nobody/is/here")
        app.handler(event("late"), Context())
        (tmp_path / "trimtab-paper/HALT").write_text("{}")
        app.handler({}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [
        (defined["Name"], {name: line[name] for name in names}, sum(line[defined["Name"]]))
        for line in lines
        for metric in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for names in metric["Dimensions"]
        for defined in metric["Metrics"]
    ]


def test_alarms_watch_what_runs_emit(emitted: Emitted) -> None:
    """Name and dimensions of each alarm on a run are those of a metric that the handler writes."""
    found = alarms()
    on_runs = {name for name, alarm in found.items() if alarm["Namespace"] == "Trimtab"}
    assert on_runs == {"MissingRunAlarm", "HaltedAlarm", "InterruptedAlarm", "NotToldAlarm"}
    for name in on_runs - {"InterruptedAlarm"}:
        wanted = dimensions(found[name]) | {"function": Context.function_name}
        assert [d for metric, d, _ in emitted if metric == found[name]["MetricName"]][-1] == wanted, name
    assert found["InterruptedAlarm"]["Dimensions"] == found["HaltedAlarm"]["Dimensions"]
    assert dimensions(found["HaltedAlarm"])["function"] == "trimtab-paper-rebalance"


def test_only_a_run_that_ended_well_is_a_heartbeat(emitted: Emitted) -> None:
    """A closed market is one, a halted run is none."""
    counted = {name: value for name, _, value in emitted if name in {"RunClosed", "RunHalted", "Heartbeat"}}
    assert counted == {"RunClosed": 1, "RunHalted": 1, "Heartbeat": 1}
    assert [name for name, _, _ in emitted].count("Heartbeat") == 1


def test_the_dashboard_shows_every_alarm_and_only_known_metrics() -> None:
    """Its body is JSON; each metric is one that a run writes or AWS has."""
    (board,) = stack().of_type("CloudWatch::Dashboard").values()
    body = json.loads(board["DashboardBody"])
    (first,) = [widget for widget in body["widgets"] if widget["type"] == "alarm"]
    assert set(first["properties"]["alarms"]) == {f"arn:{name}" for name in alarms()}
    shown = {row[1] for w in body["widgets"] for row in w["properties"].get("metrics", []) if row[1] != "."}
    documented = (ROOT / "docs/alerts.md").read_text()
    of_aws = {"Errors", "Throttles", "ApproximateNumberOfMessagesVisible"}
    assert {name for name in shown - of_aws if not re.search(rf"`{name}`", documented)} <= {
        *("RunInBand", "RunNotDue", "RunClosed", "RunDryRun", "RunInterrupted", "RecordDuration"),
    }


def test_every_alarm_and_parameter_is_documented() -> None:
    """docs/aws.md names each alarm by its name in the account, each parameter and each output."""
    text = (ROOT / "docs/aws.md").read_text()
    template = raw()
    names = [alarm["AlarmName"].removeprefix("trimtab-paper-") for alarm in alarms().values()]
    for name in (*names, *template["Parameters"], *template["Outputs"]):
        assert f"`{name}`" in text, name
