"""Modules: the owner's own code, imported from its source as that is now.

A process may live for many runs, and a run's record says which code decided. So nothing is taken from
bytecode, whose file tells two sources of one second and one length not apart; each module knows the digest
of the source that it was made of; and once one of them has changed, all are imported anew: what they took
from each other would be of two times.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    PathFinder,
    SourceFileLoader,
)
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

__all__ = ["as_loaded", "module_beside"]

_KEPT = ContextVar("kept", default=False)


@contextmanager
def as_loaded() -> Iterator[None]:
    """Let modules stay as they were first loaded: a sweep plays one code to its end."""
    before = _KEPT.set(True)
    try:
        yield
    finally:
        _KEPT.reset(before)


def module_beside(name: str, folder: Path) -> ModuleType | None:
    """Import the module from its file under `folder`, past what else bears its name; None if not there.

    Raises:
        ImportError: its name is taken by another, which can't be passed.
        Exception: whatever its code raises.
    """
    base = folder.absolute().joinpath(*name.split("."))
    file = next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)
    if file is None:
        return None
    if not _KEPT.get():
        _forget_if_changed()
    present = sys.modules.get(name)
    if present is not None and _is_of(present, file):
        return present
    with _first_on_path(folder.absolute()):
        if "." in name or file.name == "__init__.py":
            module = importlib.import_module(name)
        else:
            module = _executed(name if present is None else f"{name}_{_digest(file)}", file)
    if not _is_of(module, file):
        raise ImportError(f"its name is taken by {module.__file__}")
    return module


class _Source(SourceFileLoader):
    """Loads a module from its source alone, and knows the digest of what it loaded."""

    digest = ""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source as it is now."""
        data = self.get_data(self.get_filename(fullname))
        self.digest = self.digest or hashlib.sha256(data).hexdigest()  # of what was run, not of a later look
        code: CodeType = self.source_to_code(data, self.path)
        return code

    def changed(self) -> bool:
        """Say whether the source is another by now, or not there any more."""
        try:
            return hashlib.sha256(self.get_data(self.path)).hexdigest() != self.digest
        except OSError:
            return True


class _Beside:
    """Finds modules and packages below `folder` as Python does, and has them loaded from source."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give where a module lies; None where it is not below the folder, or a package without a file.

        `path` is where its package's modules lie: one that is not the owner's keeps its own.
        """
        above = self._folder.joinpath(*name.split(".")[:-1])
        kinds = (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Source, SOURCE_SUFFIXES)
        spec = FileFinder(str(above), *kinds).find_spec(name)
        if spec is None or spec.loader is None:
            return None
        return spec if path is None or above.resolve() in {Path(one).resolve() for one in path} else None


def _forget_if_changed() -> None:
    """Take the owner's modules out of Python's, if the source of any has changed since it was loaded."""
    ours = {name: loader for name in list(sys.modules) if (loader := _loader_of(name)) is not None}
    if not any(loader.changed() for loader in ours.values()):
        return
    for name in list(sys.modules):
        if name in ours or any(name.startswith(f"{package}.") for package in ours):
            sys.modules.pop(name, None)
            above, _, last = name.rpartition(".")
            if above in sys.modules:  # a package without a file, which stays
                vars(sys.modules[above]).pop(last, None)


def _loader_of(name: str) -> _Source | None:
    loader = getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)
    return loader if isinstance(loader, _Source) else None


def _executed(name: str, file: Path) -> ModuleType:
    """Import one file as the module `name`, whatever Python's path holds under that name."""
    spec = importlib.util.spec_from_file_location(name, file, loader=_Source(name, str(file)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """Let the owner's module import its neighbours."""
    importlib.invalidate_caches()
    finder = _Beside(folder)
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.path.remove(str(folder))


def _is_of(module: ModuleType, file: Path) -> bool:
    return module.__file__ is not None and Path(module.__file__).resolve() == file.resolve()


def _digest(file: Path) -> str:
    return hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
