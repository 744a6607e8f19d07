from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts.store_suite import OpenStore, StoreLaws
from s3_kit import BUCKET, ENVIRONMENT, Fault, make_bucket, put_raw
from scripted_http import Reply, ScriptedServer
from trimtab.adapters.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from s3_kit import Wire
    from scripted_http import Asked

KEY = "plans/main/2020-03-16.json"


class TestS3Store(StoreLaws):
    """The store in S3 keeps the laws of a store."""

    processes = 2

    @pytest.fixture
    def open_store(self, url: str) -> OpenStore:
        """Give a store below a prefix of its own."""
        return partial(S3Store, url)

    @pytest.fixture
    def plant(self, url: str) -> Callable[[str], object]:
        """Give what puts an object as any program may."""
        return lambda name: put_raw(url, name, b"{}")


def test_a_store_may_be_a_whole_bucket(url: str, origin: str) -> None:
    """Without a prefix the keys stand at the bucket's root."""
    del url
    make_bucket(origin, "whole")
    store = S3Store("s3://whole/")
    assert store.put_if_absent(KEY, b"plan") is True
    assert store.list("plans/") == (KEY,)
    assert store.url == "s3://whole"


PAGE = """<ListBucketResult><Name>records</Name><Prefix>a/told/</Prefix>
<IsTruncated>{more}</IsTruncated>{after}
<Contents><Key>a/told/{key}</Key><Size>0</Size></Contents></ListBucketResult>"""


def test_reads_every_page_of_keys(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 gives a thousand keys a page: it is asked for the next until there is none."""
    del url

    def page(asked: Asked) -> Reply:
        if asked.query.get("continuation-token"):
            return Reply(200, PAGE.format(more="false", after="", key="1").encode())
        after = "<NextContinuationToken>t/+=</NextContinuationToken>"
        return Reply(200, PAGE.format(more="true", after=after, key="2").encode())

    with ScriptedServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        server.on("GET", f"/{BUCKET}", page)
        assert S3Store(f"s3://{BUCKET}/a").list("told/") == ("told/1", "told/2")
        assert server.asked[1].query["continuation-token"] == "t/+="


def test_what_is_no_key_of_ours_is_not_listed(url: str) -> None:
    """A console's folder, which is an empty object with a slash at its end, is none."""
    store = S3Store(url)
    put_raw(url, "told/main/", b"")
    store.put_if_absent("told/main/1", b"")
    assert store.list("told/") == ("told/main/1",)


def test_a_put_whose_answer_was_lost_is_ones_own(url: str, wire: Wire) -> None:
    """The request is repeated and S3 refuses it: by its mark this call knows that it stored the blob."""
    store = S3Store(url)
    wire.once("PUT", Fault(lost=True))
    assert store.put_if_absent(KEY, b"plan") is True
    assert wire.methods() == ["PUT", "PUT", "HEAD"]
    assert store.get(KEY) == b"plan"
    assert S3Store(url).put_if_absent(KEY, b"plan") is False


def test_a_conflict_is_asked_again(url: str, wire: Wire) -> None:
    """409 says that another write is under way: where nothing came of it, this one is stored."""
    conflict = Fault(status=409, code="ConditionalRequestConflict")
    wire.once("PUT", conflict, conflict)
    assert S3Store(url).put_if_absent(KEY, b"plan") is True
    assert S3Store(url).get(KEY) == b"plan"


def test_a_conflict_with_a_write_that_came_first_is_lost(url: str, wire: Wire) -> None:
    """409 where another's blob stands: this call stored nothing."""
    assert S3Store(url).put_if_absent(KEY, b"theirs") is True
    wire.once("PUT", Fault(status=409, code="ConditionalRequestConflict"))
    assert S3Store(url).put_if_absent(KEY, b"ours") is False
    assert S3Store(url).get(KEY) == b"theirs"


def test_conflicts_without_end_are_an_os_error(url: str, wire: Wire) -> None:
    """Patience has an end."""
    wire.judge = lambda asked: (
        Fault(status=409, code="ConditionalRequestConflict") if asked.method == "PUT" else None
    )
    with pytest.raises(OSError, match="other writers") as caught:
        S3Store(url, patience_s=0.2).put_if_absent(KEY, b"plan")
    assert caught.value.filename == f"{url}/{KEY}"


@pytest.mark.parametrize("status", [500, 503])
def test_a_passing_failure_is_asked_again(url: str, wire: Wire, status: int) -> None:
    """What S3 says of itself is tried again, reads and writes alike."""
    store = S3Store(url)
    wire.once("PUT", Fault(status=status, code="InternalError"))
    assert store.put_if_absent(KEY, b"plan") is True
    wire.once("GET", Fault(status=status, code="InternalError"))
    assert store.get(KEY) == b"plan"


@pytest.mark.parametrize("fault", [Fault(cut=True), Fault(garbled=True)], ids=["cut", "garbled"])
def test_a_torn_body_is_read_again_and_never_given(url: str, wire: Wire, fault: Fault) -> None:
    """A body cut short, or with another checksum than S3 kept, is not the blob."""
    store = S3Store(url)
    store.put_if_absent(KEY, b"the whole plan")
    wire.once("GET", fault)
    assert store.get(KEY) == b"the whole plan"
    wire.judge = lambda asked: fault if asked.method == "GET" else None
    with pytest.raises(OSError, match="GetObject"):
        store.get(KEY)


def certificate(folder: Path) -> Path:
    """Write a key and a certificate of loopback's, signed by itself, in one file."""
    key, day = ec.generate_private_key(ec.SECP256R1()), timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - day)
        .not_valid_after(datetime.now(UTC) + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file = folder / "loopback.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


class Tls(BaseHTTPRequestHandler):
    """Answers each GET with one blob; while `spoilt` is left, with a broken record of TLS in its middle."""

    protocol_version = "HTTP/1.1"
    spoilt = 0

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"the ")
        if Tls.spoilt:
            Tls.spoilt -= 1
            os.write(self.connection.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))  # past the encryption
            self.close_connection = True
        else:
            self.wfile.write(b"plan")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def tls(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Tls]]:
    """Give an S3 over TLS, which the environment leads to and trusts."""
    del url
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with ThreadingHTTPServer(("127.0.0.1", 0), Tls) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
        yield Tls
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("spoilt", [1, 2])
def test_a_body_that_tls_refuses_is_read_again_and_never_given(tls: type[Tls], spoilt: int) -> None:
    """A fault of the encryption in a body's middle is one of the connection: read again, then an OSError."""
    tls.spoilt = spoilt
    store = S3Store(f"s3://{BUCKET}/a")
    if spoilt == 1:
        assert store.get(KEY) == b"the plan"
    else:
        with pytest.raises(OSError, match="GetObject: SSLError"):
            store.get(KEY)
    assert tls.spoilt == 0


