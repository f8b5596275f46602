import os
import tempfile
from pathlib import Path
from threading import Timer

import pytest

from anomgan.errors import InputError
from anomgan.machine.files import atomic_folder, atomic_path, move_into, restore_interrupted


def test_a_failing_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_keeps_the_old_file_and_is_explained(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(InputError, match="cannot write .*table.csv: No space left"):
        with atomic_path(target):
            raise OSError(28, "No space left on device")
    assert target.read_text() == "old"


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "model"
    for content in ("one", "two"):
        with atomic_folder(target) as temporary:
            (temporary / "file").write_text(content)
        assert (target / "file").read_text() == content
    assert list(tmp_path.iterdir()) == [target]


def test_a_failing_replacement_keeps_the_old_folder(tmp_path):
    target = tmp_path / "model"
    with atomic_folder(target) as temporary:
        (temporary / "file").write_text("old")
    with pytest.raises(InputError, match="No space left"), atomic_folder(target) as temporary:
        (temporary / "file").write_text("half")
        raise OSError(28, "No space left on device")
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_replacement_cut_off_between_its_moves_is_undone(tmp_path):
    aside = tmp_path / ".model.previous"
    aside.mkdir()
    (aside / "file").write_text("old")
    restore_interrupted(tmp_path / "model")
    assert (tmp_path / "model" / "file").read_text() == "old"


def test_a_replacement_that_another_process_is_at_is_not_undone(tmp_path):
    for name in ("new", ".model.previous"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "file").write_text("new")
    move = Timer(0.05, (tmp_path / "new").rename, [tmp_path / "model"])
    move.start()
    restore_interrupted(tmp_path / "model")
    move.join()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "file").read_text() == "new"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    old, new, other = (tmp_path / name for name in (".model.a.part", ".model.b.part", ".m.a.part"))
    for place in (old, new, other):
        place.mkdir()
    for place in (old, other):
        os.utime(place, (0, 0))
    with atomic_folder(tmp_path / "model"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".m.a.part",
        ".model.b.part",
        "model",
    ]


def test_an_unwritable_place_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        with atomic_folder(tmp_path / "file" / "model"):
            pass


@pytest.fixture(params=["same", "other"])
def place(request, tmp_path):
    """A folder to move to: on the file system of tmp_path, or on another one."""
    if request.param == "same":
        yield tmp_path / "ok"
        return
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        yield Path(folder) / "ok"


def test_a_moved_file_overwrites_nothing_and_keeps_its_time(tmp_path, place):
    source = tmp_path / "part.png"
    for number, name in enumerate(["part.png", "part-2.png", "part-3.png"]):
        source.write_text(f"content {number}")
        os.utime(source, ns=(0, 10**18 + number))
        assert move_into(place, source) == place / name
        assert not source.exists()
        assert (place / name).stat().st_mtime_ns == 10**18 + number
    assert [(place / name).read_text()[-1] for name in sorted(os.listdir(place))] == ["1", "2", "0"]


def test_a_move_that_was_cut_off_is_ended(tmp_path, place):
    source = tmp_path / "part.png"
    source.write_text("content")
    before = source.stat()
    move_into(place, source)
    source.write_text("content")  # as if it had not been removed
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert move_into(place, source) == place / "part.png"
    assert os.listdir(place) == ["part.png"] and not source.exists()


def test_a_move_that_cannot_be_leaves_the_file(tmp_path):
    source = tmp_path / "part.png"
    source.write_text("content")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot move .*part.png to .*file"):
        move_into(tmp_path / "file", source)
    assert source.read_text() == "content"


def test_names_of_the_greatest_length_can_be_written_and_moved(tmp_path):
    longest = tmp_path / ("ä" * 125 + "a.png")
    for content in ("one", "two"):
        with atomic_path(longest) as temporary:
            temporary.write_text(content)
    folder = tmp_path / ("m" * 255)
    with atomic_folder(folder) as temporary:
        (temporary / "file").write_text("whole")
    with atomic_folder(folder) as temporary:
        (temporary / "file").write_text("again")
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, longest.name]
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / longest.name).write_text("namesake")
    moved = move_into(tmp_path / "to", longest)
    assert moved.read_text() == "two" and moved.name.endswith("-2.png")
    assert len(list((tmp_path / "to").iterdir())) == 2
