"""The job that is measured: a packaged brief, rendered as for a batch."""

from collections.abc import Sequence
from dataclasses import replace

from copygen import schemas
from copygen.bench.work import Part
from copygen.generation.loading import load_tokenizer
from copygen.generation.tokenizing import Text
from copygen.generation.transformer import ADAPTER_PROMPT, CHAT_PROMPT
from copygen.generation.weights import Weights
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services.writing import CANDIDATES_PER_VARIANT, outlined

BRIEF = "brief.yaml"
BRAND = "marram-kitchen.yaml"

SEED = 0
"""Of the batch: it draws the brand's example lines."""

SEEDS_APART = 1000
"""Between the first seeds of two segments: more than a segment has candidates."""


def make(source: Weights, segments: int, variants: int) -> list[Part]:
    """The parts of a job of so many segments, with the candidates that a batch asks for first.

    Beyond the packaged brief's segments they come again, each as a group of its own.

    Raises:
        InvalidInput: the model has no tokenizer that can be loaded.
    """
    folder = data_folder("bench")
    brief = schemas.load(schemas.Brief, folder / BRIEF)
    brand = schemas.load(schemas.Brand, folder / BRAND)
    chat = not source.is_default
    prompt = Prompt.load(data_folder("prompts"), CHAT_PROMPT if chat else ADAPTER_PROMPT)
    text = Text(source.folder, load_tokenizer(source.folder) if chat else None, chat)
    parts = []
    for number, segment in enumerate(_segments(brief.segments, segments)):
        rendered, shared = outlined(prompt, brand, brief, segment, SEED)
        ids = sum(text.encode(rendered, 0), ())
        count = variants * CANDIDATES_PER_VARIANT
        parts.append(Part(rendered, ids, shared, number * SEEDS_APART, count))
    return parts


def _segments(known: Sequence[schemas.Segment], count: int) -> list[schemas.Segment]:
    found = []
    for number in range(count):
        turn, index = divmod(number, len(known))
        segment = known[index]
        if turn:
            described = f"{segment.description}, group {turn + 1}"
            segment = segment.model_copy(update={"description": described})
        found.append(segment)
    return found


def shortened(parts: Sequence[Part], segments: int, candidates: int) -> list[Part]:
    """The first parts, with at most so many candidates each."""
    return [replace(part, count=min(part.count, candidates)) for part in parts[:segments]]


def candidates(parts: Sequence[Part]) -> int:
    """How many the parts ask for."""
    return sum(part.count for part in parts)
