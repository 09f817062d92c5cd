"""The ledger of logins that were refused or never finished. It outlives runs: no run types such a secret again.

It holds who tried to log in where and when, never a secret, nor anything made of one.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import select
import shlex
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyferry.errors import CheckFailedError, JournalHeldError, RecordFailedError
from keyferry.terminal.host import write_private
from keyferry.text import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyferry.terminal.host import Host

SCHEMA = "keyferry.logins/2"
_FORMER_SCHEMA = "keyferry.logins/1"
_FORMER_SIDES = {"source": "classic", "destination": "cloudhsm"}
"""What Keyferry 0.1 called the sides, in its ledger too: a secret that was refused then is refused now."""
REFUSED, UNFINISHED = "refused", "unfinished"
_PATIENCE = 300.0  # seconds for another process's login, which has limits of its own
_STEP = 0.05


@dataclass(frozen=True, slots=True)
class Account:
    """A user of one side, and what tells its partition or cluster from others.

    serials: of the partition, or of the cluster's HSMs. number: of the user, where the tool shows no serial numbers.
    emulator: where the emulated HSMs are; None for real ones. counted: a failure counter was read, and is not raised.
    """

    side: str
    user: str
    serials: frozenset[str] = frozenset()
    number: str | None = None
    emulator: str | None = None
    counted: bool = False

    def is_same(self, other: Account) -> bool:
        """Whether both may be the same user. What cannot be compared counts as the same."""
        if (self.side, self.user.lower(), self.emulator) != (other.side, other.user.lower(), other.emulator):
            return False
        if self.serials and other.serials:
            return not self.serials.isdisjoint(other.serials)
        return self.number is None or other.number is None or self.number == other.number


@dataclass(frozen=True, slots=True)
class RefusedLogin:
    """A login that did not succeed. outcome: REFUSED or UNFINISHED; host: where Keyferry ran."""

    account: Account
    outcome: str
    tool: str
    host: str
    at: str

    def blocks(self, account: Account) -> bool:
        """Whether no secret of this account may be typed. A failure counter decides on an unfinished login."""
        return account.is_same(self.account) and (self.outcome == REFUSED or not account.counted)


class Ledger:
    """One file for each side. The lock of a side is held from before a secret is typed until its outcome is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None

    @classmethod
    def at_home(cls) -> Ledger:
        """The ledger in `$XDG_STATE_HOME/keyferry`, by default `~/.local/state/keyferry`."""
        base = Path(os.environ.get("XDG_STATE_HOME", ""))
        if not base.is_absolute():
            try:
                base = Path.home() / ".local" / "state"
            except RuntimeError:
                raise _unusable("this account has no home folder") from None
        return cls(base / "keyferry")

    def blocking(self, account: Account) -> RefusedLogin | None:
        """The entry that forbids typing this account's secret."""
        return next((entry for entry in self._read(account.side) if entry.blocks(account)), None)

    def lock(self, side: str) -> None:
        """Wait until no other process is logging in to this side. JournalHeldError if that takes too long."""
        self.unlock()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._folder / f"logins-{side}.lock", os.O_CREAT | os.O_RDWR, 0o600)
            self._wait(self._lock, side)
        except OSError as error:
            self.unlock()
            raise _unusable(f"{self._folder}: {error.strerror}") from error
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, account: Account, outcome: str, tool: str) -> None:
        """Replace what is noted of this account; on the disk before this returns."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        noted = RefusedLogin(replace(account, counted=False), outcome, tool, platform.node(), now)
        self._keep(account.side, [*self._others(account), noted])

    def clear(self, account: Account) -> None:
        """Forget what is noted of this account: a login succeeded, or an operator takes the responsibility."""
        others = self._others(account)
        if len(others) != len(self._read(account.side)):
            self._keep(account.side, others)

    def _others(self, account: Account) -> list[RefusedLogin]:
        return [entry for entry in self._read(account.side) if not entry.account.is_same(account)]

    def _wait(self, lock: int, side: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._locked(lock):
            if time.monotonic() > end:
                raise _held(side)
            select.select([], [], [], _STEP)

    @staticmethod
    def _locked(lock: int) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _path(self, side: str) -> Path:
        return self._folder / f"logins-{side}.json"

    def _former_path(self, side: str) -> Path:
        return self._folder / f"logins-{_FORMER_SIDES[side]}.json"

    def _read(self, side: str) -> list[RefusedLogin]:
        return [*self._in_file(self._path(side), side), *self._in_file(self._former_path(side), side)]

    def _in_file(self, path: Path, side: str) -> list[RefusedLogin]:
        try:
            return _entries(json.loads(path.read_bytes()), side)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(f"{path}: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, RecursionError):
            raise CheckFailedError(
                f"{path} is not a ledger of logins that this version understands",
                rule="LOGIN-ONCE",
                keys="no secret was typed, nothing was changed",
                hint="find out who changed it; move it away only if you know that no login was refused",
            ) from None

    def _keep(self, side: str, entries: Sequence[RefusedLogin]) -> None:
        path = self._path(side)
        try:
            write_private(path, canonical({"schema": SCHEMA, "entries": [_plain(entry) for entry in entries]}))
            self._former_path(side).unlink(missing_ok=True)  # all of it that still counts is in the new file
        except OSError as error:
            raise _unusable(f"{path}: {error.strerror}") from error


def cluster(
    user: str,
    host: Host,
    emulator: str | None,
    serials: Sequence[str] = (),
    number: str | None = None,
    *,
    counted: bool = False,
) -> Account:
    """The account of a crypto user. emulator: the folder of the emulated HSMs behind the tool."""
    return Account("destination", user, frozenset(serials), number, emulated_at(host, emulator), counted)


def emulated_at(host: Host, folder: str | None) -> str | None:
    """Name the folder of emulated HSMs, and its host: the same name by whatever path the folder is reached."""
    if folder is None:
        return None
    real = host.shell(f"cd -P -- {shlex.quote(folder)} && pwd -P").decode("utf-8", "replace").strip()
    return f"{host.facts.get('host_name', '')}:{real or folder}"


def _plain(entry: RefusedLogin) -> dict[str, Any]:
    account = asdict(entry.account) | {"serials": sorted(entry.account.serials)}
    del account["counted"]
    return asdict(entry) | {"account": account}


def _entries(document: dict[str, Any], side: str) -> list[RefusedLogin]:
    """The entries of one side's file, of this version or of 0.1."""
    named = {SCHEMA: side, _FORMER_SCHEMA: _FORMER_SIDES[side]}[document["schema"]]
    entries = [_entry(one) for one in document["entries"]]
    if any(entry.account.side != named for entry in entries):
        raise ValueError
    return [replace(entry, account=replace(entry.account, side=side)) for entry in entries]


def _entry(value: dict[str, Any]) -> RefusedLogin:
    """An entry as `_plain` wrote it; TypeError, ValueError or LookupError for anything else."""
    account = dict(value["account"])
    serials = account.pop("serials")
    texts = [*serials, account["side"], account["user"], *(value[name] for name in ("outcome", "tool", "host", "at"))]
    perhaps = [account["number"], account["emulator"]]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, str | None) for one in perhaps):
        raise TypeError
    return RefusedLogin(**value | {"account": Account(**account, serials=frozenset(serials))})


def _unusable(why: str) -> RecordFailedError:
    return RecordFailedError(
        f"the ledger of refused logins cannot be used: {why}",
        rule="LOGIN-ONCE",
        keys="no secret was typed, nothing was changed",
        hint="set XDG_STATE_HOME to a folder that this account can write, the same for every run",
    )


def _held(side: str) -> JournalHeldError:
    return JournalHeldError(
        f"another process has been logging in to the {side} side for {_PATIENCE:g} s",
        rule="LOGIN-ONCE",
        keys="no secret was typed, nothing was changed",
        hint="wait for it, or end it, then run this again",
    )
