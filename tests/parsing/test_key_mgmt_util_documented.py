"""For every parser: screens in the documented formats with other values and layouts, and damage to them."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyferry.errors import UnknownScreenError
from keyferry.tools.key_mgmt_util.parsing import VERBS, parse
from mutations import DAMAGE, damaged

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

Json = dict[str, Any]
Piece = tuple[list[str], Json]
"""The lines of a verb's own, and the fields that they must be read as."""

OK = "HSM Return: SUCCESS"
ERRORS = {
    0x1B: "CSP Error: ERR_BAD_PKCS_DATA",
    0xA0: "HSM Error: No user is logged in to do this operation",
    0xA8: "HSM Error: Invalid object handle is passed to this operation",
    0xC6: "HSM Error: Key Access is denied.",
    0x30000085: "HSM CLUSTER ERROR: Server in cluster is unavailable",
    0x40000040: "LIQUIDSECURITY: Daemon socket connection error",
}
HANDLES = st.one_of(st.integers(1, 30), st.integers(1, 2**64 - 1))
WORDS = st.text("abcXYZ019._-/", min_size=1, max_size=12)
PHRASES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
FUNCTIONS = {
    "loginHSM": ["Cfm3LoginHSM"],
    "logoutHSM": ["Cfm3LogoutHSM"],
    "genRSAKeyPair": ["Cfm3GenerateKeyPair"],
    "genSymKey": ["Cfm3GenerateSymmetricKey"],
    "exportPubKey": ["Cfm3ExportPubKey"],
    "importPubKey": ["Cfm3CreatePublicKey"],
    "exportPrivateKey": ["Cfm3WrapKey", "Cfm3UnWrapHostKey"],
    "exSymKey": ["Cfm3WrapKey", "Cfm3UnWrapHostKey"],
    "findKey": ["Cfm3FindKey"],
    "getAttribute": ["Cfm3GetAttribute"],
    "setAttribute": ["Cfm3SetAttribute"],
    "deleteKey": ["Cfm3DeleteKey"],
    "listUsers": ["Cfm3ListUsers"],
}
CHOICES = {
    "imSymKey": [
        ["Cfm3WrapHostKey", "Cfm3CreateUnwrapTemplate", "Cfm3UnWrapKey"],
        ["Cfm3ImportWrapKey", "Cfm3CreateUnwrapTemplate2", "Cfm3ImportUnWrapKey"],
    ],
    "wrapKey": [["Cfm2WrapKey"], ["Cfm2WrapKey5"], ["Cfm3WrapKeyWithTemplate"]],
    "unWrapKey": [["Cfm3UnWrapKey"], ["Cfm2UnWrapKey5"], ["Cfm3CreateUnwrapTemplate2", "Cfm2UnWrapWithTemplate3"]],
    "findSingleKey": [["Cfm3FindSingleKey"], ["Cfm3FindKey"]],
    "getKeyInfo": [["Cfm3GetKey"]],
}
WITHOUT_RESULT = {"startup", "attributeFile", "listAttributes", "getHSMInfo", "Error2String", "help"}
BEFORE_RESULT = {"exportPubKey", "findKey", "getAttribute", "listUsers", "setAttribute", "loginHSM"}
WITH_BLOCK = {
    *("loginHSM", "logoutHSM", "genRSAKeyPair", "genSymKey", "importPubKey", "imSymKey", "unWrapKey"),
    *("deleteKey", "setAttribute", "findSingleKey", "findKey"),
}


@dataclass(frozen=True)
class Screen:
    verb: str
    text: str
    expected: Json


def _one_key(*lines: str) -> Callable[[DrawFn], Piece]:
    def piece(draw: DrawFn) -> Piece:
        handle = draw(HANDLES)
        attested = draw(st.sampled_from([[], ["Attestation Check : [PASS]"]]))
        return [draw(st.sampled_from(lines)).format(handle), *attested], {"handle": handle}

    return piece


def _one_file(*lines: str) -> Callable[[DrawFn], Piece]:
    def piece(draw: DrawFn) -> Piece:
        file = draw(WORDS)
        return [draw(st.sampled_from(lines)).format(file)], {"file": file}

    return piece


