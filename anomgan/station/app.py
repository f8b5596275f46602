"""The HTTP service: addresses, and how errors are answered."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from anomgan.errors import InputError
from anomgan.station import answers
from anomgan.station.filmed import FilmedSource
from anomgan.station.guard import COOKIE, Guard, is_same, session_of
from anomgan.station.metrics import MEDIA_TYPE, metrics_text
from anomgan.station.pages import add_pages
from anomgan.station.previews import heat_layer
from anomgan.station.review_app import add_review
from anomgan.station.served import ServedModel
from anomgan.station.station import Full, Station
from anomgan.station.uploads import discard_body, find_model, read_json, read_upload
from anomgan.station.watched import WatchedFolder

OwnSource = WatchedFolder | FilmedSource
"""Where the station itself takes images from."""

REFRESH = 1.0
"""Seconds between two looks at the files of the models."""
MONTH = 30 * 24 * 3600
"""Seconds for which a browser stays signed in."""
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem} for status in (400, 401, 403, 404, 408, 413, 422, 503)
}
UPLOAD = {"type": "string", "format": "binary"}
BODY = {
    "required": True,
    "content": {
        "image/*": {"schema": UPLOAD},
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": UPLOAD}}},
    },
}
"""Of a request to score, for the description."""


def create_app(
    station: Station, token: str | None = None, sources: Sequence[OwnSource] = ()
) -> FastAPI:
    """The service of a station.

    Args:
        station: scores images.
        token: what clients must know; None asks for none.
        sources: folders whose new images are scored, cameras and videos.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_look_after(station))]
        tasks += [asyncio.create_task(source.run()) for source in sources]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        station.close()

    # The pages that FastAPI has for /docs load scripts from another host.
    app = FastAPI(title="anomgan station", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(Guard, token=token)
    _answer_errors(app)
    if token is not None:
        _add_session(app, token)
    _add_scoring(app, station)
    _add_state(app, station, sources)
    if station.review is not None:
        add_review(app, station, station.review)
    add_pages(app)
    return app


def _add_session(app: FastAPI, token: str) -> None:
    @app.post("/session", responses={401: {"model": answers.Problem}})
    async def session(request: Request) -> Response:
        """Exchange the token, {"token": ...}, for a cookie: how a browser signs in."""
        if not is_same((await read_json(request, answers.Login)).token, token):
            raise HTTPException(401, "the token is wrong")
        answer = JSONResponse({"status": "ok"})
        safe = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, session_of(token), MONTH, httponly=True, samesite="strict", secure=safe
        )
        return answer


def _add_scoring(app: FastAPI, station: Station) -> None:
    @app.post(
        "/models/{name}/score",
        response_model=answers.Score,
        responses=REFUSED,
        openapi_extra={"requestBody": BODY},
    )
    async def score(
        name: str, request: Request, response: Response, heatmap: bool = False
    ) -> Response:
        """Score an image: a form with one file, or the file itself as the body.

        A raw body is named by `?name=`. `?heatmap=1` adds a PNG of the heatmap.
        """
        try:
            model = find_model(station.models, name)
            with station.place():
                upload = await read_upload(request, station.most)
                scored = await station.score(model, upload)
                row = dict(scored.part.row)
                if heatmap:
                    layer = await station.help(lambda: heat_layer(scored.result))
                    row["heatmap_png"] = base64.b64encode(layer).decode()
        except (Full, HTTPException) as error:
            if not isinstance(error, HTTPException) or error.status_code == 404:
                await discard_body(request)
            raise
        return JSONResponse(row, headers={"X-Part": str(scored.part.number)})

    @app.get("/models/{name}/parts/{number}/{picture}", responses=REFUSED)
    async def picture(name: str, number: int, picture: str) -> Response:
        """A picture of one of the last parts: photo, thumbnail or heat."""
        part = find_model(station.models, name).parts.find(number)
        data = part and part.pictures.get(picture)
        if not data:
            raise HTTPException(404, f"there is no {picture} of part {number}")
        return Response(data, media_type="image/png" if picture == "heat" else "image/jpeg")


def _add_state(app: FastAPI, station: Station, sources: Sequence[OwnSource]) -> None:
    @app.get("/health", response_model=answers.Health)
    async def health() -> dict[str, Any]:
        """Whether the service works."""
        problems = [*station.problems, *(one.problem for one in sources if one.problem)]
        return {
            "status": "degraded" if problems else "ok",
            "models": list(station.models),
            "waiting": station.waiting,
            "problems": problems,
        }

    @app.get("/models", response_model=list[answers.Model])
    async def models() -> list[dict[str, Any]]:
        """The models that are served."""
        return [
            {**_about(model), "review": station.review is not None}
            for model in station.models.values()
        ]

    @app.get("/models/{name}/parts", responses=REFUSED)
    async def parts(name: str, after: int = 0) -> dict[str, Any]:
        """The last parts that came after a number, with the model, counts and drift."""
        model = find_model(station.models, name)
        drift = model.loaded.inspector.drift
        return {
            **_about(model),
            "started": station.started,
            "counts": model.parts.counts,
            "drift": {"state": drift.state, "reason": drift.reason, "evidence": drift.evidence},
            "outlines": model.loaded.outlines,
            "sources": [source.about for source in sources if source.model is model],
            "parts": [part.about() for part in model.parts.after(after)],
        }

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(metrics_text(station), media_type=MEDIA_TYPE)


def _about(model: ServedModel) -> dict[str, Any]:
    calibration = model.loaded.calibration
    return {
        "name": model.name,
        **model.loaded.names,
        "threshold": calibration.threshold,
        "false_alarm_rate": calibration.false_alarm_rate,
        "calibration_images": len(calibration.scores),
        "problem": model.problem,
    }


def _answer_errors(app: FastAPI) -> None:
    """Answer every error as JSON with an "error"."""

    def answer(
        status: int, about: Callable[[Any], str]
    ) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
        async def handle(request: Request, error: Exception) -> Response:
            headers = {}
            if isinstance(error, Full):
                headers["Retry-After"] = str(error.seconds)
            code = error.status_code if isinstance(error, AnyHTTPException) else status
            return JSONResponse({"error": about(error)}, code, headers=headers)

        return handle

    app.add_exception_handler(AnyHTTPException, answer(400, lambda error: str(error.detail)))
    app.add_exception_handler(InputError, answer(422, str))
    app.add_exception_handler(Full, answer(503, str))
    app.add_exception_handler(Exception, answer(500, lambda error: "an error of the station"))
    app.add_exception_handler(
        RequestValidationError,
        answer(422, lambda error: "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors())),
    )


async def _look_after(station: Station) -> None:
    """Load models anew whose files were replaced."""
    while True:
        await asyncio.sleep(REFRESH)
        for model in station.models.values():
            await asyncio.to_thread(model.refresh)
