import os
import signal

import pytest

from anomgan.machine.stopping import TERMINATED, sigterm_interrupts, stop_signal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of Unix")


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def blow(request):
    def send():
        signal.raise_signal(request.param)  # in this thread; os.kill may choose another one

    send.number = request.param
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by pytest-xdist
    yield send
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_lets_a_step_finish_and_the_second_does_not(blow):
    before = signal.getsignal(blow.number)
    with sigterm_interrupts():
        with stop_signal() as stop:
            blow()
            assert stop.wait(5)
            with pytest.raises(KeyboardInterrupt):
                blow()
        assert TERMINATED.is_set() == (blow.number == signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            blow()
    assert signal.getsignal(blow.number) == before


def test_a_program_that_handles_sigterm_itself_goes_on_doing_so():
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with stop_signal() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert not stop.is_set() and came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_in_c_of_a_program_around_python_stays(monkeypatch):
    found = signal.getsignal
    before = found(signal.SIGINT)
    # What Python says of a handler that was there before it; `signal.signal` cannot set it again.
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with stop_signal():
        assert found(signal.SIGINT) == before
    assert found(signal.SIGINT) == before
