from __future__ import annotations

import errno
import importlib
import sys

from keyferry.emulator.store import Store

TOOLS = {
    "vtl": "keyferry.emulator.classic.vtl",
    "cmu": "keyferry.emulator.classic.cmu.tool",
    "ckdemo": "keyferry.emulator.classic.ckdemo.tool",
    "key_mgmt_util": "keyferry.emulator.cloudhsm.key_mgmt_util.tool",
    "cloudhsm-cli": "keyferry.emulator.cloudhsm.cloudhsm_cli.tool",
}
_INTERRUPTED = 130


def main(tool: str, directory: str) -> None:
    """Be the tool, over the store in `directory`; ends the process with the tool's exit status."""
    sys.exit(_status(tool, Store(directory)))


def _status(tool: str, store: Store) -> int:
    try:
        return int(importlib.import_module(TOOLS[tool]).main(store, sys.argv[1:]))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        if error.errno in (errno.EIO, errno.EPIPE):  # the other end of the pty is gone
            return 1
        raise
