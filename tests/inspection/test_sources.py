import http.server
import threading
import time

import cv2
import numpy as np
import pytest
from videos import FPS, write_video

from anomgan.errors import InputError
from anomgan.inspection import sources
from anomgan.inspection.sources import WAITING, Camera, Video, open_camera, open_video
from anomgan.inspection.triggers import QUIET, Every, WhenSettled, every_frame


def ramp(count):
    """Images that are told apart by their red."""
    return [np.full((48, 64, 3), (10 * number, 100, 200), np.uint8) for number in range(count)]


def opened(video, trigger=every_frame, told=None):
    return open_video(str(video), trigger, (told if told is not None else []).append)


def frames_of(source):
    frames = list(source.frames(threading.Event()))
    source.close()
    return frames


class Lens:
    """A camera that gives some frames, then nothing.

    `None` in between is an error of OpenCV; an event is waited for.
    """

    def __init__(self, *images, pause=0.0):
        self.images, self.pause, self.released = list(images), pause, False

    def read(self):
        time.sleep(self.pause)
        if not self.images or self.released:
            return False, None
        image = self.images.pop(0)
        if isinstance(image, threading.Event):
            image.wait()
            image = self.images.pop(0)
        if image is None:
            raise cv2.error("the cable")
        return True, image[:, :, ::-1]

    def release(self):
        self.released = True


class Socket:
    """Opens one lens after the other; where there is none, there is no camera."""

    def __init__(self, *lenses):
        self.lenses = list(lenses)

    def __call__(self):
        lens = self.lenses.pop(0) if self.lenses else None
        if lens is None:
            raise InputError("no camera")
        return lens


def test_a_video_gives_all_frames_with_names_and_times(tmp_path):
    images = ramp(12)
    source = opened(write_video(tmp_path / "a.avi", images))
    frames = frames_of(source)
    assert isinstance(source, Video) and (source.came, source.dropped) == (12, 0)
    assert [frame.name for frame in frames][::11] == [
        f"{tmp_path}/a.avi#000000",
        f"{tmp_path}/a.avi#000011",
    ]
    assert [frame.time for frame in frames] == pytest.approx([n / FPS for n in range(12)])
    for frame, image in zip(frames, images, strict=True):
        np.testing.assert_array_equal(frame.image, image)


def test_a_video_stops_where_it_is_told(tmp_path):
    stop, source = threading.Event(), opened(write_video(tmp_path / "a.avi", ramp(12)))
    for _ in source.frames(stop):
        if source.came == 5:
            stop.set()
    assert source.came == 5


@pytest.mark.parametrize("seconds, numbers", [(0.5, [0, 5, 10]), (0.25, [0, 3, 6, 9]), (9, [0])])
def test_every_so_many_seconds(tmp_path, seconds, numbers):
    frames = frames_of(opened(write_video(tmp_path / "a.avi", ramp(12)), Every(seconds)))
    assert [int(frame.name[-6:]) for frame in frames] == numbers


def test_a_clock_that_is_set_back_stops_nothing():
    image = ramp(1)[0]
    trigger = Every(1)
    assert [trigger(when, image) for when in (5000, 5000.5, 1000, 1000.5, 1001)] == [
        *(True, False, True, False, True)
    ]


def test_a_picture_that_has_settled_is_looked_at_once(tmp_path, rng):
    """A part comes in, lies for a while, goes out; with noise, and a lamp that gets dim."""
    images = []
    for number in range(60):
        image = np.full((96, 128, 3), 120.0 - number / 2)
        place = number if number < 20 else 20 if number < 35 else number - 15
        image[30:60, 5 * place : 5 * place + 30] = 220
        noisy = image + rng.normal(0, 3, image.shape)
        images.append(np.clip(noisy, 0, 255).astype(np.uint8))
    frames = frames_of(opened(write_video(tmp_path / "a.avi", images), WhenSettled()))
    numbers = [int(frame.name[-6:]) for frame in frames]
    assert len(numbers) == 2, "the part at rest, and the empty place at the end"
    assert 20 + QUIET * FPS <= numbers[0] < 30 and numbers[1] > 40


