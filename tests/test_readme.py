import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import tables


def test_the_tables_are_those_of_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, build in tables.TABLES.items():
        assert f"<!-- {name} -->\n{build()}\n<!-- end -->" in text, "run: python benchmarks/tables.py"
