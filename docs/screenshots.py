"""Makes the pictures of the station's page in docs/, in a real browser.

    python docs/screenshots.py

Needs Chromium, its driver and selenium. Renders a line of parts, fits a model, starts a station,
and photographs its page: wide and narrow, dark and light. Takes about five minutes.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from anomgan import GANomaly
from anomgan.data.flange import write_line
from anomgan.data.folders import list_images

DOCS = Path(__file__).parent
WIDE, NARROW = (1280, 1000), (400, 1350)
COLOURS = 256
"""Of a picture's palette, which makes it small."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--work", type=Path, help="folder to keep parts and model in, for next time"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        line, model = prepare(work)
        with station(model, Path(scratch) / "review") as address:
            for path in order(line):
                post(f"{address}models/flange/score?name={path.parent.name}_{path.name}", path)
            for theme in ("light", "dark"):
                for name, size in (("wide", WIDE), ("narrow", NARROW)):
                    with browser(size, theme) as driver:
                        photograph(driver, f"{address}#inspect", f"station_{name}_{theme}")
                        if (name, theme) in (("wide", "light"), ("narrow", "dark")):
                            photograph(driver, f"{address}#review", f"review_{name}_{theme}")


def prepare(work: Path) -> tuple[Path, Path]:
    """Rendered parts, and a model of the good ones."""
    line, model = work / "line", work / "model"
    if not line.exists():
        write_line(line, 90, 6, 4, size=256)
    if not model.exists():
        settings = {"training": {"steps": 600}, "calibration": {"false_alarm_rate": 0.05}}
        detector = GANomaly(space="features", device="cpu", **settings)
        detector.fit(line / "train" / "good").save(model)
    return line, model


def order(line: Path) -> list[Path]:
    """Parts as they come along a line: mostly good ones, a defect at the end."""
    good = [*list_images(line / "test" / "good"), *list_images(line / "train")[:24]]
    defects = [
        list_images(line / "test" / kind)[0] for kind in ("dent", "stain", "chip", "scratch")
    ]
    parts = list(good)
    for number, path in enumerate(defects[:-1]):
        parts.insert(7 + 9 * number, path)
    return [*parts, defects[-1]]


@contextmanager
def station(model: Path, review: Path) -> Iterator[str]:
    """A running station; gives its address."""
    command = [sys.executable, "-m", "anomgan", "serve", "--port", "0", "--review", str(review)]
    with subprocess.Popen([*command, "--model", f"flange={model}"], stdout=subprocess.PIPE) as run:
        try:
            assert run.stdout is not None
            said = run.stdout.readline().decode()
            found = re.search(r"http://\S+/", said)
            assert found, said
            yield found[0]
        finally:
            run.terminate()


def post(url: str, path: Path) -> None:
    urllib.request.urlopen(url, path.read_bytes()).read()


@contextmanager
def browser(size: tuple[int, int], theme: str) -> Iterator[WebDriver]:
    """A window without a frame whose system is set to dark or light."""
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options)
    try:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": theme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        yield driver
    finally:
        driver.quit()


def photograph(driver: WebDriver, address: str, name: str) -> None:
    driver.get("about:blank")
    driver.get(address)
    picture = "review-photo" if "review" in name else "photo"
    script = f"const p = document.getElementById('{picture}'); return p.complete && p.naturalWidth"
    WebDriverWait(driver, 30).until(lambda driver: driver.execute_script(script))
    time.sleep(1)  # thumbnails
    assert driver.find_element(By.ID, "banner").get_attribute("hidden")
    path = DOCS / f"{name}.png"
    driver.save_screenshot(str(path))
    shrink(path)


def shrink(path: Path) -> None:
    """Save with a palette."""
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main()
