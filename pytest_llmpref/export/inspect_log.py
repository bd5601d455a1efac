"""Results as logs of Inspect: one ``.eval`` for each model and measure, which Inspect View and ``samples_df`` open.

A trial is a sample: its question is the input, its last reply the output, its outcome and score are scores, and what
varied is metadata. Questions and replies are whole where the cassette is there, and as results.json clips them else.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalPlan,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.scorer import Score

from pytest_llmpref.cassettes.files import slug
from pytest_llmpref.cassettes.interaction import Interaction
from pytest_llmpref.export.records import Record, rows_of, trials_of
from pytest_llmpref.models.chat import Message
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import Results

MESSAGES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
STOPS: Mapping[str, StopReason] = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}
"""Our finish reason -> Inspect's; any other is ``unknown``."""
_DETAILS = (
    "key",
    "entity_1",
    "entity_2",
    "control",
    "attempts",
    "course",
    "first_is_a",
    "wording",
    "repetition",
    "framing",
    "correct",
    "context",
    "drawing",
    "arm_1",
    "arm_2",
)


def write_logs(results: Results, folder: Path, recorded: Mapping[str, Mapping[str, Interaction]]) -> list[Path]:
    """Write a log for each model and measure that has trials.

    Parameters
    ----------
    results
        Of a run.
    folder
        Where to.
    recorded
        Model -> what is recorded of it, by key.

    Returns
    -------
    list of Path
        The files.
    """
    written = []
    for model, found in results.models.items():
        for measure, record in found.measures.items():
            if record.columns is None:
                continue
            path = folder / f"{slug(model)}_{measure}.eval"
            write_eval_log(log_of(results, model, measure, recorded.get(model, {})), str(path))
            written.append(path)
    return written


def log_of(results: Results, model: str, measure: str, recorded: Mapping[str, Interaction]) -> EvalLog:
    """Return the log of one measure of a model.

    Parameters
    ----------
    results
        Of a run.
    model, measure
        Their names.
    recorded
        What is recorded of the model, by key.
    """
    run, record = results.run, results.models[model].measures[measure]
    samples = list(samples_of(results, record, recorded))
    task = f"pytest_llmpref/{measure}"
    # The same results give the same log.
    identity = hashlib.sha256(f"{run.began} {model} {measure}".encode()).hexdigest()[:22]
    claims = [claim for claim in rows_of(results, "claims") if claim["model"] == model]
    return EvalLog(
        status="success",
        eval=EvalSpec(
            eval_id=identity,
            run_id=identity,
            task_id=identity,
            created=run.began,
            task=task,
            dataset=EvalDataset(name=run.entities, samples=len(samples), sample_ids=_ids(samples)),
            model=model,
            config=EvalConfig(epochs=max((sample.epoch for sample in samples), default=1)),
            packages={"pytest-llmpref": run.version},
            metadata={
                "profile": run.profile,
                "seed": run.seed,
                "valid": record.valid,
                "reasons": record.reasons,
                "claims": [claim for claim in claims if measure in claim["measures"].split("; ")],
            },
        ),
        plan=EvalPlan(),
        results=EvalResults(
            total_samples=len(samples),
            completed_samples=len(samples),
            scores=[EvalScore(name=measure, scorer="pytest_llmpref", metrics=_metrics(record))],
        ),
        stats=EvalStats(started_at=run.began, completed_at=run.began),
        samples=samples,
    )


def _ids(samples: Sequence[EvalSample]) -> list[str]:
    return list(dict.fromkeys(str(sample.id) for sample in samples))


def samples_of(results: Results, record: MeasureRecord, recorded: Mapping[str, Interaction]) -> Iterator[EvalSample]:
    """Yield the trials of a measure as samples.

    Parameters
    ----------
    results
        For the names of entities.
    record
        The measure.
    recorded
        What is recorded of the model, by key.
    """
    seen = Counter[str]()
    names = {entity: one.name for entity, one in results.entities.items()}
    for trial in trials_of(record):
        asked = _asked(trial)
        seen[asked] += 1
        yield _sample(trial, asked, seen[asked], names, recorded.get(trial["key"]))


def _asked(trial: Record) -> str:
    """Return an id of a question that all of its repetitions share: they are the epochs of a sample."""
    label = {True: "A", False: "B", None: None}[trial["first_is_a"]]
    parts = (trial["entity_1"], trial["entity_2"], trial["question"], trial["framing"], label, f"w{trial['wording']}")
    return "/".join(part for part in parts if part)


def _sample(
    trial: Record, asked: str, epoch: int, names: Mapping[str, str], recorded: Interaction | None
) -> EvalSample:
    ids = [trial[name] for name in ("entity_1", "entity_2") if trial[name]]
    shown = " or ".join(names.get(entity, entity) for entity in ids)
    messages = [] if recorded is None else [_message(one) for one in recorded.request.messages]
    text = trial["text"] if recorded is None else recorded.reply.text or recorded.reply.refusal or ""
    finish = "stop" if recorded is None else recorded.reply.finish
    usage = None if recorded is None else _usage(recorded)
    answer = ChatMessageAssistant(content=text)
    choice = ChatCompletionChoice(message=answer, stop_reason=STOPS.get(finish, "unknown"))
    return EvalSample(
        id=asked,
        epoch=epoch,
        input=messages or shown,
        target="",
        messages=[*messages, answer],
        output=ModelOutput(model="" if recorded is None else recorded.reply.served, choices=[choice], usage=usage),
        scores=_scores(trial),
        metadata={name: trial[name] for name in _DETAILS},
        model_usage={} if recorded is None or usage is None else {recorded.request.model: usage},
        uuid=trial["key"][:22],
    )


def _scores(trial: Record) -> dict[str, Score]:
    found = {"outcome": Score(value=trial["outcome"], explanation=trial["course"])}
    if trial["score"] is not None:
        found["score"] = Score(value=trial["score"])
    return found


def _message(message: Message) -> ChatMessage:
    if message.role == "tool":
        return ChatMessageTool(content=message.content, tool_call_id=message.tool_call_id)
    return MESSAGES[message.role](content=message.content)


def _usage(recorded: Interaction) -> ModelUsage:
    reply = recorded.reply
    return ModelUsage(
        input_tokens=reply.prompt_tokens,
        output_tokens=reply.completion_tokens,
        total_tokens=reply.prompt_tokens + reply.completion_tokens,
        reasoning_tokens=reply.reasoning_tokens or None,
        total_cost=reply.cost,
    )


def _metrics(record: MeasureRecord) -> dict[str, EvalMetric]:
    """Return the estimate of each entity that has one."""
    found: dict[str, Any] = {
        entity: EvalMetric(name=entity, value=one.value, metadata={"low": one.low, "high": one.high, "n": one.n})
        for entity, one in record.entities.items()
        if one.value is not None
    }
    return found
