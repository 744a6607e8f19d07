"""Errors: the tree drawn in the docstring is the tree of the classes."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from rules.copied import PACKAGE, ROOT, python_files
from trimtab import errors

if TYPE_CHECKING:
    from pathlib import Path


def drawn() -> dict[str, int]:
    """Give each name in the docstring's tree with the exit status beside it (1 where there is none)."""
    tree = re.search(r"```\n(.*?)```", errors.__doc__ or "", re.DOTALL)
    assert tree
    names = re.findall(r"^(?:[├└]── )?([A-Z]\w+) +[^\n]*?(?:exit (\d))?$", tree[1], re.MULTILINE)
    return {name: int(status or 1) for name, status in names}


def test_the_drawing_shows_every_class() -> None:
    """The names drawn, the classes defined and `__all__` are the same, the exit statuses too."""
    classes = {
        name: kind.exit_status
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.TrimtabError)
    }
    assert drawn() == classes
    assert sorted(errors.__all__) == sorted(classes)


def exported(path: Path) -> tuple[set[str], set[str]]:
    """Give a module's `__all__` and the names bound at its top level."""
    tree = ast.parse(path.read_text())
    bound: set[str] = set()
    listed: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            listed = set(ast.literal_eval(node.value))
    return listed, bound


def test_what_a_module_exports_it_has() -> None:
    """Every name in an `__all__` is bound in its module, or served by its `__getattr__`."""
    for path in python_files(PACKAGE):
        listed, bound = exported(path)
        assert "__getattr__" in bound or listed <= bound, f"{path.relative_to(ROOT)}: {listed - bound}"
