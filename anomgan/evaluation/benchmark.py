"""Runs the cells of a benchmark: each once, in any number of processes, resumable."""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from anomgan.config_files import find_config, parse_assignments, read_toml
from anomgan.config_values import build_settings, merge, without_idle
from anomgan.detectors import METHODS
from anomgan.errors import AnomganError, InputError, Interrupted, SettingsError
from anomgan.evaluation.evaluate import evaluate
from anomgan.evaluation.records import (
    Record,
    append_record,
    environment,
    key_of,
    read_records,
    save_scores,
    scores_path,
)
from anomgan.evaluation.sets import DataSet
from anomgan.machine.cluster import spread
from anomgan.machine.files import make_folder

MNIST_VIEW = {"image": {"lighting": "keep"}, "view": {"kind": "whole", "size": 32}}
"""How a detector sees digits, unless a settings file says otherwise."""


@dataclass(frozen=True)
class Contender:
    """A detector with all its settings but the seed.

    Attributes:
        detector: name of the method.
        config: name of its settings file, or "default"; with `--set` changes.
        values: nested settings.
    """

    detector: str
    config: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One fit and one test."""

    study: str
    data: DataSet
    category: str
    contender: Contender
    seed: int

    @property
    def key(self) -> Record:
        """Values that identify the cell."""
        values = json.dumps(self.contender.values, sort_keys=True)
        in_features = self.contender.values["space"] == "features"
        return {
            "study": self.study,
            "dataset": self.data.name,
            "category": self.category,
            "protocol": self.data.protocol,
            "limit": self.data.limit,
            "detector": self.contender.detector,
            "space": self.contender.values["space"],
            "backbone": self.contender.values["backbone"]["name"] if in_features else None,
            "config": self.contender.config,
            "settings": hashlib.sha256(values.encode()).hexdigest()[:12],
            "seed": self.seed,
        }


def contenders(
    names: Sequence[str],
    configs: Sequence[Path],
    assignments: Sequence[str],
    base: Mapping[str, Any],
) -> list[Contender]:
    """Detectors by name with their defaults over `base`, and detectors by settings file.

    Raises:
        SettingsError: a name or a setting is unknown.
    """
    changes = parse_assignments(assignments)
    found = [(name, "default", merge(base, changes)) for name in names]
    for path in map(find_config, configs):
        values = merge(read_toml(path), changes)
        found.append((values.pop("detector", ""), path.name, values))
    shared = bool(base) or len(found) > 1  # then some settings may be for another detector
    made = []
    for name, config, values in found:
        if name not in METHODS:
            raise SettingsError(f"unknown detector {name!r}; choose {', '.join(METHODS)}")
        kind = METHODS[name].settings_type
        settings = build_settings(kind, without_idle(kind, values) if shared else values)
        whole = settings.model_dump(mode="json", exclude={"seed", "detector"})
        made.append(Contender(name, ", ".join([config, *assignments]), whole))
    return made


def plan(
    study: str,
    data: DataSet,
    chosen: Sequence[Contender],
    seeds: Sequence[int],
    categories: Sequence[str] = (),
) -> list[Cell]:
    """All cells: seed by seed, category by category; without categories, all of them.

    Raises:
        InputError: the data set has no such category.
    """
    known = data.categories()
    unknown = [name for name in categories if name not in known]
    if unknown:
        raise InputError(f"{data.root} has no {', '.join(unknown)}; there are {', '.join(known)}")
    return [
        Cell(study, data, category, contender, seed)
        for seed in seeds
        for category in categories or known
        for contender in chosen
    ]


def run_benchmark(
    cells: Sequence[Cell],
    out: Path,
    *,
    workers: int = 1,
    device: str = "auto",
    ray: str | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Run the cells that have no record yet; returns how many failed.

    A finished cell is appended to `out` at once. One that fails is recorded with its error, does
    not stop the others, and is tried again by the next run.

    Args:
        cells: the plan.
        out: file of records, .jsonl.
        workers: processes; they share the cores.
        device: "auto", "cpu", "cuda" or "mps".
        ray: address of a Ray cluster that runs them, one on each core or GPU; see `spread`.
        say: called with a line about each finished cell.

    Raises:
        InputError: `out` cannot be read or written.
        SettingsError: there is no such Ray cluster, or `workers` is given as well.
    """
    make_folder(out.parent)
    if ray and workers > 1:
        raise SettingsError("--ray runs a cell on each core of the cluster; leave out --workers")
    done = {key_of(record) for record in read_records(out) if "error" not in record}
    waiting = [cell for cell in cells if key_of(cell.key) not in done]
    if len(waiting) < len(cells):
        say(f"{len(cells) - len(waiting)} of {len(cells)} cells are done already")
    if ray:
        work = partial(run_cell, out=out, device=device)
        records = spread(ray, work, waiting, _died, device=device, ordered=False)
    else:
        records = _records(waiting, out, workers, device)
    failed = 0
    for number, record in enumerate(records, start=1):
        append_record(out, record)
        failed += "error" in record
        said = record.get("error") or f"image AUROC {record['image_auroc']:.3f}"
        name = f"{record['category']} {record['detector']} seed {record['seed']}"
        say(f"[{number}/{len(waiting)}] {name}: {said}")
    return failed


