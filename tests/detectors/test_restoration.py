import cv2
import pytest
import torch

from anomgan.data.damage import draw_shapes
from anomgan.data.decode import read_image
from anomgan.data.flange import DEFECTS, write_line
from anomgan.data.folders import list_images
from anomgan.detectors.restoration import (
    LossSettings,
    Restoration,
    RestorationRecipe,
    expose,
    fill,
)
from anomgan.metrics.detection import auroc


@pytest.fixture
def made():
    torch.manual_seed(0)
    made = Restoration(device="cpu", view={"size": 32}, network={"features": 4})
    made.networks = made.build(1)
    return made


def test_the_generator_is_to_pass_for_genuine_and_to_restore(made):
    x = torch.rand(8, 1, 32, 32) * 2 - 1
    torch.manual_seed(5)
    recipe = RestorationRecipe(made.networks, LossSettings(adversarial=2.0, restoration=3.0))
    update = next(recipe.step(x))
    torch.manual_seed(5)
    some = expose(x)[:2]
    hole = draw_shapes(some)
    filled = fill(made.networks["generator"], some, hole)
    believed = torch.sigmoid(-made.networks["discriminator"](filled))
    adversarial = (-believed.log() * hole).sum() / hole.sum()
    restoration = ((filled - some).abs() * hole).sum() / hole.sum()
    assert update.loss.item() == pytest.approx((2 * adversarial + 3 * restoration).item(), rel=1e-4)


def test_each_view_is_under_a_lamp_of_its_own():
    torch.manual_seed(0)
    x = torch.linspace(-0.6, 0.2, 16).view(1, 1, 4, 4).expand(300, -1, -1, -1)
    seen = expose(x).flatten(1)
    assert (seen.diff(dim=1) > 0).all(), "what is lighter stays lighter"
    assert abs(seen.mean() - x.mean()) < 0.03, "as often lighter as darker"
    assert 0.08 < seen.mean(1).std() < 0.2
    contrast = (seen[:, -1] - seen[:, 0]) / 0.8
    assert 0.4 < contrast.min() < 0.8 and 1.25 < contrast.max() < 2


def test_a_hole_is_filled_without_a_look_at_what_was_there(made):
    x = torch.rand(1, 1, 32, 32) * 2 - 1
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., 8:20, 8:20] = 1
    other = torch.where(hole > 0, -x, x)
    made.networks.eval()
    filled, also = (fill(made.networks["generator"], views, hole) for views in (x, other))
    assert torch.allclose(filled, also, atol=1e-6)
    assert torch.equal(filled * (1 - hole), x * (1 - hole))


def test_defects_on_parts_are_found_where_they_are(tmp_path):
    # Of fewer test images, the AUROC moves by more than 0.1 from seed to seed.
    write_line(tmp_path, 40, 60, 20, size=96)
    made = Restoration(
        device="cpu",
        view={"size": 32},
        training={"steps": 400, "batch_size": 16},
    ).fit(tmp_path / "train" / "good")
    good = [result.score for result in made.score(list_images(tmp_path / "test" / "good"))]
    bad, hits, restored = [], [], []
    for defect in DEFECTS:
        paths = list_images(tmp_path / "test" / defect)
        for path, result in zip(paths, made.score(paths), strict=True):
            mask = read_image(tmp_path / "ground_truth" / defect / f"{path.stem}_mask.png") > 0
            bad.append(result.score)
            hits.append(result.heatmap[mask].mean() > result.heatmap[~mask].mean())
            change = cv2.absdiff(result.prepared, result.reconstruction)
            restored.append(change[mask].mean() > 3 * change[~mask].mean())
    assert auroc([0] * len(good) + [1] * len(bad), good + bad) > 0.85
    assert sum(hits) >= 0.85 * len(hits)
    assert sum(restored) >= 0.5 * len(restored), "what was found is drawn anew, the rest is kept"
