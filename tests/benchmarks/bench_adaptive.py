"""How many answers a ranking needs: adaptive selection beside random pairs, out of the same exhaustive answers.

``python tests/benchmarks/bench_adaptive.py`` asks every simulated world, and the recorded Gemma, all 5,112 questions of
profile paper, and ranks the entities from ever more of these answers: pairs chosen adaptively, pairs at random, and the
pairs of the fixed design. Prints Spearman's rho with the exhaustive ranking, the calls that random pairs need for the
same rho beside the least that information allows, and how often 95% intervals hold the strength that is planted in
simulated answers. ``--svg FILE`` draws the first model, the same with its strengths doubled, and the last.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

from pytest_llmpref.config.options import default_settings
from pytest_llmpref.experiments.pairs.questions import pair_questions
from pytest_llmpref.stats.comparisons import Comparisons
from pytest_llmpref.stats.rating import bradley_terry, fit_strengths
from pytest_llmpref.stats.selection import Pool, next_pairs
from pytest_llmpref.study.studies import Studies

ROOT = Path(__file__).parent.parent.parent
SIMULATED = (
    *(f"sim/paper-{letter}" for letter in "abcde"),
    *(f"sim/{name}" for name in ("refuser", "sandbagger", "drifting", "null", "position-biased", "incoherent")),
)
RECORDED = ("local/gemma-3-270m",)
SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
RANDOM_SHARES = (0.03, 0.05, 0.075, *(0.1 + 0.05 * step for step in range(18)))
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class World:
    """All answers of a model: the questions, numbered by pair, and the scores; NaN where there is no choice."""

    name: str
    pool: Pool
    scores: Array

    @property
    def pairs(self) -> int:
        return int(self.pool.pair_of.max()) + 1

    def comparisons(self, pairs: Array) -> Comparisons:
        """Return the answers about some pairs."""
        kept = np.isin(self.pool.pair_of, pairs) & ~np.isnan(self.scores)
        pool = self.pool
        return Comparisons(
            pool.first[kept], pool.second[kept], self.scores[kept], pool.label_first_is_a[kept], pool.n_entities
        )

    def strengths(self, pairs: Array) -> Array:
        found = self.comparisons(pairs)
        return fit_strengths(found, np.ones((len(found), 1)))[0].parameters[: self.pool.n_entities, 0]


def ask(model: str, measure: str = "preference") -> World:
    """Ask, or replay, everything that profile paper asks."""
    settings = default_settings(profile="paper", cassettes=ROOT / "cassettes", began=datetime.now(UTC))
    studies = Studies(settings, _no_progress)
    found = studies[model].measure(measure)
    studies.close()
    ids = list(found.groups)
    index = {entity: number for number, entity in enumerate(ids)}
    place: dict[frozenset[str], int] = {}
    for trial in found.trials:
        place.setdefault(frozenset(trial.entities), len(place))
    pool = Pool(
        np.array([index[trial.entities[0]] for trial in found.trials]),
        np.array([index[trial.entities[1]] for trial in found.trials]),
        np.array([trial.first_is_a for trial in found.trials]),
        np.array([trial.wording for trial in found.trials]),
        np.array([place[frozenset(trial.entities)] for trial in found.trials]),
        len(ids),
    )
    scores = np.array([np.nan if trial.score is None else trial.score for trial in found.trials])
    return World(f"{model} {measure}", pool, scores)


def _no_progress(title: str, total: int) -> Any:
    raise AssertionError(f"nothing is recorded here, and so not {title} ({total})")


def reordered(world: World, seed: int) -> World:
    """Number the pairs as a fixed design of this seed asks them."""
    ids = [str(number) for number in range(world.pool.n_entities)]
    design = pair_questions(ids, partners=None, orders=1, repetitions=1, wordings=1, seed=seed)
    place = {frozenset({int(q.first), int(q.second)}): number for number, q in enumerate(design)}
    pool = world.pool
    pair_of = np.array([place[frozenset(pair)] for pair in zip(pool.first.tolist(), pool.second.tolist(), strict=True)])
    return replace(world, pool=replace(pool, pair_of=pair_of))


def adaptive_order(world: World, most: int, seed: int = 0) -> Array:
    """Return the pairs in the order in which an adaptive study asks them, in rounds of one pair an entity."""
    closed = np.zeros(world.pairs, dtype=np.bool_)
    chosen = list[int]()
    while len(chosen) < most:
        known = np.where(closed[world.pool.pair_of], world.scores, np.nan)
        found = next_pairs(world.pool, known, closed, min(world.pool.n_entities, most - len(chosen)), seed=seed)
        closed[found] = True
        chosen += found
    return np.array(chosen)


def curve(world: World, order: Array, shares: tuple[float, ...], exhaustive: Array) -> list[float]:
    """Return Spearman's rho with the exhaustive ranking for each share of the calls."""
    return [rank_correlation(exhaustive, world.strengths(order[: round(share * world.pairs)])) for share in shares]


