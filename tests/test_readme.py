import re

import tables
from conftest import ROOT


def test_the_tables_are_those_of_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"<!-- (\w+) -->\n\|", text):
        build = tables.TABLES[name]
        section = f"<!-- {name} -->\n{build()}\n<!-- end -->"
        assert section in text, "run: python benchmarks/tables.py"
