"""Reads what a request brings: bounded in size and time, kept in memory only."""

import asyncio
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, parse_options_header
from starlette.requests import ClientDisconnect

from anomgan.data.decode import SUFFIXES
from anomgan.machine.names import shortened

SECONDS = 60.0
"""For a whole upload to arrive."""
SMALL_BODY, REFUSED_BODY = 2**20, 2**27
"""Bytes that are read at most of a body in JSON, and of one that is refused before it is read."""
OVERSIZE = 2**30
"""Bytes beyond the limit that are read and dropped. Most clients only see an answer after they have
sent everything."""
Found = TypeVar("Found")
Kind = TypeVar("Kind", bound=BaseModel)


@dataclass(frozen=True)
class Upload:
    """An image file as it came; `name` is the client's name for it, never a path to be opened."""

    name: str
    data: bytes

    @property
    def suffix(self) -> str:
        """What a file with the image ends in; decoders look at the content, not at the suffix."""
        suffix = PurePath(self.name).suffix.lower()
        return suffix if suffix in SUFFIXES else ".png"


def find_model(models: Mapping[str, Found], name: str) -> Found:
    """What belongs to the model that a request names.

    Raises:
        HTTPException: 404, there is no such model.
    """
    if name not in models:
        raise HTTPException(404, f"there is no model {name}; there is: {', '.join(models)}")
    return models[name]


async def read_upload(request: Request, most: int) -> Upload:
    """Read the image of a request: a form with one file, or the file itself as the body.

    Args:
        request: its query `name` names a raw body.
        most: bytes that are accepted.

    Raises:
        HTTPException: 400 for a broken form or a body that ends early, 408 when it takes too long,
            413 when it is too large.
    """
    body = await read_body(request, most)
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data":
        return _file_of_form(body, options)
    return Upload(_plain_name(request.query_params.get("name", "")), body)


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request; raises as `read_upload` does."""
    try:
        async with asyncio.timeout(SECONDS):
            body, size = await _receive(request, most)
    except TimeoutError:
        raise HTTPException(408, f"the upload took more than {SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the upload ended before all of it was there") from None
    if size > most:
        raise HTTPException(
            413, f"the upload has more than the {most / 1e6:g} MB accepted (--max-mb)"
        )
    return body


async def discard_body(request: Request) -> None:
    """Read and drop the body of a request that is refused, so that the client sees the answer."""
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(SECONDS):
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                if size > REFUSED_BODY:
                    break


async def read_json(request: Request, kind: type[Kind]) -> Kind:
    """A small body in JSON.

    Raises:
        HTTPException: 422, it is not what is asked for; otherwise as `read_upload`.
    """
    try:
        return kind.model_validate_json(await read_body(request, SMALL_BODY))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise HTTPException(422, "; ".join(problems)) from None


async def _receive(request: Request, most: int) -> tuple[bytes, int]:
    """The first `most` bytes and the size of a body."""
    data, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            data += chunk
        else:
            data.clear()
        if size > most + OVERSIZE:
            break
    return bytes(data), size


def _file_of_form(body: bytes, options: dict[bytes, bytes]) -> Upload:
    files: list[File] = []
    try:
        form = FormParser(
            "multipart/form-data",
            on_field=lambda field: None,
            on_file=files.append,
            boundary=options.get(b"boundary"),
            # Not in a temporary file: uploads stay off the disk.
            config={"MAX_MEMORY_FILE_SIZE": len(body) + 1, "MAX_BODY_SIZE": len(body) + 1},
        )
        form.write(body)
        form.finalize()
    except (FormParserError, ValueError) as error:
        raise HTTPException(400, f"the form cannot be read: {error}") from None
    if len(files) != 1:
        raise HTTPException(400, f"the form holds {len(files)} files; send one image at a time")
    (file,) = files
    name = (file.file_name or b"").decode("utf-8", "replace")
    assert isinstance(file.file_object, io.BytesIO)
    return Upload(_plain_name(name), file.file_object.getvalue())


def _plain_name(name: str) -> str:
    """The last part of a path of any system, of a length that files may have."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return shortened(last) if last.strip(". ") else "upload"