def test_what_is_no_video_is_refused_with_a_reason(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    empty = write_video(tmp_path / "empty.avi", [], "MJPG")
    for video, said in [
        (tmp_path / "a.mp4", "a.mp4 is not a video that can be read"),
        (empty, "empty.avi holds no frames"),
        (tmp_path / "gone.mp4", "there is no file .*gone.mp4"),
        (tmp_path, "is a folder, not a video; to watch it, use --dir"),
        ("http://user:secret@127.0.0.1:9/a?key=1", "cannot open http://127.0.0.1:9/a; check"),
    ]:
        with pytest.raises(InputError, match=said):
            opened(video)
    with pytest.raises(InputError, match="cannot open camera 99; there is no such camera"):
        open_camera(99, every_frame, print)


def test_a_video_that_was_cut_off_is_said(tmp_path, rng):
    images = list(rng.integers(0, 255, (12, 48, 64, 3), np.uint8))
    video = write_video(tmp_path / "a.mkv", images)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    told = []
    frames = frames_of(opened(video, told=told))
    assert 0 < len(frames) < 12
    assert told == [f"{video} should have 12 frames, but only {len(frames)} can be read"]


@pytest.fixture
def address(tmp_path):
    """A server of a video file, and of streams that break off or hang after 20 images."""
    write_video(tmp_path / "a.avi", ramp(12))
    ended = threading.Event()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def do_GET(self):
            if self.path not in ("/stream", "/hanging"):
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            for image in ramp(20):
                jpeg = cv2.imencode(".jpg", image)[1].tobytes()
                self.wfile.write(b"--next\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")
            if self.path == "/hanging":
                ended.wait()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    server.server_close()


def test_a_video_at_an_address_has_an_end(address):
    source = opened(f"{address}/a.avi")
    frames = frames_of(source)
    assert len(frames) == 12 and "secret" not in frames[0].name
    assert frames[0].name.endswith("/a.avi#000000")


@pytest.mark.parametrize("stream", ["stream", "hanging"])
def test_a_stream_that_breaks_off_or_hangs_is_opened_again(address, stream, monkeypatch, capfd):
    monkeypatch.setattr(sources, "TIMEOUT", 1000)
    told, stop = [], threading.Event()
    source = open_video(f"{address}/{stream}", every_frame, told.append, 0.01)
    assert isinstance(source, Camera)
    for _ in source.frames(stop):
        if source.came > 20:
            stop.set()
    source.close()
    assert "gives no frames" in told[0] and "is back" in told[1]
    assert not any("secret" in text for text in told)
    assert "WARN" not in capfd.readouterr().err, "OpenCV has messages of its own"


def test_a_camera_that_goes_away_is_said_once_and_when_it_is_back():
    told, stop = [], threading.Event()
    first, dead, last = Lens(*ramp(1), None), Lens(), Lens(*ramp(1), pause=0.01)
    camera = Camera(
        Socket(first, None, None, dead, None, last), "camera-0", every_frame, told.append, 0.001
    )
    frames = []
    for frame in camera.frames(stop):
        frames.append(frame)
        if len(frames) == 2:
            stop.set()
    camera.close()
    assert told[:2] == [
        "camera-0 gives no frames; it is tried again every 0.001 s",
        "camera-0 is back",
    ]
    assert first.released and dead.released and last.released
    assert frames[0].name < frames[1].name and frames[0].name.startswith("camera-0/2")


def test_frames_that_nobody_takes_are_dropped_oldest_first_and_counted():
    first, *rest = ramp(20)
    taken, emptied, stop = threading.Event(), threading.Event(), threading.Event()
    lens = Lens(first, taken, *rest)
    camera = Camera(Socket(lens), "camera-0", every_frame, lambda text: emptied.set(), 0.01)
    assert len(lens.images) == 21, "nothing is read before somebody wants frames"
    frames = []
    for frame in camera.frames(stop):
        frames.append(frame)
        taken.set()
        assert emptied.wait(30)
        if len(frames) == WAITING:
            stop.set()
    camera.close()
    assert [frame.image[0, 0, 0] for frame in frames] == [0, 160, 170, 180]
    assert camera.came == 20 and camera.dropped == 20 - len(frames)


def test_a_camera_that_is_not_there_at_the_start_is_refused():
    with pytest.raises(InputError, match="no camera"):
        Camera(Socket(), "camera-0", every_frame, print)


def test_an_error_of_the_trigger_reaches_whoever_takes_frames():
    def trigger(when, image):
        raise ZeroDivisionError

    camera = Camera(Socket(Lens(*ramp(1))), "camera-0", trigger, print)
    with pytest.raises(ZeroDivisionError):
        next(camera.frames(threading.Event()))
    camera.close()
