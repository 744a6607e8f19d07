"""Loading a strategy: built-in by name, the owner's by module and function, what a failure says."""

from __future__ import annotations

import os
import py_compile
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.modules import as_loaded
from trimtab.adapters.strategy_loader import DEFAULT_LOOKBACK_SESSIONS, Loaded, resolve
from trimtab.core.bars import History
from trimtab.errors import Misconfigured
from trimtab.strategies import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTHING: Any = History(*[()] * 7)
OWN = """
from dataclasses import dataclass

@dataclass
class Kept:
    symbol: str

def plain(history, equity):
    return {"SPY": 1.0}

def factory(symbol, weight: float = 0.5):
    def strategy(history, equity):
        return {Kept(symbol).symbol: weight}
    strategy.symbols = [symbol]
    strategy.lookback_sessions = 7
    return strategy

def no_params():
    return lambda history, equity: {}

def gives_nothing(symbol):
    return None

def breaks(symbol):
    return {}[symbol]

class Fixed:
    symbols = ["SPY"]

    def __call__(self, history, equity):
        print("a thought")
        return {"SPY": 0.5}

print("imported")

def says_nonsense():
    def strategy(history, equity):
        return {}
    strategy.lookback_sessions = "long"
    return strategy

def names_nonsense():
    def strategy(history, equity):
        return {}
    strategy.symbols = "SPY"
    return strategy
"""


@pytest.fixture(autouse=True)
def _clean_modules() -> Iterator[None]:
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
    assert sys.path == path


def load(folder: Path, name: str, params: dict[str, object] | None = None) -> Loaded:
    """Resolve a name with a module `own_strategies` beside the configuration."""
    (folder / "own_strategies.py").write_text(OWN)
    return resolve(name, params, folder, BUILT_IN)


def test_built_in(tmp_path: Path) -> None:
    """A built-in is made with its params and carries what it needs; its file is known."""
    loaded = load(tmp_path, "momentum", {"symbols": ["B", "A"], "top_n": 1})
    assert (loaded.symbols, loaded.lookback_sessions) == (("A", "B"), 253)
    assert loaded.file is not None
    assert loaded.file.name == "momentum.py"


def test_a_function_of_two_without_params_is_the_strategy(tmp_path: Path) -> None:
    """Without params, history and equity go to the function itself; it needs the default history."""
    loaded = load(tmp_path, "own_strategies:plain")
    assert loaded(NOTHING, 1.0) == {"SPY": 1.0}
    assert (loaded.symbols, loaded.lookback_sessions) == ((), DEFAULT_LOOKBACK_SESSIONS)
    assert loaded.file == tmp_path / "own_strategies.py"


def test_a_factory_is_called_with_params(tmp_path: Path) -> None:
    """With params the function is a factory; what its strategy carries is taken."""
    loaded = load(tmp_path, "own_strategies:factory", {"symbol": "QQQ", "weight": 0.25})
    assert loaded(NOTHING, 1.0) == {"QQQ": 0.25}
    assert (loaded.symbols, loaded.lookback_sessions) == (("QQQ",), 7)
    assert load(tmp_path, "own_strategies:no_params")(NOTHING, 1.0) == {}


def test_a_class_is_a_factory_and_its_module_is_known(tmp_path: Path) -> None:
    """The code digest is of the module that was named, whatever kind of thing makes the strategy."""
    loaded = load(tmp_path, "own_strategies:Fixed")
    assert (loaded.symbols, loaded.file) == (("SPY",), tmp_path / "own_strategies.py")


def test_what_a_strategy_prints_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stdout may be for one JSON document and nothing else: on import and at work."""
    assert load(tmp_path, "own_strategies:Fixed")(NOTHING, 1.0) == {"SPY": 0.5}
    assert capsys.readouterr() == ("", "imported\na thought\n")


def test_beside_the_configuration_comes_first(tmp_path: Path) -> None:
    """A file beside the configuration wins over a module of its name elsewhere, even an imported one."""
    (tmp_path / "difflib.py").write_text("def mine(history, equity):\n    return {'MINE': 1.0}\n")
    assert load(tmp_path, "difflib:mine")(NOTHING, 1.0) == {"MINE": 1.0}
    assert hasattr(sys.modules["difflib"], "get_close_matches")


def test_two_folders_do_not_mix(tmp_path: Path) -> None:
    """The same module name beside two configurations means two modules."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text(f"def own(history, equity):\n    return {{{name!r}: 1.0}}\n")
    answers = [resolve("same:own", None, tmp_path / name, BUILT_IN)(NOTHING, 1.0) for name in ("one", "two")]
    assert answers == [{"one": 1.0}, {"two": 1.0}]


