from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import (
    CheckFailedError,
    MismatchError,
    NeedsOperatorError,
    ToolRefusedError,
    UnreachableError,
)
from keyferry.pkcs11 import DestinationHandle, KeyClass, PublicKey
from keyferry.tools import ledger
from keyferry.tools.cloudhsm_cli import commands, dialect, screens, values
from keyferry.tools.cloudhsm_cli.driver import NO_KEY, CloudHsmCli, KeyFilter, UnwrapRequest
from keyferry.tools.cloudhsm_cli.users import obstacle
from keyferry.tools.endpoints import Coverage, DestinationKey, KeySharing, Pair, require_half

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from keyferry.secrets import Secret
    from keyferry.terminal.host import Host
    from keyferry.terminal.process import Process
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.abilities import Needs
    from keyferry.tools.cloudhsm_cli.screens import ListedKey
    from keyferry.tools.endpoints import UnwrapSpec
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins

T = TypeVar("T")

_CLASSES = {"public-key": KeyClass.PUBLIC, "private-key": KeyClass.PRIVATE, "secret-key": KeyClass.SECRET}
_SECRET = "secret-key"  # noqa: S105 - an object class


class CloudHsmCliDestination:
    """An AWS CloudHSM cluster through CloudHSM CLI (Client SDK 5): one session, one login."""

    settable_usages = commands.SETTABLE_USAGES
    longest_label = dialect.LONGEST_LABEL

    def __init__(
        self,
        sessions: Sessions,
        host: Host,
        limits: Limits,
        logins: Logins,
        *,
        user: str,
        password: Secret,
        allow_raised: bool = False,
        availability_checked: bool = True,
        quota: int = 0,
    ) -> None:
        self._sessions, self._host, self._limits, self._logins = sessions, host, limits, logins
        self._user = user
        self._password = password
        self._allow_raised = allow_raised
        self._availability_checked = availability_checked
        self._quota = quota
        self._session: CloudHsmCli | None = None
        self._hsms: Sequence[Mapping[str, str]] = ()
        self._just_told: ListedKey | None = None
        self._logged_in = False
        self._in_vain = False

    def preflight(self) -> None:
        self._session = CloudHsmCli.open(self._sessions, self._host, self._limits)
        self._hsms = self.tool.hsms()
        self._check_available()
        self._logins.know(
            self._password, ledger.cluster(self._user, self._host, self.tool.emulator, self.cluster_fingerprints())
        )
        self._check_user()

    def probe(self, needs: Needs) -> Sequence[str]:
        return self.tool.probe(needs)

    def cluster_fingerprints(self) -> Sequence[str]:
        return [hsm[screens.SERIAL] for hsm in self._hsms]

    @property
    def not_applicable(self) -> Mapping[str, str]:
        reasons = {"PASSWORD-VISIBLE": f"{dialect.TOOL} always asks for the password without showing it"}
        if not self._availability_checked:
            why = "`key_availability_check = false`: the client's check for two HSMs is switched off"
            reasons["DESTINATION-AVAILABILITY"] = why
        return reasons

    def members(self) -> Sequence[str] | None:
        return [hsm[screens.SERIAL] for hsm in self.tool.hsms()]

    def process(self) -> Process:
        return self.tool.process()

    def log_in(self) -> None:
        self.tool.login(self._user, self._password, self._logins)
        self._logged_in = True

    def identity(self) -> Mapping[str, str]:
        return {"user": self._user, "tool": dialect.TOOL}

    def room(self) -> int | None:
        """The quota counts the keys of all users, of which this one sees a part: there may be less room."""
        models = " ".join(hsm.get("model", "") for hsm in self._hsms)
        fitting = (limit for name, limit in dialect.QUOTAS if name in models)
        documented = next(fitting) if models.strip() else min(limit for _name, limit in dialect.QUOTAS)
        return (self._quota or documented) - self._while_in(self.tool.count)

    def use_digest(self, digest: str) -> None:
        if digest not in dialect.HASHES:
            raise CheckFailedError(
                f"{dialect.TOOL} knows no OAEP hash {digest}", rule="OAEP-CAPACITY", keys="nothing was wrapped"
            )

    def secret_keys(self) -> Sequence[DestinationHandle]:
        return self._handles(KeyFilter(key_class=_SECRET))

    def secret_keys_now(self, believed: AbstractSet[DestinationHandle]) -> Collection[DestinationHandle]:
        """A list of all keys has a page for each hundred; their number is one answer."""
        wanted = KeyFilter(key_class=_SECRET)
        return believed if self._while_in(lambda: self.tool.count(wanted)) == len(believed) else self.secret_keys()

    def labelled_secrets(self, label: str) -> Sequence[DestinationHandle]:
        return self._handles(KeyFilter(label=label, key_class=_SECRET))

    def labelled(self, label: str) -> Sequence[DestinationHandle]:
        return self._handles(KeyFilter(label=label))

    def question(self, label: str) -> str:
        return commands.list_keys(KeyFilter(label=label), None, verbose=True)

    def inspection(self, handle: DestinationHandle) -> str:
        return commands.list_keys(KeyFilter(handle), None, verbose=True)

    def removal(self, handle: DestinationHandle) -> str:
        return commands.delete(handle)

    def describe(self, handle: DestinationHandle) -> DestinationKey:
        """What `coverage` was told a moment ago, if that was of this key: it is one and the same command."""
        told, self._just_told = self._just_told, None
        return described(told if told and told.handle == handle else self._key(handle))

    def make_pair(self, label: str, bits: int, *, extractable: bool) -> Pair:
        self._check_in()
        made = self.tool.generate_pair(label, bits, extractable=extractable)
        for half in (made.public, made.private):
            self._check_whole(half)
        values.require_unwraps(made.private, extractable=extractable)
        return Pair(made.public.handle, made.private.handle)

    def export_public_key(self, handle: DestinationHandle, file: str) -> None:
        self._while_in(lambda: self.tool.generate_file(handle, file))

    def record_file(self, name: str, data: bytes) -> None:
        self.tool.record_file(name, data)

    def unwrap(self, spec: UnwrapSpec, wrapping_key: DestinationHandle) -> DestinationHandle:
        self._check_in()
        made = self.tool.unwrap(UnwrapRequest.of(spec, wrapping_key))
        self._check_whole(made)
        return made.handle

    def coverage(self, handle: DestinationHandle) -> Coverage:
        """CLUSTER-COVERAGE: every coverage that the tool prints is full, and the HSMs agree about every attribute."""
        self._just_told = self._key(handle)
        if not self._just_told.covered:
            raise MismatchError(
                f"key {handle} {_uncovered(self._just_told)}",
                rule="CLUSTER-COVERAGE",
                tool=dialect.TOOL,
                seen=_printed(self._just_told),
                keys=f"key {handle} is not the same on every HSM of the cluster and must not be used",
                hint="synchronize the cluster, then check the key with `key list --verbose`",
            )
        if self._just_told.attributes.get("class") == "private-key":
            values.require_unwraps(self._just_told)
        return coverage_of(self._just_told)

    def delete_half(self, handle: DestinationHandle, key: PublicKey) -> None:
        require_half(self.describe(handle), key)
        self.tool.delete(handle)

    @staticmethod
    def can_type(text: str) -> bool:
        return CloudHsmCli.can_type(text)

    @staticmethod
    def supports_sharing(sharing: KeySharing) -> bool:
        """Sharing and quorum are set with other commands of this tool, which no run types."""
        return sharing == KeySharing()

    def sharing(self, handle: DestinationHandle) -> KeySharing:
        return KeySharing(self._key(handle).shared)

    def close(self) -> None:
        if self._session is None:
            return
        if self._logged_in:
            self._logged_in = False
            self._session.logout()
        self._session.close()

    @property
    def tool(self) -> CloudHsmCli:
        if self._session is None:
            raise UnreachableError(f"{dialect.TOOL} was not started", tool=dialect.TOOL, host=self._host.name)
        return self._session

    def _handles(self, wanted: KeyFilter) -> Sequence[DestinationHandle]:
        return [key.handle for key in self._while_in(lambda: self.tool.list_keys(wanted))]

    def _key(self, handle: DestinationHandle) -> ListedKey:
        return self._while_in(lambda: self.tool.key(handle))

    def _check_in(self) -> None:
        """A session that was idle may be logged out: noticed before a command that must not be typed twice."""
        self._while_in(self.tool.count)

    def _while_in(self, act: Callable[[], T]) -> T:
        """Ask; if the session was logged out in the meantime, log in once and ask once more.

        The text that the tool prints then is not documented. A session counts as logged out if even `key list` is
        refused. Only for what may be repeated: never for a command that makes or deletes a key.
        """
        try:
            return act()
        except ToolRefusedError as refusal:
            if refusal.code == NO_KEY or not self._is_out():
                raise
        self._in_vain = True  # unless what follows shows that a login was what was missing
        self.log_in()
        result = act()
        self._in_vain = False
        return result

    def _is_out(self) -> bool:
        if self._in_vain:
            return False
        try:
            self.tool.count()
        except ToolRefusedError:
            return True
        return False

    def _check_user(self) -> None:
        """LOCKOUT-NEAR: nothing that the tool shows of this user stands in the way of a login with a password."""
        if refusal := obstacle(self._user, self.tool.users(), allow_raised=self._allow_raised):
            raise refusal

    def _check_available(self) -> None:
        """DESTINATION-AVAILABILITY: keys are used only where two HSMs have them."""
        if self._availability_checked and len(self._hsms) < dialect.FEWEST_HSMS:
            raise CheckFailedError(
                f"the cluster has {len(self._hsms)} HSM; this client uses keys only where they are on two",
                rule="DESTINATION-AVAILABILITY",
                tool=dialect.TOOL,
                keys="no password was typed, nothing was changed",
                hint="add an HSM; or, after `configure-cli --disable-key-availability-check`, "
                "set `key_availability_check = false` in [destination]",
            )

    def _check_whole(self, made: ListedKey) -> None:
        if not made.covered:
            raise NeedsOperatorError(
                f"key {made.handle} was made, but it {_uncovered(made)}",
                rule="CLUSTER-COVERAGE",
                tool=dialect.TOOL,
                seen=_printed(made),
                keys=f"key {made.handle} ({made.label}) is not the same on every HSM and must not be used",
                hint="check it with `key list --verbose`; synchronize the cluster or delete the key, then run again",
            )


