"""Result: what a backtest gives: the curve, the trades, the weights, and their statistics, made on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from trimtab.backtesting import stats

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from trimtab.backtesting.docket import Entry
    from trimtab.backtesting.ledger import Trade
    from trimtab.backtesting.scene import Asked, Note
    from trimtab.backtesting.terms import Costs
    from trimtab.core.bars import Bars


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One backtest over n sessions of m symbols.

    `sessions` (n,) datetime64[D]; `value` (n,) equity in USD at each close, after the trades of that session;
    `cash` (n,) USD; `flow` (n,) USD that came in at that close, or None; `benchmark` (n,) a curve to compare
    with, USD, or None, and `benchmark_name`. `terms` is the configuration that made it, as JSON holds it.
    `notes` tell what went otherwise than a reader may think: row, code, message. `planned` are the plans of a
    live-plan backtest, one a session that planned; `reasons` tells each one's why.
    """

    bars: Bars
    first: int
    value: NDArray[np.float64]
    cash: NDArray[np.float64]
    flow: NDArray[np.float64] | None
    made: list[Trade]
    costs: Costs
    asked: list[Asked]
    terms: Mapping[str, object]
    notes: tuple[Note, ...] = ()
    benchmark: NDArray[np.float64] | None = None
    benchmark_name: str = ""
    planned: tuple[Entry, ...] = ()
    _memo: dict[str, object] = field(default_factory=dict)

    @property
    def sessions(self) -> NDArray[np.datetime64]:
        """The sessions (n,) from the first to the last, New York dates."""
        return self.bars.sessions[self.first : self.first + len(self.value)]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols (m,), ascending."""
        return self.bars.symbols

    def told(self) -> list[tuple[str, str, str]]:
        """Give the notes with their sessions: session, code, message."""
        return [(str(self.bars.sessions[row]), code, message) for row, code, message in self.notes]

    @property
    def equity(self) -> pl.DataFrame:
        """The curve: session, equity (USD)."""
        import polars as pl  # noqa: PLC0415 - a sweep of many backtests need not pay for frames

        return pl.DataFrame({"session": self.sessions, "equity": self.value})

    def trade_arrays(
        self,
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
    ]:
        """Give all k trades, (k,) each: row of the bars, column, signed shares, USD a share, cost in USD."""
        rows = np.repeat(
            np.array([trade[0] for trade in self.made], dtype=np.int64),
            [len(trade[1]) for trade in self.made],
        )
        parts = [np.concatenate([trade[i] for trade in self.made] or [np.empty(0)]) for i in range(1, 4)]
        order = np.lexsort((parts[1] > 0, rows))  # of a session, the sells first
        columns, quantity, price = (part[order] for part in parts)
        return rows, columns.astype(np.int64), quantity, price, self.costs.of(quantity, price)

    @property
    def trades(self) -> pl.DataFrame:
        """The trades in order: session, symbol, side, qty (shares), price (USD a share), cost (USD)."""
        import polars as pl  # noqa: PLC0415 - as above

        rows, columns, quantity, price, cost = self.trade_arrays()
        return pl.DataFrame(
            {
                "session": self.bars.sessions[rows],
                "symbol": np.asarray(self.symbols, dtype=np.str_)[columns],
                "side": np.where(quantity > 0, "buy", "sell"),
                "qty": np.abs(quantity),
                "price": price,
                "cost": cost,
            },
            schema_overrides={"symbol": pl.String, "side": pl.String},
        )

    @property
    def weights(self) -> pl.DataFrame:
        """The weights as the strategy gave them: session of the decision, symbol, weight; zeros left out."""
        import polars as pl  # noqa: PLC0415 - as above

        rows = np.repeat([row for row, _, _ in self.asked], [len(columns) for _, columns, _ in self.asked])
        columns = np.concatenate([columns for _, columns, _ in self.asked] or [np.empty(0, dtype=np.int64)])
        values = np.concatenate([weights for _, _, weights in self.asked] or [np.empty(0)])
        return pl.DataFrame(
            {
                "session": self.bars.sessions[rows.astype(np.int64)],
                "symbol": np.asarray(self.symbols, dtype=np.str_)[columns.astype(np.int64)],
                "weight": values,
            },
            schema_overrides={"symbol": pl.String},
        )

    @property
    def reasons(self) -> pl.DataFrame:
        """Why each symbol of each plan was traded or held: session, symbol, quantity (signed shares), reason.

        The session is the one whose closes sized the plan. Empty where the plan is `exact`.
        """
        import polars as pl  # noqa: PLC0415 - as above

        told = [
            (self.bars.sessions[entry.row].item(), said.symbol, quantity, said.reason)
            for entry in self.planned
            for said, quantity in entry.told()
        ]
        schema = {"session": pl.Date, "symbol": pl.String, "quantity": pl.Float64, "reason": pl.String}
        return pl.DataFrame(told, schema=schema, orient="row")

    @property
    def stats(self) -> dict[str, stats.Stat]:
        """The statistics, units in the names; `trimtab.backtesting.stats.MEANINGS` defines each."""
        if "stats" not in self._memo:
            self._memo["stats"] = stats.statistics(self)
        return dict(cast("dict[str, stats.Stat]", self._memo["stats"]))

    @property
    def monthly(self) -> pl.DataFrame:
        """The return of each calendar month: year, month, return_pct, benchmark_pct."""
        import polars as pl  # noqa: PLC0415 - as above

        schema = {"year": pl.Int64, "month": pl.Int64, "return_pct": pl.Float64, "benchmark_pct": pl.Float64}
        return pl.DataFrame(stats.monthly(self), schema=schema)

    @property
    def yearly(self) -> pl.DataFrame:
        """The return of each calendar year: year, return_pct, benchmark_pct."""
        import polars as pl  # noqa: PLC0415 - as above

        schema = {"year": pl.Int64, "return_pct": pl.Float64, "benchmark_pct": pl.Float64}
        return pl.DataFrame(stats.yearly(self), schema=schema)

    @property
    def drawdowns(self) -> pl.DataFrame:
        """The ten deepest drawdowns: from, trough, to (null: not yet back), depth_pct, days."""
        import polars as pl  # noqa: PLC0415 - as above

        text = dict.fromkeys(("from", "trough", "to"), pl.String)
        schema = {**text, "depth_pct": pl.Float64, "days": pl.Int64}
        return pl.DataFrame(stats.drawdowns(self), schema=schema).with_columns(
            pl.col(*text).str.to_date("%Y-%m-%d")
        )

    def holdings(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give what was held after each session that traded: positions (d,) in `sessions`, shares (d, m)."""
        rows = sorted({trade[0] for trade in self.made})
        shares, now = np.zeros((len(rows), len(self.symbols))), np.zeros(len(self.symbols))
        place = {row: i for i, row in enumerate(rows)}
        done = -1
        for row, columns, quantity, _ in self.made:
            if place[row] != done:
                done = place[row]
            now[columns] += quantity
            shares[done] = now
        return np.array(rows, dtype=np.int64) - self.first, shares

    def weight_path(self) -> NDArray[np.float64]:
        """Give each holding's part of the equity at every close: (n, m) fractions; what is left is cash."""
        at, shares = self.holdings()
        close = self.bars.close[self.first : self.first + len(self.value)]
        path = np.zeros(close.shape)
        last = np.full(close.shape[1], np.nan)
        until = [*at[1:].tolist(), len(close)][: len(at)]
        for begin, end, held in zip(at.tolist(), until, shares, strict=True):
            columns = np.flatnonzero(held)
            block = close[begin:end, columns]
            whole = np.vstack([last[columns], block])
            known = np.maximum.accumulate(
                np.where(np.isnan(whole), 0, np.arange(len(whole))[:, None]), axis=0
            )
            filled = np.take_along_axis(whole, known, axis=0)[1:]
            path[begin:end, columns] = np.nan_to_num(filled) * held[columns] / self.value[begin:end, None]
            last[columns] = filled[-1]
        return path
