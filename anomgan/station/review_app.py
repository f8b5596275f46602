"""The addresses of the review."""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from anomgan.data.roi import Roi
from anomgan.station.mvtec_export import export_mvtec
from anomgan.station.recalibration import Recalibration
from anomgan.station.review import Answer, Conflict, NotSaved, Review
from anomgan.station.station import Station
from anomgan.station.uploads import find_model, read_json

PRESENT = 10.0
"""Seconds for which an operator counts as there after their page has asked."""
Number = Annotated[int, Field(ge=0, lt=2**31)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Work = Mapping[str, Recalibration]
"""The recalibration of each model, by the model's name."""


class Said(BaseModel):
    """What a person says of a part; an answer of null puts it back."""

    answer: Answer | None
    boxes: list[tuple[Coordinate, Coordinate, Coordinate, Coordinate]] = Field([], max_length=100)
    operator: str = Field("", max_length=100)
    version: Number


class Queueing(BaseModel):
    """Whether every part is queued, not only the doubtful and the anomalous."""

    every_part: bool


class Operators:
    """Who has a review open."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}

    def others(self, model: str, operator: str) -> int:
        """Take note of an operator, and count the others."""
        now = time.monotonic()
        self._seen = {who: at for who, at in self._seen.items() if now - at < PRESENT}
        if operator:
            self._seen[model, operator[:100]] = now
        return sum(who[0] == model and who[1] != operator for who in self._seen)


def add_review(app: FastAPI, station: Station, review: Review) -> None:
    """Add the addresses of the review to the service."""
    work = {name: Recalibration(model, review) for name, model in station.models.items()}
    app.add_exception_handler(NotSaved, _answer_not_saved)
    _add_queue(app, work, review)
    _add_recalibration(app, work)
    _add_answers(app, work, review)  # last: a number would stand for every other word


def _add_queue(app: FastAPI, work: Work, review: Review) -> None:
    operators = Operators()

    @app.get("/models/{name}/review")
    async def state(name: str, operator: str = "") -> dict[str, Any]:
        """The parts that wait, what was answered, and how far a recalibration is."""
        about = find_model(work, name).about
        await asyncio.to_thread(review.save_rest)
        return {
            **await asyncio.to_thread(review.counts, name),
            "parts": await asyncio.to_thread(review.waiting, name),
            "others": operators.others(name, operator),
            "every_part": name in review.every_part,
            "dropped": review.dropped.get(name, 0),
            "recalibration": about,
        }

    @app.get("/models/{name}/review/{number}/{picture}")
    async def picture(name: str, number: Number, picture: Literal["photo", "heat"]) -> Response:
        """A picture of a part in the review."""
        data = await asyncio.to_thread(review.picture, number, picture)
        if data is None:
            raise HTTPException(404, f"there is no part {number} in the review")
        return Response(data, media_type="image/png" if picture == "heat" else "image/jpeg")

    @app.post("/models/{name}/review/queue")
    async def queue(name: str, request: Request) -> dict[str, Any]:
        """Queue every part, or only the doubtful and the anomalous: {"every_part": true}."""
        find_model(work, name)
        if (await read_json(request, Queueing)).every_part:
            review.every_part.add(name)
        else:
            review.every_part.discard(name)
        return {"every_part": name in review.every_part}


def _add_recalibration(app: FastAPI, work: Work) -> None:
    @app.post("/models/{name}/review/recalibration")
    async def recalibrate(name: str, roi: str = "") -> dict[str, Any]:
        """Compute a new threshold from what was called good; it is not used yet.

        `?roi=x,y x,y x,y` are corners of the region that counts from then on, in fractions.
        """
        recalibration = find_model(work, name)
        recalibration.begin(Roi.polygon(roi) if roi else None)
        app.state.recalibrating = asyncio.create_task(asyncio.to_thread(recalibration.run))
        return recalibration.about

    @app.post("/models/{name}/review/recalibration/apply")
    async def apply(name: str) -> dict[str, Any]:
        """Use the new threshold."""
        recalibration = find_model(work, name)
        await asyncio.to_thread(recalibration.apply)
        return recalibration.about

    @app.post("/models/{name}/review/recalibration/discard")
    async def discard(name: str) -> dict[str, Any]:
        """Keep the threshold that the model has."""
        recalibration = find_model(work, name)
        recalibration.discard()
        return recalibration.about


def _add_answers(app: FastAPI, work: Work, review: Review) -> None:
    @app.post("/models/{name}/review/export")
    async def export(name: str) -> dict[str, Any]:
        """Write images and masks in the layout of MVTec AD to the folder of the review."""
        find_model(work, name)
        return await asyncio.to_thread(export_mvtec, review, name)

    @app.post("/models/{name}/review/{number}")
    async def answer(name: str, number: Number, request: Request) -> Any:
        """Say what a part is: {"answer": "good", "boxes": [], "version": 0}.

        `version` is that of the part as it was shown. 409 if someone else has answered since.
        """
        find_model(work, name)
        said = await read_json(request, Said)
        try:
            return await asyncio.to_thread(review.answer, name, number, **dict(said))
        except KeyError:
            raise HTTPException(404, f"there is no part {number} in the review") from None
        except Conflict as error:
            return JSONResponse({"error": str(error), "item": error.item}, 409)


async def _answer_not_saved(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{error}; this is not saved: try again"}, 507)