def described(key: ListedKey) -> DestinationKey:
    """A key from the object that `key list --verbose` prints; UnknownScreenError for values that cannot be."""
    found = key.attributes
    key_class = _CLASSES.get(str(found.get("class")), KeyClass.OTHER)
    kind = str(found.get("key-type", ""))
    return DestinationKey(
        handle=key.handle,
        label=key.label,
        key_class=key_class,
        type=dialect.KEY_TYPES.get(kind, kind.upper()),
        bits=values.bits(key),
        id=values.text_of_id(str(found.get("id", ""))),
        token=values.flag(key, "token"),
        extractable=values.flag(key, "extractable"),
        local=values.flag(key, "local"),
        may_unwrap=values.flag(key, "unwrap"),
        kcv=values.check_value(key) if key_class is KeyClass.SECRET else None,
        public_key=values.public_key(key),
        attributes={name.upper().replace("-", "_"): values.plain(value) for name, value in found.items()},
    )


def coverage_of(key: ListedKey) -> Coverage:
    """The coverages that the tool printed with a key."""
    cluster, *holders = key.coverage
    return Coverage(words={"cluster-coverage": [cluster], "key-coverage": holders})


def _uncovered(key: ListedKey) -> str:
    """What is wrong with a key that is not covered."""
    if key.inconsistent:
        return f"is inconsistent: the HSMs of the cluster disagree about {', '.join(key.inconsistent)}"
    if not key.owners:
        return "has no owner in the tool's answer, so nothing shows where it is"
    return "is not on every HSM of the cluster"


def _printed(key: ListedKey) -> str:
    """The words that the tool printed."""
    attributes = (f"{name}: {value}" for name, value in key.attributes.items() if name in key.inconsistent)
    return "\n".join((f"coverage: {', '.join(key.coverage)}", *attributes))
