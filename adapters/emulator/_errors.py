"""`SettingsError`, imported where it is raised and not before.

Importing `resilience` would be a third of what the emulator's process needs to start, for a class
that it hardly ever uses.
Who catches it here catches `ValueError`, which it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilience.errors import SettingsError

__all__ = ["describe_error", "settings_error"]


def settings_error(setting: str, rule: str, value: object, message: str = "") -> SettingsError:
    """Make the error of a broken rule; the message says all three unless another one is given."""
    from resilience.errors import SettingsError  # noqa: PLC0415 - see above

    message = message or f"{setting} {rule}, not {value!r}"
    return SettingsError(message, setting=setting, rule=rule, value=value)


def describe_error(error: ValueError) -> dict[str, str]:
    """Give the parts of a `SettingsError`, to make it again in another process.

    Raises:
        ValueError: the error itself, where it is no `SettingsError`.
    """
    if not hasattr(error, "setting"):
        raise error
    parts = {name: str(getattr(error, name)) for name in ("setting", "rule", "value")}
    return {"message": str(error), **parts}
