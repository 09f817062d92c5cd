"""Start emulated tools and Python programs in the process that was forked for them, without `exec`.

A new interpreter takes longer than most conversations with a tool. `install()` replaces `os.execv` and `os.execvpe`:
where the program is an emulated tool, a replay player, or this interpreter with a program, the forked process runs
the same code itself, on modules that are loaded already. Everything else is executed as before, and so is everything
in tests marked `real_exec` and with `KEYFERRY_LONG=1`.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import re
import runpy
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REAL = "KEYFERRY_TEST_REAL_EXEC"
"""Environment variable: `1` executes every program as its own file."""

_EMULATED = re.compile(
    rb"here = dirname\(dirname\(realpath\(__file__\)\)\)\n.*\n"
    rb"from keyferry\.emulator\.run import main\nmain\('([\w-]+)', here\)\n\Z"
)
_PLAYER = re.compile(
    rb"import player\nsys\.exit\(player\.play_next\(Path\('([^']+)'\), '([\w-]+)', sys\.argv\[1:\]\)\)\n\Z"
)
_LONGEST_SCRIPT = 4096
_exec, _exec_in_environment = os.execv, os.execvpe


def install() -> None:
    """Replace `os.execv` and `os.execvpe`, which `pexpect.spawn` calls in the process that it forked."""
    os.execv = _execv  # type: ignore[assignment] # returns only where exec fails, as the original
    os.execvpe = _execvpe  # type: ignore[assignment] # as above


def _execv(path: str, argv: list[str]) -> None:
    _execute(path, argv, None)
    _exec(path, argv)


def _execvpe(path: str, argv: list[str], environment: Mapping[str, str]) -> None:
    _execute(path, argv, environment)
    _exec_in_environment(path, argv, environment)


def _execute(path: str, argv: list[str], environment: Mapping[str, str] | None) -> None:
    """Run the program here and end the process; return where it has to be executed."""
    if os.environ.get(REAL) == "1":
        return
    program = _python(argv) if os.path.realpath(path) == os.path.realpath(sys.executable) else _tool(path, argv)
    if program is not None:
        _become(program, environment)


def _tool(path: str, argv: list[str]) -> Callable[[], None] | None:
    """An emulated tool or a replay player, as its installed script starts it; None for anything else."""
    with open(path, "rb") as file:
        script = file.read(_LONGEST_SCRIPT)
    if emulated := _EMULATED.search(script):
        return functools.partial(_emulated, emulated[1].decode(), path, argv)
    if player := _PLAYER.search(script):
        return functools.partial(_played, Path(player[1].decode()), player[2].decode(), argv[1:])
    return None


def _emulated(tool: str, path: str, argv: list[str]) -> None:
    from keyferry.emulator.run import main  # noqa: PLC0415 - only where a tool starts

    sys.argv[:] = argv
    main(tool, os.path.dirname(os.path.dirname(os.path.realpath(path))))


def _played(directory: Path, tool: str, arguments: Sequence[str]) -> None:
    import player  # noqa: PLC0415 - as above

    sys.exit(player.play_next(directory, tool, arguments))


def _python(argv: list[str]) -> Callable[[], None] | None:
    """What `python [-IS] -c TEXT`, `python FILE.py` or `python -m MODULE` runs; None for other arguments."""
    words = list(argv[1:])
    while words and words[0] in ("-I", "-S", "-IS"):
        del words[0]
    match words:
        case ["-c", script, *arguments]:
            return functools.partial(_script, script, arguments)
        case [script, *arguments] if script.endswith(".py"):
            return functools.partial(_file, script, arguments)
        case ["-m", module, *arguments]:
            return functools.partial(_module, module, arguments)
        case _:
            return None


def _script(script: str, arguments: list[str]) -> None:
    sys.argv[:] = ["-c", *arguments]
    exec(compile(script, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what a test wrote


def _file(path: str, arguments: list[str]) -> None:
    sys.argv[:] = [path, *arguments]
    runpy.run_path(path, run_name="__main__")


def _module(module: str, arguments: list[str]) -> None:
    sys.argv[:] = [module, *arguments]
    warnings.simplefilter("ignore", RuntimeWarning)  # that the module was loaded before
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _become(program: Callable[[], None], environment: Mapping[str, str] | None) -> None:
    """Be a process like one that has just started, run the program, and end."""
    sys.settrace(None)
    gc.freeze()  # what the caller left must not be finalised here: its descriptors have other files now
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    _reset_signals()
    warnings.resetwarnings()
    if environment is not None and environment is not os.environ:
        os.environ.clear()
        os.environ.update(environment)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
    status = 1
    try:
        status = status_of(program)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _reset_signals() -> None:
    """Signals that were caught have their default again, as after exec; ignored ones stay ignored."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)


def status_of(program: Callable[[], None]) -> int:
    """The exit status that the interpreter would end with."""
    try:
        program()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    except BaseException:  # noqa: BLE001 - whatever ends a program, shown as the interpreter shows it
        traceback.print_exc()
        return 1
    return 0
