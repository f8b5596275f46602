"""The peer's side on features, in its own environment. A job is `fit` or `score`.

The option is "padim", or "patchcore:SHARE" or "random:SHARE" with the share of vectors in the
coreset of PatchCore. "random" draws them: this costs the same to score as the greedy choice, which
takes hours for the peer's default share of 0.1.
"""

import time
import warnings
from pathlib import Path

import features_task as task
import torch
from anomalib.data import Folder
from anomalib.engine import Engine
from anomalib.models import Padim, Patchcore
from anomalib.models.components.sampling import KCenterGreedy
from anomalib.pre_processing import PreProcessor
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms.v2 import Compose, Normalize, Resize
from torchvision.transforms.v2.functional import to_dtype, to_image

warnings.filterwarnings("ignore")
BACKBONE = {"backbone": "tf_efficientnet_lite0", "pre_trained": False}
LAYERS = ["blocks.2", "blocks.4"]
"""Strides 8 and 16, as the paper of PatchCore takes of its ResNet."""
CHANNELS = 100
"""Channels that PaDiM draws, as for a ResNet-18; the peer has no default for this backbone."""


def build(model: Path, option: str) -> Patchcore | Padim:
    """Make the peer's model with our weights, image size and normalisation."""
    size = Resize((task.SIDE, task.SIDE), antialias=True)
    transform = Compose([size, Normalize(mean=[0.5] * 3, std=[0.5] * 3)])
    usual = {"pre_processor": PreProcessor(transform=transform), "visualizer": False}
    name, _, share = option.partition(":")
    if name == "random":
        KCenterGreedy.select_coreset_idxs = drawn
    learner = (
        Padim(layers=LAYERS, n_features=CHANNELS, **BACKBONE, **usual)
        if name == "padim"
        else Patchcore(layers=LAYERS, coreset_sampling_ratio=float(share), **BACKBONE, **usual)
    )
    network = learner.model.feature_extractor.feature_extractor
    weights = load_file(model.parent / "lite0.safetensors")
    used = {name for name in network.state_dict() if not name.endswith("num_batches_tracked")}
    network.load_state_dict({name: weights[name] for name in used}, strict=False)
    return learner


def drawn(sampler: KCenterGreedy) -> list[int]:
    """Draw as many vectors as the greedy choice would take."""
    return torch.randperm(sampler.n_observations)[: sampler.coreset_size].tolist()


def fit(folder: Path, model: Path, option: str) -> task.Figures:
    began = time.perf_counter()
    learner = build(model, option)
    data = Folder(
        name="parts",
        normal_dir=folder / "train" / "good",
        train_batch_size=8,
        num_workers=0,
        test_split_mode="none",
        val_split_mode="none",
    )
    Engine(
        accelerator="cpu",
        devices=1,
        default_root_dir=model.parent / "work",
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    ).fit(learner, datamodule=data)
    torch.save(learner.model.state_dict(), model)
    return {
        "fit_seconds": time.perf_counter() - began,
        "fit_megabytes": task.peak_megabytes(),
        "model_megabytes": model.stat().st_size / 1e6,
    }


@torch.inference_mode()
def score(folder: Path, model: Path, option: str) -> tuple[task.Figures, list[float]]:
    judge = build(model, option).eval()
    learnt = torch.load(model, weights_only=True)
    for name, tensor in learnt.items():  # buffers are empty until a model is fitted
        owner, _, own = name.rpartition(".")
        part = judge.model.get_submodule(owner)
        if own in part._buffers:
            part._buffers[own] = tensor
    judge.model.load_state_dict(learnt)

    def one(path: Path) -> float:
        image = to_dtype(to_image(Image.open(path).convert("RGB")), torch.float32, scale=True)
        found = judge.model(judge.pre_processor.transform(image[None]))
        assert found.anomaly_map.shape[-1] == task.SIDE
        return float(found.pred_score)

    return task.timed(one, task.test_images(folder))


if __name__ == "__main__":
    task.main({"fit": fit, "score": score})
