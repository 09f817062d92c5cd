"""The arrows, sizes and habits of guides/architecture.md, held by looking at the source itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
ROOMS = ("transcript", "terminal", "tools", "procedure", "cli")  # from the bottom up
FILES = ("config", "secrets", "events", "errors", "names", "text")  # the bottom of all
LINES, FUNCTION_LINES = 350, 50


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(tree: ast.AST) -> set[str]:
    """Every module that is imported anywhere, also inside functions and for types only."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _room(module: str) -> str | None:
    """The room or single file of keyferry that a module is in; None outside keyferry, "" for the package itself."""
    first, _, rest = module.partition(".")
    if first != "keyferry":
        return None
    room = rest.partition(".")[0]
    return room if room in (*ROOMS, *FILES, "emulator") else ""


def _rooms_used(source: str) -> set[str]:
    return {room for module in _imported(ast.parse(source)) if (room := _room(module))}


def _allowed(room: str) -> set[str]:
    if room in ("emulator", ""):
        return {room}
    if room in FILES:
        return set(FILES)
    below = {*FILES, *ROOMS[: ROOMS.index(room) + 1]}
    return below | {"emulator"} if room == "cli" else below


def _room_of(path: Path) -> str:
    return path.relative_to(ROOT / "src/keyferry").with_suffix("").parts[0].removeprefix("__init__")


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_imports_only_run_downwards(path: Path) -> None:
    assert _rooms_used(path.read_text(encoding="utf-8")) <= _allowed(_room_of(path))


def test_every_room_is_known() -> None:
    assert {_room_of(path) for path in SOURCES} == {*ROOMS, *FILES, "emulator", ""}


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("tools", "from keyferry.procedure.plan import select"),
        ("terminal", "from keyferry import tools"),
        ("transcript", "import keyferry.terminal.console"),
        ("errors", "from keyferry.transcript import reader"),
        ("procedure", "from keyferry.cli.render import report"),
        ("procedure", "def late():\n    from keyferry.emulator import store"),
        ("emulator", "from keyferry import errors"),
        ("emulator", "import keyferry.names as names"),
    ],
)
def test_an_arrow_that_runs_up_would_be_seen(room: str, line: str) -> None:
    assert not _rooms_used(line) <= _allowed(room)


def test_the_emulator_takes_nothing_of_the_package_itself() -> None:
    for path in (ROOT / "src/keyferry/emulator").rglob("*.py"):
        taken = {module for module in _imported(_tree(path)) if module.startswith("keyferry.")}
        assert {module for module in taken if not f"{module}.".startswith("keyferry.emulator.")} == set(), path


@pytest.mark.parametrize("path", ALL, ids=_name)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", ALL, ids=_name)
def test_nothing_sleeps(path: Path) -> None:
    """Waiting is for a thing, with a limit; the text is searched, so that scripts inside strings count too."""
    if path != Path(__file__):
        assert "sleep(" not in path.read_text(encoding="utf-8")


SCRIPT = "src/keyferry/transcript/verify.py"  # runs by itself, and is no longer than its promise allows


def _needs_no_annotations(tree: ast.Module) -> bool:
    """Nothing but a docstring and constants: no line of it is annotated."""
    return all(
        isinstance(node, ast.Assign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )


@pytest.mark.parametrize("path", [path for path in SOURCES if _name(path) != SCRIPT], ids=_name)
def test_annotations_are_never_evaluated(path: Path) -> None:
    tree = _tree(path)
    assert _needs_no_annotations(tree) or "__future__.annotations" in _imported(tree)


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
    assert not {room for room in rooms if room.startswith(("procedure", "emulator"))}
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
    assert "keyferry.emulator.cloudhsm.cloudhsm_cli" in modules
    assert SELDOM & set(modules) == set()
