"""Logs of Inspect's, as rows: one for each sample and epoch, whose error or limit is told apart from a reply."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalSample, read_eval_log, read_eval_log_samples

from pytest_llmpref.imports.cells import ImportFileError, TableRow

STOPS = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}
"""Inspect's stop reason -> ours; any other is ``stop``."""


def inspect_rows(path: Path) -> Iterator[TableRow]:
    """Yield the samples of a log, one by one.

    Columns: ``model``, ``sample``, ``epoch``, ``id`` (both of these), ``input``, ``reply``, ``finish``,
    ``prompt_tokens``, ``completion_tokens``, ``served``; and each field of the metadata, and each score, as
    ``metadata.NAME`` and ``score.NAME``. A sample that ended in an error, or was stopped by a limit before its reply
    was whole, has the finish reason ``error`` or ``length``.

    Parameters
    ----------
    path
        A .eval file.

    Raises
    ------
    ImportFileError
        If Inspect's own reader cannot read it.
    """
    try:
        header = read_eval_log(str(path), header_only=True)
        if header.eval.dataset.sample_ids is None:
            # Written by no run of Inspect's, whose own reader cannot go through it sample by sample.
            samples = iter(read_eval_log(str(path)).samples or ())
        else:
            samples = read_eval_log_samples(str(path), all_samples_required=False)
        for number, sample in enumerate(samples, start=1):
            yield TableRow(f"sample {number}", _cells(header.eval.model, sample))
    except ImportFileError:
        raise
    except Exception as error:
        said = str(error).partition("\n")[0]
        fix = "is it of another version? install the inspect-ai that wrote it"
        raise ImportFileError(path, [f"inspect-ai cannot read it ({type(error).__name__}: {said}); {fix}"]) from error


def _cells(model: str, sample: EvalSample) -> dict[str, Any]:
    output, usage = sample.output, sample.output.usage
    cells = {
        "model": model,
        "sample": str(sample.id),
        "epoch": sample.epoch,
        "id": f"{sample.id}/{sample.epoch}",
        "input": sample.input if isinstance(sample.input, str) else "\n".join(one.text for one in sample.input),
        "reply": output.completion,
        "finish": STOPS.get(output.stop_reason, "stop") if output.choices else "stop",
        "prompt_tokens": usage.input_tokens if usage else None,
        "completion_tokens": usage.output_tokens if usage else None,
        "served": output.model,
        **{f"metadata.{name}": value for name, value in sample.metadata.items()},
        **{f"score.{name}": score.value for name, score in (sample.scores or {}).items()},
    }
    if sample.error is not None or output.error:
        cells |= {"finish": "error", "reply": sample.error.message if sample.error is not None else output.error}
    elif sample.limit is not None:
        cells["finish"] = "length"
    return cells
