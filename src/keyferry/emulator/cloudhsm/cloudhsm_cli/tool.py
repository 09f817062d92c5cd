"""cloudhsm-cli of CloudHSM Client SDK 5, over the same emulated cluster. Written from the reference alone."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from keyferry.emulator.cloudhsm.cloudhsm_cli import cluster, keys, make
from keyferry.emulator.cloudhsm.cloudhsm_cli.editor import Editor
from keyferry.emulator.cloudhsm.cloudhsm_cli.session import Failed, Session
from keyferry.emulator.cloudhsm.cloudhsm_cli.words import Arguments, Misused, Option, parse, split
from keyferry.emulator.faults import DEAF, Fault, of_dialogues
from keyferry.emulator.terminal import EndOfInputError, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.emulator.store import Store

LACKS = "cloudhsm-cli_lacks"
"""The setting that names commands, and COMMAND:--FLAG, that this client does not know, with commas."""
_HELP = (["-h"], ["--help"])
_MISUSED, _FAILED = 2, 1  # exit statuses of the single-command mode; inferred
_FILTER, _VERBOSE = Option("filter", needed=True, many=True), Option("verbose", flag=True)
_ATTRIBUTES, _LABEL, _SESSION, _SHARE = (
    Option("attributes", many=True),
    Option("label", needed=True),
    Option("session", flag=True),
    Option("share-crypto-users", many=True),
)


def _shown(option: Option) -> str:
    value = option.name.upper().replace("-", "_")
    return f"--{option.name}" + ("" if option.flag else f" [<{value}>...]" if option.many else f" <{value}>")


class Command(NamedTuple):
    """A command by its words."""

    words: str
    options: tuple[Option, ...]
    run: Callable[[Session, Arguments], None]

    @property
    def verb(self) -> str:
        return self.words.replace(" ", "-")

    def usage(self) -> str:
        """The usage line names what is needed, the list below it every option."""
        shown = " ".join(_shown(option) for option in self.options if option.needed)
        rows = "".join(f"      {_shown(option)}\n" for option in (Option("cluster-id"), *self.options))
        return f"Usage: {self.words} [OPTIONS] {shown}\n\nOptions:\n{rows}  -h, --help\n          Print help\n"


_SYMMETRIC = (_LABEL, Option("key-length-bytes", needed=True), _ATTRIBUTES, _SESSION, _SHARE)
_COMMANDS = (
    Command(
        "login",
        (
            Option("username", needed=True),
            Option("role", needed=True, values=("crypto-user", "admin")),
            Option("password"),
        ),
        cluster.login,
    ),
    Command("logout", (), cluster.logout),
    Command("user list", (), cluster.users),
    Command("cluster hsm-info", (), cluster.hsm_info),
    Command(
        "key list",
        (Option("filter", many=True), _VERBOSE, Option("max-items"), Option("starting-token")),
        keys.listing,
    ),
    Command("key delete", (_FILTER,), make.delete),
    Command("key generate-symmetric aes", _SYMMETRIC, make.generate_symmetric),
    Command("key generate-symmetric generic-secret", _SYMMETRIC, make.generate_symmetric),
    Command(
        "key generate-asymmetric-pair rsa",
        (
            Option("public-label", needed=True),
            Option("private-label", needed=True),
            Option("modulus-size-bits", needed=True),
            Option("public-exponent", needed=True),
            Option("public-attributes", many=True),
            Option("private-attributes", many=True),
            _SESSION,
            _SHARE,
        ),
        make.generate_pair,
    ),
    Command(
        "key generate-file",
        (
            Option("encoding", needed=True, values=("reference-pem", "pem", "cloudhsm-reference-pem")),
            Option("path", needed=True),
            _FILTER,
        ),
        make.generate_file,
    ),
    Command(
        "key unwrap rsa-oaep",
        (
            _FILTER,
            Option("hash-function", needed=True, values=make.HASHES),
            Option("mgf", needed=True, values=tuple(f"mgf1-{name}" for name in make.HASHES)),
            Option("key-type-class", needed=True, values=(*make.CLASSES, *make.NOT_HERE)),
            _LABEL,
            Option("data-path"),
            Option("data"),
            _ATTRIBUTES,
            _SESSION,
            _SHARE,
        ),
        make.unwrap,
    ),
)
COMMANDS = {command.words: command for command in _COMMANDS}

_ALL = tuple(command.verb for command in _COMMANDS)
_REQUESTS = tuple(verb for verb in _ALL if verb.startswith("key-"))
_UNWRAP, _PAIR, _LIST = "key-unwrap-rsa-oaep", "key-generate-asymmetric-pair-rsa", "key-list"
FAULTS = (
    *of_dialogues(_ALL),
    Fault("logged-out", "the session was idle for too long: the user is logged out, nothing is done", _REQUESTS),
    Fault("refused", "the right password is refused, and counts as a wrong one", ("login",)),
    Fault("lost-answer", "the work is done, and the answer is an undocumented error", (_PAIR, _UNWRAP, "key-delete")),
    Fault("disconnected", "the connection is lost: the work is done, and no JSON is printed", _ALL),
    Fault("busy", "refused as by a throttled HSM; nothing is done", _ALL),
    Fault("log-noise", "log lines around the answer, as where the log directory cannot be written", ("startup", *_ALL)),
    Fault("not-configured", "the tool ends at its start", ("startup",)),
    Fault("user-locked", "the crypto user shows as locked", ("user-list",)),
    Fault("user-locked-somewhere", "the lock of the crypto user shows as inconsistent", ("user-list",)),
    Fault("user-role-differs", "the role of the crypto user shows as inconsistent", ("user-list",)),
    Fault("user-not-everywhere", "the coverage of the crypto user shows as inconsistent", ("user-list",)),
    Fault("user-mfa", "the crypto user shows with MFA enabled", ("user-list",)),
    Fault("user-mfa-differs", "the MFA of the crypto user shows as inconsistent", ("user-list",)),
    Fault("hsm-joined", "one more HSM is listed", ("cluster-hsm-info",)),
    Fault("hsm-left", "one HSM fewer is listed", ("cluster-hsm-info",)),
    Fault("hsm-replaced", "one HSM is listed under another serial number", ("cluster-hsm-info",)),
    Fault("no-hsm", "no HSM is listed", ("cluster-hsm-info",)),
    Fault("deaf", DEAF, (_PAIR, _UNWRAP)),
    Fault("node-failed", "the key is on all nodes but one", (_PAIR, _UNWRAP)),
    Fault("pem-swapped", "the file holds the public key of somebody else's pair", ("key-generate-file",)),
    Fault("other-value", "the key stored is another one of the same length", (_UNWRAP,)),
    Fault("label-changed", "the key is stored under another label", (_UNWRAP,)),
    Fault("extractable-changed", "the key is stored with the opposite extractable", (_UNWRAP,)),
    Fault("usage-changed", "the key is stored with the opposite encrypt", (_UNWRAP,)),
    Fault("reference-missing", "success without the reference of a key", (_UNWRAP, _LIST)),
    Fault("check-value-wrong", "another check value than the key's", (_LIST,)),
    Fault("coverage-partial", "one node does not have the key", (_LIST,)),
    Fault("attribute-differs", "`sign` of a key shows as inconsistent, its coverage as full", (_LIST, _UNWRAP, _PAIR)),
)


def main(store: Store, argv: list[str]) -> int:
    """Run the tool with the arguments after its name; gives its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    terminal = Terminal()
    session = Session(store, terminal)
    try:
        if argv == ["interactive"]:
            return _converse(session)
        return _single_command(session, argv)
    finally:
        session.keys.end_session()
        with contextlib.suppress(OSError):  # nobody reads any more
            terminal.flush()


