"""Single documented actions: one tool, reached and logged in to with every check that a migration makes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError, KeyferryError, MismatchError, ToolRefusedError, UsageError
from keyferry.events import Bus
from keyferry.migration.start import check_named, opened
from keyferry.pkcs11 import SourceHandle, key_type
from keyferry.tools.ckdemo.dialect import CHECK_VALUE_MECHANISM, WRAPPED_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyferry.config import Config
    from keyferry.migration.endpoints import Endpoints
    from keyferry.pkcs11 import Kcv, Sha256
    from keyferry.terminal.host import Host
    from keyferry.tools.ckdemo.driver import Ckdemo
    from keyferry.tools.classic.source import ClassicSource
    from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
    from keyferry.tools.cmu.driver import Cmu
    from keyferry.tools.endpoints import Destination
    from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
    from keyferry.tools.vtl.screens import SlotRow, VerifiedRow

_PEM = "public.pem"
_LISTS = {
    "ckdemo": "ckdemo list",
    "cmu": "cmu list",
    "key_mgmt_util": "kmu find-key",
    "cloudhsm-cli": "cloudhsm-cli key-list",
}


@contextlib.contextmanager
def key_mgmt_util_before_login(config: Config) -> Iterator[KeyMgmtUtil]:
    """A session of key_mgmt_util for what needs no login, and so no password."""
    from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil  # noqa: PLC0415 - start-up

    with (
        _reached(config) as endpoints,
        KeyMgmtUtil.open(endpoints.sessions, endpoints.destination_host, endpoints.limits) as tool,
    ):
        yield tool


@contextlib.contextmanager
def key_mgmt_util(config: Config, *, changes: bool = False) -> Iterator[tuple[KeyMgmtUtil, Host]]:
    """A session of key_mgmt_util and the host of its files; left with logout and exit."""
    from keyferry.tools.key_mgmt_util.destination import KeyMgmtUtilDestination  # noqa: PLC0415 - start-up

    with _logged_in(config, "key_mgmt_util", changes=changes) as (destination, host):
        assert isinstance(destination, KeyMgmtUtilDestination)  # noqa: S101 - for the type checker: it was asked for
        yield destination.tool, host


@contextlib.contextmanager
def cloudhsm_cli_before_login(config: Config) -> Iterator[CloudHsmCli]:
    """A session of cloudhsm-cli for what needs no login, and so no password."""
    from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli  # noqa: PLC0415 - start-up

    with (
        _reached(config) as endpoints,
        CloudHsmCli.open(endpoints.sessions, endpoints.destination_host, endpoints.limits) as tool,
    ):
        yield tool


@contextlib.contextmanager
def cloudhsm_cli(config: Config, *, changes: bool = False) -> Iterator[tuple[CloudHsmCli, Host]]:
    """A session of cloudhsm-cli and the host of its files; left with logout and quit."""
    from keyferry.tools.cloudhsm_cli.destination import CloudHsmCliDestination  # noqa: PLC0415 - start-up

    with _logged_in(config, "cloudhsm-cli", changes=changes) as (destination, host):
        assert isinstance(destination, CloudHsmCliDestination)  # noqa: S101 - for the type checker: it was asked for
        yield destination.tool, host


@contextlib.contextmanager
def _logged_in(config: Config, tool: str, *, changes: bool) -> Iterator[tuple[Destination, Host]]:
    """The destination through this tool, whichever the configuration names."""
    with _reached(config.having("destination", "tool", tool), "destination", changes=changes) as endpoints:
        endpoints.destination.preflight()
        endpoints.destination.log_in()
        yield endpoints.destination, endpoints.destination_host
        endpoints.destination.close()


@contextlib.contextmanager
def ckdemo_before_login(config: Config) -> Iterator[tuple[Ckdemo, SlotRow]]:
    """ckdemo, and the configured slot, for what needs no login, and so no PIN."""
    from keyferry.tools.ckdemo.driver import Ckdemo  # noqa: PLC0415 - start-up
    from keyferry.tools.vtl import driver as vtl  # noqa: PLC0415 - start-up

    check_named(config, ("source",))
    with _reached(config) as endpoints:
        rows = vtl.list_slots(endpoints.sessions, endpoints.source_host, endpoints.limits)
        row = vtl.choose(rows, config.text("source", "slot"))
        tool = Ckdemo.open(endpoints.sessions, endpoints.source_host, endpoints.limits)
        yield tool, row
        tool.quit()


@dataclass(frozen=True, slots=True)
class CkdemoSession:
    """ckdemo logged in, and the host of its files. handles_last: not on an HA slot, where each session has others."""

    tool: Ckdemo
    host: Host
    has_stable_handles: bool

    def object(self, wanted: str) -> SourceHandle:
        """The one object that is meant: a handle in digits, or `label:TEXT`, looked up in this session."""
        kind, colon, label = wanted.partition(":")
        if colon and kind == "label":
            return self._labelled(label)
        if not (wanted.isascii() and wanted.isdecimal()):
            raise UsageError(f"{wanted!r} is no object", hint="give a handle in digits, or label:TEXT")
        if not self.has_stable_handles:
            raise CheckFailedError(
                f"on an HA slot handle {wanted} is another object in each session",
                tool="ckdemo",
                keys="nothing was changed",
                hint="name the object label:TEXT, or use a member's own slot: --slot serial:...",
            )
        return SourceHandle(int(wanted))

    def _labelled(self, label: str) -> SourceHandle:
        found = [one.handle for one in self.tool.find_objects() if one.label == label]
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} objects have the label {label!r} (expected exactly one)",
                tool="ckdemo",
                seen="\n".join(f"handle {handle}" for handle in found) or None,
                keys="nothing was changed",
                hint="see what there is: `keyferry ckdemo list`",
            )
        return found[0]

    def wrap(self, key: SourceHandle, under: SourceHandle, digest: str, out: Path) -> tuple[int, Sha256]:
        """Wrap a key under a public key into a new file; gives its size in bytes and its hash (BLOB-SIZE)."""
        public_key = self.tool.display_object(under).public_key()
        if public_key is None:
            raise UsageError(f"object {under} is no RSA public key", tool="ckdemo", keys="nothing was wrapped")
        if digest != "sha1":
            self.tool.choose_hash()
        size = self.tool.wrap_key(under, key, digest)
        if size * 8 != public_key.bits:
            raise MismatchError(
                f"{size} bytes came of a wrap under a key of {public_key.bits} bits",
                rule="BLOB-SIZE",
                tool="ckdemo",
                keys="this file cannot be unwrapped; it was not kept",
            )
        digest = self.host.fetch(WRAPPED_FILE, out)
        self.tool.record_file(WRAPPED_FILE, size, digest)
        return size, digest

    def check_value(self, handle: SourceHandle) -> tuple[str, Kcv]:
        """A key's type and check value; UsageError for a type that has none."""
        number = self.tool.display_object(handle).number("CKA_KEY_TYPE")
        kind = "none" if number is None else key_type(number)
        if kind not in CHECK_VALUE_MECHANISM:
            raise UsageError(f"a key of type {kind} has no check value", tool="ckdemo", keys="nothing was changed")
        return kind, self.tool.check_value(handle, kind)


