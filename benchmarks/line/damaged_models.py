"""What becomes of model folders and checkpoints with flipped bytes, and of hostile model folders.

    OMP_NUM_THREADS=1 python benchmarks/line/damaged_models.py

Flips bytes of a model's two files and of a checkpoint; then puts wild values in the place of single
values in a model's card, and makes the checksums fit, as somebody with bad intent can. Each folder
is loaded, described and used in a child process, with limits on time and memory. Needs Linux.
Appends to benchmarks/results/line_faults.jsonl.
"""

import argparse
import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from small_line import fit_digits, write_digits
from trials import record_fault, run_trials

from anomgan.cli.info import model_card
from anomgan.detectors import load
from anomgan.errors import AnomganError, ModelError, TrainingError
from anomgan.model_files import CARD, CHECKSUM, WEIGHTS, card_checksum
from anomgan.training.checkpoint import Checkpoint

WILD: tuple[Any, ...] = (
    *(10**9, 10**18, -1, 0, 0.5, 1e300, True, None, "", "../../etc/passwd", "\ud800"),
    *([], [[]], {}, [1e300] * 3, {"__reduce__": "os.system"}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--values", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_digits(place / "digits", 300)
        fit_digits(place / "digits", place / "model")
        expected = _score(place / "model", place / "digits")
        victim = place / "victim"
        shutil.copytree(place / "model", victim)

        def use(damage: Callable[[], None]) -> str:
            for file in (CARD, WEIGHTS):
                shutil.copy(place / "model" / file, victim / file)
            damage()
            return _ending(lambda: _score(victim, place / "digits") == expected)

        flips = options.flips
        endings, peak = run_trials(flips, lambda n: use(lambda: _flip_one(victim, n)))
        _record("byte flipped in a model folder", flips, endings, peak)

        every = list(_hostile(json.loads((victim / CARD).read_text())))
        changes = random.Random(0).sample(every, min(options.values, len(every)))
        endings, peak = run_trials(len(changes), lambda n: use(lambda: _seal(victim, changes[n])))
        _record("hostile value in model.json, checksums made to fit", len(changes), endings, peak)

        path = place / "checkpoint.safetensors"
        _write_checkpoint(path)
        whole = path.read_bytes()
        before = Checkpoint.load(path)

        def resume(number: int) -> str:
            path.write_bytes(_flipped(whole, random.Random(number)))
            return _ending(lambda: _same(Checkpoint.load(path), before))

        endings, peak = run_trials(flips, resume)
        _record("byte flipped in a checkpoint", flips, endings, peak)


def _record(fault: str, tried: int, endings: dict[str, int], peak: float) -> None:
    outcome = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
    record_fault(fault, tried, outcome, **endings, peak_megabytes=peak)


def _ending(same: Callable[[], bool]) -> str:
    try:
        return "the same results" if same() else "other results"
    except (ModelError, TrainingError):
        return "refused"
    except AnomganError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return "refused when used"
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return "failed otherwise"


def _score(model: Path, digits: Path) -> list[tuple[float, float]]:
    detector = load(model, "cpu")
    model_card(model)
    images = sorted(digits.iterdir())[:2]
    return [(result.score, result.p_value) for result in detector.score(images)]


def _flip_one(folder: Path, number: int) -> None:
    path = folder / (CARD, WEIGHTS)[number % 2]
    path.write_bytes(_flipped(path.read_bytes(), random.Random(number)))


def _flipped(content: bytes, moments: random.Random) -> bytes:
    flipped = bytearray(content)
    flipped[moments.randrange(len(flipped))] ^= moments.randrange(1, 256)
    return bytes(flipped)


def _hostile(card: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The card with each value in it replaced by each of the wild ones, or left out."""
    for place in list(_places(card)):
        for value in (*WILD, KeyError):
            changed = json.loads(json.dumps(card))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            if value is KeyError:
                del inner[place[-1]]
            else:
                inner[place[-1]] = value
            yield changed


def _places(card: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in card.items():
        if key not in ("weights_sha256", CHECKSUM):
            yield (key,)
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in _places(value))


def _seal(folder: Path, card: dict[str, Any]) -> None:
    card["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    card[CHECKSUM] = card_checksum(card)
    (folder / CARD).write_text(json.dumps(card))


def _write_checkpoint(path: Path) -> None:
    torch.manual_seed(0)
    tensors = {f"networks/{n}": torch.randn(8, 8) for n in range(4)}
    Checkpoint(7, 1.5, {"settings": {"seed": 0}}, [{"step": 7, "error": 0.1}], tensors).save(path)


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    facts = [(c.step, c.seconds, c.facts, c.history, sorted(c.tensors)) for c in (one, other)]
    same = all(torch.equal(one.tensors[name], other.tensors[name]) for name in other.tensors)
    return facts[0] == facts[1] and same


if __name__ == "__main__":
    main()
