"""Counts and times, as a table: `python tests/benchmarks/run.py [--long] [keys] [dialogue] [answers]` (README.md)."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import answers
from counting import Job
from dialogue import Dialogue, count

from keyferry.emulator import install
from runner import PASSWORD, PIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SIZES, LONG_SIZE = (10, 100, 1000, 3298), 9000
DIALOGUE_KEYS, FEW_KEYS = 1000, 20
MB = 2**20


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print("", f"| {' | '.join(head)} |", "|" + "---|" * len(head), sep="\n")  # noqa: T201 - a command's output
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)  # noqa: T201 - as above


def keys(folder: Path, *, long: bool) -> None:
    """What one key costs, in runs on the emulator of ever more keys."""
    sizes = (*SIZES, LONG_SIZE) if long else SIZES
    runs = {size: _emulated(folder / str(size), size) for size in sizes}
    head = (
        "keys",
        "verified",
        "prompts",
        "bytes read",
        "fsyncs",
        "CPU ms",
        "of that at 100",
        "peak MB",
        "of that at 100",
    )
    base, memory = runs[100]["cpu"] / 100, runs[100]["memory"]
    table(
        head,
        (
            (
                size,
                run["verified"],
                *(f"{run[name] / size:.1f}" for name in ("prompts", "bytes", "fsyncs")),
                f"{run['cpu'] / size * 1000:.2f}",
                f"{run['cpu'] / size / base:.2f}",
                f"{run['memory'] / MB:.1f}",
                f"{run['memory'] / memory:.2f}",
            )
            for size, run in runs.items()
        ),
    )


def _emulated(folder: Path, size: int) -> dict[str, Any]:
    install.create(folder, keys=size)
    config = folder / "keyferry.toml"
    config.write_text(
        config.read_text().replace("[destination]\n", f"[destination]\nkey_quota = {max(3300, size + 2)}\n")
    )
    words = [(folder / "secrets" / name).read_text() for name in ("pin", "password")]
    secrets = dict(zip((PIN, PASSWORD), words, strict=True))
    return count(Job(str(config), str(folder / "run"), "5e1f1e55", secrets))


def dialogue(folder: Path, **_: bool) -> None:
    """The same dialogue by four drivers; then with delays, all at once, for they wait nearly all the time."""
    whole, few = Dialogue(folder / "whole", DIALOGUE_KEYS), Dialogue(folder / "few", FEW_KEYS)
    without, durable = whole.keyferry(fsync=False), whole.keyferry()
    expect, blind, plain = whole.expect(), whole.blind(), few.pexpect()
    scale = whole.prompts / few.prompts
    table(
        ("driver", "wall s", "CPU s", "CPU of expect's", "wall of expect's"),
        (
            (name, f"{wall:.1f}", f"{cpu:.2f}", f"{cpu / (expect.cpu or 1):.1f}", f"{wall / expect.wall:.1f}")
            for name, wall, cpu in (
                ("(a) Keyferry, fsync off", without["wall"], without["cpu"]),
                (f"(a) Keyferry, {durable['fsyncs']} fsyncs", durable["wall"], durable["cpu"]),
                ("(b) Tcl expect", expect.wall, expect.cpu or 0),
                (
                    f"(c) pexpect's defaults, {FEW_KEYS} keys, times {scale:.0f}",
                    plain.wall * scale,
                    (plain.cpu or 0) * scale,
                ),
                ("(d) piped in blind", blind.wall, 0),
            )
        ),
    )
    _delayed(whole, few)


def _delayed(whole: Dialogue, few: Dialogue) -> None:
    asked: dict[tuple[str, int, int], Callable[[], float]] = {
        ("(a) Keyferry", 20, whole.prompts): lambda: float(whole.keyferry(delay=0.02)["wall"]),
        ("(b) Tcl expect", 20, whole.prompts): lambda: whole.expect(delay=0.02).wall,
        ("(a) Keyferry", 100, few.prompts): lambda: float(few.keyferry(delay=0.1)["wall"]),
        ("(b) Tcl expect", 100, few.prompts): lambda: few.expect(delay=0.1).wall,
    }
    with ThreadPoolExecutor(len(asked)) as pool:
        walls = list(pool.map(lambda run: run(), asked.values()))
    table(
        ("driver", "delay ms", "prompts", "wall s", "of the delays"),
        (
            (name, delay, prompts, f"{wall:.1f}", f"{wall / (prompts * delay / 1000):.3f}")
            for (name, delay, prompts), wall in zip(asked, walls, strict=True)
        ),
    )


def long_answers(folder: Path, **_: bool) -> None:
    folder.mkdir()
    rows = [(size, answers.seconds(folder / str(size), size * MB)) for size in (1, 4, 7)]
    head = ("answer MB", "CPU ms", "CPU ms for each MB")
    table(head, [(size, f"{used * 1000:.0f}", f"{used * 1000 / size:.0f}") for size, used in rows])
    table(("answer MB", "exit code"), [(20, answers.end(folder / "20", 20 * MB))])


PARTS: dict[str, Callable[..., None]] = {"keys": keys, "dialogue": dialogue, "answers": long_answers}


def main(words: Sequence[str]) -> None:
    chosen = [word for word in words if word != "--long"] or list(PARTS)
    machine = (
        f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    )
    now, load = datetime.now(UTC), os.getloadavg()[0]
    print(f"{now:%Y-%m-%d %H:%M} UTC, {machine}, load {load:.1f} at the start")  # noqa: T201 - a command's output
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder) / name, long="--long" in words)


if __name__ == "__main__":
    main(sys.argv[1:])
