"""Status: how a portfolio stands, its past runs, and one run's whole record, as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trimtab.show.page import Column, number, percent, table, usd
from trimtab.show.run import STATIONS, run_text, stations
from trimtab.show.sessions import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.core.record import Document
    from trimtab.show.page import Page
    from trimtab.show.run import Facts

__all__ = ["flag_document", "fleet_text", "history_text", "record_text", "status_text"]


LONG_H = 72
"""Hours from which on a time is told in days."""
WITH_REASONS = 100
"""Columns of a page from which on a run's line in the history has room for its reason."""
BELOW = " " * 14
WITH_PRICES = 90
"""Columns of a page from which on the holdings have their prices."""


def flag_document(flag: tuple[str, str] | None) -> Document | None:
    """Give the halt flag as an object: flag, who, at, why; a hand-written one is its own reason."""
    if flag is None:
        return None
    key, text = flag
    try:
        written = json.loads(text)
    except ValueError:
        written = None
    if not isinstance(written, dict):
        written = {"who": None, "at": None, "why": text}
    return {"flag": key, **{name: written.get(name) for name in ("who", "at", "why")}}


def fleet_text(portfolios: Sequence[Document], store: str, page: Page) -> str:
    """Say how every portfolio of a store stands, a line each."""
    rows = []
    for one in portfolios:
        last = one["last_run"] or {}
        state = "HALTED" if one["halt"] else str(last.get("outcome") or "no run yet")
        equity = "-" if one["equity"] is None else usd(one["equity"])
        why = (one["halt"] or {}).get("why") or last.get("reason") or ""
        rows.append((one["portfolio"], state, str(last.get("session") or "-"), equity, str(why)))
    columns = [Column("portfolio"), Column("last run"), Column("session"), Column("equity", right=True)]
    found = table(page, f"{len(rows)} portfolios in {store}", [*columns, Column("why")], rows, cut=True)
    return found or f"no portfolio is in {store} yet"


def status_text(status: Document, options: str, page: Page) -> str:
    """Say how a portfolio stands at a glance: halted or not, its last run and the next, what it holds."""
    head = page.paint(f"{status['portfolio']}: {status['mode']}", "bold")
    parts = [head, _halt_line(status["halt"], options, page), f"store  {status['store']}"]
    last = status["last_run"]
    if last is None:
        parts.append(f"no run is recorded here yet; trimtab run{options} makes the first")
        return "\n".join(part for part in parts if part)
    dry = " (dry run)" if last["dry_run"] else ""
    parts.append(f"run    {last['run_id']}, session {last['session'] or 'unknown'}{dry}")
    parts.append(page.wrap(f"       {_ended(last)}", "         "))
    parts.append(stations(last, page))
    parts += [page.wrap(line, "       ") for line in _times(status, options)]
    parts += [page.paint(page.wrap(f"warning: {w}", "  "), "yellow") for w in status["warnings"]]
    text = "\n".join(part for part in parts if part)
    return "\n\n".join(part for part in (text, _holdings(status, page), _made(status, page)) if part)


def _times(status: Document, options: str) -> Iterator[str]:
    """Say how old the prices were that the last run saw, and when the next run is due."""
    age = status["last_run"]["data_age_s"]
    if age is not None:
        yield f"data   the last close was {_span(float(age))} old when it ran"
    due, missed = status["next_run"], status["missed_sessions"]
    if due is not None and status["mode"] == "simulated":
        yield f"next   session {due}, by trimtab run{options} --next"
    elif due is not None:
        passed = f"; {missed} session{'s' * (missed != 1)} went by since the last run" if missed else ""
        yield f"next   {due} in New York{passed}"


def _span(seconds: float) -> str:
    """Say how long something is, in hours and minutes, or days."""
    hours = seconds / 3600
    return f"{hours / 24:.1f} days" if hours >= LONG_H else f"{int(hours)} h {int(seconds // 60 % 60)} min"


def _made(status: Document, page: Page) -> str:
    """Say what the portfolio made of its money, deposits and withdrawals taken out."""
    made = status["returns"]
    if made is None:
        return ""
    flows = number(made["flows"]) or 0.0
    came = f", while {usd(flows)} USD came in" if flows > 0 else f", while {usd(-flows)} USD went out"
    text = (
        f"Made {float(made['time_weighted']):+.2%} since {made['since']}, time-weighted"
        f"{came if flows else ''}; {float(made['drawdown']):.2%} below its peak"
    )
    return page.wrap(text, "  ")


def _ended(run: Mapping[str, Any]) -> str:
    """Give a run's outcome and reason, the same word not twice."""
    outcome, reason = str(run["outcome"]), str(run["reason"])
    return reason if reason.startswith(f"{outcome}:") else f"{outcome}: {reason}"


