from __future__ import annotations

from typing import TYPE_CHECKING, Self

from keyferry.errors import CheckFailedError, MismatchError, UsageError
from keyferry.pkcs11 import KCV_BYTES, Kcv, KeyClass, Slot, SourceHandle
from keyferry.terminal.prompts import Prompt
from keyferry.tools.ckdemo import dialect, screens
from keyferry.tools.ckdemo.menu_session import (
    MenuDialogue,
    Question,
    always,
    demand,
    object_question,
    require_said,
    slot_question,
)
from keyferry.tools.lines import unknown

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from keyferry.secrets import Secret
    from keyferry.terminal.console import Console
    from keyferry.terminal.host import Host
    from keyferry.terminal.prompts import Reply
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins

_ZERO_FILE = "zero.bin"
_TAIL = 120  # bytes of a table by which it is known again


class Ckdemo:
    """One ckdemo session. Every number typed was read from the screen by its name."""

    def __init__(self, console: Console, host: Host, limits: Limits) -> None:
        self._console = console
        self._host = host
        self._wrap_table: Prompt | None = None
        self._dialogue = MenuDialogue(console, limits)

    @classmethod
    def open(cls, sessions: Sessions, host: Host, limits: Limits) -> Self:
        """Start ckdemo and read its menu. UnreachableError where it cannot load its library."""
        return cls(sessions.open(host, "ckdemo", manners=dialect.MANNERS), host, limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._console.close()

    @property
    def emulator(self) -> str | None:
        """The folder of the emulated HSMs behind this tool; None for a real one."""
        return self._console.program.emulator

    def menu_off(self) -> None:
        """Options, Display Help: makes each later turn a line instead of a page. Not asked for if already off."""
        done = False

        def option(heard: Reply) -> str:
            nonlocal done
            title = dialect.OPTION_DONE if done else dialect.OPTION_HELP
            done = True
            return str(screens.option_number(heard.text, title))

        demand(self._dialogue.turn("options", Question(dialect.OPTION, option, times=2)))

    def token_info(self, slot: Slot) -> screens.Token:
        """What the token in a slot says of itself; asks for no login and changes nothing."""
        return screens.token(demand(self._dialogue.turn("token_info", slot_question(slot))).body)

    def open_session(self, slot: Slot) -> None:
        """Open a read/write session as a normal user."""
        role = Question(
            dialect.ROLE_OF_SESSION,
            lambda heard: str(screens.choice(heard.text + "\n" + heard.question, "normal user", "openSession")),
        )
        require_said(self._dialogue.turn("open_session", slot_question(slot), role), "openSession")

    def login(self, pin: Secret, logins: Logins) -> None:
        """Log in as crypto officer; the PIN is typed once (LOGIN-ONCE), and refused text ends it for good."""
        with logins.turn:
            self._log_in(pin, logins)

    def _log_in(self, pin: Secret, logins: Logins) -> None:
        chosen = asked = False

        def role(heard: Reply) -> str:
            nonlocal chosen
            chosen = True
            return str(screens.choice(heard.text + "\n" + heard.question, "Crypto-Officer", "login"))

        def typed(heard: Reply) -> Secret:
            nonlocal asked
            if not chosen:  # the security officer has three tries: a PIN is never typed for a role nobody named
                raise unknown("ckdemo", "login", "a PIN was asked for, but not whose", heard.question)
            logins.claim(pin, "ckdemo")
            asked = True
            return pin

        answer = self._dialogue.turn("login", Question(dialect.ROLE_OF_LOGIN, role), Question(dialect.PIN, typed))
        if not asked:
            raise unknown("ckdemo", "login", "no PIN was asked for", f"{answer.body}{answer.function}: {answer.ckr}")
        if not answer.ok and answer.ckr != dialect.ALREADY_IN:
            raise logins.refused(pin, "ckdemo", f"{answer.function}: {answer.ckr}")
        if answer.body.strip():
            raise unknown("ckdemo", "login", "something was said where nothing is known to be", answer.body)
        if answer.ok:  # ALREADY_IN lets the session go on, but proves no PIN
            logins.accepted(pin)

    def logout(self) -> None:
        """Log out; the session stays open."""
        require_said(self._dialogue.turn("logout"), "logout")

    def close_session(self) -> None:
        """Close the one session that is open."""

        def one(heard: Reply) -> str:
            return str(screens.choice(heard.text + "\n" + heard.question, dialect.CLOSE_ONE, "closeSession"))

        require_said(self._dialogue.turn("close_session", Question(dialect.CLOSE, one)), "closeSession")

    def find_objects(self, kind: str = "all") -> tuple[screens.ObjectListing, ...]:
        """Every object that this session sees, or those of a kind of `dialect.SEARCHES`; handles are this session's."""
        if kind not in dialect.SEARCHES:
            raise UsageError(f"no kind of object {kind!r}", hint=f"one of {', '.join(dialect.SEARCHES)}")
        question = Question(
            dialect.OBJECT_TYPE,
            lambda heard: str(screens.table_number(heard.text, dialect.SEARCHES[kind], "findObject")),
        )
        body = demand(self._dialogue.turn("find_object", question)).body
        return screens.listing(body, lambda handle: self.display_object(handle).attributes.get("CKA_LABEL", ""))

    def generate_key(self, kind: str, length: int, yes: Collection[str]) -> SourceHandle:
        """Make a secret key, for rehearsals: no command does it, for a source is only read (SOURCE-READ-ONLY).

        kind: its name in ckdemo's table (AES, DES3, Generic). length: bytes, typed where they are asked.
        yes: which attributes (of `dialect.GENERATE_ASKS`) it has; `Extractable` is not asked in every build.
        """

        def attribute(heard: Reply) -> str:
            name = heard.question.removeprefix("Enter ").partition(" Attribute")[0]
            if name not in dialect.GENERATE_ASKS:
                raise unknown("ckdemo", "generateKey", "an attribute that is not known", heard.question)
            return str(int(name in yes))

        answer = self._dialogue.turn(
            "generate_key",
            Question(dialect.KEY_TYPE, lambda heard: str(screens.table_number(heard.text, kind, "generateKey"))),
            Question(dialect.KEY_LENGTH, always(str(length))),
            Question(dialect.KEY_ATTRIBUTE, attribute, times=len(dialect.GENERATE_ASKS)),
        )
        return screens.generated(demand(answer).body)

    def display_object(self, handle: SourceHandle) -> screens.Shown:
        """An object's attributes; key values are cut before they get here (VALUE-NEVER-SHOWN)."""
        answer = self._dialogue.turn("display_object", object_question(dialect.OBJECT_SHOWN, handle))
        shown = screens.shown(demand(answer).body)
        if shown.handle != handle:
            raise unknown("ckdemo", "displayObject", f"asked for {handle}, got {shown.handle}")
        return shown

    def set_attribute(self, handle: SourceHandle, name: str, *, value: bool) -> screens.Shown:
        """Set one boolean of a public key, and read it back. SOURCE-READ-ONLY: other classes are refused."""
        before = self.display_object(handle)
        if KeyClass.of(before.number("CKA_CLASS") or 0) is not KeyClass.PUBLIC:
            raise CheckFailedError(
                f"object {handle} is no public key: its attributes are not changed",
                rule="SOURCE-READ-ONLY",
                tool="ckdemo",
                keys="nothing was changed",
            )
        line = f"{name}={int(value):02}"
        added = False

        def template(heard: Reply) -> str:
            nonlocal added
            lines = [text.strip() for text in heard.text.splitlines() if text.strip()]
            if added and line not in lines:
                raise unknown("ckdemo", "setAttribute", f"the template does not show {line}", heard.text)
            title, added = ("Accept Template" if added else "Add Attribute"), True
            return str(screens.table_number(heard.question, title, "setAttribute"))

        answer = self._dialogue.turn(
            "set_attribute",
            object_question(dialect.OBJECT_MODIFIED, handle),
            Question(dialect.TEMPLATE, template, times=2),
            Question(dialect.WHICH_ATTRIBUTE, lambda heard: str(screens.attribute_number(heard.text, name))),
            Question(dialect.BOOLEAN, always(str(int(value)))),
        )
        require_said(answer, "setAttribute")
        after = self.display_object(handle)
        if after.flag(name) is not value:
            raise MismatchError(
                f"ckdemo told success, but {name} of object {handle} is not {int(value)}",
                tool="ckdemo",
                keys="nothing was wrapped",
            )
        if others := screens.changed(before, after, name):
            raise MismatchError(
                f"object {handle} shows another {', '.join(others)} since its {name} was set",
                tool="ckdemo",
                keys="nothing was wrapped",
            )
        return after

    def wrap_key(self, wrapping: SourceHandle, key: SourceHandle, digest: str) -> int:
        """Wrap a key with RSA OAEP into `wrapped.key`; gives the file's size in bytes.

        BLOB-SIZE: the file of an earlier wrap is removed first, for a failed wrap would leave it there.
        """
        self._host.remove(dialect.WRAPPED_FILE)
        hashes = () if digest == "sha1" else (self._hash(digest),)
        answer = self._dialogue.turn(
            "wrap_key",
            Question(self._wrap_table or dialect.WRAP_TABLE, self._wrap_mechanism),
            *hashes,
            Question(dialect.OAEP_SOURCE, always("0")),
            object_question(dialect.WRAPPING_KEY, wrapping),
            object_question(dialect.KEY_TO_WRAP, key),
        )
        require_said(answer, "wrapKey", dialect.WRAPPED)
        size = self._host.size(dialect.WRAPPED_FILE)
        if size is None:
            raise self._none(dialect.WRAPPED_FILE, "wrapKey")
        return size

    def record_file(self, name: str, size: int, digest: str | None, data: bytes | None = None) -> None:
        """Record a file that this tool wrote, as far as it was read."""
        self._console.recorder.file(name, size, digest, data)

    def choose_hash(self) -> None:
        """Options, OAEP Hash Params: the hash is asked for from now on. UsageError if this build cannot."""
        done = False

        def option(heard: Reply) -> str:
            nonlocal done
            title = dialect.OPTION_DONE if done else dialect.OPTION_HASH
            done = True
            if title not in heard.text:
                raise UsageError(
                    "this ckdemo wraps with SHA-1 only",
                    tool="ckdemo",
                    hint='set `[wrapping] hash = "sha1"`',
                    keys="nothing was wrapped",
                )
            return str(screens.option_number(heard.text, title))

        demand(self._dialogue.turn("options", Question(dialect.OPTION, option, times=2)))

    def check_value(self, key: SourceHandle, key_type: str) -> Kcv:
        """The first three bytes of the encryption of a zero block, by menu Encrypt file.

        ZERO-BLOCK-ERASED: nothing but those bytes is read, and the file is overwritten and removed at once. The zeros
        themselves are no secret: their file goes with the folder.
        """
        mechanism, block = dialect.CHECK_VALUE_MECHANISM[key_type]
        self._host.remove(dialect.ENCRYPTED_FILE)
        self._host.write(_ZERO_FILE, bytes(block))
        try:
            answer = self._dialogue.turn(
                "encrypt_file",
                Question(
                    dialect.ENCRYPTION,
                    lambda heard: str(screens.table_number(heard.text, mechanism, "encryptFile")),
                ),
                Question(dialect.FILE_TO_ENCRYPT, always(_ZERO_FILE)),
                object_question(dialect.KEY_TO_USE, key),
            )
            require_said(answer, "encryptFile", dialect.ENCRYPTED)
            seen = self._host.read_prefix_and_erase(dialect.ENCRYPTED_FILE, KCV_BYTES)
        except BaseException:
            self._host.erase(dialect.ENCRYPTED_FILE)
            raise
        if seen is None:
            raise self._none(dialect.ENCRYPTED_FILE, "encryptFile")
        size, begin = seen
        self.record_file(dialect.ENCRYPTED_FILE, size, None, begin)
        if size != block:
            raise unknown("ckdemo", "encryptFile", f"{size} bytes came of a block of {block}")
        return Kcv(begin.hex())

    def quit(self) -> None:
        """Leave by the tool's own exit, or by force where that cannot be typed."""
        self._dialogue.quit()

    @staticmethod
    def _hash(digest: str) -> Question:
        name = dialect.HASHES[digest]
        return Question(dialect.HASH_TABLE, lambda heard: str(screens.table_number(heard.text, name, "wrapKey")))

    def _wrap_mechanism(self, heard: Reply) -> str:
        # The table ends without a prompt. The first time silence tells its end; later its own last bytes do.
        if self._wrap_table is None:
            self._wrap_table = Prompt.ending_with(dialect.WRAP_TABLE.name, heard.text, _TAIL)
        return str(screens.table_number(heard.text + heard.question, dialect.RSA_OAEP, "wrapKey"))

    def _none(self, file: str, verb: str) -> MismatchError:
        return MismatchError(
            f"ckdemo {verb} told success, but wrote no {file}", rule="BLOB-SIZE", tool="ckdemo", host=self._host.name
        )
