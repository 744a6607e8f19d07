"""Texts: what the reference says of names whose meaning stands in no docstring."""

from __future__ import annotations

HEADS = {
    "cli": "What each does in which case, with its output: [command line](../cli.md).",
    "settings": "Each key can also be set in the environment: `TRIMTAB_` and the key in capitals, `__` for "
    "each dot (`TRIMTAB_RISK__MAX_ORDER_SIZE=0.3`). Only `strategy` has to be there.",
    "rules": "What they are for: [risk rules](../risk.md) and [data gates](../gates.md); what to do when one "
    "refuses: [recover](../recover.md).",
    "errors": "Every error has a stable code; `…` stands for what only a run knows. Exit 2: nothing began. "
    "Exit 3: this run sent nothing. Exit 4: it sent, or may have sent, an order.",
    "schema": "Decimals are TEXT as the broker printed them (`CAST(… AS REAL)` to compute), times UTC ISO "
    "8601, sessions New York dates. What the store is: [the store](../store.md).",
    "python": "`import trimtab as tt` gives these names; all else is inside and may change. How they go "
    "together: [backtests](../backtest.md) and [write a strategy](../strategy.md).",
}
"""What stands above each page."""

ENVIRONMENT = {
    "APCA_API_KEY_ID": "the broker's key id; secret",
    "APCA_API_SECRET_KEY": "the broker's secret key; secret",
    "APCA_API_BASE_URL": "the trading host, without a path: Alpaca's own, or loopback",
    "APCA_API_DATA_URL": "the data host, without a path: Alpaca's own, or loopback",
    "TRIMTAB_CONFIG": "the configuration file, where `--config` is not given",
    "TRIMTAB_ALERT_URLS": "who is told: webhooks and Apprise URLs, parted by commas; secret",
    "TRIMTAB_HEARTBEAT_URL": "the ping URL of a Healthchecks check; secret",
    "TRIMTAB_LIVE": "must be `yes` for mode `live`, in what can send orders",
}
"""Environment variables that are no key of config.json."""

GATES = {
    "missing_symbol": "Judge that every symbol of the universe has bars, and no other.",
    "sessions": "Judge that the bars' sessions are the calendar's, up to the last complete one.",
    "short_history": "Judge that there is the history that the strategy cannot do without.",
    "stale": "Judge that every symbol has a bar of the last complete session.",
    "account_status": "Judge that the account is ACTIVE.",
    "account_blocked": "Judge that neither trading nor account is blocked.",
    "currency": "Judge that the account is in USD.",
    "short_position": "Judge that no holding is negative.",
    "split_value": "Judge that no holding was split, or looks so, since its last close.",
    "equity_identity": "Judge that equity is cash and holdings, within the tolerance.",
}
"""Gates whose code stands inside a function of another name."""

LATCHES = {
    "max_drawdown": "the rule of that name refused a plan",
    "bad_sessions": "three sessions in a row had only halted or interrupted runs",
}

ENDS = {
    "dry_run": "a dry run planned and sent nothing",
    "unfinished": "a dry run found a stored plan that a real run would continue",
    "done": "this session's plan is complete; nothing was left to send",
    "not_due": "a weekly or monthly schedule decides on another session, and nothing is left over",
    "no_session": "the exchange has no session today: a weekend or a holiday",
    "outside_window": "it is too early or too late to trade today (`risk.window`)",
    "late_event": "the scheduled event was meant for another New York date",
}
"""How a run ends well without trading."""

NOTES = {
    "early_plan": "a plan for the next session is made before the last one's bar is complete",
    "foreign_holding": "a symbol is held that left the universe: it is no longer traded, nor counted",
    "flow_without_price": "shares came in or went out whose value the broker does not tell",
    "recovered": "orders or fills of an earlier run that its record lacks were taken in from the broker",
    "run_time": "on AWS, `schedule.run_time` is not when the stack's schedule wakes the bot",
    "not_redacted": "secrets could not be taken out of the record, so all of its texts are masked",
    "rebuilt": "`trades.db` was damaged and was made anew from the records",
    "inputs_damaged": "the bars of an earlier run can't be read, so revisions could not be looked for",
    "order_mismatch": "an order at the broker is not the one that was sent",
}
"""What a run notes and goes on."""

COLUMNS = {
    "account_equity": "the whole account's equity, foreign holdings too, as the broker gave it, USD",
    "allowed": "what the rule allows",
    "amount": "USD in (above zero) or out",
    "arrival_ask": "ask of the quote that the order was sent on, USD a share",
    "arrival_bid": "bid of that quote, USD a share",
    "arrival_price": "mid of that quote, USD a share",
    "at": "when, UTC",
    "cash": "USD",
    "client_order_id": "`tt1-` account and portfolio `-` session `-` symbol `-` slot",
    "code": "the stable code of why it ended or what happened: see [error codes](errors.md)",
    "code_digest": "SHA-256 of Trimtab's sources and the strategy's module",
    "config_digest": "SHA-256 of the configuration that decides the trades",
    "data_age_s": "seconds from the close of the last bar to the start of the run",
    "date": "New York date",
    "detail": "what the rule looked at, in words",
    "dry_run": "1 where the run could send nothing",
    "equity": "cash and the universe's holdings at their last closes, USD",
    "fill_id": "the broker's id of the execution",
    "fills": "how many executions",
    "fills_qty": "shares, summed",
    "fills_value_usd": "shares by price, summed, USD",
    "filled_avg_price": "USD a share",
    "filled_qty": "shares",
    "finished_at": "when it ended, UTC; null while it has not",
    "id": "unique",
    "inputs_digest": "SHA-256 of the bars that the run saw",
    "kind": "the broker's name of the activity",
    "level": "`info`, `warning` or `error`",
    "limit_price": "USD a share; null for a market order",
    "market_value": "USD",
    "message": "in words",
    "mode": "`simulated`, `paper` or `live`",
    "outcome": "`traded`, `in_band`, `closed`, `not_due`, `dry_run`, `halted` or `interrupted`",
    "passed": "1 where the rule let it pass",
    "phase": "`before` or `after` the run traded",
    "plan_digest": "SHA-256 of the plan, without ids and times",
    "portfolio": "the portfolio's name",
    "price": "USD a share",
    "qty": "shares",
    "reason": "opens with the code, then says why",
    "resumed": "the last `trimtab resume` that lifted a flag, as far as the run knew",
    "rule": "the rule or gate",
    "run_id": "the run; of an order, the one that recorded it first",
    "seconds": "how long",
    "seen": "what the rule saw",
    "session": "New York date",
    "side": "`buy` or `sell`",
    "stage": "the station that stopped the run; null where none did",
    "started_at": "when it began, UTC",
    "station": "the station of the line",
    "status": "as the broker calls it",
    "subject": "a symbol, or the plan or account as a whole",
    "submitted_at": "when the broker took it, UTC",
    "symbol": "spelt as Alpaca does",
    "type": "`market` or `limit`",
    "version": "Trimtab's version",
    "weight": "fraction of equity that the strategy asked for",
}
"""What a column of trades.db holds, wherever it stands."""
