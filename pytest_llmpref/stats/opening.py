"""How often a gate opens, before anything is asked: in closed form, without numpy.

One with a claim for each entity opens only if every claim is supported, each at its own level (Berger 1982).

References
----------
Berger 1982
Clopper and Pearson 1934
Schuirmann 1987
Wilson 1927
"""

import math
from statistics import NormalDist

from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.stats.closed_form import DIFFICULTY_SD, ENTITY_SD

_NORMAL = NormalDist()
AT_END = 0.25
"""Part of a claim's error rate that the upper end keeps for the last look, where the answers end the asking.

Half of it is for the looks, and of the other half each end has a half: `stats.sequential.SequentialShare`.
"""

CLUSTERED = 1.1
"""How much wider the interval is than a normal one: its errors are clustered by entity and by question. From 300
simulated studies in each of six cells (64 to 400 questions, 85% to 95% right), whose shares this hits within 0.06."""


def most_refused(trials: int, margin: float, alpha: float, *, looks: bool, per_pair: int = 1) -> int:
    """Return the largest number of refusals that still shows a share below a margin; -1 if there is none.

    Parameters
    ----------
    trials
        Sample size of the entity.
    margin
        Between 0 and 1, above a control that is never refused.
    alpha
        Error rate of the claim, two-sided.
    looks
        Whether answers may stop the questions early.
    per_pair
        Number of trials about one pair. With interim analyses, a pair's trials count once if none is refused.

    Examples
    --------
    >>> from pytest_llmpref.stats.opening import most_refused
    >>> most_refused(48, 0.10, 0.05, looks=False), most_refused(142, 0.10, 0.05, looks=False)
    (0, 7)
    """
    if looks:
        counted = [trials // per_pair, *[trials] * (trials - 1)]
        supported = (_at_most(hits, count, margin) <= AT_END * alpha for hits, count in enumerate(counted))
    else:
        supported = (Wilson(hits, trials).limits(1 - alpha)[1] < margin for hits in range(trials))
    return next((hits - 1 for hits, holds in enumerate(supported) if not holds), trials - 1)


def chance_of_few_refusals(
    n: int, questions: int, margin: float, alpha: float, *, rate: float, looks: bool, per_pair: int = 1
) -> float:
    """Return the probability that a gate opens if all questions are refused equally often, and the control never.

    Parameters
    ----------
    n, questions
        Numbers of entities, and of questions about two of them each.
    margin, alpha, looks, per_pair
        As for `most_refused`.
    rate
        Chance of a refusal.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.opening import chance_of_few_refusals
    >>> opens = [chance_of_few_refusals(72, q, 0.10, 0.05, rate=0.001, looks=False) for q in (1728, 5112)]
    >>> [round(chance, 2) for chance in opens]
    [0.18, 1.0]
    """
    trials = 2 * questions // n
    most = most_refused(trials, margin, alpha, looks=looks, per_pair=per_pair)
    if most < 0:
        return 0.0
    # One refusal is one of two entities: that there is none is one event, and not one for each.
    return (1 - rate) ** questions if most == 0 else _at_most(most, trials, rate) ** n


def chance_of_like_accuracies(n: int, questions: int, margin: float, alpha: float, *, accuracy: float) -> float:
    """Return how often a gate opens where each of n entities is answered as well as the others.

    By two one-sided tests for each, whose errors are those at either end of the margin; errors are taken as normal.
    Answers that vary less than expected (`closed_form.DIFFICULTY_SD`) open it more often.

    Parameters
    ----------
    n, questions
        Numbers of entities and of questions.
    margin, alpha
        The claim's.
    accuracy
        Share of right answers, above 0.5.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.opening import chance_of_like_accuracies
    >>> opens = [chance_of_like_accuracies(72, questions, 0.10, 0.05, accuracy=0.85) for questions in (64, 200, 400)]
    >>> [round(chance, 2) for chance in opens]
    [0.0, 0.63, 1.0]
    """
    level = _level(accuracy)
    shifts = [_level(accuracy + way * margin) - level if accuracy + way * margin < 1 else None for way in (-1, 1)]
    error = _error(level, 0.0, questions)
    quantile = _NORMAL.inv_cdf(1 - alpha)
    missed = 0.0
    for shift in shifts:
        if shift is not None:
            room = margin - quantile * _error(level, shift, questions)
            missed += 1 - _NORMAL.cdf(room / error)
    return max(0.0, 1 - missed) ** n


def chance_of_no_gap(n: int, questions: int, margin: float, alpha: float, *, accuracy: float) -> float:
    """Return how often two quarters of n entities are shown to be answered alike, where they are.

    By two one-sided tests (Schuirmann 1987), each question being asked under every entity of both quarters, with the
    errors of `closed_form.supportable_gap`, and an interval that is `CLUSTERED`. Interim analyses make it smaller:
    `stats.sequential.expected_course`.

    Parameters
    ----------
    n, questions
        Numbers of entities and of questions.
    margin, alpha
        The claim's.
    accuracy
        Share of right answers, above 0.5.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from pytest_llmpref.stats.opening import chance_of_no_gap
    >>> [round(chance_of_no_gap(72, questions, 0.02, 0.05, accuracy=0.95), 2) for questions in (64, 200, 400)]
    [0.41, 0.98, 1.0]
    """
    if n // 4 < 1:
        return 0.0
    error = quarters_error(n, questions, accuracy=accuracy)
    room = margin / error - CLUSTERED * _NORMAL.inv_cdf(1 - alpha)
    return max(0.0, 2 * _NORMAL.cdf(room) - 1)


def quarters_error(n: int, questions: int, *, accuracy: float) -> float:
    """Return the standard error of the difference between two quarters of n entities, each asked all questions.

    Parameters
    ----------
    n, questions
        Numbers of entities and of questions.
    accuracy
        Share of right answers, above 0.5.

    Returns
    -------
    float
        In shares of right answers.

    Examples
    --------
    >>> from pytest_llmpref.stats.opening import quarters_error
    >>> round(quarters_error(72, 64, accuracy=0.85), 4)
    0.0132
    """
    chances = _chances(_level(accuracy))
    spread = math.fsum(p * (1 - p) for p in chances) / len(chances)
    return math.sqrt(2 / (n // 4) * (spread / questions + (ENTITY_SD * spread) ** 2))


def _at_most(hits: int, trials: int, rate: float) -> float:
    """Return the chance of no more than so many hits."""
    return math.fsum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(hits + 1))


_QUANTILES = [_NORMAL.inv_cdf((point + 0.5) / 100) for point in range(100)]


def _chances(level: float) -> list[float]:
    return [1 / (1 + math.exp(-level - DIFFICULTY_SD * at)) for at in _QUANTILES]


def _level(accuracy: float) -> float:
    """Return the mean log-odds of a right answer at which this share of the answers is right."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if math.fsum(_chances(middle)) < 100 * accuracy else (low, middle)
    return low


def _error(level: float, shift: float, questions: int) -> float:
    """Return the standard error of the difference if the entity's log-odds are shifted; see `AccuracyShift`."""
    own, others = _chances(level + shift), _chances(level)
    moved = [one - other for one, other in zip(own, others, strict=True)]
    mean = math.fsum(moved) / len(moved)
    noise = math.fsum(p * (1 - p) + (move - mean) ** 2 for p, move in zip(own, moved, strict=True))
    return math.sqrt(noise / len(own) / questions)
