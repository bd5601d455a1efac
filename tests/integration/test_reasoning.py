"""Models that reason before they answer, imitated on loopback: noticed once, given room, and paid for by the plan."""

import asyncio
from collections.abc import Iterator

import pytest
from fork_server import LIVE
from loopback import Answer, Loopback, completion, serving

from pytest_llmpref.cassettes import Cassette, RecordingModel, ReplayModel
from pytest_llmpref.cassettes.recording import Budget, BudgetedModel, BudgetSpentError
from pytest_llmpref.cassettes.wire import WireReplayModel
from pytest_llmpref.cli import main
from pytest_llmpref.experiments.asking import MOST_CUT
from pytest_llmpref.models.chat import Message, ModelWarning, Reply, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.parameters import Price, price_of
from pytest_llmpref.models.reasoning import (
    REASONING_ALLOWANCE,
    RoomForReasoning,
    reasons,
    room_for,
)
from pytest_llmpref.parsing.thinking import without_thinking

VISIBLE = 8
THOUGHT = 300
NAME = "openai/deployment-7"


def usage(completion_tokens: int, reasoning: int | None = None) -> dict[str, object]:
    counted: dict[str, object] = {
        "prompt_tokens": 7,
        "completion_tokens": completion_tokens,
        "total_tokens": 7 + completion_tokens,
    }
    if reasoning is not None:
        counted["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return counted


def cut(kind: str, limit: int) -> dict[str, object]:
    """Return what a server of each kind says where the limit is used up."""
    if kind == "content null, reasoning apart":
        body = completion(None, finish="length", usage=usage(limit, limit))
        body["choices"][0]["message"]["reasoning_content"] = "Okay, the user wants me to"
        return body
    return {
        "content empty, nothing else": completion("", finish="length", usage=usage(limit)),
        "thinking in the text": completion("<think>Okay, the user wants", finish="length", usage=usage(limit)),
        "part of an answer": completion("Opt", finish="length", usage=usage(limit, limit - 1)),
        "called a natural end": completion(None, finish="stop", usage=usage(limit, limit)),
    }[kind]


KINDS = (
    "content null, reasoning apart",
    "content empty, nothing else",
    "thinking in the text",
    "part of an answer",
    "called a natural end",
)


class Reasoner(Loopback):
    """Thinks `THOUGHT` tokens before each answer, all counted against the limit."""

    kind = KINDS[0]
    thought = THOUGHT

    @property
    def default(self) -> Answer:
        limit = self.received[-1]["max_tokens"]
        whole = completion("A", usage=usage(self.thought + 1, self.thought))
        return Answer(whole if limit > self.thought else cut(self.kind, limit))

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""


@pytest.fixture
def server() -> Iterator[Reasoner]:
    found = Reasoner()
    found.start()
    yield found
    found.stop()


def request(number: int = 0, name: str = NAME, max_tokens: int = VISIBLE) -> Request:
    return Request(name, (Message("user", f"Tea or mud, {number}?"),), 0.7, max_tokens)


def live(server: Loopback, name: str = NAME) -> LiveModel:
    return LiveModel(name, api_base=server.api_base, api_key="sk-none-00000000")


def ask(model, *requests: Request) -> list[Reply]:
    async def run():
        try:
            return [await model.ask(each) for each in requests]
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_cut_while_reasoning_gets_room_once_and_all_later_ones_from_the_start(server, kind):
    server.kind = kind
    with pytest.warns(ModelWarning) as warned:
        replies = ask(RoomForReasoning(live(server), without_thinking), *map(request, range(3)))
    assert [reply.text for reply in replies] == ["A"] * 3
    assert [body["max_tokens"] for body in server.received] == [VISIBLE, *[VISIBLE + REASONING_ALLOWANCE] * 3]
    assert len(warned) == 1
    assert f"{NAME} reasons before it answers: its reasoning took all {VISIBLE} tokens" in str(warned[0].message)
    assert replies[0].reasoning_tokens == THOUGHT
    assert replies[0].parameters["max_tokens"] == VISIBLE + REASONING_ALLOWANCE


def test_the_calls_in_flight_are_each_asked_again_and_warned_of_once(server):
    async def run():
        model = RoomForReasoning(live(server), without_thinking)
        try:
            return await asyncio.gather(*(model.ask(request(number)) for number in range(8)))
        finally:
            await model.close()

    with pytest.warns(ModelWarning) as warned:
        replies = asyncio.run(run())
    assert {reply.text for reply in replies} == {"A"}
    assert len(warned) == 1
    assert len(server.received) <= 16


@pytest.mark.parametrize(
    "body",
    [
        completion("Well, tea is", finish="length", usage=usage(VISIBLE)),
        completion("Well, tea is", finish="length", usage=usage(VISIBLE, 0)),
        completion("", finish="stop", usage=usage(1)),
        completion(None, finish="content_filter", usage=usage(VISIBLE)),
        completion(None, finish="stop", refusal="No.", usage=usage(VISIBLE)),
    ],
    ids=["says too much", "says that it did not reason", "says nothing", "filtered", "refuses"],
)
def test_nothing_else_is_taken_for_reasoning(body):
    with serving() as server:
        server.script(Answer(body))
        ask(RoomForReasoning(live(server), without_thinking), request())
        assert len(server.received) == 1


def test_a_model_that_is_known_to_reason_gets_room_from_the_start(server):
    """Litellm sends OpenAI's own under the name that they take."""
    name = "openai/o3-mini"
    server.script(Answer(completion("A")))
    (reply,) = ask(RoomForReasoning(live(server, name), without_thinking), request(name=name))
    assert reply.parameters == {"max_tokens": VISIBLE + REASONING_ALLOWANCE}
    assert server.received[0]["max_completion_tokens"] == VISIBLE + REASONING_ALLOWANCE
    assert not {"temperature", "logprobs", "top_logprobs", "max_tokens"} & server.received[0].keys()


def test_the_room_is_recorded_and_no_part_of_the_key_and_both_replays_give_it_back(server, tmp_path):
    first = request()
    with pytest.warns(ModelWarning):
        (reply,) = ask(
            RecordingModel(RoomForReasoning(live(server), without_thinking), Cassette.open(tmp_path, NAME)), first
        )
    cassette = Cassette.open(tmp_path, NAME)
    (line,) = cassette.lines()
    assert (line.key, line.request) == (first.key, first)
    assert ask(ReplayModel(cassette), first) == [reply]
    replayed = LiveModel(NAME, api_base="http://127.0.0.1:9/v1", api_key="recorded", only_recorded=True)
    assert ask(WireReplayModel(replayed, cassette), first) == [reply]


# Dollars for a million tokens of prompts and of replies, as in litellm's list, and the cost of a prompt of 1,000 tokens
# and the longest reply to it, computed by hand: 8 visible tokens, and 4,096 of reasoning where the model reasons.
BY_HAND = {
    "gpt-4o": (2.50, 10.00, 0.0025 + 8 * 10e-6),  # 0.00258
    "gpt-5-mini": (0.25, 2.00, 0.00025 + 4104 * 2e-6),  # 0.008458
    "openai/o3-mini": (1.10, 4.40, 0.0011 + 4104 * 4.4e-6),  # 0.0191576
    "gemini/gemini-2.5-flash": (0.30, 2.50, 0.0003 + 4104 * 2.5e-6),  # 0.01056
    "claude-sonnet-4-5": (3.00, 15.00, 0.003 + 8 * 15e-6),  # 0.00312
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_most_that_a_call_costs_by_hand(name):
    prompt, reply, dollars = BY_HAND[name]
    price = price_of(name)
    assert price == Price(pytest.approx(prompt / 1e6), pytest.approx(reply / 1e6))
    assert price.of(1000, VISIBLE + room_for(name)) == pytest.approx(dollars)


@pytest.mark.parametrize("thought", [THOUGHT, REASONING_ALLOWANCE])
@pytest.mark.parametrize("name", [NAME, "openai/gpt-oss-of-ours"])
def test_a_limit_on_costs_holds_though_the_model_reasons(server, tmp_path, name, thought):
    """Of 200 questions; a name that tells, and one that does not. What was not needed of a reserve is used."""
    most = 0.06
    server.thought = thought
    price = Price(0.25e-6, 2e-6)
    budget = Budget(tmp_path / "run.spent", most, float("inf"))

    async def run():
        model = RoomForReasoning(BudgetedModel(live(server, name), budget, price), without_thinking)
        try:
            questions = (model.ask(request(number, name)) for number in range(200))
            return await asyncio.gather(*questions, return_exceptions=True)
        finally:
            await model.close()

    if reasons(name) == "unknown":
        with pytest.warns(ModelWarning):
            replies = asyncio.run(run())
    else:
        replies = asyncio.run(run())
    billed = sum(min(body["max_tokens"], thought + 1) for body in server.received)
    cost = price.of(7 * len(server.received), billed)
    assert budget.spent().dollars == pytest.approx(cost)
    answered = [reply for reply in replies if isinstance(reply, Reply)]
    assert {type(reply) for reply in replies if not isinstance(reply, Reply)} == {BudgetSpentError}
    assert {reply.text for reply in answered} == {"A"}
    one = price.of(30, VISIBLE + REASONING_ALLOWANCE)
    assert most - one <= cost <= most


@pytest.fixture
def reasoning(server, pytester, recorded, monkeypatch):
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    pytester.makepyfile(test_it="def test_it(preferences):\n    assert preferences.valid")
    pytester.imported = LIVE

    def run(*options: str):
        return pytester.runpytest_subprocess(
            f"--model={NAME}", f"--llmpref-entities={recorded / 'twelve.csv'}", "-p", "no:cacheprovider", *options
        )

    return run


def test_a_run_gives_room_says_so_once_and_loses_one_call(server, reasoning):
    run = reasoning("--record-mode=new_episodes")
    assert (run.stdout.str() + run.stderr.str()).count("reasons before it answers") == 1
    assert len(server.received) == 132 + 1


def test_a_run_of_which_the_first_replies_are_all_cut_ends_and_names_the_option(server, reasoning):
    """With room or without: the five replies, and the one that told of the reasoning."""
    server.thought = 10**6
    run = reasoning("--record-mode=new_episodes")
    assert run.ret != 0
    run.stderr.fnmatch_lines([f"*first {MOST_CUT} replies were all cut off*longer by --llmpref-param max_tokens=*"])
    assert len(server.received) == MOST_CUT + 1


@pytest.mark.parametrize(
    ("name", "tokens", "said"),
    [
        ("gpt-5-mini", 32 + REASONING_ALLOWANCE, "cost: at most about $1.09"),
        ("gpt-4o", 32, "cost: at most about $0.05"),
        (NAME, 32, f"if it reasons before it answers: at most {132 * REASONING_ALLOWANCE:,} tokens more"),
    ],
)
def test_a_plan_counts_reasoning(recorded, capsys, name, tokens, said):
    given = [f"--cassettes={recorded / 'none'}", f"--entities={recorded / 'twelve.csv'}", "--measure=preference"]
    assert main(["plan", f"--model={name}", *given]) == 0
    text = capsys.readouterr().out
    assert f"<= {132 * tokens:,}" in text
    assert said in text
