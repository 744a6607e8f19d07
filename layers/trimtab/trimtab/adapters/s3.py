"""S3: the records' blobs as objects of a bucket, and trades.db as one object that is swapped whole.

Every write is conditional (`If-None-Match: *`, or `If-Match` with the ETag that was read), so of racing
writers S3 lets one pass and tells the others (source: Amazon S3 User Guide, "How to prevent object overwrites
with conditional writes"). Each write carries a random mark in the object's metadata: when an answer is lost
and the request is repeated, the refusal that follows is known by it as one's own success.

Credentials, region and endpoint come from where every AWS tool finds them, and no error repeats any of them.
"""

from __future__ import annotations

import errno
import secrets
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from trimtab.adapters.directory import demand_key, demand_prefix
from trimtab.adapters.sqlite import damaged, migrate, translate, write
from trimtab.errors import Halted, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tenacity import AttemptManager

__all__ = ["S3Store", "S3Trades"]

CONNECT_S, READ_S, ATTEMPTS = 3, 10, 4
"""Of one request: seconds to connect and between two bytes, and how often it is made at most."""
PATIENCE_S = 60.0
"""How long a write is tried again that others' writes keep crossing, seconds."""
BODIES = 2
"""How often an object is read whose body arrives cut short or garbled."""
MARK = "trimtab-write"
"""The metadata's key of a write's mark."""

_ABSENT = frozenset({"NoSuchKey"})
_CROSSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
"""What a conditional write is refused with where another was first, is under way, or deleted the object."""
_HINTS = {
    "AccessDenied": "allow it in the role's or user's policy: docs/store.md lists the permissions",
    "NoSuchBucket": "make the bucket, or name another in store.url",
    "NoCredentialsError": "give credentials where every AWS tool finds them: role, profile, environment",
    "ExpiredToken": "sign in again",
    "InvalidAccessKeyId": "check the credentials, and the profile they come from",
    "SignatureDoesNotMatch": "check the credentials, and the machine's clock",
    "RequestTimeTooSkewed": "set the machine's clock",
    "ValueError": "check AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3: they are URLs, or not set",
}
_HINT = "check the network and the bucket, and run again"
_WAL = b"\x02\x02"
"""Bytes 18 and 19 of a database in WAL mode (source: sqlite.org/fileformat.html, 1.3)."""


class _Crossed(Exception):  # noqa: N818 - a state of the object, not an error
    """Another write was first, or is under way."""


class _Answered(Exception):  # noqa: N818 - an answer, not an error
    """S3 answered with something else than success; `args[0]` is the code it gave."""


class _Torn(Exception):  # noqa: N818 - a state of the connection, not an error
    """A body did not arrive whole."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """An object as it was read or written: its bytes, its version's ETag, the mark of its write."""

    data: bytes
    etag: str
    mark: str | None


class _Bucket:
    """The objects below `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        _demand_library()
        self.url = url.rstrip("/")
        self._bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""

    def get(self, key: str, known: _Blob | None = None) -> _Blob | None:
        """Give an object, or None; `known` itself where it still is as it was.

        Raises:
            OSError: it can't be read.
        """
        more = {} if known is None else {"IfNoneMatch": known.etag}
        for left in reversed(range(BODIES)):
            try:
                answer = self._ask("get_object", key, **more)
                return _Blob(answer["Body"], answer["ETag"], answer["Metadata"].get(MARK))
            except _Torn as error:
                if not left:
                    raise self._failure("GetObject", key, str(error)) from None
            except _Answered as answered:
                if known is not None and answered.args[0] == "304":
                    return known
                if answered.args[0] in _ABSENT:
                    return None
                raise self._failure("GetObject", key, *answered.args) from None
        raise AssertionError  # the last one left by a return or a raise

    def put(self, key: str, data: bytes, mark: str, *, over: _Blob | None) -> _Blob:
        """Write an object over the one that was read, or where none is.

        Raises:
            _Crossed: there is another than that by now, or another write is under way.
            OSError: it can't be written.
        """
        condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
        try:
            answer = self._ask("put_object", key, Body=data, Metadata={MARK: mark}, **condition)
        except _Answered as answered:
            if answered.args[0] in _CROSSED:
                raise _Crossed from None
            raise self._failure("PutObject", key, *answered.args) from None
        return _Blob(data, answer["ETag"], mark)

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
        except (BotoCoreError, ValueError) as error:
            name = type(error).__name__  # its text may quote a proxy's URL, with a password in it
            if answer:
                raise _Torn(name) from None
            verb = operation.title().replace("_", "")
            raise self._failure(verb, str(key or more.get("Prefix", "")), name) from None

    def _failure(self, operation: str, key: str, code: str) -> OSError:
        """Give the error that says what could not be done, where, and what to do."""
        number = errno.EACCES if code in {"AccessDenied", "403"} else errno.EIO
        hint = _HINTS.get("AccessDenied" if code == "403" else code, _HINT)
        return OSError(number, f"{operation}: {code}; {hint}", f"{self.url}/{key}")

    def crossed(self, key: str) -> OSError:
        """Give the error of a write that others kept crossing."""
        text = "PutObject: other writers were first each time; run again when they are done"
        return OSError(errno.EBUSY, text, f"{self.url}/{key}")

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - botocore makes it of a description
        import botocore.session  # noqa: PLC0415 - demanded by __init__
        from botocore.config import Config  # noqa: PLC0415 - as above

        retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=retries)
        return botocore.session.get_session().create_client("s3", config=config)


class S3Store:
    """Named blobs as objects below `s3://bucket/prefix`.

    `patience_s` is how long a write is tried again that others' writes keep crossing.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self._bucket = _Bucket(url)
        self.url = self._bucket.url
        self._patience_s = patience_s

    def get(self, key: str) -> bytes | None:
        """Give the blob, or None if there is none.

        Raises:
            OSError: the store can't be read.
            ValueError: the key is not one.
        """
        found = self._bucket.get(demand_key(key))
        return None if found is None else found.data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key exists; say whether this call stored it. Atomic among all writers.

        Raises:
            OSError: the store can't be written.
            ValueError: the key is not one.
        """
        demand_key(key)
        mark = secrets.token_hex(16)
        try:
            for attempt in _tries(self._patience_s):
                with attempt:
                    return self._put(key, data, mark)
        except _Crossed:
            raise self._bucket.crossed(key) from None
        raise AssertionError  # the tries end in a return or a raise

    def _put(self, key: str, data: bytes, mark: str) -> bool:
        try:
            self._bucket.put(key, data, mark, over=None)
        except _Crossed:
            there = self._bucket.mark(key)
            if there is None:  # the other write is not done, or its object was deleted: ask again
                raise
            return there[0] == mark
        return True

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give every key that starts with `prefix` (which ends in `/`), in ascending order.

        Raises:
            OSError: the store can't be read.
            ValueError: the prefix does not end in `/`, or is no key before it.
        """
        return tuple(sorted(filter(_is_key, self._bucket.keys(demand_prefix(prefix)))))

    def delete(self, key: str) -> None:
        """Remove a blob; absent is fine.

        Raises:
            OSError: the store can't be written.
            ValueError: the key is not one.
        """
        self._bucket.delete(demand_key(key))


