from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.classic.cmu import keys, objects
from keyferry.emulator.classic.cmu.options import Options, UsageError, parse, the_one
from keyferry.emulator.classic.cmu.run import Run
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.hsm import Hsm
from keyferry.emulator.classic.tool_faults import ends_badly, shared_faults, strikes_dead, writes_garbage
from keyferry.emulator.faults import Fault
from keyferry.emulator.terminal import EndOfInputError, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyferry.emulator.classic.hsm import Session
    from keyferry.emulator.store import Store


class Function(NamedTuple):
    """What cmu can do: its options besides slot and password, and the work, which gives the exit status."""

    options: tuple[str, ...]
    work: Callable[[Run], int]


_FUNCTIONS = {
    "list": Function((*objects.FILTERS, "public"), objects.list_objects),
    "getAttribute": Function(("handle", "attributes"), objects.get_attribute),
    "setAttribute": Function(objects.SETTABLE, objects.set_attribute),
    "delete": Function(("handle", "force"), objects.delete),
    "import": Function(keys.IMPORT, keys.import_object),
    "generateKeyPair": Function(keys.GENERATE, keys.generate_key_pair),
}
# Of the real tool's functions only; they count where a beginning has to fit one function alone.
_NOT_EMULATED = ("importKey", "export", "selfSignCertificate", "requestCertificate", "certify", "getPkc", "verifyHsm")
FAULTS = (
    *shared_faults(tuple(_FUNCTIONS)),
    Fault("pem-swapped", "imports another RSA key of the same size under the wanted label", ("import",)),
    Fault("import-lost", "imports nothing, and ends as if it had", ("import",)),
    Fault("wrong-handle", "puts each label beside another object's handle", ("list",)),
)
_NUMBERS = {
    "CKR_SLOT_ID_INVALID": 0x03,
    "CKR_ATTRIBUTE_READ_ONLY": 0x10,
    "CKR_OBJECT_HANDLE_INVALID": 0x82,
    "CKR_PIN_INCORRECT": 0xA0,
    "CKR_PIN_LOCKED": 0xA4,
    "CKR_TOKEN_NOT_PRESENT": 0xE0,
    "CKR_USER_PIN_NOT_INITIALIZED": 0x102,
}


def main(store: Store, argv: list[str]) -> int:
    terminal = Terminal()
    try:
        status = _run(store, argv, terminal)
    except UsageError as error:
        terminal.write(f"Error: {error}\n")
        status = 1
    except CkrError as error:
        terminal.write(_refusal(error))
        status = 1
    except EndOfInputError:
        status = 1
    terminal.flush()
    return status


def _run(store: Store, argv: list[str], terminal: Terminal) -> int:
    hsm = Hsm(store, "cmu")
    version = hsm.jitter.pick("client version", "10.3.0-275", "10.5.0-470")
    roomy = hsm.dialect == "7" and version == "10.5.0-470"  # an empty line after the banner and the password
    banner = f"Certificate Management Utility (64-bit) v{version}. Emulated for rehearsals.\n" * (hsm.dialect == "7")
    if not argv or argv[0] == "?":
        terminal.write(banner + "Certificate Management Utility, emulated. Functions: " + " ".join(_FUNCTIONS) + "\n")
        return 0
    try:
        name = _name(argv[0])
    except UsageError:
        terminal.write(banner)
        raise
    if strikes_dead(store, "cmu", name, terminal):
        return 1
    terminal.write(banner + "\n" * roomy)
    pubkey = store.setting("cmu_pubkey_option", "pubkey").lower()
    function = _FUNCTIONS[name]
    options = parse(argv[1:], (*function.options, pubkey) if name == "import" else function.options)
    session = hsm.open(_slot(hsm, options, terminal))
    _login(hsm, session, options, terminal)
    terminal.write("\n" * roomy)
    if writes_garbage(store, "cmu", name, terminal):
        return 0
    status = function.work(Run(store, terminal, hsm, session, options, pubkey))
    ends_badly(store, "cmu", name, terminal)
    return status


def _name(asked: str) -> str:
    """The one function that is meant, in any case and shortened."""
    name = the_one(asked, (*_FUNCTIONS, *_NOT_EMULATED))
    if name in _NOT_EMULATED:
        raise UsageError(f"{name}: not emulated")
    return name


def _slot(hsm: Hsm, options: Options, terminal: Terminal) -> int:
    """The slot that was given; without one, the only token's, or the one that is chosen."""
    tokens = [slot for slot in hsm.slots() if slot.present]
    if "slot" in options:
        return options.number("slot")
    if len(tokens) == 1:
        return tokens[0].number
    terminal.write("Select token\n")
    for slot in tokens:
        terminal.write(f" [{slot.number}] Token Label: {slot.label}\n")
    terminal.write(" \n Enter choice: ")
    answer = terminal.read_line().strip().decode("ascii", "replace")
    if answer not in {str(slot.number) for slot in tokens}:
        raise UsageError("no such token")
    return int(answer)


def _login(hsm: Hsm, session: Session, options: Options, terminal: Terminal) -> None:
    if "password" in options:
        session.login("CO", options.text("password"))
        return
    colon = hsm.jitter.pick("password prompt", " : ", ": ")
    terminal.write(f"Please enter password for token in slot {session.slot.number}{colon}")
    session.login("CO", terminal.read_masked(b"*"))


def _refusal(error: CkrError) -> str:
    number = f" (0x{_NUMBERS[error.ckr]:X})" if error.ckr in _NUMBERS else ""
    return f"Error: {error.function} returned {error.ckr}{number}\n"
