import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, mahalanobis

from anomgan.backbones import Moments
from anomgan.config_values import build_settings
from anomgan.data.flange import render_part
from anomgan.data.views import to_network
from anomgan.detectors import load
from anomgan.detectors.baselines import BASELINES
from anomgan.detectors.coreset_memory import VectorMemory, draw_vectors, greedy_k_centre
from anomgan.detectors.feature_baselines import (
    REGULARISER,
    GaussianGrid,
)
from anomgan.detectors.feature_space import as_vectors
from anomgan.errors import SettingsError
from anomgan.metrics.detection import auroc

ALONE = ["coreset", "eigenmaps", "gaussian", "place-gaussian"]
SMALL = {"backbone": {"long_side": 256}, "calibration": {"minimum": 6, "share": 0.2}}
OWN = {
    "autoencoder": {
        "space": "features",
        "training": {"steps": 100, "batch_size": 64},
        "network": {"features": 128},
    },
    "coreset": {"keep": 400, "candidates": 1500, "vectors": "raw"},
    "place-gaussian": {"grid": 20},
}


@pytest.fixture(scope="module")
def fitted(line):
    """Finds the baseline of that name, fitted to the good parts of the line."""
    made = {}

    def find(name):
        if name not in made:
            values = SMALL | OWN.get(name, {})
            made[name] = BASELINES[name](device="cpu", **values).fit(line / "train" / "good")
        return made[name]

    return find


@pytest.fixture(scope="module")
def shown(line):
    """Good parts, some of them rendered anew, and defective ones; and which they are."""
    files = sorted((line / "test").glob("*/*.png"))
    more = [render_part(9000 + number, 96)[0] for number in range(12)]
    truth = [file.parent.name != "good" for file in files] + [False] * len(more)
    return [*files, *more], truth


def maps_of(made, folder):
    """Each good image of the line as `made` sees it, [1, D, h, w], and before whitening."""
    space = made.feature_space
    for path in sorted((folder / "train" / "good").iterdir()):
        x = to_network(space.grid.surround(made.prepare(path).pixels)[None])
        with torch.no_grad():
            yield space(x), space.extractor.raw(x)


@pytest.mark.parametrize("name", ["autoencoder", *ALONE])
def test_defects_are_told_apart_and_a_stored_model_scores_alike(fitted, shown, name, tmp_path):
    made, (images, truth) = fitted(name), shown
    results = made.score(images)
    assert auroc(truth, [result.score for result in results]) > 0.8
    made.save(tmp_path / "model")
    again = load(tmp_path / "model", "cpu").score(images[:6])
    for one, other in zip(again, results[:6], strict=True):
        assert one.score == other.score
        assert np.array_equal(one.heat, other.heat)


@pytest.mark.parametrize("name", ALONE)
def test_features_are_all_that_they_know(name):
    kind = BASELINES[name].settings_type
    assert build_settings(kind, {"space": "features"}) == build_settings(kind, {}) == kind()
    assert kind().image.lighting == "keep" and kind().score.top_share == 0.01
    with pytest.raises(SettingsError, match=f"{name} works on features only"):
        BASELINES[name](space="pixels")


def test_the_gaussian_measures_the_mahalanobis_distance(fitted, line):
    made, held = fitted("gaussian"), set(fitted("gaussian").fitted.calibration.scores)
    moments, seen = Moments(made.feature_space.extractor.channels), []
    paths = sorted((line / "train" / "good").iterdir())
    for path, (features, raw) in zip(paths, maps_of(made, line), strict=True):
        if made.score(path).score not in held:
            moments.add(as_vectors(raw).flatten(1))
            seen.append((features, made.feature_space.coarsen(raw)))
    assert len(seen) == made.fitted.facts["training_images"]
    variances, directions = np.linalg.eigh(moments.covariance().numpy())
    inverse = directions[:, -128:] / variances[-128:] @ directions[:, -128:].T
    mean, (features, raw) = moments.mean().numpy(), seen[0]
    vectors = as_vectors(raw).flatten(1).double().numpy()
    expected = np.array([mahalanobis(one, mean, inverse) ** 2 for one in vectors])
    found = 128 * made.see_features(features)["magnitude"].flatten().numpy()
    assert found == pytest.approx(expected, rel=1e-3)


