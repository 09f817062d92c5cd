"""cmu list, getattribute, setattribute and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.cmu import words
from keyferry.emulator.classic.cmu.options import MOST_DIGITS, UsageError, the_one
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.objects import flag
from keyferry.emulator.faults import strikes

if TYPE_CHECKING:
    from keyferry.emulator.classic.cmu.run import Run
    from keyferry.emulator.classic.objects import Obj

FILTERS = ("class", "keytype", "label", "id", "display", *words.FLAG_OPTIONS)
SETTABLE = ("handle", "label", "id", *words.FLAG_OPTIONS)
_COLUMNS = ("index", "handle", "class", "keytype", "label", "value", "ouid", "private", "publicexponent")
_MISSING = "Object not found"


def list_objects(run: Run) -> int:
    """One line for each object that passes the filters."""
    found = [obj for obj in run.session.find(template=_template(run)) if _passes(run, obj)]
    handles = [obj.handle for obj in found]
    if strikes(run.store, "cmu", "wrong-handle", "list"):
        handles = [*handles[1:], *handles[:1]]
    columns = [the_one(name, _COLUMNS) for name in run.options.given.get("display", "").split(",") if name]
    for index, (obj, handle) in enumerate(zip(found, handles, strict=True), 1):
        shown = type(obj)(handle, obj.attributes)
        run.terminal.write(b"\t".join(_cell(run, shown, name, index) for name in columns or ("handle", "label")))
        run.terminal.write("\n")
    return 0


def _template(run: Run) -> dict[str, bytes]:
    """The filters that ask for exact values."""
    flags = {
        name: flag(run.options.flag(option)) for option, name in words.FLAG_OPTIONS.items() if option in run.options
    }
    if "public" in run.options:
        flags["CKA_PRIVATE"] = flag(not run.options.flag("public"))
    if "label" in run.options:
        flags["CKA_LABEL"] = run.options.text("label")
    if "id" in run.options:
        flags["CKA_ID"] = run.options.hexadecimal("id")
    return flags


def _passes(run: Run, obj: Obj) -> bool:
    """The filters that ask for a word: `-class=secret` is secretKey, `-keytype=aes` AES."""
    wanted = run.options.given
    has_class = words.CLASSES[obj.attributes["CKA_CLASS"]].lower().startswith(wanted.get("class", "").lower())
    return has_class and wanted.get("keytype", "").lower() in ("", words.key_type(obj).lower())


def _cell(run: Run, obj: Obj, column: str, index: int) -> bytes:
    texts = {
        "handle": str(obj.handle).encode(),
        "class": words.value(obj, "CKA_CLASS"),
        "keytype": words.key_type(obj).encode(),
        "label": obj.label,
        "value": obj.attributes.get("CKA_VALUE", b"").hex().encode() or b"n/a",
        "ouid": obj.attributes.get("CKA_OUID", b"").hex().encode() or b"n/a",
        "private": words.value(obj, "CKA_PRIVATE"),
        "publicexponent": words.value(obj, "CKA_PUBLIC_EXPONENT") or b"n/a",
    }
    if column == "index":
        return f"{index:{run.hsm.jitter.number('index column', 3, 1, 6)}}".encode()
    return column.encode() + b"=" + texts[column]


def get_attribute(run: Run) -> int:
    """`name=value` lines of one object; `-attributes=a,b` asks for some of them."""
    handle = run.options.number("handle") if "handle" in run.options else _ask_object(run)
    if handle == 0:
        return 0
    lines = words.lines(run.session.get(handle))
    asked = run.options.given.get("attributes", "").lower()
    wanted = [the_one(name, lines) for name in asked.split(",")] if asked else list(lines)
    for name in wanted:
        run.terminal.write(name.encode() + b"=" + lines[name] + b"\n")
    return 0


def _ask_object(run: Run) -> int:
    run.terminal.write("Select object to query\nHandler Label\n")
    for obj in run.session.find():
        run.terminal.write(f"{obj.handle:<8}".encode() + obj.label + b"\n")
    answer = run.answer("Enter handler (or 0 for exit): ")
    if not answer.isdigit() or len(answer) > MOST_DIGITS:
        raise UsageError("a handle is needed")
    return int(answer)


def set_attribute(run: Run) -> int:
    """Says nothing when it is done."""
    changes = {
        name: flag(run.options.flag(option)) for option, name in words.FLAG_OPTIONS.items() if option in run.options
    }
    if "label" in run.options:
        changes["CKA_LABEL"] = run.options.text("label")
    if "id" in run.options:
        changes["CKA_ID"] = run.options.hexadecimal("id")
    run.session.set(run.options.number("handle"), changes)
    return 0


def delete(run: Run) -> int:
    """Says nothing when it is done; a missing object is told without a newline, and is no failure."""
    handle = run.options.number("handle")
    if "force" not in run.options and not run.answer("Delete this object? (y/n) ").lower().startswith(b"y"):
        return 0
    try:
        run.session.destroy(handle)
    except CkrError as error:
        if error.ckr != "CKR_OBJECT_HANDLE_INVALID":
            raise
        run.terminal.write(_MISSING)
    return 0
