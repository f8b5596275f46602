"""Cost of inference: all detectors on the same images in one run.

    python benchmarks/latency.py
    python benchmarks/latency.py --engines --threads 2

Fits every detector for a few steps with its MNIST settings (the quality of the fit does not change
the cost), then scores the same test images one at a time and in batches. AnoGAN takes the paper's
500 steps. Writes benchmarks/results/latency.jsonl.

With --engines, the default on features is measured instead: frames of 512 px one by one, from the
array to verdict and heatmap, by torch, by onnxruntime from the exported file, and by OpenVINO from
the same file. The engines take turns. Times on the clock are left out if the machine has other
work; processor time, of all threads together, is not.
Writes benchmarks/results/engines.jsonl.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from study import DATA, RESULTS, make

from anomgan import GANomaly, load
from anomgan.config_values import build_settings, without_idle
from anomgan.data.decode import read_image
from anomgan.data.mnist import read_mnist
from anomgan.detectors.base import Detector
from anomgan.detectors.engines import Graph, by_onnxruntime, by_openvino
from anomgan.detectors.exported import Exported, read_exported
from anomgan.detectors.exporter import export_model
from anomgan.detectors.result import Result
from anomgan.evaluation.records import environment

IMAGES, ROUNDS = 64, 3
BUSY = 1.0
"""Load of the machine above which times on the clock say nothing."""
Times = tuple[float, float]
"""Seconds on the clock, and of the processor."""
DETECTORS = ("ganomaly", "egbad", "f_anogan", "anogan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engines", action="store_true", help="measure these instead")
    parser.add_argument("--threads", type=int, default=1, help="of the engines")
    options = parser.parse_args()
    if options.engines:
        torch.set_num_threads(options.threads)
        _write("engines", measure_engines())
    else:
        _write("latency", measure_detectors(options.device))


def measure_detectors(device: str) -> list[dict[str, Any]]:
    """Measure every detector on digits."""
    train, digits = read_mnist(DATA / "mnist", train=True)
    normals = list(train[digits == 8][:200])
    images = list(read_mnist(DATA / "mnist", train=False)[0][:IMAGES])
    lines = []
    for name in DETECTORS:
        changes = {"training": {"steps": 5}}
        if name == "f_anogan":
            changes["encoder"] = {"steps": 5}
        if name == "anogan":
            changes["search"] = {"steps": 500, "restarts": 1, "patience": 0}
        detector = make(f"{name}_mnist.toml", 0, device, changes).fit(normals)
        together = _milliseconds(detector, images, at_once=len(images))
        alone = _milliseconds(detector, images[: 8 if name == "anogan" else IMAGES], at_once=1)
        lines.append(
            {
                "study": "latency",
                "detector": detector.settings.detector,
                "images": len(images),
                "ms_per_image_one_by_one": alone,
                "ms_per_image_together": together,
                **environment(detector.device),
            }
        )
        print(json.dumps(lines[-1]), flush=True)
    return lines


def measure_engines() -> list[dict[str, Any]]:
    """Measure the engines on transistors; a few steps of training are enough here, too."""
    parts, busy = DATA / "transistor", round(os.getloadavg()[0], 1)  # before there is our own work
    frames = [read_image(path) for path in sorted(parts.glob("test/*/*"))[::4]]
    with tempfile.TemporaryDirectory() as name:
        model, file = Path(name, "model"), Path(name, "model.onnx")
        few = GANomaly(space="features", device="cpu", training={"steps": 20})
        few.fit(parts / "train" / "good").save(model)
        export_model(model, file, images=frames[:4])
        return compare_engines(model, file, frames, busy)


def compare_engines(
    model: Path, file: Path, frames: list[np.ndarray], busy: float
) -> list[dict[str, Any]]:
    """Score frames with a model folder and its exported file, in turns; compare with torch."""
    data = file.read_bytes()
    engines = {
        "torch": load(model, "cpu"),
        "onnxruntime": _exported(file, by_onnxruntime(data, file, "cpu")[1]),
        "openvino": _exported(file, by_openvino(data, file)[1]),
    }
    times: dict[str, list[Times]] = {engine: [] for engine in engines}
    for number in range(ROUNDS + 1):
        found = {}
        for engine, detector in engines.items():
            found[engine], taken = _one_by_one(detector, frames)
            times[engine] += taken if number else []  # the first round loads and compiles
    lines = []
    for engine, results in found.items():
        pairs = list(zip(results, found["torch"], strict=True))
        clock, processor = 1000 * np.array(times[engine]).T
        lines.append(
            {
                "study": "engines",
                "engine": engine,
                "ms_median": None if busy > BUSY else round(float(np.median(clock)), 1),
                "ms_95th": None if busy > BUSY else round(float(np.quantile(clock, 0.95)), 1),
                "processor_ms_median": round(float(np.median(processor)), 1),
                "score_difference": max(abs(one.score - other.score) for one, other in pairs),
                "heat_difference": max(float(abs(a.heat - b.heat).max()) for a, b in pairs),
                "same_verdicts": float(np.mean([a.verdict == b.verdict for a, b in pairs])),
                "frames": len(frames),
                "load_before": busy,
                **environment(torch.device("cpu")),
            }
        )
        print(json.dumps(lines[-1]), flush=True)
    return lines


def _one_by_one(detector: Detector, frames: list[np.ndarray]) -> tuple[list[Result], list[Times]]:
    """Results and times of each frame, heatmap and verdict included."""
    results, times = [], []
    for frame in frames:
        began = time.perf_counter(), time.process_time()
        results.append(detector.score(frame))
        assert results[-1].heatmap.shape == frame.shape[:2] and results[-1].verdict
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return results, times


def _exported(file: Path, graph: Graph) -> Detector:
    """Load an exported file with another graph."""
    stored, about = read_exported(file, "cpu")
    settings = without_idle(GANomaly.settings_type, stored.settings)
    return Exported(
        build_settings(GANomaly.settings_type, settings), stored, **about | {"graph": graph}
    )


def _write(study: str, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (RESULTS / f"{study}.jsonl").write_text(text)


def _milliseconds(detector: Detector, images: list[np.ndarray], at_once: int) -> float:
    """Measure the time per image from array to verdict; the best of three runs."""
    detector.score(images[:1])
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for first in range(0, len(images), at_once):
            detector.score(images[first : first + at_once])
        seconds.append(time.perf_counter() - began)
    return 1000 * min(seconds) / len(images)


if __name__ == "__main__":
    main()
