"""The emulator's process, from the inside: bind, announce, serve, stop.

Stops on SIGTERM, on SIGINT, and, where asked to, when its standard input ends: that happens when
the parent closes it and also when the parent crashes, so that no emulator outlives its user.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import uvicorn

from adapters.emulator._errors import describe_error, settings_error
from adapters.emulator.app import make_app
from adapters.emulator.control import describe_providers
from adapters.emulator.faults import Rule
from adapters.emulator.state import EmulatorState
from adapters.emulator.wire import wire_protocol

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Launch", "main", "serve"]

# The emulator is for programs on this machine only: its keys are no secrets.
_HOST = "127.0.0.1"
# Seconds. An idle connection that the server closes would look like a fault that nobody asked for.
_KEEP_ALIVE = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start: see `Emulator` for the meaning of each."""

    rules: Sequence[Rule] = ()
    seed: int = 0
    keys: Mapping[str, str] | None = None
    port: int = 0
    log: str | None = None
    exit_with_parent: bool = False


def serve(launch: Launch, announce: Callable[[list[dict[str, object]]], None]) -> None:
    """Serve until told to stop.

    Args:
        launch: How to start.
        announce: Called once, when requests are accepted, with a mapping for each provider.

    Raises:
        SettingsError: a rule, the port or the log cannot be used; nothing has been started.
    """
    state = EmulatorState(launch.rules, seed=launch.seed, keys=launch.keys)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(launch.port))
        if launch.log is not None:
            state.log.write_to(stack.enter_context(_open_log(launch.log)))
        origin = f"http://{_HOST}:{listener.getsockname()[1]}"
        server = _Server(state, lambda: announce(describe_providers(state, origin)))
        if launch.exit_with_parent:
            threading.Thread(target=_await_end_of_input, args=(server.stop,), daemon=True).start()
        asyncio.run(server.serve(sockets=[listener]))


def _listen(port: int) -> socket.socket:
    # Named, or asyncio would not know that it is TCP and leave Nagle's algorithm on: 40 ms each.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A port that was in use a moment ago is free; one that is listened on is not.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        rule = f"must be a free port on {_HOST} ({error.strerror})"
        raise settings_error("port", rule, port) from error
    return listener


def _open_log(path: str) -> TextIO:
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        rule = f"must be a file that can be written ({error.strerror})"
        raise settings_error("log", rule, path) from error


def _await_end_of_input(stop: Callable[[], None]) -> None:
    # Not through `sys.stdin`: its lock would be held at exit, and the interpreter would abort.
    # Where it is None, the input was closed from the start, and 0 is now some other file.
    while sys.stdin is not None and os.read(0, 4096):  # pyright: ignore[reportUnnecessaryComparison]
        pass
    stop()


class _Server(uvicorn.Server):
    """uvicorn that says when it listens, and that stops at once and with exit code 0."""

    def __init__(self, state: EmulatorState, announce: Callable[[], None]) -> None:
        config = uvicorn.Config(
            make_app(state),
            http=cast("type[asyncio.Protocol]", wire_protocol),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Answers that hang on purpose would otherwise be waited for.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets=sockets)

    def stop(self) -> None:
        """Stop soon; may be called from any thread."""
        self.force_exit = self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's own would raise the signal again when all is done: no clean exit code.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` outlives its terminal
            signal.signal(signal.SIGHUP, self._on_signal)
        yield

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()


def main(settings: Mapping[str, object]) -> None:
    """Serve as the child of an `Emulator`: settings in, one line of JSON out, then requests."""
    rules = [Rule.of(rule) for rule in cast("list[dict[str, object]]", settings["rules"])]
    launch = Launch(
        rules=rules,
        seed=cast("int", settings["seed"]),
        keys=cast("dict[str, str] | None", settings["keys"]),
        port=cast("int", settings["port"]),
        log=cast("str | None", settings["log"]),
        exit_with_parent=True,
    )
    try:
        serve(launch, _say)
    except ValueError as error:
        _say(describe_error(error))
        sys.exit(2)


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
