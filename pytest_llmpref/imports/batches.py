"""Result files of OpenAI's and Anthropic's batches: each line as a row with id, model, reply and finish reason."""

from collections.abc import Mapping
from typing import Any

STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "content_filter"}
"""Anthropic's stop reason -> ours; any other stays."""
_FAILED = "error"


def is_batch_line(row: Mapping[str, Any]) -> bool:
    """Whether an object of a JSON-lines file is a line of a batch's results.

    Parameters
    ----------
    row
        The object.
    """
    return "custom_id" in row and ("response" in row or "result" in row)


def batch_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of a batch's results as the cells of a row. A call that failed has the finish reason ``error``.

    Parameters
    ----------
    row
        A line.

    Examples
    --------
    >>> message = {"model": "claude", "content": [{"type": "text", "text": "Hm."}], "stop_reason": "end_turn"}
    >>> found = batch_row({"custom_id": "q1", "result": {"type": "succeeded", "message": message}})
    >>> found["id"], found["model"], found["reply"], found["finish"]
    ('q1', 'claude', 'Hm.', 'stop')
    """
    cells = _anthropic(row["result"] or {}) if "result" in row else _openai(row)
    return {"id": row["custom_id"], **cells}


def _openai(row: Mapping[str, Any]) -> dict[str, Any]:
    response = row.get("response") or {}
    body = response.get("body") or {}
    if row.get("error") or response.get("status_code", 200) >= 400:
        error = row.get("error") or body.get("error") or {}
        return {"reply": _said(error), "finish": _FAILED, "model": body.get("model")}
    usage = body.get("usage") or {}
    cells = {
        "model": body.get("model"),
        "prompt_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "completion_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
    }
    if "output" in body:
        return cells | _responses(body)
    choice = (body.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    refusal = message.get("refusal")
    # The refusal's own words, where the provider has a field for them.
    finish = "content_filter" if refusal else choice.get("finish_reason") or "stop"
    return cells | {"reply": message.get("content") or refusal or "", "finish": finish}


def _responses(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the Responses API puts into a body."""
    parts = [part for item in body["output"] or () for part in item.get("content") or () if isinstance(part, dict)]
    refusals = [part["refusal"] for part in parts if part.get("type") == "refusal"]
    text = "".join(part.get("text", "") for part in parts if part.get("type") == "output_text")
    cut = body.get("status") == "incomplete"
    return {
        "reply": text or "".join(refusals),
        "finish": "content_filter" if refusals else "length" if cut else "stop",
    }


def _anthropic(result: Mapping[str, Any]) -> dict[str, Any]:
    if result.get("type") != "succeeded":
        error = (result.get("error") or {}).get("error") or result.get("error") or {"message": result.get("type")}
        return {"reply": _said(error), "finish": _FAILED}
    message = result.get("message") or {}
    usage = message.get("usage") or {}
    text = "".join(part.get("text", "") for part in message.get("content") or () if part.get("type") == "text")
    stop = message.get("stop_reason") or "stop"
    return {
        "model": message.get("model"),
        "reply": text,
        "finish": STOPS.get(stop, stop),
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
    }


def _said(error: object) -> str:
    return str(error.get("message") or error.get("type") or "failed") if isinstance(error, dict) else str(error)
