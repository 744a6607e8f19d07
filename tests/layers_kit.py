"""Layers kit: what is deployed, built once, and laid out as Lambda lays it out."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest

from s3_kit import BUCKET, ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
LIMIT = 262_144_000
"""Bytes of a function and its layers, unzipped (source: AWS Lambda Developer Guide, "Lambda quotas")."""
OF_THE_RUNTIME = (
    *("awslambdaric", "boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "simplejson", "six"),
    *("snapshot-restore-py", "urllib3"),
)
"""What Lambda's own Python brings, as far as it matters here; at the versions that all tests run with."""
_UNREACHED = re.compile(r"No matching distribution|NewConnectionError|ConnectionError|Could not fetch URL")
BUILD_S = 900


@cache
def python313() -> str:
    """Give a Python 3.13 that runs; the test is skipped where there is none."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    found = [shutil.which("python3.13"), *(p for root in roots for p in root.glob("3.13.*/bin/python3.13"))]
    for path in filter(None, found):
        if subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:
            return str(path)
    pytest.skip("there is no python3.13, which is Lambda's")


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process of the tests build at a time."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "layers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    """Run a build; the test is skipped where the index of packages can't be reached, and fails otherwise."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=BUILD_S)
    if done.returncode and _UNREACHED.search(done.stderr):
        pytest.skip(f"the index of packages can't be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr


@cache
def dependencies(architecture: str) -> Path:
    """Give the built layer of dependencies, built now where its lock or recipe changed."""
    python = python313()
    with _alone():
        _run("make", f"dependencies-{architecture}", f"PYTHON313={python}")
    return BUILD / "layers" / architecture / "dependencies"


def trimtab_layer(folder: Path) -> Path:
    """Build Trimtab's own layer into a folder, and give that."""
    python = python313()
    _run("make", "-C", "layers/trimtab", "build-TrimtabLayer", f"PYTHON={python}", f"ARTIFACTS_DIR={folder}")
    return folder


@cache
def runtime_packages() -> Path:
    """Give a folder with what Lambda's runtime brings, for its Python, from the lock of all tests."""
    text = (ROOT / "requirements/dev.txt").read_text()
    pins = re.findall(rf"^(?:{'|'.join(OF_THE_RUNTIME)})==.*(?:\n .*)*", text, re.MULTILINE)
    assert len(pins) == len(OF_THE_RUNTIME)
    lock = "\n".join(pins) + "\n"
    made = BUILD / f"runtime-{hashlib.sha256(lock.encode()).hexdigest()[:12]}"
    with _alone():
        if not made.exists():
            draft = made.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            (draft / "requirements.txt").write_text(lock)
            pip = (python313(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            where = ("--target", str(draft), "--requirement", str(draft / "requirements.txt"))
            _run(*pip, "--root-user-action", "ignore", "--require-hashes", "--no-deps", *where)
            draft.rename(made)
    return made


def layers(folder: Path) -> Path:
    """Lay both layers out as Lambda does below /opt, and give that folder's `python`.

    What stands in both is an error: Lambda would let the later layer win.
    """
    opt = folder / "opt/python"
    opt.mkdir(parents=True)
    for layer in (dependencies("x86_64"), trimtab_layer(folder / "trimtab-layer")):
        for entry in (layer / "python").iterdir():
            if entry.name != "__pycache__":
                (opt / entry.name).symlink_to(entry)
    return opt


def lambda_python() -> tuple[str, ...]:
    """Give the command of Lambda's Python: no packages of this machine's, and warnings are errors."""
    return (python313(), "-S", "-s", "-W", "error")


def lambda_path(opt: Path, task: Path) -> dict[str, str]:
    """Give the environment in which Lambda's Python finds function, layers and runtime, in its order."""
    path = (task, opt, runtime_packages())
    return {"PYTHONPATH": ":".join(map(str, path)), "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}


def keep(origin: str, name: str, config: bytes, environ: dict[str, str]) -> None:
    """Put the configuration into the bucket, and the keys into SSM in place of the environment."""
    session = botocore.session.get_session()
    session.set_credentials(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
    s3, ssm = (session.create_client(kind, "us-east-1", endpoint_url=origin) for kind in ("s3", "ssm"))
    s3.put_object(Bucket=BUCKET, Key=f"{name}/config/main.json", Body=config)
    for variable in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        parameter = f"/{name}/{variable}"
        ssm.put_parameter(Name=parameter, Value=environ.pop(variable), Type="SecureString")
        environ[f"{variable}_PARAMETER"] = parameter
    s3.close()
    ssm.close()


def task_folder(folder: Path, **strategies: str) -> Path:
    """Copy the function to a folder, with these modules in `strategies/`, and give it."""
    task = folder / "task"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "functions/rebalance", task, ignore=ignored)
    for name, source in strategies.items():
        (task / "strategies").mkdir(exist_ok=True)
        (task / f"strategies/{name}.py").write_text(source)
    return task


if sys.platform != "linux":  # the layers are Linux's, and so is their emulator
    pytest.skip("the layers run on Linux", allow_module_level=True)
