import gc
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import enumerate as running_threads

import numpy as np
import pytest
import torch
from conftest import TINY

from anomgan import AnomganError, GANomaly, Inspector, load
from anomgan.detectors import METHODS
from anomgan.errors import InputError, ModelError, SettingsError, TimeLimitError


@pytest.fixture
def frame(rng):
    return rng.integers(60, 130, (96, 80), dtype=np.uint8)


@pytest.mark.parametrize("name", METHODS)
def test_an_inspector_says_what_the_model_says(models, images, name):
    expected = load(models(name), "cpu").score(images[1])
    with Inspector.load(models(name), "cpu", threads=1) as inspector:
        together = inspector.inspect_batch(images[1])
        alone = [inspector.inspect(image) for image in images[1][:4]]
    for one, other in zip([*together, *alone], [*expected, *expected[:4]], strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-3)
        assert one.p_value == pytest.approx(other.p_value, abs=0.1)
        np.testing.assert_allclose(one.heatmap, other.heatmap, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("size", [32, 64])
def test_patches_may_have_any_size(line, tmp_path, size):
    short = {"training": {"steps": 2, "batch_size": 8}, "network": {"features": 4}}
    settings = TINY | short | {"view": {"size": size}}
    GANomaly(device="cpu", **settings).fit(line / "train" / "good").save(tmp_path / "model")
    frame = np.zeros((96, 96), np.uint8)
    with Inspector.load(tmp_path / "model", "cpu") as inspector:
        assert inspector.inspect(frame).heatmap.shape == frame.shape


@pytest.mark.parametrize("name", ["anogan", "ganomaly"])
def test_threads_get_the_results_of_one_thread(models, images, name):
    with Inspector.load(models(name), "cpu", threads=1) as inspector:
        expected = [inspector.inspect(image).score for image in images[1]]
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(inspector.inspect, images[1]))
        assert [result.score for result in results] == expected
        assert inspector.latency.count == inspector.drift.images == 2 * len(expected)


def test_any_memory_layout_will_do(patch_model, frame):
    padded = np.zeros((210, 200), np.uint8)
    padded[10:202:2, 150:70:-1] = frame
    deep = frame.astype(np.uint16) * 257
    colour = np.dstack([frame] * 3)
    read_only = frame.copy()
    read_only.flags.writeable = False
    with Inspector.load(patch_model, "cpu") as inspector:
        expected = inspector.inspect(frame).score
        for same in (
            padded[10:202:2, 150:70:-1],
            np.asfortranarray(frame),
            np.flipud(np.flipud(frame).copy()),
            frame[:, :, None],
            read_only,
            deep,
            np.asfortranarray(colour),
            colour[:, :, ::-1],
            np.moveaxis(np.ascontiguousarray(np.moveaxis(colour, 2, 0)), 0, 2),
        ):
            assert inspector.inspect(same).score == pytest.approx(expected, rel=1e-3)
        assert inspector.inspect(np.tile(frame, (2, 3))).heatmap.shape == (192, 240)


def test_a_result_outlives_the_buffer_of_its_frame(models, images):
    with Inspector.load(models("ganomaly"), "cpu") as inspector:
        buffer = images[1][0].copy()
        result = inspector.inspect(buffer)
        buffer[:] = 0
        assert np.array_equal(result.prepared, images[1][0])


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "part.png",
        [[1, 2], [3, 4]],
        np.uint8(3),
        np.zeros((0, 90), np.uint8),
        np.zeros(90, np.uint8),
        np.zeros((90, 90, 4), np.uint8),
        np.zeros((2, 90, 90, 3), np.uint8),
        np.full((90, 90), np.nan, np.float32),
        np.zeros((90, 90), bool),
        np.zeros((90, 90), np.int16),
        np.full((90, 90), None, object),
        np.zeros((9, 90), np.uint8),
    ],
)
def test_a_bad_frame_is_refused_and_the_next_one_inspected(patch_model, frame, bad):
    with Inspector.load(patch_model, "cpu") as inspector:
        for inspect in (
            inspector.inspect,
            lambda image: inspector.inspect(image, time_limit=60_000),
            lambda image: inspector.inspect_batch([frame, image]),
        ):
            with pytest.raises(InputError, match="uint8|pixels"):
                inspect(bad)
        assert inspector.latency.count == inspector.drift.images == 0
        assert inspector.inspect(frame).verdict in ("ok", "anomalous")
        assert inspector.latency.count == inspector.drift.images == 1


