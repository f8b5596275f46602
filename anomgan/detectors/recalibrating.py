"""Recalibrates a fitted detector on other good images."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from anomgan.data.copies import count_known
from anomgan.data.normals import NormalImages, Source
from anomgan.data.roi import Roi
from anomgan.data.usual import Usual
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.fitting import FitOptions
from anomgan.detectors.measuring import calibrate, name_highest
from anomgan.detectors.method import Method
from anomgan.detectors.reading import (
    describe_images,
    find_groups,
    read_good,
    require,
    require_cells,
)
from anomgan.errors import InputError


def recalibrate_method(
    method: Method, fitted: Fitted, normals: Path | Sequence[Source], options: FitOptions
) -> Fitted:
    """Calibrate on other good images, and set `method.roi`; see `Detector.recalibrate`."""
    settings = method.settings.calibration
    if options.roi is not None:
        method.roi = Roi.read(options.roi)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        read = read_good(normals, Path(scratch), options.skip_unreadable)
        require(read, normals, settings.minimum, "to calibrate on (calibration.minimum)")
        _refuse_learnt(read, fitted)
        groups, copies = find_groups(read, options.groups)
        shapes = read.shapes()
        if method.roi is not None:
            method.roi.require(shapes, read.names)
        usual = Usual.measure(read, fitted.preparation.bits, method.roi)
        with read.prepared(fitted.preparation, Path(scratch)) as store:
            require_cells(method, store, shapes)
            # The statistics are part of the detector, like the weights, and do not change.
            calibration, samples, scores = calibrate(
                method, store, range(len(store)), groups, fitted.statistics, shapes
            )
    recalibration = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_images(read, groups, copies),
        "highest": name_highest(scores, read.names),
    }
    facts = fitted.facts | {"recalibration": recalibration}
    if fitted.usual is not None and options.roi is None:  # they are of the same part of an image
        usual = usual.joined(fitted.usual)
    return replace(fitted, calibration=calibration, usual=usual, facts=facts, samples=samples)


def _refuse_learnt(read: NormalImages, fitted: Fitted) -> None:
    known = fitted.learnt
    same = len(read) if read.fingerprint == fitted.facts["data_fingerprint"] else 0
    if known is not None:
        same = count_known(np.stack(read.digests), known)
    if same:
        raise InputError(
            f"{same} of {len(read)} images are training images of the model, whatever their names "
            f"are now; their scores are too low to calibrate on: give new images"
        )
