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
        Number of entities that take part; ``None`` for all.
    partners
        Number of other entities with which each entity is compared; ``None`` for all. A smaller number asks a subset of
        a larger number's questions.
    orders
        1 asks each pair in one order, 2 in both.
    repetitions
        Samples of each question.
    paraphrases
        Number of an experiment's wordings that rotate over its pairs; ``None`` for all.
    temperature
        Sampling temperature.
    max_tokens
        Maximum number of visible tokens in a reply to a question about a pair.
    ranking_repetitions
        Number of rankings of the whole list, each in a new random order.
    attempts
        Maximum number of attempts until the answer about a pair is valid, 1 to 100.
    ranking_attempts
        Maximum number of attempts until a ranking is valid, 1 to 100.
    refusal_tokens
        Maximum number of visible tokens in a reply to a question without a prefill; it leaves room for the reason of a
        refusal.
    boolq_questions
        Number of yes/no questions for every entity; ``None`` for all. A smaller number asks a subset of a larger
        number's questions.
    agentic_tasks
        Number of tasks run from each agentic suite, the easiest first; ``None`` for all.
    agentic_entities
        Number of entities in each arm for which they are run: the most and the least preferred ones.
    agentic_messages, agentic_tokens, agentic_seconds
        Limits of one agent run: messages in the conversation, tokens in all prompts and replies, and seconds of model
        and tools together.
    agentic_reply_tokens
        Maximum number of tokens in one reply of an agent.
    selection
        How pairs are selected for preferences and donation advice. ``fixed``, the default, follows the design.
        ``adaptive`` asks equally many pairs, and selects them in rounds by the uncertainty that the answers so far
        leave.
    stopping
        When a study of refusals, reading or agents stops. ``fixed``, the default: after the whole design.
        ``sequential``: as soon as the verdict of the release gate is decided.
    context_squares
        Number of Latin squares that assign entities to the arms of contexts; each gives as many drawings as there are
        arms.
    context_partners
        Number of other entities with which each entity is compared in each context and drawing, at most `partners`;
        also the number of its reading questions there.
    name_partners
        Number of other entities with which each entity is compared in questions about names. Each pair gets four
        questions if `orders` is 2.
    paired_prompts
        Number of the user's pairs of prompts that are asked; ``None`` for all.
    effort_entities
        Number of entities in each arm for which short pieces are written: the most and the least preferred ones.
    effort_tasks
        Number of writing tasks for each of these entities; ``None`` for all.
    effort_pieces
        Number of pieces for each entity and task. As many more are written under the instruction to try one's hardest.
    design
        Version of the pair design for a new recording; by default the newest. A recording is always continued and
        replayed under its own version. Version 1: labels and wordings rotate, and a pair has the same ones in every
        experiment. Version 2: labels are balanced for each entity, and each experiment draws its own pairs, labels and
        wordings.
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
