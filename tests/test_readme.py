import re

import tables
from conftest import ROOT


def test_the_tables_are_those_of_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"<!-- (\w+) -->\n\|", text)
    assert names
    for name in names:
        section = f"<!-- {name} -->\n{tables.TABLES[name]()}\n<!-- end -->"
        assert section in text, "run: python benchmarks/tables.py"
