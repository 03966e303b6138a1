"""What a generator is: prompt and seeds in, candidate texts out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. The defaults served best with the packaged adapter (its card).

    `top_k` is 0 where it isn't set here, but where the model runs.
    """

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

    decoding: str = ""
    """The way it decodes, and the version of it."""

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def _never(text: str) -> bool:  # noqa: ARG001
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """One candidate to write.

    `shared`: how many leading characters of the prompt belong to the whole brief; a generator may
    read them once for all of its segments. `hopeless` is asked, about a text that is not finished
    yet, whether nothing can come of it any more: then it is cut off. `key` says to whoever asked
    what the request is for.
    """

    prompt: str
    seed: int
    shared: int = 0
    key: int = 0
    hopeless: Callable[[str], bool] = _never


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text as the model wrote it.

    `logprob` is the mean natural log-probability of its tokens at temperature 1, and 0 where the
    generator doesn't know it; `complete` is False where it was cut off.
    """

    seed: int
    text: str
    tokens: int
    logprob: float
    complete: bool


class Generator(Protocol):
    """Writes candidates. A request's text depends on its prompt, `shared`, seed and the sampling
    alone, byte for byte on the same machine, and never on what else is asked for.
    """

    @property
    def identity(self) -> Identity:
        """What writes."""
        ...

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        """A candidate for each request, in the order in which they are finished.

        Requests are taken from the left as there is room for them; more may be added between two
        candidates. Ends once there are none left.

        Raises:
            GenerationFailed: the model broke off, or the prompt is longer than its context.
        """
        ...

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:
        """Mean natural log-probability of each text's tokens after `prompt`, at temperature 1; 0
        for all where the generator doesn't know it."""
        ...
