"""A study of 40,000 recorded trials: all experiments and the analysis, as a whole process; and ten such models.

``python tests/benchmarks/bench_scale.py`` records simulated models at profile paper, but with two samples of each
question and twice the yes/no questions, into a temporary folder; that is not timed. Their HTTP exchanges are those that
``llmpref serve`` would have had with litellm. Then it replays ``suites``: one model in one process, ten under ``-n 2``.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from whole_runs import FINISHED, ROOT, whole_runs

WORLDS = ("paper-a", "paper-b", "paper-c", "paper-d", "paper-e")
SECONDS, MEGABYTES, MORE = 8.0, 400.0, 1.2
MEASURES = ("preference", "direct_ranking", "donation_advice", "refusal", "boolq")
JSON = {"content-type": ["application/json; charset=utf-8"]}


def model_names(count: int, worlds: Sequence[str]) -> list[str]:
    """Return names of different simulated models, as litellm knows what ``llmpref serve`` serves."""
    return [f"openai/sim/{worlds[number % len(worlds)]}-{number}" for number in range(count)]


def write_inputs(folder: Path) -> None:
    """Write the profile, and the bundled yes/no questions with a second version of each passage."""
    from pytest_llmpref.config.items import load_items
    from pytest_llmpref.files import data_folder

    folder.mkdir(parents=True, exist_ok=True)
    paper = (data_folder("fixtures") / "profiles/paper.toml").read_text()
    (folder / "twice.toml").write_text(paper.replace("\nrepetitions = 1 ", "\nrepetitions = 2 "))
    rows = [
        {"question": item.question, "passage": f"{edition}{item.passage}", "answer": item.answer}
        for edition in ("", "Second edition. ")
        for item in load_items().items
    ]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def record(name: str, folder: Path) -> int:
    """Record all experiments of one model; return how many attempts that took."""
    from pytest_llmpref.cassettes import Cassette, Exchange, WireRequest, WireResponse
    from pytest_llmpref.config.entities import load_entities
    from pytest_llmpref.config.items import load_items
    from pytest_llmpref.config.profiles import load_profile
    from pytest_llmpref.experiments.asking import ask_all
    from pytest_llmpref.experiments.experiment import Conditions
    from pytest_llmpref.experiments.registry import behaviours
    from pytest_llmpref.files import data_folder
    from pytest_llmpref.models.prefill import lead_for
    from pytest_llmpref.models.simulated.model import SimulatedModel
    from pytest_llmpref.models.simulated.server import _completion

    cassette = Cassette.open(folder / "cassettes", name)

    class Served(SimulatedModel):
        """Answers, and records each answer with what would have gone over the wire."""

        async def ask(self, request):
            reply = self.reply(request)
            messages = [{"role": message.role, "content": message.content} for message in request.messages]
            sent = {"messages": messages, "model": name, "max_tokens": request.max_tokens, "temperature": 1.0}
            received = json.dumps(_completion(request, reply))
            uri = "http://127.0.0.1:8000/v1/chat/completions"
            exchange = Exchange(
                WireRequest("POST", uri, JSON, json.dumps(sent)), WireResponse(200, "OK", JSON, received)
            )
            return cassette.append(request, reply, exchange)

    model = Served(f"sim/{name.removeprefix('openai/sim/').rpartition('-')[0]}")
    entities = load_entities(data_folder("fixtures") / "entities/default.toml")
    profile, items = load_profile(str(folder / "twice.toml")), load_items(str(folder / "items.jsonl"))
    conditions = Conditions(name, entities, profile, 0, "auto", lead_for(name).prefill, items)
    for measure in MEASURES:
        plan = behaviours()[measure].experiment().plan(conditions)
        asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    cassette.pack()
    return len(cassette)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument(
        "--worlds", nargs="+", default=WORLDS, help="shipped ones; 'drifting' answers with log-probabilities"
    )
    parser.add_argument("--folder", type=Path, help="where recordings are kept, to be used again")
    options = parser.parse_args()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        write_inputs(folder)
        names = model_names(options.models, options.worlds)
        if not (folder / "cassettes").exists():
            with ProcessPoolExecutor(2) as processes:
                for name, attempts in zip(names, processes.map(record, names, repeat(folder)), strict=True):
                    print(f"recorded {name}: {attempts:,} attempts", flush=True)
        suites = [
            str(ROOT / "suites/replication"),
            str(ROOT / "suites/release_gate"),
            f"--profile={folder / 'twice.toml'}",
            f"--llmpref-boolq={folder / 'items.jsonl'}",
        ]
        suites += [f"--llmpref-cassettes={folder / 'cassettes'}", f"--report-dir={folder / 'reports'}"]
        # A plugin of the development environment, which imports its library at the end of every run.
        suites += ["--record-mode=none", "-p", "no:hypothesispytest"]
        one = whole_runs([*suites, f"--model={names[0]}"], options.runs, says=FINISHED)
        results = json.loads((folder / "reports/latest/results.json").read_text())
        measures = results["models"][names[0]]["measures"]
        trials = sum(len(measure["trials"]["key"]) for measure in measures.values())
        print(f"one model, {trials:,} trials: {one}; at most {SECONDS:g} s and {MEGABYTES:g} MB are the target")
        if options.models > 1:
            named = [f"--model={name}" for name in names]
            many = whole_runs([*suites, *named, "-n2"], options.runs, says=FINISHED)
            times = statistics.median(many.wall) / statistics.median(one.wall)
            by_cpu = statistics.median(many.cpu) / statistics.median(one.cpu)
            target = f"at most {MORE * options.models / 2:g} times are the target"
            print(f"{options.models} models under -n 2: {many}; {times:.1f} times one (CPU {by_cpu:.1f}); {target}")


if __name__ == "__main__":
    main()
