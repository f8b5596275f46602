import csv
import os
import subprocess
import sys

import pytest

from anomgan.errors import InputError
from anomgan.inspection.results_table import identity, open_table

KINDS = ("results.jsonl", "results.csv")
pytestmark = pytest.mark.parametrize("name", KINDS)


def row(number, **more):
    return (
        {"image": f"/parts/{number}.png", "score": 0.1 * number, "verdict": "ok"}
        | {"regions": [{"x": 1, "y": 2}], "model_id": "m"}
        | more
    )


def write(path, *rows, model_id="m", columns=None):
    """Appends rows; gives those that were there before."""
    found = []
    with open_table(path, model_id, found.append, *([columns] if columns else [])) as table:
        for one in rows:
            table.append(one)
    return found


def images(rows):
    return [one["image"] for one in rows]


def test_rows_are_there_before_the_job_ends_and_are_read_again(tmp_path, name):
    path = tmp_path / "deep" / name
    with open_table(path, "m", None) as table:
        for number in range(2):
            table.append(row(number))
            assert f"/parts/{number}.png" in path.read_text()
    found = write(path, row(2))
    assert images(found) == ["/parts/0.png", "/parts/1.png"]
    assert [float(one["score"]) for one in found] == [0.0, 0.1]
    assert len(write(path)) == 3


def test_a_row_cut_short_anywhere_is_dropped_and_no_other(tmp_path, name):
    path = tmp_path / name
    write(path, row(0))
    first = path.read_bytes()
    write(path, row(1))
    whole = path.read_bytes()
    for end in range(len(first), len(whole)):
        path.write_bytes(whole[:end])
        assert images(write(path, row(1))) == ["/parts/0.png"]
        assert path.read_bytes() == whole


def test_the_very_first_line_may_be_cut_short(tmp_path, name):
    path = tmp_path / name
    write(path, row(0))
    whole = path.read_bytes()
    for end in range(whole.index(b"\n") + 1):
        path.write_bytes(whole[:end] + b"\0" * (end % 3))
        assert write(path, row(0)) == []
        assert path.read_bytes() == whole


def test_an_earlier_table_is_not_overwritten(tmp_path, name):
    path = tmp_path / name
    write(path, row(0))
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists already; continue it with --resume"):
        with open_table(path, "m", None):
            pass
    with pytest.raises(InputError, match="holds results of another model"):
        write(path, row(1), model_id="other")
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["my notes", "my notes\n", "a,b\n1,2\n", '{"a": 1}\n{"b"', "[]\n"])
def test_a_file_that_is_no_table_is_left_as_it_is(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match="line 1 of .* is not a row"):
        write(path, row(0))
    assert path.read_text() == text


def test_a_damaged_line_in_the_middle_is_named_and_what_follows_is_kept(tmp_path, name):
    path = tmp_path / name
    write(path, row(0), row(1), row(2))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[-2] = lines[-2][:10] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=f"line {len(lines) - 1} of"):
        write(path)
    assert path.read_bytes() == b"".join(lines)


def test_one_job_at_a_time(tmp_path, name):
    pytest.importorskip("fcntl")
    with open_table(tmp_path / name, "m", None) as table:
        table.append(row(0))
        with pytest.raises(InputError, match="another job is writing"):
            write(tmp_path / name, row(1))
    assert images(write(tmp_path / name)) == ["/parts/0.png"]


NAMES = ["a\nb.png", "a\r\nb.png", 'a"b,c.png', "\udcff.png", "ä.png", "a\x85b", "a\u2028", "\t=1"]


@pytest.mark.parametrize(
    "odd", [*NAMES, "\x1b[2J", "a\\x0ab.png", "C:\\new\\x64\\u00e4.png", "=1+1"]
)
def test_images_of_any_name_are_recognised(tmp_path, name, odd):
    write(tmp_path / name, row(0), row(1, image=odd), row(2))
    found = write(tmp_path / name)
    assert found[1]["image"] == odd and len(found) == 3
    assert len((tmp_path / name).read_text().splitlines()) == 3 + name.endswith("csv")


def test_names_that_differ_in_line_ends_alone_are_two(tmp_path, name):
    write(tmp_path / name, row(0, image="/a\nb"), row(1, image="/a b"), row(2, image="/a\rb"))
    assert len({identity(image) for image in images(write(tmp_path / name))}) == 3


@pytest.mark.parametrize(
    "formula", ["=1+1.png", "+1.png", "-1.png", "@a.png", "\t=1", "\r=1", "a;=1"]
)
def test_a_name_is_no_formula_in_a_spreadsheet(tmp_path, name, formula):
    write(tmp_path / name, row(0, image=formula, error=formula))
    (found,) = write(tmp_path / name)
    assert found["image"] == formula
    if name.endswith(".csv"):
        with (tmp_path / name).open(newline="") as file:
            cells = [cell for one in csv.reader(file, delimiter=";") for cell in one]
        assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@")]


def test_a_table_with_names_as_they_were_is_gone_on_with(tmp_path, name):
    if not name.endswith(".csv"):
        pytest.skip("JSON has always had names as they are")
    write(tmp_path / name, row(0, image="/OLD"))
    old = (tmp_path / name).read_bytes()
    for image in ("=1.png", "\udcff.png", "C:\\parts\\a.png"):
        (tmp_path / name).write_bytes(old.replace(b"/OLD", os.fsencode(image)))
        assert images(write(tmp_path / name)) == [image]


FULL = """
import resource, sys
from pathlib import Path
from anomgan.errors import InputError
from anomgan.inspection.results_table import open_table

resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    with open_table(Path(sys.argv[1]), "m", None) as table:
        for number in range(100):
            table.append({"image": f"/parts/{number}.png", "model_id": "m"})
except InputError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_is_explained_and_leaves_whole_rows(tmp_path, name):
    pytest.importorskip("resource")
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot write {path}: File too large; its rows so far are whole")
    assert path.read_bytes().endswith(b"\n") and path.stat().st_size > 1900
    found = write(path, row(1000))
    assert images(found) == [f"/parts/{number}.png" for number in range(len(found))]
    assert len(write(path)) == len(found) + 1


def test_a_place_that_cannot_be_written_is_explained(tmp_path, name):
    (tmp_path / "folder" / name).mkdir(parents=True)
    with pytest.raises(InputError, match="cannot write .*: Is a directory"):
        write(tmp_path / "folder" / name)
    if os.name == "posix" and os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="cannot write .*: Permission denied"):
            write(tmp_path / name)