def test_a_time_limit_ends_the_wait_and_the_inspector_goes_on(models, images):
    with Inspector.load(models("anogan"), "cpu", threads=1) as inspector:
        expected = inspector.inspect(images[1][0]).score
        for _ in range(20):  # each far too short for a search of 20 steps
            with pytest.raises(TimeLimitError, match="no verdict within 0.5 ms"):
                inspector.inspect(images[1][1], time_limit=0.5)
        helpers = [t for t in running_threads() if t.name.startswith("anomgan-inspector")]
        assert len(helpers) <= 1
        assert inspector.inspect(images[1][0], time_limit=60_000).score == expected
        assert inspector.inspect(images[1][0]).score == expected
        latency = inspector.latency
        assert (latency.count, latency.late) == (23, 20)
        assert inspector.drift.images == 3, "late results are dropped"
        with pytest.raises(SettingsError, match="time_limit = 0"):
            inspector.inspect(images[1][0], time_limit=0)
    assert not any(helper.is_alive() for helper in helpers)
    for limit in (None, 50):
        with pytest.raises(ModelError, match="closed"):
            inspector.inspect(images[1][0], time_limit=limit)


def test_threads_share_the_helper_within_their_limits(models, images):
    with Inspector.load(models("ganomaly"), "cpu", threads=1) as inspector:
        expected = [inspector.inspect(image).score for image in images[1]]
        with ThreadPoolExecutor(4) as pool:
            results = pool.map(lambda x: inspector.inspect(x, time_limit=60_000), images[1])
            assert [result.score for result in results] == expected


def test_threads_set_torch_and_are_checked(models, images):
    with pytest.raises(SettingsError, match="threads = 0"):
        Inspector.load(models("ganomaly"), "cpu", threads=0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with Inspector.load(models("ganomaly"), "cpu", threads=2) as inspector:
            inspector.inspect(images[1][0])
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_missing_model_is_a_known_error(tmp_path):
    with pytest.raises(AnomganError, match="no model folder"):
        Inspector.load(tmp_path / "gone")


def test_good_frames_are_steady_and_dark_ones_are_not(models, images):
    with Inspector.load(models("nearest"), "cpu") as inspector:
        scores = [result.score for result in inspector.inspect_batch(images[0])]
        assert inspector.drift.images == len(scores) and inspector.drift.state == "steady"
        for _ in range(80):
            inspector.inspect_batch([images[1][1] // 8] * 4)
        assert inspector.drift.state == "out of calibration", inspector.drift


def _resident() -> int:
    pages = Path("/proc/self/statm")
    if not pages.exists():
        pytest.skip("resident memory is read from /proc")
    return int(pages.read_text().split()[1]) * 4096


def test_memory_does_not_grow_with_the_number_of_frames(patch_model, frame):
    def run(inspector, count):
        for number in range(count):
            result = inspector.inspect(frame, time_limit=60_000 if number % 2 else None)
            assert result.heatmap.shape == frame.shape and result.regions is not None
        gc.collect()

    with Inspector.load(patch_model, "cpu", threads=1) as inspector:
        tracemalloc.start()
        run(inspector, 20)
        traced, resident = tracemalloc.get_traced_memory()[0], _resident()
        run(inspector, 120)
        # One heatmap kept for each frame would be 3.7 MB.
        assert tracemalloc.get_traced_memory()[0] - traced < 200_000
        tracemalloc.stop()
        assert _resident() - resident < 8_000_000
