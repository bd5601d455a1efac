"""A server on loopback behind which a simulated model answers, and a suite to run against it."""

from loopback import Answer, Loopback, completion
from planted import PlantedModel

from pytest_llmpref.models.chat import Message, Request

SUITE = """
    from pytest_llmpref import spearman

    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""


class PlantedServer(Loopback):
    """Answers each request as a simulated model with planted utilities would; scripted answers come first."""

    def __init__(self, model: PlantedModel) -> None:
        self._model = model
        super().__init__()

    @property
    def default(self) -> Answer:
        body = self.received[-1]
        messages = tuple(Message(**message) for message in body["messages"])
        coroutine = self._model.ask(Request(body["model"], messages, body.get("temperature", 1.0), 32))
        try:
            coroutine.send(None)
        except StopIteration as done:
            return Answer(completion(done.value.text))
        raise RuntimeError("a simulated model answers at once")

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""
