import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from anomgan.backbones import BACKBONES, Backbone, FeatureExtractor, find, is_available, load_state
from anomgan.errors import InputError

LITE0 = BACKBONES["lite0"]


@pytest.fixture(scope="module")
def state():
    return timm.create_model("resnet18", pretrained=False).state_dict()


@pytest.fixture
def file(state, tmp_path):
    path = tmp_path / "resnet18.safetensors"
    save_file(state, path)
    return path


def test_the_package_gives_timms_names_and_its_checksum():
    state, origin, sha256 = load_state(LITE0, None)
    network = timm.create_model(LITE0.timm_name, pretrained=False)
    missing, surplus = network.load_state_dict(state, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing)
    assert not surplus
    assert "efficientnet_lite0" in origin
    assert sha256 == LITE0.sha256


def test_the_package_recognises_a_photograph(real_data):
    photograph = sorted((real_data("weather") / "test" / "sunrise").glob("*.jpg"))[0]
    network = timm.create_model(LITE0.timm_name, pretrained=False).eval()
    network.load_state_dict(load_state(LITE0, None)[0], strict=False)
    with Image.open(photograph) as image:
        pixels = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        best = network(x)[0].topk(5).indices.tolist()
    assert {975, 978} & set(best)  # lakeside, seashore


def test_another_file_in_the_package_is_refused():
    with pytest.raises(InputError, match="SHA-256"):
        load_state(replace(LITE0, sha256="0" * 64), None)


def test_a_package_without_weights_is_named():
    entry = replace(LITE0, package="no_such_package")
    assert is_available(LITE0)
    assert not is_available(entry)
    with pytest.raises(InputError, match="no_such_package.*missing"):
        load_state(entry, None)


def test_files_of_both_formats_hold_the_same(state, file, tmp_path):
    other = tmp_path / "resnet18.pth"
    torch.save(state, other)
    for path in (file, other):
        read, origin, sha256 = load_state(find("resnet18"), path)
        assert origin == str(path)
        assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert all(torch.equal(read[name], state[name]) for name in state)


def test_half_precision_becomes_float32(state, tmp_path):
    path = tmp_path / "half.safetensors"
    save_file({name: x.half() if x.ndim else x for name, x in state.items()}, path)
    read = load_state(find("resnet18"), path)[0]
    assert read["conv1.weight"].dtype == torch.float32


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_cut_short_file_is_named(state, tmp_path, suffix):
    path = tmp_path / f"cut.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(InputError, match=f"cut.{suffix} is damaged"):
        load_state(find("resnet18"), path)


class _Harm:
    def __reduce__(self):
        return Path.touch, (Path("harmed"),)


def test_code_in_a_file_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": _Harm()}, "harm.pth")
    with pytest.raises(InputError, match=r"harm\.pth"):
        load_state(LITE0, Path("harm.pth"))
    assert not Path("harmed").exists()


def test_what_is_no_table_of_tensors_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"state_dict": {"weight": torch.zeros(1)}}, path)
    with pytest.raises(InputError, match="timm's names"):
        load_state(LITE0, path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read weights .*none\.safetensors: No such file"):
        load_state(LITE0, tmp_path / "none.safetensors")


def test_weights_of_another_network_do_not_load(file):
    extractor = FeatureExtractor("lite0", None, None, 8)
    with pytest.raises(InputError, match=r"resnet18\.safetensors does not fit.*missing"):
        extractor.load_weights(file)


def test_a_tensor_of_another_shape_is_named(state):
    backbone = Backbone(find("resnet18"))
    wrong = dict(state)
    wrong["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    with pytest.raises(InputError, match=r"conv1.weight is \[64, 1, 7, 7\], not \[64, 3, 7, 7\]"):
        backbone.load(wrong)


@pytest.mark.parametrize(("value", "problem"), [(float("nan"), "not finite"), (1e6, "half")])
def test_unusable_values_are_refused(state, value, problem):
    wrong = dict(state)
    wrong["bn1.weight"] = torch.full_like(state["bn1.weight"], value)
    with pytest.raises(InputError, match=problem):
        Backbone(find("resnet18")).load(wrong)


def test_a_failed_download_says_both_ways_out(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError) as failure:
        load_state(BACKBONES["dinov2-s"], None)
    for words in ("internet", "--set backbone.weights=FILE.safetensors", "no route to host"):
        assert words in str(failure.value)


def test_a_network_without_weights_at_timm_is_never_left_random():
    entry = replace(BACKBONES["dinov2-s"], timm_name="resnet18.none")
    with pytest.raises(InputError, match="knows no weights"):
        load_state(entry, None)


def test_downloaded_weights_come_with_their_origin(monkeypatch, state):
    network = timm.create_model("resnet18", pretrained=False)
    network.load_state_dict(state)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: network)
    read, origin, _ = load_state(find("resnet18"), None)
    assert torch.equal(read["conv1.weight"], state["conv1.weight"])
    assert origin == "timm resnet18"
