"""Single documented actions: one tool, reached and logged in to with every check that a migration makes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from keyferry.errors import UsageError
from keyferry.events import Bus
from keyferry.procedure.command import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyferry.config import Config
    from keyferry.terminal.host import Host
    from keyferry.tools.ckdemo.driver import Ckdemo
    from keyferry.tools.classic.source import ClassicSource
    from keyferry.tools.cmu.driver import Cmu
    from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
    from keyferry.tools.vtl.screens import SlotRow, VerifiedRow


@contextlib.contextmanager
def key_mgmt_util_before_login(config: Config) -> Iterator[KeyMgmtUtil]:
    """A session of key_mgmt_util for what needs no login, and so no password."""
    from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil  # noqa: PLC0415 - start-up

    with (
        opened(config, None, Bus(), need=()) as (parties, _directory),
        KeyMgmtUtil.open(parties.sessions, parties.cloudhsm_host, parties.limits) as tool,
    ):
        yield tool


@contextlib.contextmanager
def key_mgmt_util(config: Config) -> Iterator[tuple[KeyMgmtUtil, Host]]:
    """A session of key_mgmt_util and the host of its files; left with logout and exit."""
    from keyferry.tools.key_mgmt_util.destination import KeyMgmtUtilDestination  # noqa: PLC0415 - start-up

    with opened(config, None, Bus(), need=("cloudhsm",)) as (parties, _directory):
        destination = parties.destination
        if not isinstance(destination, KeyMgmtUtilDestination):
            raise UsageError("this configuration's new side is not reached through key_mgmt_util")
        destination.look()
        destination.log_in()
        yield destination.tool, parties.cloudhsm_host
        destination.close()


@contextlib.contextmanager
def ckdemo_before_login(config: Config) -> Iterator[tuple[Ckdemo, SlotRow]]:
    """ckdemo, and the configured slot, for what needs no login, and so no PIN."""
    from keyferry.tools.ckdemo.driver import Ckdemo  # noqa: PLC0415 - start-up
    from keyferry.tools.vtl import driver as vtl  # noqa: PLC0415 - start-up

    with opened(config, None, Bus(), need=()) as (parties, _directory):
        rows = vtl.list_slots(parties.sessions, parties.classic_host, parties.limits)
        row = vtl.choose(rows, config.text("classic", "slot"))
        tool = Ckdemo.open(parties.sessions, parties.classic_host, parties.limits)
        yield tool, row
        tool.quit()


@contextlib.contextmanager
def ckdemo(config: Config) -> Iterator[tuple[Ckdemo, Host]]:
    """A session of ckdemo on the configured slot, logged in as crypto officer; left by its own exit."""
    with opened(config, None, Bus(), need=("classic",)) as (parties, _directory):
        source = _source(parties.source)
        source.look()
        source.open_session()
        source.log_in()
        yield source.ckdemo, parties.classic_host
        source.close()


@contextlib.contextmanager
def cmu(config: Config) -> Iterator[tuple[Cmu, Host]]:
    """cmu on the configured slot. Its slot and failure flags are looked at through vtl and ckdemo first."""
    with opened(config, None, Bus(), need=("classic",)) as (parties, _directory):
        source = _source(parties.source)
        source.look()
        source.close()
        yield source.cmu(), parties.classic_host


def _source(source: object) -> ClassicSource:
    from keyferry.tools.classic.source import ClassicSource  # noqa: PLC0415 - start-up

    if not isinstance(source, ClassicSource):
        raise UsageError("this configuration's old side is not reached through vtl, cmu and ckdemo")
    return source


def vtl_verify(config: Config) -> Sequence[VerifiedRow]:
    """What `vtl verify` lists."""
    from keyferry.tools.vtl import driver as vtl  # noqa: PLC0415 - start-up

    with opened(config, None, Bus(), need=()) as (parties, _directory):
        return vtl.verify(parties.sessions, parties.classic_host, parties.limits)
