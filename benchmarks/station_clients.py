"""Clients of a station for its soak: a program that uploads images, and a person who answers."""

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from station_load import is_same

PACE = 0.5
"""Seconds between two uploads."""
PATIENCE = 120.0
"""Seconds for an answer, or for a word of the station about a fault, on a busy machine."""
Found = dict[str, Any]


class Clients:
    """A program that uploads digits, and a person who answers for every part."""

    def __init__(self, url: str, images: list[bytes], rows: list[list[Found]]) -> None:
        self.url = url.removesuffix("/score")
        self._images = images
        self.model_ids = [some[0]["model_id"] for some in rows]
        self._rows = {
            (row["model_id"], number): row for some in rows for number, row in enumerate(some)
        }
        self._counts: Counter[str] = Counter()
        self._answered: set[int] = set()
        self._ended = threading.Event()
        httpx.post(f"{self.url}/review/queue", json={"every_part": True}).raise_for_status()
        self._threads = [threading.Thread(target=work) for work in (self._upload, self._answer)]
        for thread in self._threads:
            thread.start()

    def get(self, address: str) -> Found:
        """What the station says of the model, or of "review" or "parts" of it."""
        answer = httpx.get(f"{self.url}/{address}", timeout=PATIENCE)
        return answer.json() if answer.status_code == 200 else {}

    def problems(self) -> str:
        """What /health says."""
        address = self.url.partition("/models")[0]
        return " ".join(httpx.get(f"{address}/health", timeout=PATIENCE).json()["problems"])

    def end(self) -> Found:
        """End, and give the last state of the parts and of the review."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return self.get("parts") | {"review": self.get("review")}

    def found(self, disk: Path, state: Found) -> Found:
        """What became of uploads, parts and answers; the station has ended."""
        with closing(sqlite3.connect(disk / "review" / "review.sqlite")) as base:
            rows = base.execute("SELECT id, file, every, answer FROM parts").fetchall()
        numbers = [int(file.rpartition("-")[2].partition(".")[0]) for _, file, _, _ in rows]
        first = min(number for number, row in zip(numbers, rows, strict=True) if row[2])
        files = {path.name for path in (disk / "review" / "images").iterdir()}
        answered = {row[0] for row in rows if row[3]}
        return {
            **self._counts,
            "parts": sum(state["counts"][name] for name in ("ok", "anomalous")) - first + 1,
            "parts_saved": sum(number >= first for number in set(numbers)),
            "parts_dropped": state["review"]["dropped"],
            "parts_without_file": sum(row[1] not in files for row in rows),
            "answers": len(self._answered),
            "answers_lost": len(self._answered - answered),
        }

    def _upload(self) -> None:
        self._counts.update(uploads=0, uploads_wrong=0, uploads_lost=0, uploads_refused=0)
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._ended.wait(PACE):
                number = self._counts["uploads"] % len(self._images)
                self._counts["uploads"] += 1
                try:
                    answer = client.post(f"{self.url}/score", content=self._images[number])
                except httpx.HTTPError:
                    self._counts["uploads_lost"] += 1
                    continue
                self._counts["uploads_refused"] += answer.status_code != 200
                row = answer.json()
                wanted = self._rows.get((row.get("model_id"), number))
                self._counts["uploads_wrong"] += wanted is None or not is_same(row, wanted)

    def _answer(self) -> None:
        self._counts["answers_refused"] = 0
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._ended.wait(1):
                for part in self.get("review").get("parts", []):
                    said = {"answer": "good", "version": part["version"]}
                    done = client.post(f"{self.url}/review/{part['id']}", json=said)
                    if done.status_code != 200:
                        self._counts["answers_refused"] += 1
                        break
                    self._answered.add(part["id"])
