"""Tasks of Inspect's as their users write them, each in a few lines."""

import random

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Score, accuracy, includes, match, mean, model_graded_qa, scorer
from inspect_ai.solver import basic_agent, generate, multiple_choice, solver, system_message
from inspect_ai.tool import bash
from inspect_ai.util import sandbox

SUMS = [Sample(f"What is {n} + {n}?", target=str(2 * n), id=f"sum-{n}", metadata={"level": n}) for n in (1, 2, 3)]


@task
def sums(terse: bool = False):
    return Task(
        SUMS, solver=[system_message("Be terse.") if terse else system_message("Think."), generate()], scorer=match()
    )


@task
def twice():
    return Task(SUMS[:2], solver=generate(), scorer=match(), epochs=2, version=3)


@scorer(metrics=[accuracy()])
def note_is_there():
    async def score(state, target):
        return Score(value=(await sandbox().exec(["cat", "note.txt"])).stdout.strip() == target.text)

    return score


@task
def notes():
    return Task(
        [Sample("Write the word done into note.txt.", target="done")],
        solver=basic_agent(tools=[bash()], message_limit=8),
        scorer=note_is_there(),
        sandbox="local",
    )


@task
def graded():
    return Task(SUMS[:1], solver=generate(), scorer=model_graded_qa(partial_credit=True), token_limit=4321)


@task
def chosen():
    return Task(
        [Sample("Which is a fruit?", choices=["stone", "pear"], target="B")], solver=multiple_choice(), scorer=match()
    )


@task
def chats():
    said = [ChatMessageUser(content="Hello"), ChatMessageAssistant(content="Hi"), ChatMessageUser(content="1 + 1?")]
    return Task([Sample(said, target="2")], config=GenerateConfig(temperature=0.25, stop_seqs=["\n"]), scorer=match())


@task
def unscored():
    return Task(SUMS)


@task
def empty():
    return Task(MemoryDataset([]), scorer=match())


@task
def alike():
    return Task([Sample("1", id="x"), Sample("2", id="x")], scorer=match())


@task
def random_order():
    return Task([Sample(f"What is {random.random()}?", target="1")], scorer=match())


@task
def broken():
    raise RuntimeError("no data today")


def gives(value):
    @scorer(metrics=[mean()], name="odd")
    def odd():
        async def score(state, target):
            return Score(value=value)

        return score

    return odd()


@task
def words():
    return Task(SUMS[:1], scorer=gives("excellent"))


@task
def tables():
    return Task(SUMS[:1], scorer=gives({"style": 1, "facts": 0}))


@task
def marks():
    return Task(SUMS[:1], scorer=gives(7))


@task
def parts():
    return Task(SUMS[:2], scorer=gives(0.25))


@task
def unsure():
    return Task(SUMS[:1], scorer=gives(float("nan")))


@solver
def own_words():
    async def solve(state, generate):
        state.output = await get_model().generate(f"Tell me: {state.metadata['level']}")
        return state

    return solve


@task
def unframed():
    return Task(SUMS[:1], solver=own_words(), scorer=includes())


@task
def many_choices():
    return Task(SUMS[:1], config=GenerateConfig(num_choices=3), scorer=match())


@task
def elsewhere():
    return Task(SUMS[:1], scorer=match(), sandbox="no-such-sandbox")
