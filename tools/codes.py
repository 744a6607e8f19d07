"""Codes: every stable code that the program can stop or end with, found in its sources."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.core.gates import GATES
from trimtab.core.risk import RULES
from trimtab.stations.unmoved import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "layers/trimtab/trimtab"
KINDS = {"Misconfigured": "2", "Halted": "3", "Interrupted": "4"}
"""The errors that carry a code, with their exit status."""

ANY = "*"
"""Stands for what only a run knows."""
FAMILIES = {"plan_*_changed": ("plan_config_changed", "plan_code_changed")}
"""Codes that are put together, by their pattern."""
JUDGED = {
    "core/risk.py": "rules",
    "stations/prices.py": "gates",
    "backtesting/scene.py": "again",
    "stations/unmoved.py": "saved",
}
"""Where the code is the name of a rule or a gate, or is passed on, and so stands in no call."""

HANDED = {"rebalance.py": {"_stopped": (1, "Halted")}}
"""Functions that make an error of a code they are given, where that can't be seen in them."""


@dataclass(frozen=True, slots=True)
class Raised:
    """One place that stops a command or ends a run: its code, error, message, hint, and module."""

    code: str
    kind: str
    message: str
    hint: str
    module: str


def raised() -> list[Raised]:
    """Give every place in the sources that raises an error with a code, rules and gates left out.

    Raises:
        ValueError: a code is given in a way that is not understood here.
    """
    refused = "the saved plan is not applied: "
    saved = [Raised(code, "Halted", refused + why, "", "stations/unmoved.py") for code, why in WORDS.items()]
    return saved + [found for path in _sources() for found in _of_file(path)]


def ends() -> dict[str, str]:
    """Give the codes of runs that end well, with their outcome."""
    calls = (call for path in _sources() for call in _calls(ast.parse(path.read_text()), {"Ended"}))
    given = [[arg.value for arg in call.args[:2] if isinstance(arg, ast.Constant)] for call in calls]
    return {str(values[1]): str(values[0]) for values in given if len(values) > 1}


def noted() -> dict[str, str]:
    """Give the codes of the events that a run notes and goes on, with their level."""
    found: dict[str, str] = {}
    for path in _sources():
        for call in _calls(ast.parse(path.read_text()), {"note"}):
            values = [arg.value if isinstance(arg, ast.Constant) else None for arg in call.args]
            if len(values) == 4 and isinstance(values[2], str):  # noqa: PLR2004 - level, stage, code, message
                found.setdefault(values[2], str(values[0] or "warning"))
    return found


def rules() -> tuple[str, ...]:
    """Give the risk rules' names."""
    return tuple(rule.__name__ for rule in RULES)


def gates() -> tuple[str, ...]:
    """Give the names of the gates that halt a run, on data and account."""
    told = [
        name
        for file in ("shape", "account")
        for name in re.findall(r'Verdict\(\s*"([a-z_]+)"', (PACKAGE / f"core/gates/{file}.py").read_text())
    ]
    return tuple(dict.fromkeys((*told, *GATES, "trade_apart")))


def every() -> set[str]:
    """Give every code that an error document or a run's end can show."""
    return {found.code for found in raised()} | {*rules(), *gates(), *ends(), "bug", "stopped"}


def _sources() -> list[Path]:
    folders = (PACKAGE, ROOT / "functions", ROOT / "dashboard")
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def _of_file(path: Path) -> Iterator[Raised]:
    tree = ast.parse(path.read_text())
    module = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).as_posix()
    constants = _constants(tree)
    handing = {**_handing_on(tree), **HANDED.get(module, {})}
    for call in _calls(tree, {*KINDS, *handing}):
        place, kind = handing.get(_name(call), (0, _name(call)))
        given = call.args[place:]
        if not given or _handed(given[0], module, handing):
            continue
        hint = next((_text(keyword.value) for keyword in call.keywords if keyword.arg == "hint"), "")
        for code in _codes(given[0], constants, f"{module}:{call.lineno}"):
            yield Raised(code, kind, _text(given[1]) if len(given) > 1 else "", hint, module)


def _constants(tree: ast.Module) -> dict[str, object]:
    """Give a module's own constants by name, and those that it takes from another module of the package."""
    found: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("trimtab."):
            home = import_module(str(node.module))
            found |= {alias.asname or alias.name: getattr(home, alias.name, None) for alias in node.names}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found |= dict.fromkeys(names, node.value.value)
    return found


def _handing_on(tree: ast.AST) -> dict[str, tuple[int, str]]:
    """Give the functions that make an error of a code they are given: its place, and kind."""
    found = {}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        names = [argument.arg for argument in function.args.args if argument.arg not in {"self", "cls"}]
        for call in _calls(function, set(KINDS)):
            if isinstance(call.args[0], ast.Name) and call.args[0].id in names:
                found[function.name] = (names.index(call.args[0].id), _name(call))
    return found


def _handed(node: ast.expr, module: str, handing: dict[str, tuple[int, str]]) -> bool:
    """Say whether a code is a rule's or gate's name, or handed on: then it stands elsewhere."""
    return (module in JUDGED and isinstance(node, ast.Attribute)) or (
        bool(handing) and isinstance(node, ast.Name) and node.id == "code"
    )


def _calls(tree: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _name(node) in names:
            yield node


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _codes(node: ast.expr, constants: dict[str, object], place: str) -> tuple[str, ...]:
    """Give the codes that the first argument of an error may be.

    Raises:
        ValueError: it is none of the forms that are known.
    """
    match node:
        case ast.Constant(value=str(code)):
            return (code,)
        case ast.Name(id=name) if isinstance(constants.get(name), str):
            return (str(constants[name]),)
        case ast.IfExp(body=first, orelse=second):
            return (*_codes(first, constants, place), *_codes(second, constants, place))
        case ast.JoinedStr() if _text(node, ANY) in FAMILIES:
            return FAMILIES[_text(node, ANY)]
    raise ValueError(f"{place}: which codes can this be? tools/codes.py has to be told")


def _text(node: ast.expr, hole: str = "…") -> str:
    """Give a message as it stands in the source, with a hole for what only a run knows."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            parts = [_text(value, hole) if isinstance(value, ast.Constant) else hole for value in values]
            return "".join(parts)
        case ast.BinOp(left=left):
            return _text(left, hole)
        case ast.IfExp(body=body):
            return _text(body, hole)
    return hole
