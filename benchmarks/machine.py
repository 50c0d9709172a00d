"""What the figures were taken on: no names, only what changes them."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

__all__ = ["describe_machine", "describe_versions"]

_PACKAGES = (
    "aiodataloader",
    "anthropic",
    "backoff",
    "batched",
    "boto3",
    "circuitbreaker",
    "google-genai",
    "groq",
    "huggingface_hub",
    "hyx",
    "ollama",
    "openai",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opnieuw",
    "pybreaker",
    "pyresilience",
    "requests",
    "stamina",
    "tenacity",
    "tritonclient",
    "wrapt",
)
_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """Return processor, cores, system and Python."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, {python}"


def describe_versions() -> str:
    """Return the versions of everything that is compared or built upon."""
    return ", ".join(f"{name} {version}" for name in _PACKAGES if (version := _version(name)))


def _processor() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
