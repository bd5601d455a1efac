"""What the experiments of a study ask, each planned once, and what of it is not recorded."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmpref.cassettes import Cassette, must_ask
from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.setups import AS_IS, Setup, setup_of
from pytest_llmpref.errors import ExtensionError
from pytest_llmpref.experiments.behaviour import Compared
from pytest_llmpref.experiments.experiment import Conditions, Experiment, Plan
from pytest_llmpref.experiments.judging import TOKENS, judged, most_asked_of_judge, question_to_judge
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import Arms, any_arms, extremes, quarters
from pytest_llmpref.experiments.registry import behaviour_of, reference
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.dressing import dressed
from pytest_llmpref.models.reasoning import room_for


class Plans:
    """The experiments and the plans of a study, by the name of their measure.

    Parameters
    ----------
    conditions
        Of the study.
    measured
        Returns a measure by its name. Preferences choose the entities of some experiments, and the replies behind other
        measures are what a judge compares.
    setup
        What the user wants to go with each question.
    """

    def __init__(self, conditions: Conditions, measured: Callable[[str], Measure], setup: Setup = AS_IS) -> None:
        self._study, self._measured, self._setup = conditions, measured, setup
        self._experiments: dict[str, Experiment] = {}
        self._planned: dict[tuple[str, bool], tuple[Conditions, Plan[Any]]] = {}
        self.not_measured = frozenset[str]()
        """Measures that plans do without, where questions are only counted: any entities, and any texts, do then."""

    def __getitem__(self, measure: str) -> Plan[Any]:
        """Return the plan of a measure, which is made once: what was asked is what is analysed."""
        return self._of(measure)[1]

    def conditions(self, measure: str) -> Conditions:
        """Return the conditions that a plan was made for: some compare entities that only preferences tell."""
        return self._of(measure)[0]

    def experiment(self, measure: str) -> Experiment:
        """Return the experiment behind a measure.

        Raises
        ------
        ExtensionError
            If one of another package yields a measure of another name.
        """
        if measure not in self._experiments:
            found = behaviour_of(measure).experiment()
            if found.measure != measure:
                raise ExtensionError(
                    f"pytest_llmpref_behaviours: the behaviour {measure!r} has an experiment whose measure is "
                    f"{found.measure!r}; give both one name"
                )
            self._experiments[measure] = found
        return self._experiments[measure]

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Plan without some measures for a while: `not_measured` is afterwards what it was."""
        before = self.not_measured
        try:
            yield
        finally:
            self.not_measured = before

    def _of(self, measure: str) -> tuple[Conditions, Plan[Any]]:
        # What was only counted was planned for any entities, and is not what would be asked.
        key = measure, not self.not_measured.isdisjoint(needs_of(measure, self._study))
        if key not in self._planned:
            behaviour, conditions = behaviour_of(measure), self._study
            if (wanted := behaviour.compared(conditions)) is not None:
                conditions = replace(conditions, arms=self._arms(wanted))
            if behaviour.basis and behaviour.basis not in self.not_measured:
                conditions = replace(conditions, basis=self._measured(behaviour.basis))
            plan = self.experiment(measure).plan(conditions)
            if self._setup is not AS_IS and not plan.of_judge:
                plan = replace(plan, requests=[dressed(request, self._setup) for request in plan.requests])
            self._planned[key] = conditions, plan
        return self._planned[key]

    def _arms(self, wanted: Compared) -> Arms:
        """Return the entities that a behaviour compares."""
        if (name := reference().measure) in self.not_measured:
            return any_arms(tuple(self._study.groups), wanted.size)
        if wanted.parts == "quarters":
            return quarters(self._measured(name))
        return extremes(self._measured(name), wanted.size)


def needs_of(measure: str, conditions: Conditions) -> list[str]:
    """Return the measures without which the questions of a measure are not known, in the order of need.

    Parameters
    ----------
    measure
        Its name.
    conditions
        Of the study.
    """
    behaviour = behaviour_of(measure)
    preferences = [] if behaviour.compared(conditions) is None else [reference().measure]
    return [*preferences, *([behaviour.basis] if behaviour.basis else [])]


