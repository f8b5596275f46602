import numpy as np
import pytest

from anomgan.errors import InputError
from anomgan.evaluation.records import append_record, save_scores, scores_path
from anomgan.evaluation.tables import category_table, detail_table, renew_tables, write_report


def record(detector, category="a", seed=0, area=0.5, **more):
    return {
        "dataset": "d",
        "category": category,
        "protocol": "p",
        "limit": None,
        "detector": detector,
        "config": "default",
        "settings": "0",
        "seed": seed,
        "image_auroc": area,
        "image_auroc_95": [area - 0.1, area + 0.1],
        "image_ap": area,
        "pixel_auroc": None,
        "pixel_aupro_0.3": None,
        "per_defect": {"dent": area},
        "false_alarm_rate_observed": 0.01,
        "fit_seconds": 90.0,
        "score_ms_per_image": 7.4,
    } | more


def test_mean_and_spread_over_seeds_best_first():
    records = [record("x", area=0.6), record("x", seed=1, area=0.8), record("y", area=0.9)]
    lines = category_table(records).splitlines()
    assert lines[0] == "| detector | a | mean |"
    assert lines[2:] == [
        "| y | 0.900 | **0.900** |",
        f"| x | 0.700 ± {np.std([0.6, 0.8], ddof=1):.3f} | **0.700** |",
    ]


def test_there_is_no_mean_where_a_category_is_missing():
    records = [record("x", "2"), record("x", "10"), record("y", "2")]
    lines = category_table(records).splitlines()
    assert lines[0] == "| detector | 2 | 10 | mean |"
    assert lines[3] == "| y | 0.500 |  |  |"


def test_two_settings_of_one_detector_are_two_rows():
    records = [record("x"), record("x", settings="1", config="own.toml", area=0.7)]
    assert [line.split(" | ")[0] for line in category_table(records).splitlines()[2:]] == [
        "| x (own.toml)",
        "| x (default)",
    ]


def test_details_of_one_category():
    line = detail_table([record("x", area=0.7)]).splitlines()[2]
    assert line == ("| x | 0.700 | **0.700** | 0.600 to 0.800 | 0.700 |  |  | 1.0% | 1.5 | 7 |")


def test_a_report_has_curves_comparisons_and_failures(tmp_path, rng):
    results = tmp_path / "study.jsonl"
    labels = np.arange(60) % 2
    for name, gap in (("good", 3.0), ("weak", 0.3)):
        one = record(name, area=0.5 + gap / 10)
        append_record(results, one)
        save_scores(scores_path(results, one), labels, rng.normal(size=60) + gap * labels, [])
    append_record(results, {"category": "b", "detector": "sad", "error": "out of luck"})
    text = write_report(results, tmp_path / "out").read_text()
    assert (tmp_path / "out" / "roc_a.png").stat().st_size > 1000
    assert "| good against | on | AUROC gained |" in text and "| weak | a, seed 0 | +0." in text
    assert "- b, sad: out of luck" in text
    append_record(results, record("good", "b", area=0.6))
    append_record(results, record("weak", "b", area=0.4))
    text = write_report(results, tmp_path / "out").read_text()
    assert "## image_auroc" in text and "| good | 0.800 | 0.600 | **0.700** |" in text
    save_scores(scores_path(results, one), 1 - labels, labels, [])
    with pytest.raises(InputError, match="good and weak were tested on different images"):
        write_report(results, tmp_path / "out")
    with pytest.raises(InputError, match="there is no file .*nothing.jsonl"):
        write_report(tmp_path / "nothing.jsonl", tmp_path / "out")
    append_record(tmp_path / "failed.jsonl", {"category": "b", "detector": "sad", "error": "no"})
    append_record(tmp_path / "scores.jsonl", {"image": "a.png", "score": 0.5})
    for name in ("failed", "scores"):
        with pytest.raises(InputError, match=f"{name}.jsonl holds no finished cells"):
            write_report(tmp_path / f"{name}.jsonl", tmp_path / "out")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no results of a benchmark"):
        write_report(tmp_path / "notes.txt", tmp_path / "out")
    (tmp_path / "out" / "report.md").write_text("mine")
    with pytest.raises(InputError, match="report.md exists, and anomgan did not write it"):
        write_report(results, tmp_path / "out")


def test_tables_of_a_document_are_renewed_in_place(tmp_path):
    for category in "ab":
        append_record(tmp_path / "study.jsonl", record("x", category, image_ap=0.25))
    page = tmp_path / "README.md"
    page.write_text(
        "before\n<!-- table study image_ap -->\nold\n<!-- end -->\nbetween\n"
        "<!-- table study -->\n<!-- end -->\nafter\n"
    )
    renew_tables(page, tmp_path)
    once = page.read_text()
    assert "old" not in once and once.startswith("before\n") and once.endswith("after\n")
    assert "| x | 0.250 | 0.250 | **0.250** |" in once and "| x | 0.500 | 0.500 |" in once
    renew_tables(page, tmp_path)
    assert page.read_text() == once
    page.write_text("<!-- table study nonsense -->\n<!-- end -->")
    with pytest.raises(InputError, match="no figure nonsense"):
        renew_tables(page, tmp_path)