def _nothing(*lines: str) -> Callable[[DrawFn], Piece]:
    return lambda draw: (draw(st.sampled_from([[], list(lines)])), {})


def _pair(draw: DrawFn) -> Piece:
    one, two = draw(HANDLES), draw(HANDLES)
    line = f"Cfm3GenerateKeyPair:    public key handle: {one}    private key handle: {two}"
    return [line], {"public_handle": one, "private_handle": two}


def _wrapped(draw: DrawFn) -> Piece:
    file, length, quote = draw(WORDS), draw(st.integers(0, 9999)), draw(st.sampled_from(["", '"']))
    written = f'Wrapped Key written to file "{file}{quote} length {length}'
    return ["Key Wrapped.", written], {"file": file, "length": length}


def _found(draw: DrawFn) -> Piece:
    handles, new = draw(st.lists(HANDLES, max_size=40)), draw(st.booleans())
    fields = {"handles": handles, "total": len(handles)}
    total = [f"Total number of keys present{':' if new else ''} {len(handles)}"]
    if not handles:
        return total, fields
    words = "Number of matching keys" if new else "number of keys matched"
    head = [f"{words} from start index 0::{len(handles) - 1}"] + ["Handles of matching keys:"] * new
    rows = [", ".join(map(str, handles[at : at + 15])) for at in range(0, len(handles), 15)]
    return total + head + [f"{row}, " for row in rows[:-1]] + rows[-1:], fields


def _dump(draw: DrawFn) -> Piece:
    file, size, count, new = draw(WORDS), draw(st.integers(1, 9999)), draw(st.integers(1, 99)), draw(st.booleans())
    sizes = f"Attribute size: {size}, count: {count}" if new else f"got all attributes of size {size} attr cnt {count}"
    written = f"Written to: {file} file" if new else f"Attributes dumped into {file} file"
    every = draw(st.booleans())
    fields = {"file": file} | ({"length": size, "total": count} if every else {})
    return [sizes] * every + [written], fields


def _info(draw: DrawFn) -> Piece:
    owner, shared, new = draw(st.integers(0, 99)), draw(st.lists(st.integers(0, 999), max_size=5)), draw(st.booleans())
    lines = [f"Owned by user{':' if new else ''} {owner}"]
    if shared:
        words = "Shared with" if new else "also, shared to"
        in_one = draw(st.booleans())
        lines += [f"{words} following {len(shared)} user(s):"]
        lines += [", ".join(map(str, shared))] if in_one else [str(user) for user in shared]
    return lines, {"owner": owner, "shared": shared}


def _users(draw: DrawFn) -> Piece:
    rows = draw(st.lists(st.tuples(st.sampled_from(["CU", "CO", "PRECO"]), WORDS, st.integers(0, 9)), max_size=4))
    count = draw(
        st.sampled_from(["Number Of Users Found: {}", "Number of users found: {}", "Number Of Users found {}"])
    )
    lines = [count.format(len(rows)), "Index User ID User Type User Name MofnPubKey LoginFailureCnt 2FA"]
    answers = st.sampled_from(["YES", "NO"])
    mofn, mfa = draw(answers), draw(answers)
    lines += [f"{at} {at + 6} {kind} {name} {mofn} {failures} {mfa}" for at, (kind, name, failures) in enumerate(rows)]
    flags = {"mofn_key": mofn == "YES", "mfa": mfa == "YES"}
    users = [
        {"id": at + 6, "type": row[0], "name": row[1], "login_failures": row[2], **flags} for at, row in enumerate(rows)
    ]
    return lines, {"users": users}


def _started(draw: DrawFn) -> Piece:
    session = f"{draw(st.integers(0, 2**32)):x}"
    lines = ["Cfm3Initialize() returned app id : 01000000 ", f"session_handle {session} "]
    lines += ["Current FIPS mode is: 00000002", "Help Commands Available:", draw(PHRASES)]
    before = draw(st.sampled_from([[], ["Version info, Client Version: 2.09, SDK API Version: 2.09"]]))
    return before + lines, {"info": {"app_id": "01000000", "session": session, "fips_mode": "00000002"}}


