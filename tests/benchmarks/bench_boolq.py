"""Replaying a reading task of the paper's size, beside statsmodels' conditional logit on the same answers.

``python tests/benchmarks/bench_boolq.py`` records a simulated model on 200 questions under 72 entities and two controls
(14,800 trials) and 5,112 preferences, and replays the suite as a whole process. In the same run, the regression of
correctness on preference is timed, and statsmodels' ConditionalLogit on the same rows, which has no clustered errors.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from statsmodels.discrete.conditional_models import ConditionalLogit

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]

from planted import PlantedModel  # noqa: E402 - the tests' simulated model
from whole_runs import ROOT, whole_runs  # noqa: E402

from pytest_llmpref.cassettes import Cassette, RecordingModel  # noqa: E402
from pytest_llmpref.config.entities import load_entities  # noqa: E402
from pytest_llmpref.config.items import load_items  # noqa: E402
from pytest_llmpref.config.profiles import load_profile  # noqa: E402
from pytest_llmpref.experiments.asking import ask_all  # noqa: E402
from pytest_llmpref.experiments.experiment import Conditions  # noqa: E402
from pytest_llmpref.experiments.registry import behaviours  # noqa: E402
from pytest_llmpref.stats.answers import ReadingDesign, simulate_answers  # noqa: E402
from pytest_llmpref.stats.performance import preference_slope  # noqa: E402

MODEL = "openai/sim-reader"


def write_items(path: Path) -> Path:
    """Write 200 questions, whose passages are as long as the bundled ones."""
    bundled = load_items().items
    rows = [
        {"passage": item.passage, "question": f"{item.question} in year {year}", "answer": item.answer}
        for year in range(4)
        for item in bundled
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:200]))
    return path


def record(folder: Path) -> int:
    """Record the simulated model at profile paper; return the number of trials of the reading task."""
    items = load_items(str(write_items(folder / "items.jsonl")))
    entities = load_entities()
    model = PlantedModel({entity.name: 0.03 * place - 1 for place, entity in enumerate(entities)})
    model.name, model.truth = MODEL, {item.question: item.answer for item in items.items}
    conditions = Conditions(MODEL, entities, load_profile("paper"), 0, "auto", "cue", items)
    cassette = Cassette.open(folder / "cassettes", MODEL)
    trials = 0
    for name in ("preference", "boolq"):
        plan = behaviours()[name].experiment().plan(conditions)
        trials = len(plan.requests)
        asyncio.run(ask_all(RecordingModel(model, cassette), plan, range(trials), in_flight=16))
    cassette.pack()
    return trials


def timed(action: object) -> float:
    """Return seconds that a call takes."""
    began = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trials = record(folder)
        command = ["--profile", "paper"]
        command += [str(ROOT / "suites/replication/test_boolq.py"), "--model", MODEL, "--report-dir", name]
        command += ["--llmpref-cassettes", f"{name}/cassettes", "--llmpref-boolq", f"{name}/items.jsonl"]
        taken = whole_runs(command, runs, says="test_the_extremes_differ")
        print(
            f"{trials:,} trials of 200 questions and 5,112 preferences, replayed and analysed, whole process: {taken}"
        )
    design = ReadingDesign()
    answers = simulate_answers(design, np.random.default_rng(0))
    x = design.preference[answers.entity]
    own = [timed(lambda: preference_slope(answers, design.preference)) for _ in range(runs)]
    model = ConditionalLogit(answers.correct.astype(int), x[:, None], groups=answers.question)
    peer = [timed(lambda: model.fit(disp=False)) for _ in range(runs)]
    print(
        f"conditional regression of {len(answers):,} answers, two sides, clustered errors: median "
        f"{statistics.median(own):.3f} s; statsmodels, one side, no clusters: median {statistics.median(peer):.2f} s"
    )


if __name__ == "__main__":
    main()
