"""key_mgmt_util of CloudHSM Client SDK 3, over the emulated cluster. Written from the reference alone."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from keyferry.emulator import files
from keyferry.emulator.cloudhsm.cluster import Code, Refused
from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import ERRORS, FUNCTIONS, dialect_of
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused
from keyferry.emulator.cloudhsm.key_mgmt_util.flags import parse
from keyferry.emulator.cloudhsm.key_mgmt_util.screen import Screen
from keyferry.emulator.cloudhsm.key_mgmt_util.session import MAKING, WITH_BLOCK, Session
from keyferry.emulator.cloudhsm.key_mgmt_util.table import COMMANDS, help_listing
from keyferry.emulator.faults import DEAF, Fault, of_dialogues, rubbish, wait_too_long
from keyferry.emulator.jitter import Jitter
from keyferry.emulator.terminal import EndOfInputError, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.emulator.store import Store

LACKS = "key_mgmt_util_lacks"
"""The setting that names commands, and COMMAND:FLAG, that this client does not know, with commas."""
FAILED = 255  # the tool's -1: no start-up, no login
_MAX_LINE, _MAX_WORDS = 1399, 100
_PROMPTS_AFTER_END = 100  # the real tool prints its prompt for ever at the end of input
_LOGIN_WORDS = 7
_VERSION = (  # numbers inferred
    "Util Version\t\t\t:\t2.03\nSDK API Version\t\t\t:\t2.03\nLiquidSec Client Version\t:\t2.03\n"
)

_ALL = tuple(COMMANDS)
_REQUESTS = tuple(verb for verb in FUNCTIONS if verb not in ("loginHSM", "listUsers"))
FAULTS = (
    *of_dialogues(_ALL),
    Fault("unknown-code", "refused with a code that is documented nowhere; nothing is done", _REQUESTS),
    Fault("busy", "refused with 0xbb once; nothing is done", _REQUESTS),
    Fault("logged-out", "the session was idle for too long: the user is logged out, nothing is done", _REQUESTS),
    Fault("refused", "the right password is refused, and counts as a wrong one", ("loginHSM",)),
    Fault("daemon-down", "the client daemon does not answer; exit status 255", ("startup",)),
    Fault("counter-raised", "the crypto user's LoginFailureCnt shows 3", ("listUsers",)),
    Fault("user-2fa", "the crypto user shows with 2FA, and with a count that keeps its bit", ("listUsers",)),
    Fault("request-lost", "the daemon loses the request: 0x40000040; nothing is done", _REQUESTS),
    Fault("answer-lost", "the daemon loses the answer: 0x40000040 without a block; the key is made", MAKING),
    Fault("block-empty", "the cluster block lists no node", WITH_BLOCK),
    Fault("block-missing", "no cluster block: the client could not get it", WITH_BLOCK),
    Fault("node-unlisted", "the cluster block lists one node less; the work is done", WITH_BLOCK),
    Fault("login-partial", "one node does not take part in the login", ("loginHSM",)),
    Fault("deaf", DEAF, MAKING),
    Fault("node-failed", "one node fails: a handle, but no success; the key is on the other nodes", MAKING),
    Fault("pem-swapped", "the file holds the public key of somebody else's pair", ("exportPubKey",)),
    Fault("other-value", "the key stored is another one of the same length", ("unWrapKey",)),
    Fault("label-changed", "the key is stored under another label", ("unWrapKey",)),
    Fault("extractable-changed", "the key is stored with the opposite EXTRACTABLE", ("unWrapKey",)),
    Fault("handle-missing", "SUCCESS without the line that gives the handle", ("unWrapKey",)),
    Fault("kcv-wrong", "another check value than the key's", ("getAttribute",)),
    Fault("busy-list", "counts the keys, and is too busy to list them", ("findKey",)),
    Fault("list-gone", "counts the keys, and finds none of them when it lists them", ("findKey",)),
    Fault("list-longer", "lists a key more than it counted", ("findKey",)),
    Fault("single-missing", "one node does not have the key", ("findSingleKey",)),
)


def main(store: Store, argv: list[str]) -> int:
    """Run the tool with the arguments after its name; gives its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    terminal = Terminal()
    dialect = dialect_of(store.setting("kmu", "g2"), Jitter(store.setting("jitter")))
    if newer := store.setting("kmu_unknown_attributes"):  # decimal numbers that the firmware sends besides
        dialect = dialect._replace(unknown_attributes=tuple(map(int, newer.split(","))))
    screen = Screen(terminal, dialect)
    session = Session(store, screen)
    try:
        return _run(session, argv[1:] if argv[:1] == ["Cfm3Util"] else argv)  # pages of 2017 type the old name too
    finally:
        session.keys.end_session()
        with contextlib.suppress(OSError):  # nobody reads any more
            screen.flush()


def _run(session: Session, argv: Sequence[str]) -> int:
    if argv == ["-v"]:
        session.screen.terminal.write(_VERSION)
        return 0
    script = _script(argv)
    if argv and argv[0] != "singlecmd" and script is None:
        session.screen.say("\n\tError: Unknown commandline arguments. \n")
        session.screen.say("\n\tSyntax: key_mgmt_util [-v | singlecmd <command> | scriptfile <file>]\n")
        return 0
    if not _start(session):
        return FAILED
    if script is not None:
        _follow(session, script)
        return 0
    if argv:
        return _single_command(session, argv[1:])
    session.screen.say(help_listing())
    _converse(session)
    return 0


