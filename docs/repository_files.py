"""Adds files of the repository to the site, so that pages can link to them as on GitHub.

A page in docs/ links to `../benchmarks/results/features.png`. The site has that file at the same
path under its root, without a second copy in the repository.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(?<=\]\()\.\./([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to."""
    root = Path(config.docs_dir).parent
    wanted = set()
    for page in files.documentation_pages():
        for link in LINK.findall(page.content_string):
            if (root / link).is_file():
                wanted.add(root / link)
    for path in sorted(wanted):
        name = path.relative_to(root).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of pages in docs/ to where those files are on the site."""
    return LINK.sub(r"\1", markdown) if "/" not in page.file.src_uri else markdown
