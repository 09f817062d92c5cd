from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from keyferry.emulator.classic.ckdemo import info, objects, sessions
from keyferry.emulator.classic.ckdemo.cipher import decrypt_file, encrypt_file
from keyferry.emulator.classic.ckdemo.dialect import dialect
from keyferry.emulator.classic.ckdemo.generate import generate_key
from keyferry.emulator.classic.ckdemo.options import change_options
from keyferry.emulator.classic.ckdemo.readers import Reader
from keyferry.emulator.classic.ckdemo.state import Demo
from keyferry.emulator.classic.ckdemo.wrap import unwrap_key, wrap_key
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.hsm import Hsm
from keyferry.emulator.faults import Fault, rubbish, wait_too_long
from keyferry.emulator.terminal import EndOfInputError, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.store import Store


class _Function(NamedTuple):
    verb: str
    run: Callable[[Demo], None]


# By the name in the menu: numbers move. A name that is not here answers as a number without a function does.
_FUNCTIONS = {
    "Open Session": _Function("openSession", sessions.open_session),
    "Close Session": _Function("closeSession", sessions.close_session),
    "Login": _Function("login", sessions.login),
    "Logout": _Function("logout", sessions.logout),
    "Slot Info": _Function("slotInfo", info.slot_info),
    "Token Info": _Function("tokenInfo", info.token_info),
    "Session Info": _Function("sessionInfo", info.session_info),
    "Get Slot List": _Function("getSlotList", info.get_slot_list),
    "Destroy object": _Function("destroyObject", objects.destroy_object),
    "Object size": _Function("objectSize", objects.object_size),
    "Get attribute": _Function("getAttribute", objects.get_attribute),
    "Set attribute": _Function("setAttribute", objects.set_attribute),
    "Find object": _Function("findObject", objects.find_object),
    "Display Object": _Function("displayObject", objects.display_object),
    "Encrypt file": _Function("encryptFile", encrypt_file),
    "Decrypt file": _Function("decryptFile", decrypt_file),
    "Simple Generate Key": _Function("generateKey", generate_key),
    "Wrap key": _Function("wrapKey", wrap_key),
    "Unwrap key": _Function("unwrapKey", unwrap_key),
    "Options": _Function("options", change_options),
}
_ANY = ("startup", *(function.verb for function in _FUNCTIONS.values()))
FAULTS = (
    Fault("garbage", "an undocumented line stands where the answer's Status belongs", _ANY),
    Fault("die", "the process ends in the middle of the answer", _ANY),
    Fault("die-before", "the process ends before it does anything", _ANY),
    Fault("die-after", "the process ends after its whole answer, before the prompt", _ANY),
    Fault("late", "the answer comes after eight seconds; the work is done", _ANY),
    Fault("drip", "the answer comes one byte at a time", _ANY),
    Fault("noise", "escape sequences, NUL and stray bytes stand before the answer's Status", _ANY),
    Fault("flood", "ten megabytes stand before the answer's Status", _ANY),
    Fault("two-prompts", "the prompt comes twice", _ANY),
    Fault("hang", "the program reads on and never answers", _ANY),
    Fault("no-library", "the Cryptoki library cannot be loaded; exit status 0", ("startup",)),
    Fault("initialize-fails", "C_Initialize fails and the program waits for a 0", ("startup",)),
    Fault("slots-swapped", "the two partitions have each other's slot numbers", ("slots",)),
    Fault("pin-count-low", "the token's flags show a wrong PIN", ("tokenInfo",)),
    Fault("logged-out", "the session was idle for too long: the user is logged out", ("wrapKey", "encryptFile")),
    Fault("blob-truncated", "wrapped.key lacks its last 16 bytes; success is printed", ("wrapKey",)),
    Fault("blob-flipped", "one bit of wrapped.key is wrong; success is printed", ("wrapKey",)),
    Fault("blob-empty", "wrapped.key is empty; success is printed", ("wrapKey",)),
    Fault("blob-stale", "wrapped.key is not written; success is printed", ("wrapKey",)),
    Fault("other-key-wrapped", "a random value of the same length is wrapped instead", ("wrapKey",)),
    Fault("encrypt-refused", "C_EncryptInit is refused with CKR_FUNCTION_FAILED", ("encryptFile",)),
    Fault("wrong-check-value", "ENCRYPT.BIN holds the encryption of other data", ("encryptFile",)),
)

