from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import in_fork
import patterns
import primes
import shared
import tmpfs
from longer import LONG
from place import Place, openssl
from runs import World
from undisturbed import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from place import MakePlace


# No test reads or writes the ledger of refused logins of the account that runs it, nor that of another test.
_STATE = Path(tempfile.mkdtemp(prefix="keyferry-state-"))
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
os.environ["XDG_STATE_HOME"] = str(_STATE)
_TESTS = itertools.count(1)

# Under nohup, or in the background of a script, the tests' commands still have to see these signals.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that does other things meanwhile is no failure of what is tested.
settings.register_profile("keyferry", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyferry")

in_fork.install()


@pytest.fixture(autouse=True)
def _real_exec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start real executables in tests marked `real_exec`, and in the long form in all."""
    if LONG or request.node.get_closest_marker("real_exec"):
        monkeypatch.setenv(in_fork.REAL, "1")


def pytest_configure() -> None:
    tmpfs.use()
    shared.begin()
    if not LONG:
        primes.install()


def pytest_xdist_auto_num_workers() -> int | None:
    """Two workers more than cores, for many tests wait; None where the user says how many."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 2


def pytest_unconfigure() -> None:
    shared.end()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """In tests marked `real_disk`, a folder in the system's temporary directory; else pytest's own."""
    if not request.node.get_closest_marker("real_disk"):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="keyferry-test-", dir=tmpfs.DISK) as folder:
        yield Path(folder)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What a tool of the cluster does beside one Classic generation it does beside the other: one is enough.

    For key_mgmt_util, which most tests use, that counts where things go wrong; the long form takes both.
    """
    twice = [
        item
        for item in items
        if {"5", "cloudhsm-cli"} <= _parameters(item)
        or (not LONG and {"5", "key_mgmt_util"} <= _parameters(item) and item.path.parent.name == "faults")
    ]
    if twice:
        config.hook.pytest_deselected(items=twice)
        items[:] = [item for item in items if item not in twice]


def _parameters(item: pytest.Item) -> set[object]:
    call = getattr(item, "callspec", None)
    return {value for value in call.params.values() if isinstance(value, str)} if call else set()


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of refused logins of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(_STATE / str(next(_TESTS))))


@pytest.fixture
def make_place(tmp_path: Path) -> MakePlace:
    def make(luna: str = "7", keys: int = 10, jitter: str = "") -> Place:
        return Place(patterns.copy(tmp_path / f"hsm-{luna}-{keys}-{jitter}", keys=keys, luna=luna, jitter=jitter))

    return make


@pytest.fixture
def ten_keys(tmp_path: Path) -> World:
    """HSMs whose first ten keys show each rule that skips one; most tests use four."""
    return World.create(tmp_path / "ten", keys=10)


@pytest.fixture(scope="module")
def plains() -> dict[str, Plain]:
    """Those that `plain` has made. Were it of this scope itself, it would be made for each test that names its tool."""
    return {}


@pytest.fixture
def plain(request: pytest.FixtureRequest, plains: dict[str, Plain], tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """An undisturbed run of two keys, and copies of its world before it. Its parameter: the cluster's tool."""
    tool = getattr(request, "param", "key_mgmt_util")
    if tool not in plains:
        plains[tool] = Plain(tmp_path_factory.mktemp("plain"), tool)
    return plains[tool]


@pytest.fixture(scope="session")
def rsa_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An RSA-2048 pair by openssl: the private and the public PEM file."""
    directory = tmp_path_factory.mktemp("pair")
    private, public = directory / "private.pem", directory / "public.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(private))
    openssl("rsa", "-in", str(private), "-pubout", "-out", str(public))
    return private, public
