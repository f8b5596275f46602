import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import digits
import numpy as np
import pytest
from conftest import ROOT, a_callers_state, code_blocks
from PIL import Image

from anomgan import AnoGAN, GANomaly, Inspector, load
from anomgan.detectors import METHODS, exporter
from anomgan.detectors.exported import seal
from anomgan.detectors.exporter import Agreement, compare, export_model
from anomgan.errors import InputError, ModelError

LINE = ROOT / "docs" / "line.md"
SHORT = {"training": {"steps": 2, "batch_size": 8}, "network": {"features": 4}}
EXPORTABLE = [name for name, method in METHODS.items() if not method.searches]


@pytest.fixture(scope="module")
def files(patch_model, line, tmp_path_factory):
    """Finds that model as a file, by its format."""
    folder = tmp_path_factory.mktemp("files")

    def find(format):
        path = folder / f"part{'.onnx' if format == 'onnx' else '.pt'}"
        if not path.exists():
            found = export_model(patch_model, path, format, line / "test")
            assert found.images == found.verdicts == 15
        return path

    return find


@pytest.fixture(params=["torchscript", "onnx"])
def exported(request, files):
    if request.param == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package, reason=f"exports to ONNX take {package}")
    return files(request.param)


@pytest.mark.parametrize("name", EXPORTABLE)
def test_every_detector_but_a_search_is_exported(models, images, name, tmp_path):
    path = tmp_path / "part.pt"
    assert export_model(models(name), path, "torchscript").images == 4, "of noise"
    native = load(models(name), "cpu").score(images[1])
    for one, other in zip(load(path, "cpu").score(images[1]), native, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-4, abs=1e-5)
        np.testing.assert_allclose(one.heatmap, other.heatmap, rtol=1e-3, atol=1e-4)


def test_the_callers_state_of_torch_does_not_matter(models, tmp_path):
    with a_callers_state():
        assert export_model(models("ganomaly"), tmp_path / "part.pt", "torchscript").images == 4


def test_views_of_one_size_and_any_number_run_in_onnxruntime(models, images, tmp_path):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"exports to ONNX take {package}")
    export_model(models("f-anogan"), tmp_path / "part.onnx")
    native, other = load(models("f-anogan"), "cpu"), load(tmp_path / "part.onnx", "cpu")
    for count in (1, 7):
        found = compare(native, other, images[1][:count])
        assert found.images == found.verdicts == count and max(found.score, found.heat) < 1e-4


def test_images_of_any_size_get_the_verdicts_of_the_model(exported, patch_model, rng):
    native = load(patch_model, "cpu")
    with Inspector.load(exported, "cpu", threads=1) as inspector:
        for shape in [(96, 96), (41, 130), (200, 90, 3), (900, 300)]:
            frame = rng.integers(0, 256, shape, dtype=np.uint8)
            one, other = inspector.inspect(frame, time_limit=60_000), native.score(frame)
            assert one.score == pytest.approx(other.score, rel=1e-3)
            assert one.p_value == other.p_value and one.threshold == other.threshold
            np.testing.assert_allclose(one.heatmap, other.heatmap, rtol=1e-3, atol=1e-3)
            difference = one.reconstruction.astype(int) - other.reconstruction
            assert np.abs(difference).max() <= 1
        assert inspector.latency.count == 4


def learn_features(folder, line, align="auto", roi=None):
    backbone = {"long_side": 96, "directions": 16, "align": align}
    calibration = {"minimum": 6, "false_alarm_rate": 0.2}
    settings = SHORT | {"space": "features", "backbone": backbone, "calibration": calibration}
    made = GANomaly(device="cpu", **settings).fit(line / "train" / "good", roi=roi)
    assert (made.feature_space.eigenmaps is None) == (align == "none")
    made.save(folder)


