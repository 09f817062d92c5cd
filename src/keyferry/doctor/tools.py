"""The vendors' tools, as far as they tell something without a login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from keyferry.doctor.finding import Finding, failed
from keyferry.errors import CheckFailedError, KeyferryError
from keyferry.migration.endpoints import guess_destination
from keyferry.tools.abilities import Needs
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.classic import lockout
from keyferry.tools.cloudhsm_cli.dialect import FEWEST_HSMS, ROLE
from keyferry.tools.cloudhsm_cli.driver import CloudHsmCli
from keyferry.tools.cloudhsm_cli.users import obstacle
from keyferry.tools.key_mgmt_util import users as kmu_users
from keyferry.tools.key_mgmt_util.driver import KeyMgmtUtil
from keyferry.tools.key_mgmt_util.screens import common
from keyferry.tools.vtl import driver as vtl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from keyferry.config import Config
    from keyferry.terminal.host import Host
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.limits import Limits

TOOLS: Final[Mapping[str, Callable[[Config], tuple[str, ...]]]] = {
    "source": lambda _config: ("vtl", "cmu", "ckdemo"),
    "destination": lambda config: (config.text("destination", "tool"),),
}
CONFIGURATIONS: Final = {"cloudhsm-cli": "/opt/cloudhsm/etc/cloudhsm-cli.cfg"}
"""Where a tool of the cluster has another configuration file than the setting's default."""
_VERSION: Final = re.compile(r"\bv?(\d+(?:\.\d+)+[\w-]*)")
_FIPS: Final = {"00000002": "FIPS mode", "00000000": "not in FIPS mode"}
_RAISED: Final = "find out who typed wrong secrets; --allow-raised-counter goes on all the same"


def look_at_tools(side: str, config: Config, host: Host, sessions: Sessions, limits: Limits) -> Iterator[Finding]:
    """Every finding of one side's tools, each told as soon as it is known."""
    if side == "source":
        yield from _source_side(config, host, sessions, limits)
        return
    tool = config.text("destination", "tool")
    yield from _guessed(config, host)
    if tool in _DESTINATIONS:
        yield from _DESTINATIONS[tool](config, host, sessions, limits)


def _guessed(config: Config, host: Host) -> Iterator[Finding]:
    """The tool to choose where nobody has chosen one."""
    tool, guess = config.text("destination", "tool"), guess_destination(host)
    if guess in (None, tool) or config.origin("destination", "tool") != "default":
        return
    hint = f'set `tool = "{guess}"` in [destination]'
    yield Finding("destination", "tool", "warn", f"{guess} is installed but `tool` is not set; using {tool}", hint)


def _source_side(config: Config, host: Host, sessions: Sessions, limits: Limits) -> Iterator[Finding]:
    try:
        rows = vtl.list_slots(sessions, host, limits)
        listed = ", ".join(f"{row.number}: {row.label!r} {row.serial}" for row in rows if row.present)
        yield Finding("source", "slots", "ok", listed or "none with a token")
        row = vtl.choose(rows, config.text("source", "slot"))
    except KeyferryError as error:
        yield failed("source", "slot", error)
        return
    yield Finding(
        "source", "slot", "ok", f"{row.number} is {row.label!r}, serial {row.serial}{', HA' if row.ha else ''}"
    )
    try:
        with Ckdemo.open(sessions, host, limits) as tool:
            token = tool.token_info(row.number)
            found = lockout.counters(row, token, rows, tool.token_info, lambda _row, _label, _serial: None)
            tool.quit()
    except KeyferryError as error:
        yield failed("source", "ckdemo starts", error)
        return
    yield Finding("source", "dialect", "ok", _classic_dialect(sessions.greeting("ckdemo")))
    if (token.label.strip(), token.serial) != (row.label, row.serial):
        hint = "slot numbers shift when an HA member fails or returns: choose by serial:"
        yield Finding("source", "slot", "fail", f"for ckdemo it is {token.label!r}, serial {token.serial}", hint)
    yield from _token(token.flags, token.fields)
    yield _counters(found)


def _token(flags: frozenset[str], fields: Mapping[str, str]) -> Iterator[Finding]:
    ped = "CKF_PROTECTED_AUTHENTICATION_PATH" in flags
    hint = "a PIN pad's key cannot be typed: such a partition needs its challenge secret as the PIN" if ped else None
    yield Finding("source", "authentication", "warn" if ped else "ok", "PED" if ped else "password", hint)
    about = [f"{name} {fields[name]}" for name in ("Token Model", "Firmware Version") if name in fields]
    yield Finding("source", "token", "ok", f"{', '.join(about)}; FIPS mode: not reported by these tools")


