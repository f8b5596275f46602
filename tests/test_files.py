import pytest

from anomgan.errors import InputError
from anomgan.files import atomic_folder, atomic_path, restore_interrupted


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


def test_an_unwritable_place_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        with atomic_folder(tmp_path / "file" / "model"):
            pass
