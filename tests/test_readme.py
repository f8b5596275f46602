import tables
from conftest import ROOT

from anomgan.evaluation.tables import fill_tables


def test_the_tables_are_those_of_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("<!-- table ") == text.count("<!-- end -->") > 3
    assert fill_tables(text, tables.table) == text, "run: python benchmarks/tables.py"
