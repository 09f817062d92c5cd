"""Sizes and habits of the source; the direction of its imports is a contract in pyproject.toml (`lint-imports`)."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
LINES, FUNCTION_LINES, MODULES = 350, 50, 18
SCRIPT = ROOT / "src/keyferry/verification/verify.py"  # runs by itself, on any Python 3


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _names(paths: Iterable[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_files_are_short() -> None:
    assert _names(path for path in ALL if len(path.read_text(encoding="utf-8").splitlines()) > LINES) == []


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in ALL
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert long == []


def test_a_folder_has_at_most_18_modules() -> None:
    count = Counter(path.parent.relative_to(ROOT) for path in SOURCES)
    assert {str(folder): number for folder, number in count.items() if number > MODULES} == {}


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """Imports under TYPE_CHECKING count too: who reads one module of a circle has to read them all."""
    imported = {_module(path): _imported(path) for path in SOURCES}
    while ends := [name for name, others in imported.items() if not others & imported.keys()]:
        for name in ends:
            del imported[name]
    assert sorted(imported) == []  # circles, and what imports them


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> set[str]:
    """The modules of ours that a module imports, anywhere in it; `from package import name` may name either."""
    nodes = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.ImportFrom) and node.module]
    froms = {(node.module or "", f"{node.module}.{alias.name}") for node in nodes for alias in node.names}
    names = {_module(other) for other in SOURCES}
    return {full if full in names else module for module, full in froms} & names - {_module(path), "keyferry"}


def test_nothing_sleeps() -> None:
    """Waiting is for a thing, with a limit; the text is searched, so that scripts inside strings count too."""
    others = (path for path in ALL if path != Path(__file__))
    assert _names(path for path in others if "sleep(" in path.read_text(encoding="utf-8")) == []


def test_annotations_are_never_evaluated() -> None:
    assert _names(path for path in SOURCES if path != SCRIPT and not _is_lazy(_tree(path))) == []


def _is_lazy(tree: ast.Module) -> bool:
    """Whether the module has no annotations (a docstring and constants alone), or never evaluates them."""
    plain = all(
        isinstance(node, ast.Assign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )
    return plain or any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def test_the_verifier_script_needs_the_standard_library_alone() -> None:
    used = {
        name.partition(".")[0]
        for node in ast.walk(_tree(SCRIPT))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert used <= sys.stdlib_module_names


SLOW = ("pexpect", "cryptography", "sqlite3")
LOADED = """
import json, sys
sys.argv = ["keyferry", *sys.argv[1:]]
from keyferry.cli.__main__ import main
status = 0
try:
    main()
except SystemExit as end:
    status = end.code or 0
sys.stderr.write(json.dumps([status, sorted(sys.modules)]))
"""


def _loaded(*words: str) -> tuple[str, list[str]]:
    """What a command that succeeds writes, and the modules that are loaded at its end."""
    command = [sys.executable, "-c", LOADED, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    status, modules = json.loads(done.stderr)
    assert status == 0
    return done.stdout, modules


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_start_up_loads_nothing_slow(option: str) -> None:
    told, modules = _loaded(option)
    assert "keyferry" in told
    assert [name for name in modules if name.partition(".")[0] in SLOW] == []


@pytest.mark.parametrize(("tool", "verb"), [("key_mgmt_util", "deleteKey--ok"), ("ckdemo", "wrapKey--made")])
def test_parse_loads_the_parsers_of_its_tool_alone(tool: str, verb: str) -> None:
    screen = ROOT / "fixtures" / tool / {"ckdemo": "7"}.get(tool, "g2") / f"{verb}.txt"
    _told, modules = _loaded("parse", tool, verb.partition("--")[0], str(screen))
    assert [name for name in modules if name.partition(".")[0] in SLOW] == []
    rooms = {".".join(name.split(".")[1:3]) for name in modules if name.startswith("keyferry.")}
    assert not {room for room in rooms if room.startswith(("migration", "planning", "verification", "emulator"))}
    assert {room for room in rooms if room in ("tools.vtl", "tools.cmu", "tools.ckdemo", "tools.key_mgmt_util")} == {
        f"tools.{tool}"
    }


# An emulated tool starts eleven times in one migration, and a test run makes hundreds.
SELDOM = {"cryptography", "dataclasses", "hashlib", "inspect", "pathlib", "random"}
START = """
import importlib, sys
sys.path.append(sys.argv[1])
from keyferry.emulator.run import TOOLS
for module in TOOLS.values():
    importlib.import_module(module)
print(*sys.modules)
"""


def test_the_emulated_tools_start_without_what_they_seldom_need() -> None:
    command = [sys.executable, "-I", "-S", "-c", START, str(ROOT / "src")]
    modules = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
    assert "keyferry.emulator.cloudhsm.cloudhsm_cli.tool" in modules
    assert SELDOM & set(modules) == set()
