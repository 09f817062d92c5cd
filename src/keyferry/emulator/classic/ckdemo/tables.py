from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyferry.emulator.jitter import Jitter

# The reference (section 16) leaves open how the tables of sections 11 and 12 write an entry.
_STYLES = (
    "[{number}]{name}",
    "{number} {name}",
    "{number} - {name}",
    "{name}[{number}]",
    "({number}) {name}",
)


class Table(NamedTuple):
    """Numbered names, as they stand on the screen and as an answer picks one."""

    entries: Mapping[int, str]
    columns: int = 4
    width: int = 18
    style: str = _STYLES[0]

    @property
    def last(self) -> int:
        return max(self.entries)

    def text(self) -> str:
        """Rows of `columns` entries, at least one blank between two, a newline after each row."""
        cells = [self.style.format(number=number, name=name) for number, name in self.entries.items()]
        rows = (cells[at : at + self.columns] for at in range(0, len(cells), self.columns))
        return "".join("".join(f"{cell:<{self.width - 1}} " for cell in row).rstrip() + "\n" for row in rows)


def _numbered(names: Sequence[str]) -> dict[int, str]:
    return dict(enumerate(names, 1))


_WRAP_UNTIL_ARIA = (
    *(
        "DES-ECB",
        "DES-CBC",
        "DES3-ECB",
        "DES3-CBC",
        "CAST-ECB",
        "CAST-CBC",
        "CAST3-ECB",
        "CAST3-CBC",
        "RSA",
        "TRANSLA",
    ),
    *("DES3-CBC-PAD", "SEED-ECB", "SEED-CBC", "SEED-CBC-PAD", "DES-CBC-PAD", "CAST-CBC-PAD", "CAST3-CBC-PAD"),
    *("CAST5-CBC-PAD", "AES-ECB", "AES-CBC", "AES-CBC-PAD", "ARIA-ECB", "ARIA-CBC", "ARIA-CBC-PAD"),
)
# Of 7.x only RSA_OAEP 26 and AES-KWP 31 are known; what stands around them is made up.
_WRAP = {
    "5": (*_WRAP_UNTIL_ARIA, "RSA_OAEP", "SET_OAEP"),
    "7": (
        *_WRAP_UNTIL_ARIA,
        *("DES3-CTR", "RSA_OAEP", "SET_OAEP", "AES-CTR", "AES-GCM", "AES-KW", "AES-KWP"),
    ),
}
_CIPHERS = {
    1: "DES-CBC",
    2: "DES3-CBC",
    5: "DES-ECB",
    6: "DES3-ECB",
    16: "RAW-RSA",
    27: "AES-ECB",
    28: "AES-CBC",
    29: "AES-CBC-PAD",
    33: "RSA-PKCS",
    50: "RSA-OAEP",
}
_CIPHERS_MOVED = {"5": 0, "7": 1}  # RSA-PKCS is 33 in [A] and 34 in [7+]: one entry came in before it
_KEY_TYPES = (
    *(
        "DES",
        "DES2",
        "DES3",
        "CAST",
        "CAST3",
        "Generic",
        "RSA",
        "DSA",
        "DH",
        "CAST5",
        "RC2",
        "RC4",
        "RC5",
        "SSL3",
    ),
    *(
        "ECDSA",
        "AES",
        "SEED",
        "KCDSA-512",
        "KCDSA-1024",
        "KCDSA-2048",
        "KCDSA",
        "RSA X9.31",
        "DH X9.42",
        "ARIA",
    ),
)
HASHES = Table(_numbered(("SHA1", "SHA224", "SHA256", "SHA384", "SHA512")), columns=1)
HASH_NAMES = {1: "SHA-1", 2: "SHA-224", 3: "SHA-256", 4: "SHA-384", 5: "SHA-512"}


def wrap_table(luna: str, jitter: Jitter) -> Table:
    """Menu 60's mechanisms; jitter puts some unknown ones before RSA_OAEP."""
    extra = [f"EXTRA-{letter}" for letter in "ABC"[: jitter.number("wrap mechanisms", 0, 0, 3)]]
    at = jitter.number("wrap mechanisms at", 0, 0, 20)
    names = _WRAP[luna]
    return Table(_numbered([*names[:at], *extra, *names[at:]]))


def cipher_table(luna: str, jitter: Jitter) -> Table:
    """Menus 40 and 41, numbered with gaps; all after the first two may move."""
    moved = _CIPHERS_MOVED[luna] + jitter.number("cipher numbers", 0, 0, 4)
    entries = {number + moved * (number > 2): name for number, name in _CIPHERS.items()}
    return Table(entries, columns=3, width=22, style=jitter.pick("cipher style", *_STYLES))


def key_type_table(jitter: Jitter) -> Table:
    return Table(_numbered(_KEY_TYPES), columns=3, width=22, style=jitter.pick("key type style", *_STYLES))