def _counters(found: lockout.Counters) -> Finding:
    if found.raised:
        raised = "; ".join(f"slot {row.number} ({row.label}): {', '.join(flags)}" for row, flags in found.raised)
        return Finding("source", "failure counter", "fail", raised, _RAISED)
    if not found.seen:
        hint = "set HAOnly to 0 for a look, or check the members on the appliances"
        return Finding("source", "failure counter", "warn", lockout.NOT_SEEN, hint)
    return Finding("source", "failure counter", "ok", "not raised")


def _classic_dialect(greeting: str) -> str:
    version = _VERSION.search(greeting.strip().partition("\n")[0])
    return f"like 7: a client {version[1]}" if version else "like 5: no version is told, as a 5.x client"


def _key_mgmt_util(config: Config, host: Host, sessions: Sessions, limits: Limits) -> Iterator[Finding]:
    try:
        with KeyMgmtUtil.open(sessions, host, limits) as tool:
            users = tool.list_users()
            visible = config.flag("destination", "password_visible")
            able = _abilities(config, lambda needs: tool.probe(needs, visible=visible))
    except KeyferryError as error:
        yield failed("destination", "daemon", error)
        return
    yield from able
    started = common.startup(sessions.greeting("key_mgmt_util")).fields
    yield Finding("destination", "daemon", "ok", "key_mgmt_util starts and reaches the cluster")
    if started is not None:
        yield Finding("destination", "FIPS", "ok", _FIPS.get(started.fips_mode, f"mode {started.fips_mode}"))
    name = config.text("destination", "user")
    mine = [user for user in users if (user.name, user.type) == (name, "CU")]
    if not mine:
        yield _no_user(name)
        return
    yield Finding("destination", "user", "ok", name)
    if refusal := kmu_users.obstacle(name, users):
        yield Finding("destination", "failure counter", "fail", refusal.what, refusal.hint)
    else:
        yield Finding("destination", "failure counter", "ok", "0 failed logins")


def _cloudhsm_cli(config: Config, host: Host, sessions: Sessions, limits: Limits) -> Iterator[Finding]:
    try:
        with CloudHsmCli.open(sessions, host, limits) as tool:
            hsms, users = tool.hsms(), tool.users()
            able = _abilities(config, tool.probe)
    except KeyferryError as error:
        yield failed("destination", "cluster", error)
        return
    yield from able
    models = ", ".join(sorted({hsm.get("model", "of no known model") for hsm in hsms}))
    yield Finding("destination", "cluster", "ok", f"cloudhsm-cli starts and reaches {len(hsms)} HSMs: {models}")
    if states := sorted({hsm["fips-state"] for hsm in hsms if "fips-state" in hsm}):
        yield Finding("destination", "FIPS", "ok", ", ".join(states))
    if config.flag("destination", "key_availability_check") and len(hsms) < FEWEST_HSMS:
        hint = "add an HSM, or see `key_availability_check` in [destination]"
        text = f"{len(hsms)} HSM: keys must be on {FEWEST_HSMS} (DESTINATION-AVAILABILITY)"
        yield Finding("destination", "availability", "fail", text, hint)
    name = config.text("destination", "user")
    if not any((str(user.name).lower(), user.role) == (name.lower(), ROLE) for user in users):
        yield _no_user(name)
        return
    yield Finding("destination", "user", "ok", name)
    if refusal := obstacle(name, users):
        yield Finding("destination", "failure counter", "fail", refusal.what, refusal.hint)
    else:
        yield Finding("destination", "failure counter", "ok", "not locked; the tool shows no counter of failed logins")


def _abilities(config: Config, probe: Callable[[Needs], Sequence[str]]) -> list[Finding]:
    """CLIENT-ABILITY, for a run without settings of single keys."""
    try:
        warnings = probe(Needs(extractable_pair=config.flag("wrapping", "extractable")))
    except CheckFailedError as error:
        return [Finding("destination", "client ability", "fail", error.what, error.hint)]
    hint = "type the command with its help option yourself and compare the flags"
    return [Finding("destination", "client ability", "warn", text, hint) for text in warnings] or [
        Finding("destination", "client ability", "ok", "the client knows every command and flag of a run")
    ]


def _no_user(name: str) -> Finding:
    hint = "name it with --user or `[destination] user`; only a crypto user owns keys"
    return Finding("destination", "user", "fail", f"no crypto user {name!r} on the cluster", hint)


_DESTINATIONS: Final = {"key_mgmt_util": _key_mgmt_util, "cloudhsm-cli": _cloudhsm_cli}
