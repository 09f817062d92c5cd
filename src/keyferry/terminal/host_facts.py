"""What a host says of itself, for the record's header: asked in POSIX shell, so every host can answer."""

from __future__ import annotations

import functools
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from keyferry.terminal.remote.answers import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

HASHES: Final = {"sha256sum": "sha256sum", "shasum": "shasum -a 256", "openssl": "openssl dgst -sha256"}
"""Commands that print a file's SHA-256; a host has one of them or none."""

ASK: Final = (
    "printf 'temporary=%s\\n' \"${TMPDIR:-/tmp}\"; "
    "printf 'clock=%s\\n' \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"; "
    "printf 'host_name=%s\\n' \"$(uname -n)\"; "
    "printf 'kernel=%s\\n' \"$(uname -srm)\"; "
    "printf 'os=%s\\n' \"$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null)\"; "
    "printf 'machine_id=%s\\n' \"$(cat /etc/machine-id 2>/dev/null)\"; "
    "printf 'account=%s\\n' \"$(id -un)\"; "
    "printf 'umask=%s\\n' \"$before\"; "
    f"for c in {' '.join(HASHES)}; do "
    "if command -v $c >/dev/null 2>&1; then printf 'hash=%s\\n' $c; break; fi; done"
)


def understood(output: bytes, before: datetime, after: datetime) -> dict[str, str]:
    """The facts of an answer to ASK that was asked and came at these times; what the host does not know is missing.

    clock_offset: seconds that its clock is ahead of ours, to the second, as far as the journey lets one tell.
    """
    lines = output.decode("utf-8", "replace").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    facts = {name: text for name, value in pairs if (text := value.strip().strip('"'))}
    if (offset := _offset(facts.get("clock", ""), before, after)) is not None:
        facts["clock_offset"] = str(offset)
    return facts


def of_host(output: bytes, before: datetime, after: datetime) -> dict[str, str]:
    """The same of another host, where a folder will be made: without an absolute path it is not understood."""
    facts = understood(output, before, after)
    if not facts.get("temporary", "").startswith("/"):
        raise unknown("the shell", output.decode("utf-8", "replace"))
    return facts


@functools.cache
def here() -> Mapping[str, str]:
    """The facts of this machine, asked once in a process: both sides may be here."""
    before = datetime.now(UTC)
    done = subprocess.run(["/bin/sh", "-c", ASK], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return understood(done.stdout, before, datetime.now(UTC))


def _offset(told: str, before: datetime, after: datetime) -> int | None:
    try:
        clock = datetime.strptime(told, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    # The clock shows whole seconds: anything between the question and the answer is no offset.
    early, late = (clock - before).total_seconds() + 1, (clock - after).total_seconds()
    return round(early if early < 0 else max(0, late))
