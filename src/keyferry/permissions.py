"""Who else can change what a command trusts: its configuration file, and the tools' programs and their folder."""

from __future__ import annotations

import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from keyferry.errors import CheckFailedError, UnknownScreenError
from keyferry.text import last_lines, printable

if TYPE_CHECKING:
    from pathlib import Path

_LISTED = re.compile(r"[a-z-](?P<mode>[r-][w-].[r-][w-].[r-][w-].)\S?\s+\d+\s+(?P<owner>\d+)\s+\d+\s.*")
_ROOT = 0
_KEYS = "nothing was started and nothing was changed"


class ExaminedHost(Protocol):
    """What is asked of a host here."""

    @property
    def name(self) -> str: ...

    def shell(self, command: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Access:
    """One file or folder. by_group, by_all: its group, or everyone, can write to it. owner: a user id."""

    path: str
    owner: int
    by_group: bool
    by_all: bool

    def demand(self, what: str) -> None:
        """Refuse what everyone can write to."""
        if self.by_all:
            raise CheckFailedError(
                f"{what} {printable(self.path)} can be written by everyone on its host",
                keys=_KEYS,
                hint=f"`chmod o-w {shlex.quote(printable(self.path))}`; then check that nobody changed what is there",
            )

    def doubt(self, who: int) -> str | None:
        """What is worth a warning to this user; None if there is nothing."""
        if self.owner not in (_ROOT, who):
            return f"{self.path} belongs to user id {self.owner}, who is neither root nor the user who runs it"
        return f"{self.path} can be written by its group" if self.by_group else None


def check_configuration(path: Path) -> None:
    """Refuse a configuration file that another user can change: it names programs, hosts and secret sources."""
    access = of_file(path)
    access.demand("the configuration file")
    if access.owner not in (_ROOT, os.geteuid()):
        raise CheckFailedError(
            f"the configuration file {printable(str(path))} belongs to user id {access.owner}, who is neither root nor"
            " the user who runs this command",
            keys=_KEYS,
            hint=f"check what it says, then copy it or take it over: `chown {os.geteuid()} {shlex.quote(str(path))}`",
        )


def of_file(path: Path) -> Access:
    """What this machine says of a file."""
    found = path.stat()
    return Access(str(path), found.st_uid, bool(found.st_mode & stat.S_IWGRP), bool(found.st_mode & stat.S_IWOTH))


def check_program(host: ExaminedHost, path: str) -> None:
    """Refuse a program, or a program folder, that everyone on its host can write to."""
    folder, program = of_program(host, path)
    folder.demand("the program folder")
    program.demand("the program")


def of_program(host: ExaminedHost, path: str) -> tuple[Access, Access]:
    """What a host says of a program's folder and of the program; links are followed.

    Raises:
        UnknownScreenError: The host's answer is not understood.
    """
    places = (str(PurePosixPath(path).parent), path)
    told = host.shell(f"LC_ALL=C ls -dnL -- {' '.join(map(shlex.quote, places))}").decode("utf-8", "replace")
    lines = {line.split(maxsplit=4)[-1].rpartition(" ")[2]: line for line in told.splitlines() if line.strip()}
    found = [_access(place, lines.get(place.rpartition(" ")[2], "")) for place in places]
    if None in found or len(lines) != len(places):
        raise UnknownScreenError(
            f"the permissions of {printable(path)} on the {host.name} host are not understood",
            host=host.name,
            seen=last_lines(told) or "(nothing)",
            keys=_KEYS,
        )
    folder, program = (one for one in found if one is not None)
    return folder, program


def _access(path: str, line: str) -> Access | None:
    listed = _LISTED.fullmatch(line)
    if listed is None:
        return None
    mode = listed["mode"]
    return Access(path, int(listed["owner"]), mode[4] == "w", mode[7] == "w")
