"""The lines that are typed. Words are parted at blanks and nothing quotes: what cannot be a word is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.tools.key_mgmt_util import dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyferry.names import CloudHandle


@dataclass(frozen=True, slots=True)
class UnwrapRequest:
    """What unWrapKey makes of a file that RSA OAEP wrapped.

    file: relative to the tool's folder. digest: of OAEP and MGF1 ("sha1", ...). min_servers, timeout
    (seconds): both or none, for the tool waits for ever without the second.
    """

    file: str
    wrapping_handle: CloudHandle
    label: str
    key_type: str
    digest: str
    id: str | None = None
    extractable: bool = True
    min_servers: int | None = None
    timeout: int | None = None

    def __post_init__(self) -> None:
        if self.key_type not in dialect.KEY_TYPES:
            raise _refusal(f"a key of type {self.key_type}", "is not one that unWrapKey makes")
        if self.digest not in dialect.HASHES:
            raise _refusal(f"the hash {self.digest}", "is not one that unWrapKey knows")
        if (self.min_servers is None) != (self.timeout is None):
            raise _refusal("-min_srv", "goes with -timeout only: without it the tool waits for ever")


def can_type(text: str) -> bool:
    """Whether this can be one word of a command: printable ASCII without a blank, not empty."""
    return text.isascii() and text.isprintable() and bool(text) and " " not in text


def word(what: str, text: str) -> str:
    """The text, if it can be typed as one word; UsageError that names `what`."""
    if not can_type(text):
        raise _refusal(f"the {what} {text!a}", "is no word of printable ASCII characters without blanks")
    return text


def login(user: str) -> str:
    return f"loginHSM -u CU -s {word('user name', user)}"


def generate_rsa_key_pair(label: str, bits: int, exponent: int, *, extractable: bool) -> str:
    line = f"genRSAKeyPair -m {bits} -e {exponent} -l {word('label', label)}"
    return line if extractable else f"{line} -nex"


def export_public_key(handle: CloudHandle, file: str) -> str:
    return f"exportPubKey -k {handle} -out {word('file name', file)}"


def unwrap_key(request: UnwrapRequest) -> str:
    return " ".join(_unwrap_words(request))


def _unwrap_words(request: UnwrapRequest) -> Iterator[str]:
    yield f"unWrapKey -f {word('file name', request.file)} -w {request.wrapping_handle}"
    yield f"-m {dialect.RSA_OAEP} -t {dialect.HASHES[request.digest]} -noheader"
    yield f"-l {word('label', request.label)}"
    yield f"-kc {dialect.SECRET_KEY} -kt {dialect.KEY_TYPES[request.key_type]}"
    if request.id is not None:
        yield f"-id {word('id', request.id)}"
    if not request.extractable:
        yield "-nex"
    if request.min_servers is not None:
        yield f"-min_srv {request.min_servers} -timeout {request.timeout}"


def find_keys(key_class: int | None, label: str | None, id_: str | None) -> str:
    found = ["findKey"]
    if key_class is not None:
        found.append(f"-c {key_class}")
    if label is not None:
        found.append(f"-l {word('label', label)}")
    if id_ is not None:
        found.append(f"-id {word('id', id_)}")
    return " ".join(found)


def get_attributes(handle: CloudHandle, file: str) -> str:
    return f"getAttribute -o {handle} -a {dialect.ALL_ATTRIBUTES} -out {file}"


def _refusal(what: str, why: str) -> UsageError:
    return UsageError(f"{what} {why}", tool=dialect.TOOL, keys="nothing was typed")
