import pytest

pytest.importorskip("fastapi", reason='the station needs ".[station]"')