def test_packages_and_neighbours(tmp_path: Path) -> None:
    """A module of a package, and its imports of files beside it, are found."""
    (tmp_path / "pack_of_mine").mkdir()
    (tmp_path / "pack_of_mine" / "__init__.py").write_text("")
    (tmp_path / "pack_of_mine" / "inner.py").write_text(
        "from neighbour_of_mine import WEIGHTS\ndef own(history, equity):\n    return WEIGHTS\n"
    )
    (tmp_path / "neighbour_of_mine.py").write_text("WEIGHTS = {'SPY': 0.3}\n")
    assert resolve("pack_of_mine.inner:own", None, tmp_path, BUILT_IN)(NOTHING, 1.0) == {"SPY": 0.3}


RULE = "def own(history, equity):\n    return {{{symbol!r}: WEIGHT}}\n"
NAMED = {
    "beside": ("mine_anew.py", "mine_anew:own", "tools_anew.py", "from tools_anew import WEIGHT\n"),
    "in a package": (
        "pack_anew/mine.py",
        "pack_anew.mine:own",
        "pack_anew/tools.py",
        "from .tools import WEIGHT\n",
    ),
    "a package": (
        "pack_anew/__init__.py",
        "pack_anew:own",
        "pack_anew/tools.py",
        "from .tools import WEIGHT\n",
    ),
    "in a folder": (
        "folder_anew/mine.py",
        "folder_anew.mine:own",
        "folder_anew/tools.py",
        "from folder_anew import tools\nWEIGHT = tools.WEIGHT\n",
    ),
}


def write(file: Path, text: str) -> None:
    """Write a source that its date and length do not tell from another's."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    os.utime(file, (1, 1))


@pytest.mark.parametrize("case", NAMED)
def test_a_module_that_was_changed_is_imported_anew(tmp_path: Path, case: str) -> None:
    """A process that lives for many runs decides by the code that it records; neighbours follow."""
    mine, name, tools, line = NAMED[case]

    def asked() -> dict[str, float]:
        return resolve(name, None, tmp_path, BUILT_IN)(NOTHING, 1.0)

    if case == "in a package":
        write(tmp_path / "pack_anew/__init__.py", "")
    write(tmp_path / tools, "WEIGHT = 0.5\n")
    write(tmp_path / mine, line + RULE.format(symbol="OLD"))
    assert asked() == {"OLD": 0.5}
    write(tmp_path / mine, line + RULE.format(symbol="NEW"))
    assert asked() == {"NEW": 0.5}
    write(tmp_path / tools, "WEIGHT = 0.3\n")
    assert asked() == {"NEW": 0.3}


def test_a_module_that_was_not_changed_is_not_imported_again(tmp_path: Path) -> None:
    """What it keeps between two runs stays, and so does everything while a sweep plays one code."""
    file = tmp_path / "counted_anew.py"
    write(file, "def own(history, equity):\n    return {'A': 1.0}\n")
    first = resolve("counted_anew:own", None, tmp_path, BUILT_IN)
    assert resolve("counted_anew:own", None, tmp_path, BUILT_IN).decide is first.decide
    write(file, "def own(history, equity):\n    return {'B': 1.0}\n")
    with as_loaded():
        assert resolve("counted_anew:own", None, tmp_path, BUILT_IN).decide is first.decide
    assert resolve("counted_anew:own", None, tmp_path, BUILT_IN)(NOTHING, 1.0) == {"B": 1.0}


def test_bytecode_of_an_older_source_is_not_taken(tmp_path: Path) -> None:
    """Bytecode knows its source by date and length alone, which a mend within a second may leave."""
    file = tmp_path / "compiled_anew.py"
    write(file, "def own(history, equity):\n    return {'OLD': 1.0}\n")
    py_compile.compile(str(file))
    write(file, "def own(history, equity):\n    return {'NEW': 1.0}\n")
    assert resolve("compiled_anew:own", None, tmp_path, BUILT_IN)(NOTHING, 1.0) == {"NEW": 1.0}


def test_a_change_that_breaks_a_module_is_told_until_it_is_mended(tmp_path: Path) -> None:
    """The old code is never taken for it."""
    file = tmp_path / "slip_anew.py"
    for text in ("def own(history, equity):\n    return {'A': 1.0}\n", "def own(:\n"):
        write(file, text)
        if text.endswith("(:\n"):
            for _ in range(2):
                with pytest.raises(Misconfigured, match="slip_anew can't be imported: SyntaxError"):
                    resolve("slip_anew:own", None, tmp_path, BUILT_IN)
        else:
            assert resolve("slip_anew:own", None, tmp_path, BUILT_IN)(NOTHING, 1.0) == {"A": 1.0}


def test_the_modules_of_another_package_stay_its_own(tmp_path: Path) -> None:
    """A folder that bears a library's name takes the place of none of its modules."""
    write(tmp_path / "wsgiref" / "util.py", "MINE = True\n")
    write(
        tmp_path / "borrows.py",
        "import wsgiref.util\ndef own(history, equity):\n    return vars(wsgiref.util)\n",
    )
    import_module("wsgiref")
    assert "MINE" not in resolve("borrows:own", None, tmp_path, BUILT_IN)(NOTHING, 1.0)


