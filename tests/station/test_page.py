"""The station's page in a real browser, against a real server."""

import base64
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from anomgan import load
from anomgan.data.decode import read_image
from anomgan.data.encode import write_png
from anomgan.data.flange import write_line
from anomgan.data.folders import list_images
from anomgan.data.roi import Roi

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium to open the page")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("needs Chromium and chromedriver to open the page", allow_module_level=True)

PATIENCE = 120
"""Seconds on a busy machine."""
# Drops a file as a mouse does: selenium has no way to drag one in from outside of the browser.
DROP = """
const [name, base64] = arguments;
const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], name, {type: "image/png"}));
const values = {bubbles: true, cancelable: true, dataTransfer: data};
document.getElementById("stage").dispatchEvent(new DragEvent("drop", values));
"""
# The brightness of the photo that the page shows.
SHOWN = """
const [photo, canvas] = [document.getElementById("photo"), document.createElement("canvas")];
if (!photo.naturalWidth) return null;
const context = canvas.getContext("2d");
context.drawImage(photo, 0, 0);
return context.getImageData(0, 0, 1, 1).data[0];
"""
# Waits between two pictures end when they are told to.
WAITS = """
document.getElementById("period").value = 60;
window.waits = [];
const usual = window.setTimeout;
window.setTimeout = (act, time) => time > 30000 ? waits.push(act) : usual(act, time);
"""
# Opens the camera by two clicks, and counts how often it is asked for.
DOUBLE_CLICK = """
const devices = navigator.mediaDevices, usual = devices.getUserMedia.bind(devices);
window.opened = 0;
devices.getUserMedia = (wanted) => { opened++; return usual(wanted); };
for (let click = 0; click < 2; click++) document.getElementById("camera").click();
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Good parts that the model has not seen, and defective ones."""
    folder = tmp_path_factory.mktemp("new")
    write_line(folder, 10, 1, 3, size=96, seed=7)
    return list_images(folder / "train"), list_images(folder / "test")


@contextmanager
def serving(*options):
    command = [sys.executable, "-m", "anomgan", "serve", "--port", "0", "--device", "cpu", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            yield re.search(r"http://\S+/", server.stdout.readline())[0]
        finally:
            server.terminate()
            assert server.wait(PATIENCE) == 0


@contextmanager
def browsing(size=(1280, 900)):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"]
    flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield browser
    finally:
        browser.quit()


class Page:
    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)

    def text(self, name):
        return self.browser.find_element(By.ID, name).text

    def click(self, name):
        self.until(lambda: self.browser.find_element(By.ID, name).is_enabled())
        self.browser.find_element(By.ID, name).click()

    def click_at(self, name, x, y):
        """Click a place of an element, in shares of its size from its middle."""
        found = self.browser.find_element(By.ID, name)
        place = round(x * found.size["width"]), round(y * found.size["height"])
        webdriver.ActionChains(self.browser).move_to_element_with_offset(
            found, *place
        ).click().perform()

    def until(self, true):
        return WebDriverWait(self.browser, PATIENCE).until(lambda _: true())

    def press(self, keys):
        self.browser.find_element(By.TAG_NAME, "body").send_keys(keys)

    def type(self, keys):
        """Press keys where the focus is."""
        webdriver.ActionChains(self.browser).send_keys(keys).perform()

    def choose(self, name, value):
        Select(self.browser.find_element(By.ID, name)).select_by_value(value)

    def drop(self, path, name=None):
        content = base64.b64encode(path.read_bytes()).decode()
        self.browser.execute_script(DROP, name or path.name, content)

    def complaints(self):
        return [line for line in self.browser.get_log("browser") if line["level"] == "SEVERE"]


