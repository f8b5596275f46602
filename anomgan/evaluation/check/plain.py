"""Finds what stands out among the plain facts of photographs, and describes it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from anomgan.data.usual import NO_CONTRAST
from anomgan.evaluation.check.facts import Facts, in_order
from anomgan.evaluation.check.robust import FAR, deviations
from anomgan.evaluation.check.shifts import find_shifts, where
from anomgan.machine.notes import counted

CLIPPED = 0.03
"""Share of pixels that must be clipped in addition to those of a typical image."""
LESS_SHARP = 0.6
"""Of the median sharpness; a Gaussian blur of one pixel at 512 px leaves about half."""
DRIFT = 8.0
"""Grey levels of 255; a smaller change of exposure is not reported."""
CLEAR = 3.0
"""A step must be this many times the deviation of the photographs around it."""
RELATED = 0.7
"""Least correlation of brightness and order in a trend."""
FEW = 8
"""With fewer photographs, nothing can stand out."""
BLOCKS = 1.3
"""Visible steps between blocks, as a multiple of others. JPEG at quality 75 makes 1.0 to 1.1, at
quality 20 1.4 and more."""


@dataclass(frozen=True)
class Finding:
    """One kind of thing that stands out.

    Attributes:
        kind: one word.
        text: a sentence with counts.
        images: what is said of each image, by name, worst first; empty if it concerns all.
        may_go: a user may leave these images out.
    """

    kind: str
    text: str
    images: dict[str, str] = field(default_factory=dict)
    may_go: bool = False


def plain_findings(facts: Sequence[Facts], firsts: Sequence[int] = ()) -> list[Finding]:
    """Everything that stands out, the most harmful kinds first.

    Args:
        facts: of each photograph.
        firsts: for each, the first one that it is a copy of, or its own number. If left out,
            copies are not reported.
    """
    found = [*blank(facts)]
    seen = [one for one in facts if one.contrast >= NO_CONTRAST]
    if len(seen) >= FEW:
        found += [*blurred(seen), *clipped(seen, "white"), *clipped(seen, "black")]
        found += [*drift(seen), *shifted(seen)]
    return [*found, *mixed(facts), *copies(facts, firsts), *blocks(facts)]


def blank(facts: Sequence[Facts]) -> Iterator[Finding]:
    """Photographs that show nothing."""
    found = {one.name: "shows nothing" for one in facts if one.contrast < NO_CONTRAST}
    if found:
        yield Finding("blank", f"Blank: {_count(found)} no contrast at all.", found, may_go=True)


def blurred(facts: Sequence[Facts]) -> Iterator[Finding]:
    """Photographs far less sharp than the others."""
    sharpness = np.array([one.sharpness for one in facts])
    shares = sharpness / np.median(sharpness)
    far = deviations(np.log(np.maximum(shares, 1e-3))) < -FAR
    found = {
        facts[place].name: f"{shares[place]:.0%} of the usual sharpness"
        for place in np.argsort(shares)
        if far[place] and shares[place] < LESS_SHARP
    }
    if found:
        text = f"Blur: {_count(found)} far less sharpness than the others."
        yield Finding("blur", text, found, may_go=True)


def clipped(facts: Sequence[Facts], end: str) -> Iterator[Finding]:
    """Photographs with far more pixels at one end of the scale, "white" or "black"."""
    shares = np.array([getattr(one, end) for one in facts])
    usual = float(np.median(shares))
    far = (shares > usual + CLIPPED) & (deviations(shares) > FAR)
    found = {
        facts[place].name: f"{shares[place]:.0%} of the pixels are pure {end}"
        for place in np.argsort(-shares)
        if far[place]
    }
    if found:
        text = (
            f"Exposure: {_count(found)} up to {shares[far].max():.0%} pure {end} pixels, where "
            f"nothing can be seen; usual are {usual:.0%}."
        )
        yield Finding(f"clipped-{end}", text, found, may_go=True)


def drift(facts: Sequence[Facts]) -> Iterator[Finding]:
    """A step or a trend of the brightness over time."""
    order = in_order([one.name for one in facts])
    values = np.array([facts[place].brightness for place in order])
    low, high = np.percentile(values, [5, 95])
    calm = np.clip(values, low, high)  # one odd photograph makes no trend
    place = _best_split(calm)
    before, after = float(np.median(values[:place])), float(np.median(values[place:]))
    left = calm - np.where(np.arange(len(calm)) < place, before, after)
    slope, start = np.polyfit(np.arange(len(calm)), calm, 1)
    unlined = calm - start - slope * np.arange(len(calm))
    if np.square(left).mean() <= np.square(unlined).mean():
        if abs(after - before) >= max(DRIFT, CLEAR * float(left.std())):
            ends = f"from {before:.0f} to {after:.0f}"
            text = f"Exposure jumps: the brightness goes {ends} (of 255) after {place} images."
            yield Finding("drift", text, {facts[order[place]].name: "the first after the jump"})
        return
    change = float(slope) * (len(calm) - 1)
    related = abs(float(np.corrcoef(np.arange(len(calm)), calm)[0, 1]))
    if abs(change) >= DRIFT and related >= RELATED:
        ends = f"from {start:.0f} to {start + change:.0f}"
        yield Finding("drift", f"Exposure drifts: the brightness goes {ends} (of 255) over time.")


def _best_split(values: np.ndarray) -> int:
    """Where to split values in two so that both parts deviate least from their means."""
    least = max(FEW // 2, len(values) // 20)
    places = np.arange(least, len(values) - least + 1)
    sums = np.cumsum(values)
    one, other = sums[places - 1] / places, (sums[-1] - sums[places - 1]) / (len(values) - places)
    return int(places[np.argmax(places * (len(values) - places) * np.square(one - other))])


def shifted(facts: Sequence[Facts]) -> Iterator[Finding]:
    """Photographs whose part lies elsewhere, if all others lie still."""
    shifts = find_shifts(np.stack([one.small for one in facts]))
    if shifts is None:
        return
    lengths = np.linalg.norm(shifts, axis=1)
    worst = [place for place in np.argsort(-lengths) if lengths[place] > 0]
    found = {facts[place].name: where(*shifts[place]) for place in worst}
    if found:
        yield Finding("shift", f"Framing: {_count(found)} the part in another place.", found)


def mixed(facts: Sequence[Facts]) -> Iterator[Finding]:
    """Sizes, depths and colours that differ among the photographs."""
    for kind, title, of in (
        ("size", "Sizes differ", lambda one: f"{one.width} x {one.height} px"),
        ("depth", "Depths differ", lambda one: f"{one.depth} bits"),
        ("colour", "Colours differ", lambda one: "no colour" if one.is_grey else "colour"),
    ):
        yield from _mixed(facts, kind, title, of)


def _mixed(
    facts: Sequence[Facts], kind: str, title: str, of: Callable[[Facts], str]
) -> Iterator[Finding]:
    counts = Counter(map(of, facts))
    if len(counts) < 2:
        return
    (usual, number), *others = counts.most_common()
    rest = sum(count for _, count in others)
    if rest > number and len(counts) > 5:
        yield Finding(kind, f"{title}: {len(counts)} in {len(facts)} images.")
        return
    shown = ", ".join(f"{count} with {value}" for value, count in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    text = f"{title}: {counted(number, 'image')} with {usual}; {shown}{more}."
    # Where there is no usual kind, as in images cut to the part, none of them stands out.
    odd = {one.name: of(one) for one in facts if of(one) != usual} if rest < number / 10 else {}
    yield Finding(kind, text, odd)


def copies(facts: Sequence[Facts], firsts: Sequence[int]) -> Iterator[Finding]:
    """Photographs that show the same as an earlier one."""
    found = {
        one.name: f"near copy of {facts[first].name}"
        for place, (one, first) in enumerate(zip(facts, firsts))
        if place != first
    }
    if found:
        text = (
            f"Copies or near copies of other images: {len(found)} of {len(facts)}. They teach "
            f"nothing new."
        )
        yield Finding("copies", text, found, may_go=True)


def blocks(facts: Sequence[Facts]) -> Iterator[Finding]:
    """Photographs that JPEG has spoilt."""
    worst = sorted((one for one in facts if one.blocks > BLOCKS), key=lambda one: -one.blocks)
    found = {one.name: "marks of strong compression" for one in worst}
    if found:
        text = f"{_count(found)} clear 8 x 8 blocks; save with less compression, or as PNG."
        yield Finding("compression", f"Compression: {text}", found)


def _count(found: Sequence[str] | dict[str, str]) -> str:
    return f"{counted(len(found), 'image')} {'has' if len(found) == 1 else 'have'}"
