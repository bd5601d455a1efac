"""The identity of a request, and what a user's setup makes of it."""

from pytest_llmpref.config.setups import AS_IS, Setup
from pytest_llmpref.models.chat import Message, Request
from pytest_llmpref.models.dressing import dressed

ASKED = Request("openai/x", (Message("user", "1 + 1?"),), 0.5, 9)


def test_equal_questions_of_two_runs_are_two_questions():
    first, second = (Request(**_fields(ASKED), run=run) for run in ("a", "b"))
    assert len({ASKED.key, first.key, second.key}) == 3


def test_what_a_task_wants_is_kept_where_the_user_says_nothing_of_it():
    request = Request(**_fields(ASKED), parameters={"stop": '["\\n"]', "seed": 1})
    assert dressed(request, AS_IS) == request
    assert dressed(request, Setup(parameters={"seed": 2, "top_p": 0.9})).parameters == {
        "stop": '["\\n"]', "seed": 2, "top_p": 0.9,
    }  # fmt: skip


def _fields(request):
    return {name: getattr(request, name) for name in ("model", "messages", "temperature", "max_tokens")}
