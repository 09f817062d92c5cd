from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyferry.errors import (
    CheckFailedError,
    LoginRefusedError,
    MismatchError,
    NeedsOperatorError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
    UsageError,
)
from keyferry.pkcs11 import DestinationHandle
from keyferry.tools.key_mgmt_util import dialect
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil, UnwrapCommand
from keyferry.tools.limits import Limits
from kmu_cluster import clusters
from kmu_tool import wrap_with_openssl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kmu_cluster import Cluster, MakeCluster

AES_KEY = bytes(range(32))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeCluster]:
    with clusters(tmp_path / "hsm") as maker:
        yield maker


def _request(cluster: Cluster, tool: KeyMgmtUtil, digest: str = "sha1") -> UnwrapCommand:
    """A wrapping pair made and an AES key wrapped under it by openssl."""
    pair = tool.generate_rsa_key_pair("ferry", 2048)
    tool.export_public_key(pair.public, "ferry.pem")
    folder = cluster.host.directory
    wrap_with_openssl(AES_KEY, folder / "ferry.pem", folder / "wrapped.key", digest)
    return UnwrapCommand("wrapped.key", pair.private, "till-7", "AES", digest)


@pytest.mark.parametrize(
    ("kmu", "nodes", "jitter", "read_size"),
    [("g2", 2, "", 65536), ("g1", 1, "", 65536), ("g2", 3, "7", 1), ("g2", 5, "11", 7), ("g1", 4, "3", 65536)],
)
def test_a_key_crosses(make: MakeCluster, kmu: str, nodes: int, jitter: str, read_size: int) -> None:
    cluster = make(kmu, nodes, jitter, read_size=read_size)
    with cluster.login(visible=kmu == "g1") as tool:
        request = _request(cluster, tool)
        created = tool.unwrap_key(request)
        assert len({node.id for node in created.nodes}) == nodes
        assert len(tool.find_single_key(created.handle).nodes) == nodes
        found = tool.get_attributes(created.handle)
        assert (found.key_class, found.key_type, found.value_len, found.label) == (4, 0x1F, 32, "till-7")
        assert (found.token, found.extractable, found.local, found.id) == (True, True, False, "")
        assert found.kcv == "f29000"
        assert tool.find_keys(label="till-7", key_class=4) == (created.handle,)
        tool.delete_key(created.handle)
        assert tool.find_keys(label="till-7") == ()
        tool.logout()
    assert cluster.password.reveal() not in cluster.recorded()


def test_both_halves_of_a_pair_tell_the_key_that_was_exported(make: MakeCluster) -> None:
    cluster = make()
    with cluster.login() as tool:
        pair = tool.generate_rsa_key_pair("ferry", 3072)
        public, private = tool.get_attributes(pair.public), tool.get_attributes(pair.private)
        assert public.public_key == private.public_key
        assert public.public_key is not None
        assert (public.public_key.bits, public.public_key.exponent) == (3072, 65537)
        assert (private.extractable, private.flag("UNWRAP"), private.local) == (False, True, True)
        info = tool.get_key_info(pair.private)
        assert {user.id: user.name for user in tool.list_users()}[info.owner] == cluster.user


def test_what_is_asked_for_is_what_comes(make: MakeCluster) -> None:
    cluster = make()
    with cluster.login() as tool:
        request = _request(cluster, tool, "sha256")
        full = UnwrapCommand(
            request.file,
            request.wrapping_handle,
            "k",
            "AES",
            "sha256",
            "id-9",
            extractable=False,
            min_servers=2,
            timeout=5,
        )
        found = tool.get_attributes(tool.unwrap_key(full).handle)
        assert (found.id, found.extractable) == ("id-9", False)
        with pytest.raises(ToolRefusedError) as refused:
            tool.unwrap_key(UnwrapCommand(request.file, request.wrapping_handle, "k", "AES", "sha1"))
        assert int(refused.value.code, 16) > 0
        assert len(tool.find_keys(id="id-9")) == 1


