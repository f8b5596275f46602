"""Draws defects on good images, scores them, and notes which are found."""

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.copies import digest
from anomgan.data.decode import read_image, to_uint8
from anomgan.data.own_files import JSON, refuse_to_overwrite
from anomgan.detectors.base import Detector
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.result import Result
from anomgan.errors import InputError, Interrupted
from anomgan.evaluation.limits.defects import KINDS, Defect, draw
from anomgan.evaluation.limits.frame import Frame
from anomgan.evaluation.limits.part import Parts
from anomgan.machine.files import atomic_path, make_folder
from anomgan.machine.progress import progress_bar
from anomgan.metrics.pod import Pod

FAINTEST, STRONGEST = 0.02, 0.4
"""Contrasts that are drawn, as shares of the grey scale."""
SMALLEST = 2.0
"""Pixels of the smallest defect, as the networks see them."""
LARGEST = 0.3
"""Size of the largest defect, as a share of the part's longer side."""
FIRST = 0.4
"""Share of the defects that are spread over all sizes. The others have sizes at which the first
ones were sometimes found and sometimes missed: those tell most."""
SOMETIMES = 0.03, 0.98
IMAGES = 200
"""Good images to draw on, at most."""
FEWEST = 2
"""Good images to draw on, at least: from one alone nobody can tell what all have in common."""
SEEN_FOR_PART = 20
"""Images that show whether the part has a plain background."""
NEAR_CELLS = 2.0
"""How far from the defect the heatmap may be hottest, in cells of the detector."""
NEAR_SHARE = 0.02
"""The same for detectors without cells, as a share of the image's longer side."""
TRIES = 20
"""Places that are tried until something can be seen of a defect."""
TRIALS, FACTS, PAGE = "trials.jsonl", "limits.json", "limits.html"
Plan = tuple[str, int, float, float]
"""Kind, number, size and contrast of a trial."""


@dataclass(frozen=True)
class Trial:
    """A defect that was drawn, and what the detector said.

    Attributes:
        kind: of the defect.
        number: among those of its kind; what is drawn follows from both.
        image: path of the good image.
        size: pixels, measured.
        contrast: share of the grey scale, measured.
        score: of the image with the defect.
        alarm: whether the score is above the threshold.
        found: likewise, and the heatmap is hottest at the defect.
        along: place on the part from 0 to 1; see `Frame`.
        across: likewise.
        at_rim: whether the middle of the defect lies at the rim of the part.
        wanted_size: pixels that were asked for.
        wanted_contrast: likewise.
    """

    kind: str
    number: int
    image: str
    size: float
    contrast: float
    score: float
    alarm: bool
    found: bool
    along: float
    across: float
    at_rim: bool
    wanted_size: float
    wanted_contrast: float


