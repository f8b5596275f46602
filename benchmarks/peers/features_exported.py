"""Our default as a small machine runs it: exported, without torch and anomgan. `fit` or `score`.

The model is that of `features_ours.py`. The script is that of docs/line.md.
"""

import re
import subprocess
import sys
import types
from pathlib import Path

import cv2
import features_task as task

LINE = Path(__file__).parents[2] / "docs" / "line.md"
FITTED = "default, space=features"


def fit(folder: Path, model: Path, option: str) -> task.Figures:
    """Export the model, in a process of its own."""
    command = [sys.executable, "-m", "anomgan", "export", "--model", str(model.parent / FITTED)]
    subprocess.run([*command, "--out", f"{model}.onnx"], check=True, stdout=subprocess.DEVNULL)
    return {"model_megabytes": Path(f"{model}.onnx").stat().st_size / 1e6}


def score(folder: Path, model: Path, option: str) -> tuple[task.Figures, list[float]]:
    script = documented_script()
    loaded = script.load(f"{model}.onnx")
    grey = loaded[1]["preparation"]["channels"] == 1

    def one(path: Path) -> float:
        image = cv2.cvtColor(
            cv2.imread(str(path)), cv2.COLOR_BGR2GRAY if grey else cv2.COLOR_BGR2RGB
        )
        height, width = image.shape[:2]
        found, _, _, heatmap = script.inspect(loaded, image.reshape(height, width, -1))
        assert cv2.resize(heatmap, (width, height)).shape == (height, width)
        return float(found)

    figures = task.timed(one, task.test_images(folder))
    assert "torch" not in sys.modules and "anomgan" not in sys.modules
    return figures


def documented_script() -> types.ModuleType:
    """Import the script of the documentation."""
    examples = re.findall(r"^```python\n(.*?)^```", LINE.read_text(encoding="utf-8"), re.S | re.M)
    (code,) = (example for example in examples if example.startswith("# score_onnx.py"))
    script = types.ModuleType("score_onnx")
    exec(compile(code, "score_onnx.py", "exec"), script.__dict__)
    return script


if __name__ == "__main__":
    task.main({"fit": fit, "score": score})
