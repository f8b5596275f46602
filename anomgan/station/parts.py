"""The parts that a station has seen: the last ones with pictures, and counts of all."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from anomgan.inspection.results_table import Row

KEPT = 50
"""Parts with pictures, in memory only."""
DOUBTFUL = 3.0
"""An ok part is doubtful when its p-value is below this many times the false-alarm rate."""


@dataclass(frozen=True)
class Part:
    """A scored image.

    Attributes:
        number: counts the parts of the station.
        row: as in `anomgan score --json`.
        size: height and width of the image.
        pictures: "photo" and "thumbnail" (JPEG), and "heat" (PNG).
        scored: UTC time, ISO 8601.
    """

    number: int
    row: Row
    size: tuple[int, int]
    pictures: dict[str, bytes]
    scored: str

    @property
    def doubtful(self) -> bool:
        """Whether the part is ok, but nearly not."""
        near = self.row["p_value"] <= DOUBTFUL * self.row["false_alarm_rate"]
        return bool(self.row["verdict"] == "ok" and near)

    @property
    def stamp(self) -> str:
        """Its time and number, which name the file that is kept of it."""
        time = self.scored.replace(":", "").replace("+0000", "")
        return f"{time}-{self.number}"

    def about(self) -> dict[str, Any]:
        """What a page shows of the part."""
        height, width = self.size
        more = {"width": width, "height": height, "doubtful": self.doubtful, "time": self.scored}
        return {"number": self.number, **more, "result": self.row}


class Parts:
    """The last parts and the counts of one model; safe in any thread."""

    def __init__(self) -> None:
        self._last: deque[Part] = deque(maxlen=KEPT)
        self._counts = Counter({"ok": 0, "anomalous": 0, "doubtful": 0, "unreadable": 0})
        self._number = 0
        self._lock = Lock()

    def add(self, row: Row, size: tuple[int, int], pictures: dict[str, bytes]) -> Part:
        """Take in the next part."""
        with self._lock:
            self._number += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            part = Part(self._number, row, size, pictures, now)
            self._last.append(part)
            self._counts[row["verdict"]] += 1
            self._counts["doubtful"] += part.doubtful
        return part

    def count_unreadable(self) -> None:
        """Count an image that could not be scored."""
        with self._lock:
            self._counts["unreadable"] += 1

    def after(self, number: int) -> list[Part]:
        """The parts that are kept and came after that number, first to last."""
        with self._lock:
            return [part for part in self._last if part.number > number]

    def find(self, number: int) -> Part | None:
        """A part that is kept, by its number."""
        with self._lock:
            return next((part for part in self._last if part.number == number), None)

    @property
    def counts(self) -> dict[str, int]:
        """Images by verdict; "doubtful" ones are among the ok."""
        with self._lock:
            return dict(self._counts)
