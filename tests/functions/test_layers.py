"""The layers as they are built: what is in them, for which machine, and that it fits and can be imported."""

from __future__ import annotations

import json
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from layers_kit import (
    LIMIT,
    ROOT,
    dependencies,
    lambda_path,
    lambda_python,
    layers,
    task_folder,
    trimtab_layer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOM = 1 / 8
"""The part of Lambda's limit that stays free, for strategies, their layers and the next version of polars."""
MACHINES = {"x86_64": 62, "arm64": 183}
"""`e_machine` of an ELF file: EM_X86_64 and EM_AARCH64 (source: elf(5))."""
NEEDED = (
    "polars",
    "_polars_runtime_32",
    "numpy",
    "pydantic",
    "alpaca",
    "aws_lambda_powertools",
    "apprise",
    "tzdata",
)
BROUGHT = ("boto3", "botocore", "pandas", "streamlit", "scipy", "pytest")

PROBE = """
import importlib, json, sys
from pathlib import Path
site, done = Path(sys.argv[1]), []
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
    done.append(name)
    where = Path(sys.modules[name].__file__)
    assert site in where.parents, where
print(json.dumps(done))
"""


@pytest.fixture(scope="module", params=MACHINES)
def architecture(request: pytest.FixtureRequest) -> str:
    """Each that a stack can be deployed for."""
    return str(request.param)


@pytest.fixture(scope="module")
def site(architecture: str) -> Path:
    """The packages of the built layer."""
    return dependencies(architecture) / "python"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trimtab's own built layer."""
    return trimtab_layer(tmp_path_factory.mktemp("trimtab")) / "python"


def files(folder: Path) -> Iterator[Path]:
    """Every file below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def libraries(folder: Path) -> list[Path]:
    """Every shared library below a folder."""
    return [path for path in files(folder) if ".so" in path.suffixes]


def test_layers_and_functions_fit_with_room(site: Path, own: Path) -> None:
    """Lambda refuses what is larger, unzipped; an eighth stays free."""
    total = sum(path.stat().st_size for folder in (site, own, ROOT / "functions") for path in files(folder))
    assert total < LIMIT * (1 - ROOM)


def test_every_library_is_for_the_machine(site: Path, architecture: str) -> None:
    """An ELF file says for which machine it is; one of another would fail only in AWS."""
    found = libraries(site)
    assert len(found) > 15
    for path in found:
        head = path.read_bytes()[:20]
        assert head[:5] == b"\x7fELF\x02", path
        assert struct.unpack("<H", head[18:20])[0] == MACHINES[architecture], path


def test_what_a_run_needs_is_in_it_and_nothing_else(site: Path) -> None:
    """What the runtime brings and what only tests use is not shipped; licences stay."""
    assert not [name for name in NEEDED if not (site / name).is_dir()]
    assert not [name for name in BROUGHT if (site / name).exists()]
    left = ("*/tests/*", "*.pyi", "*.h", "*/RECORD", "bin/*")
    assert not [path for path in files(site) if any(path.match(pattern) for pattern in left)]
    assert not [folder for folder in site.glob("*.dist-info") if not (folder / "METADATA").is_file()]


def test_both_architectures_hold_the_same_packages() -> None:
    """What runs here is what runs there."""
    x86, arm = ({p.name for p in (dependencies(name) / "python").glob("*.dist-info")} for name in MACHINES)
    assert x86 == arm


def test_every_module_is_compiled_for_lambda(site: Path, own: Path) -> None:
    """SAM dates files 1980: only a .pyc with an unchecked hash is taken then (source: PEP 552)."""
    for folder in (site, own):
        compiled = [path for path in files(folder) if path.suffix == ".pyc"]
        assert len(compiled) > 100
        assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\x00\x00\x00"}
        assert {path.name.split(".")[-2] for path in compiled} == {"cpython-313"}


def test_trimtabs_layer_is_its_sources(own: Path) -> None:
    """The code digest is of the sources, so that a plan may be finished from a machine and from Lambda."""
    package = ROOT / "layers/trimtab/trimtab"
    shipped = {path.relative_to(own / "trimtab"): path.read_bytes() for path in own.rglob("*.py")}
    assert shipped == {path.relative_to(package): path.read_bytes() for path in package.rglob("*.py")}


def modules(folder: Path, package: str, suffix: str) -> list[str]:
    """The dotted names of a package's modules with a suffix."""
    found = (path.relative_to(folder) for path in (folder / package).rglob(f"*{suffix}"))
    return sorted(".".join(path.with_name(path.name.split(".")[0]).parts) for path in found)


def test_every_stripped_library_and_every_module_is_imported(tmp_path: Path) -> None:
    """Under Lambda's Python, from the layers alone; what numpy's modules link to is loaded with them."""
    opt = layers(tmp_path)
    task = task_folder(tmp_path)
    packages = [
        path.parts[-1]
        for path in opt.iterdir()
        if path.is_dir() and not path.name.endswith((".libs", ".dist-info"))
    ]
    names = [name for package in packages for name in modules(opt, package, ".so")]
    assert len(names) > 15
    own = [
        name.removesuffix(".__init__") for name in modules(opt, "trimtab", ".py") if "__main__" not in name
    ]
    command = (*lambda_python(), "-c", PROBE, str(opt), json.dumps([*names, *own]))
    environ = lambda_path(opt, task) | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [*names, *own]