def _halt_line(halt: Mapping[str, object] | None, options: str, page: Page) -> str:
    if halt is None:
        return ""
    by = f" by {halt['who']}" if halt["who"] else ""
    at = f" at {halt['at']}" if halt["at"] else ""
    why = f": {halt['why']}" if halt["why"] else ""
    everyone = " --all" if halt["flag"] == "HALT" else ""
    kind = "latched" if halt["who"] == "trimtab" else "halted"
    text = f"{kind} ({halt['flag']}){by}{at}{why}; trimtab resume{everyone}{options} lifts it"
    return page.paint(page.wrap(text, "  "), "bold", "red")


def _holdings(status: Document, page: Page) -> str:
    rows = status["holdings"]
    cash = number(status["cash"])
    whole = (cash or 0.0) + sum(number(row["market_value"]) or 0.0 for row in rows if not row["foreign"])
    wide = page.width >= WITH_PRICES
    columns = (
        *(Column("symbol"), Column("shares", right=True), *([Column("price", right=True)] if wide else [])),
        *(Column("USD", right=True), Column("weight", right=True), Column("target", right=True)),
        Column("band"),
    )
    lines = [
        (
            *(row["symbol"], row["qty"], *([usd(row["price"])] if wide else []), usd(row["market_value"])),
            *(percent(row["weight"]), "foreign" if row["foreign"] else percent(row["target"])),
            _band(row),
        )
        for row in rows
    ]
    if cash is not None:
        gap = ("", "") if wide else ("",)
        lines.append(("cash", *gap, usd(cash), percent(cash / whole) if whole else "-", "", ""))
    return table(page, f"Holdings as of session {status['as_of']}", columns, lines)


def _band(row: Mapping[str, Any]) -> str:
    """Give the weights between which nothing is traded, and whether the holding's is one of them."""
    if row.get("low") is None:
        return ""
    return f"{float(row['low']):.2%} to {float(row['high']):.2%}" + (", outside" if row["outside"] else "")


def history_text(runs: Sequence[Mapping[str, Any]], page: Page) -> str:
    """List runs, the newest last; on a narrow page what did not go as planned stands below its run."""
    columns = (
        *(Column("session"), Column("run"), Column("outcome"), Column("orders", right=True)),
        *(Column("equity USD", right=True), Column("why")),
    )
    rows = [_run_row(run) for run in reversed(runs)]
    if page.width >= WITH_REASONS or not rows:
        return table(page, "Runs", columns, rows, cut=True)
    lines = table(page, "Runs", columns[:-1], [row[:-1] for row in rows]).splitlines()
    below = [[page.paint(page.wrap(f"{BELOW}{row[-1]}", BELOW), "dim")] if row[-1] else [] for row in rows]
    told = [line for head, why in zip(lines[2:], below, strict=True) for line in (head, *why)]
    return "\n".join([*lines[:2], *told])


def _run_row(run: Mapping[str, Any]) -> tuple[str, ...]:
    outcome = f"{run['outcome']}{' (dry)' if run['dry_run'] and run['outcome'] != 'dry_run' else ''}"
    why = note(run["outcome"], run["reason"])
    warned = f"{run['warnings']} warning{'s' * (run['warnings'] != 1)}" if run["warnings"] else ""
    return (
        *(run["session"] or "-", run["run_id"], outcome, str(run["orders"]), usd(run["equity"])),
        "; ".join(part for part in (why, warned) if part),
    )


def record_text(record: Document, facts: Facts, page: Page, *, whole: bool) -> str:
    """Lay out everything that a record keeps."""
    note = "" if whole else page.paint("This record has no SHA256SUMS: the run died writing it.", "red")
    parts = [
        note,
        run_text(record, facts, page),
        _reason(record, page),
        _decision(record, page),
        _account(record, page),
        _verdicts(record, page),
        _conditions(record, page),
        _quotes(record, page),
        _assets(record, page),
        _executions(record, page),
        _flows(record, page),
        _actions(record, page),
        _timings(record, page),
        _events(record, page),
        _config(record, page),
        _digests(record, page),
    ]
    return "\n\n".join(part for part in parts if part)


def _reason(record: Document, page: Page) -> str:
    return page.wrap(f"{page.paint('Reason', 'bold')} {record['reason']}", "  ")


def _decision(record: Document, page: Page) -> str:
    decision = record["decision"]
    if not decision:
        return ""
    pending = ", ".join(decision["pending"]) or "nothing"
    return page.wrap(f"{page.paint('Decided', 'bold')} on {decision['session']}; still to trade: {pending}")


