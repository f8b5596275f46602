"""A model at a line: frames of a camera in, verdicts out, within a time limit."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Self

import cv2
import numpy as np
import torch

from anomgan.detectors import load
from anomgan.detectors.base import Detector
from anomgan.detectors.result import Result
from anomgan.errors import InputError, ModelError, SettingsError, TimeLimitError
from anomgan.inspection.drift import Drift, DriftReport
from anomgan.inspection.latency import Latency, LatencyWindow
from anomgan.networks.folding import fold_batch_norms


class Inspector:
    """Inspects frame after frame, from any number of threads; `load` makes one.

    Frames are arrays uint8 or uint16, [H, W] or [H, W, 3] in RGB, in any memory layout. They are
    copied first, so that a camera may reuse its buffer. A frame that cannot be used raises an error
    and is not counted; the next one can be inspected.

    Example:
        >>> with Inspector.load("anomgan-model") as inspector:
        ...     result = inspector.inspect(frame, time_limit=50)
        ...     result.verdict, inspector.latency.p99, inspector.drift.state
        ('ok', 12.7, 'steady')
    """

    def __init__(self, detector: Detector, threads: int | None) -> None:
        self._detector = detector
        self._threads = threads
        self._drift = Drift(detector.fitted.calibration)
        self._latency = LatencyWindow()
        self._lock = Lock()
        self._helper = ThreadPoolExecutor(1, "anomgan-inspector")
        self._helper_is_free = Lock()
        self._closed = False
        self._score([np.zeros(detector.fitted.image_size, np.uint8)])

    @classmethod
    def load(cls, model: Path | str, device: str = "auto", threads: int | None = None) -> Self:
        """Load a model, fold its batch norms, and score once, so that the first frame is not slow.

        Args:
            model: model folder, or a file that `anomgan export` wrote.
            device: "auto", "cpu", "cuda" or "mps".
            threads: CPU threads of torch or onnxruntime for a frame, and of OpenCV, which has one
                number for the whole process; None leaves them as they are.

        Raises:
            ModelError: the model is incomplete, damaged, or of a newer format, or onnxruntime is
                not installed.
            SettingsError: the device is not available, or `threads` is below 1.
        """
        if threads is not None and threads < 1:
            raise SettingsError(f"threads = {threads}: must be at least 1")
        if threads is not None:
            cv2.setNumThreads(threads)
            torch.set_num_threads(threads)
        detector = load(model, device)
        fold_batch_norms(detector.networks)
        return cls(detector, threads)

    def inspect(self, frame: np.ndarray, *, time_limit: float | None = None) -> Result:
        """Score one frame. `heatmap` and `regions` of the result cost nothing until asked for.

        Args:
            frame: uint8 or uint16, [H, W] or [H, W, 3] in RGB.
            time_limit: milliseconds after which this returns in any case, give or take a few. A
                running computation cannot be interrupted: it goes on in a helper thread, and its
                result is dropped. There is one such thread, so frames with a limit wait for each
                other, within their limits. For several cameras with limits, load an inspector for
                each.

        Raises:
            InputError: the frame is no such array, or too small.
            TimeLimitError: there was no result in time.
            SettingsError: the time limit is not above 0.
            ModelError: the inspector is closed.
        """
        began = time.perf_counter()
        image = _copy(frame, "frame")
        if time_limit is None:
            results = self._score([image])
        else:
            results = self._score_in_time(image, time_limit, began)
        self._record(results, began)
        return results[0]

    def inspect_batch(self, frames: Sequence[np.ndarray]) -> list[Result]:
        """Score several frames at once, which is faster for small ones in the whole view.

        The latency of each is that of the batch.

        Raises:
            InputError: a frame cannot be used; then none of them counts.
            ModelError: the inspector is closed.
        """
        began = time.perf_counter()
        results = self._score([_copy(frame, f"frame {n}") for n, frame in enumerate(frames)])
        self._record(results, began)
        return results

    @property
    def latency(self) -> Latency:
        """Times of frames, from call to result."""
        with self._lock:
            return self._latency.latency()

    @property
    def drift(self) -> DriftReport:
        """Whether good frames still score as they did when the model was calibrated."""
        with self._lock:
            return self._drift.report()

    def close(self) -> None:
        """End the helper thread after its frame; no more frames can be inspected."""
        self._closed = True
        self._helper.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _score(self, images: Sequence[np.ndarray]) -> list[Result]:
        if self._closed:
            raise ModelError("this inspector is closed; load the model again")
        # Torch keeps this number for each calling thread.
        if self._threads not in (None, torch.get_num_threads()):
            torch.set_num_threads(self._threads)
        return self._detector.score(images)

    def _score_in_time(self, image: np.ndarray, time_limit: float, began: float) -> list[Result]:
        if not 0 < time_limit < math.inf:
            raise SettingsError(f"time_limit = {time_limit}: must be above 0 milliseconds")
        end = began + time_limit / 1000
        late = f"no verdict within {time_limit:g} ms"
        if not self._helper_is_free.acquire(timeout=max(0.0, end - time.perf_counter())):
            self._record_late(began)
            raise TimeLimitError(f"{late}: the inspector was busy with an earlier frame")
        try:
            work = self._helper.submit(self._score, [image])
        except RuntimeError:
            self._helper_is_free.release()
            raise ModelError("this inspector is closed; load the model again") from None
        work.add_done_callback(lambda _: self._helper_is_free.release())
        try:
            return work.result(timeout=end - time.perf_counter())
        except TimeoutError:
            self._record_late(began)
            raise TimeLimitError(f"{late}; use smaller images, or allow more time") from None

    def _record(self, results: Sequence[Result], began: float) -> None:
        milliseconds = (time.perf_counter() - began) * 1000
        with self._lock:
            for result in results:
                self._latency.add(milliseconds)
                self._drift.add(result.scores)

    def _record_late(self, began: float) -> None:
        with self._lock:
            self._latency.add((time.perf_counter() - began) * 1000, late=True)


def _copy(frame: np.ndarray, name: str) -> np.ndarray:
    """A copy of a frame; `Detector.score` checks its type and shape."""
    if not isinstance(frame, np.ndarray):
        raise InputError(
            f"{name} is of type {type(frame).__name__}; give a numpy array, uint8 or uint16, of "
            f"shape [H, W] or [H, W, 3] (RGB)"
        )
    return np.array(frame, order="C")
