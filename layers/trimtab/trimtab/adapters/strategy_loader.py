"""Strategy loader: from a name in config.json to the function that it means.

A name is one of the built-ins, or `package.module:function` of the owner's own, looked for in the
configuration's folder first, then wherever Python looks.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.adapters.modules import module_beside
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from trimtab.core.bars import History, Strategy

__all__ = ["DEFAULT_LOOKBACK_SESSIONS", "Loaded", "factory_of", "resolve"]

DEFAULT_LOOKBACK_SESSIONS = 400
"""Sessions of history for a strategy that does not say."""

CODE = "strategy"
_CALLED = "strategy.params holds what it is called with; a strategy itself takes history and equity"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A strategy ready to be called, and what it said of itself.

    `symbols` is empty and `least_history` (sessions) 0 where it did not say; `file` is the module that was
    named, for the code digest.
    """

    name: str
    decide: Callable[[History, float], dict[str, float]]
    symbols: tuple[str, ...]
    lookback_sessions: int
    file: Path | None
    least_history: int = 0

    def __call__(self, history: History, equity: float, /) -> dict[str, float]:
        """Give the weight of each symbol, as the strategy decides; what it prints goes to stderr."""
        with redirect_stdout(sys.stderr):  # stdout may be for one JSON document and nothing else
            return self.decide(history, equity)


def resolve(
    name: str,
    params: Mapping[str, object] | None,
    folder: Path,
    built_in: Mapping[str, Callable[..., Strategy]],
) -> Loaded:
    """Give the strategy that `name` and `params` mean; `folder` is the configuration's.

    Without params (None, or empty) a function of the owner's that can be called with two values is the
    strategy itself, and any other a factory.

    Raises:
        Misconfigured: no such built-in, module or function, or the params do not fit.
    """
    with redirect_stdout(sys.stderr):  # as above: a module may print while it is imported
        if ":" not in name:
            factory = _built_in(name, built_in)
            return _loaded(name, _made(name, factory, params or {}), inspect.getmodule(factory))
        module_name, _, function_name = name.partition(":")
        module = _module(module_name, folder)
        factory = _function(module, function_name, name)
        made = factory if not params and _takes_two(factory) else _made(name, factory, params or {})
        return _loaded(name, made, module)


def factory_of(
    name: str, folder: Path, built_in: Mapping[str, Callable[..., Strategy]]
) -> tuple[frozenset[str], Path | None]:
    """Give the names of what the factory takes that `name` means, and the file of its module.

    Raises:
        Misconfigured: no such built-in, module or function.
    """
    with redirect_stdout(sys.stderr):  # as above
        if ":" in name:
            module_name, _, function_name = name.partition(":")
            factory = _function(_module(module_name, folder), function_name, name)
        else:
            factory = _built_in(name, built_in)
    module = inspect.getmodule(factory)
    file = None if module is None or module.__file__ is None else Path(module.__file__)
    return frozenset(_signature(name, factory).parameters), file


def _built_in(name: str, built_in: Mapping[str, Callable[..., Strategy]]) -> Callable[..., Strategy]:
    if name in built_in:
        return built_in[name]
    near = difflib.get_close_matches(name, built_in, n=1, cutoff=0.5)
    raise Misconfigured(
        CODE,
        f"there is no built-in strategy {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        seen=name,
        allowed=", ".join(sorted(built_in)),
        hint="a strategy of your own is named package.module:function",
    )


def _module(name: str, folder: Path) -> ModuleType:
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise Misconfigured(CODE, "not a module's name", seen=name, allowed="package.module:function")
    try:
        return module_beside(name, folder) or module_beside(name, Path()) or _of_trimtab(name)
    except ModuleNotFoundError as cause:
        own = cause.name is not None and (name == cause.name or name.startswith(f"{cause.name}."))
        message = (
            f"there is no module {name}" if own else f"{name} needs {cause.name}, which is not installed"
        )
        hint = f"put {name.replace('.', '/')}.py beside the configuration" if own else f"install {cause.name}"
        raise Misconfigured(CODE, message, seen=name, allowed=f"a module in {folder}", hint=hint) from cause
    except Exception as cause:
        raise Misconfigured(
            CODE,
            f"{name} can't be imported: {type(cause).__name__}: {cause}",
            seen=name,
            hint=f"correct the module: python -c 'import {name}' beside it shows where it fails",
        ) from cause


