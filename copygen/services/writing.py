"""Writing segments: prompts, candidates, guardrails, choice. Knows no database."""

import hashlib
import itertools
import operator
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as Stream
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation.generator import Candidate, Generator, Request, Sampling
from copygen.generation.parsing import hopeless, parse
from copygen.generation.selection import Scored, choose, choose_blocked, score
from copygen.prompts import Prompt
from copygen.schemas import Brand, Brief, Segment
from copygen.services import policies
from guardrails import Guardrails, Item, MergeTag, Policy, Waiver
from guardrails import types as plain

CANDIDATES_PER_VARIANT = 6
"""Candidates for each variant wanted, before the first choice: a choice needs something to choose
from, and most of a small model's candidates are not fit to send."""

MAX_CANDIDATES_PER_VARIANT = 24
"""Where writing on is given up and the slots that are left get what was blocked."""

SOUNDS_LIKE = 3
"""Example lines of the brand in a prompt, as in the adapter's training."""

MAX_SEED = 2**31 - 1

NO_SEGMENT = plain.Segment(name="\0", description="\0")
"""Stands in for a segment, to see where in a prompt the segment begins: no schema lets a zero
through."""


@dataclass(frozen=True, slots=True)
class Job:
    """One segment to write: its candidates' seeds count up from `seed`. `id` is the caller's."""

    id: str
    segment: Segment
    seed: int


Progress = Callable[[Job, int, int], None]
"""Called after each candidate with its job, how many it has, and how many are asked for."""


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
    """All that writing takes: a generator, the guardrails, the prompts, brands' own policies."""

    generator: Generator
    guardrails: Guardrails
    prompts: Path
    sampling: Sampling = field(default_factory=Sampling)
    policies: Path | None = None

    def write(
        self,
        brand: Brand,
        brief: Brief,
        jobs: Sequence[Job],
        seed: int,
        progress: Progress | None = None,
        waivers: Sequence[Waiver] = (),
    ) -> Stream[tuple[Job, Written], None, None]:
        """Each job as it ends, with `brief.variants` variants: fewer where the model gives no more.

        All are written in one stream, in their order, so that the next one's candidates fill the
        places that come free. What a job comes to depends on no other job. `seed` draws what is
        the same for all of them. `waivers` are the exceptions in force for the brand.

        Raises:
            InvalidInput: the model doesn't write the brief's language, or the brand's own policy
                can't be used.
            GenerationFailed: not one of a job's candidates was well-formed, or the model broke off.
        """
        guardrails = self.accept(brand, brief)
        check = partial(guardrails.check, waivers=waivers)
        prompt = Prompt.load(self.prompts, self.generator.identity.prompt)
        brand_prompt = Prompt.load(self.prompts, "brand").render({"brand": brand})
        cut_off = partial(hopeless, brief.limits)
        wanted = brief.variants
        limit = wanted * MAX_CANDIDATES_PER_VARIANT
        drafts: dict[int, _Draft] = {}
        requests: deque[Request] = deque()
        for key, job in enumerate(jobs):
            text, shared = outlined(prompt, brand, brief, job.segment, seed)
            first = Request(text, job.seed, shared, key, cut_off)
            drafts[key] = _Draft(job, first)
            requests.extend(drafts[key].ask(wanted * CANDIDATES_PER_VARIANT))
        stream = self.generator.write(requests, self.sampling)
        try:
            for request, candidate in stream:
                draft = drafts[request.key]
                draft.add(candidate)
                if progress is not None:
                    progress(draft.job, draft.came, draft.asked)
                if draft.came < draft.asked:
                    continue
                draft.scored += self._scored(draft, brand_prompt, brand, brief, check)
                chosen = choose(draft.scored, wanted)
                missing = wanted - len(chosen)
                more = min(missing * CANDIDATES_PER_VARIANT, limit - draft.asked)
                if more:
                    requests.extendleft(reversed(draft.ask(more)))
                    continue
                if not draft.scored:
                    raise GenerationFailed(self._nothing(draft, brief))
                chosen += choose_blocked(draft.scored, missing)
                del drafts[request.key]
                yield draft.job, self._written(draft, chosen, prompt, guardrails.policy)
        finally:
            if isinstance(stream, Stream):
                stream.close()

    def accept(self, brand: Brand, brief: Brief) -> Guardrails:
        """Hold a brief to what the model can do; the guardrails for its brand.

        Raises:
            InvalidInput: the model doesn't write the brief's language, or the brand's own policy
                can't be used.
        """
        if self.generator.identity.adapter and not brief.language.startswith("en"):
            raise InvalidInput(
                f"language: {brief.language}, but the packaged adapter writes English alone. "
                "Name a model of that language in COPYGEN_MODEL.",
                field="language",
            )
        return policies.for_brand(self.guardrails, self.policies, brand)

    def _scored(
        self,
        draft: "_Draft",
        brand_prompt: str,
        brand: Brand,
        brief: Brief,
        check: Callable[[Sequence[Item]], list[plain.Report]],
    ) -> list[Scored]:
        """The well-formed ones of a draft's new candidates that it has not yet, judged and scored."""
        segment = draft.job.segment
        seen = {(each.subject, each.preview) for each in draft.scored}
        kept: list[tuple[Candidate, str, str]] = []
        for candidate in draft.take():
            parsed = parse(candidate.text, segment.merge_tags) if candidate.complete else None
            if parsed is not None and parsed not in seen:
                seen.add(parsed)
                kept.append((candidate, *parsed))
        if not kept:
            return []
        items = [Item(subject, preview, brief, segment, brand) for _, subject, preview in kept]
        reports = check(items)
        baselines = self.generator.likelihood(
            brand_prompt, [candidate.text for candidate, *_ in kept]
        )
        return [
            Scored(candidate.seed, subject, preview, report, score(candidate.logprob, baseline))
            for (candidate, subject, preview), report, baseline in zip(
                kept, reports, baselines, strict=True
            )
        ]

    def _written(
        self, draft: "_Draft", chosen: list[Scored], prompt: Prompt, policy: Policy
    ) -> Written:
        text = draft.first.prompt
        made_by = {
            "generator": self.generator.identity.record(),
            "prompt": {
                **prompt.record(),
                "rendered_sha256": text_hash(text),
                "shared": draft.first.shared,
            },
            "sampling": asdict(self.sampling),
            "policy": {
                "name": policy.file.name,
                "version": policy.file.version,
                "sha256": policy.sha256,
            },
        }
        provenance = [
            {
                **made_by,
                "exceptions": _applied(each.report),
                "seed": each.seed,
                "score": round(each.score, 4),
            }
            for each in chosen
        ]
        return Written(chosen, provenance, text, draft.asked, time.monotonic() - draft.began)

    def _nothing(self, draft: "_Draft", brief: Brief) -> str:
        return (
            f"{self.generator.identity.model or 'The model'} wrote {draft.asked} candidates for "
            f"{draft.job.segment.name!r} and none was a subject and a preview of at most "
            f"{brief.limits.subject} and {brief.limits.preview} characters. "
            "Take another model or prompt, or raise the limits."
        )