@contextlib.contextmanager
def ckdemo(config: Config, *, changes: bool = False) -> Iterator[CkdemoSession]:
    """A session of ckdemo on the configured slot as crypto officer; logged out, closed and left by its own exit."""
    with _reached(config, "source", changes=changes) as endpoints:
        source = _source(endpoints.source)
        source.preflight()
        source.open_session()
        source.log_in()
        yield CkdemoSession(source.ckdemo, endpoints.source_host, source.has_stable_handles())
        source.ckdemo.logout()
        source.ckdemo.close_session()
        source.close()


@contextlib.contextmanager
def cmu(config: Config, *, changes: bool = False) -> Iterator[Cmu]:
    """cmu on the configured slot. Its slot and failure flags are looked at through vtl and ckdemo first."""
    with _reached(config, "source", changes=changes) as endpoints:
        source = _source(endpoints.source)
        source.preflight()
        source.close()
        yield source.cmu()


def import_public_key(config: Config, file: Path, label: str) -> tuple[SourceHandle | None, Sha256]:
    """Import a PEM file with cmu; what came of it is read back with cmu and ckdemo, and must be the file's key.

    Gives the handle, None on an HA slot, and the key's fingerprint (WRAPPING-KEY-MATCH, WRAPPING-KEY-NEW).
    """
    from keyferry.migration.wrapping_key import read_pem  # noqa: PLC0415 - start-up

    key, fingerprint = read_pem(file)
    with _reached(config, "source", changes=True) as endpoints:
        source = _source(endpoints.source)
        source.preflight()
        source.open_session()
        source.log_in()
        endpoints.source_host.put(file, _PEM)
        handle = source.import_public_key(_PEM, label)
        if source.public_key(handle) != key:
            raise MismatchError(
                f"object {handle}, imported as {label!r}, is not the key of {file.name}",
                rule="WRAPPING-KEY-MATCH",
                tool="cmu",
                keys="nothing was wrapped; wrap nothing under that object",
            )
        source.close()
        return (handle if source.has_stable_handles() else None), fingerprint


def vtl_verify(config: Config) -> Sequence[VerifiedRow]:
    """What `vtl verify` lists."""
    from keyferry.tools.vtl import driver as vtl  # noqa: PLC0415 - start-up

    with _reached(config) as endpoints:
        return vtl.verify(endpoints.sessions, endpoints.source_host, endpoints.limits)


@contextlib.contextmanager
def _reached(config: Config, *need: str, changes: bool = False) -> Iterator[Endpoints]:
    """The tools of a command, on record. Errors say what they mean: without `changes`, nothing was changed."""
    with opened(config, None, Bus(), need=need) as (endpoints, _directory):
        try:
            yield endpoints
        except KeyferryError as error:
            if isinstance(error, ToolRefusedError):
                lists = _LISTS.get(error.tool or "")
                error.fill(hint=f"see what there is: `keyferry {lists}`" if lists and need else None)
            if not changes:
                error.fill(keys="nothing was changed")
            elif isinstance(error, ToolRefusedError):
                error.fill(keys="the tool refused: nothing came of this command")
            else:
                error.fill(keys="whether it was done is not known: look before it is done again")
            raise


def _source(source: object) -> ClassicSource:
    from keyferry.tools.classic.source import ClassicSource  # noqa: PLC0415 - start-up

    if not isinstance(source, ClassicSource):
        raise UsageError("the source of this configuration is not reached through vtl, cmu and ckdemo")
    return source