def _records(cells: Sequence[Cell], out: Path, workers: int, device: str) -> Iterator[Record]:
    if workers == 1:
        for cell in cells:
            yield run_cell(cell, out, device)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        stack.callback(_end_workers)  # last: those that are at work when an error ends this
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        futures = [pool.submit(_run_apart, cell, out, device, threads) for cell in cells]
        for future in as_completed(futures):
            yield future.result()


def _run_apart(cell: Cell, out: Path, device: str, threads: int) -> Record:
    """Run a cell in a process of its own: if it dies, the others go on."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _settle_in, (threads,)) as process:
        try:
            return process.submit(run_cell, cell, out, device).result()
        except BrokenProcessPool:
            return _died(cell)


def _end_workers() -> None:
    for process in multiprocessing.active_children():
        process.terminate()


def _died(cell: Cell) -> Record:
    return cell.key | {"error": "its process died, perhaps for lack of memory"}


def _settle_in(threads: int) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # temporary folders are removed
    torch.set_num_threads(threads)
    # The progress bars of several processes would overwrite each other on one terminal.
    sys.stderr = open(os.devnull, "w")


def _end_with_parent() -> None:
    """End when the command is killed, as nobody would write the record."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def run_cell(cell: Cell, out: Path, device: str) -> Record:
    """Fit, score, measure; returns the record, with "error" where something failed.

    Raises:
        Interrupted: Ctrl-C was pressed.
    """
    record = cell.key
    try:
        parts = cell.data.read(cell.category)
        method = METHODS[cell.contender.detector]
        values = without_idle(method.settings_type, cell.contender.values)
        detector = method.from_settings(values | {"seed": cell.seed}, device)
        detector.fit(parts.normals, groups=cell.data.groups)
        evaluation = evaluate(detector, parts.test, cell.data.groups)
        groups = list(evaluation.groups or [])
        save_scores(scores_path(out, record), evaluation.labels, evaluation.scores, groups)
        fitted = detector.fitted
        return record | {
            "long_side": fitted.preparation.size if detector.feature_space else None,
            "n_train": fitted.facts["training_images"],
            "n_calibration": fitted.facts["calibration_images"],
            **evaluation.figures(),
            "fit_seconds": fitted.facts["seconds"],
            "fit_steps": fitted.facts["steps"],
            **environment(detector.device),
        }
    except Interrupted:
        raise
    except AnomganError as error:
        return record | {"error": str(error)}
    except Exception as error:  # whatever it is, the other cells must run
        return record | {"error": f"{type(error).__name__}: {error}"}
