"""copygen's own decoding."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from copygen.bench.work import Part, Work
from copygen.generation.generator import Request, Sampling
from copygen.generation.transformer import TransformerGenerator


class Ours:
    """The local generator, as a batch uses it."""

    def __init__(self, work: Work) -> None:
        self._generator = TransformerGenerator(
            work.model,
            Path(work.cache),
            work.device,
            work.threads,
            work.number_format,  # type: ignore[arg-type]
        )
        self.number_format = self._generator.identity.number_format

    def write(self, parts: Sequence[Part], sampling: Sampling) -> Iterator[int]:
        """All segments in one stream. Nothing is cut off early: the other engines can't."""
        requests = deque(
            Request(part.prompt, part.seed + number, part.shared)
            for part in parts
            for number in range(part.count)
        )
        for _, candidate in self._generator.write(requests, sampling):
            yield candidate.tokens
