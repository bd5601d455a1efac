"""From a model's name to the model."""

from pytest_llmpref.models.chat import ChatModel, ModelUnavailableError


def open_model(name: str, *, timeout: float, max_tries: int, max_wait: float) -> ChatModel:
    """Return the model that ``--model NAME`` means; nothing is started or asked yet.

    Parameters
    ----------
    name
        ``local/...``, else litellm's own model name.
    timeout
        Seconds that one call may take.
    max_tries, max_wait
        Most tries of one call, and seconds for all of them together.

    Raises
    ------
    ModelUnavailableError
        If the name means no model.
    """
    if name.startswith("sim/"):
        raise ModelUnavailableError(f"{name}: simulated models are not part of this version")
    if name.startswith("local/"):
        from pytest_llmpref.models.local import LocalModel  # noqa: PLC0415 - only what is used is imported

        return LocalModel(name, timeout=timeout, max_tries=max_tries, max_wait=max_wait)
    from pytest_llmpref.models.live import LiveModel  # noqa: PLC0415 - litellm takes seconds to import

    return LiveModel(name, timeout=timeout, max_tries=max_tries, max_wait=max_wait)
