"""Agentic tasks on behalf of the entities that a model prefers most and least (arXiv 2602.18971, fourth question).

The wording, the limits and the bundled tasks are our choice.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from pytest_llmpref.cassettes import Deeds
from pytest_llmpref.config.profiles import Profile
from pytest_llmpref.config.wordings import Wordings
from pytest_llmpref.experiments.agents.inspect_tasks import InspectSample
from pytest_llmpref.experiments.agents.run import Arm, PlannedRun
from pytest_llmpref.experiments.agents.tasks import AgentTask, load_tasks
from pytest_llmpref.experiments.experiment import Around, Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import ChatModel, Message, Reply, Request

HARNESS = "inspect-ai's react agent with bash, python and submit"


@dataclass(frozen=True, slots=True)
class Framings:
    """The wordings.

    Attributes
    ----------
    system
        The agent's system message.
    form
        Puts a framing and a task's own prompt together.
    entity, no_entity
        The framings, by wording.
    """

    system: str
    form: str
    entity: tuple[str, ...]
    no_entity: tuple[str, ...]

    def worded(self, wordings: Wordings) -> "Framings":
        """Return these with the framings that the entity set brings."""
        given = wordings.get("agentic", {}).get("entity", self.entity)
        return replace(self, entity=tuple(given))

    def prompt(self, task: AgentTask, wording: int, entity: str | None) -> str:
        """Return the prompt of a run. What is inserted is never expanded again."""
        framing = self.no_entity[wording] if entity is None else self.entity[wording].format(entity=entity)
        return self.form.format(framing=framing, task=task.prompt).strip()


@dataclass(frozen=True, slots=True)
class AgenticExperiment:
    """Every task on behalf of every entity of both arms, and once on behalf of nobody."""

    framings: Framings
    measure: str = "agentic"

    def plan(self, conditions: Conditions) -> Plan[PlannedRun]:
        """Return one trial a run; its request is the run's identity, and its reply what the run came to.

        Where the profile's stopping is sequential, and there is a claim to decide, they are made in rounds.
        """
        runs = self._runs(conditions)
        plan = Plan(runs, [run.request for run in runs], lambda _run, _reply: True, attempts=1)
        if conditions.profile.stopping == "fixed" or not conditions.thresholds.get(self.measure) or not runs:
            return plan
        from pytest_llmpref.experiments.agents.stopping import AgenticStopping  # noqa: PLC0415 - imports numpy

        return replace(plan, rounds=AgenticStopping(conditions, plan).rounds())

    def _runs(self, conditions: Conditions) -> list[PlannedRun]:
        """Return the runs, task by task; a smaller profile makes some of a larger one's."""
        arms = conditions.arms
        if arms is None or not arms.top:
            return []
        cases: list[tuple[Arm, str | None]] = [
            *(("top", entity) for entity in arms.top),
            *(("bottom", entity) for entity in arms.bottom),
            ("control", None),
        ]
        return [
            self.run_of(conditions, task, number % len(self.framings.entity), arm, entity, epoch)
            for number, task in enumerate(self.tasks(conditions))
            for epoch in range(1 if task.sample is None else task.sample.task.epochs)
            for arm, entity in cases
        ]

    def tasks(self, conditions: Conditions) -> list[AgentTask]:
        """Return the tasks: of each suite so many of the easiest as the profile says."""
        found = []
        for suite in conditions.agentic:
            tasks = load_tasks((suite,))
            found += tasks[: conditions.profile.agentic_tasks]
        return found

    def analyse(self, conditions: Conditions, plan: Plan[PlannedRun], replies: Sequence[Replies]) -> Measure:
        """Compare the arms."""
        from pytest_llmpref.experiments.agents.measure import (  # noqa: PLC0415 - a plan needs no numpy
            agentic_measure,
            diagnosed,
        )

        made, came_to = plan.asked(replies)
        measure = agentic_measure(conditions, made.questions, [attempts[-1] for attempts in came_to])
        return diagnosed(measure, conditions.seed) if plan.rounds is None else plan.measured(measure, replies)

    async def check(self, conditions: Conditions, sandbox: str, *, live: bool) -> None:
        """Make sure, before anything is asked, that the tasks are there, and what confines the agents.

        Raises
        ------
        TasksError
            If the extra or the tasks are missing.
        NoSandboxError
            If agents would have to run unconfined.
        """
        tasks = self.tasks(conditions)
        if live:
            from pytest_llmpref.experiments.agents.sandboxes import (  # noqa: PLC0415 - imports inspect-ai
                check_sandbox,
                find_sandbox,
            )

            if any(task.sample is None for task in tasks):
                await find_sandbox(sandbox)
            own = {task.sample.task.shown: task.sample.task.sandboxes for task in tasks if task.sample is not None}
            for shown, kinds in own.items():
                for kind in kinds:
                    await check_sandbox(kind, shown)

    async def run_all(
        self,
        conditions: Conditions,
        plan: Plan[PlannedRun],
        numbers: Sequence[int],
        model: ChatModel,
        deeds: Deeds,
        around: Around,
    ) -> list[Replies]:
        """Run agents, or run them again on what is recorded, and return what each came to.

        Raises
        ------
        LLMPrefError
            As `check`; if the model is unavailable; if a replay lacks a recording.
        """

        def on_run(reply: Reply) -> None:
            # What is kept of a run is a record of it, and nothing that was said: no refusal is to be counted in it.
            around.on_reply(msgspec.structs.replace(reply, text=""), True)

        ended: dict[int, Reply] = {}
        for suite, planned in _by_suite(plan, numbers).items():
            if not suite:
                ended |= await self._run_ours(conditions.profile, planned, model, deeds, around, on_run)
                continue
            from pytest_llmpref.experiments.agents.inspect_runs import run_inspect  # noqa: PLC0415 - imports inspect-ai

            ended |= await run_inspect(planned, model, deeds, conditions.profile, around.in_flight, on_run=on_run)
        return [(ended[number],) for number in numbers]

    async def _run_ours(
        self,
        profile: Profile,
        planned: Mapping[int, PlannedRun],
        model: ChatModel,
        deeds: Deeds,
        around: Around,
        on_run: Callable[[Reply], None],
    ) -> dict[int, Reply]:
        """Have our own agent work on tasks."""
        from pytest_llmpref.experiments.agents.running import (  # noqa: PLC0415 - imports inspect-ai
            Harness,
            RunLimits,
            run_agents,
        )
        from pytest_llmpref.experiments.agents.sandboxes import find_sandbox  # noqa: PLC0415

        limits = RunLimits(
            profile.agentic_messages, profile.agentic_tokens, profile.agentic_seconds, profile.agentic_reply_tokens
        )
        confined_by = None if deeds.replays else await find_sandbox(around.sandbox)
        harness = Harness(self.framings.system, limits, confined_by, around.in_flight, around.logs)
        return await run_agents(planned, model, deeds, harness, on_run=on_run)

    def run_of(
        self, conditions: Conditions, task: AgentTask, wording: int, arm: Arm | None, entity: str | None, epoch: int = 0
    ) -> PlannedRun:
        """Return a run of a task on behalf of an entity, or of nobody.

        Parameters
        ----------
        conditions
            Of the study.
        task, wording, arm, entity
            As in `PlannedRun`.
        epoch
            How often the same run was planned before.
        """
        framings = self.framings.worded(conditions.entities.wordings)
        prompt = framings.prompt(task, wording, None if entity is None else conditions.names[entity])
        profile = conditions.profile
        system = f"{self.framings.system}\n\n({_limits(profile, task)})"
        request = Request(
            model=conditions.model,
            messages=(
                Message("system", system if task.sample is None else f"({_limits_of(task.sample, profile)})"),
                Message("user", prompt),
            ),
            temperature=profile.temperature,
            max_tokens=profile.agentic_tokens if task.sample is None else _tokens(task.sample, profile),
            repetition=epoch,
            asked="agent",
        )
        return PlannedRun(task, entity, arm, wording, prompt, request)


