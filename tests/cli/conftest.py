import sys

import pytest

from anomgan.cli.app import main


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs the command line in this process; gives exit code, standard output and error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["anomgan", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            main()
            raise SystemExit(0)
        captured = capsys.readouterr()
        return done.value.code or 0, captured.out, captured.err

    return call
