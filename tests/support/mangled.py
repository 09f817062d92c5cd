"""Damage to a run's directory that a reader of it may meet: values of other types, cuts, doubled and foreign lines."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from keyferry.run import manifest
from keyferry.text import canonical
from records import rechain

if TYPE_CHECKING:
    import random
    from pathlib import Path

DEEP = '{"a":' * 100_000
LONG_NUMBER = "1" + "0" * 400
VERY_LONG_NUMBER = "9" * 5000
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, 10**400, -(10**400), 1e308, float("nan"), float("inf"), "", "x", "0x",
    "\ud800", "\0", "\u2028", "x" * 70_000, [], {}, [[]], [None], {"": None}, [1, "o", "x"], "1" * 5000,
    "../../etc/passwd", "sessions/../journal.jsonl", "/", ".", "files", "sessions/001-vtl.cast/x", "-1", "label:",
)  # fmt: skip


def mangle(run: Path, dice: random.Random) -> str:
    """Damage one file of a run, and sometimes make every chain fit again. Return what was done."""
    for path in run.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.suffix != ".py")
    heavy = [path for path in files if path.suffix in (".jsonl", ".cast")]
    path = dice.choice([*files, *heavy, run / "journal.jsonl", run / "journal.jsonl"])
    kind = dice.choice([_value, _value, _value, _line, _bytes, _file])
    told = f"{path.relative_to(run)}: {kind(path, dice)}"
    if dice.random() < 0.7:
        with contextlib.suppress(Exception):  # what does not fit any more stays as it is
            _fit(run)
        told += ", chains made to fit"
    return told


def _value(path: Path, dice: random.Random) -> str:
    """Another value, a missing one, or one twice, somewhere in one JSON line."""
    lines = path.read_bytes().split(b"\n")
    number = dice.randrange(max(1, len(lines) - 1))
    try:
        document = json.loads(lines[number])
    except ValueError:
        return _bytes(path, dice)
    places = [*_places(document)]
    if not places:
        return _line(path, dice)
    parent, name = dice.choice(places)
    what = dice.choice(["other", "other", "gone", "new"])
    value = copy.copy(dice.choice(VALUES))
    if what == "gone":
        del parent[name]
    elif what == "new" and isinstance(parent, dict):
        parent[dice.choice(["key", "file", "act", "kind", "state", "x" * 100])] = value
    else:
        parent[name] = value
    sort = path.suffix == ".json"
    lines[number] = json.dumps(
        document, separators=(",", ":"), sort_keys=sort, ensure_ascii=path.suffix != ".cast"
    ).encode("utf-8", "backslashreplace")
    path.write_bytes(b"\n".join(lines))
    return f"line {number + 1}: {name!r} {what} {str(value)[:30]!r}"


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found.append((value, name))
        found += _places(inner)
    return found


def _line(path: Path, dice: random.Random) -> str:
    lines = path.read_bytes().split(b"\n")
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    what = dice.choice(["gone", "twice", "swapped", "cut", "deep", "number", "doubled field", "base64", "foreign"])
    line = lines[one]
    if what == "gone":
        del lines[one]
    elif what == "twice":
        lines.insert(two, line)
    elif what == "swapped":
        lines[one], lines[two] = lines[two], line
    elif what == "cut":
        lines[one] = line[: dice.randrange(len(line) + 1)]
    elif what == "deep":
        lines[one] = dice.choice([b"[" * 200_000, DEEP.encode(), b"[" * 900 + b"]" * 900])
    elif what == "number":
        lines[one] = b'[%s,"o","x"]' % dice.choice([LONG_NUMBER, VERY_LONG_NUMBER, "1e999", "-1", "NaN"]).encode()
    elif what == "doubled field":
        lines[one] = line[:-1] + b',"kind":"end","seq":1}'
    elif what == "base64":
        lines[one] = b'[1.0,"b","%s"]' % dice.choice([b"x", b"====", b"\xc3\xa9", b"AAA", b"!!!!"])
    else:
        lines[one] = dice.choice([b"null", b"7", b'"x"', b"[]", b"{}", b"[1,2,3]", b"\xff\xfe", b"\0", b'{"kind":[]}'])
    path.write_bytes(b"\n".join(lines))
    return f"line {one + 1} {what}"


def _bytes(path: Path, dice: random.Random) -> str:
    data = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 1, 5, 50])):
        place = dice.randrange(len(data) + 1)
        data[place : place + dice.choice([0, 1, 1, 9])] = dice.choice(
            [b"", b"\0", b"\xff", b"\n", b'"', b"{", b"9", b"\x1b"]
        )
    path.write_bytes(data[: dice.randrange(len(data) + 1)] if dice.random() < 0.2 else data)
    return "bytes"


def _file(path: Path, dice: random.Random) -> str:
    what = dice.choice(["gone", "empty", "a folder", "a link", "another", "unreadable"])
    data = path.read_bytes()
    path.unlink()
    if what == "empty":
        path.write_bytes(b"")
    elif what == "a folder":
        path.mkdir()
    elif what == "a link":
        path.symlink_to(dice.choice(["/nonexistent", path.name, "/dev/null", "."]))
    elif what == "another":
        path.write_bytes(
            dice.choice([b"\n", b"{}\n", b"[]\n", b"\0" * 100, data * 2, b'{"version":2}\n', b"x\n" * 1000])
        )
    elif what == "unreadable":
        path.write_bytes(data)
        path.chmod(0)
    return what


def _fit(run: Path) -> None:
    """Chain everything anew, as somebody would who can rewrite it all; stop where it cannot be."""
    sessions: dict[str, tuple[str, str, int]] = {}
    head, out, entries = hashlib.sha256(b"keyferry-journal/2").hexdigest(), b"", []
    journal = run / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, dict):
            break
        with contextlib.suppress(Exception):
            if line.get("kind") == "opened":
                sessions[line["file"]] = rechain(run / line["file"], continues=head)
                line["header"] = sessions[line["file"]][0]
            elif line.get("kind") == "closed":
                line["head"], line["count"] = sessions[line["file"]][1:]
            elif line.get("kind") == "begin":
                line["about"] = hashlib.sha256((run / "run.json").read_bytes()).hexdigest()
            elif line.get("kind") == "planned":
                line["sha256"] = hashlib.sha256((run / "plan.json").read_bytes()).hexdigest()
        data = json.dumps(line | {"seq": number, "prev": head}, separators=(",", ":")).encode() + b"\n"
        head, out = hashlib.sha256(data).hexdigest(), out + data
        entries.append(json.loads(data))
    journal.write_bytes(out)
    told = json.loads((run / "manifest.json").read_bytes())
    (run / "manifest.json").unlink()
    story = manifest.ManifestBuilder()
    for line in entries:
        story.take(line)
    whole = manifest.compose(run, told["run_id"], "0", story, {"count": len(entries), "head": head})
    (run / "manifest.json").write_bytes(canonical(whole))


def fresh(run: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(run, target)