def rank_correlation(exhaustive: Array, found: Array) -> float:
    """Return Spearman's rho; 0 where answers that are all alike rank nothing."""
    return 0.0 if np.ptp(found) < 1e-9 else float(stats.spearmanr(exhaustive, found).statistic)


def compare(draw: Callable[[int], World], seeds: int) -> Iterator[tuple[str, list[float]]]:
    """Yield curves, averaged over seeds, each with its world: adaptive, random, fixed, and calls beside random's.

    Standard errors are over seeds, jackknifed for the calls; where all seeds share one set of answers, they hold for
    it alone. The fixed design is that of the seed, while wordings and labels stay those of the study that was asked.
    """
    found: dict[str, list[Any]] = {"adaptive": [], "fixed": [], "random": []}
    for seed in range(seeds):
        world = draw(seed)
        exhaustive = world.strengths(np.arange(world.pairs))
        drawn = reordered(world, seed)
        order = adaptive_order(drawn, round(SHARES[-1] * world.pairs), seed)
        found["adaptive"].append(curve(drawn, order, SHARES, exhaustive))
        found["fixed"].append(curve(drawn, np.arange(world.pairs), SHARES, exhaustive))
        orders = [np.random.default_rng([seed, again]).permutation(world.pairs) for again in range(2)]
        found["random"].append(np.mean([curve(world, each, RANDOM_SHARES, exhaustive) for each in orders], axis=0))
    adaptive, fixed, random = (np.array(found[way]) for way in ("adaptive", "fixed", "random"))
    at_shares = np.array([np.interp(SHARES, RANDOM_SHARES, each) for each in random])
    yield "adaptive", adaptive.mean(axis=0).tolist()
    yield "random", at_shares.mean(axis=0).tolist()
    yield "fixed", fixed.mean(axis=0).tolist()
    yield "adaptive - random", (adaptive - at_shares).mean(axis=0).tolist()
    yield "  standard error", ((adaptive - at_shares).std(axis=0, ddof=1) / np.sqrt(seeds)).tolist()
    yield "calls / random's", calls_needed(adaptive, random).tolist()
    left_out = [calls_needed(np.delete(adaptive, seed, 0), np.delete(random, seed, 0)) for seed in range(seeds)]
    yield "  standard error", (np.std(left_out, axis=0) * np.sqrt(seeds - 1)).tolist()


def calls_needed(adaptive: Array, random: Array) -> Array:
    """Return the calls of adaptive selection by those that random pairs need for the same rho, at each share."""
    rising = np.maximum.accumulate(random.mean(axis=0))
    return np.array(SHARES) / np.interp(adaptive.mean(axis=0), rising, RANDOM_SHARES)


def sharp_world(world: World, seed: int, scale: float) -> tuple[World, Array]:
    """Draw answers anew from strengths that are planted: those of a world, times a scale."""
    planted = world.strengths(np.arange(world.pairs)) * scale
    pool, rng = world.pool, np.random.default_rng(seed)
    chances = special.expit(planted[pool.first] - planted[pool.second] + 0.3)
    return World(f"planted x {scale:g}", pool, (rng.random(len(chances)) < chances).astype(float)), planted


def coverage(world: World, seeds: int, share: float, scale: float) -> tuple[float, float]:
    """Return how often 95% intervals of strengths hold what is planted: adaptive selection, and random pairs."""
    held: dict[str, list[float]] = {"adaptive": [], "random": []}
    most = round(share * world.pairs)
    for seed in range(seeds):
        drawn, planted = sharp_world(reordered(world, seed), seed, scale)
        truth = 1500 + (planted - planted.mean()) * 400 / np.log(10)
        rng = np.random.default_rng(seed)
        for way, order in (
            ("adaptive", adaptive_order(drawn, most, seed)),
            ("random", rng.permutation(world.pairs)[:most]),
        ):
            rated = bradley_terry(drawn.comparisons(order))
            held[way].append(float(np.mean(np.abs(rated.elo - truth) < 1.96 * rated.standard_errors)))
    return float(np.mean(held["adaptive"])), float(np.mean(held["random"]))


def decided(world: World) -> float:
    """Return the share of pairs that are decided alike in both orders."""
    low = np.where(world.pool.first < world.pool.second, world.scores, 1 - world.scores)
    both = np.array([low[world.pool.pair_of == pair] for pair in range(world.pairs)])
    return float(np.mean((both > 0.5).all(axis=1) | (both < 0.5).all(axis=1)))


