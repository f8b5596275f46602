"""A new threshold from parts that a person called good; it is used when a person says so."""

from threading import Lock
from typing import Any, Literal

from anomgan.data.roi import Roi
from anomgan.detectors.base import Detector
from anomgan.errors import AnomganError, InputError
from anomgan.model_files import model_id, read_history
from anomgan.station.review import Review
from anomgan.station.served import ServedModel

State = Literal["none", "running", "ready", "failed", "applied"]


class Recalibration:
    """The recalibration of one model; safe in any thread.

    Parts are used that were called good and that the present state of the model scored. If enough
    of them were queued while every part was, only those are used: a threshold from parts that were
    chosen for their high scores would be too high.

    Args:
        model: to recalibrate; it serves all the time.
        review: where the parts are.
    """

    def __init__(self, model: ServedModel, review: Review) -> None:
        self._model, self._review = model, review
        self._state: State = "none"
        self._about: dict[str, Any] = {}
        self._made: Detector | None = None
        self._roi: Roi | None = None
        self._lock = Lock()

    @property
    def about(self) -> dict[str, Any]:
        """The state and the figures; "ready" is a threshold that waits for a person's word."""
        with self._lock:
            return {"state": self._state, **self._about}

    def begin(self, roi: Roi | None = None) -> None:
        """Announce a recalibration; `run` does it.

        Args:
            roi: the part of each image that counts from then on; None for no change.

        Raises:
            InputError: one is running, or the model is an exported file.
        """
        if self._model.path.is_file():
            raise InputError(f"{self._model.path} is an exported file; serve the model's folder")
        with self._lock:
            if self._state == "running":
                raise InputError("a recalibration is running already")
            self._state, self._made, self._about = "running", None, {}
            self._roi = roi

    def run(self) -> None:
        """Compute the new threshold; the state is "ready" or "failed" in the end."""
        loaded, name = self._model.loaded, self._model.name
        identity, before = loaded.names["model_id"], loaded.calibration.threshold
        try:
            good = self._review.answered(name, "good", identity)
            detector = self._model.read()
            unchosen = [item for item in good if item["every"]]
            used = unchosen if len(unchosen) >= detector.settings.calibration.minimum else good
            with self._lock:
                self._about = {"images": len(used), "before": before, "model_id": identity}
            detector.recalibrate([self._review.path(item) for item in used], roi=self._roi)
            defects = self._review.answered(name, "defect", identity)
            found = self._found_by(detector, defects)
        except AnomganError as error:
            self._fail(str(error))
            return
        except Exception as error:  # the page would wait for ever
            self._fail(f"an error of the station: {error}")
            raise
        after = detector.fitted.calibration
        with self._lock:
            self._made, self._state = detector, "ready"
            self._about |= {
                "after": after.threshold,
                "false_alarm_rate": after.false_alarm_rate,
                "chosen": sum(not item["every"] for item in used),
                "defects": len(defects),
                "found_before": _found(defects, before),
                "found_after": found,
                "roi": self._roi is not None,
            }

    def apply(self) -> None:
        """Write the new threshold to the model's folder and serve it.

        Raises:
            InputError: there is none, the model has been replaced meanwhile, or the disk is full.
        """
        with self._lock:
            path, detector = self._model.path, self._made
            if detector is None:
                raise InputError("there is no new threshold; recalibrate first")
            if model_id(path) != self._about["model_id"]:
                raise InputError(f"{path} has been replaced meanwhile; recalibrate again")
            detector.fitted.history = read_history(path)
            detector.save(path)
            self._made, self._state = None, "applied"
            self._model.reload()

    def discard(self) -> None:
        """Keep the threshold that the model has."""
        with self._lock:
            if self._state != "running":
                self._state, self._made, self._about = "none", None, {}

    def _found_by(self, detector: Detector, defects: list[dict[str, Any]]) -> int:
        """Count the defects that a new threshold finds; another region gives other scores."""
        if self._roi is None:
            return _found(defects, detector.fitted.calibration.threshold)
        images = [self._review.path(item) for item in defects]
        return sum(result.is_anomalous for result in detector.score_each(images))

    def _fail(self, error: str) -> None:
        with self._lock:
            self._state = "failed"
            self._about["error"] = error


def _found(defects: list[dict[str, Any]], threshold: float) -> int:
    return sum(bool(item["reason"]) or item["score"] > threshold for item in defects)