@pytest.mark.parametrize(("kmu", "visible"), [("g2", False), ("g2", True), ("g1", True)])
def test_a_wrong_password_is_typed_once(make: MakeCluster, kmu: str, visible: bool) -> None:
    cluster = make(kmu, password=b"not-the-password")
    tool = cluster.open()
    for _ in range(2):
        with pytest.raises(LoginRefusedError):
            tool.login(cluster.user, cluster.password, cluster.logins, visible=visible)
    assert [user.login_failures for user in tool.list_users() if user.name == cluster.user] == [1]
    assert b"not-the-password" not in cluster.recorded()


def test_a_client_that_cannot_ask_for_the_password_does_not_get_it(make: MakeCluster) -> None:
    cluster = make("g1")
    with pytest.raises(UsageError) as error, cluster.open() as tool:
        tool.login(cluster.user, cluster.password, cluster.logins)
    assert "password_visible" in str(error.value.hint)


def test_labels_that_no_word_can_hold_are_not_typed(make: MakeCluster) -> None:
    cluster = make()
    tool = cluster.open()
    asked = cluster.sessions.count()
    for label in ("two words", "", "tab\there", "naïve", "line\nbreak"):
        with pytest.raises(UsageError):
            tool.find_keys(label=label)
    assert cluster.sessions.count() == asked


def test_a_handle_that_is_not_there_is_refused(make: MakeCluster) -> None:
    tool = make().login()
    with pytest.raises(ToolRefusedError) as refused:
        tool.get_attributes(DestinationHandle(99999))
    assert refused.value.code == "0xa8"
    with pytest.raises(ToolRefusedError):
        tool.find_single_key(DestinationHandle(99999))


def test_an_exit_ends_the_session(make: MakeCluster) -> None:
    tool = make().open()
    tool.close()
    with pytest.raises(UnreachableError):
        tool.list_users()


def test_a_key_on_some_nodes_needs_an_operator(make: MakeCluster) -> None:
    cluster = make(nodes=3)
    with cluster.login() as tool:
        request = _request(cluster, tool)
        cluster.arm("node-failed", "unWrapKey")
        with pytest.raises(NeedsOperatorError) as error:
            tool.unwrap_key(request)
        assert error.value.rule == "CLUSTER-COVERAGE"
        (handle,) = tool.find_keys(label="till-7")
        assert str(handle) in str(error.value.keys)
        cluster.arm("node-failed", "genRSAKeyPair")
        with pytest.raises(NeedsOperatorError) as error:
            tool.generate_rsa_key_pair("half", 2048)
        assert all(str(half) in str(error.value.keys) for half in tool.find_keys(label="half"))


@pytest.mark.parametrize("kmu", ["g1", "g2"])
def test_attributes_that_the_client_does_not_know_are_counted_and_left_out(make: MakeCluster, kmu: str) -> None:
    cluster = make(kmu)
    cluster.store.set("kmu_unknown_attributes", "388,401,65537")
    with cluster.login(visible=kmu == "g1") as tool:
        found = tool.get_attributes(tool.generate_rsa_key_pair("ferry", 2048).public)
        assert found.unknown == 3
        assert (found.label, found.key_class, found.modulus_bits) == ("ferry", 2, 2048)
        assert not any("INVALID" in name for name in found.values)


@pytest.mark.parametrize(("fault", "made"), [("answer-lost", 2), ("request-lost", 0)])
def test_a_lost_answer_is_an_unknown_outcome(make: MakeCluster, fault: str, made: int) -> None:
    cluster = make()
    with cluster.login() as tool:
        cluster.arm(fault, "genRSAKeyPair")
        with pytest.raises(UnknownScreenError) as error:
            tool.generate_rsa_key_pair("ferry", 2048)
        assert error.value.rule == "OUTCOME-UNKNOWN"
        assert len(tool.find_keys(label="ferry")) == made
        request = _request(cluster, tool)
        cluster.arm(fault, "unWrapKey")
        with pytest.raises(UnknownScreenError, match="0x40000040"):
            tool.unwrap_key(request)


@pytest.mark.parametrize("verb", ["findKey", "getAttribute", "findSingleKey"])
def test_a_query_that_the_daemon_loses_is_not_a_refusal(make: MakeCluster, verb: str) -> None:
    cluster = make()
    with cluster.login() as tool:
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        cluster.arm("request-lost", verb)
        asks: dict[str, Callable[[], object]] = {
            "findKey": lambda: tool.find_keys(label="ferry"),
            "getAttribute": lambda: tool.get_attributes(pair.public),
            "findSingleKey": lambda: tool.find_single_key(pair.public),
        }
        with pytest.raises(UnreachableError, match="0x40000040"):
            asks[verb]()


