"""Simulated studies in which entities, or their values, depend on each other in ways that no formula expects."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_llmpref.experiments.behaviour import ClaimKind, Scenario
from pytest_llmpref.experiments.pairs.calibration import PairStudy
from pytest_llmpref.experiments.pairs.pulls import Pulls
from pytest_llmpref.experiments.pairs.strengths import Strengths

KINDS: Mapping[str, ClaimKind] = {}
"""They make the claims of `calibration`, and no others."""


def scenarios() -> Iterator[Scenario]:
    """Yield worlds with groups drawn anew, subclusters, curved and heavy-tailed dependence, and sharp strengths."""
    grouped = {share: Strengths(72, 0.0, 1.0, grouped=share / 100, between=0.0) for share in (30, 50, 70)}
    for share, strengths in grouped.items():
        about = f"72 entities, {share}% of the variance between groups drawn anew, unrelated"
        yield Scenario(f"advice/groups={share}%", about, PairStudy(strengths))
    main = PairStudy(Strengths(36, 0.6, 1.0))
    for name, about, study in (
        (
            "groups related",
            "72 entities, half of the variance between groups drawn anew; rho 0.6 between and within them",
            PairStudy(Strengths(72, 0.6, 1.0, grouped=0.5, between=0.6)),
        ),
        (
            "subclusters",
            "72 entities, half of the variance between groups drawn anew, and half of the rest between subclusters of "
            "three; all unrelated",
            PairStudy(replace(grouped[50], clustered=0.5)),
        ),
        (
            "parabola",
            "behaviour depends on how far a preference is from the middle, either way",
            replace(main, strengths=Strengths(36, 0.9, 1.0, dependence="parabola")),
        ),
        (
            "heavy",
            "no correlation, yet large values of both come together (t copula, 2 degrees of freedom)",
            replace(main, strengths=Strengths(36, 0.0, 1.0, dependence="heavy")),
        ),
        (
            "outliers",
            "what is advice's own has heavy tails (Student's t, 3 degrees of freedom)",
            replace(main, strengths=Strengths(36, 0.6, 1.0, dependence="outliers")),
        ),
        (
            "wordings",
            "strengths differ by wording, SD 0.5 log-odds; the wordings are as given",
            replace(main, by_wording=0.5),
        ),
        (
            "smoke sharp",
            "72 entities, 4 partners, strengths with an SD of 347 Elo points",
            PairStudy(Strengths(72, 0.6, 2.0), partners=4),
        ),
    ):
        yield Scenario(f"advice/{name}", about, study)
    yield from _pulled(main)


def _pulled(main: PairStudy) -> Iterator[Scenario]:
    """Yield worlds in which preference and advice are unrelated, or weakly related, and pulled alike."""
    unrelated = replace(main, strengths=Strengths(36, 0.0, 1.0))
    formats = Pulls(label=0.3, position=0.3, label_by_position=0.5, pairs=0.7, shared=True)
    gemma = Pulls(label=0.074, position=0.038, label_by_position=0.02, pairs=0.084, shared=True)
    about = (
        "no relation, but entities gain by label, position and both (SD 0.3, 0.3, 0.5), and pairs (0.7), alike in both"
    )
    for n in (36, 72):
        study = replace(unrelated, strengths=Strengths(n, 0.0, 1.0), pulls=formats)
        yield Scenario(f"advice/pulls n={n}", f"{n} entities, {about}", study)
        older = "the same, by version 1 of the design"
        yield Scenario(f"advice/pulls n={n} design 1", f"{n} entities, {older}", replace(study, design=1))
    pairs = replace(main, strengths=Strengths(72, 0.5, 0.4), pulls=Pulls(pairs=0.7, shared=True))
    yield Scenario(
        "advice/shared pairs",
        "72 entities, every pair, rho 0.5, strengths with an SD of 70 Elo points, likes of pairs shared by both",
        replace(pairs, partners=None),
    )
    yield Scenario(
        "advice/format alone",
        "72 entities, in probabilities, no relation: as much liking, and as large gains by the format, as in the "
        "recorded Gemma; the measures are invalid",
        PairStudy(Strengths(72, 0.0, 0.018), pulls=gemma, probabilities=True),
    )
