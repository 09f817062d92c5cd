"""What cmu shows of the imported public key is what was asked for, and what ckdemo shows; or the run stops."""

from __future__ import annotations

import re
from unittest.mock import Mock

import pytest

from keyferry.errors import MismatchError, NeedsOperatorError
from keyferry.pkcs11 import PublicKey, SourceHandle
from keyferry.text import printable
from keyferry.tools.ckdemo.screens import Shown
from keyferry.tools.classic import imported
from keyferry.tools.classic.source import ClassicSource

KEY = PublicKey((1 << 2047) + 1, 65537)
CMU = {
    "class": "publicKey",
    "label": "w",
    "keytype": "RSA",
    "modulus": f"{KEY.modulus:x}",
    "publicexponent": "010001",
    "token": "true",
    "private": "T",
    "wrap": "0",
    "encrypt": "false",
    "verify": "False",
    "local": "F",
    "modifiable": "1",
    "neverextractable": "true",
}
CKDEMO = {
    "CKA_CLASS": "02000000",
    "CKA_PRIVATE": "01",
    "CKA_TOKEN": "01",
    "CKA_WRAP": "00",
    "CKA_ENCRYPT": "00",
    "CKA_VERIFY": "00",
    "CKA_LOCAL": "00",
    "CKA_MODIFIABLE": "01",
    "CKA_NEVER_EXTRACTABLE": "01",
}
SHOWN = Shown(SourceHandle(5), CKDEMO)


def test_the_same_in_any_spelling_is_taken() -> None:
    imported.require_same(SHOWN, KEY, CMU)
    imported.require_same(Shown(SourceHandle(5), {}), KEY, CMU)
    imported.require_same(SHOWN, KEY, {name: CMU[name] for name in ("class", "modulus", "publicexponent")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class", "privateKey"),
        ("class", "secretKey"),
        ("keytype", "DSA"),
        ("modulus", f"{KEY.modulus + 2:x}"),
        ("publicexponent", "03"),
        ("token", "F"),
        ("private", "false"),
        ("wrap", "T"),
        ("encrypt", "1"),
        ("verify", "true"),
        ("local", "True"),
        ("modifiable", "0"),
        ("neverextractable", "false"),
        ("decrypt", "true"),
        ("unwrap", "1"),
        ("sign", "T"),
    ],
)
def test_whatever_contradicts_stops_the_run(name: str, value: str) -> None:
    with pytest.raises(MismatchError) as error:
        imported.require_same(SHOWN, KEY, CMU | {name: value})
    assert error.value.rule == "WRAPPING-KEY-MATCH"
    if name not in ("modulus", "publicexponent"):
        assert f"cmu: {name}={value}, " in (error.value.seen or "")
    assert not re.search(r"\b(?:True|False|None)\b", printable(error.value.what))


@pytest.mark.parametrize("name", ["token", "local", "decrypt", "sign", "unwrap"])
def test_what_no_import_makes_is_noticed_also_where_ckdemo_does_not_show_it(name: str) -> None:
    with pytest.raises(MismatchError):
        imported.require_same(Shown(SourceHandle(5), {}), KEY, CMU | {name: "false" if name == "token" else "true"})


def test_a_second_import_at_the_same_time_is_told_as_that() -> None:
    error = imported.several("classic_wrap", "cmu", [SourceHandle(7), None, SourceHandle(9)])
    assert "another run" in error.what
    assert "copy" in error.what
    assert "classic_wrap" in error.what
    assert "3 objects with that label: 7, 9" in (error.seen or "")
    assert "keyferry resume" in (error.hint or "")


@pytest.mark.parametrize("of_cmu", [True, False])
def test_an_import_that_another_run_repeats_needs_the_operator(monkeypatch: pytest.MonkeyPatch, of_cmu: bool) -> None:
    two = [Mock(label="w", handle=7), Mock(label="w", handle=9)]
    tool = Mock(**{"list.side_effect": [[], two if of_cmu else two[:1]]})
    source = ClassicSource.__new__(ClassicSource)
    source._import_option = "-pubkey=rsa"
    monkeypatch.setattr(source, "cmu", lambda: tool)
    monkeypatch.setattr(source, "labelled", lambda _label: [7, 9])
    with pytest.raises(NeedsOperatorError, match="another run, or a copy"):
        source.import_public_key("w.pem", "w")
