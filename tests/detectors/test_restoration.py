import pytest
import torch
import torch.nn.functional as F

from anomgan.data.damage import damage
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.parts import DEFECTS, write_line
from anomgan.detectors.restoration import (
    LossSettings,
    Restoration,
    RestorationRecipe,
    restore_and_compare,
)
from anomgan.metrics.detection import auroc


def test_the_loss_weighs_adversary_restoration_and_comparison():
    made = Restoration(device="cpu", view={"size": 32}, network={"features": 4})
    torch.manual_seed(0)
    made.networks = made.build(1)
    x = torch.rand(8, 1, 32, 32) * 2 - 1
    torch.manual_seed(5)
    recipe = RestorationRecipe(
        made.networks, LossSettings(adversarial=2.0, restoration=3.0, damage=0.5, pixel=4.0)
    )
    update = next(recipe.step(x))
    torch.manual_seed(5)
    damaged, mask = damage(x)
    restored, fake = restore_and_compare(made.networks, damaged)
    restoration = (restored - x).abs().mean()
    there = (restored - x).abs()[mask > 0].mean()
    pixel = F.binary_cross_entropy(torch.sigmoid(fake), mask)
    expected = 2 * update.terms["adversarial"] + 3 * restoration + 0.5 * there + 4 * pixel
    assert update.loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_defects_on_parts_are_found_where_they_are(tmp_path):
    write_line(tmp_path, 40, 8, 4, size=96)
    made = Restoration(
        device="cpu",
        view={"size": 32},
        training={"steps": 400, "batch_size": 16},
    ).fit(tmp_path / "train" / "good")
    good = [result.score for result in made.score(list_images(tmp_path / "test" / "good"))]
    bad, hits = [], []
    for defect in DEFECTS:
        paths = list_images(tmp_path / "test" / defect)
        for path, result in zip(paths, made.score(paths), strict=True):
            mask = read_image(tmp_path / "ground_truth" / defect / f"{path.stem}_mask.png") > 0
            bad.append(result.score)
            hits.append(result.heatmap[mask].mean() > result.heatmap[~mask].mean())
    assert auroc([0] * len(good) + [1] * len(bad), good + bad) > 0.85
    assert sum(hits) >= 0.85 * len(hits)
