"""Checks photographs of good parts before a detector learns from them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.copies import find_copies
from anomgan.data.decode import read_image
from anomgan.data.depth import Depth
from anomgan.data.folders import list_images, read_groups
from anomgan.data.normals import NormalImages, read_normals
from anomgan.data.usual import NO_CONTRAST
from anomgan.errors import InputError
from anomgan.evaluation.check.facts import Facts
from anomgan.evaluation.check.plain import FEW, Finding, plain_findings
from anomgan.evaluation.check.unlike import FEWEST, Unlike, compare
from anomgan.machine.notes import counted
from anomgan.machine.progress import progress_bar

LEVEL = 0.03
"""The error has levelled off if it falls by less than this from half to all photographs. Each
doubling helps about half as much as the one before."""
GLANCE, GLANCED = 16_000_000, 200
"""Pixels and photographs of a glance: about a second."""


@dataclass(frozen=True)
class Check:
    """What was found in a folder of photographs of good parts.

    Attributes:
        facts: of every photograph that can be read.
        findings: what stands out, worst first.
        unlike: how unlike the others each photograph is; None if they cannot be compared.
        advice: whether more photographs would help, or why that cannot be said.
        bits: significant bits of the 16-bit ones.
    """

    facts: list[Facts]
    findings: list[Finding]
    unlike: Unlike | None
    advice: str
    bits: int

    def remarks(self) -> dict[str, list[str]]:
        """The remarks on each image that stands out, by name, worst first."""
        said: dict[str, list[str]] = {}
        for finding in self.findings:
            for name, remark in finding.images.items():
                said.setdefault(name, []).append(remark)
        return said

    def may_go(self) -> list[str]:
        """Names of the images that a user may leave out."""
        names = (name for finding in self.findings if finding.may_go for name in finding.images)
        return list(dict.fromkeys(names))

    def usual(self, count: int) -> list[str]:
        """Names of the most typical images among those without remarks."""
        said = self.remarks()
        names = [one.name for one in self.facts]
        if self.unlike is not None:
            far = np.abs(self.unlike.deviations())
            names = [names[place] for place in np.argsort(far, kind="stable")]
        return [name for name in names if name not in said][:count]

    def strangest(self, count: int) -> list[str]:
        """Names of the strangest images among those without remarks."""
        if self.unlike is None:
            return []
        said = self.remarks()
        names = (self.facts[place].name for place in np.argsort(-self.unlike.scores))
        return [name for name in names if name not in said][:count]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [one.as_dict() for one in self.facts]
        if self.unlike is not None:
            for row, score, far in zip(rows, self.unlike.scores, self.unlike.deviations()):
                row |= {"score": float(score), "deviations": float(far)}
        return {
            "images": rows,
            "findings": [asdict(finding) for finding in self.findings],
            "falls": None if self.unlike is None else self.unlike.falls(),
            "advice": self.advice,
        }


def check_folder(normal_dir: Path, device: str = "auto", groups: Path | None = None) -> Check:
    """Look through a folder of photographs of good parts; nothing in it is changed.

    Args:
        normal_dir: the folder.
        device: to compute features on: "auto", "cpu", "cuda" or "mps".
        groups: table that names the physical part of each; photographs of a part are then not
            compared with each other, and are no copies.

    Raises:
        InputError: the folder holds no image that can be read, or the table lacks some.
    """
    paths = list_images(normal_dir)
    named = read_groups(groups, paths) if groups else None
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        folder = Path(scratch)
        with progress_bar("reading", len(paths)) as report:
            normals = read_normals(paths, folder=folder, skip_unreadable=True, report=report)
        if not len(normals):
            raise InputError(f"none of the {len(paths)} images can be read:", *normals.skipped[:5])
        with progress_bar("measuring", len(normals)) as report:
            facts = []
            for place, name in enumerate(normals.names):
                facts.append(Facts.measure(name, normals[place], normals.bits))
                report(place + 1)
        parts = _Parts.find(facts, dict(zip(map(str, paths), named)) if named else None)
        findings = plain_findings(facts, parts.copies)
        unlike, advice = None, _too_few(facts, parts)
        if not advice:
            with progress_bar("comparing", len(normals)) as report:
                unlike = compare(normals, parts.numbers, device, folder, report)
            advice = _describe_curve(unlike, parts)
            findings = [*unlike.findings(normals.names), *findings]
        normals.store.close()
    findings = [*_unreadable(paths, normals), *findings]
    return Check(facts, findings, unlike, advice, normals.bits)


@dataclass(frozen=True)
class _Parts:
    """Which photographs show different parts, as far as that is known.

    Attributes:
        numbers: for each photograph, the number of its part.
        copies: for each, the first one that it is a copy of, though it should show another part.
        what: a word for different ones.
    """

    numbers: list[int]
    copies: list[int]
    what: str

    @classmethod
    def find(cls, facts: Sequence[Facts], groups: Mapping[str, str] | None) -> "_Parts":
        """From copies, and the group of each photograph if there are groups."""
        firsts = find_copies(np.array([one.thumbnail for one in facts]))
        if groups is None:
            return cls(firsts, firsts, "different images")
        named = [groups[one.name] for one in facts]
        apart = [
            first if named[first] != named[place] else place for place, first in enumerate(firsts)
        ]
        number_of: dict[str, int] = {}
        numbers = [number_of.setdefault(named[first], first) for first in firsts]
        return cls(numbers, apart, "groups")

    @property
    def different(self) -> int:
        return len(set(self.numbers))


def glance(paths: Sequence[Path]) -> tuple[int, list[Finding]]:
    """Look at some photographs for a second or two, without features and without copies.

    Returns:
        How many were looked at, and what stands out among them.
    """
    read, pixels, depth = [], 0, Depth()
    for place in np.random.default_rng(0).permutation(len(paths))[:GLANCED]:
        path = paths[place]
        try:
            image = read_image(path)
        except InputError:  # the fit will say so
            continue
        read.append((str(path), image))
        pixels += image.shape[0] * image.shape[1]
        if image.dtype == np.uint16:
            depth.count(image, str(path))
        if pixels > GLANCE:
            break
    if not read:
        return 0, []
    facts = [Facts.measure(name, image, depth.bits) for name, image in read]
    # Copies are rare among photographs that are far apart in time, and the fit counts them all.
    return len(facts), plain_findings(facts)


def _too_few(facts: Sequence[Facts], parts: _Parts) -> str:
    """Why photographs cannot be compared in feature space; empty if they can."""
    if len(facts) < FEW:
        images = counted(len(facts), "image")
        return f"{images}: too few to compare; take {FEW} or more, better 100."
    if parts.different == 1:
        return "All images show the same: there is nothing to learn from; take different parts."
    if parts.different < FEW:
        return f"Only {parts.different} {parts.what}, too few to compare: take different parts."
    if sum(one.contrast >= NO_CONTRAST for one in facts) < FEW:
        return "Nearly all images are blank: there is nothing to learn from."
    return ""


def _describe_curve(unlike: Unlike, parts: _Parts) -> str:
    falls = unlike.falls()
    if falls is None:
        count = f"{parts.different} {parts.what}"
        if parts.different < FEWEST:
            return f"Take more photographs: {count} are few; {FEWEST} tell more."
        return f"{count} are many: others will hardly help."
    fall = falls[1]
    if fall < LEVEL:
        return (
            f"The error on new images has levelled off (from half to all images: {-fall:+.0%}): "
            f"more photographs of the same kind will hardly help."
        )
    return (
        f"The error on new images still falls by {fall:.0%} from half to all images: more "
        f"photographs will help."
    )


def _unreadable(paths: Sequence[Path], normals: NormalImages) -> Iterator[Finding]:
    read = set(normals.names)
    lost = [str(path) for path in paths if str(path) not in read]
    found = {
        name: said.removeprefix(f"{name} ")
        for name, said in zip(lost, normals.skipped, strict=True)
    }
    if found:
        text = f"Unreadable: {len(lost)} of {len(paths)} files; a fit needs --skip-unreadable."
        yield Finding("unreadable", text, found, may_go=True)
