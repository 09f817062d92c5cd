"""vtl, cmu and ckdemo as a person uses them. ckdemo's numbers differ by version: a person reads them off the screen."""

from __future__ import annotations

import shlex

from keyferry.tools.ckdemo import dialect
from keyferry.tools.ckdemo.dialect import MENU
from keyferry.tools.manual import SHELL, Instruction, TypedLine

_OK = "`Status: Doing great, no errors (CKR_OK)`"
_ONCE = "refused: stop; a partition locks after a few wrong tries"
_PIN = "the partition's PIN"
_SLOT = "the slot's number"
_WRAP = "<WRAP>"


def _beside(title: str) -> str:
    return f"the number beside `{title}` on your screen"


def _choose(name: str) -> TypedLine:
    return TypedLine(dialect.MAIN.name, _beside(MENU[name]), verbatim=False)


def _ask(prompt: str, what: str) -> TypedLine:
    return TypedLine(prompt, what, verbatim=False)


def list_slots(partition: str) -> Instruction:
    return Instruction(
        "vtl",
        (TypedLine(SHELL, "vtl listSlots"),),
        ("a table of slots",),
        (f"one row has {partition}, and is `Present`",),
        (_SLOT,),
    )


def import_key(file: str, label: str, option: str) -> Instruction:
    line = f"cmu import -slot=<slot> -inputFile={file} {shlex.quote(f'-label={label}')} {option}"
    turns = (TypedLine(SHELL, line), _cmu_password())
    return Instruction("cmu", turns, ("nothing, or a line that tells of success", _ONCE))


def listed(label: str) -> Instruction:
    turns = (TypedLine(SHELL, "cmu list -slot=<slot>"), _cmu_password())
    return Instruction(
        "cmu", turns, (f"exactly one line `handle=N label={label}`",), (), ("WRAP, the handle of that line",)
    )


def start() -> Instruction:
    return Instruction("ckdemo", (TypedLine(SHELL, "ckdemo"),), (_OK, "the menu"))


def open_session(partition: str) -> Instruction:
    slot = _ask(dialect.SLOT.name, "the slot's number (asked only where there are several)")
    role = _ask("... normal user ...?", _beside("normal user"))
    return Instruction(
        "ckdemo",
        (_choose("token_info"), slot, _choose("open_session"), slot, role),
        (_OK,),
        (f"Token Info, before any PIN is typed: {partition}; no flag CKF_USER_PIN_COUNT_LOW, FINAL_TRY or LOCKED",),
    )


def log_in() -> Instruction:
    role = _ask("... Crypto-Officer ...:", _beside("Crypto-Officer"))
    pin = _ask(dialect.PIN.name, f"{_PIN}; older builds show it: nobody looks on, and no recording runs")
    return Instruction("ckdemo", (_choose("login"), role, pin), (_OK, _ONCE))


def allow(file: str, label: str, *, search: bool) -> Instruction:
    """search: the handle that cmu told is good in cmu only, so WRAP is looked up in this session (an HA group)."""
    found = (_choose("find_object"), _ask(dialect.OBJECT_TYPE.name, _beside(dialect.SEARCHES["all"]))) if search else ()
    template = _ask("... Add Attribute ... Accept Template", _beside("Add Attribute"))
    accept = _ask("... Add Attribute ... Accept Template", _beside("Accept Template"))
    return Instruction(
        "ckdemo",
        (
            *found,
            _choose("set_attribute"),
            TypedLine("Which object do you want to modify", _WRAP),
            template,
            _ask(dialect.WHICH_ATTRIBUTE.name, _beside("CKA_WRAP")),
            TypedLine(dialect.BOOLEAN.name, "1"),
            accept,
            _choose("display_object"),
            TypedLine("Enter handle of object to display", _WRAP),
        ),
        ("the template shows `CKA_WRAP=01` and nothing else before it is accepted", _OK),
        (
            "the display says CKA_CLASS=02..., CKA_WRAP=01",
            f"its CKA_MODULUS is that of {file}: `openssl rsa -pubin -noout -modulus -in {file}`",
        ),
        (f"WRAP, the handle of {label} in this session",) if search else (),
    )


def describe(handle: str, looks: list[tuple[str, str]], *, search: bool) -> Instruction:
    """search: handles are this session's only, so that the key is found by its label first (an HA group)."""
    found = (_choose("find_object"), _ask(dialect.OBJECT_TYPE.name, _beside(dialect.SEARCHES["all"]))) if search else ()
    return Instruction(
        "ckdemo",
        (*found, _choose("display_object"), TypedLine("Enter handle of object to display", handle)),
        (_OK, "never a line `CKA_VALUE=` with a value: if there is one, nobody looks on and no recording is kept"),
        ("CKA_EXTRACTABLE=01", *(f"{name}: {value}" for name, value in looks)),
        (handle,) if search else (),
    )


def check_value(handle: str, key_type: str, kcv: str) -> Instruction:
    mechanism, block = dialect.CHECK_VALUE_MECHANISM[key_type]
    return Instruction(
        "ckdemo",
        (
            TypedLine(f"{SHELL} (another shell, same folder)", f"head -c {block} /dev/zero > zero.bin"),
            _choose("encrypt_file"),
            _ask(dialect.ENCRYPTION.name, _beside(mechanism)),
            TypedLine(dialect.FILE_TO_ENCRYPT.name, "zero.bin"),
            TypedLine("Enter key to use", handle),
            TypedLine(
                f"{SHELL} (another shell, same folder)",
                f"head -c 3 {dialect.ENCRYPTED_FILE} | od -An -tx1; shred -u {dialect.ENCRYPTED_FILE}",
            ),
        ),
        (
            f"`{dialect.ENCRYPTED}`",
            _OK,
            f"{dialect.ENCRYPTED_FILE} is secret: three bytes are read, the rest is erased",
        ),
        (f"the three bytes are {kcv}",),
    )


def choose_hash() -> Instruction:
    option = _ask(dialect.OPTION.name, _beside(dialect.OPTION_HASH))
    return Instruction(
        "ckdemo", (_choose("options"), option, _ask(dialect.OPTION.name, _beside(dialect.OPTION_DONE))), (_OK,)
    )


def wrap(handle: str, digest: str, size: int, name: str) -> Instruction:
    asked = _ask("(the table of hashes)", _beside(dialect.HASHES[digest]))
    hashes = () if digest == "sha1" else (asked,)
    return Instruction(
        "ckdemo",
        (
            TypedLine(f"{SHELL} (another shell, same folder)", f"rm -f {dialect.WRAPPED_FILE}"),
            _choose("wrap_key"),
            _ask("(the table of mechanisms; no prompt follows it)", _beside(dialect.RSA_OAEP)),
            *hashes,
            TypedLine("Enter filename of OAEP Source Data [0 for none]:", "0"),
            TypedLine("Enter handle of wrapping key", _WRAP),
            TypedLine("Enter handle of key to wrap", handle),
            TypedLine(
                f"{SHELL} (another shell, same folder)",
                f"mv {dialect.WRAPPED_FILE} {name}; wc -c {name}; sha256sum {name}",
            ),
        ),
        (f"`{dialect.WRAPPED}`", _OK),
        (f"{name} has exactly {size} bytes",),
        (f"SHA-256 of {name}",),
    )


def leave() -> Instruction:
    return Instruction("ckdemo", (_choose("quit"),), ("the program ends",))


def _cmu_password() -> TypedLine:
    return _ask("Please enter password for token in slot <slot> :", f"{_PIN}; stars are shown")
