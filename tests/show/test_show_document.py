from __future__ import annotations

from trimtab.errors import Halted, Interrupted
from trimtab.show.document import ORDER, exit_status, run_document, stopped_record


def order(client_order_id: str, *, sent: bool) -> dict[str, object]:
    """Give an order as a record keeps it."""
    return dict.fromkeys(ORDER, "1") | {"client_order_id": client_order_id, "sent": sent, "ended": "filled"}


def test_orders_that_an_earlier_run_sent_are_left_out() -> None:
    """A run that finishes another's plan reports what it sent itself."""
    record = stopped_record(Halted("a", "b"), "main", "paper", dry_run=False)
    record |= {"orders": [order("theirs", sent=False), order("ours", sent=True)]}
    assert [o["client_order_id"] for o in run_document(record)["orders"]] == ["ours"]
    assert "sent" not in run_document(record)["orders"][0]


def test_a_run_without_a_record_still_has_its_outcome() -> None:
    """Halted is 3, interrupted is 4, and the error stands in the document."""
    for error, outcome, status in (
        (Halted("a", "b"), "halted", 3),
        (Interrupted("a", "b"), "interrupted", 4),
    ):
        record = stopped_record(error, "main", "paper", dry_run=False)
        assert (record["outcome"], exit_status(record)) == (outcome, status)
        assert run_document(record)["error"]["code"] == "a"
        assert run_document(record)["run_id"] is None
