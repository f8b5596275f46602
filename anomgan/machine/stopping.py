"""Handles Ctrl-C and SIGTERM between two steps, never within a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATED = threading.Event()
"""Set once SIGTERM has come, in a program that takes it like Ctrl-C."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Take SIGTERM like Ctrl-C while the body runs: as a KeyboardInterrupt.

    So a program that is stopped by `kill`, `docker stop` or systemd tidies up.
    """
    TERMINATED.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets; a second Ctrl-C interrupts at once.

    So a step can be finished before the program stops. Within `sigterm_interrupts`, SIGTERM sets
    it, too.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        _note(number)
        stop.set()

    numbers = []
    if signal.getsignal(signal.SIGINT) is not None:  # else a program in C has it, around Python
        numbers.append(signal.SIGINT)
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        numbers.append(signal.SIGTERM)
    previous = {number: signal.signal(number, request) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _note(number)
    raise KeyboardInterrupt


def _note(number: int) -> None:
    if number == signal.SIGTERM:
        TERMINATED.set()
