"""What a brief bears: its own claims, ready to hold those of a variant against."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from guardrails.claims import Claims, Figure, parse
from guardrails.dates import Moment
from guardrails.text import normalise
from guardrails.types import Brand, Brief, Segment

_TOKEN = re.compile(r"[^\W_]+(?:[.:/][^\W_]+)*")
_HYPHENED = re.compile(r"[^\W_]+(?:-[^\W_]+)+")
_DAILY = frozenset(
    "daily everyday weekdays weekday everyday anytime weekend weekends nightly 24/7".split()
)
JOINT = " \n¶ "
"""What stands between two fields of a brief, so that no claim reaches over."""


@dataclass(slots=True)
class Source:
    """The claims of a brief, its segment and its brand's name."""

    text: str
    lowered: str
    claims: Claims
    code: str = ""
    ends: datetime | None = None
    exact: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()
    plain: dict[float, list[Figure]] = field(default_factory=dict)
    days: list[Moment] = field(default_factory=list)
    months: set[int] = field(default_factory=set)
    years: set[int] = field(default_factory=set)
    weekdays: set[int] = field(default_factory=set)
    minutes: set[int] = field(default_factory=set)
    heads: dict[str, set[float]] = field(default_factory=dict)

    @property
    def has_daily(self) -> bool:
        """Whether the brief speaks of every day in one word."""
        return not _DAILY.isdisjoint(self.words) or "every day" in self.lowered


def read(brief: Brief, segment: Segment | None, brand: Brand | None) -> Source:
    """Parse what a variant may say of `brief` to `segment` (without one, to any of its segments).

    A brand bears names with its name, its voice and its preferred words, and no claims.
    """
    offer = brief.offer
    parts = [brief.product, brief.summary, brief.cta, *brief.facts]
    if offer is not None:
        parts += [offer.text, offer.terms or ""]
    for each in [segment] if segment is not None else brief.segments:
        parts += [each.description, each.name.replace("-", " ")]
    parts += [brief.campaign.replace("-", " ")]
    naming = [brief.brand.replace("-", " ")]
    if brand is not None:
        parts.append(brand.name)
        naming += [brand.slug.replace("-", " "), brand.voice, *brand.preferred.values()]
    text = normalise(JOINT.join(part for part in parts if part)).text
    names = normalise(JOINT.join(naming)).text
    source = Source(text, text.lower(), parse(text))
    code = offer.code if offer is not None and offer.code else ""
    source.code = normalise(code).text.strip()
    everything = text + JOINT + names
    source.exact = frozenset(
        {*_TOKEN.findall(everything), *_HYPHENED.findall(everything), source.code}
    )
    source.words = source.claims.words | {each.lower() for each in source.exact}
    source.stems = frozenset(stem(word) for word in source.words)
    _index(source)
    if offer is not None and offer.ends is not None:
        _end(source, offer.ends)
    return source


def stem(word: str) -> str:
    """A word without its case, its possessive and its plural."""
    word = word.lower().removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1].removesuffix("e")
    return word.removesuffix("e")


def _index(source: Source) -> None:
    for figure in source.claims.figures:
        source.plain.setdefault(figure.plain, []).append(figure)
        if figure.head and figure.kind == "number":
            source.heads.setdefault(stem(figure.head), set()).add(figure.plain)
        if figure.value != figure.plain:
            source.plain.setdefault(figure.value, []).append(figure)
        if figure.kind == "number" and 1900 <= figure.value <= 2100 and not figure.unit:
            source.years.add(int(figure.value))
    for moment in source.claims.moments:
        source.minutes |= moment.minutes
        if moment.days:
            source.days.append(moment)
            source.months |= {month for _, month in moment.days}
        if moment.month:
            source.months.add(moment.month)
        if moment.year:
            source.years.add(moment.year)
    for moment in source.claims.moments:
        source.weekdays |= moment.weekdays(source.years)


def _end(source: Source, ends: datetime) -> None:
    """The end of the offer, in the time zone it is given in; midnight belongs to two days."""
    source.ends = ends
    source.years.add(ends.year)
    source.minutes.add(ends.hour * 60 + ends.minute)
    moments = [ends]
    if (ends.hour, ends.minute) >= (23, 45):
        source.minutes.add(0)
    if (ends.hour, ends.minute) == (0, 0):
        moments.append(ends - timedelta(minutes=1))
        source.minutes.add(23 * 60 + 59)
    for each in moments:
        source.days.append(
            Moment(0, 0, frozenset({(each.day, each.month)}), each.month, each.year)
        )
        source.months.add(each.month)
        source.weekdays.add(each.weekday())
    for moment in source.claims.moments:
        source.weekdays |= moment.weekdays({ends.year})