def _start(session: Session) -> bool:
    """The start-up lines; False if the daemon or its HSM does not answer."""
    say, failure = session.screen.say, f"0x{Code.DAEMON_UNREACHABLE:x}"
    text = ERRORS[Code.DAEMON_UNREACHABLE]
    down = session.struck("daemon-down")
    session.screen.terminal.write(session.dialect.version_line)
    if down and not session.dialect.daemon_answers:
        say(f"\n\tCfm3Initialize() returned {failure} : {text}\n")
        say("\n\tCfm3Initialize() returned app id : 00000000 \n")
        return False
    say("\n\tCfm3Initialize() returned app id : 01000000 \n")
    say("\n\tsession_handle 1000000 \n")
    say(
        f"\n\tCfm3GetPartitionInfo returned: {failure} \n\n\t{text}\n"
        if down
        else "\n\tCurrent FIPS mode is: 00000002\n"
    )
    return not down


def _single_command(session: Session, words: Sequence[str]) -> int:
    """One command, after a login if the first words are one."""
    if words[:1] == ["loginHSM"]:
        _answer(session, words[:_LOGIN_WORDS])
        if not session.logged_in:
            return FAILED
        words = words[_LOGIN_WORDS:]
    session.screen.finish()
    if words:
        session.screen.terminal.write("Command:" + "".join(f" {word} " for word in words) + "\n")
        _answer(session, words)
    return 0


def _script(argv: Sequence[str]) -> list[bytes] | None:
    """The lines of `scriptfile <file>`; None for other arguments, and a file that cannot be read."""
    try:
        [word, name] = argv
        return files.read(name).splitlines() if word == "scriptfile" else None
    except (OSError, ValueError):
        return None


def _follow(session: Session, script: Sequence[bytes]) -> None:
    """Each line a command, shown before its answer. No line is given to a shell here, as the real tool would."""
    session.screen.finish()
    for line in script:
        comment = line.startswith(b"#")
        text = line.decode("utf-8", "surrogateescape")
        session.screen.terminal.write(f"{'Comment' if comment else 'Command String'}: {text} \n")
        words = [] if comment else _words(line)
        if words == ["exit"]:
            return
        if words:
            _answer(session, words)


def _converse(session: Session) -> None:
    """Prompt, read, answer, until `exit` or too many prompts after the end of input."""
    ends = 0
    while ends < _PROMPTS_AFTER_END:
        session.screen.finish()
        session.screen.terminal.write(session.dialect.prompt)
        try:
            words = _words(session.screen.read_line())
        except EndOfInputError:
            ends += 1
            continue
        if words == ["exit"]:
            return
        if words:
            _answer(session, words)


def _words(line: bytes) -> list[str]:
    """Split at blanks only, without quotes or escapes; what exceeds the tool's buffer is lost."""
    text = line.replace(b"\r", b"")[:_MAX_LINE].decode("utf-8", "surrogateescape")
    return [word for word in text.split(" ") if word]


def _answer(session: Session, words: Sequence[str]) -> None:
    lacks = session.store.setting(LACKS).split(",")
    command = COMMANDS.get(words[0]) if len(words) < _MAX_WORDS and words[0] not in lacks else None
    if command is None:
        session.screen.say(help_listing())
        return
    flags = [flag for flag in command.flags if session.dialect.hidden_password or not flag.hidden_password_only]
    flags = [flag for flag in flags if f"{command.name}:{flag.name}" not in lacks]
    if words[1:] == ["-h"]:
        understood = session.store.setting("key_mgmt_util_help") != "none"
        session.screen.say(command.usage(flags) if understood else "\n\tSee the guide.\n")
        return
    session.begin(command.name)
    try:
        arguments = parse(flags, words[1:])
        if not _disturbed(session):
            command.run(session, arguments)
        _disturbed_after(session)
    except Misused as misused:
        session.screen.say(command.usage(flags, misused.lines))
    except Refused as refused:
        session.refuse(refused)
    except EndOfInputError:
        pass  # the prompt loop sees it too
    session.screen.finish()


def _disturbed_after(session: Session) -> None:
    """Faults of an answer that is complete."""
    screen = session.screen
    if session.struck("late"):
        wait_too_long()
    if session.struck("die-after"):
        screen.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if session.struck("two-prompts"):
        screen.finish()
        screen.terminal.write(session.dialect.prompt)


def _disturbed(session: Session) -> bool:
    """Faults that may strike any command; True if one has taken the place of the answer."""
    session.screen.terminal.drips = session.struck("drip")
    if session.struck("die-before"):
        os.kill(os.getpid(), signal.SIGKILL)
    if data := rubbish(session.struck):
        session.screen.finish()
        session.screen.terminal.write(data)
        return True
    if session.struck("unknown-code"):
        session.screen.say(
            f"\n\t{session.dialect.functions[session.verb]} returned: 0x7f : HSM Error: RET_OF_NO_LIST\n"
        )
        return True
    if session.struck("hang"):
        session.screen.hang()
    if session.struck("garbage"):
        session.screen.say("\n\tCfm3Unexpected: internal state 7f3a, see log\n")
        return True
    if session.struck("die"):
        session.screen.doom()
    return False
