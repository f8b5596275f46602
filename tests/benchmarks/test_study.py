import json
from functools import partial

import study


def test_a_cell_with_a_record_is_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    measured = []

    def measure(name):
        measured.append(name)
        return {"image_auroc": 0.5}

    def cells(*names):
        return [(name, "share=0.1", seed, partial(measure, name)) for seed, name in names]

    study.measure_once("some", cells((0, "a"), (None, "a"), (0, "b")))
    study.measure_once("some", cells((0, "a"), (1, "a"), (None, "a"), (0, "b")))
    assert measured == ["a", "a", "b", "a"]
    rows = [json.loads(line) for line in (tmp_path / "some.jsonl").read_text().splitlines()]
    assert [(row["dataset"], row.get("seed")) for row in rows] == [
        *(("a", 0), ("a", None), ("b", 0), ("a", 1)),
    ]
    assert all(row["study"] == "some" and row["image_auroc"] == 0.5 for row in rows)
