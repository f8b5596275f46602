from pathlib import Path

import numpy as np
import pytest

from anomgan.data.folders import list_images, read_groups
from anomgan.errors import InputError
from anomgan.pictures import save_grid


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return [folder / name for name in names]


def test_images_are_found_below_and_sorted(tmp_path):
    touch(tmp_path, "b.PNG", "a.jpg", "sub/c.tiff", "notes.txt", ".hidden.png", ".git/d.png")
    assert [p.name for p in list_images(tmp_path)] == ["a.jpg", "b.PNG", "c.tiff"]


@pytest.mark.parametrize(
    "suffix", ["heic", "heif", "jfif", "jpe", "pnm", "pbm", "jp2", "gif", "avif"]
)
def test_images_of_every_kind_that_is_read_are_found(tmp_path, suffix):
    touch(tmp_path, f"a.{suffix}")
    assert [path.name for path in list_images(tmp_path)] == [f"a.{suffix}"]


def test_what_is_left_out_is_named_by_count_and_suffix(tmp_path, caplog):
    hidden = ("@eaDir/a.jpg", "__MACOSX/._a.jpg", ".thumbnails/a.png", "._a.jpg")
    touch(tmp_path, "a.jpg", "b.nef", "c.NEF", "README", *hidden)
    for _ in range(2):
        assert [path.name for path in list_images(tmp_path)] == ["a.jpg"]
    (text,) = caplog.messages
    assert "1 image; left out: 2 .nef, 1 without suffix, 1 hidden image" in text
    assert "folders .thumbnails, @eaDir, __MACOSX" in text


def test_linked_folders_are_followed_once(tmp_path):
    kept = touch(tmp_path / "in", "b/part.png")
    (elsewhere,) = touch(tmp_path / "elsewhere", "far.png")
    touch(tmp_path, "bad.png")
    (tmp_path / "in" / "a").symlink_to(tmp_path / "in" / "b")
    (tmp_path / "in" / "b" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "link").symlink_to(elsewhere.parent)
    assert list_images(tmp_path / "in") == [*kept, tmp_path / "in" / "link" / "far.png"]


def test_pictures_that_anomgan_wrote_are_left_out(tmp_path, caplog):
    touch(tmp_path, "part.png")
    image = np.zeros((8, 8), np.uint8)
    save_grid(tmp_path / "model" / "samples.png", [[image, image]], ("a", "b"), title="c")
    assert [path.name for path in list_images(tmp_path)] == ["part.png"]
    assert "left out: 1 picture that anomgan wrote" in caplog.text


def test_useless_folders_are_explained(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        list_images(tmp_path / "gone")
    (file,) = touch(tmp_path, "readme.txt")
    with pytest.raises(InputError, match="is a file"):
        list_images(file)
    with pytest.raises(InputError, match="holds no images .*only 1 .txt"):
        list_images(tmp_path)


@pytest.mark.parametrize(
    "table",
    [
        "file,condition,tile\nok/a.png,x,t1\nok/b.png,x,t2\n",
        "file,group\na.png,t1\nb.png,t2\n",
        "image,serial\nok/a.png,t1\nok/b.png,t2\n",
        "\ufeffname,whatever\n./ok/a.png,t1\n./ok/b.png,t2\n",
        "file,thing\na.png,t1,a field too many\nb.png,t2\n",
        "\ufefffile;group\r\nok/a.png;t1\r\nok/b.png;t2\r\n",  # of Excel, in many countries
        "file\tgroup\na.png\tt1\nb.png\tt2\n",
    ],
)
def test_groups_are_found_by_several_kinds_of_table(tmp_path, table):
    images = touch(tmp_path, "ok/a.png", "ok/b.png")
    (tmp_path / "groups.csv").write_text(table, encoding="utf-8")
    assert read_groups(tmp_path / "groups.csv", images) == ["t1", "t2"]


def test_images_without_a_group_are_named(tmp_path):
    images = touch(tmp_path, "a.png", "b.png")
    (tmp_path / "groups.csv").write_text("file,group\na.png,1\n")
    with pytest.raises(InputError, match="1 of 2 images, such as .*b.png"):
        read_groups(tmp_path / "groups.csv", images)


def test_an_empty_group_is_no_group(tmp_path):
    images = touch(tmp_path, "a.png", "b.png")
    (tmp_path / "groups.csv").write_text("file,group\na.png,1\nb.png,\n")
    with pytest.raises(InputError, match="1 of 2 images, such as .*b.png"):
        read_groups(tmp_path / "groups.csv", images)


def test_the_same_file_name_in_many_folders_is_told_apart(tmp_path):
    images = [Path("/elsewhere") / f"part{i}" / "top.png" for i in range(20_000)]
    rows = "".join(f"part{i}/top.png,{i}\n" for i in range(20_000))
    (tmp_path / "groups.csv").write_text("file,group\n" + rows)
    assert read_groups(tmp_path / "groups.csv", images) == [str(i) for i in range(20_000)]


def test_an_image_that_two_rows_could_mean_is_refused(tmp_path):
    (tmp_path / "groups.csv").write_text("file,group\na.png,1\nok/a.png,2\n")
    with pytest.raises(InputError, match="1 of 1 images, such as .*a.png"):
        read_groups(tmp_path / "groups.csv", [Path("/elsewhere/ok/a.png")])


@pytest.mark.parametrize("again", ["a.png", "./a.png", "x/../a.png"])
def test_a_file_in_two_groups_is_refused_and_twice_in_one_is_not(tmp_path, again):
    images = touch(tmp_path, "a.png", "b.png")
    table = tmp_path / "groups.csv"
    table.write_text(f"file,group\na.png,1\nb.png,2\n\n{again},3\n")
    message = "groups.csv gives a.png two groups, 1 in row 2 and 3 in row 5"
    with pytest.raises(InputError, match=message):
        read_groups(table, images)
    table.write_text(f"file,group\na.png,1\nb.png,2\n{again},1\n{again},\n")
    assert read_groups(table, images) == ["1", "2"]
    assert read_groups(table, [Path("/elsewhere/a.png")]) == ["1"]


@pytest.mark.parametrize("table", ["ok/gr\u00f6\u00dfer.png", "gro\u0308\u00dfer.png"])
def test_an_umlaut_may_be_one_character_or_two(tmp_path, table):
    (tmp_path / "groups.csv").write_text(f"file,group\n{table},1\n", encoding="utf-8")
    images = [tmp_path / "ok" / name for name in ("gr\u00f6\u00dfer.png", "gro\u0308\u00dfer.png")]
    assert read_groups(tmp_path / "groups.csv", images) == ["1", "1"]


@pytest.mark.parametrize("table", ["", "file\na.png\n", "file,x,y\na.png,1,2\n", "file,group\n"])
def test_useless_tables_are_explained(tmp_path, table):
    (tmp_path / "groups.csv").write_text(table)
    with pytest.raises(InputError, match="groups.csv"):
        read_groups(tmp_path / "groups.csv", [Path("a.png")])
    with pytest.raises(InputError, match="cannot read table"):
        read_groups(tmp_path / "none.csv", [])


def test_real_tiles_are_grouped(real_data):
    tiles = real_data("magnetic_tile")
    images = list_images(tiles / "train" / "good")
    groups = read_groups(tiles / "tiles.csv", images)
    assert len(images) == len(groups) == 696
    assert max(groups.count(group) for group in set(groups)) >= 6
