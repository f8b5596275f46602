"""What verbs that work through many images share: counts, lines of text, exit codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from anomgan.cli.say import say
from anomgan.errors import InputError
from anomgan.inspection.results_table import Row
from anomgan.machine.notes import counted


@dataclass
class Outcome:
    """Counts over the images of a batch."""

    total: int
    anomalous: int = 0
    failed: int = 0
    warned: set[str] = field(default_factory=set)

    @property
    def ok(self) -> int:
        """Images that were called ok."""
        return self.total - self.anomalous - self.failed

    def count(self, row: Row) -> None:
        """Count the verdict of a row, or that there is none."""
        verdict = row.get("verdict")
        self.failed += not verdict
        self.anomalous += verdict == "anomalous"

    def warn(self, row: Row) -> None:
        """Print each warning of the batch once, on standard error."""
        for text in self.new_warnings(row):
            say(f"warning    {text}; first {row['image']}", err=True)

    def new_warnings(self, row: Row) -> list[str]:
        """The warnings of a row that no row before it had."""
        new = [text for text in row.get("warnings", []) if text not in self.warned]
        self.warned.update(new)
        return new


def exit_if_failed(outcome: Outcome) -> None:
    """Exit with 3 if some images failed, with 2 if all did."""
    if outcome.failed:
        raise typer.Exit(2 if outcome.failed == outcome.total else 3)


def describe_error(error: InputError | str) -> str:
    """Why there is nothing of an image, in one line."""
    return f"error      {error}"


def describe_row(row: Row) -> str:
    """A row of results in one line."""
    if "error" in row:
        return describe_error(row["error"])
    from anomgan.detectors.result import tell_apart

    regions = row["regions"]
    score, threshold = tell_apart(row["score"], row["threshold"])
    text = f"{row['verdict']:<10} {row['image']}  score {score} (threshold {threshold})"
    text += f"  p {row['p_value']:.3g}"
    if row["reason"]:
        text += f"  {row['reason']}"
    if regions:
        first = regions[0]
        text += f"  {counted(len(regions), 'region')}, hottest at x {first['x']} y {first['y']}"
        text += f" ({first['width']} x {first['height']})"
    return text + (f"  {row['heatmap']}" if row["heatmap"] else "")


def verdict_counts(outcome: Outcome, table: Path | None) -> str:
    """The counts of scored images in one line."""
    text = f"{counted(outcome.total, 'image')}: {outcome.ok} ok, {outcome.anomalous} anomalous"
    if outcome.failed:
        text += f", {outcome.failed} could not be scored"
    return text + (f"; table in {table}" if table else "")


def targets_of(images: Sequence[Path], folder: Path | None, out: Path) -> dict[Path, Path]:
    """Map each PNG file to write in `out` to the image it is made from.

    Args:
        images: files.
        folder: its images are added, with their sub-folders.
        out: folder to write.

    Raises:
        InputError: there are no images, two would become the same file, or one would be
            overwritten.
    """
    from anomgan.data.folders import list_images
    from anomgan.data.own_files import refuse_inside, refuse_to_overwrite

    named = [(path, Path(path.name)) for path in images]
    if folder:
        refuse_inside(out, folder)
        named += [(path, path.relative_to(folder)) for path in list_images(folder)]
    if not named:
        raise InputError("there are no images; give --image FILE or --dir FOLDER")
    sources = {path.resolve() for path, _ in named}
    targets: dict[Path, Path] = {}
    for path, name in named:
        target = out / name.with_suffix(".png")
        if target in targets:
            raise InputError(
                f"{targets[target]} and {path} would both become {target}; rename one of them, or "
                f"choose another --out for it"
            )
        if target.resolve() in sources:
            raise InputError(f"{target} would be overwritten; choose another --out")
        targets[target] = path
    refuse_to_overwrite(*targets)
    return targets


def file_counts(outcome: Outcome, verb: str, out: Path) -> str:
    """The counts of translated or projected images in one line."""
    text = f"{counted(outcome.total - outcome.failed, 'image')} {verb}, in {out}/"
    return text + (f"; {outcome.failed} could not be" if outcome.failed else "")