@pytest.mark.parametrize("name", ["os:system", "subprocess:getoutput", "trimtab.cli:main", "json.tool:main"])
def test_no_module_but_the_owners_is_a_strategy(tmp_path: Path, name: str) -> None:
    """Whoever may write a configuration, or forge a record, can't name just any function of Python's."""
    with pytest.raises(Misconfigured, match="there is no module"):
        resolve(name, {"command": f"touch {tmp_path}/was_here"}, tmp_path, BUILT_IN)
    assert list(tmp_path.iterdir()) == []


def test_the_working_folder_comes_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Lambda the configuration lies in no folder: modules are deployed beside the function."""
    there = tmp_path / "deployed"
    there.mkdir()
    (there / "deployed_rule.py").write_text("def rule(history, equity):\n    return {'A': 0.5}\n")
    monkeypatch.chdir(there)
    assert resolve("deployed_rule:rule", {}, tmp_path, BUILT_IN)(NOTHING, 1.0) == {"A": 0.5}


def test_a_built_in_has_its_long_name_too(tmp_path: Path) -> None:
    """It lies in Trimtab's own package, wherever that is installed."""
    loaded = resolve("trimtab.strategies.equal_weight:equal_weight", {"symbols": ["A"]}, tmp_path, BUILT_IN)
    assert loaded(NOTHING, 1.0) == {"A": 1.0}


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        (
            "momentun",
            None,
            "no built-in strategy 'momentun'; did you mean 'momentum'.*allowed: daa, dual_momentum",
        ),
        ("no_such_module:own", None, "there is no module no_such_module"),
        ("own_strategies:plane", None, "no function 'plane'; did you mean 'plain'.*allowed: breaks, factory"),
        ("../own:plain", None, "not a module's name"),
        (":plain", None, "not a module's name"),
        ("equal_weight", None, "missing a required argument: 'symbols'.*allowed: equal_weight.symbols"),
        (
            "own_strategies:factory",
            {"symbol": "A", "wieght": 1},
            "unexpected keyword argument 'wieght'.*factory",
        ),
        ("own_strategies:factory", None, "missing a required argument: 'symbol'"),
        ("own_strategies:gives_nothing", {"symbol": "A"}, "gave no strategy; seen: NoneType"),
        ("own_strategies:breaks", {"symbol": "A"}, r"refused: KeyError\('A'\)"),
        ("own_strategies:says_nonsense", None, "lookback_sessions is no number of sessions; seen: long"),
        ("own_strategies:names_nonsense", None, "symbols is no list of names; seen: SPY"),
        ("fixed_weights", {"weights": {"A": 2}}, "params of fixed_weights are refused: weights"),
    ],
)
def test_what_does_not_fit_is_told(
    tmp_path: Path, name: str, params: dict[str, object], message: str
) -> None:
    """Each way to misname a strategy or its params gives one message: what was seen, what is allowed."""
    with pytest.raises(Misconfigured, match=message):
        load(tmp_path, name, params)


def test_a_package_whose_name_is_taken_is_told(tmp_path: Path) -> None:
    """A package beside the configuration that bears an imported package's name is not silently replaced."""
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text("def own(history, equity):\n    return {}\n")
    with pytest.raises(Misconfigured, match=r"its name is taken by .*json"):
        resolve("json:own", None, tmp_path, BUILT_IN)


def test_a_misspelt_param_gets_a_hint(tmp_path: Path) -> None:
    """The nearest parameter is named."""
    with pytest.raises(Misconfigured) as error:
        load(tmp_path, "momentum", {"symbols": ["A"], "top": 1})
    assert error.value.hint == "did you mean 'top_n' for 'top'?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_thing_here\n", "broken_one needs no_such_thing_here, which is not installed"),
        ("def f(:\n", "broken_one can't be imported: SyntaxError"),
        ("1 / 0\n", "broken_one can't be imported: ZeroDivisionError"),
    ],
)
def test_a_module_that_can_not_be_imported(tmp_path: Path, text: str, message: str) -> None:
    """What stopped the import is named, and nothing half-imported stays."""
    (tmp_path / "broken_one.py").write_text(text)
    with pytest.raises(Misconfigured, match=message):
        resolve("broken_one:own", None, tmp_path, BUILT_IN)
    assert "broken_one" not in sys.modules
