"""What a generator is: prompt and seeds in, candidate texts out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. The defaults served best with the packaged adapter (its card)."""

    temperature: float = 0.6
    top_k: int = 40
    max_tokens: int = 80


@dataclass(frozen=True, slots=True)
class Identity:
    """What writes: all of it goes into the provenance."""

    generator: str
    model: str
    weights_sha256: str
    adapter: str
    adapter_sha256: str
    device: str
    number_format: str
    threads: int
    libraries: str
    """Versions of what computes."""

    prompt: str
    """Name of the prompt that this model is to be given."""

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text as the model wrote it.

    `logprob` is the mean natural log-probability of its tokens at temperature 1; `complete` is
    False where it ran into `max_tokens`.
    """

    seed: int
    text: str
    tokens: int
    logprob: float
    complete: bool


class Generator(Protocol):
    """Writes candidates. The same prompt, seeds and sampling give the same texts, byte for byte,
    on the same machine; a candidate's text may depend on which seeds it was written along with.
    """

    @property
    def identity(self) -> Identity:
        """What writes."""
        ...

    def write(self, prompt: str, seeds: Sequence[int], sampling: Sampling) -> list[Candidate]:
        """One candidate for each seed, in order.

        Raises:
            GenerationFailed: the model broke off, or the prompt is longer than its context.
        """
        ...

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:
        """Mean natural log-probability of each text's tokens after `prompt`, at temperature 1."""
        ...
