"""Does it help a detector to translate images to the lighting of its training images?

    python benchmarks/lighting.py

Detectors are trained on good tiles under lighting 1, with lighting = "keep". Test tiles under
lighting 6 are scored unchanged, and translated to lighting 1 by CycleGAN and by StarGAN. The upper
bound are images of the same tiles under lighting 1.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from study import MODELS, RESULTS
from tiles import by_lighting, by_tile

from anomgan.data.decode import read_image
from anomgan.detectors import METHODS
from anomgan.evaluation.records import append_record, environment
from anomgan.generators import load_translator
from anomgan.metrics.detection import auroc

STUDY = "lighting"
LEARNT, SEEN = "1", "6"
DEFECTS = ("blowhole", "crack", "break", "fray", "uneven")
RATE = 0.05
"""False-alarm rate; with 116 tiles, some of which are held out, it cannot be much lower."""
DETECTORS = ("pca", "nearest")
Prepare = Callable[[dict[str, Path]], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    good = [tile for tile in by_tile(("good",)) if {LEARNT, SEEN} <= set(tile)]
    bad = [tile for tile in by_tile(DEFECTS) if {LEARNT, SEEN} <= set(tile)]
    ways = _ways(options.device)
    for name in DETECTORS:
        detector = METHODS[name](
            device=options.device,
            image={"lighting": "keep"},
            calibration={"false_alarm_rate": RATE},
        )
        detector.fit(by_lighting("train")[LEARNT])
        for way, prepare in ways.items():
            results = detector.score([prepare(tile) for tile in [*good, *bad]])
            truth = [0] * len(good) + [1] * len(bad)
            alarms = [result.is_anomalous for result in results]
            record = {
                "study": STUDY,
                "detector": name,
                "photographs": way,
                "n_test_normal": len(good),
                "n_test_anomalous": len(bad),
                "image_auroc": auroc(truth, [result.score for result in results]),
                "false_alarm_rate_target": detector.fitted.calibration.false_alarm_rate,
                "false_alarm_rate_observed": float(np.mean(alarms[: len(good)])),
                "found": float(np.mean(alarms[len(good) :])),
                **environment(detector.device),
            }
            append_record(RESULTS / f"{STUDY}.jsonl", record)
            print(record)


def _ways(device: str) -> dict[str, Prepare]:
    """Return the ways to prepare the image of a tile for the detector, by name."""
    ways: dict[str, Prepare] = {"as they are": lambda tile: read_image(tile[SEEN])}
    for config in ("cyclegan_tiles", "stargan_tiles"):
        model = load_translator(MODELS / "translate_tiles" / config, device)
        style = model.style(LEARNT)
        ways[f"by {model.settings.generator}"] = lambda tile, model=model, style=style: (
            model.render(read_image(tile[SEEN]), style, full_size=True)
        )
    ways["under the lighting learnt"] = lambda tile: read_image(tile[LEARNT])
    return ways


if __name__ == "__main__":
    main()
