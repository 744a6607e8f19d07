"""Flows on the wire: every deposit and withdrawal, from all pages, and nothing that is none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from scripted_http import Asked, Reply, ScriptedServer
from trimtab.core.portfolio import Flow
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from trimtab.adapters.alpaca import AlpacaBroker

PATH, AFTER = "/v2/account/activities", date(2026, 2, 20)


def row(number: int, **changes: object) -> dict[str, object]:
    """Give a deposit as the broker prints it."""
    deposit: dict[str, object] = {
        "id": f"20260302000000000::{number:04d}",
        "activity_type": "CSD",
        "date": "2026-03-02",
        "net_amount": "500.25",
        "status": "executed",
    }
    return deposit | changes


def read(server: ScriptedServer, broker: AlpacaBroker, *rows: object) -> tuple[Flow, ...]:
    """Give what the broker makes of these rows."""
    server.on("GET", PATH, Reply(body=list(rows)))
    return broker.flows(AFTER)


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (99, 1), (100, 2), (250, 3)])
def test_flows_are_all_there_and_only_they_are_asked_for(
    count: int, pages: int, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    rows = [row(i) for i in range(count)]

    def script(asked: Asked) -> Reply:
        token = asked.query.get("page_token", "")
        return Reply(body=[row for row in rows if str(row["id"]) > token][:100])

    server.on("GET", PATH, script)
    assert [flow.id for flow in broker.flows(AFTER)] == [row["id"] for row in rows]
    assert server.count("GET") == pages
    assert server.asked[0].query == {
        "activity_types": "ACATC,ACATS,CSD,CSW,FOPT,JNL,JNLC,JNLS,OCT",
        "after": "2026-02-20",
        "direction": "asc",
        "page_size": "100",
    }


def test_pages_that_repeat_are_no_list(server: ScriptedServer, broker: AlpacaBroker) -> None:
    with pytest.raises(Unreachable, match="repeat"):
        read(server, broker, *(row(i) for i in range(100)))


def test_a_deposit_comes_in_and_a_withdrawal_goes_out(server: ScriptedServer, broker: AlpacaBroker) -> None:
    """However the amount of a withdrawal is signed; of a journal its sign is all there is."""
    found = read(
        server,
        broker,
        row(1),
        row(2, activity_type="CSW", net_amount="20"),
        row(3, activity_type="CSW", net_amount="-20"),
        row(4, activity_type="JNLC", net_amount="-3.5"),
    )
    assert [flow.amount for flow in found] == [
        *(Decimal("500.25"), Decimal(-20)),
        *(Decimal(-20), Decimal("-3.5")),
    ]
    assert found[0] == Flow("20260302000000000::0001", "CSD", date(2026, 3, 2), amount=Decimal("500.25"))


def test_shares_come_with_their_symbol(server: ScriptedServer, broker: AlpacaBroker) -> None:
    """What is null or left out is nothing; a time of day in the date is none of its business."""
    (found,) = read(
        server,
        broker,
        row(
            1,
            activity_type="JNLS",
            symbol="SPY",
            qty="-2.5",
            net_amount=None,
            date="2026-03-02T00:00:00Z",
        ),
    )
    assert found == Flow("20260302000000000::0001", "JNLS", date(2026, 3, 2), "SPY", Decimal("-2.5"))


@pytest.mark.parametrize("kind", ["DIV", "FEE", "INT", "FILL", "SPLIT", "BRAND_NEW", None])
def test_what_is_no_flow_is_left_out(kind: str | None, server: ScriptedServer, broker: AlpacaBroker) -> None:
    """Dividends, fees and trades are the account's own doing; an unknown kind is not counted as money."""
    assert read(server, broker, row(1, activity_type=kind, net_amount="nonsense")) == ()


def test_what_was_taken_back_is_left_out(server: ScriptedServer, broker: AlpacaBroker) -> None:
    found = read(server, broker, row(1, status="canceled"), row(2, status="correct"), row(3, status=None))
    assert [flow.id[-1] for flow in found] == ["2", "3"]


def test_without_a_date_the_day_of_its_making_counts(server: ScriptedServer, broker: AlpacaBroker) -> None:
    """In New York, where it was still the second."""
    (found,) = read(server, broker, row(1, date=None, created_at="2026-03-03T04:59:59.123456789Z"))
    assert found.on == date(2026, 3, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"date": "soon"},
        {"date": None},
        {"net_amount": "NaN"},
        {"net_amount": "1e99"},
        {"qty": "many"},
    ],
    ids=repr,
)
def test_what_cannot_be_read_is_unreachable(
    changes: dict[str, object], server: ScriptedServer, broker: AlpacaBroker
) -> None:
    """Never a zero, and never left out."""
    with pytest.raises(Unreachable):
        read(server, broker, row(1, **changes))