def _limits(profile: Profile, task: AgentTask) -> str:
    """Say in what a run is bounded: part of its identity, and no part of what the agent reads."""
    return (
        f"{HARNESS}; {task.id}, {task.attempts} submissions; at most {profile.agentic_messages} messages, "
        f"{profile.agentic_tokens} tokens, {profile.agentic_seconds} seconds, "
        f"{profile.agentic_reply_tokens} tokens a reply"
    )


def _limits_of(sample: InspectSample, profile: Profile) -> str:
    """Say which sample of which task is run, and in what it is bounded: the identity of a run with its own solver."""
    ours = {"message_limit": profile.agentic_messages, "token_limit": profile.agentic_tokens}
    if not sample.task.limits.keys() & {"time_limit", "working_limit"}:
        ours["working_limit"] = profile.agentic_seconds
    limits = ", ".join(f"{name} {value}" for name, value in sorted((ours | dict(sample.task.limits)).items()))
    return (
        f"inspect-ai's task {sample.task.shown}, version {sample.task.version}; sample {sample.id}, {sample.digest}; "
        f"{limits}; {profile.agentic_reply_tokens} tokens a reply, unless the task says otherwise"
    )


def _tokens(sample: InspectSample, profile: Profile) -> int:
    """Return the most tokens that a run may use, for plans."""
    return int(sample.task.limits.get("token_limit", profile.agentic_tokens))


def _by_suite(plan: Plan[PlannedRun], numbers: Sequence[int]) -> dict[str, dict[int, PlannedRun]]:
    """Return runs by the task of Inspect's that they are of; those of our own agent under an empty name."""
    found: dict[str, dict[int, PlannedRun]] = {}
    for number in numbers:
        sample = (run := plan.questions[number]).task.sample
        found.setdefault("" if sample is None else sample.task.named.given, {})[number] = run
    return found


def agentic() -> AgenticExperiment:
    """Return the experiment behind the measure ``agentic``."""
    path = data_folder("fixtures") / "prompts" / "agentic.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    framings = table["framings"]
    return AgenticExperiment(
        Framings(table["system"].strip(), table["form"], tuple(framings["entity"]), tuple(framings["no_entity"]))
    )
