from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, MismatchError, ToolRefusedError, UnreachableError
from keyferry.pkcs11 import FIXED_BITS, KeyClass, key_type
from keyferry.tools import ledger
from keyferry.tools.endpoints import Coverage, DestinationKey, KeySharing, Pair, require_half
from keyferry.tools.key_mgmt_util import commands
from keyferry.tools.key_mgmt_util.dialect import HASHES, KEYS_OF_A_CLUSTER, LONGEST_LABEL
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil, UnwrapCommand
from keyferry.tools.key_mgmt_util.users import obstacle

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from keyferry.pkcs11 import DestinationHandle, PublicKey
    from keyferry.secrets import Secret
    from keyferry.terminal.host import Host
    from keyferry.terminal.process import Process
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.abilities import Needs
    from keyferry.tools.endpoints import UnwrapSpec
    from keyferry.tools.key_mgmt_util.attributes import Attributes
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins

_SECRET_CLASS = 4


class KeyMgmtUtilDestination:
    """An AWS CloudHSM cluster through key_mgmt_util (Client SDK 3): one session, one login."""

    settable_usages = commands.SETTABLE_USAGES
    longest_label = LONGEST_LABEL

    def __init__(
        self,
        sessions: Sessions,
        host: Host,
        limits: Limits,
        logins: Logins,
        *,
        user: str,
        password: Secret,
        visible: bool = False,
        allow_raised: bool = False,
        quota: int = 0,
    ) -> None:
        self._sessions, self._host, self._limits, self._logins = sessions, host, limits, logins
        self._user = user
        self._password = password
        self._visible = visible
        self._allow_raised = allow_raised
        self._quota = quota or KEYS_OF_A_CLUSTER
        self._secret_keys: Sequence[DestinationHandle] | None = None
        self._session: KeyMgmtUtil | None = None
        self._logged_in = False
        self._ids: list[str] = []

    def preflight(self) -> None:
        self._session = KeyMgmtUtil.open(self._sessions, self._host, self._limits)
        users = self.tool.list_users()
        self._ids = [f"{user.type} {user.name} is user {user.id}" for user in users if user.name == self._user]
        mine = [user for user in users if (user.name.lower(), user.type) == (self._user.lower(), "CU")]
        number = str(mine[0].id) if len(mine) == 1 else None
        counted = bool(mine) and not self._allow_raised
        known = ledger.cluster(self._user, self._host, self.tool.emulator, number=number, counted=counted)
        self._logins.know(self._password, known)
        if refusal := obstacle(self._user, users, allow_raised=self._allow_raised):
            raise refusal

    def probe(self, needs: Needs) -> Sequence[str]:
        return self.tool.probe(needs, visible=self._visible)

    def cluster_fingerprints(self) -> Sequence[str]:
        """Nothing tells the cluster itself; a user of this name has another number elsewhere, if by chance."""
        return self._ids

    def process(self) -> Process:
        return self.tool.process()

    @property
    def not_applicable(self) -> Mapping[str, str]:
        return {"DESTINATION-AVAILABILITY": "key_mgmt_util has no key-availability check and lists no serial numbers"}

    @staticmethod
    def members() -> Sequence[str] | None:
        """This tool lists the nodes with every answer, and `coverage` compares them with those of the login."""
        return None

    def log_in(self) -> None:
        self.tool.login(self._user, self._password, self._logins, visible=self._visible)
        self._logged_in = True
        if not self.tool.nodes:
            raise CheckFailedError(
                "loginHSM listed no HSM of the cluster, so no key's coverage could be proved",
                rule="CLUSTER-COVERAGE",
                tool="key_mgmt_util",
                host=self._host.name,
                keys="nothing was changed",
                hint="log in by hand and look for the lines `Node id N status` under `Cluster Status`; "
                "restart the client daemon if they are missing",
            )

    def identity(self) -> Mapping[str, str]:
        return {"user": self._user, "tool": "key_mgmt_util"}

    def room(self) -> int | None:
        """The quota counts the keys of all users and classes, of which the secret ones of this user are counted here:
        there may be less room.
        """
        seen = self.secret_keys() if self._secret_keys is None else self._secret_keys
        return self._quota - len(seen)

    def use_digest(self, digest: str) -> None:
        if digest not in HASHES:
            raise CheckFailedError(
                f"key_mgmt_util knows no OAEP hash {digest}", rule="OAEP-CAPACITY", keys="nothing was wrapped"
            )

    def secret_keys(self) -> Sequence[DestinationHandle]:
        self._secret_keys = self.tool.find_keys(key_class=_SECRET_CLASS)
        return self._secret_keys

    def secret_keys_now(self, believed: AbstractSet[DestinationHandle]) -> Collection[DestinationHandle]:  # noqa: ARG002 - one command
        return self.secret_keys()

    def labelled_secrets(self, label: str) -> Sequence[DestinationHandle]:
        return self.tool.find_keys(key_class=_SECRET_CLASS, label=label)

    def labelled(self, label: str) -> Sequence[DestinationHandle]:
        return self.tool.find_keys(label=label)

    def question(self, label: str) -> str:
        return commands.find_keys(commands.FindKeyFilter(label=label))

    def inspection(self, handle: DestinationHandle) -> str:
        return commands.get_attributes(handle, f"attributes-of-{handle}")

    def removal(self, handle: DestinationHandle) -> str:
        return commands.delete_key(handle)

    def describe(self, handle: DestinationHandle) -> DestinationKey:
        return described(handle, self.tool.get_attributes(handle))

    def make_pair(self, label: str, bits: int, *, extractable: bool) -> Pair:
        made = self.tool.generate_rsa_key_pair(label, bits, extractable=extractable)
        return Pair(made.public, made.private)

    def export_public_key(self, handle: DestinationHandle, file: str) -> None:
        self.tool.export_public_key(handle, file)

    def record_file(self, name: str, data: bytes) -> None:
        self.tool.record_file(name, data)

    def unwrap(self, spec: UnwrapSpec, wrapping_key: DestinationHandle) -> DestinationHandle:
        return self.tool.unwrap_key(UnwrapCommand.of(spec, wrapping_key)).handle

    def coverage(self, handle: DestinationHandle) -> Coverage:
        """Check that findSingleKey lists every node of the login, each with success (CLUSTER-COVERAGE)."""
        try:
            outcome = self.tool.find_single_key(handle)
        except ToolRefusedError as refusal:
            raise MismatchError(
                f"key {handle} is not on every HSM of the cluster",
                rule="CLUSTER-COVERAGE",
                tool="key_mgmt_util",
                seen=refusal.seen or refusal.what,
                keys=f"key {handle} exists on some HSMs only",
                hint="synchronise the cluster, then look again with findSingleKey",
            ) from refusal
        return Coverage(tuple(node.id for node in outcome.nodes))

    def delete_half(self, handle: DestinationHandle, key: PublicKey) -> None:
        require_half(self.describe(handle), key)
        self.tool.delete_key(handle)

    @staticmethod
    def can_type(text: str) -> bool:
        return len(text) <= LONGEST_LABEL and KeyMgmtUtil.can_type(text)

    @staticmethod
    def supports_sharing(sharing: KeySharing) -> bool:
        return commands.supports_sharing(sharing)

    def sharing(self, handle: DestinationHandle) -> KeySharing:
        info = self.tool.get_key_info(handle)
        return KeySharing(tuple(map(str, info.shared)), info.approvers)

    def close(self) -> None:
        if self._session is None:
            return
        if self._logged_in:
            self._logged_in = False
            self._session.logout()
        self._session.close()

    @property
    def tool(self) -> KeyMgmtUtil:
        if self._session is None:
            raise UnreachableError("key_mgmt_util was not started", tool="key_mgmt_util", host=self._host.name)
        return self._session


def described(handle: DestinationHandle, attributes: Attributes) -> DestinationKey:
    """A key from the attribute file that getAttribute writes."""
    kind = key_type(attributes.key_type)
    if attributes.key_class == _SECRET_CLASS:
        bits = attributes.value_len * 8 or FIXED_BITS.get(kind)
    else:  # VALUE_LEN of a pair's halves is no length of the key
        bits = attributes.modulus_bits
    return DestinationKey(
        handle=handle,
        label=attributes.label,
        key_class=KeyClass.of(attributes.key_class),
        type=kind,
        bits=bits,
        id=attributes.id,
        token=attributes.token,
        extractable=attributes.extractable,
        local=attributes.local,
        may_unwrap=attributes.flag("UNWRAP"),
        kcv=attributes.kcv,
        public_key=attributes.public_key,
        attributes=attributes.values,
    )