def _converse(session: Session) -> int:
    if session.struck("not-configured"):
        session.terminal.write("Config key hostname has invalid value\n")
        return _FAILED
    if session.struck("log-noise"):
        session.noise()
    editor = Editor(session.terminal, session.jitter, tuple(COMMANDS), lambda: session.prompt)
    while True:
        try:
            words = split(editor.read_line())
            if words == ["quit"]:
                return 0
            if words:
                _answer(session, words)
        except Misused as misused:
            session.terminal.write(f"{misused}\n")
        except EndOfInputError:
            return 0


def _single_command(session: Session, words: Sequence[str]) -> int:
    """One command, after a login where the environment has a role and a PIN."""
    role, (user, sign, password) = os.environ.get("CLOUDHSM_ROLE"), os.environ.get("CLOUDHSM_PIN", "").partition(":")
    try:
        if role and sign:
            cluster.enter(session, user, role, password.encode())
        return _answer(session, list(words))
    except Misused as misused:
        session.terminal.complain(f"{misused}\n")  # standard output has nothing but JSON in this mode
        return _MISUSED
    except Failed as failed:
        session.answer(str(failed), 1)
        return _FAILED


def _answer(session: Session, words: Sequence[str]) -> int:
    """Do a command and print its answer; gives the exit status that it would have alone."""
    if words[:1] in (["help"], *_HELP):
        _help(session, " ".join(words[1:]))
        return 0
    command, rest = _command(words, _lacks(session))
    if any([word] in _HELP for word in rest):
        session.terminal.write(command.usage())
        return 0
    session.begin(command.verb)
    if session.disturbed():
        return 0
    try:
        if session.struck("busy"):
            raise Failed("Received error response code from Server. Response Code: 187")  # noqa: TRY301 - one end
        command.run(session, parse(command.options, rest))
    except Failed as failed:
        session.answer(str(failed), 1)
        return _FAILED
    finally:
        session.disturbed_after()
    return 0


def _lacks(session: Session) -> list[str]:
    return session.store.setting(LACKS).split(",")


def _help(session: Session, wanted: str) -> None:
    """A command's usage; of the words before a command, all commands that begin so."""
    lacks = _lacks(session)
    known = [_without(one, lacks) for name, one in COMMANDS.items() if name not in lacks]
    exact = [one for one in known if one.words == wanted]
    found = exact or [one for one in known if f"{one.words} ".startswith(f"{wanted} ") or not wanted]
    if not found:
        raise Misused(f"error: The subcommand '{wanted.rsplit(maxsplit=1)[-1]}' wasn't recognized")
    session.terminal.write("".join(one.usage() for one in found))


def _without(command: Command, lacks: Sequence[str]) -> Command:
    return command._replace(
        options=tuple(one for one in command.options if f"{command.words}:--{one.name}" not in lacks)
    )


def _command(words: Sequence[str], lacks: Sequence[str]) -> tuple[Command, Sequence[str]]:
    for length in range(len(words), 0, -1):
        command = COMMANDS.get(" ".join(words[:length]))
        if command and command.words not in lacks:
            return _without(command, lacks), words[length:]
    raise Misused(f"error: unrecognized subcommand '{words[0]}'" if words else "Usage: cloudhsm-cli <command>")
