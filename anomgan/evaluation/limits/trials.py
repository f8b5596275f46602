"""Draws defects on good images, scores them, and notes which are found."""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.own_files import JSON, refuse_to_overwrite
from anomgan.detectors.result import Result
from anomgan.errors import InputError, Interrupted
from anomgan.evaluation.limits.bench import Bench
from anomgan.evaluation.limits.defects import KINDS, Defect
from anomgan.evaluation.records import read_lines
from anomgan.machine.files import atomic_path, make_folder
from anomgan.machine.progress import progress_bar
from anomgan.metrics.pod import Pod

FAINTEST, STRONGEST = 0.02, 0.4
"""Contrasts that are drawn, as shares of the grey scale."""
FIRST = 0.4
"""Share of the defects that are spread over all sizes. The others have sizes at which the first
ones were sometimes found and sometimes missed: those tell most."""
SOMETIMES = 0.03, 0.98
"""Shares found, between which a size is sometimes found and sometimes missed."""
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


def check_out(out: Path, resume: bool) -> None:
    """Make the folder `out`, or refuse it before anything is scored.

    Args:
        out: the folder.
        resume: whether trials of a run that was stopped may be in it.

    Raises:
        InputError: it cannot be made, the report would replace a file that anomgan did not write,
            or an earlier run is unfinished.
    """
    make_folder(out)
    refuse_to_overwrite(*(out / name for name in (TRIALS, FACTS, PAGE)))
    if not resume and _is_unfinished(out):
        raise InputError(
            f"{out / TRIALS} is from an unfinished run; continue it with --resume, or delete that "
            f"file to start again"
        )


def _is_unfinished(out: Path) -> bool:
    """Whether there are trials that no report has been written about."""
    trials, facts = out / TRIALS, out / FACTS
    if not trials.exists() or trials.read_bytes().count(b"\n") < 2:  # the head alone
        return False
    return not facts.exists() or facts.stat().st_mtime_ns < trials.stat().st_mtime_ns


def run_trials(
    bench: Bench, kinds: Sequence[str], per_kind: int, out: Path, resume: bool
) -> list[Trial]:
    """Draw and score `per_kind` defects of each kind; each is on the disk as soon as it is scored.

    Raises:
        InputError: as `check_out`, the disk is full, or the trials there are of another run.
        Interrupted: Ctrl-C was pressed; what is done is kept.
    """
    check_out(out, resume)
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


def _start(path: Path, fingerprint: str, resume: bool) -> list[Trial]:
    """The trials of an earlier run that goes on; otherwise a new file."""
    head: dict[str, Any] = {**JSON, "fingerprint": fingerprint}
    trials: list[Trial] = []
    if resume and path.exists():
        rows = read_lines(path)
        if not rows or rows[0] != head:
            raise InputError(
                f"{path} is from another model, other images or another number of defects; delete "
                f"that file to start again, or choose another --out"
            )
        trials = [Trial(**row) for row in rows[1:]]
    with atomic_path(path) as temporary:  # without a line that was cut off
        kept = [head, *map(asdict, trials)]
        temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    return trials
