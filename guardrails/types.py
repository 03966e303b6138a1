"""Plain types of the guardrails: what is checked, what it is checked against, what comes out.

They hold what a check needs and nothing of any service. Unknown keys are left alone, and nearly
everything may be missing, since a filter meets briefs of many makes; whoever owns the files
(a service) is stricter in types of its own that derive from these.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

FieldName = Literal["subject", "preview"]
Severity = Literal["review", "block"]
Verdict = Literal["pass", "review", "block"]
Outcome = Literal["passed", "found", "not_applicable", "not_run"]
Intent = Literal["promotional", "transactional", "informational", "reengagement"]
Sensitivity = Literal["standard", "high"]


class Plain(BaseModel):
    """Base of the plain types: immutable, lenient about keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MergeTag(Plain):
    """A value that the campaign tool fills in for each reader."""

    fallback: str = Field(default="", description="Text used where the reader has no value.")
    longest: str = Field(default="", description="The longest value to expect, for width checks.")


class Segment(Plain):
    """A named audience. It holds no personal data."""

    name: str = ""
    description: str = ""
    sensitivity: Sensitivity = "standard"
    merge_tags: Mapping[str, MergeTag] = Field(default_factory=dict)


class Offer(Plain):
    """What the campaign gives, in the marketer's own words."""

    text: str = ""
    code: str | None = None
    ends: datetime | None = Field(default=None, description="End of the offer, with a time zone.")
    terms: str | None = None


class Limits(Plain):
    """Longest texts allowed, in characters (code points)."""

    subject: int = 50
    preview: int = 90


class Brief(Plain):
    """What one campaign says: every claim in a variant must be borne by these fields."""

    campaign: str = ""
    brand: str = ""
    intent: Intent | None = None
    product: str = ""
    summary: str = ""
    offer: Offer | None = None
    facts: Sequence[str] = ()
    cta: str = ""
    language: str = "en"
    segments: Sequence[Segment] = ()
    limits: Limits = Limits()
    must_avoid: Sequence[str] = ()


class Brand(Plain):
    """Who speaks, and how."""

    slug: str = ""
    name: str = ""
    voice: str = ""
    on_voice: Sequence[str] = ()
    off_voice: Sequence[str] = ()
    banned_phrases: Sequence[str] = ()
    preferred: Mapping[str, str] = Field(default_factory=dict)
    sector: str = ""
    jurisdictions: Sequence[str] = ()


class Copy(Plain):
    """A subject and its preview, as they were written or sent before."""

    subject: str
    preview: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One text to check, with what there is to judge it by.

    `preview` is None where there is none: then the subject alone is judged. `earlier` holds texts
    that this one should not say again.
    """

    subject: str
    preview: str | None = None
    brief: Brief | None = None
    segment: Segment | None = None
    brand: Brand | None = None
    earlier: Sequence[Copy] = ()

    def fields(self) -> list[tuple[FieldName, str]]:
        """The texts that are there, with their names, subject first."""
        named: list[tuple[FieldName, str]] = [("subject", self.subject)]
        if self.preview is not None:
            named.append(("preview", self.preview))
        return named


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found.

    `start` and `end` count code points in the field as it was given; `start == end` points at a
    place and not at words (something is missing). `waived_by` is the id of the exception that covers
    it: then it counts for no verdict.
    """

    check: str
    rule: str
    severity: Severity
    field: FieldName
    start: int
    end: int
    message: str
    suggestion: str = ""
    waived_by: str | None = None


@dataclass(slots=True)
class Result:
    """What one check says of one item. `applicable` is False where it had nothing to judge by."""

    findings: list[Finding] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    applicable: bool = True

    @classmethod
    def not_applicable(cls) -> "Result":
        """There was nothing to judge by: no brand, no example lines, no brief."""
        return cls(applicable=False)


class Check(Protocol):
    """One guardrail. It never changes text, and answers every item, in order."""

    name: str

    @property
    def rules(self) -> Collection[str]:
        """Every rule that its findings may name."""
        ...

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge `items`; the answer has as many results, in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Option:
    """The value that an option of a check works with, and the side on which the check is laxer.

    A number is laxer when it is `higher` or `lower`, a set when it holds `fewer`. A number lies
    between `least` and `most`.
    """

    value: float | frozenset[str]
    laxer: Literal["higher", "lower", "fewer"]
    least: float = 0.0
    most: float = 1.0


@runtime_checkable
class Adjustable(Protocol):
    """A check that has options."""

    def options(self, brand: Brand) -> Mapping[str, Option]:
        """All its options by name, as they work for a text of `brand`."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """All that the checks of a policy said of one item: an outcome for each check.

    `demanded` names the checks without whose judgement the policy lets no text through.
    """

    findings: tuple[Finding, ...]
    scores: Mapping[str, Any]
    outcomes: Mapping[str, Outcome]
    policy_hash: str
    demanded: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """block where a check did not run or found something to block; else review; else pass."""
        return verdict(self.findings, self.outcomes, self.demanded)

    def names(self, outcome: Outcome) -> list[str]:
        """The checks that ended with `outcome`, in the order they ran."""
        return [name for name, each in self.outcomes.items() if each == outcome]


class Judged(Protocol):
    """What counts of a finding for a verdict; stored findings have it too."""

    @property
    def severity(self) -> str: ...

    @property
    def waived_by(self) -> str | None: ...


def verdict(
    findings: Iterable[Judged], outcomes: Mapping[str, str], demanded: Iterable[str]
) -> Verdict:
    """block where a check did not run, a demanded one did not judge, or something found blocks;
    else review where something was found; else pass. What an exception covers does not count."""
    if "not_run" in outcomes.values():
        return "block"
    if any(outcomes.get(name) not in ("passed", "found") for name in demanded):
        return "block"
    severities = {each.severity for each in findings if each.waived_by is None}
    if "block" in severities:
        return "block"
    return "review" if severities else "pass"
