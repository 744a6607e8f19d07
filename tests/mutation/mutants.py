"""Mutants: every small change that may be made to a module, and how a change gets into a loaded one.

Left alone: docstrings, annotations, decorators, texts for people, enums and tables of reasons.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
SKIPPED = {"annotation", "returns", "decorator_list", "bases", "type_params", "format_spec"}
CODE = re.compile(r"[a-z_]{2,}")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: what `holder` has in `slot` becomes `new`.

    `lines` are those of the statement around it; none outside functions.
    """

    id: str
    file: str
    source: str
    where: str
    lines: range
    tree: ast.Module
    holder: ast.AST
    slot: tuple[str, int | None]
    new: ast.AST

    def code(self, module: ModuleType) -> ModuleType:
        """Give the mutated module, executed apart; the tree stays mutated: to be used in a fork."""
        name, index = self.slot
        if index is None:
            setattr(self.holder, name, self.new)
        else:
            getattr(self.holder, name)[index] = self.new
        fresh = ModuleType(module.__name__)
        fresh.__package__, fresh.__file__ = module.__package__, module.__file__
        compiled = compile(
            ast.fix_missing_locations(self.tree), str(module.__file__), "exec", dont_inherit=True
        )
        exec(compiled, vars(fresh))  # noqa: S102 - our own source, changed in one place
        return fresh


def mutants_of(path: Path, file: str) -> list[Mutant]:
    """Give every mutant of a module; `file` is how it is called."""
    source = path.read_text()
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    found = []
    for holder, slot, old, new, where, lines in _walk(tree, "<module>", range(0)):
        text = f"{file}::{where}: {_short(old)} -> {_short(new)}"
        seen[text] += 1
        name = text if seen[text] == 1 else f"{text} #{seen[text]}"
        found.append(
            Mutant(name, file, source, where, lines, tree, holder, slot, ast.copy_location(new, old))
        )
    return found


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text if len(text) <= 90 else f"{text[:70]} .. {text[-16:]}"


Found = tuple[ast.AST, tuple[str, int | None], ast.AST, ast.AST, str, range]


def _walk(node: ast.AST, where: str, lines: range) -> Iterator[Found]:
    """Give every change below a node: its holder and slot, old and new, and the statement around it."""
    for name, value in ast.iter_fields(node):
        if name in SKIPPED:
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_alone(child, node):
                continue
            place, around = where, lines
            if isinstance(child, ast.stmt) and (lines or isinstance(child, ast.FunctionDef)):
                around = range(child.lineno, (child.end_lineno or child.lineno) + 1)
            if lines and isinstance(child, (ast.If, ast.While, ast.For, ast.With)):
                around = range(child.lineno, child.body[0].lineno)
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                place = child.name if where == "<module>" else f"{where}.{child.name}"
            for new in _variants(child, node, name):
                yield node, (name, i), child, new, place, around
            yield from _walk(child, place, around)


def _left_alone(node: ast.AST, holder: ast.AST) -> bool:
    """Say whether nothing is changed from here on: texts, type-only imports, enums, tables of reasons."""
    if isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.ClassDef):
        return any("Flag" in ast.unparse(base) for base in node.bases)
    at_top = isinstance(holder, ast.Module) and isinstance(node, (ast.Assign, ast.AnnAssign))
    return at_top and _is_table(node)  # type: ignore[arg-type]  # just seen


def _is_table(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return isinstance(node.value, (ast.Dict, ast.List, ast.Tuple)) and isinstance(targets[0], ast.Name)


def _variants(node: ast.AST, holder: ast.AST, slot: str) -> Iterator[ast.AST]:
    """Give what may stand in a node's place."""
    if slot == "test" and not isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
        yield ast.UnaryOp(ast.Not(), node)  # type: ignore[arg-type]  # a test is an expression
    kind = VARIANTS.get(type(node))
    if kind is not None:
        yield from kind(node, holder)


def _compare(node: ast.Compare, _: ast.AST) -> Iterator[ast.AST]:
    for i, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            yield ast.Compare(node.left, [*node.ops[:i], other(), *node.ops[i + 1 :]], node.comparators)


def _binary(node: ast.BinOp, _: ast.AST) -> Iterator[ast.AST]:
    if type(node.op) in ARITHMETIC and not isinstance(node.left, ast.JoinedStr):
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)


