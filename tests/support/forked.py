"""Commands of ours in processes that are forked off one that has imported all of keyferry: a third of their time.

What is run is the program's own `main`, in a process with descriptors, folder, environment, signals and an exit status
of its own. What differs from `python -m keyferry.cli` is only when its modules were loaded.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

import in_fork
import keyferry
import primes
from keyferry.errors import KeyferryError
from longer import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMMAND = "from keyferry.cli.__main__ import main\nmain()\n"
_EXECUTE = "import os, sys\nos.execvpe(sys.argv[1], sys.argv[1:], os.environ)\n"
_ROOT = Path(__file__).parents[2]
_COUNTED = "KEYFERRY_TEST_COVERAGE"
_MOST = 1 << 18  # bytes of a request


def run(
    arguments: Sequence[str], *, given: str, environment: Mapping[str, str], limit: float, script: str = COMMAND
) -> subprocess.CompletedProcess[str]:
    """Run the command line with this input; `script` is what its process executes.

    Raises TimeoutExpired after `limit` seconds, the process being killed.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(given.encode(errors="surrogateescape"))
        stdin.seek(0)
        status = _ended([*arguments], script, environment, [stdin.fileno(), out.fileno(), err.fileno()], limit)
        for stream in (out, err):
            stream.seek(0)
        text, complaint = (stream.read().decode(errors="surrogateescape") for stream in (out, err))
        return subprocess.CompletedProcess(arguments, status, text, complaint)


def execute(command: Sequence[object], *, given: str = "", limit: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program without a terminal; an emulated tool or a Python program runs in the fork (in_fork.py)."""
    words = [str(word) for word in command]
    return run(words, given=given, environment=os.environ, limit=limit, script=_EXECUTE)


def _ended(arguments: list[str], script: str, environment: Mapping[str, str], streams: list[int], limit: float) -> int:
    """The exit status, as subprocess gives it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        request = json.dumps([arguments, script, dict(environment), str(Path.cwd())])
        socket.send_fds(_server(), [request.encode()], [*streams, theirs.fileno()])
        theirs.close()
        pid = int(ours.recv(32))
        ours.settimeout(limit)
        try:
            return int(ours.recv(32))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(arguments, limit) from None


@functools.cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno())]
    with theirs:
        server = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> None:
    with _counted() if _COUNTED in os.environ else contextlib.nullcontext():
        for module in pkgutil.walk_packages(keyferry.__path__, "keyferry."):
            importlib.import_module(module.name)
    importlib.import_module("player")
    _load_typers_own()
    in_fork.install()
    if not LONG:
        primes.install()
    gc.freeze()  # else each child's collector touches, and so copies, all of this
    running: dict[int, tuple[int, socket.socket]] = {}  # by its pidfd: a command, and who asked for it
    with selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not requests:
                    ready.unregister(key.fd)
                    _tell_end(*running.pop(key.fd))
                    os.close(key.fd)
                    continue
                request, descriptors, _flags, _address = socket.recv_fds(requests, _MOST, 4)
                if not request:
                    return
                *streams, answers = descriptors
                pid = os.fork()
                if pid == 0:
                    _become(json.loads(request), streams)
                for stream in streams:
                    os.close(stream)
                answer = socket.socket(fileno=answers)
                answer.send(str(pid).encode())
                ends = os.pidfd_open(pid)
                running[ends] = (pid, answer)
                ready.register(ends, selectors.EVENT_READ)


def _tell_end(pid: int, answer: socket.socket) -> None:
    """The end of a command, which it may not live to tell itself."""
    with answer, contextlib.suppress(OSError):  # who asked may have given up
        answer.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _load_typers_own() -> None:
    """What typer loads when it first reads options, by reading some."""
    from keyferry.cli.migrate import migrate  # noqa: PLC0415 - in the server only

    app = typer.Typer()
    app.command()(migrate)
    with contextlib.suppress(KeyferryError):
        app(["--config", str(Path(__file__) / "none")], standalone_mode=False)


def _become(request: tuple[list[str], str, dict[str, str], str], streams: list[int]) -> NoReturn:
    arguments, script, environment, folder = request
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # of the server and of other commands
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = ["keyferry", *arguments]
    sys.path.remove(str(Path(__file__).parent))
    status = 1
    try:
        with _counted() if _is_counted(environment) else contextlib.nullcontext():
            status = in_fork.status_of(functools.partial(_run_script, script))
        threading._shutdown()  # type: ignore[attr-defined] # what the interpreter itself does at its end
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _run_script(script: str) -> None:
    exec(compile(script, "<command>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what the test wrote


def _is_counted(environment: Mapping[str, str]) -> bool:
    """In `.ci/run`, for the commands of a third of the tests in tests/cli: the many others pass by the same lines."""
    test = environment.get("PYTEST_CURRENT_TEST", "")
    return _COUNTED in environment and test.startswith("tests/cli/") and zlib.crc32(test.encode()) % 3 == 0


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    """The lines that run are counted for `.ci/run`."""
    import coverage  # noqa: PLC0415 - only there

    counter = coverage.Coverage(
        data_file=str(_ROOT / ".coverage"), data_suffix=True, config_file=str(_ROOT / "pyproject.toml")
    )
    counter.start()
    try:
        yield
    finally:
        counter.stop()
        counter.save()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