@pytest.mark.parametrize("fault", ["block-empty", "block-missing", "node-unlisted"])
def test_coverage_needs_every_node_of_the_login(make: MakeCluster, fault: str) -> None:
    cluster = make(nodes=3)
    with cluster.login() as tool:
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        cluster.arm(fault, "findSingleKey")
        with pytest.raises(MismatchError) as error:
            tool.find_single_key(pair.public)
        assert error.value.rule == "CLUSTER-COVERAGE"
        assert {node.id for node in tool.find_single_key(pair.public).nodes} == tool.nodes


def test_a_login_without_one_hsm_is_no_refused_password(make: MakeCluster) -> None:
    cluster = make(nodes=3)
    cluster.arm("login-partial")
    with pytest.raises(CheckFailedError) as error:
        cluster.login()
    assert error.value.rule == "CLUSTER-COVERAGE"
    with cluster.login() as tool:
        assert len(tool.nodes) == 3


def test_success_without_a_handle_is_not_understood(make: MakeCluster) -> None:
    cluster = make()
    with cluster.login() as tool:
        request = _request(cluster, tool)
        cluster.arm("handle-missing", "unWrapKey")
        with pytest.raises(UnknownScreenError):
            tool.unwrap_key(request)


def test_a_key_that_one_node_misses_is_refused(make: MakeCluster) -> None:
    cluster = make()
    with cluster.login() as tool:
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        cluster.arm("single-missing", "findSingleKey")
        with pytest.raises(ToolRefusedError):
            tool.find_single_key(pair.public)
        assert tool.find_single_key(pair.public).failure is None


def test_a_busy_cluster_is_asked_again_and_not_for_ever(make: MakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_WAIT", 0.01)
    cluster = make()
    with cluster.login() as tool:
        for _ in range(5):
            cluster.arm("busy", "genRSAKeyPair")
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        assert sorted(tool.find_keys(label="ferry")) == sorted((pair.public, pair.private))
        for _ in range(7):
            cluster.arm("busy", "findKey")
        with pytest.raises(ToolRefusedError) as refused:
            tool.find_keys()
        assert refused.value.code == "0xbb"
    typed = cluster.recorded().decode()
    assert (typed.count('"i","genRSAKeyPair '), typed.count('"i","findKey\\r"')) == (6, 6)


def test_a_list_that_was_not_fetched_is_asked_for_again(make: MakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_WAIT", 0.01)
    cluster = make()
    with cluster.login() as tool:
        pair = tool.generate_rsa_key_pair("ferry", 2048)
        for fault in ("busy-list", "list-gone", "list-longer"):
            cluster.arm(fault, "findKey")
            assert sorted(tool.find_keys(label="ferry")) == sorted((pair.public, pair.private))
        for _ in range(6):
            cluster.arm("list-gone", "findKey")
        with pytest.raises(ToolRefusedError, match="No more keys"):
            tool.find_keys(label="ferry")


def test_a_daemon_that_is_down_is_unreachable(make: MakeCluster) -> None:
    cluster = make()
    cluster.arm("daemon-down")
    with pytest.raises(UnreachableError) as error:
        cluster.open()
    assert "daemon" in str(error.value.hint)


@pytest.mark.parametrize(("fault", "kind"), [("garbage", UnknownScreenError), ("die", UnreachableError)])
def test_an_answer_that_is_none_stops_the_driver(make: MakeCluster, fault: str, kind: type[Exception]) -> None:
    cluster = make()
    tool = cluster.login()
    cluster.arm(fault, "findKey")
    with pytest.raises(kind):
        tool.find_keys()
    assert not list(cluster.host.directory.glob("attributes*"))


def test_no_answer_within_the_limit_ends_the_session(make: MakeCluster) -> None:
    cluster = make()
    tool = cluster.open(Limits(answer=0.5))
    cluster.arm("hang", "listUsers")
    for _ in range(2):  # what comes late must not answer the next question
        with pytest.raises(UnreachableError):
            tool.list_users()
