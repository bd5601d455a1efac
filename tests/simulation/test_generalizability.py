"""Variance components of strengths by format: what statsmodels finds by REML over simulated studies."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from planted_formats import World, answers
from scipy import special

from pytest_llmpref.stats.generalizability import g_study


def components(found):
    return {"entity": found.entity, **found.facets}


def by_reml(comparisons, logits):
    """Variance components of log-odds as statsmodels estimates them."""
    mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    n = comparisons.n_entities
    first, second = np.eye(n)[comparisons.first], np.eye(n)[comparisons.second]
    a = np.where(comparisons.label_first_is_a, 1.0, -1.0)[:, None]
    pairs, pair_of = comparisons.pairs
    designs = {
        "entity": first - second,
        "label": a * (first + second),
        "position": first + second,
        "label_by_position": a * (first - second),
        "pair": np.eye(len(pairs))[pair_of] * np.where(comparisons.low_first, 1.0, -1.0)[:, None],
    }
    names = [[[f"{name}{column}" for column in range(design.shape[1])]] for name, design in designs.items()]
    spec = mixed.VCSpec(list(designs), names, [[design] for design in designs.values()])
    exog = np.concatenate([np.ones_like(a), a], axis=1)
    model = mixed.MixedLM(logits, exog, groups=np.ones(len(logits)), exog_vc=spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a component of a small study may be estimated as 0
        return dict(zip(designs, model.fit(reml=True, method=["lbfgs"]).vcomp, strict=True))


def test_components_are_those_of_a_mixed_model_by_reml():
    """All effects are small, so the log-odds of probabilities are a linear model, which statsmodels fits."""
    rng = np.random.default_rng(6)
    n, studies, world = 14, 10, World(0.1, 0.15, 0.08, 0.05, pairs=0.05, probabilities=True)
    found, expected = [], []
    for _ in range(studies):
        comparisons, levels = answers(rng, n, world, wordings=1)
        logits = special.logit(comparisons.score) + 0.05 * rng.standard_normal(len(comparisons))
        noisy = replace(comparisons, score=special.expit(logits))
        found.append(components(g_study(noisy, levels)))
        expected.append(by_reml(comparisons, logits))
    for name in found[0]:
        ours, theirs = (np.array([one[name] for one in estimates]) for estimates in (found, expected))
        # Two unbiased estimates from the same studies: they differ by chance in each, and not on average.
        chance = (ours - theirs).std(ddof=1) / np.sqrt(studies)
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.1, abs=2 * chance), name
        if name in {"entity", "label"}:
            assert np.corrcoef(ours, theirs)[0, 1] > 0.8, name
