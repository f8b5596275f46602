import sys

import pytest

pytest.importorskip("tensorboard", reason='needs ".[tensorboard]"')

from conftest import TINY
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from anomgan import GANomaly
from anomgan.cli.fit import fit_to_folder
from anomgan.cli.generator_train import train
from anomgan.errors import InputError, SettingsError
from anomgan.training.tensorboard import tensorboard_log
from anomgan.training.trainer import LOG


def read(folder):
    log = EventAccumulator(str(folder))
    log.Reload()
    return log


def test_a_fit_logs_losses_rates_and_samples(line, tmp_path):
    settings = TINY | {"training": {"steps": 50, "batch_size": 8, "decay_from": 0.5}}
    detector = GANomaly(device="cpu", **settings)
    fit_to_folder(detector, line / "train" / "good", tmp_path / "m", log_dir=tmp_path / "log")
    log = read(tmp_path / "log")
    history = detector.fitted.history
    for name in set(history[0]) - {"step", "training"}:
        points = log.Scalars(f"training/ganomaly/{name}")
        assert [point.step for point in points] == [row["step"] for row in history] == [20, 40, 50]
        assert [point.value for point in points] == pytest.approx([row[name] for row in history])
    first, *_, last = log.Scalars("training/ganomaly/learning_rate/discriminator")
    assert first.value > 10 * last.value > 0
    assert {"samples", "calibration"} <= set(log.Tags()["images"])
    assert LOG.handlers == []


def test_a_generator_logs_its_samples_as_they_change(line, tmp_path):
    train(
        "dcgan",
        data_dir=[line / "train" / "good"],
        out=tmp_path / "g",
        steps=25,
        size=16,
        assignments=["training.batch_size=4", "network.features=4"],
        samples_every=10,
        device="cpu",
        log_dir=tmp_path / "log",
    )
    log = read(tmp_path / "log")
    assert [image.step for image in log.Images("samples")] == [10, 20, 25]
    assert len(log.Scalars("training/dcgan/generator")) == 2


def test_a_log_that_cannot_be_written_is_refused_before_the_work(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*file"), tensorboard_log(tmp_path / "file"):
        raise AssertionError
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SettingsError, match=r'pip install "anomgan\[tensorboard\]"'):
        with tensorboard_log(tmp_path / "log"):
            raise AssertionError
    assert not (tmp_path / "log").exists()