def test_a_defective_image_is_dropped_and_the_verdict_is_read(patch_model, line, tmp_path):
    defects = [path for path in list_images(line / "test") if path.parent.name != "good"]
    worst = max(load(patch_model, "cpu").score(defects), key=lambda result: result.score)
    assert worst.is_anomalous
    with serving("--model", f"part={patch_model}") as address, browsing() as browser:
        page = Page(browser, address)
        page.until(lambda: page.text("word") == "Waiting")
        page.drop(Path(worst.image), "worst.png")
        page.until(lambda: page.text("word") == "DEFECT")
        assert "worst.png" in page.text("about")
        assert float(page.text("score")) == pytest.approx(worst.score, rel=1e-3)
        assert browser.find_element(By.ID, "word").size["height"] > 100, "read from three metres"
        seen = "return document.getElementById('heat').naturalWidth"
        assert page.until(lambda: browser.execute_script(seen)) == 96
        boxes = browser.find_elements(By.CSS_SELECTOR, "#boxes rect")
        assert len(boxes) == len(worst.regions)
        page.press("h")
        assert browser.execute_script("return document.getElementById('heat').style.opacity") == "0"
        (tmp_path / "no.png").write_text("no image")
        page.drop(tmp_path / "no.png")
        page.until(lambda: "not an image" in page.text("banner"))
        theme = "return document.documentElement.dataset.theme"
        before = browser.execute_script(theme)
        page.press("t")
        after = browser.execute_script(theme)
        assert {before, after} == {"light", "dark"}
        browser.execute_script("document.getElementById('theme').focus()")
        page.type(" ")
        assert browser.execute_script(theme) == before, "Space presses the button with the focus"
        page.type("?")
        dialog = browser.find_element(By.ID, "keys")
        page.until(dialog.is_displayed)
        page.type("t")
        assert browser.execute_script(theme) == before, "no key works behind a dialog"
        page.type(Keys.ESCAPE)
        page.until(lambda: not dialog.is_displayed())
        (refused,) = page.complaints()
        assert "422" in refused["message"], "the answer to what is no image, and nothing else"


def test_a_page_outlives_its_station(patch_model, tmp_path):
    for name, value in (("dark.png", 20), ("bright.png", 230)):
        write_png(tmp_path / name, np.full((96, 96), value, np.uint8))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = ("--port", str(free.getsockname()[1]))
    part, lid = (("--model", f"{name}={patch_model}") for name in ("part", "lid"))
    with browsing() as browser:
        with serving(*port, *part, *lid) as address:
            page = Page(browser, address)
            page.until(lambda: page.text("word") == "Waiting")
            page.drop(tmp_path / "dark.png")
            page.until(lambda: browser.execute_script(SHOWN) == 20)
            page.choose("model", "lid")
        page.until(lambda: "does not answer" in page.text("banner"))
        page.drop(tmp_path / "bright.png")
        page.until(lambda: "bright.png was not inspected" in page.text("banner"))
        with serving(*port, *part, "--review", str(tmp_path / "review")):
            page.until(lambda: browser.find_element(By.ID, "model").get_property("value") == "part")
            page.drop(tmp_path / "bright.png")
            page.until(lambda: "bright.png" in page.text("about"))
            page.until(lambda: browser.execute_script(SHOWN))
            assert browser.execute_script(SHOWN) == 230, "not the first part of the first station"
            page.press("r")
            page.until(lambda: page.text("review-waiting") == "1 part waits")


@pytest.fixture(scope="module")
def spoiled(parts, tmp_path_factory):
    """A good part with a defect at the right edge."""
    image = read_image(parts[0][0]).copy()
    image[20:76, 70:] = np.random.default_rng(1).choice([0, 255], (56, 26))
    path = tmp_path_factory.mktemp("spoiled") / "spoiled.png"
    write_png(path, image)
    return path