@dataclass(eq=False)
class Bench:
    """Good images that defects are drawn on.

    Attributes:
        detector: the fitted detector.
        paths: images that it has not learnt from and calls ok.
        parts: finds the part in them.
        sizes: smallest and largest defect in pixels.
        learnt: number of images that were left out because the detector learnt from them.
        alarming: number that were left out because they raise an alarm as they are.
        unreadable: messages of files that cannot be read.
        digests: of the pixels of `paths`.
    """

    detector: Detector
    paths: list[Path]
    parts: Parts
    sizes: tuple[float, float] = (0.0, 0.0)
    learnt: int = 0
    alarming: int = 0
    unreadable: list[str] = field(default_factory=list)
    digests: bytes = b""

    @classmethod
    def prepare(
        cls, detector: Detector, paths: Sequence[Path], folder: Path, masks: Path | None
    ) -> "Bench":
        """Choose images to draw on.

        Raises:
            InputError: too few can be used, or the part is missing or tiny in one of them.
        """
        fresh, digests, learnt, unreadable = _not_learnt(detector, paths)
        if len(fresh) < FEWEST:
            raise InputError(*_why_too_few(len(paths), len(fresh), learnt, unreadable))
        some = (to_uint8(read_image(path), detector.bits) for path in fresh[:SEEN_FOR_PART])
        bench = cls(detector, fresh, Parts(fresh, some, masks, folder), learnt=learnt)
        bench.unreadable, bench.digests = unreadable, digests
        bench._leave_out_alarming()
        return bench

    @property
    def calibration(self) -> Calibration:
        """Of the detector."""
        assert self.detector.fitted is not None
        return self.detector.fitted.calibration

    @property
    def knows_learnt(self) -> bool:
        """Whether the detector knows which images it learnt from."""
        return self.detector.fitted is not None and self.detector.fitted.learnt is not None

    def load(self, number: int) -> tuple[np.ndarray, np.ndarray, Frame]:
        """An image uint8 [H, W] or [H, W, 3], its part bool [H, W], and the frame of that."""
        return self._load(self.paths[number])

    @lru_cache(maxsize=3)  # noqa: B019  the next trials are on the same image
    def _load(self, path: Path) -> tuple[np.ndarray, np.ndarray, Frame]:
        image = to_uint8(read_image(path), self.detector.bits)
        part = self.parts.find(path, image)
        if self.detector.roi is not None:
            part = part & self.detector.roi.at(image.shape)
            if not part.any():
                raise InputError(f"nothing of the part in {path} is in the region of interest")
        return image, part, Frame.of(part)

    def draw(self, kind: str, number: int, size: float, contrast: float) -> Defect | None:
        """Draw the defect of a trial; the same one each time."""
        place = self.image_of(kind, number)
        image, part, _ = self.load(place)
        other = self.load((place + 1) % len(self.paths))[:2]
        rng = np.random.default_rng((1, list(KINDS).index(kind), number))
        for _ in range(TRIES):
            defect = draw(image, part, kind, size, contrast, rng, other)
            if defect is not None:
                return defect
        return None

    def image_of(self, kind: str, number: int) -> int:
        """Which image a trial is drawn on; kinds begin at different ones."""
        return (number + 7 * list(KINDS).index(kind)) % len(self.paths)

    def fingerprint(self, per_kind: int) -> str:
        """What results depend on, besides the code."""
        facts: list[Any] = [self.detector.settings.model_dump_json(), self.calibration.as_dict()]
        if self.detector.roi is not None:
            facts.append(self.detector.roi.digest)
        made = hashlib.sha256(json.dumps([*facts, per_kind, self.parts.way, self.sizes]).encode())
        made.update(self.digests)
        return made.hexdigest()

    def near(self, image: np.ndarray, result: Result) -> float:
        """How far from a defect the heatmap may be hottest, in pixels of the image."""
        longest = max(image.shape[:2])
        if result.cell == 1:
            return NEAR_SHARE * longest
        return NEAR_CELLS * result.cell * longest / max(result.prepared.shape[:2])

    def _leave_out_alarming(self) -> None:
        """Keep the images that are called ok; find the range of sizes on the way."""
        ok, scales, lengths = [], [], []
        with progress_bar("good images", len(self.paths)) as report:
            for done, path in enumerate(self.paths, start=1):
                image, _, frame = self._load(path)
                result = self.detector.score(image)
                if not result.is_anomalous:
                    ok.append(path)
                    scales.append(max(image.shape[:2]) / max(result.prepared.shape[:2]))
                    lengths.append(frame.length)
                report(done)
        self.alarming = len(self.paths) - len(ok)
        if len(ok) < FEWEST:
            raise InputError(
                f"{self.alarming} of {len(self.paths)} good images raise an alarm as they are, so "
                f"that a defect on them shows nothing; recalibrate the model, or give images that "
                f"are like those it learnt from"
            )
        smallest = SMALLEST * max(1.0, float(np.median(scales)))
        largest = LARGEST * float(np.median(lengths))
        if largest < 2 * smallest:
            raise InputError(
                f"the part is {np.median(lengths):.0f} pixels long, too small for the smallest "
                f"defect of {smallest:.0f} pixels; take larger images, or check the masks of the "
                f"part"
            )
        self.paths, self.sizes = ok, (smallest, largest)


def check_out(out: Path) -> None:
    """Make the folder `out`, so that a wrong one is told before anything is scored.

    Raises:
        InputError: it cannot be made, or a file of a report would replace one of somebody else.
    """
    make_folder(out)
    refuse_to_overwrite(*(out / name for name in (TRIALS, FACTS, PAGE)))


def run_trials(
    bench: Bench, kinds: Sequence[str], per_kind: int, out: Path, resume: bool
) -> list[Trial]:
    """Draw and score `per_kind` defects of each kind; each is on the disk as soon as it is scored.

    Raises:
        InputError: the folder cannot be written to, or holds trials of another run or files of
            somebody else.
        Interrupted: Ctrl-C was pressed; what is done is kept.
    """
    check_out(out)
    path, fingerprint = out / TRIALS, bench.fingerprint(per_kind)
    done = {(one.kind, one.number): one for one in _start(path, fingerprint, resume)}
    first = round(FIRST * per_kind)
    total = per_kind * len(kinds)
    try:
        with progress_bar("drawing defects", total) as report, path.open("a") as file:
            for numbers in (range(first), range(first, per_kind)):
                plans = _plans(kinds, numbers, done, bench)
                plans.sort(key=lambda plan: bench.image_of(plan[0], plan[1]))
                for trial in _score(bench, plans):
                    file.write(json.dumps(asdict(trial)) + "\n")
                    file.flush()
                    done[trial.kind, trial.number] = trial
                    report(sum(one.kind in kinds for one in done.values()))
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; the results so far are in {path}; to continue, run the same command with "
            f"--resume"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return [one for one in done.values() if one.kind in kinds and one.number < per_kind]


