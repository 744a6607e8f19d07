"""Values: what the flags of the command line take, read from text or refused."""

from __future__ import annotations

import argparse
from datetime import date, time
from decimal import Decimal, InvalidOperation

__all__ = [
    "clock_time",
    "count",
    "days",
    "iso_date",
    "not_negative",
    "number",
    "port",
    "positive",
    "share",
    "usd",
]


def number(text: str) -> float:
    """Read a finite number.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def positive(text: str) -> float:
    """Read a number above 0.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def not_negative(text: str) -> float:
    """Read a number that is 0 or above.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def count(text: str) -> int:
    """Read a whole number above 0.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def days(text: str) -> int:
    """Read a number of days, with or without a `d` behind it.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    digits = text.removesuffix("d")
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) < 100_000):  # noqa: PLR2004 - centuries
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days, such as 400d")
    return int(digits)


def port(text: str) -> int:
    """Read a port, 0 to 65535.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def usd(text: str) -> Decimal:
    """Read an amount of USD that is 0 or above.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of USD")
    return value


def iso_date(text: str) -> date:
    """Read a date, YYYY-MM-DD.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date, YYYY-MM-DD") from None


def clock_time(text: str) -> time:
    """Read a time of day, HH:MM.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, HH:MM") from None