def _attribute_file(draw: DrawFn) -> Piece:
    handle = f"0x{draw(st.integers(0, 2**32 - 1)):08x}"
    found = {"OBJ_ATTR_CLASS": "0x04", "OBJ_ATTR_LABEL": draw(WORDS), "OBJ_ATTR_VALUE_LEN": handle}
    return [line for pair in found.items() for line in pair], {"attributes": found}


def _attribute_numbers(draw: DrawFn) -> Piece:
    new = {f"NEW_{name}": draw(st.integers(0, 2**32)) for name in draw(st.lists(st.sampled_from("ABCDE"), unique=True))}
    found = {"CLASS": 0, "MODULUS": 288} | new | {"KCV": 371}
    short = "Following are the possible attribute values for getAttributes:"
    long = "The following are all of the possible attribute values for getAttributes."
    head = draw(st.sampled_from([[short], ["Description", "===========", long]]))
    rows = [f"OBJ_ATTR_{name} = {number}" for name, number in found.items()]
    return head + rows, {"attributes": {f"OBJ_ATTR_{name}": str(number) for name, number in found.items()}}


def _hsm_info(draw: DrawFn) -> Piece:
    names = draw(st.lists(st.sampled_from(["Model", "Serial Number", "HSM Flags", "Temperature"]), unique=True))
    found = {name: draw(st.one_of(st.just(""), PHRASES, st.just("a : b"))) for name in ["Label", *names, "FIPS state"]}
    colon = draw(st.sampled_from([" :", ":", ": "]))
    return [f"{name}{colon}{value}" for name, value in found.items()], {"info": found}


def _meaning(draw: DrawFn) -> Piece:
    code, text = draw(st.integers(0, 2**32 - 1)), draw(PHRASES)
    return [f"Error Code {code:x} maps to {text}"], {"info": {"code": code, "text": text}}


def _help(draw: DrawFn) -> Piece:
    rows = [f"{word} Does it" for word in draw(st.lists(st.sampled_from(["findKey", "wrapKey", "sign"]), unique=True))]
    head = ["Help Commands Available:", "Syntax: <command> -h", "Command Description", "======= ==========="]
    return [*head, "exit Ends", "help Tells", *rows, "Asymmetric Keys:"], {}


PIECES: dict[str, Callable[[DrawFn], Piece]] = {
    "startup": _started,
    "loginHSM": _nothing("Enter password: ", "*********"),
    "logoutHSM": lambda _draw: ([], {}),
    "genRSAKeyPair": _pair,
    "genSymKey": _one_key("Symmetric Key Created.  Key Handle: {}"),
    "exportPubKey": _one_file("PEM formatted public key is written to {}"),
    "importPubKey": _one_key("Public Key Handle: {} "),
    "exportPrivateKey": _one_file("PEM formatted private key is written to {}"),
    "imSymKey": _one_key("Symmetric Key Unwrapped.  Key Handle: {}", "Symmetric Key Imported.  Key Handle: {} "),
    "exSymKey": _one_file('Wrapped Symmetric Key written to file "{}"', 'Exported Symmetric Key written to file "{}"'),
    "wrapKey": _wrapped,
    "unWrapKey": _one_key("Key Unwrapped.  Key Handle: {}", "Key Unwrapped. Key Handle: {} "),
    "findKey": _found,
    "findSingleKey": lambda _draw: ([], {}),
    "getAttribute": _dump,
    "attributeFile": _attribute_file,
    "getKeyInfo": _info,
    "setAttribute": _nothing(
        "This attribute is defined as a boolean value.", "Enter the boolean attribute value (0 or 1):1"
    ),
    "deleteKey": lambda _draw: ([], {}),
    "listUsers": _users,
    "listAttributes": _attribute_numbers,
    "getHSMInfo": _hsm_info,
    "Error2String": _meaning,
    "help": _help,
}


def _result(draw: DrawFn, functions: list[str], code: int) -> list[str]:
    """All but the last function succeed."""
    gap = draw(st.sampled_from([" returned: ", ": "])) if functions[-1] == "Cfm3ImportUnWrapKey" else " returned: "
    done = [f"{function} returned: 0x00 : {OK}" for function in functions[:-1]]
    if not code:
        return [*done, f"{functions[-1]}{gap}0x00 : {OK}"]
    one_line = [f"{functions[-1]}{gap}0x{code:02x} : {ERRORS[code]}"]
    return done + draw(st.sampled_from([one_line, [f"{functions[-1]}{gap}0x{code:02x} ", ERRORS[code]]]))


