"""What lives as long as the emulator: seed, keys, script, log, memories and the two clocks.

One event loop owns all of it, so nothing here takes a lock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from adapters.emulator._errors import settings_error
from adapters.emulator.faults import Rule
from adapters.emulator.records import RequestLog
from adapters.emulator.registry import PROVIDERS
from adapters.emulator.script import Script

__all__ = ["EmulatorState", "check_names", "keys_of"]


def keys_of(seed: int, keys: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    """Give the keys of each provider: those that were given, else those that it makes itself."""
    return {
        name: dict(keys) if keys else provider.keys(seed) for name, provider in PROVIDERS.items()
    }


class EmulatorState:
    """The state behind all requests.

    Args:
        rules: The script, in order.
        seed: What answers, keys and chance are made from.
        keys: Name to secret, good for every provider; None: each provider makes its own.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        seed: int = 0,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.seed = seed
        self.keys = keys_of(seed, keys)
        self.log = RequestLog()
        self._began = time.monotonic()
        self.memory = _memories()
        self.play(rules)

    def play(self, rules: Sequence[Rule]) -> None:
        """Put another script in the place of the present one; its clock begins now.

        Raises:
            SettingsError: a rule names a provider, an operation or a key that there is not.
        """
        check_names(rules, self.keys)
        self._script = Script(rules, seed=self.seed)
        self._script_began = time.monotonic()

    def reset(self) -> None:
        """Forget the log and what providers remember; begin both clocks and the script anew."""
        self.log.reset()
        self.memory = _memories()
        self._began = time.monotonic()
        self.play(self._script.rules)

    @property
    def script(self) -> Script:
        """The script that is being played."""
        return self._script

    def now(self) -> float:
        """Give the seconds since the start or the last reset."""
        return time.monotonic() - self._began

    def script_time(self) -> float:
        """Give the seconds since the script began."""
        return time.monotonic() - self._script_began


def _memories() -> dict[str, object]:
    """Make for each provider what it remembers, or None."""
    return {name: each.remember and each.remember() for name, each in PROVIDERS.items()}


def check_names(rules: Iterable[Rule], keys: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a name that can never match: it is a slip of the pen, and no rule.

    Args:
        rules: The rules.
        keys: For each provider, its keys by name.

    Raises:
        SettingsError: a rule names a provider, an operation or a key that there is not.
    """
    for rule in rules:
        providers = [name for name in PROVIDERS if rule.provider in {None, name}]
        known = {
            "provider": set(PROVIDERS),
            "operation": {o.name for name in providers for o in PROVIDERS[name].operations},
            "key": {key for name in providers for key in keys[name]},
        }
        for setting, names in known.items():
            value = getattr(rule, setting)
            if value is not None and value not in names:
                text = f"must be one of {', '.join(sorted(names))}"
                raise settings_error(setting, text, value)