@pytest.fixture(scope="module")
def features(line, tmp_path_factory):
    """A model in feature space, as a folder and as an ONNX file; the export takes a while."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"exports to ONNX take {package}")
    folder = tmp_path_factory.mktemp("features")
    learn_features(folder / "model", line)
    found = export_model(folder / "model", folder / "part.onnx", "onnx", line / "test")
    assert found.images == found.verdicts == 15
    return folder / "model", folder / "part.onnx"


def compare_features(model, path, line, rng):
    """Compare on images of any size, with a model that learnt squares of 96 px."""
    native, other = load(model, "cpu"), load(path, "cpu")
    shapes = [(96, 96), (41, 130), (200, 90, 3), (8, 8)]
    frames = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    found = compare(native, other, [*frames, *sorted((line / "test").glob("*/*.png"))])
    assert found.images == found.verdicts == 19
    assert max(found.score, found.heat) < exporter.TOLERANCE
    results = other.score(frames)
    assert [one.heatmap.shape for one in results] == [one.shape[:2] for one in frames]
    return results


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_model_in_feature_space_gives_the_same_scores_in_each_engine(
    engine, features, line, rng, monkeypatch
):
    if engine == "onnxruntime":
        monkeypatch.setitem(sys.modules, "openvino", None)
    else:
        pytest.importorskip("openvino")
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    results = compare_features(*features, line, rng)
    assert all(one.inside.all() for one in results)


@pytest.mark.parametrize(("align", "roi"), [("auto", "0,0 0.5,0 0.5,1 0,1"), ("none", None)])
def test_a_model_in_feature_space_gives_the_same_scores(align, roi, line, rng, tmp_path):
    """With eigenmaps, which have one size, and without."""
    learn_features(tmp_path / "model", line, align, roi)
    export_model(tmp_path / "model", tmp_path / "part.pt", "torchscript", line / "test")
    results = compare_features(tmp_path / "model", tmp_path / "part.pt", line, rng)
    assert all(one.inside.all() == (roi is None) for one in results)
    assert results[0].inside[:, :48].all()


WITHOUT_ANOMGAN = """
import runpy, sys
sys.modules |= dict.fromkeys(("torch", "anomgan", "scipy", "sklearn", "PIL"))  # cannot be imported
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_script_of_the_documentation_scores_without_anomgan(features, line, tmp_path):
    """On images of the size learnt and of another, none of them far too dark or bright."""
    model, file = features
    paths = [*sorted((line / "test").glob("*/*.png")), tmp_path / "wide.png"]
    wide = Image.open(paths[0]).resize((130, 90))
    wide.save(paths[-1])

    examples = code_blocks("python", LINE.read_text(encoding="utf-8"))
    (code,) = (example for example in examples if example.startswith("# score_onnx.py"))
    (tmp_path / "score_onnx.py").write_text(code, encoding="utf-8")
    script = [sys.executable, "-c", WITHOUT_ANOMGAN, tmp_path / "score_onnx.py"]
    done = subprocess.run([*script, file, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    results = load(model, "cpu").score(paths)
    assert {result.verdict for result in results} == {"ok", "anomalous"}
    for row, result in zip(rows, results, strict=True):
        assert result.reason is None and row["image"] == result.image
        assert row["score"] == pytest.approx(result.score, rel=1e-3)
        assert (row["p_value"], row["verdict"]) == (result.p_value, result.verdict)


def test_threads_get_the_results_of_one_thread(exported, rng):
    frames = list(rng.integers(0, 256, (12, 96, 96), dtype=np.uint8))
    with Inspector.load(exported, "cpu", threads=1) as inspector:
        inspector.inspect_batch(frames)  # TorchScript settles after a few frames
        expected = [inspector.inspect(frame).score for frame in frames]
        with ThreadPoolExecutor(4) as pool:
            scores = [result.score for result in pool.map(inspector.inspect, frames)]
    assert scores == pytest.approx(expected, rel=1e-6)


def test_the_file_says_all_that_is_done_outside_the_graph(files, patch_model):
    with zipfile.ZipFile(files("torchscript")) as archive:
        name = next(name for name in archive.namelist() if name.endswith("anomgan.json"))
        card = json.loads(archive.read(name))
    folder_card = json.loads((patch_model / "model.json").read_text())
    folder_card.pop("card_sha256")  # the seal of the file takes its place
    assert card.items() >= folder_card.items()
    assert card["graph"] == {"maps": ["reconstruction", "latent"], "stride": 8, "grid": None}
    assert card["threshold"] == load(patch_model).score(np.zeros((96, 96), np.uint8)).threshold


def test_a_search_is_not_exported(images, tmp_path):
    settings = SHORT | {"start": "random", "search": {"steps": 2}}
    AnoGAN(device="cpu", **digits.WHOLE, **settings).fit(images[0]).save(tmp_path / "model")
    with pytest.raises(ModelError, match="anogan, which searches.*export f-anogan"):
        export_model(tmp_path / "model", tmp_path / "part.onnx")
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_other_numbers_are_an_error_and_leave_the_old_file(models, tmp_path, monkeypatch):
    earlier = seal(bytes(100))
    (tmp_path / "part.pt").write_bytes(earlier)
    monkeypatch.setattr(exporter, "TOLERANCE", 0.0)
    with pytest.raises(ModelError, match="part.pt is not written.*0 is allowed"):
        export_model(models("ganomaly"), tmp_path / "part.pt", "torchscript")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [earlier]


def test_another_model_does_not_agree(models, images):
    one, other = (load(models(name), "cpu") for name in ("pca", "mean-image"))
    assert compare(one, one, images[1]) == Agreement(12, 0.0, 0.0, 12)
    found = compare(one, other, images[1])
    assert min(found.score, found.heat) > 100 * exporter.TOLERANCE


def test_what_cannot_be_used_is_refused_before_any_work(models, tmp_path):
    model = models("ganomaly")
    with pytest.raises(
        InputError, match="part.pt: the name of a file of format onnx ends in .onnx"
    ):
        export_model(model, tmp_path / "part.pt", "onnx")
    (tmp_path / "part.onnx").mkdir()
    with pytest.raises(InputError, match="part.onnx is a folder"):
        export_model(model, tmp_path / "part.onnx", "onnx")
    with pytest.raises(InputError, match="holds no images"):
        export_model(model, tmp_path / "part.pt", "torchscript", tmp_path / "part.onnx")
    with pytest.raises(ModelError, match="no model folder"):
        export_model(tmp_path / "gone", tmp_path / "part.pt", "torchscript")