def _verdicts(record: Document, page: Page) -> str:
    """Lay out the verdicts, those that refused first."""
    columns = (Column(""), Column("rule"), Column("subject"), Column("seen; allowed"))
    rows = [
        (
            *("✓" if v["passed"] else "✗", v["rule"], v["subject"]),
            f"{v['seen']}; allowed: {v['allowed']}" + (f" ({v['detail']})" if v["detail"] else ""),
        )
        for v in sorted(record["verdicts"], key=lambda verdict: bool(verdict["passed"]))
    ]
    return table(page, "Verdicts", columns, rows)


def _quotes(record: Document, page: Page) -> str:
    columns = (Column("symbol"), Column("bid", right=True), Column("ask", right=True), Column("at, UTC"))
    rows = [(q["symbol"], q["bid"], q["ask"], _second(q["at"] or "-")) for q in record["quotes"]]
    return table(page, "Quotes", columns, rows)


def _executions(record: Document, page: Page) -> str:
    columns = (
        *(Column("side"), Column("symbol"), Column("shares", right=True)),
        *(Column("price", right=True), Column("at, UTC"), Column("order")),
    )
    rows = [
        (f["side"], f["symbol"], f["qty"], f["price"], _second(f["at"]), _short(f["client_order_id"]))
        for f in record["fills"]
    ]
    return table(page, "Executions", columns, rows)


def _second(stamp: str) -> str:
    """Give an instant to the second."""
    return stamp[:19].replace("T", " ")


def _short(client_order_id: str) -> str:
    """Give an id without the account's part, which all have in common: session, symbol and slot."""
    return client_order_id.split("-", 2)[-1]


def _timings(record: Document, page: Page) -> str:
    columns = (Column("station"), Column("seconds", right=True))
    took = record.get("timings", {})
    known = [name for name in STATIONS if name in took]
    order = [*known, *(name for name in took if name not in known)]
    rows = [(station, f"{took[station]:.3f}") for station in order]
    return table(page, "Time in each station", columns, rows)


def _events(record: Document, page: Page) -> str:
    columns = (Column("level"), Column("stage"), Column("code"), Column("message"))
    rows = [(e["level"], e["stage"], e["code"], e["message"]) for e in record["events"]]
    return table(page, "Events", columns, rows)


def _config(record: Document, page: Page) -> str:
    columns = (Column("key"), Column("value"))
    rows = [(key, json.dumps(value)) for key, value in _flat(record["config"]) if value is not None]
    return table(page, "Configuration that decided", columns, rows)


def _flat(part: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    """Give each key of a configuration with its sections before it; the owner's own objects stay whole."""
    for key, value in part.items():
        if isinstance(value, dict) and value and key not in {"params", "max_order_size_by_symbol"}:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _account(record: Document, page: Page) -> str:
    account = record["account"]
    if not account:
        return ""
    names = ("status", "currency", "cash", "equity", "last_equity", "buying_power", "h8")
    rows = [(name, str(account[name])) for name in names if account.get(name) is not None]
    return table(page, "Account", (Column("of"), Column("value")), rows)


def _conditions(record: Document, page: Page) -> str:
    kept = record.get("conditions") or {}
    rows = [(name, str(value)) for name, value in kept.items() if not isinstance(value, dict | None)]
    return table(page, "What the rules looked back on", (Column("of"), Column("value")), rows)


def _assets(record: Document, page: Page) -> str:
    columns = (Column("symbol"), Column("status"), Column("tradable"), Column("in fractions"))
    yes = {True: "yes", False: "no"}
    rows = [(a["symbol"], a["status"], yes[a["tradable"]], yes[a["fractionable"]]) for a in record["assets"]]
    return table(page, "What the broker lists", columns, rows)


def _flows(record: Document, page: Page) -> str:
    columns = (
        *(Column("date"), Column("kind"), Column("symbol")),
        *(Column("shares", right=True), Column("USD", right=True)),
    )
    rows = [
        (f["date"], f["kind"], f["symbol"] or "-", f["qty"], usd(f["amount"]))
        for f in record.get("flows", [])
    ]
    return table(page, "Deposits and withdrawals that it saw first", columns, rows)


def _actions(record: Document, page: Page) -> str:
    columns = (Column("ex-date"), Column("symbol"), Column("kind"), Column("what"))
    rows = [(a["session"], a["symbol"], a["kind"], _action(a)) for a in record["actions"]]
    return table(page, "Corporate actions in its bars", columns, rows)


def _action(action: Mapping[str, str]) -> str:
    if action["kind"] == "split":
        return f"{float(action['ratio']):g} for 1 ({action['name']})"
    return f"{float(action['amount']):g} USD a share" if action["kind"] == "dividend" else action["name"]


def _digests(record: Document, page: Page) -> str:
    names = ("plan_digest", "inputs_digest", "config_digest", "code_digest")
    rows = [(name.removesuffix("_digest"), record[name] or "-") for name in names]
    version = ("trimtab", str(record["code_version"]))
    return table(page, "Digests (SHA-256)", (Column("of"), Column("digest")), [*rows, version])
