"""Fleet: one portfolio of many. The key of a configuration in, one run of the line, how it ended out."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from trimtab.fleet import run_member
from trimtab.settings import error_document, log_line, redactor
from trimtab.settings.events import Instant, StoreUrl, typed
from trimtab.settings.model import PORTFOLIO
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from trimtab.core.record import Document


logger = Logger(service="fleet", json_serializer=log_line)

_CONFIGURATION = re.compile(rf"(.*/)?config/{PORTFOLIO}\.json")

ALLOWED = "store, key (…/config/<portfolio>.json), scheduled_time, dry_run"
TOLD = ("portfolio", "run_id", "session", "outcome", "stage", "reason")


class Event(BaseModel):
    """What the state machine says: the store, and the key of one configuration in its bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: StoreUrl
    key: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,1024}$")]
    scheduled_time: Instant | None = None
    dry_run: StrictBool = False

    @property
    def portfolio(self) -> str:
        """The portfolio whose configuration it is."""
        return self.key.rsplit("/", 1)[1].removesuffix(".json")


class Stopped(Exception):  # noqa: N818 - what became of the run
    """A run was halted or interrupted; its record says why."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: object, context: LambdaContext) -> Document:
    """Run one portfolio, log how it ended once, and give that; what is no configuration is passed over.

    Raises:
        Stopped: it was halted or interrupted, so that the state machine and its alarm see it.
        Misconfigured: the event or the portfolio's configuration is wrong; nothing began.
    """
    try:
        asked = typed(event, Event, allowed=ALLOWED, hint="docs/fleet.md: its state machine says it")
        if not _CONFIGURATION.fullmatch(asked.key):  # the map lists whatever lies there
            logger.info("skipped", extra={"key": asked.key})
            return {"skipped": asked.key}
        logger.append_keys(portfolio=asked.portfolio)
        record = run_member(
            asked.store,
            asked.portfolio,
            os.environ,
            Arrival(scheduled_time=asked.scheduled_time),
            dry_run=asked.dry_run,
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
            warn=lambda text: logger.warning("not told", extra={"detail": text}),
        )
    except Exception as error:  # noqa: BLE001 - it is raised again, without the secrets in its text
        logger.error("failed", extra={"error": error_document(error)})  # noqa: TRY400 - the runtime adds the traceback
        raise redactor(os.environ).error(error) from None
    told = {name: record[name] for name in TOLD}
    logger.info("run", extra=told)
    if record["error"]:
        raise Stopped(f"{asked.portfolio}: {record['outcome']}: {record['reason']}")
    return told
