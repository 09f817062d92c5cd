from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.objects import PUBLIC_KEY
from place import PASSWORD_PROMPT, ended, handles, openssl

if TYPE_CHECKING:
    from pathlib import Path

    from place import MakePlace, Place

DIALECTS = pytest.mark.parametrize("luna", ["5", "7"])
FIRST_SLOT = {"5": "1", "7": "0"}
BANNER = "Certificate Management Utility (64-bit) v10.3.0-275. Emulated for rehearsals.\r\n"
RSA_WORDS = [
    *("class", "token", "private", "label", "keytype", "subject", "id", "encrypt", "wrap", "verify", "derive"),
    *("modulus", "modulusbits", "publicexponent", "local", "modifiable"),
]


def import_key(place: Place, pem: Path, option: str = "-pubkey=rsa", slot: str = "0") -> tuple[str, int]:
    return place.cmu("import", f"-slot={slot}", f"-inputFile={pem}", "-label=classic_wrap", option)


@DIALECTS
def test_the_password_is_asked_and_starred(make_place: MakePlace, luna: str) -> None:
    place = make_place(luna)
    child = place.spawn("cmu", "list", f"-slot={FIRST_SLOT[luna]}", "-label=orders-0001")
    before = BANNER * (luna == "7")
    child.expect_exact(before + PASSWORD_PROMPT.format(FIRST_SLOT[luna]))
    assert child.before == b""
    child.waitnoecho()
    child.sendline(place.pin)
    text, status = ended(child)
    assert re.fullmatch(rf"\*{{{len(place.pin)}}}\nhandle=\d+\tlabel=orders-0001\n", text)
    assert status == 0


@DIALECTS
@pytest.mark.parametrize("call", [("-slot", "{}"), ("-SLOT={}",), ("-sl={}",)])
def test_option_forms(make_place: MakePlace, luna: str, call: tuple[str, ...]) -> None:
    slot = (word.format(FIRST_SLOT[luna]) for word in call)
    text, status = make_place(luna).cmu("LIST", *slot, "-la", "orders-0001")
    assert (text.count("label=orders-0001\n"), status) == (1, 0)


def test_the_list_starts_with_the_highest_handle(make_place: MakePlace) -> None:
    text, _ = make_place().cmu("list", "-slot=0")
    found = [int(handle) for handle in re.findall(r"^handle=(\d+)\tlabel=", text, re.MULTILINE)]
    assert found == sorted(found, reverse=True)
    assert len(found) == 12
    assert text.count("\tlabel=\n") == 1


def test_labels_keep_blanks_and_equals_signs(make_place: MakePlace) -> None:
    labels = handles(make_place().cmu("list", "-slot=0", "-class=secret")[0])
    assert {"payroll key 0009", "tenant=0007", ""} < labels.keys()


def test_an_empty_answer_is_no_line(make_place: MakePlace) -> None:
    assert make_place().cmu("list", "-slot=0", "-label=nobody") == ("", 0)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (("-class=public",), 1),
        (("-class=private",), 1),
        (("-class=secret",), 10),
        (("-private=1",), 11),
        (("-public",), 1),
        (("-public=0",), 11),
        (("-keyType=DES3",), 1),
        (("-extractable=F",), 2),
        (("-id=69642d30303031",), 1),
    ],
)
def test_filters(make_place: MakePlace, filters: tuple[str, ...], count: int) -> None:
    text, _ = make_place().cmu("list", "-slot=0", *filters)
    assert len(text.splitlines()) == count


def test_columns(make_place: MakePlace) -> None:
    place = make_place()
    columns = "-display=index,handle,class,keyType,label,value"
    text, _ = place.cmu("list", "-slot=0", columns, "-label=orders-0001")
    assert re.fullmatch(r"  1\thandle=\d+\tclass=secretKey\tkeytype=AES\tlabel=orders-0001\tvalue=n/a\n", text)
    text, _ = place.cmu("list", "-slot=0", columns, "-label=tenant=0007")
    assert re.search(r"\tvalue=[0-9a-f]{32}\n", text)


@DIALECTS
def test_without_a_slot_the_token_is_asked(make_place: MakePlace, luna: str) -> None:
    place = make_place(luna)
    first = int(FIRST_SLOT[luna])
    child = place.spawn("cmu", "list")
    child.expect_exact("Enter choice: ")
    assert child.before.decode().removeprefix(BANNER) == (
        f"Select token\r\n [{first}] Token Label: par43\r\n [{first + 1}] Token Label: par40\r\n"
        f" [{6 if luna == '5' else 2}] Token Label: classic_ha\r\n \r\n "
    )
    child.sendline(str(first + 1))
    child.expect_exact(PASSWORD_PROMPT.format(first + 1))


