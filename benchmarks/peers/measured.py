"""Figures of a process. Needs no package, so that nothing else is measured with them."""

from pathlib import Path

Figures = dict[str, float]


def peak_megabytes() -> float:
    """The most memory that this process has held."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