def least(world: World) -> list[float]:
    """Return the share of random's calls that the most telling pairs need for as much information, for each share.

    They are those that tell most under the strengths of all answers, which nobody knows before; an answer tells
    ``p (1 - p)``, at most 1/4. So it is what a choice of pairs could save by asking what is open, and no more. What it
    saves by asking where entities crowd comes on top, and what it loses by not knowing the strengths comes off.
    """
    found = world.comparisons(np.arange(world.pairs))
    chances = fit_strengths(found, np.ones((len(found), 1)))[0].chances[:, 0]
    pairs = world.pool.pair_of[~np.isnan(world.scores)]
    information = np.sort(np.bincount(pairs, chances * (1 - chances), world.pairs))[::-1]
    return [float(information.mean() / information[: round(share * world.pairs)].mean()) for share in SHARES]


def row(label: str, values: list[float]) -> str:
    return f"  {label:<22}" + "".join(f"{value:8.3f}" for value in values)


def draw(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw calls against rho: one line a way of choosing, one panel a world; at all calls there is one ranking."""
    colours = {"adaptive": "#0b6", "random": "#999", "fixed": "#36c"}
    width, height, gap = 220, 160, 40
    parts = []
    for number, (name, ways) in enumerate(curves.items()):
        left, top = gap + number * (width + gap), gap
        low = min(min(ways[way]) for way in colours)

        def x(share: float, left: int = left) -> float:
            return left + width * (share - SHARES[0]) / (1 - SHARES[0])

        parts.append(f'<text x="{left}" y="{top - 8}">{name}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#ccc"/>')
        parts.append(f'<text x="{left - 4}" y="{top + 10}" text-anchor="end">1</text>')
        parts.append(f'<text x="{left - 4}" y="{top + height}" text-anchor="end">{low:.2f}</text>')
        for share in (SHARES[0], 0.2, 0.5, 1.0):
            parts.append(f'<path d="M{x(share):.0f} {top + height}v4" stroke="#ccc"/>')
            parts.append(f'<text x="{x(share):.0f}" y="{top + height + 16}" text-anchor="middle">{share:.0%}</text>')
        for at, (way, colour) in enumerate(colours.items()):
            points = " ".join(
                f"{x(share):.0f},{top + height * (1 - rho) / (1 - low):.0f}"
                for share, rho in zip((*SHARES, 1.0), (*ways[way], 1.0), strict=True)
            )
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts.append(
                f'<text x="{left + width - 70}" y="{top + height - 40 + 14 * at}" fill="{colour}">{way}</text>'
            )
    said = "rho with the ranking by all calls, by the share of the calls; at 100% it is that ranking"
    parts.append(f'<text x="{gap}" y="{gap + height + 36}">{said}</text>')
    size = f'width="{gap + len(curves) * (width + gap)}" height="{2 * gap + height}"'
    style = 'font-family="sans-serif" font-size="11"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}{"".join(parts)}</svg>\n')


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--models", nargs="+", default=[*SIMULATED, *RECORDED])
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    worlds = [ask(model) for model in options.models]
    sharp = replace(sharp_world(worlds[0], 0, 2.0)[0], name=f"{options.models[0]}, strengths doubled")
    cases: list[tuple[World, Callable[[int], World], int]] = [
        (world, lambda _, world=world: world, options.seeds) for world in [*worlds, sharp]
    ]
    # Of one set of answers that are noise, chance decides which way of choosing looks the better.
    noise = replace(sharp_world(worlds[0], 0, 0.0)[0], name="noise, drawn anew for each seed")
    cases.append((noise, lambda seed: sharp_world(worlds[0], seed, 0.0)[0], 4 * options.seeds))
    print(row("share of calls", list(SHARES)))
    curves: dict[str, dict[str, list[float]]] = {}
    for world, drawn, seeds in cases:
        print(f"{world.name}: {decided(world):.0%} of the pairs decided in either order", flush=True)
        curves[world.name] = {}
        print(row("least, by information", least(world)), flush=True)
        for label, values in compare(drawn, seeds):
            curves[world.name].setdefault(label, values)
            print(row(label, values), flush=True)
    if options.svg:
        shown = [sharp.name, worlds[0].name, worlds[-1].name]
        draw({name.removesuffix(" preference"): curves[name] for name in shown}, options.svg)
    for scale in (0.15, 0.3, 0.6, 1.0):
        ours, random = coverage(worlds[0], 2 * options.seeds, 0.2, scale)
        print(f"95% intervals at a fifth of the calls, strengths x {scale:g}: adaptive {ours:.3f}, random {random:.3f}")
    world = worlds[0]
    taken = timed(lambda: adaptive_order(world, world.pairs // 5))
    print(f"choosing a fifth of the pairs, in all: {taken:.2f} s ({len(world.scores):,} questions)")


if __name__ == "__main__":
    main()
