"""What a sanitised recording holds: aliases of the same kind where names stood, and all else as it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from keyferry.recording.reader import Recording, read
from keyferry.recording.recorder import Recorder
from keyferry.sanitize.pseudonyms import Pseudonyms
from keyferry.sanitize.sanitize import sanitize

if TYPE_CHECKING:
    from pathlib import Path

HEADER: dict[str, object] = {"tool": "any", "argv": ["any"]}
LARGEST = str(2**64 - 1)


class Bench:
    """Makes recordings and sanitises them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def record(self, *events: tuple[str, str | bytes], header: dict[str, object] = HEADER) -> Path:
        self._count += 1
        path = self._folder / f"{self._count}.cast"
        recorder = Recorder(path, header, clock=lambda: 0.0)
        for code, data in events:
            raw = data if isinstance(data, bytes) else data.encode()
            if code == "m":
                recorder.step(*str(data).split(" ", 1))
            else:
                {"o": recorder.output, "i": recorder.typed}[code](raw)
        recorder.close()
        return path

    def clean(self, *events: tuple[str, str | bytes], header: dict[str, object] = HEADER) -> Recording:
        path = self.record(*events, header=header)
        sanitize(path, path.with_suffix(".clean"))
        return read(path.with_suffix(".clean"))

    def screen(self, text: str) -> str:
        """One screen, sanitised."""
        return _output(self.clean(("o", text)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _output(recording: Recording) -> str:
    return b"".join(data for code, data in recording.conversation() if code == "o").decode("utf-8", "surrogateescape")


def _typed(recording: Recording) -> list[str]:
    return [event.data.removesuffix("\r") for event in recording.events if event.code == "i"]


def _kinds(text: str) -> str:
    """The kinds of a text's characters; what is neither letter nor digit stands for itself."""
    text = re.sub("[a-z]", "a", re.sub("[A-Z]", "A", re.sub("[0-9]", "0", text)))
    return "".join(char if char.isascii() else str(len(char.encode("utf-8", "surrogateescape"))) for char in text)


@pytest.mark.parametrize(
    "name",
    [
        "payments-2031",
        'Ledger Key = "main"',
        "262151",
        "7",
        LARGEST,
        "00f10a",
        "01",
        "DEADBEEF",
        "kf-5e1f-36",
        "Zürich-鍵-🔑",
        "caf\udce9",
        "Command:  ",
    ],
)
def test_an_alias_has_the_length_and_the_kinds_of_its_name(name: str) -> None:
    alias = Pseudonyms([name])[name]
    assert alias != name
    assert _kinds(alias) == _kinds(name)
    assert len(alias.encode("utf-8", "surrogateescape")) == len(name.encode("utf-8", "surrogateescape"))
    assert alias.startswith("0") == name.startswith("0") or not name.isdecimal()
    assert not name.isdecimal() or int(alias) < 2**64


@pytest.mark.parametrize(
    "names",
    [list("123456789"), list("abcdefgh"), [str(number) for number in range(10, 100)], ["9999", "10001", "12345"]],
)
def test_no_two_names_share_an_alias(names: list[str]) -> None:
    aliases = Pseudonyms([*names, *names])
    assert len({aliases[name] for name in names}) == len(names) == len(aliases)
    assert "10000" not in {aliases[name] for name in names}


def test_an_alias_tells_nothing_of_its_name() -> None:
    assert Pseudonyms(["ab-1", "payments"])["payments"] == Pseudonyms(["xy-7", "accounts"])["accounts"]


def test_a_name_that_is_shown_as_text_and_in_hex_stays_one_name() -> None:
    plain = "Zürich-clé"
    shown = plain.encode().hex()
    aliases = Pseudonyms([shown, "other", shown.upper(), plain])
    assert aliases[shown] == aliases[plain].encode().hex() != shown
    assert aliases[shown.upper()] == aliases[shown].upper()


def test_hex_stays_hex_and_a_modulus_keeps_its_bits() -> None:
    modulus = "c3" + "5a" * 254 + "b7"
    alias = Pseudonyms([modulus])[modulus]
    assert int(alias, 16).bit_length() == 2048
    assert int(alias, 16) % 2 == 1
    assert sum(one == other for one, other in zip(alias, modulus, strict=True)) < 200


PLACES = {
    "cmu list": ("handle=262151\tlabel=ledger=2031 main\r\n", ["262151", "ledger=2031 main"]),
    "cmu columns": (
        "  1\thandle=26\tclass=secretKey\tlabel=my ledger\tid=a94f01\tvalue=n/a\r\n",
        ["=26", "my ledger", "a94f01"],
    ),
    "cmu ouid": ("ouid=7b5daa871c1d56d89abc21c7\tlabel=x-ray\r\n", ["7b5daa871c1d56d89abc21c7", "x-ray"]),
    "cmu made": ("-> public handle(1126), private handle(1128)\r\nHandle (15)\r\n", ["1126", "1128", "15"]),
    "cmu asks": ("Select token\r\n [0] Token Label: ledger-7\r\n \r\n Enter choice: 0\r\n", ["ledger-7"]),
    "cmu rows": ("Handler  Label\r\n  815   ledger main\r\n  7  x-ray\r\n", ["815", "ledger main", "  7 ", "x-ray"]),
    "cmu attributes": (
        "class=publicKey\r\nlabel=l1-edger\r\nid=0a9b\r\nsubject=300f31\r\nmodulus=c35a01b7\r\npublicexponent=010001\r\n",
        ["l1-edger", "0a9b", "300f31", "5a01"],
    ),
    "ckdemo list": ("\r\nHandle 61 -- label: a=b handle 9\r\nHandle 9 -- label: \r\n", ["61", "a=b", "9 "]),
    "ckdemo object": ("handle=61\r\nCKA_LABEL=Status: x\r\nCKA_ID=00f1\r\nCKA_OUID=a9b8c7\r\n", ["61", "x", "a9b8c7"]),
    "ckdemo token": (
        "\tToken label -> ledger-7                \r\n\tToken Serial Number -> 204517013\r\n",
        ["ledger-7", "204517013"],
    ),
    "ckdemo made": ("Generated AES Key: 815\r\nUnwrapped key is 816\r\n", ["815", "816"]),
    "ckdemo digest": ("\r\nDigest is: (hex)0a9b8c7d\r\n", ["0a9b8c7d"]),
    "vtl rows": (
        "slot #1   LunaNet Slot         ledger key             204517013  Present     \r\n",
        ["ledger key", "204517013"],
    ),
    "vtl collapsed": ("slot #1 LunaNet Slot par-43 156908 Present\r\n", ["par-43", "156908"]),
    "vtl unknown": ("   0 Cloud Partition      ledger-7     1433917250016    Present\n", ["ledger-7", "1433917250016"]),
    "vtl verify": (
        "\r\n   1\t       204517013 \tledger-7\r\n   -\t 98765 \tx-ray\r\n",
        ["204517013", "ledger-7", "98765"],
    ),
    "vtl servers": (
        "Server: 10.121.229.201  HTL required: no\r\nServer: hsm.example.org  HTL\r\n",
        ["10.121", "example"],
    ),
    "kmu users": (
        "\t3\t         3\tCU\t\tferry_user                      \t NO               0\t\t  NO\r\n",
        ["ferry_user"],
    ),
    "kmu pair": ("public key handle: 2621938    private key handle: 2621448\r\n", ["2621938", "2621448"]),
    "kmu handles": (
        (
            "\tNumber of matching keys from start index 0::2\r\n\r\n"
            "\tHandles of matching keys:\r\n\t6, 2100177, \r\n\t21\r\n"
        ),
        ["\t6,", "2100177", "21\r"],
    ),
    "kmu handles, g1": (" number of keys matched from start index 0::1\r\n6, 262156\r\n", ["6,", "262156"]),
    "kmu info": (
        "\tLabel                :ledger-7\r\n\tSerial Number        :3.0A01-ICM0017\r\n",
        ["ledger-7", "ICM0017"],
    ),
    "kmu file": (
        "OBJ_ATTR_LABEL\r\nledger-7\r\nOBJ_ATTR_ID\r\n0a9b\r\nOBJ_ATTR_KCV\r\n0xc51c18\r\nOBJ_ATTR_MODULUS\r\n0xc35a\r\n01b7\r\n",
        ["ledger-7", "0a9b", "c51c18", "01b"],
    ),
    "kcv": ("KCV: 0xc51c18\r\n", ["c51c18"]),
    "hosts": (
        "[ann@hsm-client7 ~]$ cat /home/ann/x\r\nhsm-abcdefgh123 is there\r\n",
        ["ann", "client7", "abcdefgh123"],
    ),
}


@pytest.mark.parametrize(("text", "names"), PLACES.values(), ids=PLACES)
def test_names_are_taken_from_every_place(bench: Bench, text: str, names: list[str]) -> None:
    clean = bench.screen(text)
    assert [name for name in names if name not in text] == []
    assert [name for name in names if name in clean] == []
    assert _kinds(clean) == _kinds(text)


KEPT = {
    "menu": "(25) Set attribute (26) Find object   (27) Display Object\r\n\r\n(0) Quit demo\r\n",
    "mechanisms": "[25]RSA_OAEP        [26]SET_OAEP\r\n15 - CKA_WRAP                  16 - CKA_UNWRAP\r\n",
    "options": "1 - Open Session Type: Always R/W and Serial\r\n6 - KCV Default\r\nEnter option to change: ",
    "slots": "\tslot#1 - LunaNet Slot   \r\nSelect a slot: ",
    "session": "\tHandle -> 1\r\n\tSlot Id -> 1\r\n\tState -> CKS_RW_USER_FUNCTIONS\r\n",
    "nodes": "\tCluster Status:\r\n\tNode id 15 status: 0x00000000 : HSM Return: SUCCESS\r\n",
    "result": "\tCfm3DeleteKey returned: 0xc6 : HSM Error: Key Access is denied\r\n",
    "start": "\tCfm3Initialize() returned app id : 01000000 \r\n\tsession_handle 1000000 \r\n",
    "attributes": "Description\r\n===========\r\n\tOBJ_ATTR_LABEL           = 3\r\n\tOBJ_ATTR_KCV       = 371\r\n",
    "usage": "Syntax: unWrapKey -h -f <key-file-name> -w <handle>\r\n       -l  specifies the label\r\n",
    "versions": "Version info, Client Version: 2.0.7.2, SDK API Version: 2.09.07.02\r\nvtl (64-bit) v10.3.0-275.\r\n",
    "missing": "Error: Key handle (-k) is missing.\r\n",
    "size": "Attribute size: 801, count: 26\r\nWritten to: attributes-1 file\r\n",
    "password": "Please enter password for token in slot 1 : ",
    "header": "Slot Description          Label                            Serial #         Status\r\n",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_what_is_no_name_stays(bench: Bench, text: str) -> None:
    assert bench.screen(text) == text


def test_the_prompt_of_a_client_with_several_clusters_stays_one(bench: Bench) -> None:
    shown = bench.screen("ferry_user@cluster-1234abcdefg > \r\n")
    assert re.search(r"[a-z_]{10}@cluster-[0-9a-z]{11} > ", shown)
    assert "ferry_user" not in shown
    assert "1234abcdefg" not in shown
