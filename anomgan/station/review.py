"""What waits for a person's word, and what was said: images in a folder, the rest in SQLite."""

import json
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from anomgan.errors import InputError
from anomgan.machine.files import atomic_path
from anomgan.station.parts import Part
from anomgan.station.uploads import Upload

Answer = Literal["good", "defect"]
Why = Literal["anomalous", "doubtful", "all"]
Box = tuple[float, float, float, float]
"""x, y, width and height in pixels of the image."""
FILE = "review.sqlite"
IMAGES = "images"
FORMAT = 1
MOST_WAITING = 1000
"""Parts of a model that wait at most; more are counted, but not kept."""
UNSAVED = 20
"""Parts that are held in memory while the disk is full; they are saved when there is room."""
SHOWN = 30
"""Waiting parts that a page gets at once."""
TABLE = """
CREATE TABLE IF NOT EXISTS parts (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL, model_id TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL,
    queued TEXT NOT NULL, why TEXT NOT NULL, every INTEGER NOT NULL,
    score REAL NOT NULL, threshold REAL NOT NULL, p_value REAL NOT NULL,
    verdict TEXT NOT NULL, reason TEXT, regions TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL,
    photo BLOB NOT NULL, heat BLOB NOT NULL,
    answer TEXT, boxes TEXT NOT NULL DEFAULT '[]', operator TEXT, answered TEXT,
    version INTEGER NOT NULL DEFAULT 0
);
-- every: all parts were queued at that time, so that this one was not chosen by its score
CREATE INDEX IF NOT EXISTS by_answer ON parts (model, answer, id);
"""
COLUMNS = (
    *("id", "model", "model_id", "name", "file", "queued", "why", "every"),
    *("score", "threshold", "p_value"),
    *("verdict", "reason", "regions", "width", "height", "answer", "boxes", "operator"),
    *("answered", "version"),
)


class Conflict(Exception):
    """Another operator was faster; `item` is what they said."""

    def __init__(self, item: dict[str, Any]) -> None:
        said = f"called {item['answer']}" if item["answer"] else "put back"
        super().__init__(f"another operator has {said} this part at {item['answered']}")
        self.item = item


class NotSaved(Exception):
    """The disk is full or gone, or another station is busy with it; what was saved is whole."""


@dataclass(frozen=True)
class Waiting:
    """A part that is not on the disk yet."""

    model: str
    part: Part
    upload: Upload
    why: Why
    every: bool


