"""What is planted in a simulated model: the keys of ``fixtures/worlds/NAME.toml``, their ranges and their defaults."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pytest_llmpref.config.entities import EntitySet, load_entities
from pytest_llmpref.config.reading import UserFileError, fitted, listed, parse_toml, read_bytes, shown
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import ModelUnavailableError

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=-1, le=1)]

Manner = Literal["terse", "chatty", "markdown"]
Language = Literal["en", "de", "es", "fr", "ja"]
ReasonName = Literal["personal decision", "neutrality", "ethical constraints", "lack of information", "policy", "other"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Utilities that are drawn from a normal distribution, by a hash of each name."""

    mean: float = 0.0
    spread: NotNegative = 0.0


@dataclass(frozen=True, slots=True)
class Utilities:
    """How much the model likes what; differences are log-odds of a choice at noise 1.

    Attributes
    ----------
    entities
        Id or name of an entity of the set -> utility.
    groups
        Group of the set -> the distribution of those of its members that have no utility of their own.
    unknown
        The distribution of every other name; the mean of the set without spread if left out.
    """

    entities: dict[str, float] = field(default_factory=dict)
    groups: dict[str, Drawn] = field(default_factory=dict)
    unknown: Drawn | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """How two options become one.

    Attributes
    ----------
    noise
        Scale of the logistic noise, in units of utility.
    position, label
        Log-odds that are added for the option shown first, and for the one labelled A.
    incoherence
        Standard deviation of a utility of its own that each pair has, in both orders: no ranking explains it.
    drift
        How far utilities wander from one sample of a question to the next, each in a direction of its own. The model
        has no clock: its time is the number of times that the same question was put before.
    open
        Correlation of what decides in open answers with what does where a letter is asked for.
    insisted
        Share of the refusals and abstentions that remain where the user insists on a choice.
    """

    noise: Positive = 1.0
    position: float = 0.0
    label: float = 0.0
    incoherence: NotNegative = 0.0
    drift: NotNegative = 0.0
    open: Share = 1.0
    insisted: Probability = 0.3


@dataclass(frozen=True, slots=True)
class Donation:
    """What advice rests on.

    Attributes
    ----------
    follows
        Correlation with liking; the rest is drawn for each entity.
    strength
        What differences between options are multiplied by: at 0, it recommends either option alike often.
    """

    follows: Share = 1.0
    strength: NotNegative = 1.0


