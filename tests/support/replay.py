"""Stands in a tool's place on a pty: gives a recording's output and demands the input that was recorded.

    python -m replay RECORDING --secrets FILE [-- ARGUMENT ...]

FILE is a JSON object of secrets by name; it is for tests, whose secrets are none. A tool's side effects on
files are no part of a recording. Where `NNN-TOOL.files.json` lies beside `NNN-TOOL.cast` it is a list of
{"after_input": K, "name": NAME, "base64": DATA}: the file is written to the working directory as soon as K
lines (secrets among them) were typed, before the output that followed; K is 0 for a file of the start.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.recording.reader import read
from keyferry.recording.redactor import Redactor
from keyferry.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FAILED = 86
"""Exit status where what was typed is not what the recording has; no tool of ours ends so."""

_STDIN, _STDOUT = 0, 1


class DepartedError(Exception):
    """What was typed, or the arguments, are not those of the recording."""


class Player:
    """Plays one recording on this process's terminal, secrets demanded by name."""

    def __init__(self, path: Path, secrets: Mapping[str, str]) -> None:
        self._path = path
        self._recording = read(path)
        self._secrets = {name: Secret(name, value.encode()) for name, value in secrets.items()}
        self._redactor = Redactor(self._secrets.values())
        self._files = _side_effects(path)
        self._typed = b""

    def play(self, arguments: Sequence[str] | None = None) -> int:
        """Play to the end; gives the recorded exit status, or FAILED. arguments: None are not looked at."""
        with _raw_terminal():
            try:
                self._demand_arguments(arguments)
                self._converse()
                return self._end()
            except DepartedError as departed:
                _write(f"\r\nREPLAY: {departed}\r\n".encode())
                return FAILED

    def _converse(self) -> None:
        inputs = 0
        self._make_files(inputs)
        lines = [event.line for event in self._recording.events if event.code in {"o", "i", "s"}]
        for line, (code, data) in zip(lines, self._recording.conversation(), strict=True):
            if code == "o":
                _write(self._with_secrets(data))
                continue
            self._demand(line, code, data)
            if code == "s" or data.endswith(b"\r"):
                inputs += 1
                self._make_files(inputs)

    def _demand_arguments(self, arguments: Sequence[str] | None) -> None:
        recorded = self._recording.header.get("argv")
        if arguments is not None and isinstance(recorded, list) and recorded[1:] != list(arguments):
            raise self._departed(1, f"the arguments {recorded[1:]}", str(list(arguments)))

    def _demand(self, line: int, code: str, data: bytes) -> None:
        if code == "i" and not data.endswith(b"\r"):
            self._demand_keys(line, data)
            return
        got = self._read_line()
        if code == "s":
            name = data.decode()
            if name not in self._secrets or got != self._secrets[name].reveal():
                raise self._departed(line, f"the secret {name}", self._shown(got))
        elif self._shown(got) != (wanted := repr(data.removesuffix(b"\r").decode())):
            raise self._departed(line, wanted, self._shown(got))

    def _demand_keys(self, line: int, wanted: bytes) -> None:
        """What is typed to a line editor, which shows it before the return key is pressed."""
        while len(self._typed) < len(wanted) and wanted.startswith(self._typed):
            if not self._read_more():
                raise self._departed(line, repr(wanted.decode()), self._shown(None))
        got, self._typed = self._typed[: len(wanted)], self._typed[len(wanted) :]
        if got != wanted:
            raise self._departed(line, repr(wanted.decode()), self._shown(got))

    def _with_secrets(self, output: bytes) -> bytes:
        """What the tool printed: a secret in it (the echo of one typed in a command) is recorded by its name."""
        for name, secret in self._secrets.items():
            output = output.replace(f"[{name}]".encode(), secret.reveal())
        return output

    def _end(self) -> int:
        statuses = [event.data for event in self._recording.events if event.code == "x"]
        if statuses and statuses[-1] != "signal":
            return int(statuses[-1])
        # Whoever recorded this ended the tool, which waited: so does this, and the hang-up ends it too.
        if (got := self._read_line()) is not None:
            raise self._departed(len(self._recording.events) + 1, "nothing more", self._shown(got))
        return FAILED

    def _shown(self, line: bytes | None) -> str:
        """A typed line as a recording would have it."""
        if line is None:
            return "the end"
        text = self._redactor.text(line.decode("utf-8", "surrogateescape"))
        return repr(text.encode("utf-8", "replace").decode())

    def _departed(self, line: int, wanted: str, got: str) -> DepartedError:
        return DepartedError(f"line {line} of {self._path.name}: wanted {wanted}, got {got}")

    def _make_files(self, inputs: int) -> None:
        for effect in self._files.get(inputs, ()):
            name = Path(str(effect["name"])).name
            descriptor = os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64decode(str(effect["base64"])))

    def _read_line(self) -> bytes | None:
        """One typed line without its newline; None where the other side is gone."""
        while b"\n" not in self._typed:
            if not self._read_more():
                return None
        line, _, self._typed = self._typed.partition(b"\n")
        return line

    def _read_more(self) -> bool:
        try:
            chunk = os.read(_STDIN, 65536)
        except OSError:  # EIO: the other end of the pty is closed
            return False
        self._typed += chunk
        return bool(chunk)


def _side_effects(path: Path) -> dict[object, list[dict[str, object]]]:
    """The files to write, by how many lines were typed before."""
    beside = path.with_suffix(".files.json")
    found: dict[object, list[dict[str, object]]] = {}
    for effect in json.loads(beside.read_bytes()) if beside.exists() else []:
        found.setdefault(effect["after_input"], []).append(effect)
    return found


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_STDOUT, data) :]


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Echo off, for the recorded echo is the echo; output as it is, for its line ends are recorded too; and typed
    keys at once, for an editor shows them before their line ends.
    """
    before = termios.tcgetattr(_STDIN)
    quiet = [*before]
    quiet[1] = before[1] & ~termios.OPOST
    quiet[3] = before[3] & ~(termios.ECHO | termios.ECHONL | termios.ICANON)
    termios.tcsetattr(_STDIN, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(_STDIN, termios.TCSANOW, before)


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    own, arguments = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, None)
    parser = argparse.ArgumentParser(prog="python -m replay")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--secrets", type=Path, required=True)
    asked = parser.parse_args(own)
    return Player(asked.recording, json.loads(asked.secrets.read_bytes())).play(arguments)


if __name__ == "__main__":
    sys.exit(main())
