"""cmu import and generatekeypair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator import files
from keyferry.emulator.classic.cmu import words
from keyferry.emulator.classic.cmu.options import UsageError
from keyferry.emulator.classic.objects import flag, rsa_public_key
from keyferry.emulator.faults import strikes

if TYPE_CHECKING:
    from keyferry.emulator.classic.cmu.run import Run

IMPORT = ("inputfile", "label", "id", "private", "modifiable", "encrypt", "verify", "wrap", "derive")
GENERATE = (
    *(
        "keytype",
        "modulusbits",
        "publicexponent",
        "label",
        "labelpublic",
        "labelprivate",
        "id",
        "mech",
        "keygenmech",
    ),
    *("sign", "verify", "encrypt", "decrypt", "wrap", "unwrap", "derive", "extractable", "modifiable"),
)
_PUBLIC_USAGES = ("encrypt", "verify", "wrap", "derive", "modifiable")
_PRIVATE_USAGES = ("decrypt", "sign", "unwrap", "derive", "extractable", "modifiable")


def import_object(run: Run) -> int:
    """A public key from a PEM file; a file is taken for a certificate unless it is said to be a key."""
    data = _file(run)
    if run.pubkey_option not in run.options:
        raise UsageError("the file is not a certificate")
    if run.options.given[run.pubkey_option].lower() != "rsa":
        raise UsageError("only RSA public keys are emulated")
    from keyferry.emulator.classic.crypto import new_rsa, read_rsa_public_pem  # noqa: PLC0415 - slow to load

    numbers = read_rsa_public_pem(data)
    if numbers is None:
        raise UsageError("the file is not an RSA public key")
    if strikes(run.store, "cmu", "pem-swapped", "import"):
        modulus, exponent, _ = new_rsa(8 * len(numbers[0]), 65537)
        numbers = modulus, exponent
    handle = 0
    if not strikes(run.store, "cmu", "import-lost", "import"):
        handle = run.session.create(rsa_public_key(*numbers) | _unsure(run) | _named(run) | _flags(run, IMPORT))
    _tell_import(run, handle)
    return 0


def _file(run: Run) -> bytes:
    if "inputfile" not in run.options:
        raise UsageError("inputfile: a file is needed")
    name = run.options.given["inputfile"]
    try:
        return files.read(name)
    except OSError:
        raise UsageError(f"{name}: cannot be read") from None


def _unsure(run: Run) -> dict[str, bytes]:
    """What nobody has written down of an imported key; that it may not wrap is evident."""
    names = "private", "encrypt", "verify"
    usual = (False, True, True)
    picked = {
        name: run.hsm.jitter.pick(f"imported {name}", now, not now) for name, now in zip(names, usual, strict=True)
    }
    return {words.FLAG_OPTIONS[name]: flag(value) for name, value in picked.items()}


def _tell_import(run: Run, handle: int) -> None:
    if run.hsm.dialect == "7" and run.hsm.jitter.pick("import tells", False, True):
        run.terminal.write(f"...The public key was successfully imported -> handle({handle})\n")


def _named(run: Run, label: str = "label") -> dict[str, bytes]:
    given = {"CKA_LABEL": run.options.text(label) or run.options.text("label")}
    return given | ({"CKA_ID": run.options.hexadecimal("id")} if "id" in run.options else {})


def _flags(run: Run, names: tuple[str, ...]) -> dict[str, bytes]:
    chosen = (name for name in names if name in words.FLAG_OPTIONS and name in run.options)
    return {words.FLAG_OPTIONS[name]: flag(run.options.flag(name)) for name in chosen}


def generate_key_pair(run: Run) -> int:
    """An RSA pair; newer versions ask how its primes are made, and tell the handles."""
    if run.options.given.get("keytype", "").upper() != "RSA":
        raise UsageError("only RSA key pairs are emulated")
    if run.hsm.dialect == "7" and not {"mech", "keygenmech"} & run.options.given.keys():
        _ask_mechanism(run)
    public = _named(run, "labelpublic") | _flags(run, _PUBLIC_USAGES)
    private = _named(run, "labelprivate") | _flags(run, _PRIVATE_USAGES)
    exponent = run.options.number("publicexponent") if "publicexponent" in run.options else 65537
    pair = run.session.generate_rsa(run.options.number("modulusbits"), public, private, exponent)
    if run.hsm.dialect == "7":
        told = "...The key pair was successfully generated -> public handle({}), private handle({})\n"
        run.terminal.write(told.format(*pair))
    return 0


def _ask_mechanism(run: Run) -> None:
    gap = run.hsm.jitter.pick("blank line before mechanisms", "", "\n")
    run.terminal.write(gap + "Select RSA Mechanism Type -\n")
    answer = run.answer("[1] PKCS [2] FIPS 186-3 Only Primes [3] FIPS 186-3 Auxiliary Primes : ")
    if answer.strip() not in (b"1", b"2", b"3"):
        raise UsageError("a mechanism is 1, 2 or 3")