@dataclass(frozen=True, slots=True)
class Gap:
    """Trials of one experiment that are not recorded to their end.

    Attributes
    ----------
    measure
        Name of the measure.
    missing
        The number of each such trial in the plan, and the first of its attempts that is missing.
    planned
        How many trials are planned.
    later
        How many trials follow, whose questions depend on the answers to these.
    room
        Tokens that each reply may take beyond its own limit, for hidden reasoning.
    judge
        Who may have to judge the reply to each; empty if nobody does.
    unjudged
        The numbers of those of which the reply is recorded, and the judge's word is not.
    of_judge
        Whether the judge is asked the trials themselves, and the model nothing.
    """

    measure: str
    missing: Mapping[int, Request]
    planned: int
    later: int = 0
    room: int = 0
    judge: str = ""
    unjudged: frozenset[int] = frozenset()
    of_judge: bool = False

    @property
    def count(self) -> int:
        """How many trials have to be asked, at most where some of those that follow are recorded."""
        return len(self.missing) + self.later

    @property
    def questions(self) -> int:
        """How many of them the model has to answer: of the others, only the judge's word is missing."""
        return 0 if self.of_judge else self.count - len(self.unjudged)

    @property
    def prompt_characters(self) -> int:
        """Characters of its prompts; those of later trials are taken to be as long."""
        return self._with_later(sum(map(_characters, self._unanswered)))

    @property
    def reply_tokens(self) -> int:
        """Maximum number of tokens of one reply to each, hidden reasoning included."""
        return self._with_later(sum(request.max_tokens + self.room for request in self._unanswered))

    @property
    def _unanswered(self) -> list[Request]:
        if self.of_judge:
            return []
        return [request for number, request in self.missing.items() if number not in self.unjudged]

    @property
    def judgements(self) -> int:
        """How often the judge is asked at most."""
        return self.count if self.judge else 0

    @property
    def judge_characters(self) -> int:
        """Maximum number of characters of what it is asked."""
        most = _characters if self.of_judge else most_asked_of_judge
        return self._with_later(sum(most(request) for request in self.missing.values()))

    @property
    def judge_tokens(self) -> int:
        """Maximum number of tokens of its answers, hidden reasoning included."""
        return self.judgements * (TOKENS + room_for(self.judge))

    def _with_later(self, of_missing: int) -> int:
        return of_missing * self.count // len(self.missing)


class Recorded:
    """What is recorded of a model's trials, and of a judge's word on them.

    Parameters
    ----------
    cassette, judge
        The recordings; ``judge`` is ``None`` if there is no judge.
    settings
        What a recording run asks anew.
    """

    def __init__(self, cassette: Cassette, judge: Cassette | None, settings: Settings) -> None:
        self._cassette = cassette
        self._judge = judge
        self._settings = settings
        self._complete: dict[str, tuple[Plan[Any], list[Replies]]] = {}  # by measure
        setup = setup_of(cassette.model, settings)
        self._room = 0 if setup.limits_replies else room_for(setup.model or cassette.model)

    def complete(self, name: str, plan: Plan[Any]) -> list[Replies] | None:
        """Return the recorded replies to each trial of a plan once `gap` found that none is missing, else ``None``."""
        known, replies = self._complete.get(name, (None, []))
        return replies if known is plan else None

    def gap(self, name: str, plan: Plan[Any]) -> Gap | None:
        """Return what has to be asked of a measure: the missing trials of the first round that lacks some."""
        if self.complete(name, plan) is not None:
            return None
        replies, done = list[Replies]([()] * len(plan.requests)), 0
        while numbers := plan.next_round(replies):
            if missing := self.missing(plan, numbers, replies):
                later = plan.total - done - len(numbers)
                judged_by = self._judge.model if self._judge is not None else ""
                if plan.of_judge:
                    return Gap(name, missing, plan.total, later, judge=judged_by, of_judge=True)
                judge = judged_by if plan.options is not None else ""
                unjudged = frozenset(number for number in missing if self._reply(self._cassette, missing[number]))
                return Gap(name, missing, plan.total, later, self._room, judge, unjudged)
            done += len(numbers)
        # What is recorded stays so: nobody has to look it up, and read it, again.
        self._complete[name] = plan, replies
        return None

    def missing(
        self, plan: Plan[Any], numbers: Iterable[int], replies: list[Replies] | None = None
    ) -> dict[int, Request]:
        """Return, of these trials, those that have to be asked, and the first attempt at each that has to.

        The replies that are recorded of them are put into ``replies``.
        """
        found = dict[int, Request]()
        for number in numbers:
            recorded, request = self._trial(plan, number)
            if replies is not None:
                replies[number] = recorded
            if request is not None:
                found[number] = request
        return found

    def _trial(self, plan: Plan[Any], number: int) -> tuple[Replies, Request | None]:
        """Return the recorded replies to a trial, and the attempt that has to be asked; ``None`` if none has."""
        replies = list[Reply]()
        cassette = self._judge if plan.of_judge and self._judge is not None else self._cassette
        while True:
            request = plan.attempt(number, replies)
            reply = self._reply(cassette, request)
            options = None if self._judge is None else plan.options_of(number)
            if reply is not None and options is not None and self._judge is not None:
                question = question_to_judge(self._judge.model, request, reply, options)
                answer = None if question is None else self._reply(self._judge, question)
                # Without the judge's word it is not known whether the trial goes on.
                reply = reply if question is None else judged(reply, answer) if answer is not None else None
            if reply is None:
                return tuple(replies), request
            replies.append(reply)
            if not plan.goes_on(number, replies):
                return tuple(replies), None

    def _reply(self, cassette: Cassette, request: Request) -> Reply | None:
        """Return the recorded reply to a request; ``None`` if it has to be asked."""
        found = cassette.interaction(request.key)
        if found is None or must_ask(found, self._settings.record_mode, self._settings.began):
            return None
        return found.reply


def _characters(request: Request) -> int:
    return sum(len(message.content) for message in request.messages)
