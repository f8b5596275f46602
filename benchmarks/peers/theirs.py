"""The peer's side, in its own environment; a job is `train` or `score`."""

import time
import warnings
from pathlib import Path

import numpy as np
import task
import torch
from anomalib.data import Folder, PredictDataset
from anomalib.engine import Engine
from anomalib.models import Ganomaly
from anomalib.models.image.ganomaly.loss import DiscriminatorLoss, GeneratorLoss
from lightning.pytorch import Callback
from measured import Figures, peak_megabytes
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.v2.functional import to_dtype, to_image

warnings.filterwarnings("ignore")


class Clock(Callback):
    """How long the steps of a training took, without what comes before and after them."""

    began = ended = 0.0
    steps = 0

    def on_train_start(self, *_: object) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, *_: object) -> None:
        self.ended = time.perf_counter()
        self.steps += 1


def model() -> Ganomaly:
    """Its defaults at our size, without the pictures that it would draw of every image."""
    size = (task.SIZE, task.SIZE)
    return Ganomaly(
        batch_size=task.BATCH,
        n_features=task.FEATURES,
        latent_vec_size=task.LATENT_DIM,
        pre_processor=Ganomaly.configure_pre_processor(size),
        visualizer=False,
    )


def engine(place: Path, precision: str, **options: object) -> Engine:
    return Engine(
        accelerator="cpu",
        devices=1,
        precision="bf16-mixed" if precision == "bfloat16" else "32-true",
        default_root_dir=place / "theirs",
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def train(place: Path, steps: int, precision: str) -> Figures:
    clock, learner = Clock(), model()
    data = Folder(
        name="parts",
        normal_dir=place / "parts",
        train_batch_size=task.BATCH,
        num_workers=0,
        test_split_mode="none",
        val_split_mode="none",
    )
    # Lightning counts the updates of both players.
    lasts = {"max_steps": 2 * steps, "max_epochs": -1, "limit_val_batches": 0}
    engine(place, precision, callbacks=[clock], **lasts).fit(learner, datamodule=data)
    torch.save(learner.state_dict(), place / "theirs.pt")
    figures = {
        "train": clock.steps * task.BATCH / (clock.ended - clock.began),
        "train_megabytes": peak_megabytes(),
    }
    return figures | train_networks(steps, precision)


def train_networks(steps: int, precision: str) -> Figures:
    """Its networks and losses in a plain loop, without Lightning; the step is its own."""
    learner, x = model(), task.views()
    net = learner.model.train()
    generator_loss, discriminator_loss = GeneratorLoss(), DiscriminatorLoss()
    discriminator_adam, generator_adam = learner.configure_optimizers()

    def step() -> None:
        padded, fake, latent, second_latent = net(x)
        real_verdict, _ = net.discriminator(padded)
        fake_verdict, _ = net.discriminator(fake)
        with torch.autocast("cpu", enabled=False):
            loss = generator_loss(
                latent, second_latent, padded, fake, real_verdict.float(), fake_verdict.float()
            )
        generator_adam.zero_grad()
        loss.backward(retain_graph=True)
        generator_adam.step()
        fake_verdict, _ = net.discriminator(fake.detach())
        with torch.autocast("cpu", enabled=False):
            loss = discriminator_loss(real_verdict.float(), fake_verdict.float())
        discriminator_adam.zero_grad()
        loss.backward()
        discriminator_adam.step()

    def loop(count: int) -> None:
        for _ in range(count):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                step()

    return {
        "parameters": task.parameters(net),
        "train_macs": task.arithmetic(lambda: loop(1)),
        "train_networks": task.per_second(lambda: loop(steps // 2), steps // 2 * task.BATCH),
    }


def score(place: Path, steps: int, precision: str) -> Figures:
    judge = model()
    judge.load_state_dict(torch.load(place / "theirs.pt", weights_only=True))
    files = PredictDataset(place / "parts")
    loader = DataLoader(files, task.BATCH, collate_fn=files.collate_fn)
    predicting = engine(place, precision)
    figures = {"files": task.per_second(lambda: predicting.predict(judge, loader), len(files))}
    figures["score_megabytes"] = peak_megabytes()
    frames = [np.array(Image.open(path)) for path in files.image_filenames]
    judge.eval()

    def inspect(size: int, count: int) -> None:
        for first in range(0, count, size):
            some = [to_image(frame) for frame in frames[first : first + size]]
            judge(to_dtype(torch.stack(some), torch.float32, scale=True))

    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        figures["frames"] = task.per_second(lambda: inspect(task.BATCH, len(frames)), len(frames))
        figures["frames_one_by_one"] = task.per_second(lambda: inspect(1, 64), 64)
        net, x = judge.model, task.views()
        figures["score_macs"] = task.arithmetic(lambda: net(x))
        figures["score_networks"] = task.per_second(
            lambda: [net(x) for _ in range(steps)], steps * task.BATCH
        )
    return figures


if __name__ == "__main__":
    task.run({"train": train, "score": score})
