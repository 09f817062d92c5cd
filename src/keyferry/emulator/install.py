from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from keyferry.emulator import modules
from keyferry.emulator.classic import vtl
from keyferry.emulator.classic.ckdemo import tool as ckdemo
from keyferry.emulator.classic.cmu import tool as cmu
from keyferry.emulator.cloudhsm.cloudhsm_cli import tool as cloudhsm_cli
from keyferry.emulator.cloudhsm.key_mgmt_util import tool as key_mgmt_util
from keyferry.emulator.run import TOOLS
from keyferry.emulator.store import FILE_NAME, Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keyferry.emulator.faults import Fault

FAULTS: dict[str, tuple[Fault, ...]] = {
    "vtl": vtl.FAULTS,
    "cmu": cmu.FAULTS,
    "ckdemo": ckdemo.FAULTS,
    "key_mgmt_util": key_mgmt_util.FAULTS,
    "cloudhsm-cli": cloudhsm_cli.FAULTS,
}

# Shell and Python at once: a `#!` line takes no interpreter whose path has a blank in it, or is long.
# -I: neither the caller's directory nor his environment decides which modules the tool runs on.
# The second line says what this is; Keyferry looks for it where it hashes a program (docs/audit.md).
_SCRIPT = """\
#!/bin/sh
# keyferry-emulated-tool
'''exec' {python} -I "$0" "$@"
' '''
import sys
from os.path import dirname, realpath
here = dirname(dirname(realpath(__file__)))
{site}
from keyferry.emulator.run import main
main({tool!r}, here)
"""
_MODULES = "modules"
_SITE = f"sys.path.append({str(modules.SITE)!r})"
_COPIED = f"sys.path.insert(0, here + '/{_MODULES}')"  # the folder may be moved
_CONFIGURATION = """\
# An emulated pair of HSMs, for rehearsal.
[source]
bin = "bin"
slot = "label:{label}"
pin = "file:secrets/pin"

[destination]
bin = "bin"
tool = "{destination}"
user = "{user}"
password = "file:secrets/password"
"""
_OLDER_CLIENT = """\
# This generation's client does not know -hpswd, so the password is typed in sight; the record leaves it out.
password_visible = true
"""


def create(
    directory: Path,
    *,
    keys: int = 10,
    luna: str = "7",
    kmu: str = "g2",
    nodes: int = 2,
    jitter: str = "",
    destination: str = "key_mgmt_util",
    lacks: Sequence[str] = (),
) -> None:
    """Make both emulated sides in `directory`, ready for `keyferry ... --config DIRECTORY/keyferry.toml`.

    Both tools of the cluster are there, over the same keys; `destination` is the one that the configuration names.
    lacks: commands and flags that a tool of the cluster does not know, each as TOOL:COMMAND or TOOL:COMMAND:FLAG;
    ValueError for other tools.
    `keys` counts the symmetric keys on the Classic partition; without a `jitter` seed the tools look as the
    reference thinks likeliest. Out of a single file, the modules that the tools need are copied too.
    FileExistsError if the directory already holds emulated HSMs.
    """
    from keyferry.emulator.classic import population as classic  # noqa: PLC0415 - crypto, only for this
    from keyferry.emulator.cloudhsm import population as cloudhsm  # noqa: PLC0415 - as above

    if (directory / FILE_NAME).exists():
        raise FileExistsError(f"{directory}: there are emulated HSMs here already")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store.create(directory)
    for name, value in {"luna": luna, "kmu": kmu, "nodes": str(nodes), "jitter": jitter}.items():
        store.set(name, value)
    for name, value in _lacking(lacks).items():
        store.set(name, value)
    partition = classic.populate(store, keys, luna)
    cluster = cloudhsm.populate(store, nodes)
    copied = modules.is_single_file()
    if copied:
        modules.copy(directory / _MODULES)
    _write_tools(directory / "bin", _COPIED if copied else _SITE)
    _write_secrets(directory / "secrets", pin=partition.pin, password=cluster.password)
    configuration = _CONFIGURATION.format(label=partition.label, user=cluster.user, destination=destination)
    configuration += _OLDER_CLIENT if kmu == "g1" else ""
    (directory / "keyferry.toml").write_text(configuration, encoding="utf-8")


def _lacking(lacks: Sequence[str]) -> dict[str, str]:
    """The settings of what each tool does not know."""
    names = {"key_mgmt_util": key_mgmt_util.LACKS, "cloudhsm-cli": cloudhsm_cli.LACKS}
    found: dict[str, list[str]] = {}
    for lack in lacks:
        tool, _, what = lack.partition(":")
        if tool not in names or not what:
            raise ValueError(lack)
        found.setdefault(names[tool], []).append(what)
    return {name: ",".join(what) for name, what in found.items()}


def _write_tools(directory: Path, site: str) -> None:
    directory.mkdir(exist_ok=True)
    for tool in TOOLS:
        path = directory / tool
        script = _SCRIPT.format(python=shlex.quote(sys.executable), tool=tool, site=site)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)


def _write_secrets(directory: Path, **secrets: str) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, secret in secrets.items():
        descriptor = os.open(directory / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(secret)
