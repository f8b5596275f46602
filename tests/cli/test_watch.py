import cv2
import numpy as np
import pytest

from anomgan.cli.watch import watch
from anomgan.errors import InputError


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 10, (96, 96))
    for number in range(12):
        writer.write(np.full((96, 96, 3), 20 * number, np.uint8))
    writer.release()
    return path


def test_a_video_is_scored_to_its_end(video, whole_model, tmp_path, capsys):
    table = tmp_path / "r.csv"
    watch(table, video=str(video), every=0.5, model=whole_model, device="cpu")
    first, *rows, came, counts = capsys.readouterr().out.splitlines()
    assert first == f"watching {video}; Ctrl-C ends it"
    assert [row.split("#")[1][:6] for row in rows if "#" in row] == ["000000", "000005", "000010"]
    assert came == f"12 frames came from {video}"
    assert counts.startswith("3 images: ") and counts.endswith(f"table in {table}")


@pytest.mark.parametrize(
    "options, said",
    [
        ({}, "say what to watch"),
        ({"dir": "in", "camera": 0}, "say what to watch"),
        ({"camera": 99}, "cannot open camera 99"),
        ({"video": "gone.mp4"}, "there is no file gone.mp4"),
        ({"camera": 0, "move_ok": "ok"}, "only files can be moved"),
        ({"dir": "in", "every": 1.0}, "use them without --dir"),
        ({"dir": "in", "when_settled": True}, "use them without --dir"),
        ({"camera": 0, "every": 1.0, "when_settled": True}, "not both"),
    ],
)
def test_what_cannot_be_watched_is_refused(options, said, tmp_path):
    with pytest.raises(InputError, match=said):
        watch(tmp_path / "r.csv", **options)
    assert not (tmp_path / "r.csv").exists()
