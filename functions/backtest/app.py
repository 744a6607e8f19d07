"""Backtest: cells of a sweep. A batch of them in, one result object each, so that again is free."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from trimtab.adapters.stores import open_store
from trimtab.farm import Farmhand, play_batch
from trimtab.settings import error_document, log_line, redactor
from trimtab.settings.events import StoreUrl, typed

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from trimtab.core.record import Document
    from trimtab.ports import Store

HERE = Path(__file__).resolve().parent
"""Where strategy modules of one's own lie, beside this file."""


logger = Logger(service="backtest", json_serializer=log_line)
farmhand = Farmhand.of(HERE)


@cache
def store_at(url: str) -> Store:
    """Give the store at a URL; its connections outlive a call."""
    return open_store(url)[0]


class Event(BaseModel):
    """What the state machine says: a store, a job in it, and the cells of a batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: StoreUrl
    job: Annotated[str, Field(pattern=r"^jobs/[0-9a-f]{64}/job\.json$")]
    cells: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]


class CellsFailed(Exception):  # noqa: N818 - what the state machine calls it
    """Cells of a batch have no result; the others have theirs, and again plays only these."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: object, context: LambdaContext) -> Document:
    """Play a batch, and say how many cells there were.

    Raises:
        CellsFailed: some failed; each one's reason lies beside the results.
        Misconfigured: the event, the job or the code is wrong.
        OSError: the store can't be read or written.
    """
    del context
    try:
        asked = typed(
            event, Event, allowed="store, job, cells", hint="let the state machine of docs/sweep.md start it"
        )
        failed = play_batch(store_at(asked.store), asked.job, asked.cells, farmhand)
    except Exception as error:  # noqa: BLE001 - it is raised again, without the secrets in its text
        logger.error("failed", extra={"error": error_document(error)})  # noqa: TRY400 - the runtime adds the traceback
        raise redactor(os.environ).error(error) from None
    logger.info("played", extra={"cells": len(asked.cells), "failures": failed})
    if failed:
        raise CellsFailed(f"{len(failed)} of {len(asked.cells)}: {failed[0]['code']}: {failed[0]['message']}")
    return {"cells": len(asked.cells)}
