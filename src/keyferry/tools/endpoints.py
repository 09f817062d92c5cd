"""The two parties of a migration in the procedure's words. The steps never learn which tools stand behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from keyferry.errors import CheckFailedError
from keyferry.pkcs11 import KeyClass

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from keyferry.pkcs11 import DestinationHandle, Kcv, PublicKey, Sha256, SourceHandle
    from keyferry.terminal.process import Process
    from keyferry.tools.abilities import Needs


SOURCE_TOOLS = frozenset({"vtl", "cmu", "ckdemo"})


STABLE = "partition"
"""The kind of a slot whose handles mean the same in every session."""


USAGES = ("ENCRYPT", "DECRYPT", "SIGN", "VERIFY", "WRAP", "UNWRAP", "DERIVE")
"""What a key may be used for, as the source tells it (CKA_...)."""


def is_readable(label: str) -> bool:
    """Whether a terminal shows this label in one line as it is."""
    return not set(label) & set("\n\r\0")


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A key of the source as it describes itself. bits: 8 times the value's bytes, None where not told.

    id: the CKA_ID's text, "" where there is none; None where its bytes cannot be told from the screen
    (`id_shown` has what was there). readable: False if the tools' screens do not show its label as it is.
    """

    handle: SourceHandle
    label: str
    key_class: KeyClass
    type: str
    bits: int | None
    id: str | None
    id_shown: str
    extractable: bool | None
    may_encrypt: bool | None
    attributes: Mapping[str, str] = field(repr=False)
    readable: bool = True

    @property
    def usages(self) -> dict[str, bool]:
        """The usage flags that it tells of itself."""
        told = {name: self.attributes.get(f"CKA_{name}") for name in USAGES}
        return {name: value == "01" for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class DestinationKey:
    """A key of the destination as it describes itself. kcv: None where the tool gives none."""

    handle: DestinationHandle
    label: str
    key_class: KeyClass
    type: str
    bits: int | None
    id: str
    token: bool | None
    extractable: bool | None
    local: bool | None
    may_unwrap: bool | None
    kcv: Kcv | None
    public_key: PublicKey | None
    attributes: Mapping[str, str] = field(repr=False)


def require_half(found: DestinationKey, key: PublicKey) -> None:
    """CheckFailedError unless this is a half of the pair with these numbers."""
    if found.key_class not in (KeyClass.PUBLIC, KeyClass.PRIVATE) or found.public_key != key:
        raise CheckFailedError(
            f"key {found.handle} ({found.key_class}) is no half of the wrapping pair",
            rule="WRAPPING-KEY-MATCH",
            keys="nothing was removed",
        )


@dataclass(frozen=True, slots=True)
class Pair:
    public: DestinationHandle
    private: DestinationHandle


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped key's file on the source's host."""

    size: int
    name: str


@dataclass(frozen=True, slots=True)
class KeySharing:
    """Who may use a key besides its owner, in the tool's own words (ids, names); quorum: how many must approve."""

    shared_users: tuple[str, ...] = ()
    quorum: int | None = None


@dataclass(frozen=True, slots=True)
class UnwrapSpec:
    """Everything the destination's tool is told about one key, except the handle of the key that unwraps it.

    The transfer, the runbook and the check of recordings use the same specification, so they cannot differ.
    usages: only flags that this tool can set.
    """

    label: str
    id: str | None
    type: str
    bits: int
    extractable: bool
    digest: str
    file: str
    usages: Mapping[str, bool] = field(default_factory=dict)
    sharing: KeySharing = field(default_factory=KeySharing)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the tool printed about where a key is, all of it good (CLUSTER-COVERAGE).

    nodes: ids of the nodes that answered for it, each with success; empty for a tool that prints none.
    words: the coverages by the tool's names, for a tool that prints those.
    """

    nodes: tuple[int, ...] = ()
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Source(Protocol):
    """The HSM that keys leave. Nothing in it changes but the imported public key (SOURCE-READ-ONLY)."""

    def preflight(self) -> None:
        """Reach the tools and read what may be read before a login (SLOT-MATCH, LOCKOUT-NEAR)."""

    def warnings(self) -> Sequence[str]:
        """What `preflight` could not see, for the operator."""

    def open_session(self) -> None: ...

    def log_in(self) -> None: ...

    def identity(self) -> Mapping[str, str]:
        """Who this is: label, serial, slot, firmware."""

    def has_stable_handles(self) -> bool:
        """Whether a handle means the same key in every session (on an HA group it does not)."""

    def keys(self) -> Sequence[SourceKey]:
        """Every object that is a key, described."""

    def check_value(self, key: SourceKey) -> Kcv | None:
        """The key's check value; None where the HSM gives none for it."""

    def no_check_value(self, handle: SourceHandle) -> str | None:
        """The code with which the HSM refused a check value of this key in this session, if it did."""

    def use_digest(self, digest: str) -> None:
        """Make OAEP use this hash, or raise before anything is wrapped."""

    def import_public_key(self, file: str, label: str) -> SourceHandle:
        """Bring a PEM file of this host into the HSM; the new object proved by looking for it."""

    def labelled(self, label: str) -> Sequence[SourceHandle]:
        """Every object with this label."""

    def public_key(self, handle: SourceHandle) -> PublicKey:
        """What the HSM reads back of a public key, by every way there is."""

    def allow_wrapping(self, handle: SourceHandle) -> None:
        """Let the imported public key wrap (CKA_WRAP), proved by reading it back."""

    def delete_public_key(self, handle: SourceHandle, key: PublicKey) -> None:
        """Remove a public key, if it is this one; no object of another class is ever removed (SOURCE-READ-ONLY)."""

    def wrap(self, wrapping_key: SourceHandle, key: SourceKey, digest: str) -> Wrapped: ...

    def record_file(self, wrapped: Wrapped, digest: Sha256) -> None:
        """Record in the session that a wrapped file was read, and its hash on the source's host (event `f`)."""

    def close(self) -> None:
        """Leave every tool by its own exit; one that was never reached is no matter."""


class CanBeTold(Protocol):
    """What a destination's tool can be told: known without reaching it."""

    def can_type(self, text: str) -> bool:
        """Whether a label or id can be told to this tool as it is."""

    def supports_sharing(self, sharing: KeySharing) -> bool: ...


class Destination(Protocol):
    """The HSM that keys enter."""

    @property
    def settable_usages(self) -> frozenset[str]:
        """The usage flags that unwrapping sets as the source has them; all others the tool decides."""

    @property
    def longest_label(self) -> int | None:
        """Characters of a label; None where no limit is known."""

    def preflight(self) -> None:
        """Reach the tool and read what may be read before a login (LOCKOUT-NEAR)."""

    def probe(self, needs: Needs) -> Sequence[str]:
        """Check before the login that the client has the commands and flags of a run (CLIENT-ABILITY).

        Returns:
            A warning for each command that could not be probed.
        """

    def cluster_fingerprints(self) -> Sequence[str]:
        """What `preflight` saw that other clusters do not have. An HSM may be replaced; one seen again is enough."""

    def process(self) -> Process:
        """The tool's own process, once it is reached."""

    @property
    def not_applicable(self) -> Mapping[str, str]:
        """The rules, or parts of them, that do not apply to this tool, and why."""

    def members(self) -> Sequence[str] | None:
        """The serial numbers of the cluster's HSMs as listed now; None for a tool that lists none."""

    def log_in(self) -> None: ...

    def identity(self) -> Mapping[str, str]:
        """Who this is: user and tool."""

    def room(self) -> int | None:
        """How many keys more there can be at most by the documented quota; None where none is known."""

    def use_digest(self, digest: str) -> None:
        """Make OAEP use this hash, or raise before anything is made."""

    def secret_keys(self) -> Sequence[DestinationHandle]:
        """The secret keys of this user."""

    def secret_keys_now(self, believed: AbstractSet[DestinationHandle]) -> Collection[DestinationHandle]:
        """The same, always asked anew. `believed`, if a tool that counts more cheaply than it lists counts as many."""

    def labelled_secrets(self, label: str) -> Sequence[DestinationHandle]:
        """The secret keys of this user with this label."""

    def labelled(self, label: str) -> Sequence[DestinationHandle]:
        """Every key of any class with this label."""

    def question(self, label: str) -> str:
        """The words with which a person asks the tool itself for the keys of a label."""

    def inspection(self, handle: DestinationHandle) -> str:
        """The words with which a person has the tool show one key."""

    def removal(self, handle: DestinationHandle) -> str:
        """The words with which a person has the tool delete one key; no run types them for a secret key."""

    def describe(self, handle: DestinationHandle) -> DestinationKey: ...

    def make_pair(self, label: str, bits: int, *, extractable: bool) -> Pair: ...

    def export_public_key(self, handle: DestinationHandle, file: str) -> None:
        """Write the public half as a PEM file on this host."""

    def record_file(self, name: str, data: bytes) -> None:
        """Record, in the session of the tool that wrote it, a file as it was read (event `f`)."""

    def unwrap(self, spec: UnwrapSpec, wrapping_key: DestinationHandle) -> DestinationHandle:
        """Unwrap a file of this host. NeedsOperatorError where the key came to be on some nodes only."""

    def coverage(self, handle: DestinationHandle) -> Coverage: ...

    def delete_half(self, handle: DestinationHandle, key: PublicKey) -> None:
        """Remove one half of an RSA pair, if its public numbers are these; a secret key is never removed."""

    def can_type(self, text: str) -> bool:
        """Whether a label or id can be told to this tool as it is."""

    def supports_sharing(self, sharing: KeySharing) -> bool:
        """Whether unwrapping can be told this."""

    def sharing(self, handle: DestinationHandle) -> KeySharing:
        """What the tool tells of a key's sharing; users in the order told."""

    def close(self) -> None:
        """Leave the tool by its own exit; if it was never reached, no matter."""


TYPES_THAT_CROSS = {"AES": (128, 192, 256), "DES3": (192,), "GENERIC_SECRET": ()}
"""KEY-TYPE: the types an RSA OAEP unwrap of the destination can make, with their sizes in bits (() is any)."""
