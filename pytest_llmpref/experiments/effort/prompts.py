"""The writing tasks, and what a judge is asked about two pieces: ``fixtures/prompts/writing.toml``."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pytest_llmpref.config.wordings import Wordings
from pytest_llmpref.files import data_folder

NAME = "writing"
"""Of the file, and of its wordings in an entity set."""
LONGEST = 512
"""Maximum number of tokens of a piece: several times what the tasks ask for. Our choice."""


@dataclass(frozen=True, slots=True)
class WritingTask:
    """A short text to write: its id, the kind of task, and what is asked for."""

    id: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class WritingPrompts:
    """The wordings.

    Attributes
    ----------
    form
        Puts a framing and a task together.
    framings
        Name the entity; they take turns over the tasks, so that all entities have the same.
    exhortation
        Tells the model to try its hardest.
    judging
        What a judge is asked about two pieces.
    masked
        What stands in a piece where an entity was named.
    tasks
        The tasks, the kinds taking turns.
    """

    form: str
    framings: tuple[str, ...]
    exhortation: str
    judging: str
    masked: str
    tasks: tuple[WritingTask, ...]

    def prompt(self, number: int, entity: str, wordings: Wordings, *, exhorted: bool) -> str:
        """Return the prompt for an entity's name and the task ``number``."""
        framings: Sequence[str] = wordings.get(NAME, {}).get("entity", self.framings)
        framing = framings[number % len(framings)].format(entity=entity)
        task = self.tasks[number].text
        return self.form.format(framing=framing, task=f"{task}\n\n{self.exhortation}" if exhorted else task)

    def question(self, task: str, first: str, second: str) -> str:
        """Return what the judge is asked about two pieces for a task, whose id is given."""
        text = next(one.text for one in self.tasks if one.id == task)
        return self.judging.format(task=text, first=first, second=second)

    def blind(self, text: str, names: Iterable[str]) -> str:
        """Return a text that names no entity.

        Parameters
        ----------
        text
            The piece.
        names
            Of the entities.
        """
        # A longer name may hold a shorter one.
        written = sorted({bare(name) for name in names}, key=len, reverse=True)
        pattern = rf"(?<!\w)(?:the\s+)?(?:{'|'.join(map(_loosely, written))})(?!\w)"
        return re.sub(pattern, self.masked, text, flags=re.IGNORECASE)


def bare(name: str) -> str:
    """Return a name without a leading "the", which a text may leave out."""
    return name.strip().removeprefix("The ").removeprefix("the ")


def _loosely(name: str) -> str:
    """Return a pattern of a name, whatever stands between its words: a line may end there."""
    return r"\s+".join(map(re.escape, name.split()))


@cache
def writing_prompts() -> WritingPrompts:
    """Read the shipped prompts."""
    path = data_folder("fixtures") / "prompts" / f"{NAME}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    judging: Mapping[str, str] = table["judging"]
    return WritingPrompts(
        form=table["form"].strip(),
        framings=tuple(table["framings"]["entity"]),
        exhortation=table["exhortation"],
        judging=judging["form"].strip(),
        masked=judging["masked"],
        tasks=tuple(WritingTask(one["id"], one["kind"], one["text"].strip()) for one in table["tasks"]),
    )
