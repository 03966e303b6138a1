"""What a measured process is told, and what an engine in it is."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from copygen.generation.generator import Sampling


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's candidates: their seeds count up from `seed`.

    `ids` are the prompt's token ids; its first `shared` characters are those of the whole brief.
    """

    prompt: str
    ids: tuple[int, ...]
    shared: int
    seed: int
    count: int


@dataclass(frozen=True, slots=True)
class Work:
    """An engine, what it loads, and the job.

    `number_format` is one of the engine's own names. `gguf` names a file with the weights, for the
    engines that read one. The others are settings.
    """

    engine: str
    number_format: str
    model: str
    cache: str
    device: str
    threads: int
    gguf: str
    sampling: Sampling
    parts: Sequence[Part]

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Work":
        """The work that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(line)
        parts = [Part(**(part | {"ids": tuple(part["ids"])})) for part in raw["parts"]]
        return cls(**(raw | {"parts": parts, "sampling": Sampling(**raw["sampling"])}))


class Engine(Protocol):
    """A loaded engine."""

    number_format: str
    """What it computes in, in words."""

    def write(self, parts: Sequence[Part], sampling: Sampling) -> Iterator[int]:
        """Write all candidates; as each is finished, how many tokens it has, its end token too."""
        ...


class Unsupported(Exception):
    """The engine can't compute in that number format here."""
