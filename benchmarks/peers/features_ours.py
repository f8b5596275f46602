"""Our side on features: the default of `anomgan fit`. A job is `fit`, `score` or `weights`."""

import time
from pathlib import Path

import features_task as task
from safetensors.torch import save_file

from anomgan import GANomaly, load
from anomgan.backbones.registry import find
from anomgan.backbones.weights import load_state


def fit(folder: Path, model: Path, option: str) -> task.Figures:
    began = time.perf_counter()
    detector = GANomaly(space="features", device="cpu")
    detector.fit(folder / "train" / "good", groups=task.parts_table(folder)).save(model)
    return {
        "fit_seconds": time.perf_counter() - began,
        "fit_megabytes": task.peak_megabytes(),
        "model_megabytes": sum(file.stat().st_size for file in model.iterdir()) / 1e6,
    }


def score(folder: Path, model: Path, option: str) -> tuple[task.Figures, list[float]]:
    detector = load(model, "cpu")

    def one(path: Path) -> float:
        result = detector.score(path)
        assert result.heatmap.shape == result.size
        return result.score

    return task.timed(one, task.test_images(folder))


def weights(folder: Path, model: Path, option: str) -> None:
    """Leave the weights of the backbone for the peer, under timm's names."""
    state, _, _ = load_state(find("lite0"), None)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, model)


if __name__ == "__main__":
    task.main({"fit": fit, "score": score, "weights": weights})