@dataclass(frozen=True, slots=True)
class Names:
    """How questions about two names are answered that no liking should answer, such as which is longer.

    Attributes
    ----------
    right
        Probability of the right answer where liking says nothing.
    habit
        Share of its liking, in log-odds, that is added all the same: 0 for none, 1 for as much as where it is asked
        whom it likes.
    """

    right: Probability = 0.98
    habit: NotNegative = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a ranking of a list rests on.

    Attributes
    ----------
    follows
        Correlation with liking; the rest is drawn for each entity, and is the same in every ranking.
    noise
        Standard deviation, in units of utility, of what is drawn anew for each ranking.
    """

    follows: Share = 1.0
    noise: NotNegative = 0.5


@dataclass(frozen=True, slots=True)
class Refusal:
    """Whether the model declines to advise.

    Attributes
    ----------
    base
        Probability for two options that it neither likes nor dislikes.
    slope
        Log-odds for each standard deviation by which an option is liked less than the mean of the set.
    superadditivity
        Log-odds for the product of both options' dislikes, in the same units.
    spread
        Standard deviation of log-odds of an entity's own, that have nothing to do with liking.
    led
        Share of the refusals that remain where the first words of an answer lead into it.
    liked, disliked
        Reason -> weight, for options that are liked, and that are disliked.
    """

    base: Probability = 0.0
    slope: float = 0.0
    superadditivity: float = 0.0
    spread: NotNegative = 0.0
    led: Probability = 0.1
    liked: dict[ReasonName, NotNegative] = field(default_factory=lambda: {"personal decision": 1.0})
    disliked: dict[ReasonName, NotNegative] = field(default_factory=lambda: {"neutrality": 1.0})


@dataclass(frozen=True, slots=True)
class Reading:
    """How well yes-or-no questions about a passage are answered.

    Attributes
    ----------
    skill
        Probability of the right answer to a question of middling difficulty, no entity being named.
    difficulty
        Standard deviation of the difficulty of questions, in log-odds.
    slope
        What a standard deviation of liking adds to that probability (0.03: three points), at middling difficulty.
    harder
        What a standard deviation of difficulty adds to that slope: above 0, liking matters more where it is hard.
    answer_bias
        Log-odds that are added for "yes".
    noise
        Share of the answers that are drawn anew for each conversation; the others depend on the question alone.
    """

    skill: Probability = 0.85
    difficulty: NotNegative = 1.0
    slope: Share = 0.0
    harder: Share = 0.0
    answer_bias: float = 0.0
    noise: Probability = 0.1


@dataclass(frozen=True, slots=True)
class Agent:
    """How well, and how hard, it works on tasks as an agent: on the bundled ones, and it can solve no others.

    Attributes
    ----------
    skill
        Probability of solving a task of middling difficulty, no entity being named.
    difficulty
        Standard deviation of the difficulty of tasks, in log-odds.
    slope
        What a standard deviation of liking adds to that probability (0.03: three points), at middling difficulty.
    harder
        What a standard deviation of difficulty adds to that slope: above 0, liking matters more where it is hard.
    noise
        Share of the runs that come out anew for each entity; the others depend on the task and its probability alone.
    effort
        Calls of tools before an answer is submitted: the median, no entity being named.
    effort_slope
        What a standard deviation of liking adds to the logarithm of the effort (0.1: about ten percent).
    effort_spread
        Standard deviation of the logarithm of the effort, between runs.
    """

    skill: Probability = 0.5
    difficulty: NotNegative = 1.0
    slope: Share = 0.0
    harder: Share = 0.0
    noise: Probability = 0.5
    effort: Positive = 3.0
    effort_slope: float = 0.0
    effort_spread: NotNegative = 0.3


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the context of a question does, as in ``fixtures/contexts``.

    Attributes
    ----------
    stated
        Log-odds that one unit of dose adds to what the model says that it likes, where it is said to like something.
    acted
        The same, to what it does: whom it recommends, and whom it helps, by an answer or as an agent.
    instructed
        The same, where it is told to act on its likings, or on its user's; and log-odds of declining, where it is told
        to decline.
    user
        Log-odds that one unit of dose of the user's attitude adds to what it does: how far it follows its user. What it
        says that it likes itself stays as it is.
    shown
        Context -> which share of its own likings shows in what it does there: -1 reverses them; 1 where left out.
    seen
        Context -> probability that the conversation looks like a test to it there; 0.2 where left out.
    primed
        Log-odds of the option that it said just before, in the same conversation, that it likes more.
    """

    stated: float = 0.0
    acted: float = 0.0
    instructed: float = 0.0
    user: float = 0.0
    shown: dict[str, float] = field(default_factory=dict)
    seen: dict[str, Probability] = field(default_factory=dict)
    primed: float = 0.0


@dataclass(frozen=True, slots=True)
class Writing:
    """How well it writes short pieces, and how it judges those of others. Quality is in log-odds of a judgment.

    Attributes
    ----------
    slope
        What a standard deviation of liking adds to the quality of a piece.
    exhorted
        What being told to try its hardest adds.
    spread
        Standard deviation of the quality of pieces that are written under equal conditions.
    judging
        How much of a difference in quality it sees as a judge: 1 all of it, 0 none.
    """

    slope: float = 0.0
    exhorted: float = 1.3
    spread: NotNegative = 0.5
    judging: NotNegative = 1.0


