"""Replaying a refusals study of about 20,000 attempts, beside statsmodels fitting the additive model alone.

``python tests/benchmarks/bench_refusals.py`` records a simulated model that refuses what it dislikes, at profile paper,
and replays the suite of refusals as a whole process: preferences, refusals, the additive model, superadditivity. The
peer fits the same additive model, and nothing else, by ``statsmodels``' logistic regression in the same run.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from scipy import special

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]

from planted import OPTION, PlantedModel  # noqa: E402 - the tests' simulated model
from whole_runs import ROOT, whole_runs  # noqa: E402

from pytest_llmpref.cassettes import Cassette, RecordingModel  # noqa: E402
from pytest_llmpref.config.entities import load_entities  # noqa: E402
from pytest_llmpref.config.profiles import load_profile  # noqa: E402
from pytest_llmpref.experiments.asking import ask_all  # noqa: E402
from pytest_llmpref.experiments.experiment import Conditions  # noqa: E402
from pytest_llmpref.experiments.refusal.experiment import refusals  # noqa: E402
from pytest_llmpref.experiments.refusal.measure import attempts_of  # noqa: E402
from pytest_llmpref.experiments.registry import behaviours  # noqa: E402
from pytest_llmpref.models.chat import Reply, Request  # noqa: E402

MODEL = "openai/sim-refuser"


class Refuser(PlantedModel):
    """Refuses with odds that rise with the dislikes of both options; about 4 attempts to a valid answer."""

    async def ask(self, request: Request) -> Reply:
        reply = await super().ask(request)
        text = request.messages[-1].content
        if text.endswith("Answer: Option") or len(OPTION.findall(text)) != 2:
            return reply
        disliked = -sum(self.utilities.get(name, 0.0) for _, name in OPTION.findall(text))
        refuses = int(request.key[:8], 16) / 2**32 < special.expit(0.65 + 0.6 * disliked)
        return Reply("I'm sorry, but that is a personal decision.", "stop") if refuses else reply


def record(folder: Path) -> tuple[int, Conditions]:
    """Record preferences and refusals; return the attempts at questions that may be refused, and the conditions."""
    entities = load_entities()
    names = [entity.name for entity in entities]
    utilities = dict(zip(names, np.random.default_rng(1).permutation(np.linspace(-2, 2, len(names))), strict=True))
    conditions = Conditions(MODEL, entities, load_profile("paper"), seed=0, answers="auto", prefill="cue")
    model = Refuser(utilities)
    model.name = MODEL
    cassette = Cassette.open(folder, MODEL)
    attempts = 0
    for name in ("preference", "refusal"):
        plan = behaviours()[name].experiment().plan(conditions)
        recording = RecordingModel(model, cassette)
        replies = asyncio.run(ask_all(recording, plan, range(len(plan.requests)), in_flight=16))
        attempts = sum(len(each) for each in replies)
    cassette.pack()
    return attempts, conditions


def fit_by_statsmodels(folder: Path, conditions: Conditions) -> float:
    """Return seconds that statsmodels takes for the additive model's estimates and standard errors."""
    from pytest_llmpref.cassettes import ReplayModel

    plan = refusals().plan(conditions)
    replayed = ReplayModel(Cassette.open(folder, MODEL))
    replies = asyncio.run(ask_all(replayed, plan, range(len(plan.requests)), in_flight=16))
    ids = list(conditions.groups)
    attempts = attempts_of(refusals().analyse(conditions, plan, replies).trials, ids)
    rows = np.arange(len(attempts))
    design = np.zeros((len(attempts), len(ids) + int(attempts.wording.max()) + 1))
    design[rows, attempts.first] += 1
    design[rows, attempts.second] += 1
    design[rows, len(ids) + attempts.wording] = 1
    outcome = np.column_stack([attempts.refused, attempts.made - attempts.refused])
    began = time.perf_counter()
    sm.GLM(outcome, design, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": attempts.pair_of}
    )
    return time.perf_counter() - began


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        attempts, conditions = record(Path(folder) / "cassettes")
        command = ["--profile", "paper"]
        command += [str(ROOT / "suites/replication/test_refusals.py"), "--model", MODEL, "--report-dir", folder]
        command += ["--llmpref-cassettes", f"{folder}/cassettes"]
        taken = whole_runs(command, runs, says="test_two_disliked_options")
        print(f"{attempts:,} attempts at refusals and 5,112 preferences, replayed and analysed, whole process: {taken}")
        peer = fit_by_statsmodels(Path(folder) / "cassettes", conditions)
        print(f"statsmodels, the additive model alone: {peer:.2f} s")


if __name__ == "__main__":
    main()
