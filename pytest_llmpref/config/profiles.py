"""How large a study is: the shipped profiles, and a user's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from pytest_llmpref.config.reading import UserFileError, fitted, listed, parse_toml, read_bytes
from pytest_llmpref.files import data_folder

MOST_ATTEMPTS = 100
"""Most attempts at one question (arXiv 2602.18971)."""
_MOST_BYTES = 1 << 20
# The other limits are our choice: far above any study that was published (arXiv 2602.18971 asks each of 5,112 questions
# once), and low enough that nothing is planned that no memory holds.
Thousand = Annotated[int, Meta(ge=1, le=1_000)]
Attempts = Annotated[int, Meta(ge=1, le=MOST_ATTEMPTS)]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]
NEWEST_DESIGN = 2


class ProfileError(UserFileError):
    """A profile cannot be used."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The size of a study.

    Attributes
    ----------
    name
        ``smoke``, ``standard``, ``paper``, or the stem of a user's file.
    entities
        How many entities of the set take part; ``None`` for all.
    partners
        With how many other entities each entity is compared; ``None`` for all. A smaller number asks a subset
        of the questions of a larger one.
    orders
        1 or 2: whether each pair is asked in one order or in both.
    repetitions
        Samples of each question.
    paraphrases
        How many of an experiment's wordings rotate over its pairs; ``None`` for all.
    temperature
        Sampling temperature.
    max_tokens
        Most tokens of visible reply to a pair question.
    ranking_repetitions
        How often the whole list is ranked, each time shuffled anew.
    attempts
        How often a question about a pair is asked at most until its answer is valid, 1 to 100.
    ranking_attempts
        How often a ranking is asked for at most until it is valid, 1 to 100.
    refusal_tokens
        Most tokens of visible reply to a question that nothing leads into an answer: room for a refusal's reason.
    boolq_questions
        How many yes/no questions are asked under every entity; ``None`` for all. A smaller number asks a part of a
        larger one's.
    agentic_tasks
        How many tasks of each agentic suite are run, the easiest first; ``None`` for all.
    agentic_entities
        How many of the most, and of the least, preferred entities they are run for.
    agentic_messages, agentic_tokens, agentic_seconds
        Where a run of an agent ends: messages of the whole conversation, tokens of all prompts and replies, seconds
        of the model and the tools together.
    agentic_reply_tokens
        Most tokens of one reply of an agent.
    selection
        Which pairs are asked for preferences and donation advice: those of the ``fixed`` design, or, ``adaptive``, as
        many, chosen in rounds by what the answers so far leave uncertain. ``fixed`` where a file leaves it out.
    stopping
        Where asking about refusals, asking reading questions, and running agents end: where the design does
        (``fixed``, also where a file leaves it out), or, ``sequential``, as soon as the verdict of the release gate is
        decided.
    context_squares
        How many Latin squares assign entities to the arms of contexts; each has as many drawings as there are arms.
    context_partners
        With how many others each entity is compared in each context and drawing, at most `partners`; and how many
        reading questions it has there.
    name_partners
        With how many others each entity is compared in questions about names: four questions about each pair where
        `orders` is 2.
    paired_prompts
        How many of a user's pairs of prompts are asked; ``None`` for all.
    effort_entities
        For how many of the most, and of the least, preferred entities short pieces are written.
    effort_tasks
        How many writing tasks each of these has; ``None`` for all.
    effort_pieces
        Pieces for each entity and task, and as many in which the model is told to try its hardest.
    design
        Version of the design of questions about pairs, for a new recording; the newest where a file leaves it out. A
        recording is continued and replayed under the version that it was made under. 1: labels and wordings rotate,
        and a pair has the same in every experiment. 2: labels are balanced for each entity, and each experiment draws
        its own pairs, labels and wordings.
    """

    name: str
    entities: Annotated[int, Meta(ge=4, le=10_000)] | None
    partners: Annotated[int, Meta(ge=2, le=10_000)] | None
    orders: Annotated[int, Meta(ge=1, le=2)]
    repetitions: Thousand
    paraphrases: Thousand | None
    temperature: Annotated[float, Meta(ge=0, le=2)]
    max_tokens: Tokens
    ranking_repetitions: Annotated[int, Meta(ge=2, le=1_000)]
    attempts: Attempts
    ranking_attempts: Attempts
    refusal_tokens: Tokens
    boolq_questions: Annotated[int, Meta(ge=4, le=100_000)] | None
    agentic_tasks: Thousand | None
    agentic_entities: Annotated[int, Meta(ge=2, le=10_000)]
    agentic_messages: Annotated[int, Meta(ge=3, le=10_000)]
    agentic_tokens: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    agentic_seconds: Annotated[int, Meta(ge=1, le=1_000_000)]
    agentic_reply_tokens: Tokens
    selection: Literal["fixed", "adaptive"] = "fixed"
    stopping: Literal["fixed", "sequential"] = "fixed"
    context_squares: Annotated[int, Meta(ge=1, le=100)] = 1
    context_partners: Annotated[int, Meta(ge=2, le=10_000)] = 4
    name_partners: Annotated[int, Meta(ge=2, le=10_000)] = 4
    paired_prompts: Annotated[int, Meta(ge=4, le=100_000)] | None = None
    effort_entities: Annotated[int, Meta(ge=2, le=10_000)] = 5
    effort_tasks: Thousand | None = None
    effort_pieces: Thousand = 1
    design: Annotated[int, Meta(ge=1, le=NEWEST_DESIGN)] = NEWEST_DESIGN


def load_profile(name: str) -> Profile:
    """Read a shipped profile by its name, or a user's own by the path of its TOML file.

    Raises
    ------
    ProfileError
        If there is no such profile, or its file cannot be used.
    """
    shipped = data_folder("fixtures") / "profiles"
    path = Path(name) if name.endswith(".toml") else shipped / f"{name}.toml"
    known = {file.stem for file in shipped.glob("*.toml")}
    if not path.is_file() or not (name in known or name.endswith(".toml")):
        names = ", ".join(sorted(known))
        raise ProfileError(f"--profile {name}", [f"no such profile; use one of {names}, or the path of a .toml file"])
    table = parse_toml(path, ProfileError, read_bytes(path, ProfileError, _MOST_BYTES))
    values, problems = fitted(table, Profile, apart=["name"])
    if problems:
        raise ProfileError(path, listed(problems))
    return Profile(name=path.stem, **values)
