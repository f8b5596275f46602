"""Sentences about a model that several commands print: its training and its false-alarm rate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anomgan.machine.notes import counted

if TYPE_CHECKING:
    from anomgan.data.roi import Roi
    from anomgan.detectors.calibration import Calibration

OTHER_RATES = (0.02, 0.05, 0.1)
"""False-alarm rates whose thresholds are shown beside the present one."""


def describe_training(detector: str, facts: Mapping[str, Any]) -> list[str]:
    """Describe how many images a model was trained on, and how long it took."""
    groups = f" in {facts['groups']} groups" if facts["groups"] else ""
    skipped, imported = facts["skipped_images"], facts.get("imported")
    learnt = "was measured on" if imported else "learnt from"
    images = f"{detector} {learnt} {facts['training_images']} good images and was calibrated on "
    if facts.get("folds"):  # earlier models have none
        images += f"the same{groups}, each by one of {facts['folds']} networks that had not seen it"
    else:
        images += f"{facts['calibration_images']} others ({facts['images']}{groups})"
    return [
        images + (f"; left out: {counted(skipped, 'unreadable file')}." if skipped else "."),
        *_describe_copies(facts),
        f"Its weights are from {imported['file']}; nothing was trained."
        if imported
        else f"{facts['steps']} steps in {facts['seconds'] / 60:.1f} minutes on {facts['device']}.",
    ]


def describe_highest(facts: Mapping[str, Any], calibration: "Calibration") -> list[str]:
    """Name the good images with the highest scores; earlier models have not stored them."""
    recalibration = facts.get("recalibration")
    highest = (recalibration or facts).get("highest")
    if not highest:
        return []
    names = ", ".join(f"{name} ({score:.3g})" for name, score in highest)
    again = "recalibrate" if recalibration else "fit"
    lower = calibration.threshold_without(len(highest))
    without = "" if lower is None else f", which would be {lower:.4g} without them"
    return [
        f"Highest scores of good images: {names}. They set the threshold{without}. Look at them "
        f"(samples.png): if one shows a defect, or what the line never shows, such as another "
        f"background, remove it and {again} again."
    ]


def _describe_copies(facts: Mapping[str, Any]) -> list[str]:
    copies = facts.get("copies")
    if not copies:
        return []
    return [
        f"WARNING: copies or near copies of other images: {copies}. They do not count separately. "
        f"If they show different parts, give a table with --groups."
    ]


def describe_space(facts: Mapping[str, Any]) -> list[str]:
    """Describe the pretrained networks and the use of eigenmaps; empty in pixel space."""
    if "backbones" not in facts:
        return []
    lines = [
        f"Features of {one['name']} ({one['licence']}), weights from {one['origin']}, SHA-256 "
        f"{one['sha256'] or 'not known'}."
        for one in facts["backbones"]
    ]
    if facts["explained"] is None:
        return [*lines, "Place: not used (align = none)."]
    use = "used" if facts["place"] else "not used"
    share = f"{facts['explained']:.0%} of the variance of good images is explained by the others"
    lines.append(f"Place: {use}; {share}.")
    if facts.get("turned_copies"):
        lines.append(f"{facts['turned_copies']} mirrored and turned copies were learnt from, too.")
    return lines


def describe_roi(roi: "Roi | None") -> list[str]:
    """Describe the region of interest; empty if the whole image counts."""
    if roi is None:
        return []
    left, top, right, bottom = roi.box
    return [
        f"Region of interest: {roi.share:.0%} of the image, from {left:.0%} to {right:.0%} of the "
        f"width and from {top:.0%} to {bottom:.0%} of the height; nothing else counts."
    ]


def describe_scale(score: Mapping[str, Any]) -> list[str]:
    """Describe scale and smallest defect, two settings of the score that earlier models lack."""
    scale, smallest = score.get("pixels_per_mm"), score.get("smallest_defect")
    lines = [] if scale is None else [f"Scale: {scale:g} pixels per mm."]
    if smallest is not None:
        area = f"{smallest:g} px²"
        if scale is not None:
            area += f" ({smallest / scale**2:.3g} mm²)"
        lines.append(f"Regions of the heatmap below {area} make no verdict.")
    return lines


def describe_recalibration(facts: Mapping[str, Any]) -> list[str]:
    """Describe when and on how many images a model was recalibrated; empty if it never was."""
    if "recalibration" not in facts:
        return []
    about = facts["recalibration"]
    groups = f" in {about['groups']} groups" if about["groups"] else ""
    skipped = about["skipped_images"]
    return [
        f"Recalibrated {about['created']} on {about['images']} other good images{groups}"
        + (f"; left out: {counted(skipped, 'unreadable file')}." if skipped else "."),
        *_describe_copies(about),
    ]


def describe_promise(calibration: "Calibration", recalibrated: bool = False) -> list[str]:
    """Describe the threshold and its false-alarm rate; `recalibrated` without a fit, or since."""
    rate, groups = calibration.false_alarm_rate, calibration.groups
    what = "groups of calibration images" if calibration.grouped else "calibration images"
    low, high = calibration.rate_interval()
    promise, lies = f"at most {rate:.2%}", "lies"
    if calibration.folds is not None:
        promise, lies = (
            f"about {rate:.2%} (never more than {calibration.worst_rate:.2%})",
            "lies about",
        )
    lines = [
        f"Threshold {calibration.threshold:.4g}: {promise} of good images are called anomalous, on "
        f"average over calibrations; with these {groups} {what} the long-run rate {lies} between "
        f"{low:.2%} and {high:.2%} (95% confidence).",
    ]
    lines += [f"WARNING: {shortfall}." for shortfall in calibration.shortfalls(recalibrated)]
    others = [
        f"{calibration.at_rate(other).threshold:.4g} at {other:.0%}"
        for other in OTHER_RATES
        if other > rate
    ]
    if others:
        lines.append(
            f"A higher rate finds more defects: the threshold would be {', '.join(others)} "
            f"(anomgan recalibrate --false-alarm-rate RATE)."
        )
    return lines
