"""Naming: no secret may stand in a name or in the configuration, or the record could not be read again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.core.masking import lost, touched
from trimtab.errors import Misconfigured
from trimtab.stations.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document

_AT = datetime(2026, 1, 2, 15, tzinfo=UTC)
"""When the sample's run began: any moment."""


def demand_names(redact: Callable[[Document], Document], mandate: Mandate) -> None:
    """Hold that redaction leaves a record's keys, names and configuration alone, before anything is sent.

    The configuration stands in every record, and its digest beside it: masked, it would be another.

    Raises:
        Misconfigured: a secret of the environment stands in a name, or anywhere in the configuration.
    """
    sample = Evidence(mandate, "sample-00000000", lambda: 0.0)
    sample.begin(_AT)
    document = sample.document()
    clean = redact(document)
    where = touched(document["config"], clean.get("config"), "config") or lost(document, clean)
    if where:
        raise Misconfigured(
            "secret_as_name",
            "a secret stands in the configuration: the run's record could not be read again",
            seen=f"a key or a URL, or part of one, in {where.removeprefix('config.')}",
            allowed="a configuration that holds no secret",
            hint="give it another name; a secret that lay in the configuration is to be replaced",
        )
