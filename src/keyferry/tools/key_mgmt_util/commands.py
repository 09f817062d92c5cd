"""The lines that are typed. Words are parted at blanks and nothing quotes: what cannot be a word is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from keyferry.errors import UsageError
from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.abilities import by_command
from keyferry.tools.key_mgmt_util import dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.pkcs11 import Kcv
    from keyferry.tools.abilities import Needs
    from keyferry.tools.endpoints import KeySharing, UnwrapSpec

SETTABLE_USAGES: frozenset[str] = frozenset()
"""unWrapKey sets no usage flag: the tool decides them by the key's type."""


@dataclass(frozen=True, slots=True)
class UnwrapCommand:
    """What unWrapKey makes of a file that RSA OAEP wrapped. shared_users: by id.

    file: relative to the tool's folder. digest: of OAEP and MGF1 ("sha1", ...). min_servers, timeout
    (seconds): both or none, for the tool waits for ever without the second.
    """

    file: str
    wrapping_handle: DestinationHandle
    label: str
    key_type: str
    digest: str
    id: str | None = None
    extractable: bool = True
    min_servers: int | None = None
    timeout: int | None = None
    shared_users: tuple[int, ...] = ()
    approvers: int | None = None

    @classmethod
    def of(cls, spec: UnwrapSpec, wrapping_key: DestinationHandle) -> Self:
        """The command for a planned key; the driver and the runbook both use it.

        Raises:
            UsageError: the sharing or the quorum cannot be typed.
        """
        if not supports_sharing(spec.sharing):
            raise _refusal(f"the sharing or quorum of the key {spec.label!r}", "cannot be typed: users are named by id")
        return cls(
            file=spec.file,
            wrapping_handle=wrapping_key,
            label=spec.label,
            key_type=spec.type,
            digest=spec.digest,
            id=spec.id,
            extractable=spec.extractable,
            shared_users=tuple(map(int, spec.sharing.shared_users)),
            approvers=spec.sharing.quorum,
        )

    def __post_init__(self) -> None:
        if self.key_type not in dialect.KEY_TYPES:
            raise _refusal(f"a key of type {self.key_type}", "is not one that unWrapKey makes")
        if self.digest not in dialect.HASHES:
            raise _refusal(f"the hash {self.digest}", "is not one that unWrapKey knows")
        if (self.min_servers is None) != (self.timeout is None):
            raise _refusal("-min_srv", "goes with -timeout only: without it the tool waits for ever")


@dataclass(frozen=True, slots=True)
class SecretKeyRequest:
    """What genSymKey makes; size in bytes. session: the key ends with the tool."""

    label: str
    key_type: str
    size: int
    id: str | None = None
    extractable: bool = True
    session: bool = False

    def __post_init__(self) -> None:
        if self.key_type not in dialect.KEY_TYPES:
            raise _refusal(f"a key of type {self.key_type}", "is not one that genSymKey makes here")


@dataclass(frozen=True, slots=True)
class FindKeyFilter:
    """What findKey looks for; what is None does not count. Numbers are PKCS#11's.

    session: True for session keys only, False for token keys only. users: ids of users who own or share
    the key. modulus_file: relative to the tool's folder, hexadecimal.
    """

    key_class: int | None = None
    key_type: int | None = None
    label: str | None = None
    id: str | None = None
    session: bool | None = None
    users: tuple[int, ...] | None = None
    modulus_file: str | None = None
    kcv: Kcv | None = None


def can_type(text: str) -> bool:
    """Whether this can be one word of a command: printable ASCII without a blank, not empty."""
    return text.isascii() and text.isprintable() and bool(text) and " " not in text


def supports_sharing(sharing: KeySharing) -> bool:
    """Whether unWrapKey can be told this: users are named by their ids."""
    ids = all(user.isascii() and user.isdecimal() for user in sharing.shared_users)
    return ids and sharing.quorum in dialect.APPROVERS


def word(what: str, text: str) -> str:
    """The text, if it can be typed as one word; UsageError that names `what`."""
    if not can_type(text):
        raise _refusal(f"the {what} {text!a}", "is no word of printable ASCII characters without blanks")
    return text


def name(what: str, text: str) -> str:
    """The text as one word, if the HSM keeps a label or id of its length; UsageError that names `what`."""
    if len(text) > dialect.LONGEST_LABEL:
        raise _refusal(f"the {what} {text!a}", f"is longer than {dialect.LONGEST_LABEL} characters")
    return word(what, text)


def login(user: str) -> str:
    return f"loginHSM -u CU -s {word('user name', user)}"


def generate_rsa_key_pair(label: str, bits: int, exponent: int, *, extractable: bool) -> str:
    line = f"genRSAKeyPair -m {bits} -e {exponent} -l {name('label', label)}"
    return line if extractable else f"{line} -nex"


