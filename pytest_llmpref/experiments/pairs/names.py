"""Questions that two names alone answer, in the form of those about advice: a negative control.

A model that names whom it likes whatever is asked gives advice that follows its likings, and so are its answers here.
Each pair is asked two contraries, such as which name is longer and which is shorter, in the same orders and with the
same labels. So either name is the right answer in exactly half of the questions about a pair, and so is either place
and either label: whoever reads them names both equally often, and so does whoever goes by place, by label or by chance.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pytest_llmpref.config.profiles import NEWEST_DESIGN
from pytest_llmpref.experiments.pairs.questions import PairQuestion, PairTrial, pair_questions
from pytest_llmpref.experiments.trials import Prompts

CONTRARIES = (("longer", "shorter"), ("earlier", "later"), ("upper", "lower"))
"""What is asked for, and its contrary. Of the first of each, `_ahead` tells which name it is."""
_ARTICLE = re.compile(r"(?:the|an?) ", re.IGNORECASE)
LEAST_APART = 3
"""By how many letters names differ at least that are asked about by length. Our choice: one sees that at a glance."""


@dataclass(frozen=True, slots=True)
class NameQuestion(PairQuestion):
    """A question about the names of an ordered pair.

    Attributes
    ----------
    fact
        What is asked for, such as ``longer``.
    first_is_right
        Whether the name shown first is the right answer.
    """

    fact: str = ""
    first_is_right: bool = True


class NameTrial(PairTrial, frozen=True, gc=False):
    """A question about two names, and its attempts. The score is the probability that the first was chosen.

    Attributes
    ----------
    fact
        What was asked for, such as ``longer``.
    correct
        Whether the likelier answer is the right one; ``None`` without a choice.
    """

    columns: ClassVar[Mapping[str, str]] = {"first_is_a": "first_is_a", "question": "fact", "correct": "correct"}

    fact: str = ""
    correct: bool | None = None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.first_is_a, self.fact


def name_questions(
    ids: Sequence[str],
    names: Mapping[str, str],
    *,
    partners: int,
    orders: int,
    repetitions: int,
    seed: int,
    wordings: int = 8,
    design: int = NEWEST_DESIGN,
) -> Iterator[NameQuestion]:
    """Yield both contraries about each pair; what they are about alternates between pairs.

    Parameters
    ----------
    ids, names
        Entity ids, and the name shown of each.
    partners, orders, repetitions, seed, design
        As in `pair_questions`.
    wordings
        Number of wordings of one question.
    """
    planned = pair_questions(
        ids,
        partners=partners,
        orders=orders,
        repetitions=repetitions,
        wordings=wordings * len(CONTRARIES),
        seed=seed,
        design=design,
        purpose="names",
    )
    for question in planned:
        yield from contraries(question, names, wordings)


def asking_for(fact: str, prompts: Prompts) -> Prompts:
    """Return the wordings that ask for one thing.

    Parameters
    ----------
    fact
        Such as ``longer``.
    prompts
        All of them.
    """
    return replace(prompts, choices={"persona": prompts.choices["persona"], "question": prompts.choices[fact]})


def contraries(question: PairQuestion, names: Mapping[str, str], wordings: int) -> Iterator[NameQuestion]:
    """Yield the two questions that a place in the design stands for.

    The number of its wording says what is asked for. Where that has no clear answer for these names, something else is:
    which of two is written first always has one.

    Parameters
    ----------
    question
        Of the design, whose wordings are so many for each pair of contraries.
    names
        Entity id -> name shown.
    wordings
        Number of wordings of one question.
    """
    wording, about = divmod(question.wording, len(CONTRARIES))
    first, second = names[question.first], names[question.second]
    turns = (CONTRARIES[about], *CONTRARIES)
    facts, ahead = next((turn, found) for turn in turns if (found := _ahead(turn[0], first, second)) is not None)
    for fact, first_is_right in zip(facts, (ahead, not ahead), strict=True):
        yield NameQuestion(
            question.first,
            question.second,
            question.first_is_a,
            wording % wordings,
            question.repetition,
            question.step,
            fact=fact,
            first_is_right=first_is_right,
        )


def _ahead(fact: str, first: str, second: str) -> bool | None:
    """Tell whether the first of two names is the longer, the earlier or the upper one; ``None`` if it is not clear.

    It must not matter whether spaces, or a leading article, are counted. Names with one initial are not told apart.
    """
    if fact == "upper":
        return True
    pairs = ((first, second), (_bare(first), _bare(second)))
    if fact == "longer":
        return _sign([len(one) - len(other) for one, other in (*pairs, *map(_letters_of, pairs))], LEAST_APART)
    (one, other), (bare, other_bare) = (tuple(map(_plain, pair)) for pair in pairs)
    if not (re.match("[a-z]", bare) and re.match("[a-z]", other_bare)):
        return None
    return _sign([(one < other) - (one > other), ord(other_bare[0]) - ord(bare[0])], 1)


def _sign(differences: Sequence[int], least: int) -> bool | None:
    """Return whether all differences are above 0, by at least so much; ``None`` if they are not of one sign."""
    if all(one >= least for one in differences):
        return True
    return False if all(one <= -least for one in differences) else None


def _letters_of(pair: tuple[str, str]) -> tuple[str, str]:
    one, other = ("".join(filter(str.isalnum, name)) for name in pair)
    return one, other


def _bare(name: str) -> str:
    return name[found.end() :] if (found := _ARTICLE.match(name)) else name


def _plain(name: str) -> str:
    """Return a name in small letters without accents."""
    return unicodedata.normalize("NFKD", name).casefold()