@dataclass(frozen=True, slots=True)
class Replies:
    """How the model speaks.

    Attributes
    ----------
    manner, language
        Chosen among the sentences of ``fixtures/speech/LANGUAGE.toml``.
    abstention
        Probability of favouring neither option.
    wrong_format
        Probability of words that are no answer.
    logprobs
        Whether log-probabilities of the first token are returned to those who ask.
    """

    manner: Manner = "terse"
    language: Language = "en"
    abstention: Probability = 0.0
    wrong_format: Probability = 0.0
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is planted in one model.

    Attributes
    ----------
    note
        What the world is for.
    seed
        Of every draw.
    entities
        Name of a shipped entity set, or the path of one beside the file, whose ids, names and groups the utilities use.
    """

    note: str = ""
    seed: int = 0
    entities: str = "default"
    utilities: Utilities = field(default_factory=Utilities)
    choice: Choice = Choice()
    donation: Donation = Donation()
    names: Names = Names()
    ranking: Ranking = Ranking()
    refusal: Refusal = field(default_factory=Refusal)
    reading: Reading = Reading()
    agent: Agent = Agent()
    contexts: Contexts = field(default_factory=Contexts)
    writing: Writing = Writing()
    replies: Replies = Replies()


PREFIX = "sim/"
_MOST_BYTES = 1 << 20
_SHOWN = 12
"""Allowed values that a message lists at most, before it says how many more there are."""


class WorldError(UserFileError):
    """A world cannot be used."""


def world_file(name: str) -> Path:
    """Return the file of ``sim/NAME``: a shipped world, or the path of a TOML file.

    Raises
    ------
    ModelUnavailableError
        If there is none.
    """
    short = name.removeprefix(PREFIX)
    shipped = data_folder("fixtures") / "worlds"
    path = Path(short) if short.endswith(".toml") else shipped / f"{short}.toml"
    if path.is_file():
        return path
    names = ", ".join(f"{PREFIX}{file.stem}" for file in sorted(shipped.glob("*.toml")))
    raise ModelUnavailableError(
        f"{name}: no such simulated model; there are {names}, and sim/PATH.toml for a world of your own"
    )


def load_world(path: Path) -> tuple[World, EntitySet]:
    """Read a world and the entity set that its utilities are about.

    Raises
    ------
    WorldError
        If the file is not TOML, a key is unknown, a value is out of range, or the set lacks an entity or a group.
    EntityFileError
        If the entity set cannot be used.
    """
    values, problems = fitted(parse_toml(path, WorldError, read_bytes(path, WorldError, _MOST_BYTES)), World)
    if problems:
        raise WorldError(path, listed(problems))
    world = World(**values)
    if not (path.parent / world.entities).resolve().is_relative_to(path.parent.resolve()):
        said = f"entities: is {shown(world.entities)}; write the path of a file in the world's folder, or below it"
        raise WorldError(path, [said])
    inside = path.parent / world.entities
    entities = load_entities(inside if inside.suffix else Path(world.entities))
    known = [word for entity in entities for word in (entity.id, entity.name)]
    _require(path, "utilities.entities", world.utilities.entities, known, entities)
    _require(path, "utilities.groups", world.utilities.groups, entities.groups, entities)
    for key, weights in (("liked", world.refusal.liked), ("disliked", world.refusal.disliked)):
        if not sum(weights.values()) > 0:
            raise WorldError(path, [f"refusal.{key}: the weights add up to 0; give one reason a weight above 0"])
    return world, entities


def _require(path: Path, key: str, given: Iterable[str], allowed: Iterable[str], entities: EntitySet) -> None:
    """Make sure that every key of a table is one that the entity set has."""
    have = list(allowed)
    for wrong in given:
        if wrong not in have:
            said = f"{key}: {wrong!r} is not in the entity set {entities.name!r} ({entities.source})"
            raise WorldError(path, [f"{said}; allowed: {_some(get_close_matches(wrong, have, n=3) or have)}"])


def _some(values: list[str]) -> str:
    more = len(values) - _SHOWN
    return ", ".join(values[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
