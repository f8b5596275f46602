import pytest
import unseen


def test_a_folder_without_sets_is_named_with_what_it_should_hold(tmp_path, monkeypatch):
    (tmp_path / "part" / "test" / "good").mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["unseen.py", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match=rf"^{tmp_path} has no folder with train/good"):
        unseen.main()
