"""The verbs of key_mgmt_util's driver that a migration does not need, against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.errors import NeedsOperatorError, ToolRefusedError, UsageError
from keyferry.pkcs11 import DestinationHandle, Kcv
from keyferry.tools.key_mgmt_util import dialect
from keyferry.tools.key_mgmt_util.driver import SecretKeyRequest
from kmu_cluster import clusters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
    from kmu_cluster import Cluster, MakeCluster

WORLDS = [("g1", 1, "", 65536), ("g1", 3, "5", 7), ("g2", 2, "", 65536), ("g2", 4, "9", 1), ("g2", 2, "13", 65536)]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeCluster]:
    with clusters(tmp_path / "hsm") as maker:
        yield maker


@pytest.fixture(params=WORLDS, ids=lambda world: "-".join(map(str, world)))
def cluster(request: pytest.FixtureRequest, make: MakeCluster) -> Cluster:
    kmu, nodes, jitter, read_size = request.param
    return make(kmu, nodes, jitter, read_size=read_size)


def _login(cluster: Cluster) -> KeyMgmtUtil:
    return cluster.login(visible=cluster.store.setting("kmu") == "g1")


def test_a_secret_key_is_made_as_asked_for(cluster: Cluster) -> None:
    with _login(cluster) as tool:
        made = tool.gen_sym_key(SecretKeyRequest("till-7", "AES", 24, id="r-7", extractable=False))
        found = tool.get_attributes(made.handle)
        assert (found.key_type, found.value_len, found.label, found.id) == (0x1F, 24, "till-7", "r-7")
        assert (found.extractable, found.token, found.local) == (False, True, True)
        assert len(made.nodes) == int(cluster.store.setting("nodes"))
        tool.logout()


def test_a_session_key_becomes_a_token_key(cluster: Cluster) -> None:
    with _login(cluster) as tool:
        handle = tool.gen_sym_key(SecretKeyRequest("passing", "AES", 32, session=True)).handle
        assert tool.find_keys(session=True) == (handle,)
        tool.set_attribute(handle, value=True)
        assert tool.find_keys(session=True) == ()  # the extra prompt is no answer to this
        assert handle in tool.find_keys(session=False)
        assert tool.get_attributes(handle).token is True
        tool.set_attribute(handle, value=False)
        assert tool.get_attributes(handle).token is False


def test_what_cannot_be_set_is_refused(cluster: Cluster) -> None:
    with _login(cluster) as tool:
        handle = tool.gen_sym_key(SecretKeyRequest("still", "AES", 16)).handle
        with pytest.raises(ToolRefusedError) as refused:
            tool.set_attribute(handle, dialect.ATTRIBUTES["LABEL"], value=True)
        assert (refused.value.code, "not modifiable" in refused.value.what) == ("usage", True)
        with pytest.raises(ToolRefusedError) as refused:
            tool.set_attribute(DestinationHandle(99999), value=True)
        assert refused.value.code == "0xa8"
        assert tool.find_keys(label="still") == (handle,)


def test_a_busy_cluster_is_asked_again_to_set_an_attribute(make: MakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_WAIT", 0.01)
    cluster = make()
    with cluster.login() as tool:
        handle = tool.gen_sym_key(SecretKeyRequest("passing", "AES", 32, session=True)).handle
        cluster.arm("busy", "setAttribute")
        tool.set_attribute(handle, value=True)
        assert tool.get_attributes(handle).token is True
    assert cluster.recorded().decode().count('"i","setAttribute ') == 2


def test_an_exported_public_key_comes_in_again(cluster: Cluster) -> None:
    with _login(cluster) as tool:
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        tool.export_public_key(pair.public, "ferry.pem")
        made = tool.import_public_key("again", "ferry.pem", id="r-8")
        first, second = tool.get_attributes(pair.public), tool.get_attributes(made.handle)
        assert first.public_key == second.public_key is not None
        assert (second.label, second.id, second.local) == ("again", "r-8", False)
        with pytest.raises(ToolRefusedError) as refused:
            tool.import_public_key("again", "none.pem")
        assert (refused.value.code, "none.pem" in refused.value.what) == ("usage", True)


def test_keys_are_found_by_each_filter(cluster: Cluster) -> None:
    with _login(cluster) as tool:
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        secret = tool.gen_sym_key(SecretKeyRequest("till-7", "AES", 32, id="r-7")).handle
        other = tool.gen_sym_key(SecretKeyRequest("till-7", "GENERIC_SECRET", 40)).handle
        owner = tool.get_key_info(secret).owner
        public_key, kcv = tool.get_attributes(pair.public).public_key, tool.get_attributes(secret).kcv
        assert public_key is not None
        assert set(tool.find_keys(modulus=public_key.modulus)) == {pair.public, pair.private}
        assert set(tool.find_keys(label="till-7")) == {secret, other}
        assert tool.find_keys(id="r-7") == tool.find_keys(kcv=kcv, key_type=31) == (secret,)
        assert tool.find_keys(key_class=4, key_type=16, users=(owner,), session=False, label="till-7") == (other,)
        assert tool.find_keys(users=(4711,)) == tool.find_keys(kcv=Kcv("000000")) == ()
    assert not list(cluster.host.directory.glob("modulus*"))


def test_more_handles_than_a_line_has(cluster: Cluster) -> None:
    with _login(cluster) as tool:
        made = {tool.gen_sym_key(SecretKeyRequest("many", "AES", 16)).handle for _ in range(33)}
        found = tool.find_keys(label="many")
        assert (set(found), len(found)) == (made, 33)


def test_what_the_tool_tells_without_a_login(cluster: Cluster) -> None:
    with cluster.open() as tool:
        numbers = tool.list_attributes()
        assert numbers["KCV"] == dialect.ATTRIBUTES["KCV"]
        assert numbers.items() <= dialect.ATTRIBUTES.items()
        assert tool.hsm_info()["FIPS state"].startswith("2 [FIPS mode")
        assert tool.error_to_string(0xDB) == "HSM Error: Invalid User Type."
        assert tool.error_to_string(0x40000040) == "LIQUIDSECURITY: Daemon socket connection error"


def test_without_a_login_nothing_is_made_or_found(cluster: Cluster) -> None:
    with cluster.open() as tool:
        for act in (tool.find_keys, lambda: tool.gen_sym_key(SecretKeyRequest("till-7", "AES", 32))):
            with pytest.raises(ToolRefusedError) as refused:
                act()
            assert refused.value.code == "0xa0"


def test_a_secret_key_on_some_nodes_needs_an_operator(make: MakeCluster) -> None:
    cluster = make(nodes=3)
    with cluster.login() as tool:
        cluster.arm("node-failed", "genSymKey")
        with pytest.raises(NeedsOperatorError) as error:
            tool.gen_sym_key(SecretKeyRequest("half", "AES", 32))
        (handle,) = tool.find_keys(label="half")
        assert str(handle) in str(error.value.keys)


def test_what_no_word_can_hold_is_not_typed(make: MakeCluster) -> None:
    cluster = make()
    tool = cluster.open()
    asked = cluster.sessions.count()
    for act in (
        lambda: tool.gen_sym_key(SecretKeyRequest("two words", "AES", 32)),
        lambda: tool.gen_sym_key(SecretKeyRequest("till-7", "RC4", 32)),
        lambda: tool.import_public_key("label", "two words.pem"),
        lambda: tool.find_keys(users=()),
    ):
        with pytest.raises(UsageError):
            act()
    assert cluster.sessions.count() == asked
