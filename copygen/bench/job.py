"""The fixed job: a long brief with ten segments, as the service would ask for it."""

from dataclasses import asdict, dataclass
from typing import Any

from copygen import schemas
from copygen.generation.generator import Sampling
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services.writing import CANDIDATES_PER_VARIANT, outlined

SEED = 0


@dataclass(frozen=True, slots=True)
class Job:
    """Prompts, one a segment, each with the count of its characters that all of them share."""

    prompts: list[tuple[str, int]]
    candidates: int
    """For each prompt."""

    sampling: Sampling

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Job":
        """The job of a `record`."""
        prompts = [(text, shared) for text, shared in record["prompts"]]
        return cls(prompts, record["candidates"], Sampling(**record["sampling"]))


def make(prompt_name: str, segments: int, variants: int) -> Job:
    """The job for a number of segments, the brief's ten in turn, and of variants for each."""
    folder = data_folder("bench")
    brief = schemas.load(schemas.Brief, folder / "brief.yaml")
    brand = schemas.load(schemas.Brand, folder / f"{brief.brand}.yaml")
    prompt = Prompt.load(data_folder("prompts"), prompt_name)
    rendered = [outlined(prompt, brand, brief, segment, SEED) for segment in brief.segments]
    prompts = [rendered[number % len(rendered)] for number in range(segments)]
    return Job(prompts, variants * CANDIDATES_PER_VARIANT, Sampling())
