"""Sam local: `sam local invoke` of every event, in Docker, against a sandbox, S3 and SSM of this machine.

    .venv/bin/python tests/functions/sam_local.py

It needs Linux on x86_64, root, a `dockerd`, `debootstrap` and `iptables` (Debian: docker.io, debootstrap,
iptables), a Python 3.13 and the environment of `make test`. No registry is asked: a stand-in for Lambda's
image is made of Debian, that Python and the runtime's packages. Everything lies in build/sam-local and stays
there for the next time; the daemon is this script's own and ends with it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "layers/trimtab")]

from samcli.yamlhelper import yaml_dump, yaml_parse  # noqa: E402 - the path comes first

from lambda_kit import EVENTS, emulator, event, portfolio, sandbox  # noqa: E402 - as above
from layers_kit import keep, python313, runtime_packages  # noqa: E402 - as above
from s3_kit import BUCKET, ENVIRONMENT, make_bucket, moto_s3  # noqa: E402 - as above

WORK = (ROOT / "build/sam-local").resolve()
SOCKET = f"unix://{WORK}/docker.sock"
IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
BRIDGE = "172.17.0.1"
"""This machine, as containers on Docker's default bridge see it."""
EXPECTED = {
    "bad": "Misconfigured",
    "late": "closed",
    "dry_run": "dry_run",
    "empty": "traded",
    "scheduled": "in_band",
}
OVERRIDES = "Mode=paper Architecture=x86_64"
STARTED_S, INVOKED_S = 60, 300
PACKAGES = (
    *("ca-certificates", "libssl3", "libsqlite3-0", "libffi8", "zlib1g", "liblzma5", "libbz2-1.0"),
    *("libreadline8", "libncursesw6", "libuuid1", "tzdata"),
)
BOOTSTRAP = """#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_python3.13
export PYTHONPATH=/var/task:/opt/python/lib/python3.13/site-packages:/opt/python:/var/runtime
/var/lang/bin/python3.13 /var/runtime/forward.py 127.0.0.1 {bridge} $FORWARDED_PORTS &
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
"""


def run(*command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - subprocess's own
    """Run a command to its end; what it says is shown where it fails."""
    done = subprocess.run(command, check=False, text=True, capture_output=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:4]))} … failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def missing() -> list[str]:
    """Say what this machine lacks."""
    tools = {
        "dockerd": "docker.io",
        "docker": "docker.io",
        "debootstrap": "debootstrap",
        "iptables": "iptables",
    }
    lacks = [f"{tool} (Debian's {package})" for tool, package in tools.items() if not shutil.which(tool)]
    found = emulator()
    lacks += [found] if isinstance(found, str) else []
    lacks += [] if (ROOT / "template.yaml").is_file() else ["template.yaml"]
    return lacks + ([] if os.geteuid() == 0 else ["root, which dockerd and debootstrap want"])