def _bool(node: ast.BoolOp, _: ast.AST) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    if len(node.values) > 2:
        for i in range(len(node.values)):
            yield ast.BoolOp(node.op, [*node.values[:i], *node.values[i + 1 :]])


def _unary(node: ast.UnaryOp, _: ast.AST) -> Iterator[ast.AST]:
    yield node.operand


def _constant(node: ast.Constant, holder: ast.AST) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(holder, ast.Expr):
        return
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield ast.Constant(value + 1)
        if value != 0 or isinstance(value, int):
            yield ast.Constant(value - 1 if isinstance(value, int) else value / 2)
    elif isinstance(value, str) and isinstance(holder, ast.Call) and ast.unparse(holder.func) == "Decimal":
        yield ast.Constant(_doubled(value))
    elif isinstance(value, str) and CODE.fullmatch(value):
        yield ast.Constant(f"{value}_")


def _doubled(text: str) -> str:
    try:
        return str(Decimal(text) * 2)
    except InvalidOperation:
        return text


def _call(node: ast.Call, _: ast.AST) -> Iterator[ast.AST]:
    func = node.func
    if isinstance(func, ast.Name) and func.id in CALLS:
        yield ast.Call(ast.Name(CALLS[func.id], ast.Load()), node.args, node.keywords)
    if isinstance(func, ast.Attribute) and func.attr in CALLS:
        yield ast.Call(ast.Attribute(func.value, CALLS[func.attr], ast.Load()), node.args, node.keywords)


def _return(node: ast.Return, _: ast.AST) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _gone(node: ast.stmt, _: ast.AST) -> Iterator[ast.AST]:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield ast.Pass()


def _assign(node: ast.Assign, _: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
        yield ast.Pass()


def _augmented(node: ast.AugAssign, _: ast.AST) -> Iterator[ast.AST]:
    yield ast.Pass()
    yield ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)


def _comprehension(node: ast.comprehension, _: ast.AST) -> Iterator[ast.AST]:
    for i in range(len(node.ifs)):
        rest = [*node.ifs[:i], *node.ifs[i + 1 :]]
        yield ast.comprehension(node.target, node.iter, rest, node.is_async)


VARIANTS: dict[type[ast.AST], Callable[..., Iterator[ast.AST]]] = {
    ast.Compare: _compare,
    ast.BinOp: _binary,
    ast.BoolOp: _bool,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.Call: _call,
    ast.Return: _return,
    ast.Expr: _gone,
    ast.Raise: _gone,
    ast.Continue: _gone,
    ast.Break: _gone,
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.comprehension: _comprehension,
}


def transplant(old: ModuleType, new: ModuleType) -> None:
    """Put a module's mutated code into the loaded one: its functions, and wherever its constants went."""
    for name, fresh in vars(new).items():
        kept = vars(old).get(name)
        if isinstance(fresh, (int, float, str, Decimal, timedelta)):
            for module in list(sys.modules.values()) if fresh != kept else ():
                if isinstance(module, ModuleType) and vars(module).get(name) is kept:
                    setattr(module, name, fresh)
        elif getattr(fresh, "__module__", None) == old.__name__:
            _graft(kept, fresh)


def _graft(kept: object, fresh: object) -> None:
    """Give a function another's code and defaults; a class its methods'."""
    if isinstance(kept, type) and isinstance(fresh, type):
        for name, part in vars(fresh).items():
            _graft(vars(kept).get(name), part)
    elif isinstance(kept, property) and isinstance(fresh, property):
        _graft(kept.fget, fresh.fget)
    elif isinstance(kept, FunctionType) and isinstance(fresh, FunctionType):
        if fresh.__code__.co_filename != "<string>":  # what dataclass wrote holds cells of its own
            kept.__code__ = fresh.__code__
        kept.__defaults__, kept.__kwdefaults__ = fresh.__defaults__, fresh.__kwdefaults__
