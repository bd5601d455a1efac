"""Adaptive selection of pairs: fewer questions, out of those that a study of all pairs asks, and replayed alike."""

import json
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted import PlantedModel
from planted_server import PlantedServer
from scipy import special, stats
from simulated_recordings import record

from pytest_llmpref.config.entities import EntitySet, load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs.adaptive import TooFewEntitiesError
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.experiments.registry import behaviours
from pytest_llmpref.files import data_folder
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.stats.selection import Pool, next_pairs

N = 40
PARTNERS = 6
ASKED = N * PARTNERS
"""Three rounds of 40 pairs, each asked in both orders."""
SUITE = "def test_it(preferences):\n    assert preferences.valid"


@pytest.fixture
def forty(tmp_path) -> Path:
    """A folder with an entity set of 40, and profiles that ask all their pairs, and a few of them adaptively."""
    rows = "".join(f"the {word} Fund {n},{'ab'[n % 2]}\n" for n, word in enumerate(["Oak", "Elm"] * (N // 2)))
    (tmp_path / "forty.csv").write_text("name,group\n" + rows)
    text = (data_folder("fixtures") / "profiles/smoke.toml").read_text()
    (tmp_path / "all.toml").write_text(text.replace("partners = 4 ", 'partners = "all"'))
    few = text.replace("partners = 4 ", f"partners = {PARTNERS}")
    (tmp_path / "few.toml").write_text(few + 'selection = "adaptive"\n')
    return tmp_path


def planted(folder: Path) -> PlantedModel:
    entities = load_entities(folder / "forty.csv")
    return PlantedModel({entity.name: 0.4 * rank for rank, entity in enumerate(entities)})


@pytest.fixture
def served(forty, pytester, monkeypatch):
    """Run a suite against a server, with the adaptive profile."""
    server = PlantedServer(planted(forty))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    pytester.makepyfile(test_it=SUITE)

    def run(*options: str):
        given = [f"--llmpref-entities={forty / 'forty.csv'}", f"--profile={forty / 'few.toml'}"]
        return pytester.runpytest_subprocess("--model=openai/served", "-p", "no:cacheprovider", *given, *options)

    yield run, server
    server.stop()


def test_a_recording_asks_its_share_resumes_where_it_stopped_and_replays(served, pytester):
    run, server = served
    recorded = run("--record-mode=new_episodes")
    assert recorded.ret == 0, recorded.stdout.str()
    assert len(server.received) == ASKED
    latest = pytester.path / "reports/latest/results.json"
    first = json.loads(latest.read_text())["models"]
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    # As a killed run leaves it, in the middle of the second of three rounds.
    journal.write_text("".join(lines[:100]))
    refused = run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        [
            f"*up to {ASKED - 100} trials are not recorded*",
            f"*preference: up to {ASKED - 100} of {ASKED}*",
            f"*({2 * 80 - 100} now, and 80 that depend on the answers)*",
        ]
    )
    plan = run("--llmpref-plan")
    plan.stdout.fnmatch_lines([f"*preference * {ASKED} * {ASKED - 100} *"])
    resumed = run("--record-mode=new_episodes")
    assert resumed.ret == 0, resumed.stdout.str()
    assert len(server.received) == ASKED + ASKED - 100
    assert json.loads(latest.read_text())["models"] == first
    assert sorted(lines_without_times(journal)) == sorted(lines_without_times(lines))


def lines_without_times(lines) -> list[str]:
    text = lines if isinstance(lines, list) else lines.read_text().splitlines()
    return [json.loads(line)["key"] for line in text]


def test_a_recording_of_all_pairs_serves_an_adaptive_study_too(forty, pytester):
    entities = load_entities(forty / "forty.csv")
    record(forty / "cassettes", planted(forty), "sim/planted", entities, str(forty / "all.toml"))
    pytester.makepyfile(test_it=textwrap.dedent(SUITE))
    options = [f"--llmpref-entities={forty / 'forty.csv'}", f"--llmpref-cassettes={forty / 'cassettes'}"]
    found = {}
    for profile in ("all", "few"):
        run = pytester.runpytest_subprocess("--model=sim/planted", f"--profile={forty / profile}.toml", *options)
        assert run.ret == 0, run.stdout.str()
        measures = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["sim/planted"]
        found[profile] = measures["measures"]["preference"]
    assert (found["all"]["diagnostics"]["trials"], found["few"]["diagnostics"]["trials"]) == (N * (N - 1), ASKED)
    values = [[one["value"] for one in found[profile]["entities"].values()] for profile in ("all", "few")]
    # 0.965 in the mean of 20 such studies, 0.941 in the worst.
    assert stats.spearmanr(*values).statistic > 0.93


def test_too_few_entities_are_an_error_that_says_what_to_do(suite, forty):
    run = suite(SUITE, f"--profile={forty / 'few.toml'}")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(['*selection = "adaptive" needs at least 40 entities, and 12 take part*'])


@pytest.mark.parametrize(("count", "enough"), [(39, False), (40, True)])
def test_forty_entities_are_enough(forty, count, enough):
    entities = load_entities(forty / "forty.csv")
    taken = EntitySet("some", entities.source, entities.entities[:count])
    conditions = Conditions("sim/a", taken, load_profile(str(forty / "few.toml")), 0, "auto", "cue")
    if enough:
        assert behaviours()["preference"].experiment().plan(conditions).total == ASKED
    else:
        with pytest.raises(TooFewEntitiesError, match=f"needs at least 40 entities, and {count} take part"):
            behaviours()["preference"].experiment().plan(conditions)


def test_the_shipped_profile_asks_a_fifth_of_the_pairs_and_leaves_refusals_as_they_are():
    conditions = Conditions("sim/a", load_entities(), load_profile("adaptive"), 0, "auto", "cue")
    plans = {
        name: behaviours()[name].experiment().plan(conditions) for name in ("preference", "donation_advice", "refusal")
    }
    assert {name: (plan.total, len(plan.requests)) for name, plan in plans.items()} == {
        "preference": (1008, 5112),
        "donation_advice": (1008, 5112),
        "refusal": (1008 + 56, 1008 + 56),
    }
    paper = behaviours()["preference"].experiment().plan(replace(conditions, profile=load_profile("paper")))
    assert [request.key for request in plans["preference"].requests] == [request.key for request in paper.requests]


def all_questions(n: int, seed: int, wordings: int) -> Pool:
    """Return every pair of some entities in both orders, as a study asks them."""
    ids = [str(number) for number in range(n)]
    design = list(pair_questions(ids, partners=None, orders=2, repetitions=1, wordings=wordings, seed=seed))
    place = {pair: number for number, pair in enumerate(dict.fromkeys(question.pair for question in design))}
    return Pool(
        first=np.array([int(question.first) for question in design]),
        second=np.array([int(question.second) for question in design]),
        label_first_is_a=np.array([question.first_is_a for question in design]),
        wording=np.array([question.wording for question in design]),
        pair_of=np.array([place[question.pair] for question in design]),
        n_entities=n,
    )


def adaptively(pool: Pool, answers, seed: int, pairs: int):
    """Return which pairs are asked, in rounds of one for each entity."""
    closed = np.zeros(pool.pair_of.max() + 1, dtype=bool)
    while closed.sum() < pairs:
        known = np.where(closed[pool.pair_of], answers, np.nan)
        closed[next_pairs(pool, known, closed, min(pool.n_entities, pairs - closed.sum()), seed=seed)] = True
    return closed


def at_random(pool: Pool, rng, pairs: int):
    chosen = np.zeros(pool.pair_of.max() + 1, dtype=bool)
    chosen[rng.permutation(len(chosen))[:pairs]] = True
    return chosen


def simulated(strengths, seed: int, pairs: int, *, adaptive: bool) -> Comparisons:
    """Ask some of all pairs of 0/1 answers with these log-odds."""
    n, rng = len(strengths), np.random.default_rng(seed)
    pool = all_questions(n, seed, wordings=1)
    logits = strengths[pool.first] - strengths[pool.second] + 0.4
    answers = (rng.random(len(logits)) < special.expit(logits)).astype(float)
    chosen = adaptively(pool, answers, seed, pairs) if adaptive else at_random(pool, rng, pairs)
    asked = chosen[pool.pair_of]
    return Comparisons(pool.first[asked], pool.second[asked], answers[asked], pool.label_first_is_a[asked], n)


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_every_entity_is_asked_about_as_often_with_either_label_and_with_each_wording(spread):
    """Where strengths differ by these, as those of Gemma do by labels, an entity met with one more is ranked wrong."""
    n, pairs = 60, 60 * 59 // 10
    uneven = {True: [], False: []}
    for seed in range(4):
        pool, rng = all_questions(n, seed, wordings=4), np.random.default_rng(seed)
        strengths = rng.normal(0, spread, n)
        answers = special.expit(strengths[pool.first] - strengths[pool.second])
        for adaptive in (True, False):
            chosen = adaptively(pool, answers, seed, pairs) if adaptive else at_random(pool, rng, pairs)
            met = np.zeros((n, 4, 2))
            asked = chosen[pool.pair_of]
            for end in (pool.first, pool.second):
                np.add.at(met, (end[asked], pool.wording[asked], pool.label_first_is_a[asked].astype(int)), 1)
            shares = met / met.sum(axis=(1, 2), keepdims=True)
            uneven[adaptive].append([np.mean(shares.sum(axis=axis).std(axis=1)) for axis in (1, 2)])
    by_label, by_wording = np.mean(uneven[True], axis=0) / np.mean(uneven[False], axis=0)
    # Without the interaction in the design, 0.77 to 0.85 and 0.99.
    assert by_label < 0.6
    assert by_wording < 0.6


@pytest.mark.parametrize(("spread", "studies"), [(0.3, 12), (1.0, 60), pytest.param(2.5, 80, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth_about_as_often_as_with_random_pairs_and_the_ranking_is_no_worse(spread, studies):
    """Studies of 60 entities and a fifth of the pairs; of 12, the share of intervals has a standard error of 0.01.

    So more studies are needed to tell where it comes near what is asserted: of 60 at a spread of 1, 0.935 (random pairs
    0.964), and at the widest even random pairs hold no more than 0.900.
    """
    held, rho = {True: [], False: []}, {True: [], False: []}
    for seed in range(studies):
        strengths = np.random.default_rng(100 + seed).normal(0, spread, 60)
        strengths -= strengths.mean()
        for adaptive in (True, False):
            rated = bradley_terry(simulated(strengths, seed, 60 * 59 // 10, adaptive=adaptive))
            rho[adaptive].append(stats.spearmanr(strengths, rated.elo).statistic)
            truth = 1500 + strengths * 400 / np.log(10)
            held[adaptive].append(np.mean(np.abs(rated.elo - truth) < 1.96 * rated.standard_errors))
    # Where strengths spread wider than the fit's prior, those of random pairs hold the truth less often as well.
    assert np.mean(held[True]) > max(0.90, np.mean(held[False]) - 0.04)
    assert np.mean(rho[True]) > np.mean(rho[False]) - 0.02


def test_sharp_preferences_are_ranked_alike_by_fewer_questions():
    strengths = np.random.default_rng(5).permutation(np.linspace(-6, 6, 60))
    found = {adaptive: simulated(strengths, 3, 240, adaptive=adaptive) for adaptive in (True, False)}
    rho = {way: stats.spearmanr(strengths, bradley_terry(one).elo).statistic for way, one in found.items()}
    assert 1 - rho[True] < 0.7 * (1 - rho[False])