class Review:
    """The parts of all models that a person looks at; safe in any thread and for several stations.

    Args:
        folder: made if it is not there.

    Raises:
        InputError: the folder cannot be written to, or holds the review of a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problem: str | None = None
        self.every_part: set[str] = set()
        self.dropped: dict[str, int] = {}
        self._unsaved: deque[Waiting] = deque()
        self._lock = RLock()
        try:
            (folder / IMAGES).mkdir(parents=True, exist_ok=True)
            path = folder / FILE
            self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._base.row_factory = sqlite3.Row
            (found,) = self._base.execute("PRAGMA user_version").fetchone()
            if found not in (0, FORMAT):
                raise InputError(f"{path} was written by a newer version of anomgan")
            self._base.executescript(TABLE)
            self._base.execute(f"PRAGMA user_version = {FORMAT}")
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"cannot use {folder} for the review: {error}") from error

    def close(self) -> None:
        """Save what is held in memory, if there is room, and close the file."""
        self.save_rest()
        with self._lock:
            self._base.close()

    def reason_to_queue(self, model: str, part: Part) -> Why | None:
        """Why a person should look at a part; None if nobody needs to."""
        if part.row["verdict"] == "anomalous":
            return "anomalous"
        if part.doubtful:
            return "doubtful"
        return "all" if model in self.every_part else None

    def queue(self, model: str, part: Part, upload: Upload) -> None:
        """Queue a part if a person should look at it.

        On a full disk it is held in memory, `problem` says so, and it is saved later.
        """
        why = self.reason_to_queue(model, part)
        if why is None:
            return
        with self._lock:
            if len(self._unsaved) == UNSAVED:
                self._drop(self._unsaved.popleft().model)
            self._unsaved.append(Waiting(model, part, upload, why, model in self.every_part))
            self.save_rest()

    def save_rest(self) -> None:
        """Save the parts that are held in memory."""
        with self._lock:
            try:
                while self._unsaved:
                    self._save(self._unsaved[0])
                    self._unsaved.popleft()
            except (InputError, NotSaved) as error:
                self.problem = (
                    f"{error}; {len(self._unsaved)} parts for the review are held in memory until "
                    f"there is room"
                )
            else:
                self.problem = None

    def waiting(self, model: str) -> list[dict[str, Any]]:
        """The first parts that wait, oldest first."""
        return self._items("model = ? AND answer IS NULL ORDER BY id LIMIT ?", model, SHOWN)

    def answered(self, model: str, answer: Answer, model_id: str | None = None) -> list[Any]:
        """The parts with an answer; only those that a certain state of the model scored."""
        where = "model = ? AND answer = ? AND model_id = coalesce(?, model_id) ORDER BY id"
        return self._items(where, model, answer, model_id)

    def counts(self, model: str) -> dict[str, int]:
        """How many parts wait, are good and are defective."""
        rows = self._all(
            "SELECT answer, COUNT(*) FROM parts WHERE model = ? GROUP BY answer", model
        )
        found = {answer or "waiting": count for answer, count in rows}
        return {name: found.get(name, 0) for name in ("waiting", "good", "defect")}

    def picture(self, number: int, kind: Literal["photo", "heat"]) -> bytes | None:
        """A picture of a part; None if there is no such part."""
        rows = self._all(f"SELECT {kind} FROM parts WHERE id = ?", number)
        return rows[0][0] if rows else None

    def path(self, item: dict[str, Any]) -> Path:
        """The image file of a part."""
        return self.folder / IMAGES / str(item["file"])

    def answer(
        self,
        model: str,
        number: int,
        answer: Answer | None,
        *,
        boxes: Sequence[Box] = (),
        operator: str = "",
        version: int,
    ) -> dict[str, Any]:
        """Save what a person says of a part; None puts it back.

        Args:
            model: of the part.
            number: id of the part.
            answer: the word.
            boxes: around defects.
            operator: who says it.
            version: of the part as the person saw it.

        Raises:
            KeyError: there is no such part.
            Conflict: someone else has answered in the meantime.
            NotSaved: the disk is full; the part is as it was.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        size = self._size(model, number)
        kept = [box for box in (_inside(box, size) for box in boxes) if box]
        values = answer, json.dumps(kept if answer == "defect" else []), operator, now
        with self._writing():
            changed = self._base.execute(
                "UPDATE parts SET answer = ?, boxes = ?, operator = ?, answered = ?, "
                "version = version + 1 WHERE id = ? AND model = ? AND version = ?",
                (*values, number, model, version),
            ).rowcount
        (item,) = self._items("id = ?", number)
        if not changed:
            raise Conflict(item)
        return item

    def _size(self, model: str, number: int) -> tuple[int, int]:
        found = self._all(
            "SELECT width, height FROM parts WHERE id = ? AND model = ?", number, model
        )
        if not found:
            raise KeyError(number)
        return found[0]["width"], found[0]["height"]

    def _save(self, one: Waiting) -> None:
        if self.counts(one.model)["waiting"] >= MOST_WAITING:
            return self._drop(one.model)
        row, part = one.part.row, one.part
        name = f"{part.stamp}{one.upload.suffix}"
        with atomic_path(self.folder / IMAGES / name) as temporary:
            temporary.write_bytes(one.upload.data)
        values = {
            **{key: row[key] for key in ("score", "threshold", "p_value", "verdict", "reason")},
            **{"model": one.model, "model_id": row["model_id"], "name": row["image"]},
            **{"file": name, "queued": part.scored, "why": one.why, "every": one.every},
            **{"width": part.size[1], "height": part.size[0]},
            **{"regions": json.dumps(row["regions"])},
            **{kind: part.pictures[kind] for kind in ("photo", "heat")},
        }
        names = ", ".join(values)
        try:
            with self._writing():
                self._base.execute(
                    f"INSERT INTO parts ({names}) VALUES ({', '.join('?' * len(values))})",
                    tuple(values.values()),
                )
        except NotSaved:
            (self.folder / IMAGES / name).unlink(missing_ok=True)
            raise

    def _drop(self, model: str) -> None:
        self.dropped[model] = self.dropped.get(model, 0) + 1

    def _items(self, where: str, *values: object) -> list[dict[str, Any]]:
        rows = self._all(f"SELECT {', '.join(COLUMNS)} FROM parts WHERE {where}", *values)
        lists = ("regions", "boxes")
        return [
            {name: json.loads(row[name]) if name in lists else row[name] for name in COLUMNS}
            for row in rows
        ]

    def _all(self, question: str, *values: object) -> list[sqlite3.Row]:
        try:
            with self._lock, closing(self._base.execute(question, values)) as rows:
                return rows.fetchall()
        except sqlite3.Error as error:
            raise NotSaved(f"cannot read {self.folder / FILE}: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A change that is made as a whole or not at all."""
        with self._lock:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                yield
                self._base.execute("COMMIT")
            except sqlite3.Error as error:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise NotSaved(f"cannot write {self.folder / FILE}: {error}") from error


def _inside(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """A box in whole pixels of the image; None if nothing of it lies in the image."""
    x, y, width, height = box
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(size[0], round(x + width)), min(size[1], round(y + height))
    return (left, top, right - left, bottom - top) if left < right and top < bottom else None
