"""The options that every command which talks to tools takes, and the settings they make."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from keyferry import config
from keyferry.errors import UsageError

_SOURCES = "prompt, fd:N, file:PATH, cmd:ARGV or env:NAME"
_TOOLS: dict[str, tuple[tuple[str, str], Any]] = {
    "source_host": (
        ("source", "host"),
        Annotated[
            str | None, typer.Option("--source-host", metavar="HOST", help="What ssh accepts; empty: this machine.")
        ],
    ),
    "destination_host": (
        ("destination", "host"),
        Annotated[
            str | None,
            typer.Option("--destination-host", metavar="HOST", help="What ssh accepts; empty: this machine."),
        ],
    ),
    "destination_tool": (
        ("destination", "tool"),
        Annotated[
            str | None,
            typer.Option("--destination-tool", metavar="TOOL", help="cloudhsm-cli or key_mgmt_util."),
        ],
    ),
    "source_bin": (
        ("source", "bin"),
        Annotated[str | None, typer.Option("--source-bin", metavar="DIR", help="Where vtl, cmu and ckdemo are.")],
    ),
    "destination_bin": (
        ("destination", "bin"),
        Annotated[
            str | None, typer.Option("--destination-bin", metavar="DIR", help="Where the tool of the cluster is.")
        ],
    ),
    "slot": (
        ("source", "slot"),
        Annotated[
            str | None,
            typer.Option(
                "--slot", "--source-slot", metavar="[number:|label:|serial:]VALUE", help="The partition or HA group."
            ),
        ],
    ),
    "pin": (
        ("source", "pin"),
        Annotated[
            str | None,
            typer.Option("--pin", "--source-pin", metavar="SOURCE", help=f"Of the partition: {_SOURCES}."),
        ],
    ),
    "user": (
        ("destination", "user"),
        Annotated[
            str | None,
            typer.Option("--user", "--destination-user", metavar="NAME", help="The crypto user on the cluster."),
        ],
    ),
    "password": (
        ("destination", "password"),
        Annotated[
            str | None,
            typer.Option(
                "--password", "--destination-password", metavar="SOURCE", help=f"Of the crypto user: {_SOURCES}."
            ),
        ],
    ),
    "wrapping_label": (
        ("wrapping", "label"),
        Annotated[
            str | None,
            typer.Option(
                "--wrapping-label",
                metavar="LABEL",
                help="Label of the wrapping pair. Default: classic_wrap_ and the run's ID.",
            ),
        ],
    ),
    "allow_raised_counter": (
        ("run", "allow_raised_counter"),
        Annotated[
            bool | None,
            typer.Option("--allow-raised-counter", help="Send a secret once even if its failure counter is raised."),
        ],
    ),
}
_FILE = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration file. Default: ./keyferry.toml.")
]
_PROFILE = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Settings under \\[profile.NAME] come first.",
    ),
]

_AGAIN: dict[str, Any] = {
    "type_again": Annotated[
        bool | None,
        typer.Option("--type-again", help="Send a secret once more even if its last login was rejected or unfinished."),
    ],
    "reason": Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the record; goes with --type-again.")
    ],
}


class Side(StrEnum):
    """One side of a migration, for a host that has no access to the other."""

    SOURCE = "source"
    DESTINATION = "destination"


OneSide = Annotated[Side | None, typer.Option("--side", help="Only this side, on a host without the other's tools.")]


def sides_of(side: Side | None) -> tuple[str, ...]:
    """Return the sides that a command works on."""
    return tuple(Side) if side is None else (side.value,)


def _new_file(path: Path) -> Path:
    if path.exists() or not path.absolute().parent.is_dir():
        what = "is there already" if path.exists() else "is in no folder"
        raise UsageError(f"{path} {what}", keys="nothing was started", hint="name a new file")
    return path


NewFile = Annotated[
    Path, typer.Option("--out", metavar="FILE", callback=_new_file, help="Output file; must not exist yet.")
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that logs in the options of both sides; it gets them as `settings`, a Config."""
    return _with(_TOOLS, command)


def with_settings_alone(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that logs in nowhere."""
    return _with(_TOOLS, command, logs_in=False)


def with_source(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that logs in to the partition alone."""
    return _with(("source_host", "source_bin", "slot", "pin", "allow_raised_counter"), command)


def with_destination(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that logs in to the cluster alone."""
    return _with(("destination_host", "destination_bin", "user", "password", "allow_raised_counter"), command)


def with_vtl(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that asks vtl, which takes no secret."""
    return _with(("source_host", "source_bin"), command, logs_in=False)


def _again(type_again: bool | None = None, reason: str | None = None) -> config.TypeAgain | None:
    if reason is not None and not type_again:
        raise UsageError("--reason goes with --type-again", keys="nothing was started")
    if reason is not None and not reason.strip():
        raise UsageError("--reason is empty", keys="nothing was started")
    return config.TypeAgain(reason) if type_again else None


def _with(names: Iterable[str], command: Callable[..., None], *, logs_in: bool = True) -> Callable[..., None]:
    tools = {name: _TOOLS[name] for name in names}
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    own = [parameter for parameter in parameters if parameter.name != "settings"]

    @functools.wraps(command)
    def run(**arguments: Any) -> None:  # noqa: ANN401 - whatever typer parsed
        flags = {place: arguments.pop(name) for name, (place, _kind) in tools.items()}
        file, profile = arguments.pop("config_file"), arguments.pop("profile")
        settings = config.load(file, flags, profile)
        if again := _again(**{name: arguments.pop(name) for name in _AGAIN} if logs_in else {}):
            settings = settings.typing_again(again)
        command(settings=settings, **arguments)

    kinds = {name: kind for name, (_place, kind) in tools.items()} | {"config_file": _FILE, "profile": _PROFILE}
    kinds |= _AGAIN if logs_in else {}
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in kinds.items()
    ]
    run.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined] # how typer reads options
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + shared}
    return run
