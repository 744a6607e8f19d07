from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from s3_kit import BUCKET, ENVIRONMENT, make_bucket, moto_s3, wire_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s3_kit import Wire


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """Give an S3 with a bucket."""
    with moto_s3() as made:
        make_bucket(made, BUCKET)
        yield made


@pytest.fixture
def url(origin: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a store's URL that nobody used yet, and the environment that leads there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL_S3": origin}).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def wire(url: str, origin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Give a wire before that S3."""
    del url  # its environment comes first
    with wire_to(origin) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", made.url)
        yield made