def test_a_gaussian_of_a_place_is_numpy_s():
    maps = torch.randn(20, 5, 4, 4) * torch.rand(5, 4, 4) + torch.randn(5, 4, 4)
    grid = GaussianGrid(4, 5)
    grid.fit(one[None] for one in maps)
    new = torch.randn(2, 5, 4, 4)
    found = grid(new)
    assert found.shape == (2, 1, 4, 4)
    for row, column in [(0, 0), (2, 3), (3, 1)]:
        known = maps[:, :, row, column].double().numpy()
        inverse = np.linalg.inv(np.cov(known.T) + REGULARISER * np.eye(5))
        for one, distance in zip(new, found[:, 0, row, column], strict=True):
            expected = mahalanobis(one[:, row, column].numpy(), known.mean(0), inverse)
            assert distance.item() == pytest.approx(expected, rel=1e-4)


def test_maps_of_another_size_are_resized_to_the_grid_and_back(fitted):
    made = fitted("place-gaussian")
    with torch.no_grad():
        maps = made.see_features(torch.randn(1, 64, 9, 15))
    assert {m.shape for m in maps.values()} == {(1, 1, 9, 15)}
    wide = np.tile(render_part(1, 96)[0], (1, 2))
    assert made.score(wide).heat.shape == (8, 16)


def test_the_coreset_is_that_of_a_plain_search(rng):
    points = rng.normal(size=(200, 6)).astype(np.float32)
    distances = cdist(points, points)
    expected = [0]
    while len(expected) < 40:
        expected.append(int(distances[expected].min(0).argmax()))
    counts = []
    found = greedy_k_centre(torch.from_numpy(points), 40, counts.append)
    assert found.tolist() == expected and counts == list(range(2, 41))


def test_no_vector_is_chosen_twice():
    points = torch.ones(50, 3) * 0.1
    points[7] = 5
    found = greedy_k_centre(points, 50, lambda _: None).tolist()
    assert found[:2] == [0, 7] and sorted(found) == list(range(50))


def test_vectors_are_drawn_fairly():
    maps = [torch.full((1, 2, 10, 10), float(number)) for number in range(40)]
    drawn = draw_vectors(maps, 800, torch.Generator().manual_seed(0))
    assert drawn.shape == (800, 2)
    counts = torch.bincount(drawn[:, 0].long(), minlength=40)
    assert counts.min() >= 8 and counts.max() <= 35, "20 of each are expected"
    assert len(draw_vectors(maps, 10_000, torch.Generator())) == 4000


def test_the_nearest_vector_is_found_block_by_block(rng):
    known = torch.from_numpy(rng.normal(size=(1300, 8))).float()
    memory = VectorMemory(1500, 8)
    memory.fill(known)
    x = torch.from_numpy(rng.normal(size=(90, 8))).float()
    expected = known[torch.cdist(x, known).argmin(1)]
    assert torch.equal(memory(x[:, :, None, None]).flatten(1), expected)


def test_the_coreset_remembers_normal_vectors_and_measures_how_far_they_are(fitted, line):
    made = fitted("coreset")
    stored = made.networks["memory"].values
    assert stored.shape == (400, 128) and len(stored.unique(dim=0)) == 400
    features = next(maps_of(made, line))[0]
    found = made.see_features(features)["distance"]
    raw = as_vectors(features).flatten(1) * made.feature_space.extractor.deviations()
    expected = torch.cdist(raw.double(), stored.double()).min(1).values
    assert found.flatten().numpy() == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-4)


def test_the_same_seed_chooses_the_same_coreset(fitted, line):
    again = BASELINES["coreset"](device="cpu", **SMALL, **OWN["coreset"])
    again.fit(line / "train" / "good")
    assert torch.equal(again.networks["memory"].values, fitted("coreset").networks["memory"].values)


def test_eigenmaps_say_what_they_do_not_explain(fitted):
    made = fitted("eigenmaps")
    assert made.feature_space.eigenmaps is not None, "the parts lie still"
    assert not list(made.networks.parameters()) and made.fitted.facts["steps"] == 0
    x = torch.randn(1, 128, 5, 6)
    assert torch.allclose(made.see_features(x)["magnitude"], x.square().mean(1, keepdim=True))