class S3Trades:
    """trades.db as one object, read whole, changed in memory, and swapped for the version that was read.

    Every call raises `Halted` when the database is damaged, of a newer version or in WAL mode, and `OSError`
    when the object can't be read or written. What was read is kept and asked for again by its ETag.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self._bucket = _Bucket(url)
        self._name = f"{self._bucket.url}/{_TRADES}"
        self._patience_s = patience_s
        self._kept: _Blob | None = None

    def add(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Write a record's rows, by table name, whole or not at all; a row that is there already is replaced.

        Where another writer was first, its version is read and the rows are written into that.

        Raises:
            ValueError: a table or a column is unknown, or a time has no zone.
            Halted, OSError: as above.
        """
        mark = secrets.token_hex(16)
        try:
            for attempt in _tries(self._patience_s):
                with attempt:
                    self._swap(rows, mark)
        except _Crossed:
            raise self._bucket.crossed(_TRADES) from None

    def _swap(self, rows: Mapping[str, Sequence[Mapping[str, object]]], mark: str) -> None:
        seen = self._newest()
        if seen is not None and seen.mark == mark:
            return  # an earlier try was stored, and its answer lost
        with self._opened(seen) as database:
            write(database, rows)
            data = database.serialize()
        self._kept = self._bucket.put(_TRADES, data, mark, over=seen)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a read-only query as dicts. Where there is no object yet, every table is empty.

        Raises:
            sqlite3.Error: the SQL is wrong, or would write.
            Halted, OSError: as above.
        """
        with self._opened(self._newest()) as database:
            database.execute("PRAGMA query_only = ON")
            return [dict(row) for row in database.execute(sql, tuple(parameters))]

    def _newest(self) -> _Blob | None:
        """Give the object as it is now, which was found whole; None where there is none."""
        found = self._bucket.get(_TRADES, self._kept)
        if found is not self._kept and found is not None:
            self._judge(found.data)
        self._kept = found
        return found

    def _judge(self, data: bytes) -> None:
        """Refuse what no version of ours left there.

        Raises:
            Halted: the database is damaged, or in a mode that needs a second file.
        """
        if data[18:20] == _WAL:
            raise Halted(
                "journal_mode",
                f"{self._name} was put there in WAL mode, so a part of it may be missing",
                seen="wal",
                allowed="delete",
                hint="move it away: the next run that is not dry makes it anew from the records",
            )
        with self._told(), _loaded(data) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise damaged(self._name, said)

    @contextmanager
    def _opened(self, blob: _Blob | None) -> Iterator[sqlite3.Connection]:
        with self._told(), _loaded(b"" if blob is None else blob.data) as database:
            database.row_factory = sqlite3.Row
            migrate(database, self._name)
            yield database

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            translate(error, self._name, writing=False)
            raise


_TRADES = "trades.db"


@contextmanager
def _loaded(data: bytes) -> Iterator[sqlite3.Connection]:
    """Give a database in memory that holds `data`; an empty one of nothing."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        if data:
            database.deserialize(data)
        yield database


def _tries(patience_s: float) -> Iterator[AttemptManager]:
    """Give tries of a write, until one is not crossed or patience ends; writers that meet drift apart."""
    return iter(
        Retrying(
            retry=retry_if_exception_type(_Crossed),
            stop=stop_after_delay(patience_s),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            reraise=True,
        )
    )


def _is_key(key: str) -> bool:
    """Say whether an object may be one of ours: a console's folder or a hidden file is none."""
    try:
        demand_key(key)
    except ValueError:
        return False
    return True


def _demand_library() -> None:
    """Refuse a store in S3 where nothing can speak to it.

    Raises:
        Misconfigured: botocore, which comes with boto3, is not installed.
    """
    if find_spec("botocore") is None:
        raise Misconfigured(
            "boto3_missing",
            "store.url is in S3, and boto3, which speaks to it, is not installed",
            seen="s3://",
            allowed="a directory; s3:// where boto3 is installed",
            hint="pip install 'trimtab[aws]'",
        )
