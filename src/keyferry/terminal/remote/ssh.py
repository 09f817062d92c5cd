"""The system's own ssh: how it is called, so that one connection to a host carries everything."""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from keyferry.errors import UnreachableError, UsageError
from keyferry.terminal.remote.shell import LOOP
from keyferry.text import last_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM: Final = "ssh"

ALWAYS: Final = {
    "StrictHostKeyChecking": "yes",
    "NoHostAuthenticationForLocalhost": "no",
    "VerifyHostKeyDNS": "no",
    "UpdateHostKeys": "no",
    "EscapeChar": "none",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlPersist": "no",
}
"""ssh keeps the first value that it is told, so nothing behind these, nor any file, can weaken them."""

_MASTER: Final = {"ControlMaster": "yes", "LogLevel": "INFO", "VisualHostKey": "yes"}
# Without its master a client would connect anew; this way it cannot. ssh's own farewells stay out of the terminal.
_CLIENT: Final = {"ControlMaster": "no", "LogLevel": "ERROR", "ProxyCommand": "false"}

_FIXED: Final = {name.lower(): value for name, value in (ALWAYS | _MASTER).items()} | {
    "controlpath": "",
    "requesttty": "",
}
"""Options that are always ours, by their names in lower case; empty: the value differs."""

_SOCKETS: Final = Path("/tmp")  # noqa: S108 - a socket's path has at most some 90 characters; its folder is private
_FINGERPRINT: Final = re.compile(r"^Host key fingerprint is (\S+)[ \t]*\r?$", re.MULTILINE)
_ART: Final = re.compile(
    r"(?m)^(?:Host key fingerprint is [^\n]*|\+-*(?:\[[^\]\n]*\])?-*\+|\|[^|\n]{17}\|)[ \t]*\r?(?:\n|\Z)"
)
"""The picture of a host key (its random art) and the line above it: ssh prints both whenever it connects."""

_STRICT: Final = "Host key verification failed"

CHANGED: Final = (
    "do not connect and do not remove the known key: ask the host's administrator, over another channel, whether the "
    "key was replaced; if it was not, something else answers in the host's place"
)
UNKNOWN: Final = (
    "compare its fingerprint with the one that the host's administrator names, over another channel, then add the "
    "key: connect once with `ssh` and answer `yes`"
)
REVOKED: Final = "this key must not be used any more: ask the host's administrator for the new one"

_KEYS: Final = (
    (re.compile(r"REVOKED HOST KEY|is marked as revoked|revoked by"), "is revoked", REVOKED),
    (re.compile(r"IDENTIFICATION HAS CHANGED|[Hh]ost key for .* has changed"), "has changed", CHANGED),
    (re.compile(r"No .*host key is known for|authenticity of host .* can't be established"), "is not known", UNKNOWN),
)
"""What ssh says of a host key that it does not accept, what that means, and what to do."""

HINTS: Final = (
    (_STRICT, "ssh does not accept the host's key: `ssh HOST true` shows why"),
    ("Permission denied", "a plain `ssh` to this host must work first: check the key, the agent and the user name"),
    ("Could not resolve", "is the name right, and is it in ~/.ssh/config or the DNS?"),
    (
        "must have a tty",
        "sudo there demands a terminal (`requiretty`), and files are moved without one: `Defaults:ACCOUNT !requiretty`",
    ),
    ("sudo:", "`sudo -n` asks for nothing: the operator's rule must have NOPASSWD"),
    ("Connection refused", "does sshd run there, on this port?"),
)
"""Words of a connection that failed, and what to do about it."""


_OTHERWISE: Final = "`ssh HOST true`, or the prefix before `true`, must succeed by itself first"


@dataclass(frozen=True, slots=True)
class Route:
    """How a host is reached. destination: what ssh takes, "" for this machine. options: `NAME=VALUE` for ssh's -o.

    prefix: words before every command there, as `docker exec -it NAME`.
    """

    destination: str = ""
    options: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    sudo: bool = False

    @property
    def is_local(self) -> bool:
        """Whether nothing stands between us and the tools."""
        return not (self.destination or self.prefix or self.sudo)