REFUSED = [
    (403, "AccessDenied", PermissionError, "policy"),
    (404, "NoSuchBucket", OSError, "make the bucket"),
    (400, "ExpiredToken", OSError, "sign in"),
    (403, "InvalidAccessKeyId", OSError, "credentials"),
    (418, "Odd", OSError, "network"),
]


@pytest.mark.parametrize(("status", "code", "kind", "hint"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_s3_refuses_is_an_error_that_says_what_to_do(
    url: str, wire: Wire, status: int, code: str, kind: type[OSError], hint: str
) -> None:
    """Never "absent": operation, code, object and hint, and nothing of the credentials."""
    wire.judge = lambda _: Fault(status=status, code=code)
    store = S3Store(url)
    for call in (
        lambda: store.get(KEY),
        lambda: store.put_if_absent(KEY, b""),
        lambda: store.list("plans/"),
        lambda: store.delete("HALT"),
    ):
        with pytest.raises(kind, match=code) as caught:
            call()
        assert hint in str(caught.value)
        assert str(caught.value.filename).startswith(url)
        assert not [secret for secret in ENVIRONMENT.values() if secret in repr(caught.value)]


def test_a_bucket_that_is_not_there_is_an_os_error(url: str) -> None:
    """An empty store and no store are two things."""
    del url
    with pytest.raises(OSError, match="NoSuchBucket"):
        S3Store("s3://nowhere/a").get(KEY)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9", "EndpointConnectionError"),
        ("AWS_ENDPOINT_URL_S3", "://user:canary@host", "ValueError"),
        ("AWS_ACCESS_KEY_ID", "", "NoCredentialsError"),
        ("AWS_PROFILE", "canary", "ProfileNotFound"),
    ],
)
def test_what_keeps_s3_from_being_asked_is_an_os_error(
    url: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str
) -> None:
    """A bad endpoint, or credentials that are not there, in the same form, without repeating any of it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match=code) as caught:
        S3Store(url).get(KEY)
    assert "canary" not in str(caught.value)


WITHOUT_IT = """
import sys
sys.modules["botocore"] = None
from trimtab.adapters.stores import open_store
from trimtab.errors import Misconfigured
try:
    open_store("s3://bucket/prefix")
except Misconfigured as error:
    print(error.code, error.hint)
"""


def test_without_boto3_the_extra_is_named() -> None:
    """Who has no store in S3 needs no boto3; who has one is told how to get it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_IT], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout == "boto3_missing pip install 'trimtab[aws]'\n"
