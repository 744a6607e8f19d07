"""Cases: the likely mistakes with words, JSON and keys, each with the code and words that have to meet it."""

from __future__ import annotations

from mistakes import makers
from mistakes.bench import Mistake
from mistakes.makers import config, paper, text, words

COMMAND_LINE = (
    Mistake("Run in the wrong folder", makers.nowhere, 2, "no_config", "trimtab init"),
    Mistake("Name the folder, not the file", makers.folder_for_file, 2, "no_config", "config.json"),
    Mistake("Misspell a verb", words("rnu"), 2, "usage", "trimtab run"),
    Mistake("Misspell a flag", words("run", "--dry"), 2, "usage", "--dry-run"),
    Mistake("Put a flag before the verb", words("--finish", "run"), 2, "usage", "after the verb"),
    Mistake("Forget which run", words("show"), 2, "usage", "RUN"),
    Mistake("Write a date as 1/2/2020", words("backtest", "--start", "1/2/2020"), 2, "usage", "YYYY-MM-DD"),
    Mistake("Start over in a folder that is set up", words("init"), 2, "file_exists", "--force"),
    Mistake("Set up where you may not write", makers.unwritable_init, 2, "not_writable", "can't write"),
    Mistake("Ask for a run that is none", makers.no_such_run, 2, "unknown_run", "trimtab history"),
    Mistake("Step a real account in time", paper("run", "--next"), 2, "not_simulated", "--next"),
    Mistake(
        "Serve the dashboard to everyone", words("dashboard", "--host", "192.0.2.1"), 2, "exposed", "login"
    ),
    Mistake("Serve it on a port that is taken", makers.taken_port, 2, "port", "--port 0"),
)
JSON_TEXT = (
    Mistake("Comment in the JSON", text('{\n  // mine\n  "strategy": {}\n}'), 2, "bad_json", "no comments"),
    Mistake(
        "Comma after the last item", text('{"dry_run": true,\n}'), 2, "bad_json", "no comma after the last"
    ),
    Mistake(
        "Forget a comma", text('{"dry_run": true\n "mode": "paper"}'), 2, "bad_json", "a comma is missing"
    ),
    Mistake("Single quotes", text("{'dry_run': true}"), 2, "bad_json", "double quotes"),
    Mistake(
        "Typographic quotes",
        text("{\N{LEFT DOUBLE QUOTATION MARK}mode\N{RIGHT DOUBLE QUOTATION MARK}: 1}"),
        2,
        "bad_json",
        "plain double quotes",
    ),
    Mistake("Names without quotes", text('{mode: "paper"}'), 2, "bad_json", "double quotes"),
    Mistake("Python's True", text('{"dry_run": True}'), 2, "bad_json", "small letters"),
    Mistake("Leave the last brace out", text('{"dry_run": true'), 2, "bad_json", "not closed"),
    Mistake("An empty file", text(""), 2, "bad_json", "trimtab init"),
    Mistake("Save it as UTF-16", makers.wide_letters, 2, "bad_json", "UTF-8"),
    Mistake("Write a key twice", text('{"mode": "paper", "mode": "live"}'), 2, "bad_json", "twice"),
    Mistake("A list instead of an object", text("[]"), 2, "bad_json", "braces"),
)
SETTINGS = (
    Mistake("Misspell a key", config(stratgy={}), 2, "unknown_key", "strategy"),
    Mistake(
        "A limit outside its section",
        config(max_order_size=0.3),
        2,
        "unknown_key",
        '"risk": {"max_order_size"',
    ),
    Mistake(
        "A section written with a dot", config(**{"risk.max_order_size": 0.3}), 2, "unknown_key", '"risk": {'
    ),
    Mistake("Forget the strategy", text("{}"), 2, "missing_key", "equal_weight"),
    Mistake(
        "The strategy's name alone",
        config(strategy="equal_weight"),
        2,
        "invalid_value",
        '"name": "equal_weight"',
    ),
    Mistake("Switch a limit off with null", config(risk={"max_order_size": None}), 2, "no_limit", "default"),
    Mistake("A limit in percent", config(risk={"max_order_size": 20}), 2, "invalid_value", "20 % is 0.2"),
    Mistake(
        "A number in quotes", config(risk={"max_order_size": "0.2"}), 2, "invalid_value", "without quotes"
    ),
    Mistake("Capitals in a choice", config(mode="Paper"), 2, "invalid_value", "did you mean 'paper'"),
    Mistake(
        "A wrong time zone", config(schedule={"timezone": "New York"}), 2, "invalid_value", "America/New_York"
    ),
    Mistake("A time with am", config(schedule={"run_time": "10am"}), 2, "invalid_value", '"10:00"'),
    Mistake("Blanks in the portfolio's name", config(portfolio="My Savings"), 2, "invalid_value", "hyphens"),
    Mistake("The universe as one text", config(universe="SPY,TLT"), 2, "invalid_value", "a list"),
    Mistake("Lower-case symbols in the universe", config(universe=["spy"]), 2, "invalid_value", "capitals"),
    Mistake(
        "A limit for another symbol",
        config(risk={"max_order_size_by_symbol": {"AAB": 0.1}}),
        2,
        "unknown_symbol",
        "universe",
    ),
    Mistake(
        "A misspelt variable",
        paper(TRIMTAB_RISK_MAX_ORDER_SIZE="0.3"),
        2,
        "unknown_key",
        "TRIMTAB_RISK__MAX_ORDER_SIZE",
    ),
    Mistake(
        "A simulated store in S3", config(store={"url": "s3://mine/store"}), 2, "simulated_in_s3", "directory"
    ),
)
