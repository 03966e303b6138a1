"""Writing one segment: prompt, candidates, guardrails, choice. Knows no database."""

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation.generator import Candidate, Generator, Sampling
from copygen.generation.parsing import parse
from copygen.generation.selection import Scored, choose, choose_blocked, score
from copygen.prompts import Prompt
from copygen.schemas import Brand, Brief, Segment
from guardrails import Guardrails, Item, MergeTag

ROUND = 32
"""Candidates written at a time."""

CANDIDATES_PER_VARIANT = 6
"""Candidates for each variant wanted, before the first choice: a choice needs something to choose
from, and most of a small model's candidates are not fit to send."""

MAX_CANDIDATES_PER_VARIANT = 24
"""Where writing on is given up and the slots that are left get what was blocked."""

SOUNDS_LIKE = 3
"""Example lines of the brand in a prompt, as in the adapter's training."""

MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Written:
    """What one segment came to."""

    variants: list[Scored]
    provenance: list[dict[str, Any]]
    prompt_text: str
    candidates: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Source:
    """What a stored variant was written from."""

    sha256: str
    prompt_text: str
    merge_tags: Mapping[str, MergeTag]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """All that writing takes: a generator, the guardrails, the prompts."""

    generator: Generator
    guardrails: Guardrails
    prompts: Path
    sampling: Sampling = field(default_factory=Sampling)

    def write(
        self,
        brand: Brand,
        brief: Brief,
        segment: Segment,
        seed: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> Written:
        """`brief.variants` variants for `segment`: fewer where the model gives no more.

        Seeds of the candidates count up from `seed`. `progress` is told how many candidates are
        written and how many are planned.

        Raises:
            InvalidInput: the model doesn't write the brief's language.
            GenerationFailed: not one candidate was well-formed, or the model broke off.
        """
        began = time.monotonic()
        self.accept(brief)
        prompt = Prompt.load(self.prompts, self.generator.identity.prompt)
        text = prompt.render(variables(prompt, brand, brief, segment, seed))
        plain = Prompt.load(self.prompts, "brand").render({"brand": brand})
        wanted = brief.variants
        planned = _rounded(wanted * CANDIDATES_PER_VARIANT)
        limit = _rounded(wanted * MAX_CANDIDATES_PER_VARIANT)
        scored: list[Scored] = []
        chosen: list[Scored] = []
        written = 0
        while written < planned or (len(chosen) < wanted and written < limit):
            seeds = [(seed + written + offset) % MAX_SEED for offset in range(ROUND)]
            candidates = self.generator.write(text, seeds, self.sampling)
            scored += self._scored(candidates, plain, brand, brief, segment, scored)
            written += ROUND
            chosen = choose(scored, wanted)
            if progress is not None:
                progress(written, max(planned, written))
        if not scored:
            raise GenerationFailed(
                f"{self.generator.identity.model or 'The model'} wrote {written} candidates for "
                f"{segment.name!r} and none was a subject and a preview. "
                "Take another model or prompt."
            )
        chosen += choose_blocked(scored, wanted - len(chosen))
        made_by = {
            "generator": self.generator.identity.record(),
            "prompt": {**prompt.record(), "rendered_sha256": text_hash(text)},
            "sampling": asdict(self.sampling),
            "policy": self._policy(),
        }
        provenance = [
            {
                **made_by,
                "seed": each.seed,
                "written_with": {"first_seed": _first(seed, each.seed), "count": ROUND},
                "score": round(each.score, 4),
            }
            for each in chosen
        ]
        return Written(chosen, provenance, text, written, time.monotonic() - began)

    def accept(self, brief: Brief) -> None:
        """Hold a brief to what the model can do.

        Raises:
            InvalidInput: the model doesn't write the brief's language.
        """
        if self.generator.identity.adapter and not brief.language.startswith("en"):
            raise InvalidInput(
                f"language: {brief.language}, but the packaged adapter writes English alone. "
                "Name a model of that language in COPYGEN_MODEL.",
                field="language",
            )

    def _policy(self) -> dict[str, Any]:
        policy = self.guardrails.policy
        return {"name": policy.file.name, "version": policy.file.version, "sha256": policy.sha256}

    def _scored(
        self,
        candidates: Sequence[Candidate],
        plain: str,
        brand: Brand,
        brief: Brief,
        segment: Segment,
        earlier: Sequence[Scored],
    ) -> list[Scored]:
        """The well-formed ones that are not there yet, judged and scored."""
        seen = {(each.subject, each.preview) for each in earlier}
        kept: list[tuple[Candidate, str, str]] = []
        for candidate in candidates:
            parsed = parse(candidate.text, segment.merge_tags) if candidate.complete else None
            if parsed is not None and parsed not in seen:
                seen.add(parsed)
                kept.append((candidate, *parsed))
        if not kept:
            return []
        items = [Item(subject, preview, brief, segment, brand) for _, subject, preview in kept]
        reports = self.guardrails.check(items)
        baselines = self.generator.likelihood(plain, [candidate.text for candidate, *_ in kept])
        return [
            Scored(candidate.seed, subject, preview, report, score(candidate.logprob, baseline))
            for (candidate, subject, preview), report, baseline in zip(
                kept, reports, baselines, strict=True
            )
        ]


def variables(
    prompt: Prompt, brand: Brand, brief: Brief, segment: Segment, seed: int
) -> Mapping[str, Any]:
    """What there is to fill into a prompt: the ones of these that it declares.

    `sounds_like`: a few of the brand's on_voice lines, drawn by `seed`.
    """
    lines = list(brand.on_voice)
    drawn = random.Random(seed).sample(lines, min(SOUNDS_LIKE, len(lines)))  # noqa: S311
    known = {"brand": brand, "brief": brief, "segment": segment, "sounds_like": drawn}
    return {name: known[name] for name in prompt.head.variables if name in known}


def rewrite(generator: Generator, source: Source) -> tuple[str, str] | None:
    """Write a variant again: its subject and preview, as they come out now.

    Raises:
        InvalidInput: what writes now is not what wrote then; the message names the difference.
    """
    now = generator.identity.record()
    for name, then in source.provenance["generator"].items():
        if now[name] != then:
            raise InvalidInput(f"It was written with {name} {then!r}; here it is {now[name]!r}.")
    beside = source.provenance["written_with"]
    seeds = [(beside["first_seed"] + offset) % MAX_SEED for offset in range(beside["count"])]
    sampling = Sampling(**source.provenance["sampling"])
    candidates = generator.write(source.prompt_text, seeds, sampling)
    seed = source.provenance["seed"]
    written = next(candidate for candidate in candidates if candidate.seed == seed)
    return parse(written.text, source.merge_tags)


def text_hash(text: str) -> str:
    """SHA-256 of a rendered prompt."""
    return hashlib.sha256(text.encode()).hexdigest()


def _rounded(count: int) -> int:
    return -(-count // ROUND) * ROUND


def _first(base: int, seed: int) -> int:
    """First seed of the round that `seed` was written in."""
    offset = (seed - base) % MAX_SEED
    return (base + offset - offset % ROUND) % MAX_SEED