@pytest.mark.parametrize(("slot", "error"), [("3", "TOKEN_NOT_PRESENT (0xE0)"), ("77", "SLOT_ID_INVALID (0x3)")])
def test_a_slot_without_a_token_is_refused_before_the_password(make_place: MakePlace, slot: str, error: str) -> None:
    done = make_place("5").run("cmu", "list", f"-slot={slot}")
    assert (done.returncode, done.stdout) == (1, f"Error: C_OpenSession returned CKR_{error}\n")


def test_a_wrong_password_counts_until_the_lock(make_place: MakePlace) -> None:
    place = make_place()
    for _ in range(10):
        done = place.run("cmu", "list", "-slot=0", "-password=wrong")
        assert (done.returncode, done.stdout.splitlines()[1:]) == (
            1,
            ["Error: C_Login returned CKR_PIN_INCORRECT (0xA0)"],
        )
    assert "CKR_PIN_LOCKED" in place.run("cmu", "list", "-slot=0", f"-password={place.pin}").stdout


@pytest.mark.parametrize(
    "arguments",
    [("flist",), ("list", "-p=1"), ("list", "-nothing"), ("list", "-slot=x"), ("get", "-slot=1"), ("im", "-slot=1")],
)
def test_wrong_arguments_are_refused(make_place: MakePlace, arguments: tuple[str, ...]) -> None:
    done = make_place("5").run("cmu", *arguments)
    assert done.returncode == 1
    assert done.stdout.startswith("Error: ")


def test_help_names_the_program(make_place: MakePlace) -> None:
    assert "Certificate Management Utility" in make_place("5").run("cmu", "?").stdout


@pytest.mark.parametrize("word", ["?", "wrapkey"])
def test_the_banner_stands_before_every_answer(make_place: MakePlace, word: str) -> None:
    assert make_place("7").run("cmu", word).stdout.startswith(BANNER.replace("\r\n", "\n"))


@DIALECTS
def test_import_is_silent_and_keeps_the_numbers(make_place: MakePlace, rsa_files: tuple[Path, Path], luna: str) -> None:
    place, slot = make_place(luna), FIRST_SLOT[luna]
    assert import_key(place, rsa_files[1], slot=slot) == ("", 0)
    listing, _ = place.cmu("list", f"-slot={slot}", "-label=classic_wrap")
    text, _ = place.cmu("getattribute", f"-slot={slot}", f"-handle={handles(listing)['classic_wrap']}")
    lines = dict(line.split("=", 1) for line in text.splitlines())
    assert list(lines) == RSA_WORDS
    assert (lines["class"], lines["keytype"], lines["wrap"]) == ("publicKey", "RSA", "false")
    assert (lines["publicexponent"], lines["modulusbits"]) == ("010001", "2048")
    modulus = openssl("rsa", "-pubin", "-in", str(rsa_files[1]), "-noout", "-modulus").decode()
    assert modulus == f"Modulus={lines['modulus'].upper()}\n"


@pytest.mark.parametrize("option", ["-private=0", "-pubkey=dsa", "-pubkey"])
def test_import_needs_to_be_told_that_it_is_a_key(
    make_place: MakePlace, rsa_files: tuple[Path, Path], option: str
) -> None:
    place = make_place()
    text, status = import_key(place, rsa_files[1], option)
    assert (text.startswith("Error: "), status) == (True, 1)
    assert len(place.session().find(PUBLIC_KEY)) == 1


def test_the_option_of_import_may_have_another_name(make_place: MakePlace, rsa_files: tuple[Path, Path]) -> None:
    place = make_place()
    place.store.set("cmu_pubkey_option", "keyIs")
    refused = place.run("cmu", "import", "-slot=0", f"-inputFile={rsa_files[1]}", "-pubkey=rsa")
    assert (refused.returncode, "Error: pubkey: unknown" in refused.stdout) == (1, True)
    assert import_key(place, rsa_files[1], "-keyis=rsa") == ("", 0)


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_import_refuses_a_bad_file(make_place: MakePlace, tmp_path: Path, content: bytes | None) -> None:
    pem = tmp_path / "bad.pem"
    if content is not None:
        pem.write_bytes(content)
    text, status = import_key(make_place(), pem)
    assert (text.startswith("Error: "), status) == (True, 1)


def test_a_swapped_pem_is_another_key_of_the_same_size(make_place: MakePlace, rsa_files: tuple[Path, Path]) -> None:
    place = make_place()
    place.arm("cmu", "pem-swapped", "import")
    assert import_key(place, rsa_files[1]) == ("", 0)
    (key,) = place.session().find(template={"CKA_LABEL": b"classic_wrap"})
    modulus = openssl("rsa", "-pubin", "-in", str(rsa_files[1]), "-noout", "-modulus")
    assert len(key.attributes["CKA_MODULUS"]) == 256
    assert key.attributes["CKA_MODULUS"].hex().upper().encode() not in modulus


def test_a_lost_import_looks_like_any_other(make_place: MakePlace, rsa_files: tuple[Path, Path]) -> None:
    place = make_place()
    place.arm("cmu", "import-lost")
    assert import_key(place, rsa_files[1]) == ("", 0)
    assert place.session().find(template={"CKA_LABEL": b"classic_wrap"}) == []


