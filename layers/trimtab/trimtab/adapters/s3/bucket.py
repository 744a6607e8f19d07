"""Bucket: the objects below one prefix, read whole and written conditionally."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential
from urllib3.exceptions import HTTPError

from trimtab.adapters.aws import client, demand_library, hint_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenacity import AttemptManager

__all__ = ["PATIENCE_S", "Blob", "Bucket", "Crossed", "tries"]

PATIENCE_S = 60.0
"""How long a write is tried again that others' writes keep crossing, seconds."""
BODIES = 2
"""How often an object is read whose body arrives cut short or garbled."""
MARK = "trimtab-write"
"""The metadata's key of a write's mark."""

_ABSENT = frozenset({"NoSuchKey"})
_NO_RANGE = "InvalidRange"
"""What a part of an object that has no byte is refused with."""
_CROSSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
"""What a conditional write is refused with where another was first, is under way, or deleted the object."""
_HINTS = {
    "AccessDenied": "allow it in the role's or user's policy: docs/store.md lists the permissions",
    "NoSuchBucket": "make the bucket, or name another in {where}",
}
_HINT = "check the network and the bucket, and run again"


class Crossed(Exception):  # noqa: N818 - a state of the object, not an error
    """Another write was first, or is under way."""


class _Answered(Exception):  # noqa: N818 - an answer, not an error
    """S3 answered with something else than success; `args[0]` is the code it gave."""


class _Torn(Exception):  # noqa: N818 - a state of the connection, not an error
    """A body did not arrive whole."""


@dataclass(frozen=True, slots=True)
class Blob:
    """An object as it was read or written: its bytes, its version's ETag, the mark of its write."""

    data: bytes
    etag: str
    mark: str | None


class Bucket:
    """The objects below `s3://bucket/prefix`; `where` is what the owner named it in, for errors."""

    def __init__(self, url: str, *, where: str = "store.url") -> None:
        demand_library(f"{where} is in S3", "a directory; s3:// where boto3 is installed")
        self.url = url.rstrip("/")
        self._where = where
        self._bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""

    def get(self, key: str, known: Blob | None = None, *, most: int | None = None) -> Blob | None:
        """Give an object, or None; `known` itself where it still is as it was.

        Of a longer one than `most` bytes only so many are read.

        Raises:
            OSError: it can't be read.
        """
        more = {} if known is None else {"IfNoneMatch": known.etag}
        more |= {} if most is None else {"Range": f"bytes=0-{most - 1}"}
        for left in reversed(range(BODIES)):
            try:
                answer = self._ask("get_object", key, **more)
                return Blob(answer["Body"], answer["ETag"], answer["Metadata"].get(MARK))
            except _Torn as error:
                if not left:
                    raise self._failure("GetObject", key, str(error)) from None
            except _Answered as answered:
                if known is not None and answered.args[0] == "304":
                    return known
                if answered.args[0] in _ABSENT:
                    return None
                if answered.args[0] == _NO_RANGE:
                    return Blob(b"", "", None)
                raise self._failure("GetObject", key, *answered.args) from None
        raise AssertionError  # the last one left by a return or a raise

    def put(self, key: str, data: bytes, mark: str, *, over: Blob | None) -> Blob:
        """Write an object over the one that was read, or where none is.

        Raises:
            Crossed: there is another than that by now, or another write is under way.
            OSError: it can't be written.
        """
        condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
        try:
            answer = self._ask("put_object", key, Body=data, Metadata={MARK: mark}, **condition)
        except _Answered as answered:
            if answered.args[0] in _CROSSED:
                raise Crossed from None
            raise self._failure("PutObject", key, *answered.args) from None
        return Blob(data, answer["ETag"], mark)

    def mark(self, key: str) -> tuple[str | None] | None:
        """Give the mark of an object's write in a tuple; None where there is no object.

        Raises:
            OSError: it can't be read.
        """
        try:
            return (self._ask("head_object", key)["Metadata"].get(MARK),)
        except _Answered as answered:
            if answered.args[0] == "404":
                return None
            raise self._failure("HeadObject", key, *answered.args) from None

    def keys(self, prefix: str) -> Iterator[str]:
        """Give every key below a prefix, all pages.

        Raises:
            OSError: they can't be listed.
        """
        more: dict[str, str] = {}
        while True:
            try:
                page = self._ask("list_objects_v2", None, Prefix=self._prefix + prefix, **more)
            except _Answered as answered:
                raise self._failure("ListObjectsV2", prefix, *answered.args) from None
            yield from (entry["Key"].removeprefix(self._prefix) for entry in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Remove an object; absent is fine.

        Raises:
            OSError: it can't be removed.
        """
        try:
            self._ask("delete_object", key)
        except _Answered as answered:
            raise self._failure("DeleteObject", key, *answered.args) from None

    def _ask(self, operation: str, key: str | None, **more: object) -> dict[str, Any]:
        """Make a request, and again where it may help, and give its answer; a body as bytes.

        Raises:
            _Answered: the answer is no success.
            _Torn: the body did not arrive whole.
            OSError: there is no answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - demanded by __init__

        where = {} if key is None else {"Key": self._prefix + key}
        answer: dict[str, Any] = {}
        try:
            answer = getattr(self._client, operation)(Bucket=self._bucket, **where, **more)
            return {name: value.read() if name == "Body" else value for name, value in answer.items()}
        except ClientError as error:
            raise _Answered(str(error.response.get("Error", {}).get("Code"))) from None
        except (BotoCoreError, HTTPError, ValueError) as error:  # botocore wraps not all errors of a body
            name = type(error).__name__  # its text may quote a proxy's URL, with a password in it
            if answer:
                raise _Torn(name) from None
            verb = operation.title().replace("_", "")
            raise self._failure(verb, str(key or more.get("Prefix", "")), name) from None

    def _failure(self, operation: str, key: str, code: str) -> OSError:
        """Give the error that says what could not be done, where, and what to do."""
        number = errno.EACCES if code in {"AccessDenied", "403"} else errno.EIO
        hint = _HINTS.get("AccessDenied" if code == "403" else code) or hint_of("s3", code, _HINT)
        told = f"{operation}: {code}; {hint.format(where=self._where)}"
        return OSError(number, told, f"{self.url}/{key}")

    def crossed(self, key: str) -> OSError:
        """Give the error of a write that others kept crossing."""
        text = "PutObject: other writers were first each time; run again when they are done"
        return OSError(errno.EBUSY, text, f"{self.url}/{key}")

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - botocore makes it of a description
        return client("s3")


def tries(patience_s: float) -> Iterator[AttemptManager]:
    """Give tries of a write, until one is not crossed or patience ends; writers that meet drift apart."""
    return iter(
        Retrying(
            retry=retry_if_exception_type(Crossed),
            stop=stop_after_delay(patience_s),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            reraise=True,
        )
    )