def export_public_key(handle: DestinationHandle, file: str) -> str:
    return f"exportPubKey -k {handle} -out {word('file name', file)}"


def unwrap_key(request: UnwrapCommand) -> str:
    return " ".join(_unwrap_words(request))


def _unwrap_words(request: UnwrapCommand) -> Iterator[str]:
    yield f"unWrapKey -f {word('file name', request.file)} -w {request.wrapping_handle}"
    yield f"-m {dialect.RSA_OAEP} -t {dialect.HASHES[request.digest]} -noheader"
    yield f"-l {name('label', request.label)}"
    yield f"-kc {dialect.SECRET_KEY} -kt {dialect.KEY_TYPES[request.key_type]}"
    if request.id is not None:
        yield _id(request.id).strip()
    if not request.extractable:
        yield "-nex"
    if request.shared_users:
        yield f"-u {word('list of users', ','.join(map(str, request.shared_users)))}"
    if request.approvers is not None:
        yield f"-m_value {request.approvers}"
    if request.min_servers is not None:
        yield f"-min_srv {request.min_servers} -timeout {request.timeout}"


def generate_secret_key(request: SecretKeyRequest) -> str:
    key_type = dialect.KEY_TYPES[request.key_type]
    line = f"genSymKey -t {key_type} -s {request.size} -l {name('label', request.label)}"
    flags = (" -nex", not request.extractable), (" -sess", request.session)
    return line + _id(request.id) + "".join(flag for flag, wanted in flags if wanted)


def needed(needs: Needs, *, visible: bool) -> dict[str, frozenset[str]]:
    """The flags that a migration types, by command; values are examples. visible: the password is typed with -p."""
    handle = DestinationHandle(1)
    unwrap = UnwrapCommand(
        file="f",
        wrapping_handle=handle,
        label="l",
        key_type="AES",
        digest="sha1",
        id="i",
        extractable=not needs.non_extractable,
        shared_users=(1,) if needs.sharing else (),
        approvers=1 if needs.sharing else None,
    )
    lines = [
        f"{login('u')} {'-p x' if visible else '-hpswd'}",
        find_keys(FindKeyFilter(key_class=dialect.SECRET_KEY, label="l")),
        f"findSingleKey -k {handle}",
        get_attributes(handle, "f"),
        *([f"getKeyInfo -k {handle}"] if needs.sharing else []),
        generate_rsa_key_pair("l", 2048, 65537, extractable=needs.extractable_pair),
        export_public_key(handle, "f"),
        unwrap_key(unwrap),
        "logoutHSM",
    ]
    return by_command(lines, lambda line: line.partition(" ")[::2])


def import_public_key(label: str, file: str, id_: str | None) -> str:
    return f"importPubKey -l {name('label', label)} -f {word('file name', file)}{_id(id_)}"


def find_single_key(handle: DestinationHandle) -> str:
    return f"findSingleKey -k {handle}"


def get_key_info(handle: DestinationHandle) -> str:
    return f"getKeyInfo -k {handle}"


def find_keys(wanted: FindKeyFilter) -> str:
    return " ".join(("findKey", *_filters(wanted)))


def _filters(wanted: FindKeyFilter) -> Iterator[str]:
    if wanted.key_class is not None:
        yield f"-c {wanted.key_class}"
    if wanted.key_type is not None:
        yield f"-t {wanted.key_type}"
    if wanted.label is not None:
        yield f"-l {word('label', wanted.label)}"
    if wanted.id is not None:
        yield f"-id {word('id', wanted.id)}"
    if wanted.session is not None:
        yield f"-sess {int(wanted.session)}"
    if wanted.users is not None:
        yield f"-u {word('list of users', ','.join(map(str, wanted.users)))}"
    if wanted.modulus_file is not None:
        yield f"-m {word('file name', wanted.modulus_file)}"
    if wanted.kcv is not None:
        yield f"-kcv {word('check value', wanted.kcv)}"


def set_attribute(handle: DestinationHandle, attribute: int) -> str:
    return f"setAttribute -o {handle} -a {attribute}"


def _id(text: str | None) -> str:
    return "" if text is None else f" -id {name('id', text)}"


def delete_key(handle: DestinationHandle) -> str:
    return f"deleteKey -k {handle}"


def get_attributes(handle: DestinationHandle, file: str) -> str:
    return f"getAttribute -o {handle} -a {dialect.ALL_ATTRIBUTES} -out {file}"


def _refusal(what: str, why: str) -> UsageError:
    return UsageError(f"{what} {why}", tool=dialect.TOOL, keys="nothing was typed")