@contextmanager
def daemon() -> Iterator[None]:
    """Run a Docker daemon of our own: its own socket, its own data."""
    WORK.mkdir(parents=True, exist_ok=True)
    places = [f"--data-root={WORK}/data", f"--exec-root={WORK}/exec", f"--pidfile={WORK}/dockerd.pid"]
    with (WORK / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(["dockerd", "-H", SOCKET, *places], stdout=log, stderr=log)
    try:
        due = time.monotonic() + STARTED_S
        while subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
            if process.poll() is not None or time.monotonic() > due:
                sys.exit(f"dockerd does not start: {(WORK / 'dockerd.log').read_text()[-1500:]}")
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(timeout=STARTED_S)
        # The daemon leaves its folder mounted upon itself, and nobody could remove it.
        subprocess.run(["umount", WORK / "data"], check=False, capture_output=True)


def mirror() -> str:
    """Give the Debian mirror that apt uses."""
    sources = [*Path("/etc/apt/sources.list.d").glob("*"), Path("/etc/apt/sources.list")]
    text = "\n".join(path.read_text() for path in sources if path.is_file())
    found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(https?://\S+?/debian)/?\s", text, re.MULTILINE)
    if found is None:
        raise SystemExit("missing: a Debian mirror in apt's sources, from which the stand-in image is made")
    return found[1]


def build_image() -> None:
    """Make the stand-in for Lambda's image, unless there is one."""
    if (
        subprocess.run(["docker", "image", "inspect", IMAGE], check=False, capture_output=True).returncode
        == 0
    ):
        return
    root = WORK / "rootfs"
    if not (root / "var/lang").is_dir():
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", root, mirror())
    prefix = Path(python313()).resolve().parents[1]
    ignored = shutil.ignore_patterns(
        "__pycache__", "*.a", "test", "site-packages", "idlelib", "tkinter", "ensurepip"
    )
    for part in ("bin", "lib"):
        shutil.copytree(
            prefix / part, root / "var/lang" / part, ignore=ignored, symlinks=True, dirs_exist_ok=True
        )
    shutil.copytree(runtime_packages(), root / "var/runtime", dirs_exist_ok=True)
    shutil.copy(ROOT / "tests/functions/forward.py", root / "var/runtime/forward.py")
    for folder in ("opt", "var/task", "var/rapid"):
        (root / folder).mkdir(exist_ok=True)
    bootstrap = root / "var/runtime/bootstrap"
    bootstrap.write_text(BOOTSTRAP.format(bridge=BRIDGE))
    bootstrap.chmod(0o755)
    settings = (
        "LANG=C.UTF-8",
        "PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH=/var/lang/lib",
    )
    settings += ("LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime", "TZ=:UTC")
    changes = [f"--change=ENV {setting}" for setting in settings] + ["--change=WORKDIR /var/task"]
    run("tar", "-C", root, "-cf", WORK / "rootfs.tar", ".")
    run("docker", "import", *changes, WORK / "rootfs.tar", IMAGE)
    (WORK / "rootfs.tar").unlink()


def sam(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - subprocess's own
    """Run SAM in the project."""
    return run(Path(sys.executable).parent / "sam", *arguments, cwd=ROOT, **more)


def build() -> None:
    """Build the stack for this machine, as `sam build` does for AWS."""
    path = f"{Path(python313()).parent}:{os.environ['PATH']}"
    environ = os.environ | {"PATH": path, "ARCH": "x86_64"}
    sam("build", "--build-dir", WORK / "built", "--parameter-overrides", OVERRIDES, env=environ)


def configure(environ: dict[str, str]) -> Path:
    """Write the built template with this environment, and give its path."""
    built = WORK / "built/template.yaml"
    template = yaml_parse(built.read_text())
    variables = template["Resources"]["RebalanceFunction"]["Properties"]["Environment"]["Variables"]
    for name in [name for name in variables if name.endswith("_PARAMETER")]:
        del variables[name]
    variables.update(environ)
    ours = built.with_name("local.yaml")
    ours.write_text(yaml_dump(template))
    return ours


def invoke(template: Path, name: str) -> Any:  # noqa: ANN401 - any JSON
    """Invoke the function with an event, and give its answer: SAM exits 0 whatever became of it."""
    done = sam(
        *("local", "invoke", "RebalanceFunction", "-t", template, "-e", EVENTS / f"{name}.json"),
        *("--skip-pull-image", "--parameter-overrides", OVERRIDES),
        timeout=INVOKED_S,
    )
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        sys.exit(f"{name}: no answer:\n{done.stdout}\n{done.stderr[-3000:]}")


def main() -> None:
    """Invoke every event, say what came of each, and fail where it is not what it should be."""
    if lacks := missing():
        sys.exit("make sam-local lacks: " + "; ".join(lacks))
    os.environ |= {"DOCKER_HOST": SOCKET, "SAM_CLI_TELEMETRY": "0"} | ENVIRONMENT
    with ExitStack() as stack:
        stack.enter_context(daemon())
        build_image()
        build()
        origin, served = stack.enter_context(moto_s3()), stack.enter_context(sandbox())
        make_bucket(origin, BUCKET)
        environ = portfolio(WORK, served.url)
        keep(origin, "main", Path(environ["TRIMTAB_CONFIG"]).read_bytes(), environ)
        ports = [str(urlsplit(url).port) for url in (origin, served.url)]
        forward = [sys.executable, ROOT / "tests/functions/forward.py", BRIDGE, "127.0.0.1", *ports]
        forwarder = subprocess.Popen(forward)
        stack.callback(forwarder.wait)
        stack.callback(forwarder.terminate)
        environ |= {"TRIMTAB_CONFIG": f"s3://{BUCKET}/main/config/main.json", "AWS_ENDPOINT_URL": origin}
        environ |= {"TRIMTAB_STORE__URL": f"s3://{BUCKET}/main", "FORWARDED_PORTS": " ".join(ports)}
        template = configure(environ)
        answers = {name: invoke(template, name) for name in EXPECTED}
    outcomes = {name: answer.get("outcome", answer.get("errorType")) for name, answer in answers.items()}
    for name, outcome in outcomes.items():
        sys.stdout.write(
            f"{name}: {outcome}, {len(answers[name].get('orders', ()))} orders sent; {event(name)}\n"
        )
    if outcomes != EXPECTED:
        sys.exit(f"it should have been {EXPECTED}: {json.dumps(answers)[:3000]}")


if __name__ == "__main__":
    main()
