"""The words that the vendors' tools print and take, from fixtures, recordings and this project's own sources.

    python tests/support/vocabulary.py

writes them to src/keyferry/recording/vocabulary.txt.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "src/keyferry/recording/vocabulary.txt"
_WORD = re.compile(r"[A-Za-z]{3,}")
_HEX = re.compile(r"[a-f]+")


def words() -> set[str]:
    """All words of at least three letters, in lower case; what may be hex is none."""
    found = {word.lower() for text in _texts() for word in _WORD.findall(text)}
    return {word for word in found if not _HEX.fullmatch(word)}


def _texts() -> list[str]:
    screens = [path.read_text(errors="replace") for path in (ROOT / "fixtures").rglob("*.txt")]
    recorded = [
        event[2]
        for path in (ROOT / "transcripts").rglob("*.cast")
        for event in map(json.loads, path.read_text().splitlines()[1:])
        if event[1] in ("o", "i")
    ]
    sources = [*(ROOT / "src/keyferry/tools").rglob("*.py"), *(ROOT / "src/keyferry/emulator").rglob("*.py")]
    return [*screens, *recorded, *(text for path in sources for text in _strings(ast.parse(path.read_text())))]


def _strings(tree: ast.Module) -> list[str]:
    """The strings of a program, less its docstrings."""
    told = [
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    ]
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told
    ]


if __name__ == "__main__":
    FILE.write_text("".join(f"{word}\n" for word in sorted(words())))
