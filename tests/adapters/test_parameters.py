from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from s3_kit import ENVIRONMENT, moto_s3
from scripted_http import Reply, ScriptedServer
from trimtab.adapters.parameters import read_parameters
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = {"APCA_API_KEY_ID": "/trimtab/main/key", "APCA_API_SECRET_KEY": "/trimtab/main/secret"}
VALUES = {"APCA_API_KEY_ID": "PKPARAM000KEY000ID0", "APCA_API_SECRET_KEY": "canary-of-a-parameters-value"}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Give an SSM."""
    with moto_s3() as made:
        yield made


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give credentials, and nothing of this machine's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def ssm(origin: str, aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a client of an SSM that holds both keys."""
    del aws  # it comes first
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", origin)
    with closing(botocore.session.get_session().create_client("ssm")) as client:
        for variable, name in NAMED.items():
            client.put_parameter(Name=name, Value=VALUES[variable], Type="SecureString", Overwrite=True)
        yield client


@pytest.fixture
def scripted(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Give an SSM that answers as told."""
    del aws  # it comes first
    with ScriptedServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", server.url)
        yield server


def refused(named: dict[str, str]) -> Misconfigured:
    """Give the error, which says where the value would be and never what it is."""
    with pytest.raises(Misconfigured) as raised:
        read_parameters(named)
    told = str(raised.value.document()) + repr(raised.value)
    assert not [value for value in (*VALUES.values(), *ENVIRONMENT.values()) if value in told]
    assert raised.value.hint
    return raised.value


def failure(code: str) -> Reply:
    """Give an error as SSM words it, with what it might repeat of a secret."""
    body = {"__type": code, "message": f"no, {ENVIRONMENT['AWS_ACCESS_KEY_ID']}"}
    return Reply(400, body, {"Content-Type": "application/x-amz-json-1.1"})


def answer(*parameters: dict[str, str]) -> Reply:
    """Give what SSM says of these parameters."""
    found = {"Parameters": list(parameters), "InvalidParameters": []}
    return Reply(200, found, {"Content-Type": "application/x-amz-json-1.1"})


@pytest.mark.usefixtures("ssm")
def test_both_are_read_decrypted() -> None:
    """Each value by its variable."""
    assert read_parameters(NAMED) == VALUES


def test_nothing_is_asked_for_nothing(scripted: ScriptedServer) -> None:
    """Who names no parameter pays for none."""
    assert read_parameters({}) == {}
    assert not scripted.asked


def test_one_request_reads_all(scripted: ScriptedServer) -> None:
    """Also where two variables are of one parameter, and ends of lines do not count."""
    scripted.on("POST", "/", answer({"Name": "/a", "Value": "one\n"}, {"Name": "/b", "Value": " two"}))
    assert read_parameters({"A": "/a", "B": "/b", "C": "/a"}) == {"A": "one", "B": "two", "C": "one"}
    assert [asked.body for asked in scripted.asked] == [b'{"Names": ["/a", "/b"], "WithDecryption": true}']


def test_a_changed_value_is_seen_by_the_next_call(ssm: Any) -> None:  # noqa: ANN401 - botocore's
    """A key that was replaced must not need a restart."""
    assert read_parameters(NAMED) == VALUES
    ssm.put_parameter(Name=NAMED["APCA_API_KEY_ID"], Value="PKNEW", Type="SecureString", Overwrite=True)
    assert read_parameters(NAMED)["APCA_API_KEY_ID"] == "PKNEW"


@pytest.mark.parametrize(
    "name", ["/a", "/a:3", "arn:aws:ssm:us-east-1:1:parameter/a", "arn:aws:ssm:us-east-1:1:parameter/a:3"]
)
def test_a_parameter_is_found_by_any_of_its_names(scripted: ScriptedServer, name: str) -> None:
    """Plain or as an ARN, with a version or without."""
    selector = ":3" if name.endswith(":3") else ""
    found = {"Name": "/a", "ARN": "arn:aws:ssm:us-east-1:1:parameter/a", "Value": "one", "Selector": selector}
    scripted.on("POST", "/", answer(found))
    assert read_parameters({"A": name}) == {"A": "one"}


@pytest.mark.usefixtures("ssm")
def test_an_absent_parameter_is_named() -> None:
    """And only that one."""
    error = refused(NAMED | {"TRIMTAB_ALERT_URLS": "/trimtab/main/nowhere"})
    assert error.code == "parameter_missing"
    assert "/trimtab/main/nowhere is not there" in error.message
    assert NAMED["APCA_API_KEY_ID"] not in str(error)
    assert "TRIMTAB_ALERT_URLS_PARAMETER" in str(error.seen)


def test_an_empty_parameter_is_no_secret(scripted: ScriptedServer) -> None:
    """SSM takes a blank."""
    scripted.on("POST", "/", answer({"Name": "/a", "Value": " \n"}, {"Name": "/b", "Value": "x"}))
    error = refused({"A": "/a", "B": "/b"})
    assert (error.code, error.message) == ("parameter_empty", "the SSM parameter /a holds nothing")


@pytest.mark.parametrize(
    ("code", "expected", "hint"),
    [
        ("AccessDeniedException", "parameter_denied", "ssm:GetParameters"),
        ("ExpiredTokenException", "parameter_unreadable", "sign in again"),
        ("UnrecognizedClientException", "parameter_unreadable", "credentials"),
        ("InvalidKeyId", "parameter_unreadable", "run again"),
    ],
)
def test_what_ssm_refuses_says_what_to_do(
    scripted: ScriptedServer, code: str, expected: str, hint: str
) -> None:
    """The names that were asked for, AWS's code, and what to do."""
    scripted.on("POST", "/", failure(code))
    error = refused(NAMED)
    assert error.code == expected
    assert code in str(error.seen)
    assert hint in error.hint
    assert all(name in error.message for name in NAMED.values())


def test_a_throttled_request_is_made_again(scripted: ScriptedServer) -> None:
    """Passing trouble passes."""
    parameter = {"Name": "/a", "Value": "one"}
    scripted.on("POST", "/", [failure("ThrottlingException"), Reply(500), answer(parameter)])
    assert read_parameters({"A": "/a"}) == {"A": "one"}
    assert len(scripted.asked) == 3


def test_throttling_without_end_is_an_error(scripted: ScriptedServer) -> None:
    """It is asked four times, and no more."""
    scripted.on("POST", "/", failure("ThrottlingException"))
    error = refused(NAMED)
    assert (error.code, str(error.seen).split(",")[0]) == ("parameter_unreadable", "ThrottlingException")
    assert len(scripted.asked) == 4


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:9", "EndpointConnectionError"),
        ("AWS_ENDPOINT_URL_SSM", "://user:canary@host", "ValueError"),
        ("AWS_ACCESS_KEY_ID", "", "NoCredentialsError"),
        ("AWS_DEFAULT_REGION", None, "NoRegionError"),
    ],
)
@pytest.mark.usefixtures("scripted")
def test_what_keeps_ssm_from_being_asked_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, code: str
) -> None:
    """No network, no credentials, no region."""
    monkeypatch.delenv(name)
    if value is not None:
        monkeypatch.setenv(name, value)
    error = refused(NAMED)
    assert (error.code, str(error.seen).split(",")[0]) == ("parameter_unreadable", code)
    assert "canary" not in str(error)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"])
@pytest.mark.usefixtures("aws")
def test_no_secret_crosses_a_network_in_the_clear(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Plain HTTP to another machine is refused before anything is sent."""
    monkeypatch.setenv(name, "http://ssm.example.com:8000")
    error = refused(NAMED)
    assert (error.code, error.seen) == ("endpoint_not_allowed", "http://ssm.example.com")


WITHOUT_IT = """
import sys
sys.modules["botocore"] = None
from trimtab.adapters.parameters import read_parameters
from trimtab.errors import Misconfigured
try:
    read_parameters({"APCA_API_KEY_ID": "/x"})
except Misconfigured as error:
    print(error.code, error.message)
"""


def test_without_boto3_the_extra_is_named() -> None:
    """The message says which variable asked for it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_IT], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.startswith("boto3_missing APCA_API_KEY_ID_PARAMETER is kept by AWS")
