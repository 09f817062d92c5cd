"""The commands about users and the tool itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.cloudhsm.cluster import CRYPTO_USER, Code, Refused
from keyferry.emulator.cloudhsm.key_mgmt_util.attributes import NUMBERS
from keyferry.emulator.cloudhsm.key_mgmt_util.dialect import ERRORS
from keyferry.emulator.cloudhsm.key_mgmt_util.errors import Misused
from keyferry.emulator.jitter import Jitter

if TYPE_CHECKING:
    from keyferry.emulator.cloudhsm.cluster import User
    from keyferry.emulator.cloudhsm.key_mgmt_util.flags import Arguments
    from keyferry.emulator.cloudhsm.key_mgmt_util.session import Session

USER_TYPES = ("CU", "CO", "PCO", "PRECO", "AU")
_USERS_HEAD = "\tIndex\t    User ID    \tUser Type\tUser Name\t\t\t   MofnPubKey\t LoginFailureCnt\t 2FA\n"
_OLD_ATTRIBUTES = (0, 1, 2, 3, 256, 258, 259, 260, 261, 262, 263, 264, 266, 355, 288, 289, 290, 353, 354, 371)
_HSM_INFO = (
    ("Label", "keyferry-emulator"),
    ("Model", "emulated HSM"),
    ("Serial Number", "0.0A000000-EMUL00000"),
    ("FIPS state", "2 [FIPS mode with single factor authentication]"),
    ("Firmware Version", "emulated"),
)


def login(session: Session, args: Arguments) -> None:
    if args.text("-u") not in USER_TYPES:
        raise Misused("Error: Invalid user type specified.")
    if ("-p" in args) == ("-hpswd" in args):
        raise Misused(*([] if "-p" in args else ["Error: Password (-p) is missing."]))
    password = args.text("-p").encode("utf-8", "surrogateescape")
    if "-hpswd" in args:
        password = session.screen.read_password("Enter password: ")
    session.log_in(_logged_in(session, args, password))
    session.screen.result(session.dialect.functions["loginHSM"], Code.SUCCESS)
    nodes = session.cluster.nodes()
    failed = nodes[-1:] if session.struck("login-partial") else []
    states = session.states(Code.SUCCESS, [node for node in nodes if node not in failed])
    session.block([*states, *session.states(Code.NODE_UNAVAILABLE, failed)], session.dialect.login_block)


def _logged_in(session: Session, args: Arguments, password: bytes) -> User:
    if session.logged_in:
        raise Refused(Code.ALREADY_LOGGED_IN)
    if args.text("-u") != "CU":  # this tool is for crypto users
        raise Refused(Code.INVALID_USER_TYPE)
    if session.struck("refused"):
        password += b"x"
    try:
        return session.cluster.login("CU", args.text("-s"), password)
    except Refused as refused:
        told = {
            Code.LOGIN_FAILURE: session.dialect.wrong_password,
            Code.NO_SUCH_USER: session.dialect.unknown_user,
        }
        raise Refused(told[refused.code]) from None


def logout(session: Session, args: Arguments) -> None:  # noqa: ARG001 - no flags
    session.require_login()
    session.log_in(None)
    session.keys.end_session()
    session.screen.result(session.dialect.functions["logoutHSM"], Code.SUCCESS)
    session.screen.block(session.states(Code.SUCCESS), session.dialect.login_block)


def login_status(session: Session, args: Arguments) -> None:  # noqa: ARG001 - no flags
    session.screen.say("\n\tCU has logged-in\n" if session.logged_in else "\n\tNo user has logged-in\n")


def list_users(session: Session, args: Arguments) -> None:  # noqa: ARG001 - no flags
    users = session.cluster.users()
    raised = session.store.setting(CRYPTO_USER) if session.struck("counter-raised") else None
    ours = session.store.setting(CRYPTO_USER) if session.struck("user-2fa") else None
    session.screen.say(session.dialect.user_count.format(len(users)) + _USERS_HEAD)
    for index, user in enumerate(users, 1):
        failures = 3 if user.name == raised else user.failures
        if user.name == ours:  # the count keeps the bit of the second factor, whose value is not known
            failures |= Jitter(session.store.setting("jitter")).number("bit-of-2fa", 1 << 29, 1 << 8, 1 << 29)
        factors = "YES" if user.name == ours else "NO"
        row = f"\t{index}\t{user.id:10}\t{user.type}\t\t{user.name:<32}\t NO {failures:15}\t\t {factors:>3}\n"
        session.screen.say(row)
    session.succeed()


def hsm_info(session: Session, args: Arguments) -> None:  # noqa: ARG001 - no flags
    session.screen.say("\n" + "".join(f"\t{name:<21}:{value}\n" for name, value in _HSM_INFO))


def list_attributes(session: Session, args: Arguments) -> None:  # noqa: ARG001 - no flags
    shown = NUMBERS if session.dialect.new_attributes else {number: NUMBERS[number] for number in _OLD_ATTRIBUTES}
    rows = "".join(f"      {name:<31} = {number}\n" for number, name in shown.items())
    session.screen.say(session.dialect.attributes_head + rows)


def error_to_string(session: Session, args: Arguments) -> None:
    try:
        number = int(args.text("-r"), 16)
    except ValueError:
        raise Misused("Error: Error code (-r) is missing.") from None
    texts = {int(code): text for code, text in ERRORS.items()}
    session.screen.say(f"\n\tError Code {number:x} maps to {texts.get(number, 'Unknown Error')}\n")
