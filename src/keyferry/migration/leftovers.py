"""What a run that was killed left behind: the private folders that its journal names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.migration.endpoints import far_host
from keyferry.run.journal import read
from keyferry.terminal.host import remove_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from keyferry.config import Config


def remove_folders(config: Config, journal: Path, sides: Collection[str] = ("classic", "cloudhsm")) -> list[str]:
    """Remove every private folder of a run, here and on the hosts of these sides; gives their names.

    Nothing is logged in to.

    UnreachableError where a host cannot be reached. Folders that are gone already are no matter.
    """
    noted = [(entry["where"], entry["folder"]) for entry in read(journal).entries if entry["kind"] == "folder"]
    noted = [(where, folder) for where, folder in noted if where in ("", *sides)]
    for where in dict.fromkeys(where for where, _folder in noted):
        folders = [folder for place, folder in noted if place == where]
        if where == "":
            for folder in folders:
                remove_folder(folder)
            continue
        with far_host(config, where) as host:
            for folder in folders:
                host.remove_folder(folder)
    return [folder for _where, folder in noted]
