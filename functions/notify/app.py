"""Notify: alarms arrive from SNS, and are told to the webhooks that runs tell their outcomes to."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.notify import fit_notifiers
from trimtab.adapters.webhook import Wire
from trimtab.configuration import with_parameters
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered
from trimtab.settings import log_line, receivers, redactor
from trimtab.settings.secret import ALERT_URLS
from trimtab.show.alarm import alarm_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from trimtab.core.message import Message
    from trimtab.core.record import Document
    from trimtab.ports import Notifier

LONGEST_S = 10.0
"""For one receiver, seconds; of the function's time each gets its share."""
KEPT_S = 2.0
"""Of the function's time, for the log, seconds."""


logger = Logger(service="notify", json_serializer=log_line)


@logger.inject_lambda_context(clear_state=True)
def handler(event: object, context: LambdaContext) -> Document:
    """Tell every message of an event to every receiver, and give how many there were of each.

    What nobody took raises: Lambda calls again, and at last keeps the event in the queue of what failed. So a
    message may be told twice and is never lost.

    Raises:
        Misconfigured: there is no receiver, or none is usable.
        Undelivered: nobody took one of the messages.
    """
    try:
        return tell_all(event, context.get_remaining_time_in_millis() / 1000 - KEPT_S)
    except Exception as error:  # noqa: BLE001 - it is raised again, without the secrets in its text
        clean = redactor(os.environ).error(error)
        logger.error("failed", extra={"error": str(clean)})  # noqa: TRY400 - the runtime adds the traceback
        raise clean from None


def tell_all(event: object, seconds: float) -> Document:
    """Tell within so many seconds, as `handler` says.

    Raises:
        Misconfigured, Undelivered: as above.
    """
    channels = outlets()  # before the messages: what it reads of secrets is taken out of them
    messages = list(messages_of(event))
    share = max(0.1, min(LONGEST_S, seconds / (len(messages) * len(channels))))
    unheard = [message for message in messages if not tell(message, channels, share)]
    if unheard:
        raise Undelivered(f"nobody took {len(unheard)} of {len(messages)} messages")
    return {"messages": len(messages), "receivers": len(channels)}


def messages_of(event: object) -> Iterator[Message]:
    """Give the messages of an event: of SNS one a record; anything else as it stands, rather than none."""
    clean = redactor(os.environ)
    records = event.get("Records") if isinstance(event, dict) else None
    for record in records if isinstance(records, list) and records else [event]:
        notice = record.get("Sns") if isinstance(record, dict) else None
        text = notice.get("Message") if isinstance(notice, dict) else None
        if isinstance(text, str):
            yield alarm_message(clean.text(text), clean.text(str(notice.get("Subject") or "")))
        else:
            whole = clean.text(json.dumps(record, default=str))
            yield alarm_message(whole, "an event that SNS does not send")


def outlets() -> tuple[Notifier, ...]:
    """Give the receivers that the environment names; one that is not usable keeps no other from hearing.

    Raises:
        Misconfigured: there is none, none is usable, or the SSM parameter that holds them can't be read.
    """
    environ = with_parameters(os.environ, (ALERT_URLS,))
    urls = [url.get_secret_value() for url in receivers(environ).alert_urls]
    if not urls:
        raise Misconfigured(
            "no_receiver",
            "there is nobody to tell alarms to",
            seen=f"no URL in {ALERT_URLS}",
            allowed="one URL or more, parted by commas",
            hint="store them in the SSM parameter that the function names; see docs/aws.md",
        )
    wire = Wire(allow_private=False)
    return fit_notifiers(urls, SystemClock(), wire, where=ALERT_URLS, allow_private=False)


def tell(message: Message, channels: Sequence[Notifier], seconds: float) -> bool:
    """Tell each receiver within so many seconds, and say whether any took it; whoever did not is logged."""
    refused = []
    for channel in channels:
        try:
            channel.tell(message, seconds)
        except Exception as error:  # noqa: BLE001 - whatever ails one receiver, the others are told
            why = str(error) if isinstance(error, Undelivered) else type(error).__name__
            refused.append(f"{channel.name}: {why}")
    log = logger.warning if refused else logger.info
    log("told", extra={"title": message.title, "receivers": len(channels), "refused": refused})
    return len(refused) < len(channels)
