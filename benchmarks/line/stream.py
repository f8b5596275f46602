"""A camera on the network for the studies of the line: digits as a stream over HTTP."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from anomgan.data.decode import read_image

PACE = 0.5
"""Seconds between two frames."""


class Stream:
    """Shows images one after the other to all who ask, and counts them.

    Attributes:
        address: of the stream; any path may follow, and tells who asks.
        away: set while the camera is away: nobody gets an answer.
        hangs: whether a camera that goes away keeps its connections open and says nothing more.
        shown: frames of each connection in order, by path.
    """

    def __init__(self, images: Sequence[Path]) -> None:
        self.away, self.hangs = threading.Event(), False
        self.shown: dict[str, list[int]] = defaultdict(list)
        pictures = [cv2.imencode(".jpg", read_image(path))[1].tobytes() for path in images]
        stream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if stream.away.is_set():
                    return self.send_error(503)
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                self.wfile.write(b"--next\r\n")
                shown, connection = stream.shown[self.path], len(stream.shown[self.path])
                shown.append(0)
                while not stream.away.wait(PACE):
                    data = pictures[shown[connection] % len(pictures)]
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n--next\r\n")
                    except ConnectionError:
                        return  # whoever asked has gone
                    shown[connection] += 1
                while stream.hangs and stream.away.is_set():
                    time.sleep(PACE)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End the stream."""
        self.away.set()
        self._server.shutdown()
        self._server.server_close()