def _plans(
    kinds: Sequence[str], numbers: range, done: Mapping[tuple[str, int], Trial], bench: Bench
) -> list[Plan]:
    """The trials that are left to do; later ones where the first ones tell most."""
    plans = []
    for kind in kinds:
        first = [one for one in done.values() if one.kind == kind and one.number < numbers.start]
        span = _span(first, bench) or bench.sizes
        for number in numbers:
            if (kind, number) not in done:
                plans.append((kind, number, *_plan(kind, number, span)))
    return plans


def _score(bench: Bench, plans: Sequence[Plan]) -> Iterator[Trial]:
    waiting: deque[tuple[Plan, Defect]] = deque()

    def images() -> Iterator[np.ndarray]:
        for plan in plans:
            defect = bench.draw(*plan)
            if defect is not None:
                waiting.append((plan, defect))
                yield defect.image

    for result in bench.detector.score_each(images()):
        (kind, number, size, contrast), defect = waiting.popleft()
        place = bench.image_of(kind, number)
        frame = bench.load(place)[2]
        alarm = result.score > result.threshold
        along, across = frame.place(*defect.centre)
        yield Trial(
            kind=kind,
            number=number,
            image=str(bench.paths[place]),
            size=defect.size,
            contrast=defect.contrast,
            score=result.score,
            alarm=alarm,
            found=alarm and _is_hottest_at(defect, result, bench.near(defect.image, result)),
            along=along,
            across=across,
            at_rim=frame.at_rim(*defect.centre),
            wanted_size=size,
            wanted_contrast=contrast,
        )


def _is_hottest_at(defect: Defect, result: Result, near: float) -> bool:
    heatmap = result.heatmap
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    away = np.hypot(row - defect.centre[0], column - defect.centre[1])
    return bool(away <= defect.size / 2 + near)


def _plan(kind: str, number: int, span: tuple[float, float]) -> tuple[float, float]:
    """Size and contrast of a trial, spread evenly over their logarithms."""
    rng = np.random.default_rng((2, list(KINDS).index(kind), number))
    size, contrast = (
        float(np.exp(rng.uniform(*np.log(ends)))) for ends in (span, (FAINTEST, STRONGEST))
    )
    return size, contrast


def _span(first: Sequence[Trial], bench: Bench) -> tuple[float, float] | None:
    """Sizes at which defects of a kind are sometimes found; None if the first ones don't tell."""
    if not first:
        return None
    pod = Pod(np.array([one.size for one in first]), np.array([one.found for one in first]))
    if pod.why_none:
        return None
    low, high = (pod.limit(share).best.value for share in SOMETIMES)
    low = max(low, bench.sizes[0])
    return low, max(min(high, bench.sizes[1]), 1.5 * low)


def _not_learnt(
    detector: Detector, paths: Sequence[Path]
) -> tuple[list[Path], bytes, int, list[str]]:
    """Images that the detector has not learnt from, in a random order, and their digests."""
    fitted = detector.fitted
    assert fitted is not None
    known = {row.tobytes() for row in ([] if fitted.learnt is None else fitted.learnt)}
    fresh: dict[bytes, Path] = {}
    learnt, unreadable = 0, []
    with progress_bar("reading", len(paths)) as report:
        for done, path in enumerate(paths, start=1):
            try:
                print_of = digest(read_image(path)).tobytes()
            except InputError as error:
                unreadable.append(str(error))
            else:
                learnt += print_of in known
                if print_of not in known:
                    fresh.setdefault(print_of, path)  # a copy shows nothing new
            report(done)
    names = sorted(fresh)
    chosen = np.random.default_rng(0).permutation(len(names))[:IMAGES]
    digests = b"".join(names[place] for place in chosen)
    return [fresh[names[place]] for place in chosen], digests, learnt, unreadable


def _why_too_few(total: int, fresh: int, learnt: int, unreadable: Sequence[str]) -> list[str]:
    if learnt:
        return [
            f"the model learnt from {learnt} of {total} images, and {fresh} are left; defects on "
            f"images that it learnt from are found too easily: give {FEWEST} others at least, "
            f"better 20, or fit with --set calibration.method=held-out, which keeps some aside"
        ]
    lines = [f"only {fresh} of {total} images can be used; give {FEWEST} different ones at least"]
    return lines + list(unreadable[:5])


def _start(path: Path, fingerprint: str, resume: bool) -> list[Trial]:
    """The trials of an earlier run that goes on; otherwise a new file."""
    head: dict[str, Any] = {**JSON, "fingerprint": fingerprint}
    if resume and path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        rows = [row for row in map(_parsed, lines) if row is not None]
        if not rows or rows[0] != head:
            raise InputError(
                f"{path} is from another model, other images or another number of defects; leave "
                f"out --resume to begin anew"
            )
        trials = [Trial(**row) for row in rows[1:]]
    else:
        trials = []
    with atomic_path(path) as temporary:  # without a line that was cut off
        kept = [head, *map(asdict, trials)]
        temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    return trials


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None