def _block(draw: DrawFn, code: int) -> Piece:
    ids = draw(st.lists(st.integers(0, 200), min_size=1, max_size=6, unique=True))
    text = ERRORS.get(code, OK)
    head, node = draw(
        st.sampled_from(
            [
                ("Cluster Error Status", "Node id {} and err state 0x{:08x} : {}"),
                ("Cluster Status:", "Node id {} status: 0x{:08x} : {}"),
                ("Cluster Status", "Node id {} and err state 0x{:08x} : {}"),
            ]
        )
    )
    nodes = [{"id": number, "code": code, "text": text} for number in ids]
    return [head, *(node.format(number, code, text) for number in ids)], {"nodes": nodes}


def _lines(draw: DrawFn, verb: str, code: int) -> Piece:
    own, fields = PIECES[verb](draw) if not code else ([], {})
    if verb in WITHOUT_RESULT:
        return own, fields
    result = _result(draw, FUNCTIONS.get(verb) or draw(st.sampled_from(CHOICES[verb])), code)
    block, nodes = _block(draw, code) if verb in WITH_BLOCK else ([], {})
    if verb == "findKey":
        return own + block + result, fields | nodes
    first = verb in BEFORE_RESULT or (verb == "wrapKey" and draw(st.booleans()))
    return (own + result + block if first else result + own + block), fields | nodes


@st.composite
def screens(draw: DrawFn, code: int | None = None) -> Screen:
    """A screen of any verb that ended with this code; None: of those with a result line, any error."""
    verbs = sorted(set(VERBS) - (WITHOUT_RESULT if code is None else set()))
    verb = draw(st.sampled_from(verbs))
    ended = draw(st.sampled_from(sorted(ERRORS))) if code is None else code
    found, fields = _lines(draw, verb, ended)
    error = {"code": ended, "text": ERRORS[ended]} if ended else None
    return Screen(verb, draw(layouts(verb, found)), {"ok": not ended, "error": error, **fields})


@st.composite
def layouts(draw: DrawFn, verb: str, found: list[str]) -> str:
    """Lines as some terminal gives them: indentation, blanks, line ends, echo and prompts around."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r\r\n", "\n\0"]))
    if verb == "attributeFile":
        return draw(st.sampled_from(["", f"$  cat f{end}{end}"])) + "".join(line + end for line in found)
    indent, blank = draw(st.sampled_from(["", "\t", "        ", " \t"])), draw(st.sampled_from([" ", "\t", "   "]))
    between = draw(st.sampled_from([end, end * 2]))
    body = between.join(indent + re.sub(" +", lambda _: blank, line) for line in found)
    before = "" if verb == "startup" else draw(st.sampled_from(["", f"Command:  {verb} -a b{end}", f"{verb}{end}"]))
    return before + body + draw(st.sampled_from(["", end, f"{end}{end}Command:  ", f"{end}Command:{end}Command: "]))


@given(screens(code=0))
def test_success_is_read(screen: Screen) -> None:
    found = parse(screen.verb, screen.text)
    assert {name: found[name] for name in found if name not in ("schema", "tool", "verb")} == screen.expected


@given(screens())
def test_refusals_are_read(screen: Screen) -> None:
    found = parse(screen.verb, screen.text)
    assert {name: found[name] for name in found if name not in ("schema", "tool", "verb")} == screen.expected


@given(st.one_of(screens(code=0), screens()), DAMAGE)
def test_a_mutant_is_read_or_refused(screen: Screen, damage: tuple[str, int]) -> None:
    with contextlib.suppress(UnknownScreenError):
        found = parse(screen.verb, damaged(screen.text, *damage))
        assert found["ok"] is (found["error"] is None)


@given(st.one_of(screens(code=0), screens()))
def test_the_same_answer_twice_is_refused(screen: Screen) -> None:
    body = re.sub(r"(?m)^Command:.*$", "", screen.text)
    if screen.verb == "startup":  # after the list of commands comes free text
        return
    with pytest.raises(UnknownScreenError):
        parse(screen.verb, f"{body}\n{body}")
