import importlib.util
import re
import shlex
import subprocess
import sys

import click
import pytest
import tables
import typer
from conftest import ROOT, code_blocks

from anomgan.cli.app import app
from anomgan.config_files import find_config
from anomgan.evaluation.tables import fill_tables

PAGES = [*tables.PAGES, ROOT / "CONTRIBUTING.md"]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
LINK = re.compile(r"\]\(([^)]+)\)")


def commands(text: str) -> list[list[str]]:
    """Calls of anomgan in the console blocks of a page, as lists of arguments."""
    lines = "\n".join(code_blocks("console", text)).replace("\\\n", " ").splitlines()
    calls = [re.split(r"\banomgan ", line, maxsplit=1) for line in lines]
    return [shlex.split(call[1], comments=True) for call in calls if len(call) == 2]


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [name for name in TEXTS if name != "CONTRIBUTING.md"])
def test_the_tables_are_those_of_the_records(page):
    text = TEXTS[page]
    assert text.count("<!-- table ") == text.count("<!-- end -->")
    assert fill_tables(text, tables.table) == text, "run: python benchmarks/tables.py"


def test_the_readme_shows_the_figures_and_can_be_read_in_one_go():
    assert "<!-- table features -->" in TEXTS["README.md"]
    assert len(TEXTS["README.md"].splitlines()) <= 350


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_is_one_that_anomgan_has(page):
    for arguments in commands(TEXTS[page]):
        command: click.Command = typer.main.get_command(app)
        name, rest = "anomgan", list(arguments)
        context = None
        while isinstance(command, click.Group):
            context = click.Context(command, info_name=name, parent=context)
            name = rest.pop(0)
            found = command.get_command(context, name)
            assert found is not None, f"no command: anomgan {shlex.join(arguments)}"
            command = found
        command.make_context(name, list(rest), parent=context)
        named = [value for option, value in zip(rest, rest[1:]) if option == "--config"]
        for config in named:
            assert config == "my_settings.toml" or find_config(config)


@pytest.mark.parametrize("page", TEXTS)
def test_every_example_in_python_is_python(page):
    for code in code_blocks("python", TEXTS[page]):
        compile(code, page, "exec")


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_first_page_of_the_documentation_leads_to_all_others():
    others = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert others <= set(LINK.findall(TEXTS["docs/index.md"]))


@pytest.mark.skipif(not importlib.util.find_spec("material"), reason='needs ".[docs]"')
def test_the_documentation_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    for page in tables.PAGES[1:]:
        name = "index.html" if page.stem == "index" else f"{page.stem}/index.html"
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not re.search(r'<(?:link|script|img)[^>]*(?:href|src)="https?:', text), name


@pytest.mark.parametrize("page", TEXTS)
def test_the_words_are_spelt_in_one_way(page):
    american = r"\b(learned|colored|colors?|gray|centers?|behavior|labeled|artifacts?)\b"
    prose = re.sub(r"```.*?```|`[^`]*`|\(http[^)]*\)", "", TEXTS[page], flags=re.DOTALL)
    assert not re.findall(american, prose, re.IGNORECASE)
