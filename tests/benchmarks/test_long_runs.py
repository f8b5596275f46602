import json

from digits import load
from long_runs import GeneratorRun, runs, status, work

from anomgan.config_values import build_settings
from anomgan.generators.trained import settings_of


def digits():
    return list(load()[0][:40, ::2, ::2])


def long_run(name, steps):
    settings = {
        "view": {"size": 16},
        "network": {"latent_dim": 4, "features": 2},
        "training": {"steps": steps, "batch_size": 4},
    }
    return GeneratorRun(name, "dcgan", digits, digits, settings)


def test_an_interrupted_training_goes_on_and_ends_as_a_record_with_a_picture(tmp_path):
    models, results = tmp_path / "models", tmp_path / "results" / "long_runs.jsonl"
    todo = [long_run("endless", 10**6), long_run("short", 3)]
    assert status(todo, models, results) == [f"{run.name:24} not begun" for run in todo]

    def steps():
        state = status(todo, models, results)[0].split()
        return 0 if state[-1] == "begun" else int(state[2])

    seen = {0}
    while len(seen) < 3:  # it went on twice
        assert work(todo, 0.05, "cpu", models, results) == []
        assert steps() >= max(seen)
        seen.add(steps())
    assert work(todo[1:], 5, "cpu", models, results) == ["short"]
    assert status(todo, models, results)[1].endswith("done")
    assert (results.parent / "long_runs_short.png").exists()
    (record,) = map(json.loads, results.read_text().splitlines())
    assert record["config"] == "short" and record["fit_steps"] == 3 and record["fid_lite0"] > 0
    assert work(todo[1:], 5, "cpu", models, results) == [], "what is done is not done again"


def test_a_translator_is_measured_in_each_domain(tmp_path):
    images = digits()
    domains = {"a": images[:20], "b": [255 - image for image in images[20:]]}
    settings = {
        "view": {"size": 16},
        "network": {"features": 2, "blocks": 1, "patch_layers": 1},
        "training": {"steps": 1, "batch_size": 2},
    }
    run = GeneratorRun("cycle", "cyclegan", lambda: domains, lambda: domains, settings)
    results = tmp_path / "long_runs.jsonl"
    assert work([run], 5, "cpu", tmp_path, results) == ["cycle"]
    record = json.loads(results.read_text())
    assert [row["domain"] for row in record["domains"]] == ["a", "b"]
    assert record["n_train"] == 40 and (tmp_path / "long_runs_cycle.png").exists()


def test_the_settings_of_the_list_are_those_of_their_methods():
    listed = runs()
    assert len({run.name for run in listed}) == len(listed) == 11
    for run in listed:
        if isinstance(run, GeneratorRun):
            build_settings(settings_of(run.method), dict(run.settings))


def test_no_time_is_no_work(tmp_path):
    assert work([long_run("short", 3)], -1, "cpu", tmp_path, tmp_path / "r.jsonl") == []