def _function(module: ModuleType, name: str, full_name: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]  # what a module of the owner's holds is checked by calling it
    functions = inspect.getmembers(module, inspect.isfunction)
    own = [key for key, value in functions if value.__module__ == module.__name__ and not key.startswith("_")]
    near = difflib.get_close_matches(name, own, n=1, cutoff=0.5)
    raise Misconfigured(
        CODE,
        f"{module.__name__} has no function {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        seen=full_name,
        allowed=", ".join(sorted(own)) or "none is there",
    )


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    plain = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    demanded = [
        p for p in parameters if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    return len(plain) >= 2 and demanded == plain[:2]  # noqa: PLR2004 - history and equity


def _of_trimtab(name: str) -> ModuleType:
    """Import a built-in strategy's module, and nothing else of Python's: os:system is a function, too."""
    if not name.startswith("trimtab.strategies."):
        raise ModuleNotFoundError(name, name=name)
    return importlib.import_module(name)


def _made(name: str, factory: Callable[..., Any], params: Mapping[str, object]) -> Callable[..., Any]:
    signature = _signature(name, factory)
    try:
        signature.bind(**params)
    except TypeError as cause:
        raise Misconfigured(
            CODE,
            f"the params of {name} do not fit: {cause}",
            seen=", ".join(sorted(params)) or "none",
            allowed=_shown(name, signature),
            hint=_near_parameter(params, signature) or _CALLED,
        ) from cause
    try:
        made = factory(**params)
    except ImportError as cause:
        raise _lacking(name, cause) from cause
    except Exception as cause:
        raise _refused(name, params, signature, cause) from cause
    if not callable(made):
        raise Misconfigured(
            CODE,
            f"{name} gave no strategy",
            seen=type(made).__name__,
            allowed="a function of history and equity",
        )
    return made  # type: ignore[no-any-return]  # what a module of the owner's holds is checked by calling it


def _refused(
    name: str, params: Mapping[str, object], signature: inspect.Signature, cause: Exception
) -> Misconfigured:
    """Word a factory's refusal; where it says what was seen and allowed, that is passed on."""
    said = str(cause) if isinstance(cause, ValueError | TypeError) else repr(cause)
    told = _TOLD.fullmatch(said)
    param, seen, allowed = told.groups() if told else (said, str(dict(params)), _shown(name, signature))
    return Misconfigured(
        CODE,
        f"the params of {name} are refused: {param}",
        seen=seen,
        allowed=allowed,
        hint="change strategy.params in config.json",
    )


def _lacking(name: str, cause: ImportError) -> Misconfigured:
    """Word what a factory could not import; what the error says after a colon is what to do about it."""
    said, _, remedy = str(cause).partition(": ")
    hint = remedy or (f"install {cause.name}" if cause.name else "")
    return Misconfigured(
        CODE, f"{name} can't be made: {said}", seen=f"no {cause.name or 'such module'}", hint=hint
    )


_TOLD = re.compile(r"(.+?): seen (.+), allowed (.+)", re.DOTALL)


def _signature(name: str, factory: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError) as cause:
        raise Misconfigured(
            CODE, f"{name} is no function that makes a strategy", seen=repr(factory)
        ) from cause


def _shown(name: str, signature: inspect.Signature) -> str:
    function = name.rpartition(":")[2]
    return f"{function}{signature.replace(return_annotation=inspect.Signature.empty)}"


def _near_parameter(params: Mapping[str, object], signature: inspect.Signature) -> str:
    for unknown in sorted(set(params).difference(signature.parameters)):
        near = difflib.get_close_matches(unknown, signature.parameters, n=1, cutoff=0.5)
        if near:
            return f"did you mean {near[0]!r} for {unknown!r}?"
    return ""


def _loaded(name: str, made: Callable[..., Any], module: ModuleType | None) -> Loaded:
    symbols = getattr(made, "symbols", ())
    lookback = getattr(made, "lookback_sessions", DEFAULT_LOOKBACK_SESSIONS)
    if isinstance(symbols, str) or not all(isinstance(symbol, str) for symbol in symbols):
        raise Misconfigured(
            CODE, f"{name}.symbols is no list of names", seen=symbols, allowed='["SPY", "TLT"]'
        )
    if not isinstance(lookback, int) or isinstance(lookback, bool) or lookback < 1:
        raise Misconfigured(
            CODE, f"{name}.lookback_sessions is no number of sessions", seen=lookback, allowed="1 or more"
        )
    file = None if module is None or module.__file__ is None else Path(module.__file__)
    least = lookback if hasattr(made, "lookback_sessions") else 0
    return Loaded(name, made, tuple(symbols), lookback, file, least)
