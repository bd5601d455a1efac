"""A conversation as the network is shown it: SmolLM2's own form, up to where a reply begins."""

from dataclasses import dataclass

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Said:
    """One of the replies to a prompt.

    Attributes
    ----------
    text
        What is said.
    weight
        How much each of its tokens counts in the loss: the probability of the reply, where several are possible.
    """

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Example:
    """A text, and what may follow on it.

    Attributes
    ----------
    prompt
        From the first token to where the reply begins.
    replies
        What may follow. Together they are a distribution: the loss is the cross-entropy to it.
    """

    prompt: str
    replies: tuple[Said, ...]


def asked(user: str, lead: str = "") -> str:
    """Return the prompt that puts a user's message, and the first words of the reply."""
    return f"<|im_start|>system\n{SYSTEM}{END}\n<|im_start|>user\n{user}{END}\n<|im_start|>assistant\n{lead}"
