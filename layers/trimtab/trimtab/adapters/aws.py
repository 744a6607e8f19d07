"""Aws: clients of AWS's services, each made alike: patient, and never over plain HTTP on a network.

Credentials, region and endpoint come from where every AWS tool finds them, and no error repeats any of them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from trimtab.adapters.loopback import is_loopback
from trimtab.errors import Misconfigured

__all__ = ["client", "demand_library", "hint_of"]

CONNECT_S, READ_S, ATTEMPTS = 3, 10, 4
"""Of one request: seconds to connect and between two bytes, and how often it is made at most."""

_HINTS = {
    "NoCredentialsError": "give credentials where every AWS tool finds them: role, profile, environment",
    "NoRegionError": "name the region where every AWS tool finds it, such as AWS_REGION",
    "ExpiredToken": "sign in again",
    "ExpiredTokenException": "sign in again",
    "InvalidAccessKeyId": "check the credentials, and the profile they come from",
    "UnrecognizedClientException": "check the credentials, and the profile they come from",
    "SignatureDoesNotMatch": "check the credentials, and the machine's clock",
    "InvalidSignatureException": "check the credentials, and the machine's clock",
    "RequestTimeTooSkewed": "set the machine's clock",
    "ValueError": "check AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_{service}: they are URLs, or not set",
}


def client(service: str) -> Any:  # noqa: ANN401 - botocore makes it of a description
    """Give a client of `service` (`s3`, `ssm`).

    Raises:
        Misconfigured: it would speak plain HTTP to another machine.
        botocore.exceptions.BotoCoreError, ValueError: endpoint, region or profile are not usable.
    """
    import botocore.session  # noqa: PLC0415 - only who asks AWS pays for it
    from botocore.config import Config  # noqa: PLC0415 - as above

    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=retries)
    session = botocore.session.get_session()
    session.register_component("data_loader", _descriptions())
    made = session.create_client(service, config=config)
    _judge_endpoint(service, made.meta.endpoint_url)
    return made


@cache
def _descriptions() -> Any:  # noqa: ANN401 - botocore's loader
    """Give the services' descriptions, read once a process: each reading takes 12 MB and 0.1 s or more.

    A session, which holds credentials and endpoints, is made anew for each client.
    """
    import botocore.loaders  # noqa: PLC0415 - as above

    return botocore.loaders.create_loader()


def _judge_endpoint(service: str, url: str) -> None:
    """Refuse what would show records or secrets to a network, wherever the endpoint was named.

    Raises:
        Misconfigured: code `endpoint_not_allowed`.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or is_loopback(host):
        return
    name = f"AWS_ENDPOINT_URL_{service.upper()}"
    raise Misconfigured(
        "endpoint_not_allowed",
        f"AWS's {service.upper()} would be asked over plain HTTP on another machine",
        seen=f"{parts.scheme}://{host}",
        allowed="https://, or http:// on loopback",
        hint=f"mend AWS_ENDPOINT_URL, {name} or the profile's endpoint_url, or unset them",
    )


def hint_of(service: str, code: str, otherwise: str) -> str:
    """Say what to do about an error of AWS's that any service may give."""
    return _HINTS.get(code, otherwise).format(service=service.upper())


def demand_library(what: str, instead: str) -> None:
    """Refuse what needs AWS where nothing can speak to it; `what` and `instead` word the error.

    Raises:
        Misconfigured: botocore, which comes with boto3, is not installed.
    """
    if find_spec("botocore") is None:
        raise Misconfigured(
            "boto3_missing",
            f"{what}, and boto3, which speaks to it, is not installed",
            seen="no boto3",
            allowed=instead,
            hint="pip install 'trimtab[aws]'",
        )
