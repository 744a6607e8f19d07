"""Status: how a portfolio stands, its past runs, and one run's whole record, as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trimtab.show.page import Column, number, percent, table, usd
from trimtab.show.run import run_text
from trimtab.show.sessions import note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.record import Document
    from trimtab.show.page import Page
    from trimtab.show.run import Facts

__all__ = ["flag_document", "fleet_text", "history_text", "record_text", "status_text"]


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
    """Say how a portfolio stands: its last run, what it holds, whether it is halted, where its store is."""
    head = page.paint(f"{status['portfolio']}: {status['mode']}", "bold")
    parts = [head, _halt_line(status["halt"], options, page), f"store  {status['store']}"]
    last = status["last_run"]
    if last is None:
        parts.append(f"no run is recorded here yet; trimtab run{options} makes the first")
        return "\n".join(part for part in parts if part)
    dry = " (dry run)" if last["dry_run"] else ""
    parts.append(f"run    {last['run_id']}, session {last['session'] or 'unknown'}{dry}")
    parts.append(page.wrap(f"       {_ended(last)}", "         "))
    parts += [page.paint(page.wrap(f"warning: {w}", "  "), "yellow") for w in status["warnings"]]
    text = "\n".join(part for part in parts if part)
    return "\n\n".join(part for part in (text, _holdings(status, page)) if part)


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
    text = f"halted ({halt['flag']}){by}{at}{why}; trimtab resume{everyone}{options} lifts it"
    return page.paint(page.wrap(text, "  "), "bold", "red")


def _holdings(status: Document, page: Page) -> str:
    rows = status["holdings"]
    cash = number(status["cash"])
    whole = (cash or 0.0) + sum(number(row["market_value"]) or 0.0 for row in rows if not row["foreign"])
    columns = (
        *(Column("symbol"), Column("shares", right=True), Column("price", right=True)),
        *(Column("USD", right=True), Column("weight", right=True), Column("target", right=True)),
    )
    lines = [
        (
            *(row["symbol"], row["qty"], usd(row["price"]), usd(row["market_value"])),
            *(percent(row["weight"]), "foreign" if row["foreign"] else percent(row["target"])),
        )
        for row in rows
    ]
    if cash is not None:
        lines.append(("cash", "", "", usd(cash), percent(cash / whole) if whole else "-", ""))
    return table(page, f"Holdings as of session {status['as_of']}", columns, lines)


def history_text(runs: Sequence[Mapping[str, Any]], page: Page) -> str:
    """List runs, the newest last."""
    columns = (
        *(Column("session"), Column("run"), Column("outcome"), Column("orders", right=True)),
        *(Column("equity USD", right=True), Column("why")),
    )
    rows = []
    for run in reversed(runs):
        outcome = f"{run['outcome']}{' (dry)' if run['dry_run'] and run['outcome'] != 'dry_run' else ''}"
        rows.append(
            (
                *(run["session"] or "-", run["run_id"], outcome, str(run["orders"])),
                *(usd(run["equity"]), note(run["outcome"], run["reason"])),
            )
        )
    return table(page, "Runs", columns, rows, cut=True)


def record_text(record: Document, facts: Facts, page: Page, *, whole: bool) -> str:
    """Lay out everything that a record keeps."""
    note = "" if whole else page.paint("This record has no SHA256SUMS: the run died writing it.", "red")
    parts = [
        note,
        run_text(record, facts, page),
        _reason(record, page),
        _decision(record, page),
        _verdicts(record, page),
        _quotes(record, page),
        _executions(record, page),
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
    columns = (Column(""), Column("rule"), Column("subject"), Column("seen; allowed"))
    rows = [
        (
            *("✓" if v["passed"] else "✗", v["rule"], v["subject"]),
            f"{v['seen']}; allowed: {v['allowed']}" + (f" ({v['detail']})" if v["detail"] else ""),
        )
        for v in record["verdicts"]
    ]
    return table(page, "Verdicts", columns, rows)


def _quotes(record: Document, page: Page) -> str:
    columns = (Column("symbol"), Column("bid", right=True), Column("ask", right=True), Column("at"))
    rows = [(q["symbol"], q["bid"], q["ask"], q["at"] or "-") for q in record["quotes"]]
    return table(page, "Quotes", columns, rows)


def _executions(record: Document, page: Page) -> str:
    columns = (
        *(Column("side"), Column("symbol"), Column("shares", right=True)),
        *(Column("price", right=True), Column("at"), Column("order")),
    )
    rows = [
        (f["side"], f["symbol"], f["qty"], f["price"], f["at"], f["client_order_id"]) for f in record["fills"]
    ]
    return table(page, "Executions", columns, rows)


def _timings(record: Document, page: Page) -> str:
    columns = (Column("station"), Column("seconds", right=True))
    rows = [(station, f"{seconds:.3f}") for station, seconds in record.get("timings", {}).items()]
    return table(page, "Time in each station", columns, rows)


def _events(record: Document, page: Page) -> str:
    columns = (Column("level"), Column("stage"), Column("code"), Column("message"))
    rows = [(e["level"], e["stage"], e["code"], e["message"]) for e in record["events"]]
    return table(page, "Events", columns, rows)


def _config(record: Document, page: Page) -> str:
    columns = (Column("key"), Column("value"))
    rows = [(key, json.dumps(value)) for key, value in record["config"].items() if value is not None]
    return table(page, "Configuration that decided", columns, rows)


def _digests(record: Document, page: Page) -> str:
    names = ("plan_digest", "inputs_digest", "config_digest", "code_digest")
    rows = [(name.removesuffix("_digest"), record[name] or "-") for name in names]
    version = ("trimtab", str(record["code_version"]))
    return table(page, "Digests (SHA-256)", (Column("of"), Column("digest")), [*rows, version])
