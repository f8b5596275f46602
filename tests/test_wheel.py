import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import ROOT

pytest.importorskip("hatchling", reason="hatchling is not installed; it builds the wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", str(folder)], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_settings_files_and_says_that_it_is_typed(wheel):
    files = set(map(Path, ZipFile(wheel).namelist()))
    shipped = {path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.toml")}
    assert {"anomgan" / path for path in shipped} <= files
    assert Path("anomgan/py.typed") in files


def test_the_source_archive_holds_the_package_alone(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist"]
    subprocess.run([*command, "--directory", str(tmp_path)], cwd=ROOT, check=True)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        parts = {Path(name).parts[1] for name in archive.getnames()}
    assert parts - {".gitignore"} == {
        *("anomgan", "configs", "README.md", "LICENSE", "pyproject.toml", "PKG-INFO")
    }


def test_an_installed_package_finds_its_settings_files_by_name(wheel, tmp_path):
    ZipFile(wheel).extractall(tmp_path)
    code = "from anomgan.config_files import find_config; print(find_config('ganomaly_paper'))"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(ran.stdout.strip()) == tmp_path / "anomgan/configs/ganomaly_paper.toml"
