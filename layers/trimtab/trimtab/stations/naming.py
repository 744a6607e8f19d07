"""Naming: no secret may stand where a record has a name, or the record could not be read again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.core.masking import lost
from trimtab.errors import Misconfigured
from trimtab.stations.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document

_AT = datetime(2026, 1, 2, 15, tzinfo=UTC)
"""When the sample's run began: any moment."""


def demand_names(redact: Callable[[Document], Document], mandate: Mandate) -> None:
    """Hold that redaction leaves a record's keys and names as they are, before anything is sent.

    Raises:
        Misconfigured: a key or URL of the environment stands in a name, as in the portfolio's or a symbol.
    """
    sample = Evidence(mandate, "sample-00000000", lambda: 0.0)
    sample.begin(_AT)
    document = sample.document()
    where = lost(document, redact(document))
    if where:
        raise Misconfigured(
            "secret_as_name",
            "a secret stands where the configuration has a name: the run's record could not be read again",
            seen=f"a key or a URL of the environment in {where}",
            allowed="names that hold no secret",
            hint="give it another name; a secret that lay in the configuration is to be replaced",
        )