def test_parts_are_reviewed_and_the_threshold_and_the_region_change(
    patch_model, parts, spoiled, tmp_path
):
    model = tmp_path / "model"
    shutil.copytree(patch_model, model)
    options = ("--model", f"part={model}", "--review", str(tmp_path / "review"))
    with serving(*options) as address, browsing() as browser:
        downloads = {"behavior": "allow", "downloadPath": str(tmp_path)}
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", downloads)
        page = Page(browser, address + "#review")
        page.until(lambda: page.text("review-waiting") == "0 parts wait")
        page.click("queue-all")
        for path in [*parts[0], parts[1][0]]:
            page.drop(path)
        page.until(lambda: page.text("review-waiting") == "11 parts wait")
        for number in range(1, 11):
            page.press("g")
            page.until(lambda n=number: page.text("review-answered").startswith(f"{n} called good"))
        picture = browser.find_element(By.ID, "review-picture")
        mouse = webdriver.ActionChains(browser).move_to_element(picture).click_and_hold()
        mouse.move_by_offset(40, 30).release().perform()
        assert len(browser.find_elements(By.CSS_SELECTOR, "#review-boxes rect.drawn")) == 1
        page.press("d")
        page.until(lambda: page.text("review-answered") == "10 called good, 1 called defect")
        page.press("u")
        page.until(lambda: page.text("review-waiting") == "1 part waits")
        page.press("d")
        page.until(lambda: page.text("review-waiting") == "0 parts wait")
        page.click("recalibrate")
        page.until(lambda: page.text("threshold-after") != "")
        before, after = (float(page.text(f"threshold-{when}")) for when in ("before", "after"))
        assert before != after
        assert before == pytest.approx(load(model, "cpu").fitted.calibration.threshold, rel=1e-3)
        page.click("discard")
        page.drop(spoiled)
        page.press("i")
        page.until(lambda: "spoiled.png" in page.text("about"))
        assert page.text("word") == "DEFECT"
        page.click("region")
        for x, y in ((-0.48, -0.48), (0, -0.48), (0, 0.48), (-0.48, 0.48)):
            page.click_at("picture", x, y)
        drawn = [float(one) for one in re.findall(r"[\d.]+", page.text("region-text"))]
        assert drawn == pytest.approx([0.02, 0.02, 0.5, 0.02, 0.5, 0.98, 0.02, 0.98], abs=0.01)
        assert not browser.find_elements(By.CSS_SELECTOR, "#outline polygon:not(.drawn)")
        page.click("region-save")
        page.until((tmp_path / "roi.png").exists)
        saved, corners = Roi.read(tmp_path / "roi.png"), page.text("region-text").split('"')[1]
        assert saved.mask.shape == (96, 96)
        assert (saved.mask != Roi.polygon(corners).at((96, 96))).mean() < 0.02
        page.click("region-use")
        page.until(lambda: "Only the new region counts" in page.text("recalibration-promise"))
        after = float(page.text("threshold-after"))
        assert load(model, "cpu").roi is None, "nothing changes without a person's word"
        page.click("apply")
        page.until(lambda: "In use" in page.text("recalibration-state"))
        page.press("i")
        page.until(lambda: browser.find_elements(By.CSS_SELECTOR, "#outline polygon"))
        page.drop(spoiled, "again.png")
        page.until(lambda: "again.png" in page.text("about"))
        assert page.text("word") == "OK", "the defect is outside of the region"
        page.press("r")
        assert after == pytest.approx(load(model, "cpu").fitted.calibration.threshold, rel=1e-3)
        page.click("export")
        page.until(lambda: "10 good and 1 defective" in page.text("exported"))
        assert page.complaints() == []


def test_a_station_for_other_machines_asks_for_the_token(patch_model, line):
    options = ("--model", f"part={patch_model}", "--token", "open sesame")
    with serving(*options) as address, browsing((400, 800)) as browser:
        page = Page(browser, address)
        page.until(lambda: browser.find_element(By.ID, "token").is_displayed())
        browser.find_element(By.ID, "token").send_keys("wrong\n")
        page.until(lambda: page.text("login-error") == "the token is wrong")
        browser.find_element(By.ID, "token").clear()
        browser.find_element(By.ID, "token").send_keys("open sesame\n")
        page.until(lambda: page.text("counts") != "")
        width = "return document.documentElement.scrollWidth"
        assert browser.execute_script(width) <= 400, "nothing is cut off on a narrow screen"
        page.click("camera")
        page.until(lambda: browser.find_element(By.ID, "take").is_displayed())
        video = "return document.querySelector('video').videoWidth"
        page.until(lambda: browser.execute_script(video))
        page.press(" ")
        page.until(lambda: "camera-" in page.text("about"))
        take_pictures_again_and_again(page, list_images(line / "test")[0])


def take_pictures_again_and_again(page, other):
    """Each picture is followed by one wait, however often "every" was ticked before."""

    def waits(count):
        page.until(lambda: page.browser.execute_script("return waits.length") >= count)
        return page.browser.execute_script("return waits.length") == count

    page.browser.execute_script(WAITS)
    page.click("auto")
    assert waits(1)
    page.click("auto")  # off, and on
    page.click("auto")
    assert waits(2)
    page.browser.execute_script("for (const go of waits) go()")
    assert waits(3)
    page.drop(other, "other.png")  # behind the pictures
    page.until(lambda: "other.png" in page.text("about"))
    assert waits(3)
    page.click("camera")
    page.browser.execute_script(DOUBLE_CLICK)
    assert waits(4)
    assert page.browser.execute_script("return opened") == 1
