"""`Emulator`: the emulator in a process of its own, for tests of programs that call model APIs."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from adapters.emulator._errors import settings_error
from adapters.emulator.answers import Prompt, expected_answer
from adapters.emulator.faults import Rule, read_rules, read_script
from adapters.emulator.records import LogRecord

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Emulator", "Rules", "require_extra"]

Rules = str | Path | Iterable[str | Mapping[str, object] | Rule]

# The child sees the packages that the parent sees, however the parent came to see them.
_CHILD = """\
import json, sys
settings = json.loads(sys.stdin.readline())
sys.path[:] = settings["path"]
from adapters.emulator._launch import main
main(settings)
"""

_NOT_RUNNING = "the emulator is not running: use it in a with block, or call start()"
# Seconds; the process needs some tenths to end, and some milliseconds to answer.
_STOP_TIMEOUT = 5.0
_CONTROL_TIMEOUT = 10.0


def require_extra() -> None:
    """Raise `ModuleNotFoundError` with what to install, where the emulator's extra is missing."""
    for name in ("starlette", "uvicorn"):
        if importlib.util.find_spec(name) is None:
            message = f"the emulator needs {name}: pip install 'resilience-adapters[emulator]'"
            raise ModuleNotFoundError(message, name=name)


class Emulator:
    """A local server that speaks the providers' protocols, with faults on demand.

    ```python
    from adapters import openai
    from adapters.emulator import Emulator

    with Emulator(faults=["429:nth=1,retry_after=1"]) as server:
        client = openai.Client(base_url=server.base_url("openai"), keys=server.keys("openai"))
        answer = client.chat("gpt-4o-mini", "hello")

        assert server.expected_answer("hello") == answer.text
        assert [429, 200] == [record.status for record in server.log()]
    ```

    The process starts with `start()` or `with` and ends with `close()`, at the end of the `with`
    block, or with this process, however that ends.
    All methods may be called from any thread.

    Args:
        seed: Answers, keys and chance are made from it; equal seeds give equal runs.
        faults: Rules that come first: texts as on the command line, mappings, or `Rule`.
        script: More rules, or the path of a file with them.
        keys: Name to secret, good for every provider; by default each makes two of its own.
        port: The port on 127.0.0.1; 0 takes a free one.
        log: The path of a file that gets a line of JSON for each request that has ended.
        start_timeout: Seconds that starting may take.

    Raises:
        SettingsError: a rule or a script is not right; from `start()`, the port is in use, the
            log cannot be written, or a rule names what does not exist.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Iterable[str | Mapping[str, object] | Rule] = (),
        script: Rules | None = None,
        keys: Mapping[str, str] | None = None,
        port: int = 0,
        log: str | Path | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self.seed = seed
        self._faults = read_rules(faults)
        self._settings = {
            "rules": [rule.as_dict() for rule in [*self._faults, *_read(script)]],
            "seed": seed,
            "keys": dict(keys) if keys else None,
            "port": port,
            "log": None if log is None else str(log),
        }
        self._start_timeout = start_timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._providers: dict[str, dict[str, Any]] = {}
        self._owner = 0

    def start(self) -> Self:
        """Start the process and wait until it answers; does nothing if it runs already.

        Raises:
            SettingsError: see the class.
            RuntimeError: it ended, or was not ready within `start_timeout` seconds.
        """
        with self._lock:
            if self._process is None:
                require_extra()
                self._owner = os.getpid()
                self._launch()
        return self

    def close(self) -> None:
        """End the process; does nothing if it has ended, or in a fork of the one that began it."""
        with self._lock:
            if self._process is not None and self._owner == os.getpid():
                self._stop(self._process)

    def __repr__(self) -> str:
        addresses = [provider["base_url"] for provider in self._providers.values()]
        return f"<Emulator at {urlsplit(addresses[0]).netloc}>" if addresses else "<Emulator>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def base_url(self, provider: str = "openai") -> str:
        """Give the `base_url` for a client of a provider."""
        return str(self._describe(provider)["base_url"])

    def keys(self, provider: str = "openai") -> dict[str, str]:
        """Give the keys that a provider accepts, secrets by their names."""
        return dict(self._describe(provider)["keys"])

    def credentials(self, provider: str = "s3") -> dict[str, dict[str, str]]:
        """Give the parts of each key of a provider whose keys have several, by their names."""
        found: dict[str, dict[str, str]] = self._describe(provider).get("credentials", {})
        return found

    def expected_answer(self, prompt: Prompt, *, choice: int = 0) -> str:
        """Give the text that every model here answers; see `expected_answer`."""
        return expected_answer(prompt, seed=self.seed, choice=choice)

    def log(self, since: int = 0) -> list[LogRecord]:
        """Give a copy of the records from number `since` on, in the order of arrival."""
        records = self._control("GET", f"/_emulator/log?since={since}")
        return [LogRecord(**record) for record in cast("list[dict[str, Any]]", records)]

    def reset(self) -> None:
        """Forget the log and what was stored, begin clock and script anew; keys and rules stay."""
        self._control("POST", "/_emulator/reset")

    def script(self, rules: Rules = ()) -> None:
        """Play another script, its clock beginning now; without rules no fault strikes any more.

        The rules of `faults` are replaced as well; the log goes on.

        Raises:
            SettingsError: a rule is not right.
        """
        self._control("PUT", "/_emulator/script", [rule.as_dict() for rule in _read(rules)])

    def _launch(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = process = subprocess.Popen(  # noqa: S603 - this interpreter, our own text
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # A Ctrl-C in the terminal is for the parent: it still wants to read the log.
            start_new_session=True,
        )
        # A child that hangs before it is ready is killed: its output ends, and so does the wait.
        watchdog = threading.Timer(self._start_timeout, process.kill)
        watchdog.start()
        try:
            said = _talk(process, {**self._settings, "path": sys.path})
        except BaseException:
            self._stop(process)
            raise
        finally:
            watchdog.cancel()
            watchdog.join()  # no thread is left over: a program may want to fork
        if not isinstance(said, list):
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT)  # its last words may still be on their way
            reason = self._last_words()
            self._stop(process)
            raise _failure(said, reason)
        self._providers = {str(each["provider"]): each for each in said}

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        _close(process.stdin)
        # A fork of this process may hold the pipe open: its end alone is no reliable sign.
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process.stdout)
        _close(self._errors)
        self._process = None
        self._providers = {}

    def _describe(self, provider: str) -> dict[str, Any]:
        if not self._providers:
            raise RuntimeError(_NOT_RUNNING)
        if provider not in self._providers:
            rule = f"must be one of {', '.join(self._providers)}"
            raise settings_error("provider", rule, provider)
        return self._providers[provider]

    def _control(self, method: str, path: str, body: object = None) -> object:
        """Ask the process; a connection for each request, so that threads share nothing."""
        if not self._providers:
            raise RuntimeError(_NOT_RUNNING)
        port = urlsplit(next(iter(self._providers.values()))["base_url"]).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CONTROL_TIMEOUT)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            raise RuntimeError(f"the emulator does not answer: {self._last_words()}") from error
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise _failure(answer, "")
        return cast("object", answer)

    def _last_words(self) -> str:
        """Give the last line that the process wrote to its standard error."""
        if self._errors is None or self._errors.closed:
            return _NOT_RUNNING
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _read(rules: Rules | None) -> list[Rule]:
    if isinstance(rules, str | Path):
        return read_script(rules)
    return read_rules(rules or ())


def _talk(process: subprocess.Popen[bytes], settings: object) -> object:
    """Tell the child its settings and give its first line; None where it has ended before."""
    to_child, from_child = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    try:
        to_child.write(json.dumps(settings).encode() + b"\n")
        to_child.flush()
    except BrokenPipeError:
        return None
    line = from_child.readline()
    return json.loads(line) if line else None


def _failure(said: object, reason: str) -> Exception:
    """Make the error of what the process said; None: it said nothing and has ended."""
    if not isinstance(said, dict):
        return RuntimeError(f"the emulator did not start: {reason}")
    return settings_error(said["setting"], said["rule"], said["value"], said["message"])


def _close(file: IO[bytes] | None) -> None:
    if file is not None:
        file.close()