def test_attributes_can_be_set_in_silence(make_place: MakePlace) -> None:
    place = make_place()
    (key,) = place.session().find(PUBLIC_KEY)
    assert place.cmu("setattribute", "-slot=0", f"-handle={key.handle}", "-wrap=1", "-label=new one") == ("", 0)
    text, _ = place.cmu("getattr", "-slot=0", f"-handle={key.handle}", "-attributes=wrap,label")
    assert text == "wrap=true\nlabel=new one\n"


def test_what_cannot_be_set_says_why(make_place: MakePlace) -> None:
    place = make_place()
    (key,) = place.session().find(template={"CKA_LABEL": b"vault-0004"})
    text, status = place.cmu("setattribute", "-slot=0", f"-handle={key.handle}", "-extractable=1")
    assert (text, status) == ("Error: C_SetAttributeValue returned CKR_ATTRIBUTE_READ_ONLY (0x10)\n", 1)


@pytest.mark.parametrize("handle", [9999, 2**63])
def test_an_unknown_handle_has_no_attributes(make_place: MakePlace, handle: int) -> None:
    text, status = make_place().cmu("getattribute", "-slot=0", f"-handle={handle}")
    assert (text, status) == ("Error: C_GetObjectSize returned CKR_OBJECT_HANDLE_INVALID (0x82)\n", 1)


def test_the_object_can_be_asked_for(make_place: MakePlace) -> None:
    place = make_place()
    (key,) = place.session().find(template={"CKA_LABEL": b"orders-0001"})
    done = place.run("cmu", "getattribute", "-slot=0", answers=f"{place.pin}\n{key.handle}\n")
    assert "Select object to query\nHandler Label\n" in done.stdout
    assert "Enter handler (or 0 for exit): class=secretKey\ntoken=true\n" in done.stdout
    assert "\nvaluelen=32\nextractable=true\n" in done.stdout


def test_delete_is_silent_and_knows_a_missing_object(make_place: MakePlace) -> None:
    place = make_place()
    (key,) = place.session().find(PUBLIC_KEY)
    call = ("delete", "-slot=0", f"-handle={key.handle}", "-force")
    assert [place.cmu(*call) for _ in range(2)] == [("", 0), ("Object not found", 0)]


def test_key_pairs(make_place: MakePlace) -> None:
    call = ("gen", "-slot={}", "-keyType=RSA", "-modulusBits=2048", "-publicExp=65537", "-label=pair")
    old, new = make_place("5"), make_place("7")
    assert old.cmu(*(word.format(1) for word in call)) == ("", 0)
    text, status = new.cmu(*(word.format(0) for word in call), "-mech=pkcs")
    told = r"\.\.\.The key pair was successfully generated -> public handle\(\d+\), private handle\(\d+\)\n"
    assert re.fullmatch(told, text)
    assert status == 0
    assert [len(place.session().find(template={"CKA_LABEL": b"pair"})) for place in (old, new)] == [2, 2]


def test_newer_versions_ask_how_primes_are_made(make_place: MakePlace) -> None:
    place = make_place()
    answers = f"{place.pin}\n1\n"
    done = place.run("cmu", "gen", "-slot=0", "-keyType=RSA", "-modulusBits=1024", answers=answers)
    assert "Select RSA Mechanism Type -\n[1] PKCS [2] FIPS 186-3 Only Primes " in done.stdout
    assert done.returncode == 0


def test_wrong_handles_stand_beside_the_labels(make_place: MakePlace) -> None:
    place = make_place()
    right = handles(place.cmu("list", "-slot=0", "-class=secret")[0])
    place.arm("cmu", "wrong-handle")
    wrong = handles(place.cmu("list", "-slot=0", "-class=secret")[0])
    assert right.keys() == wrong.keys()
    assert all(right[label] != wrong[label] for label in ("orders-0001", "tenant=0007"))


@pytest.mark.parametrize(("fault", "status"), [("die", 1), ("hang", 1), ("garbage", 0)])
def test_shared_faults(make_place: MakePlace, fault: str, status: int) -> None:
    place = make_place("5")
    place.arm("cmu", fault, "list")
    done = place.run("cmu", "list", "-slot=1", f"-password={place.pin}")
    assert done.returncode == status
    assert "handle=" not in done.stdout
    assert ("out of step" in done.stdout) == (fault == "garbage")


@pytest.mark.parametrize("seed", ["a", "b", "c", "d", "e"])
@DIALECTS
def test_jitter_keeps_what_a_caller_must_match(make_place: MakePlace, luna: str, seed: str) -> None:
    text, status = make_place(luna, 10, seed).cmu("list", f"-slot={FIRST_SLOT[luna]}")
    assert status == 0
    assert {"orders-0001", "tenant=0007", "payroll key 0009"} < handles(text).keys()
