from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from keyferry import __version__
from keyferry.cli.output import crash, helptexts, render, streams
from keyferry.errors import InternalError, InterruptedRunError, KeyferryError
from keyferry.former import FORMER_SECTIONS, renamed
from keyferry.terminal import signals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

app = typer.Typer(
    name="keyferry",
    help="Migrate symmetric keys between HSMs with the vendors' own tools, and record everything.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
COMMANDS = {
    "rehearse": "rehearse",
    "plan": "plan",
    "migrate": "migrate",
    "explain": "explain",
    "doctor": "doctor",
    "verify": "verify",
    "sign": "verify",
    "status": "runs",
    "resume": "runs",
    "resolve": "runs",
    "cleanup": "runs",
    "config": "config",
    "inventory": "inventory",
    "parse": "parse",
    "kmu": "tools.kmu",
    "cloudhsm-cli": "tools.cloudhsm_cli",
    "ckdemo": "tools.ckdemo",
    "cmu": "tools.cmu",
    "vtl": "tools.vtl",
    "emulator": "emulator",
    "transcript": "transcript",
    "report": "report",
}
"""In the order of `--help`, with their modules: a Typer `app` there is a group, else a function has the name."""


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"keyferry {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before a command."""


def _register(typed: Sequence[str]) -> None:
    """Load the command that was typed; all of them only where that is none, as for `--help`: start-up."""
    for name in typed[:1] if typed[:1] and typed[0] in COMMANDS else COMMANDS:
        module = importlib.import_module(f"keyferry.cli.{COMMANDS[name]}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))


def _reject_former(words: Sequence[str]) -> None:
    """UsageError for a word of Keyferry 0.1 that has another name now; what follows `--` is not looked at."""
    words = words[: words.index("--")] if "--" in words else words
    for before, word in zip(("", *words), words, strict=False):
        side = FORMER_SECTIONS.get(word)
        if side and before in ("inventory", "--side"):
            raise renamed(f"{before} {word}", f"{before} {side}")
        option, equals, value = word.partition("=")
        for former, now in FORMER_SECTIONS.items():
            if option == f"--{former}-bin":
                raise renamed(option, f"--{now}-bin")
            if (option, equals, value) == ("--side", "=", former):
                raise renamed(word, f"--side={now}")


class _Stopped(BaseException):
    """SIGTERM or SIGHUP where no run listens for it: all is left in good order, as a terminal with its echo on.

    No KeyboardInterrupt, which Typer takes for a SIGINT.
    """


def _stop(number: int, _frame: FrameType | None) -> None:
    if signals.SIGNALLED.counts(number):
        raise KeyboardInterrupt if number == signal.SIGINT else _Stopped(number)


def _interrupted(number: int) -> int:
    error = InterruptedRunError(number)
    error.hint = "`keyferry status RUN` shows how far the run got, if one had started"
    return render.report(error)


def _deaf() -> None:
    """All is done but to tell it: a signal from now on changes neither what is told nor the exit code."""
    for number in signals.SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _command() -> None:
    _reject_former(sys.argv[1:])
    _register(sys.argv[1:])
    helptexts.name_values()
    try:
        app()
    finally:
        sys.stdout.flush()


def main() -> None:
    """The console script: our errors told as the user needs them, with their exit codes."""
    streams.mend()
    streams.mend_environment()
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # as a parent may leave it: no child's end could be seen
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in signals.SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a background job of a shell
            signal.signal(number, _stop)
    try:
        _command()
    except KeyferryError as error:
        _deaf()
        sys.exit(crash.report(error) if isinstance(error, InternalError) else render.report(error))
    except (_Stopped, KeyboardInterrupt) as signalled:
        _deaf()
        sys.exit(_interrupted(*signalled.args or (signal.SIGINT,)))
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - no traceback, whatever happens
        _deaf()
        sys.exit(crash.report(error))
    finally:
        _deaf()


if __name__ == "__main__":
    main()
