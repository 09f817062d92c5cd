"""A loopback port that passes everything on to another, until it is told to cut, to fall silent or to trickle."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Relay:
    """A context manager. `delay` seconds before each piece of at most `piece` bytes, in both directions."""

    def __init__(self, port: int, *, delay: float = 0.0, piece: int = 65536) -> None:
        self._target = port
        self._delay, self._piece = delay, piece
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._silent, self._over = threading.Event(), threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        for thread in self._threads:
            thread.join()
        for one in [self._listener, *self._open]:
            one.close()

    def cut(self) -> None:
        """Both ends see the connection end, and no other is made."""
        self._over.set()
        for one in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Nothing passes any more, and neither end is told."""
        self._silent.set()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _address = self._listener.accept()
            except OSError:
                return
            self._open.append(near)
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open.append(far)
            for ends in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pass, args=ends))
                self._threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self._piece):
                if self._silent.is_set():
                    self._over.wait()
                    return
                if self._delay:
                    self._over.wait(self._delay)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
