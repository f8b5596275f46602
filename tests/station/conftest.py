import pytest

from anomgan.data.folders import list_images

pytest.importorskip("fastapi", reason='the station needs ".[station]"')


@pytest.fixture(scope="session")
def make_station(patch_model):
    """Makes a station with one model, `part`."""
    from anomgan.station.station import Station, load_models

    def make(model=patch_model, places=4, most=10**6, **more):
        return Station(load_models({"part": model}, "cpu"), places, most, **more)

    return make


@pytest.fixture
def station(make_station):
    """A station that nobody serves."""
    station = make_station()
    yield station
    station.close()


@pytest.fixture(scope="session")
def photograph(line):
    """The content of an image file."""
    return list_images(line / "test")[0].read_bytes()