def _applied(report: plain.Report) -> list[str]:
    """Ids of the exceptions that cover findings of `report`."""
    return sorted({each.waived_by for each in report.findings if each.waived_by is not None})


@dataclass(slots=True)
class _Draft:
    """A segment while it is written. `first` is the request of its first candidate."""

    job: Job
    first: Request
    asked: int = 0
    came: int = 0
    began: float = 0.0
    scored: list[Scored] = field(default_factory=list)
    _new: list[Candidate] = field(default_factory=list)

    def ask(self, count: int) -> list[Request]:
        """Requests of the next `count` candidates."""
        numbers = range(self.asked, self.asked + count)
        self.asked += count
        return [replace(self.first, seed=(self.job.seed + number) % MAX_SEED) for number in numbers]

    def add(self, candidate: Candidate) -> None:
        """Take in a candidate that was asked for."""
        if not self.came:
            self.began = time.monotonic()
        self.came += 1
        self._new.append(candidate)

    def take(self) -> list[Candidate]:
        """The candidates since the last time, by seed: in the order in which they were asked for,
        whichever was finished first."""
        taken = sorted(self._new, key=lambda each: (each.seed - self.job.seed) % MAX_SEED)
        self._new = []
        return taken


def variables(
    prompt: Prompt, brand: Brand, brief: Brief, segment: plain.Segment, seed: int
) -> Mapping[str, Any]:
    """What there is to fill into a prompt: the ones of these that it declares.

    `sounds_like`: a few of the brand's on_voice lines, drawn by `seed`, the batch's.
    """
    lines = list(brand.on_voice)
    drawn = random.Random(seed).sample(lines, min(SOUNDS_LIKE, len(lines)))  # noqa: S311
    known = {"brand": brand, "brief": brief, "segment": segment, "sounds_like": drawn}
    return {name: known[name] for name in prompt.head.variables if name in known}


def outlined(
    prompt: Prompt, brand: Brand, brief: Brief, segment: plain.Segment, seed: int
) -> tuple[str, int]:
    """A segment's prompt, and how many of its first characters are the same for every segment."""
    text = prompt.render(variables(prompt, brand, brief, segment, seed))
    outline = prompt.render(variables(prompt, brand, brief, NO_SEGMENT, seed))
    same = map(operator.eq, text, outline)
    return text, sum(itertools.takewhile(bool, same))


def rewrite(generator: Generator, source: Source) -> tuple[str, str] | None:
    """Write a variant again: its subject and preview, as they come out now.

    Raises:
        InvalidInput: what writes now is not what wrote then; the message names the difference.
    """
    made_by = source.provenance
    now = generator.identity.record()
    for name, then in made_by["generator"].items():
        if now[name] != then:
            raise InvalidInput(f"It was written with {name} {then!r}; here it is {now[name]!r}.")
    request = Request(source.prompt_text, made_by["seed"], made_by["prompt"].get("shared", 0))
    ((_, candidate),) = generator.write(deque([request]), Sampling(**made_by["sampling"]))
    return parse(candidate.text, source.merge_tags)


def text_hash(text: str) -> str:
    """SHA-256 of a rendered prompt."""
    return hashlib.sha256(text.encode()).hexdigest()
