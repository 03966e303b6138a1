"""What a brief bears: its own claims, ready to hold those of a variant against."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from guardrails.grounding.claims import Claims, Figure, parse
from guardrails.grounding.dates import Moment
from guardrails.grounding.numerals import listed
from guardrails.text import normalise
from guardrails.types import Brand, Brief, Segment

_TOKEN = re.compile(r"[^\W_]+(?:[.:/][^\W_]+)*")
_HYPHENED = re.compile(r"(?<![\w])[^\W_]++(?:-[^\W_]++)+")
_DAILY = frozenset(listed("daily everyday anytime nightly 24/7"))
FUNCTION = frozenset(
    listed(
        "to and or of in on at by for from with the a an is are was were per each off more less until "
        "till as if than that who which you your we our it its they this am pm"
    )
)
"""Words after a number that are not what it counts."""
_CLOCK_BEFORE = re.compile(
    r"(?:\b(?:at|from|until|till|by|before|after|to|between|and|past|the|through)|[-–—])\s?$", re.I
)
_CLOCK_AFTER = re.compile(r"\s?(?:-|–|—|to|until|till)\s?\d|\so'clock", re.I)
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
    has_ranges: bool = False
    ends_at_midnight: bool = False
    range_ends: set[tuple[str, int]] = field(default_factory=set)
    leads: dict[str, set[float]] = field(default_factory=dict)
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
    source = Source(text, text.lower(), parse(text, whole=True))
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


def is_hour(figure: Figure, text: str) -> bool:
    """Whether a bare number of `text` is a time of day by its neighbours: "from 9 until six"."""
    if figure.kind != "number" or figure.unit or figure.plain >= 24 or figure.ordinal:
        return False
    if figure.head and figure.head not in FUNCTION:
        return False
    before = text[max(0, figure.start - 10) : figure.start]
    return bool(_CLOCK_BEFORE.search(before) or _CLOCK_AFTER.match(text, figure.end))


def _index(source: Source) -> None:
    either: list[set[int]] = []
    for figure in source.claims.figures:
        source.plain.setdefault(figure.plain, []).append(figure)
        if figure.head and figure.kind == "number":
            source.heads.setdefault(stem(figure.head), set()).add(figure.plain)
            # "Six undyed colours" are six colours.
            if figure.second and not {figure.head, figure.second} & FUNCTION:
                source.heads.setdefault(stem(figure.second), set()).add(figure.plain)
        if figure.value != figure.plain:
            source.plain.setdefault(figure.value, []).append(figure)
        if figure.lead and figure.kind == "number":
            source.leads.setdefault(figure.lead, set()).add(figure.plain)
        if is_hour(figure, source.text):
            clock = int(figure.plain) * 60 + round(figure.plain % 1 * 100)
            either.append({clock, (clock + 720) % 1440})
        if figure.kind == "number" and 1900 <= figure.value <= 2100 and not figure.unit:
            source.years.add(int(figure.value))
    for moment in source.claims.moments:
        if len(moment.minutes) == 1:
            source.minutes |= moment.minutes
        elif moment.minutes:
            either.append(set(moment.minutes))
        if moment.ranged and moment.weekday is not None:
            source.has_ranges = True
        if not moment.between and moment.weekday is not None:
            source.range_ends.add(("weekday", moment.weekday))
        if not moment.between and moment.month:
            source.range_ends.add(("month", moment.month))
        if moment.days:
            source.days.append(moment)
            source.months |= {month for _, month in moment.days}
        if moment.month:
            source.months.add(moment.month)
        if moment.year:
            source.years.add(moment.year)
    told = set(source.minutes)
    for readings in either:
        # Where the brief also says "6:45 a.m.", a bare "6:45" is no evening.
        source.minutes |= readings & told or readings
    for moment in source.claims.moments:
        source.weekdays |= moment.weekdays(source.years)
    if not source.words.isdisjoint(("weekday", "weekdays")):
        source.weekdays |= {0, 1, 2, 3, 4}
    if not source.words.isdisjoint(("weekend", "weekends")):
        source.weekdays |= {5, 6}


def _end(source: Source, ends: datetime) -> None:
    """The end of the offer, in the time zone it is given in; midnight belongs to two days."""
    source.ends = ends
    source.years.add(ends.year)
    source.minutes.add(ends.hour * 60 + ends.minute)
    moments = [ends]
    if (ends.hour, ends.minute) >= (23, 45):
        source.ends_at_midnight = True
    if (ends.hour, ends.minute) == (0, 0):
        moments.append(ends - timedelta(minutes=1))
        source.ends_at_midnight = True
    for each in moments:
        source.days.append(Moment(0, 0, frozenset({(each.day, each.month)}), each.month, each.year))
        source.months.add(each.month)
        source.weekdays.add(each.weekday())
    for moment in source.claims.moments:
        source.weekdays |= moment.weekdays({ends.year})
