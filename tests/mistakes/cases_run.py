"""Cases: the likely mistakes with strategies, accounts and files, each with what has to meet it."""

from __future__ import annotations

from mistakes import makers
from mistakes.bench import Mistake
from mistakes.makers import at_sandbox, config, lacking, paper, rule, weights, words

STRATEGY = (
    Mistake("Weights in percent", weights(AAPL=60, MSFT=40), 2, "strategy", "60 % is 0.6"),
    Mistake("Weights as texts", weights(AAPL="60%"), 2, "strategy", "60 % is 0.6"),
    Mistake("Weights above 1 in sum", weights(AAPL=0.7, MSFT=0.6), 2, "strategy", "at most 1"),
    Mistake("A negative weight", weights(AAPL=-0.1), 2, "strategy", "from 0 to 1"),
    Mistake("Lower-case symbols", weights(aapl=0.5), 2, "unknown_symbol", "did you mean AAPL?"),
    Mistake(
        "A symbol twice",
        config(strategy={"name": "equal_weight", "params": {"symbols": ["SPY", "SPY"]}}),
        2,
        "strategy",
        "more than once",
    ),
    Mistake(
        "Misspell a strategy",
        config(strategy={"name": "equal_weigth", "params": {}}),
        2,
        "strategy",
        "equal_weight",
    ),
    Mistake(
        "Misspell a parameter",
        config(strategy={"name": "equal_weight", "params": {"symbol": ["SPY"]}}),
        2,
        "strategy",
        "did you mean 'symbols'",
    ),
    Mistake(
        "Forget a parameter",
        config(strategy={"name": "momentum", "params": {"symbols": ["AAA"]}}),
        2,
        "strategy",
        "top_n",
    ),
    Mistake(
        "Your module in another folder",
        config(strategy={"name": "myrule:rule"}),
        2,
        "strategy",
        "put myrule.py beside",
    ),
    Mistake("A slip in your module", makers.broken_module, 2, "strategy", "SyntaxError"),
    Mistake("Misspell your function", makers.wrong_function, 2, "strategy", "did you mean 'rule'"),
    Mistake("A strategy of one value", makers.one_value, 2, "strategy", "history"),
    Mistake("Name no symbols at all", makers.no_universe, 2, "no_universe", "universe"),
    Mistake("Return no weights", rule("return None"), 3, "weights_not_a_mapping", "return {}"),
    Mistake("Return NaN", rule("return {'AAA': float('nan')}"), 3, "weight_not_finite", "missing prices"),
    Mistake("Return percentages", rule("return {'AAA': 60, 'BBB': 40}"), 3, "weights_above_one", "at most 1"),
    Mistake("Weight another symbol", rule("return {'ZZZ': 0.1}"), 3, "weight_outside_universe", "universe"),
    Mistake(
        "An error in your strategy", rule("return history.price"), 3, "strategy_failed", "AttributeError"
    ),
    Mistake(
        "Too little history",
        config(
            strategy={"name": "momentum", "params": {"symbols": ["AAA", "BBB"], "top_n": 1}},
            data={"lookback_sessions": 100},
        ),
        2,
        "lookback_too_short",
        "leave data.lookback_sessions out",
    ),
)
ACCOUNT = (
    Mistake("Forget the keys", paper(APCA_API_KEY_ID=""), 2, "keys_missing", "APCA_API_KEY_ID"),
    Mistake(
        "Quotes around a key", paper(APCA_API_KEY_ID='"PKEXAMPLE"'), 2, "keys_malformed", "without quotes"
    ),
    Mistake("Wrong keys", at_sandbox(APCA_API_KEY_ID="PKOTHER"), 3, "unauthorized", "APCA_API_SECRET_KEY"),
    Mistake("No network", makers.deaf, 3, "unreachable", "run again"),
    Mistake(
        "The live host in paper mode",
        paper(APCA_API_BASE_URL="https://api.alpaca.markets"),
        2,
        "host_mode",
        "agree",
    ),
    Mistake(
        "A path behind the host",
        paper(APCA_API_BASE_URL="https://paper-api.alpaca.markets/v2"),
        2,
        "host_not_allowed",
        "without a path",
    ),
    Mistake(
        "A misspelt host",
        paper(APCA_API_BASE_URL="https://paper-api.alpaca.market"),
        2,
        "host_not_allowed",
        "paper-api.alpaca.markets",
    ),
    Mistake("Live without its flag", config(mode="live"), 2, "live_flag", "TRIMTAB_LIVE=yes"),
    Mistake(
        "An alert URL without https",
        paper(TRIMTAB_ALERT_URLS="http://example.org/hook"),
        2,
        "url_not_allowed",
        "https",
    ),
    Mistake(
        "A symbol that is not listed",
        at_sandbox(strategy={"name": "fixed_weights", "params": {"weights": {"AAA": 0.5, "NOPE": 0.5}}}),
        3,
        "missing_symbol",
        "spelling",
    ),
    Mistake("Forget the halt flag", makers.halted, 3, "kill_switch", "trimtab resume"),
)
FILES = (
    Mistake(
        "A file that is not there",
        words("backtest", "--data", "none.parquet"),
        2,
        "data_file",
        "check the path",
    ),
    Mistake("A table without the columns", makers.columns, 2, "data_file", "symbol, session"),
    Mistake(
        "Dates beyond the data",
        words("backtest", "--start", "2031-01-01"),
        2,
        "backtest_dates",
        "check start",
    ),
    Mistake("A store where none can be", makers.unwritable, 3, "store_unwritable", "store.url"),
    Mistake("The store of another mode", makers.another_mode, 2, "store_bound", "store.url"),
    Mistake("Write into trades.db", makers.damaged, 3, "database_damaged", "trimtab rebuild"),
)
INSTALLATION = (
    Mistake(
        "The dashboard without Streamlit",
        lacking("streamlit", "dashboard"),
        2,
        "no_streamlit",
        "trimtab[dashboard]",
    ),
    Mistake(
        "Minimum variance without SciPy",
        lacking("scipy", "run", strategy={"name": "minimum_variance", "params": {"symbols": ["AAA", "BBB"]}}),
        2,
        "strategy",
        "trimtab[optimize]",
    ),
    Mistake(
        "S3 without boto3",
        lacking(
            "boto",
            "run",
            mode="paper",
            store={"url": "s3://mine/store"},
            environment={"APCA_API_KEY_ID": "PKEXAMPLE", "APCA_API_SECRET_KEY": "secret"},
        ),
        2,
        "boto3_missing",
        "trimtab[aws]",
    ),
    Mistake(
        "An Apprise URL without Apprise",
        lacking("apprise", "run", environment={"TRIMTAB_ALERT_URLS": "ntfys://topic"}),
        2,
        "apprise_missing",
        "trimtab[alerts]",
    ),
)
