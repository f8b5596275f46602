"""The pages of a station: plain files, none of them from another host."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

FOLDER = Path(__file__).with_name("page")
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def add_pages(app: FastAPI) -> None:
    """Answer with the page at /, the description of the service at /docs, and their files."""
    files = {f"/page/{path.name}": path for path in FOLDER.iterdir() if path.suffix in KINDS}
    files |= {"/": FOLDER / "index.html", "/docs": FOLDER / "docs.html"}
    for address, path in files.items():
        _add_file(app, address, path)


def _add_file(app: FastAPI, address: str, path: Path) -> None:
    @app.get(address, include_in_schema=False)
    async def file() -> Response:
        return FileResponse(path, media_type=KINDS[path.suffix])
