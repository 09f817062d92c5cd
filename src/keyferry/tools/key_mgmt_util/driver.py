from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import UnknownScreenError, UsageError
from keyferry.text import last_lines
from keyferry.tools import abilities
from keyferry.tools.key_mgmt_util import commands, dialect, errors
from keyferry.tools.key_mgmt_util.attributes import Attributes, attributes
from keyferry.tools.key_mgmt_util.commands import FindKeyFilter, SecretKeyRequest, UnwrapCommand, can_type
from keyferry.tools.key_mgmt_util.screens import common, info, keys
from keyferry.tools.key_mgmt_util.session import Asked, KmuSession, verb_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyferry.pkcs11 import DestinationHandle, Kcv
    from keyferry.secrets import Secret
    from keyferry.tools.abilities import Needs, Usage
    from keyferry.tools.key_mgmt_util.reply import CommandReply
    from keyferry.tools.key_mgmt_util.result import Node, Outcome
    from keyferry.tools.key_mgmt_util.screens.common import KeyInfo, KmuUser
    from keyferry.tools.logins import Logins

__all__ = ["Created", "GeneratedKeyPair", "KeyMgmtUtil", "SecretKeyRequest", "UnwrapCommand"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GeneratedKeyPair:
    """An RSA pair that was made; nodes: what each HSM answered, all of them success."""

    public: DestinationHandle
    private: DestinationHandle
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Created:
    """A key that was made or taken in; nodes: what each HSM answered, all of them success."""

    handle: DestinationHandle
    nodes: tuple[Node, ...]


class KeyMgmtUtil(KmuSession):
    """One session of key_mgmt_util.

    Every verb ends at the next prompt with its answer understood whole. ToolRefusedError where the tool or
    one node of the cluster refused; its code is `0x..` or `usage`. NeedsOperatorError where a key came to be
    all the same. A context manager: it leaves by the tool's own `exit`, after an error by force.
    """

    nodes: frozenset[int] = frozenset()
    """The node ids that the last login listed, each with success."""

    @staticmethod
    def can_type(text: str) -> bool:
        """Whether a label, id or name can be told to this tool as it is."""
        return can_type(text)

    def list_users(self) -> tuple[KmuUser, ...]:
        """All users with their counts of failed logins; needs no login."""
        return self._fields("listUsers", common.users)

    def login(self, user: str, password: Secret, logins: Logins, *, visible: bool = False) -> None:
        """Log in as a crypto user, once.

        visible: type the password in the command, for clients before 3.2.0 which cannot ask for it.

        Raises:
            LoginRefusedError: the login failed.
            CheckFailedError: one HSM of the cluster did not take part (CLUSTER-COVERAGE).
        """
        with logins.turn:
            self._log_in(user, password, logins, visible=visible)
        self._log_in_again = lambda: self.login(user, password, logins, visible=visible)

    def _log_in(self, user: str, password: Secret, logins: Logins, *, visible: bool) -> None:
        type_it = self._login_visibly if visible else self._login_hidden
        self._at_prompt = False
        text = type_it(user, password, logins)
        self._at_prompt = True
        outcome = self._understood(text, common.login).outcome
        if outcome.failure and not _accepted_by_some(outcome):
            raise self._located(errors.login_refused(outcome, text, password, logins))
        logins.accepted(password)
        if outcome.failure:
            raise self._located(errors.login_on_some_nodes(outcome, text))
        self.nodes = frozenset(node.id for node in outcome.nodes)

    def generate_rsa_key_pair(
        self, label: str, bits: int, *, exponent: int = 65537, extractable: bool = False
    ) -> GeneratedKeyPair:
        """Make an RSA pair; both halves get the label."""
        line = commands.generate_rsa_key_pair(label, bits, exponent, extractable=extractable)
        asked = self._ask(line, keys.key_pair, self._limits.generate)
        pair = self._made(line, asked)
        return GeneratedKeyPair(pair.public, pair.private, asked[0].outcome.nodes)

    def export_public_key(self, handle: DestinationHandle, file: str) -> None:
        """Have the PEM of a public key written to a file of the host; whoever needs the file looks at it."""
        self._fields(commands.export_public_key(handle, file), keys.exported)

    def unwrap_key(self, request: UnwrapCommand) -> Created:
        """Unwrap a key. Every call that succeeds makes another key, also of the same file."""
        line = commands.unwrap_key(request)
        limit = self._limits.answer + (request.timeout or 0)
        return self._create(line, keys.unwrapped, limit)

    def gen_sym_key(self, request: SecretKeyRequest) -> Created:
        """Make a secret key: for rehearsals, nothing of a migration needs it."""
        return self._create(commands.generate_secret_key(request), keys.secret_key)

    def import_public_key(self, label: str, file: str, *, id: str | None = None) -> Created:
        """Take in a public key from a PEM file of the host."""
        return self._create(commands.import_public_key(label, file, id), keys.public_key)

    def find_keys(
        self,
        *,
        key_class: int | None = None,
        key_type: int | None = None,
        label: str | None = None,
        id: str | None = None,
        session: bool | None = None,
        users: tuple[int, ...] | None = None,
        modulus: int | None = None,
        kcv: Kcv | None = None,
    ) -> tuple[DestinationHandle, ...]:
        """The handles of all keys that match: own and shared ones, and every public key of the cluster.

        session: True for session keys only, False for token keys only. users: ids of users who own or share.
        """
        wanted = FindKeyFilter(key_class, key_type, label, id, session, users, kcv=kcv)
        if modulus is None:
            return self._fields(commands.find_keys(wanted), common.found_keys)
        return self._find_modulus(wanted, modulus)

    def find_single_key(self, handle: DestinationHandle) -> Outcome:
        """Query every HSM for a key (CLUSTER-COVERAGE).

        Raises:
            ToolRefusedError: an HSM does not have the key.
            MismatchError: not every HSM that the login listed answered.
        """
        outcome = self._fields(commands.find_single_key(handle), common.find_single_key)
        answered = frozenset(node.id for node in outcome.nodes)
        if not self.nodes or not self.nodes <= answered:
            raise self._located(errors.not_covered(handle, self.nodes, answered))
        return outcome

    def get_attributes(self, handle: DestinationHandle) -> Attributes:
        """All attributes of an object: the tool writes them to a file, which is read and removed."""
        file = f"attributes-{next(self._files)}"
        self._host.remove(file)
        try:
            dump = self._fields(commands.get_attributes(handle, file), common.dump)
            data = self._host.take(file)
        except BaseException:
            self._host.remove(file)
            raise
        if data is None:
            raise self._located(UnknownScreenError(f"getAttribute reported success, but wrote no {file}"))
        self.record_file(file, data)
        text = data.decode("utf-8", "surrogateescape")
        found = self._understood(text, attributes)
        if dump.count != (there := len(found.values) + found.unknown):
            what = f"getAttribute reported {dump.count} attributes, but the file has {there}"
            raise self._located(UnknownScreenError(what, seen=last_lines(text)))
        return found

    def get_key_info(self, handle: DestinationHandle) -> KeyInfo:
        """Whose key this is."""
        return self._fields(commands.get_key_info(handle), common.key_info)

    def set_attribute(self, handle: DestinationHandle, attribute: int = dialect.TOKEN, *, value: bool) -> None:
        """Change a boolean attribute by number. The tool refuses (`usage`) all but TOKEN.

        NeedsOperatorError where only some nodes changed it.
        """
        line = commands.set_attribute(handle, attribute)
        done = f"attribute {attribute} of key {handle} was set to {int(value)}"
        asked = self._logged_in(lambda: self._until_free(lambda: self._set_once(line, value=value)))
        self._changed(line, asked, done)

    def delete_key(self, handle: DestinationHandle) -> None:
        """Delete one key; the other half of a pair stays. NeedsOperatorError where some nodes keep it."""
        line = commands.delete_key(handle)
        self._changed(line, self._ask(line, common.delete_key, self._limits.answer), f"key {handle} was deleted")

    def usage(self, verb: str) -> Usage:
        """What `-h` prints of a command; nothing is done, and no login is needed."""
        self._console.say(f"{verb} -h")
        return info.usage(verb, self._console.hear(dialect.COMMAND, limit=self._limits.answer).text)

    def probe(self, needs: Needs, *, visible: bool) -> tuple[str, ...]:
        """Check that this client has the commands and flags of a migration (CLIENT-ABILITY); gives warnings."""
        needed = commands.needed(needs, visible=visible)
        return abilities.check(dialect.TOOL, needed, self.usage, self._console.wording.argument, errors.VISIBLE)

    def list_attributes(self) -> Mapping[str, int]:
        """The numbers of attributes by name, less OBJ_ATTR_; needs no login."""
        return self._fields("listAttributes", info.attribute_numbers)

    def hsm_info(self) -> Mapping[str, str]:
        """What the HSM says of itself, by the tool's names; needs no login."""
        return self._fields("getHSMInfo", info.hsm_info)

    def error_to_string(self, code: int) -> str:
        """What a code of the tool means; needs no login."""
        meaning = self._fields(f"Error2String -r 0x{code:02x}", info.meaning)
        if meaning.code != code:
            what = f"Error2String was asked for 0x{code:x} and told of 0x{meaning.code:x}"
            raise self._located(UnknownScreenError(what, seen=meaning.text))
        return meaning.text

    def logout(self) -> None:
        self._log_in_again = None
        self._fields("logoutHSM", common.logout)

    def _login_hidden(self, user: str, password: Secret, logins: Logins) -> str:
        line = commands.login(user)
        logins.claim(password, dialect.TOOL)  # before the prompt, which only a password would end
        self._console.say(f"{line} -hpswd")
        heard = self._console.hear(dialect.PASSWORD, dialect.COMMAND, limit=self._limits.login)
        if heard.prompt == dialect.COMMAND.name:
            self._at_prompt = True
            logins.withdraw(password)
            outcome = self._understood(heard.text, common.login).outcome
            raise self._located(errors.not_asked(outcome, heard.text))
        self._console.say_secret(password, hides=True)
        return self._console.hear(dialect.COMMAND, dialect.PASSWORD_AGAIN, limit=self._limits.login).text

    def _login_visibly(self, user: str, password: Secret, logins: Logins) -> str:
        line = commands.login(user)
        value = password.reveal().decode("ascii")
        if not can_type(value):
            raise UsageError(f"the {password.name} holds a blank, so it cannot be typed in a command")
        logins.claim(password, dialect.TOOL)
        self._console.say(f"{line} -p {value}", secret=password)
        return self._console.hear(dialect.COMMAND, limit=self._limits.login).text

    def _find_modulus(self, wanted: FindKeyFilter, modulus: int) -> tuple[DestinationHandle, ...]:
        """The tool reads a modulus from a file, which is removed."""
        file = f"modulus-{next(self._files)}"
        self._host.write(file, modulus.to_bytes((modulus.bit_length() + 7) // 8).hex().encode())
        try:
            return self._fields(commands.find_keys(replace(wanted, modulus_file=file)), common.found_keys)
        finally:
            self._host.remove(file)

    def _set_once(self, line: str, *, value: bool) -> Asked[Outcome]:
        self._console.say(line)
        heard = self._console.hear(dialect.VALUE, dialect.COMMAND, limit=self._limits.answer)
        if heard.prompt == dialect.COMMAND.name:
            answer = self._understood(heard.text, common.set_attribute)
            if answer.outcome.failure is None:
                what = "setAttribute reported success without a question for the value"
                raise self._located(UnknownScreenError(what, seen=last_lines(heard.text)))
            return answer, heard.text
        self._at_prompt = False
        self._console.say(str(int(value)))
        text = self._console.hear(dialect.COMMAND_TWICE, dialect.COMMAND_AND_SILENCE, limit=self._limits.answer).text
        self._at_prompt = True
        return self._understood(heard.text + heard.question + text, common.set_attribute), text

    def _changed(self, line: str, asked: Asked[Outcome], done: str) -> None:
        """A change that is on all nodes; NeedsOperatorError for one that is on some."""
        (answer, text), verb = asked, verb_of(line)
        outcome = answer.outcome
        if outcome.failure and any(node.code == 0 for node in outcome.nodes):
            raise self._located(errors.on_some_nodes(verb, outcome, done, text))
        if outcome.unanswered:
            raise self._located(errors.unknown_outcome(verb, outcome, text))
        if outcome.failure:
            raise self._located(errors.refused(verb, outcome, text))

    def _create(
        self, line: str, read: Callable[[str], CommandReply[DestinationHandle]], limit: float | None = None
    ) -> Created:
        asked = self._ask(line, read, limit or self._limits.answer)
        return Created(self._made(line, asked), asked[0].outcome.nodes)

    def _made(self, line: str, asked: Asked[T]) -> T:
        """The handles of a key that is on all nodes; handles beside any failure mean that it is on some."""
        answer, text = asked
        outcome, handles = answer.outcome, answer.fields
        if handles is None and (outcome.unanswered or any(node.code == 0 for node in outcome.nodes)):
            raise self._located(errors.unknown_outcome(verb_of(line), outcome, text))
        if handles is None:
            raise self._located(errors.refused(verb_of(line), outcome, text))
        if outcome.failure:
            done = f"a key was made: handle {handles}"
            raise self._located(errors.on_some_nodes(verb_of(line), outcome, done, text))
        return handles


def _accepted_by_some(outcome: Outcome) -> bool:
    """Whether an HSM accepted the password and no other refused it."""
    refused = outcome.refused
    if refused is not None and not outcome.unanswered:
        return False
    codes = {node.code for node in outcome.nodes} | ({refused.code} if refused else set())
    return any(node.code == 0 for node in outcome.nodes) and not codes & dialect.WRONG_PASSWORD
