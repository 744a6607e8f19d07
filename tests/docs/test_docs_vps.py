"""Docs of a machine of one's own: what docs/vps.md, Dockerfile and compose.yaml say is what there is."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from rules.copied import ROOT
from trimtab.adapters.wakeups import Wakeups
from trimtab.cli.parser import parse
from trimtab.core.limits import Risk
from trimtab.core.nyse import half_day, sessions
from trimtab.core.portfolio import SessionHours
from trimtab.core.schedule import NEW_YORK, window
from trimtab.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

VPS = (ROOT / "docs/vps.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL = ("bot", "dashboard")
WAIT_S = 120


def blocks(language: str) -> list[str]:
    """Give the page's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", VPS, re.DOTALL)


def stages() -> dict[str, list[tuple[str, str]]]:
    """Give the Dockerfile's stages: each name's own instructions, those of its local base before them."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, name = rest.split(" AS ")
            found[name] = list(found.get(base, [("FROM", base)]))
        elif word and name:
            found[name].append((word, rest.strip()))
    return found


def told(stage: str, word: str) -> list[str]:
    """Give what a stage says with an instruction."""
    return [rest for said, rest in stages()[stage] if said == word]


def environment(stage: str) -> dict[str, str]:
    """Give the environment that a stage sets."""
    pairs = (pair.partition("=") for rest in told(stage, "ENV") for pair in shlex.split(rest))
    return {name: value for name, _, value in pairs}


# The image


def test_what_the_dockerfile_copies_and_installs_is_there() -> None:
    """Every source exists and passes .dockerignore; every lock is one of ours, checked by its hashes."""
    passed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for stage in stages():
        for rest in told(stage, "COPY"):
            if not rest.startswith("--from"):
                source = rest.split()[0].rstrip("/")
                assert (ROOT / source).is_dir()
                assert source in passed
    installs = [part for stage in stages() for rest in told(stage, "RUN") for part in rest.split("&&")]
    for part in (part for part in installs if "--requirement" in part):
        assert {"--require-hashes", "--no-deps"} <= set(part.split())
        assert (ROOT / part.split("--requirement ")[1].split()[0].lstrip("/")).is_file()


@pytest.mark.parametrize("stage", FINAL)
def test_an_image_is_not_root_and_holds_no_build(stage: str) -> None:
    """Its user is a number, nothing is installed in it, it has a health check, and starts this program."""
    assert told(stage, "USER")[-1] == "10001:10001"
    assert not any("pip" in rest or "apt" in rest for rest in told(stage, "RUN"))
    assert len(told(stage, "HEALTHCHECK")) == 1
    assert json.loads(told(stage, "ENTRYPOINT")[0])[-2:] == ["-m", "trimtab"]
    assert json.loads(told(stage, "CMD")[0])[0] == {"bot": "serve", "dashboard": "dashboard"}[stage]
    assert list(stages())[-1] == "bot"


def laid_out(root: Path) -> dict[str, str]:
    """Lay the image out below a folder, and give its environment there."""
    for rest in told("bot", "COPY"):
        if not rest.startswith("--from"):
            source, target = rest.split()
            shutil.copytree(ROOT / source, root / target.strip("/"), ignore=shutil.ignore_patterns("__py*"))
    for folder in ("config", "data", "tmp"):
        (root / folder).mkdir()
    moved = {name: re.sub(r"^/", f"{root}/", value) for name, value in environment("bot").items()}
    return moved | {"PATH": os.environ["PATH"]}


def test_the_entry_point_serves_as_in_the_container(tmp_path: Path) -> None:
    """From the image's files and environment alone: it runs, writes below /data only, and ends on SIGTERM."""
    environ = laid_out(tmp_path)
    strategy = {"name": "equal_weight", "params": {"symbols": ["AAA", "BBB"]}}
    config = {"strategy": strategy, "dry_run": False, "schedule": {"run_time": "00:00"}}
    (tmp_path / "config/config.json").write_text(json.dumps(config))
    before = {path for path in tmp_path.rglob("*") if tmp_path / "data" not in path.parents}
    _python, *words = json.loads(told("bot", "ENTRYPOINT")[0]) + json.loads(told("bot", "CMD")[0])
    with subprocess.Popen(
        [sys.executable, *words, "--json"],
        cwd=tmp_path / "data",
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            run = next(line for line in map(json.loads, server.stdout) if line["event"] == "run")
            check = [sys.executable, *words, "--check"]
            healthy = subprocess.run(check, env=environ, check=False, capture_output=True, timeout=WAIT_S)
            server.send_signal(signal.SIGTERM)
            assert server.wait(WAIT_S) == 0
        finally:
            server.kill()
    assert (run["status"], run["outcome"]) == (0, "traded")
    assert healthy.returncode == 0, healthy.stderr
    assert {path for path in tmp_path.rglob("*") if tmp_path / "data" not in path.parents} == before
    assert (tmp_path / "data/trades.db").is_file()


# Compose

NAMED = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
TEXTS = {"type": "array", "items": {"type": "string"}}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["build", "image", "read_only", "cap_drop", "security_opt", "restart", "init", "volumes"],
    "properties": {
        "build": {"type": "object", "additionalProperties": False, "required": ["context", "target"]}
        | {"properties": {"context": {"const": "."}, "target": {"enum": list(FINAL)}}},
        "image": {"type": "string", "pattern": "^[a-z-]+$"},
        "init": {"const": True},
        "read_only": {"const": True},
        "restart": {"const": "unless-stopped"},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "tmpfs": {"type": "array", "items": {"type": "string", "pattern": "^/tmp:"}},
        "volumes": TEXTS,
        "environment": NAMED,
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "logging": {"type": "object", "properties": {"driver": {"type": "string"}, "options": NAMED}},
        "stop_grace_period": {"type": "string", "pattern": "^[0-9]+[ms]$"},
        "mem_limit": {"type": "string", "pattern": "^[0-9]+[mg]$"},
        "pids_limit": {"type": "integer", "minimum": 50},
    },
}
COMPOSE = {
    "type": "object",
    "required": ["services", "volumes"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {"services": {"additionalProperties": SERVICE}, "volumes": {"type": "object"}},
}
"""What of Compose's format we use, and the hardening that every service has (compose-spec, 05-services)."""


def composed() -> dict[str, Any]:
    """Give compose.yaml."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return document


def test_compose_is_two_hardened_services_over_one_volume() -> None:
    """Read-only, without capabilities, on loopback; the bot alone writes the store, has keys, may go live."""
    document = composed()
    jsonschema.Draft202012Validator(COMPOSE).validate(document)
    bot, board = document["services"]["bot"], document["services"]["dashboard"]
    assert (bot["build"]["target"], board["build"]["target"]) == FINAL
    assert "store:/data" in bot["volumes"]
    assert "store:/data:ro" in board["volumes"]
    assert list(document["volumes"]) == ["store"]
    assert "./config:/config:ro" in bot["volumes"]
    assert "environment" not in board
    assert "TRIMTAB_LIVE" in bot["environment"]
    assert all(value is None for value in bot["environment"].values())
    assert "ports" not in bot


def test_a_weaker_compose_file_would_be_refused() -> None:
    """A service that is writable, reachable from outside or misspelt does not pass the schema."""
    for change in ({"read_only": False}, {"ports": ["8501:8501"]}, {"cap_dorp": ["ALL"]}, {"restart": "no"}):
        document = composed()
        document["services"]["dashboard"] |= change
        assert list(jsonschema.Draft202012Validator(COMPOSE).iter_errors(document))


# The page


def test_the_configuration_on_the_page_is_one(tmp_path: Path) -> None:
    """It is a paper portfolio's, and every key in it is right."""
    settings = Settings.of(json.loads(blocks("json")[0]), folder=tmp_path)
    assert (settings.mode, settings.dry_run) == ("paper", True)


def unit(number: int) -> configparser.ConfigParser:
    """Read a unit of the page; of a key that is there several times the last one is kept."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    parser.read_string(blocks("ini")[number])
    return parser


def test_the_timer_wakes_when_the_server_does() -> None:
    """The same three times, in New York's zone, and none is lost while the machine is off."""
    text = blocks("ini")[1]
    times = re.findall(r"^OnCalendar=\*-\*-\* (\d\d:\d\d):00 (\S+)$", text, re.MULTILINE)
    assert times == [(f"{at:%H:%M}", zone) for at, zone in Wakeups("10:00", "America/New_York").times]
    assert unit(1)["Timer"]["Persistent"] == "true"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Each key and value is one that systemd knows; only the program's place is made up."""
    service = blocks("ini")[0].replace("/opt/trimtab/bin/trimtab", shutil.which("true") or "")
    (tmp_path / "trimtab.service").write_text(re.sub(r"^User=.*\n", "", service, flags=re.MULTILINE))
    (tmp_path / "trimtab.timer").write_text(blocks("ini")[1])
    names = [str(tmp_path / name) for name in ("trimtab.service", "trimtab.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "trimtab" in line]
    assert not ours, done.stderr


def cron_times(line: str) -> time:
    """Give the time of day of a cron line that comes every day."""
    minute, hour, *rest = line.split()[:5]
    assert rest == ["*", "*", "*"]
    return time(int(hour), int(minute), tzinfo=UTC)


def test_the_cron_lines_lie_in_the_window_of_every_whole_session() -> None:
    """In UTC the same three lines do all year, whatever New York's clock does."""
    lines = [line for line in VPS.splitlines() if re.match(r"^[0-9 ]+\* \* \*  cd .*trimtab run ", line)]
    assert len(lines) == 3
    for day in sessions(date(2026, 1, 1), date(2027, 12, 31)):
        if half_day(day):
            continue
        opens, closes = (datetime.combine(day, time(*at), NEW_YORK) for at in ((9, 30), (16, 0)))
        trading = window(SessionHours(day, opens.astimezone(UTC), closes.astimezone(UTC)), Risk().window)
        assert all(trading.holds(datetime.combine(day, cron_times(line))) for line in lines), day


def test_the_verbs_on_the_page_are_the_programs() -> None:
    """Every command that the page gives is parsed as one."""
    found = re.findall(r"(?:bin/trimtab|exec bot trimtab|run --rm bot) ([^\n#>`]+)", VPS)
    commands = [shlex.split(words) for words in found]
    assert len(commands) >= 10
    for command in commands:
        assert parse(command).verb
