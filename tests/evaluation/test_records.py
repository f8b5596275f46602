import json

import pytest

from anomgan.errors import InputError
from anomgan.evaluation.records import append_record, read_records


def record(seed, **more):
    return {"dataset": "d", "category": "c", "detector": "x", "seed": seed} | more


def test_records_are_appended_and_the_latest_of_a_cell_counts(tmp_path):
    path = tmp_path / "deep" / "results.jsonl"
    assert read_records(path) == []
    append_record(path, record(0, error="no luck"))
    append_record(path, record(1, image_auroc=0.7))
    append_record(path, record(0, image_auroc=0.8))
    assert len(path.read_text().splitlines()) == 3
    assert [r.get("image_auroc") for r in read_records(path)] == [0.8, 0.7]


def test_a_line_that_a_crash_cut_off_costs_no_other_record(tmp_path):
    path = tmp_path / "results.jsonl"
    append_record(path, record(0))
    with path.open("a") as file:
        file.write(json.dumps(record(1))[:20])
    append_record(path, record(2))
    assert [r["seed"] for r in read_records(path)] == [0, 2]


@pytest.mark.parametrize("content", [b"mine\n", b"[1]\n", b"\xff\xd8\xff"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "notes").write_bytes(content)
    with pytest.raises(InputError, match="notes holds no results of a benchmark"):
        read_records(tmp_path / "notes")