def way(destination: str, options: str, prefix: str, *, sudo: bool) -> Route:
    """A way from its settings; UsageError for what ssh would take for an option."""
    if destination.startswith("-") or any(char.isspace() or not char.isprintable() for char in destination):
        raise UsageError(f"host: {destination!r} is nothing that ssh can be told as a host", keys="nothing was started")
    try:
        found = Route(destination, tuple(shlex.split(options)), tuple(shlex.split(prefix)), sudo)
    except ValueError as error:
        raise UsageError(f"ssh_options or prefix: {error}") from None
    if wrong := [option for option in found.options if not re.fullmatch(r"[A-Za-z0-9]+=.+", option)]:
        raise UsageError(f"ssh_options: {wrong[0]!r} is not NAME=VALUE", hint="as in ssh_config: Port=2222")
    for option in found.options:
        name, _, value = option.partition("=")
        ours = _FIXED.get(name.lower())
        if ours is not None and value.lower() != ours.lower():
            raise UsageError(
                f"ssh_options: {option} has no effect: every connection has {name}={ours or 'a value of its own'}",
                keys="nothing was started",
                hint="remove it from ssh_options",
            )
    return found


class Connection:
    """The argument vectors of one connection: its master is the far shell, every tool is a session over it."""

    def __init__(self, way: Route) -> None:
        self._way = way
        self.folder = _SOCKETS / f"keyferry-{secrets.token_hex(8)}" if way.destination else None
        """Holds the socket (0700); None where no ssh is needed."""

    def shell(self) -> list[str]:
        """The far shell, without a terminal."""
        words = [*self._before(terminal=False), "/bin/sh", "-c", LOOP]
        return self._over_ssh(words, _MASTER, "-T")

    def tool(self, words: Sequence[str]) -> list[str]:
        """A program on a terminal of the other side."""
        return self._over_ssh([*self._before(terminal=True), *words], _CLIENT, "-tt")

    def _over_ssh(self, words: list[str], also: dict[str, str], terminal: str) -> list[str]:
        if self.folder is None:
            return words
        fixed = [f"-o{name}={value}" for name, value in (ALWAYS | also).items()]
        own = [f"-o{option}" for option in self._way.options]
        socket = f"-oControlPath={self.folder / 's'}"
        return [PROGRAM, terminal, *fixed, socket, *own, "--", self._way.destination, f"exec {shlex.join(words)}"]

    def _before(self, *, terminal: bool) -> list[str]:
        prefix = self._way.prefix if terminal else tuple(filter(None, map(_without_terminal, self._way.prefix)))
        return ["sudo", "-n"] * self._way.sudo + list(prefix)


def _without_terminal(word: str) -> str:
    """A word of `docker exec -it NAME` and its like, for a command that has no terminal."""
    return {"-it": "-i", "-ti": "-i", "-t": "", "--tty": ""}.get(word, word)


def fingerprint(errors: str) -> str | None:
    """The host key's fingerprint, as ssh itself told it when it checked the key."""
    found = _FINGERPRINT.search(errors)
    return found[1] if found else None


def own_words(errors: str) -> str:
    """Return the end of what ssh said, without the picture of the host key."""
    return last_lines(_ART.sub("", errors), 16) or "it ended without a word"


def hint(errors: str) -> str:
    """Return what to do about a connection that failed, by what ssh said."""
    key = _refused_key(errors)
    return key[1] if key else next((advice for words, advice in HINTS if words in errors), _OTHERWISE)


def not_reached(name: str, errors: str) -> UnreachableError:
    """Make the error for a host that could not be reached."""
    what, key = f"the {name} host cannot be reached", _refused_key(errors)
    if key:
        what = f"{what}: its ssh host key {key[0]}"
    return UnreachableError(what, host=name, seen=own_words(errors), keys="nothing was changed", hint=hint(errors))


def _refused_key(errors: str) -> tuple[str, str] | None:
    """Return how the host's key is refused, and what to do: for an unknown key and a changed one, opposite things."""
    if _STRICT not in errors:
        return None
    return next(((state, advice) for pattern, state, advice in _KEYS if pattern.search(errors)), None)