_OK = "Doing great, no errors (CKR_OK)"
_GARBAGE = "%% unexpected internal state 7"
_HIGHEST_CHOICE = 110
_HELP = 99
_CRASHED = 1


class _CrashError(Exception):
    """The fault `die` has struck."""


def main(store: Store, argv: Sequence[str]) -> int:
    """`argv` may hold `nolb`: no HA slots. The status is 0 whatever went wrong, but for the fault `die`."""
    terminal = Terminal()
    hsm = Hsm(store, "ckdemo", ha="nolb" not in map(str.lower, argv))
    demo = Demo(store, hsm, terminal, Reader(terminal), dialect(hsm.dialect, hsm.jitter))
    try:
        if not _cannot_start(demo):
            _converse(demo, _start(demo))
    except EndOfInputError:
        pass
    except _CrashError:
        terminal.flush()
        return _CRASHED
    terminal.flush()
    return 0


def _cannot_start(demo: Demo) -> bool:
    if demo.strikes("no-library", "startup"):
        demo.terminal.write("ckdemo: Can not load library. Error follows:\nckdemo: cannot open shared object file\n")
        return True
    if demo.strikes("initialize-fails", "startup"):
        demo.terminal.write("Error during C_Initialize(). Terminate Program.\nError code: 48\n")
        demo.ask.number("Enter 0 to end.", 0, _HIGHEST_CHOICE)
        return True
    return False


def _start(demo: Demo) -> str:
    """Prints the banner; the first Status is that of reading the slots."""
    demo.terminal.write(demo.dialect.banner)

    def read_slots(demo: Demo) -> None:
        demo.slots = demo.hsm.slots()

    return _perform(demo, _Function("startup", read_slots))


def _converse(demo: Demo, status: str) -> None:
    """The main loop (reference, section 2)."""
    help_asked = False
    while choice := _choose(demo, status, help_asked=help_asked):
        help_asked = choice == _HELP
        function = _FUNCTIONS.get(demo.dialect.menu.name(choice) or "")
        if function is not None:
            status = _perform(demo, function)
        else:
            demo.terminal.write("" if help_asked else f"\nInvalid input ({choice}).")
            status = f"Status: {_OK}"
    demo.terminal.write("\nExiting GESC SIMULATION LAB\n\n")


def _choose(demo: Demo, status: str, *, help_asked: bool) -> int:
    demo.terminal.write(f"\n{status}\n")
    if help_asked or "Display Help" not in demo.toggled:
        demo.terminal.write(demo.dialect.menu.text())
    return demo.ask.number(_prompt(demo), 0, _HIGHEST_CHOICE)


def _prompt(demo: Demo) -> str:
    return "Enter your choice (99 for help): " if "Display Help" in demo.toggled else "Enter your choice : "


def _perform(demo: Demo, function: _Function) -> str:
    """Run one function; gives the line that tells how it ended."""
    status = f"Status: {_OK}"
    demo.terminal.drips = demo.strikes("drip", function.verb)
    if demo.strikes("die-before", function.verb):
        raise _CrashError
    try:
        function.run(demo)
    except CkrError as error:
        status = f"Status: {error.function} returned error. ({error.ckr})"
    if demo.strikes("die", function.verb):
        demo.terminal.write("\n" + status[: len(status) // 2])
        raise _CrashError
    if demo.strikes("die-after", function.verb):
        demo.terminal.write(f"\n{status}\n")
        raise _CrashError
    if demo.strikes("hang", function.verb):
        _hang(demo)
    if demo.strikes("late", function.verb):
        wait_too_long()
    demo.terminal.write(rubbish(lambda fault: demo.strikes(fault, function.verb)))
    if demo.strikes("two-prompts", function.verb):
        demo.terminal.write(f"\n{status}\n{_prompt(demo)}")
    return _GARBAGE if demo.strikes("garbage", function.verb) else status


def _hang(demo: Demo) -> NoReturn:
    while True:
        demo.terminal.read_line()
