import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper

import pytest

from anomgan.cli.app import main


@pytest.fixture(scope="session")
def run():
    """Runs the command line in this process; gives exit code, standard output and error."""

    def call(*arguments):
        out, err = (TextIOWrapper(BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["anomgan", *map(str, arguments)])
            try:
                main()
                code = 0
            except SystemExit as done:
                code = done.code or 0
        out.seek(0), err.seek(0)
        return code, out.read(), err.read()

    return call


@pytest.fixture
def refused(run, tmp_path, monkeypatch):
    """Runs what must be refused, in an empty folder; gives the one line that is said."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code, out, err = run(*arguments)
        assert code == 2 and out == ""
        assert err.startswith("anomgan: ") and err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return err

    return call
