"""What the law asks of a line: rule packs by sector and jurisdiction.

A rule blocks, asks for review, or allows a claim only where the brief bears it. The rules are
data (`guardrails.packs`); this module picks those that hold for a brand and finds their words.

Which rules hold:
- **Jurisdictions.** Codes nest: a rule for US holds in US-WA, one for the EU in its countries, and
  a brand that mails all of the US or EU meets the rules of each part. GB is the UK. A brand with no
  jurisdictions meets every rule, since its mail may go anywhere. In a country that the packs don't
  know (AU, CA, IN, NZ, ZA, ...) the rules that hold in both the UK and the EU stand in: consumer
  law there forbids the same deceptions (for one: Australian Consumer Law s 18 and 29), and the
  cost of a line too strictly judged is smaller than that of an unlawful one.
- **Sectors.** The brand's own word for its trade is matched by alias. One that no pack knows gets
  the rules for all sectors, and `scores["legal"]["sector_known"]` is False.
- **No brand.** The rules for all sectors that hold in the US, the UK and the EU alike.
- **No brief, or one that says nothing.** A claim that needs a fact is sent to review and never
  blocked: what was not told can't be told to be false.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache

from guardrails.packs import ALL, NEAR, CompiledRule, Library, load
from guardrails.text import Normalised, normalise
from guardrails.types import Brand, Brief, Finding, Item, Offer, Option, Result, Severity

MAX_PER_RULE = 3
"""Findings of one rule in one field: enough to show the fault, few enough to read."""

NEGATION_REACH = 40
"""Characters before a find in which a negation is looked for."""

HEAD = 3
"""Characters of a literal by which it is looked up before it is searched for."""

# fmt: off
EU = frozenset((
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO",
))
# fmt: on
"""The EU's countries, and the EEA's three others, which apply the directives that the packs name
(EEA Agreement, Annex XIX)."""

COMMON = frozenset({"US", "UK", "EU"})

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")

_NEGATION = re.compile(
    r"(?:\bnot|n't|\bnever|\bcannot|\bnor)\s"
    r"(?:(?!miss|wait|delay|forget|lose|let|just|only|worry|even)[\w'-]{1,15}\s){0,2}$",
    re.IGNORECASE,
)

SUGGESTIONS = {
    "block": "Take the claim out; no brief can make it lawful.",
    "review": "Have it confirmed, or say it more plainly.",
    "evidence": "Put the fact in the brief if it is true, or take the claim out.",
    "disclose": "State the terms in the brief's offer, or take the claim out.",
}


class Legal:
    """The legal check. `packs` limits it to the packs of these names; by default all are used.

    `own` are packs beside the packaged ones: their contents by file. Without them the rules are
    compiled at the first run: that takes half a second, and whoever generates copy has none to
    check yet when it starts.

    Raises:
        PolicyError: a rule pack can't be used.
        TypeError: `packs` names one that is not there.
    """

    name = "legal"

    def __init__(
        self, *, packs: Sequence[str] | None = None, own: Mapping[str, bytes] | None = None
    ) -> None:
        self._packs = None if packs is None else frozenset(packs)
        self._own = own
        if packs is not None or own:
            known = sorted({rule.pack for rule in self._library.rules})
            for name in (self._packs or frozenset()).difference(known):
                raise TypeError(f"packs: {name!r} is unknown. Known: {', '.join(known)}.")
        self._scope = lru_cache(maxsize=1024)(self._find_scope)

    @cached_property
    def _library(self) -> Library:
        return load(own=self._own)

    @property
    def rules(self) -> frozenset[str]:
        """Every rule of the packs, used or not."""
        return frozenset(rule.rule.id for rule in self._library.rules)

    def options(self, brand: Brand) -> Mapping[str, Option]:
        """The packs in use that hold in the brand's jurisdictions, whatever its sector."""
        places = tuple(brand.jurisdictions)
        held = {
            rule.pack
            for rule in self._library.rules
            if (self._packs is None or rule.pack in self._packs)
            and holds(rule.rule.jurisdictions, places)
        }
        return {"packs": Option(frozenset(held), "fewer")}

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge `items`: one result each, in order, always applicable."""
        bearings: dict[int, Bearing] = {}
        results = []
        for item in items:
            bearing = bearings.setdefault(id(item.brief), Bearing(item.brief))
            results.append(self._judge(item, bearing))
        return results

    def _judge(self, item: Item, bearing: "Bearing") -> Result:
        scope = self._scope(*_key(item.brand))
        result = Result(
            scores={"legal": {"packs": list(scope.packs), "sector_known": scope.sector_known}}
        )
        fields = [(name, normalise(text)) for name, text in item.fields()]
        for name, text in fields:
            for rule, patterns in scope.candidates(text.text):
                if name in rule.rule.fields:
                    for match in _matches(rule, patterns, text.text):
                        severity = _severity(rule, match, bearing, fields)
                        if severity:
                            start, end = text.span(*match.span())
                            found = rule.rule
                            message = f"“{match[0].strip()}”: {found.why} ({found.source})"
                            fix = found.fix or SUGGESTIONS[found.kind]
                            result.findings.append(
                                Finding(
                                    self.name, found.id, severity, name, start, end, message, fix
                                )
                            )
        return result

    def _find_scope(self, jurisdictions: tuple[str, ...] | None, sector: str) -> "Scope":
        sectors = self._library.sectors(sector)
        rules = [
            rule
            for rule in self._library.rules
            if (self._packs is None or rule.pack in self._packs)
            and (ALL in rule.rule.sectors or sectors.intersection(rule.rule.sectors))
            and holds(rule.rule.jurisdictions, jurisdictions)
        ]
        return Scope(rules, bool(sectors))


class Scope:
    """The rules for one kind of brand, with a quick way to the few that a text may break."""

    def __init__(self, rules: Sequence[CompiledRule], sector_known: bool) -> None:
        self.sector_known = sector_known
        self.packs = tuple(dict.fromkeys(rule.pack for rule in rules))
        self._patterns = [(rule, each) for rule in rules for each in rule.patterns]
        self._always = []
        self._by_literal: dict[str, list[int]] = {}
        for index, (_, pattern) in enumerate(self._patterns):
            if not pattern.literals:
                self._always.append(index)
            for literal in pattern.literals[0] if pattern.literals else ():
                self._by_literal.setdefault(literal, []).append(index)
        self._by_head: dict[str, list[str]] = {}
        for literal in self._by_literal:
            self._by_head.setdefault(literal[:HEAD], []).append(literal)
        self._short = [literal for literal in self._by_literal if len(literal) < HEAD]

    def candidates(self, text: str) -> list[tuple[CompiledRule, list[re.Pattern[str]]]]:
        """The rules, with those of their patterns, whose literals are all in `text`."""
        lower = text.lower()
        heads = {lower[index : index + HEAD] for index in range(len(lower) - HEAD + 1)}
        found = set(self._always)
        literals = [*self._short]
        for head in self._by_head.keys() & heads:
            literals += self._by_head[head]
        for literal in literals:
            if literal in lower:
                found.update(self._by_literal[literal])
        rules: list[tuple[CompiledRule, list[re.Pattern[str]]]] = []
        for index in sorted(found):
            rule, pattern = self._patterns[index]
            for required in pattern.literals[1:]:
                if not any(literal in lower for literal in required):
                    break
            else:
                if rules and rules[-1][0] is rule:
                    rules[-1][1].append(pattern.pattern)
                else:
                    rules.append((rule, [pattern.pattern]))
        return rules


class Bearing:
    """What a brief bears out, worked out once and only where a rule asks."""

    def __init__(self, brief: Brief | None) -> None:
        self.brief = brief
        self.intent = brief.intent if brief else None
        self.offer = (brief and brief.offer) or Offer()

    @cached_property
    def words(self) -> str:
        """All that the brief says in its own words, a part a line."""
        brief = self.brief or Brief()
        parts = [*brief.facts, brief.summary, brief.product, self.offer.text, self.offer.terms]
        return "\n".join(normalise(part).text for part in parts if part)

    @cached_property
    def silent(self) -> bool:
        """Whether the brief says nothing that a claim could rest on."""
        return not self.words and self.offer.ends is None and not self.offer.code

    def bears(self, rule: CompiledRule, match: re.Match[str]) -> bool:
        """Whether the brief holds what `rule` needs for the words it matched."""
        needs = rule.rule.needs
        if needs is None:
            return False
        if needs.ends_on and self.offer.ends:
            weekday = WEEKDAYS[self.offer.ends.weekday()]
            if (match.groupdict().get(needs.ends_on) or "").lower().startswith(weekday):
                return True
        elif any(getattr(self.offer, name) for name in needs.offer):
            return True
        return any(
            re.search(_filled(fact, match), self.words, re.IGNORECASE) for fact in rule.facts
        )


def holds(rule: Sequence[str], brand: tuple[str, ...] | None) -> bool:
    """Whether a rule for the jurisdictions `rule` holds for a brand in `brand`.

    `brand` is empty for a brand with no jurisdictions, None where there is no brand.
    """
    if ALL in rule or brand == ():
        return True
    codes = {_canonical(code) for code in rule}
    if brand is None:
        return codes >= {(each,) for each in COMMON}
    for code in map(_canonical, brand):
        if code[0] not in COMMON:
            if codes >= {("UK",), ("EU",)}:
                return True
        elif any(code[: len(each)] == each or each[: len(code)] == code for each in codes):
            return True
    return False


@lru_cache(maxsize=1024)
def _canonical(code: str) -> tuple[str, ...]:
    """A code as a path: DE is ('EU', 'DE'), US-WA ('US', 'WA'), GB-SCT ('UK', 'SCT')."""
    parts = tuple(code.strip().upper().replace("_", "-").split("-"))
    if parts[0] in EU:
        return ("EU", *parts)
    return {"GB": ("UK",), "USA": ("US",), "EEA": ("EU",)}.get(parts[0], parts[:1]) + parts[1:]


def _key(brand: Brand | None) -> tuple[tuple[str, ...] | None, str]:
    return (None, "") if brand is None else (tuple(brand.jurisdictions), brand.sector)


def _matches(
    rule: CompiledRule, patterns: Sequence[re.Pattern[str]], text: str
) -> list[re.Match[str]]:
    """The first finds of a rule, by these of its patterns, that no harmless use covers."""
    found: list[re.Match[str]] = []
    harmless: list[tuple[int, int]] | None = None
    for pattern in patterns:
        for match in pattern.finditer(text):
            if harmless is None:
                harmless = _harmless(rule, text)
            start, end = match.span()
            if any(first < end and start < last for first, last in harmless):
                continue
            before = text[max(0, start - NEGATION_REACH) : start]
            if rule.rule.negatable and _NEGATION.search(before):
                continue
            if any(each.start() < end and start < each.end() for each in found):
                continue
            found.append(match)
            if len(found) == MAX_PER_RULE:
                return found
    return found


def _harmless(rule: CompiledRule, text: str) -> list[tuple[int, int]]:
    """The spans of `text` in which a find of `rule` means no harm."""
    spans = [each.span() for each in rule.unless.finditer(text)] if rule.unless else []
    if rule.unless_near:
        for each in rule.unless_near.finditer(text):
            spans.append((each.start() - NEAR, each.end() + NEAR))
    return spans


def _severity(
    rule: CompiledRule,
    match: re.Match[str],
    bearing: Bearing,
    fields: Sequence[tuple[str, Normalised]],
) -> Severity | None:
    """How grave a find is under its brief; None where it is allowed."""
    severity = rule.rule.stated
    if rule.rule.intents:
        if bearing.intent is None:
            severity = severity if rule.rule.intent_unknown == "stated" else "review"
        elif bearing.intent not in rule.rule.intents:
            return None
    if rule.rule.needs is None:
        return severity
    if rule.text and any(rule.text.search(text.text) for _, text in fields):
        return None
    if bearing.bears(rule, match):
        return None
    return "review" if bearing.silent else severity


def _filled(fact: str, match: re.Match[str]) -> str:
    """`fact` with each `(?P=name)` as the words that `match` has in that group."""
    groups = match.groupdict()
    return re.sub(r"\(\?P=(\w+)\)", lambda each: _same(groups.get(each[1]) or ""), fact)


def _same(words: str) -> str:
    """A pattern for `words`, or for the same number in digits or in words."""
    lower = words.lower()
    other = ""
    if lower in NUMBERS:
        other = str(NUMBERS.index(lower) + 1)
    elif lower.isdecimal() and 1 <= int(lower[:4]) <= len(NUMBERS):
        other = NUMBERS[int(lower[:4]) - 1]
    either = re.escape(words) + (f"|{other}" if other else "")
    return rf"(?<!\w)(?:{either})(?!\w)" if words else r"(?!)"


EXAMPLES_PASS = [
    Item(
        "20% off linen shirts, ends Sunday",
        "Sugar-free lemonade while you browse. Feel free to bring the dog.",
        Brief(
            intent="promotional",
            product="linen shirts",
            offer=Offer(text="20% off", ends=datetime.fromisoformat("2027-06-06T23:59:00+01:00")),
            facts=["Nine colours"],
        ),
        brand=Brand(sector="clothing", jurisdictions=["UK"]),
    ),
    Item("Your invoice is ready", None, Brief(intent="transactional", product="Plus plan")),
    Item(
        "Stocks and shares, explained",
        "Returns are not guaranteed. Your capital is at risk.",
        brand=Brand(sector="investment platform", jurisdictions=["UK", "EU"]),
    ),
]

_GOODS = Brief(intent="promotional", product="goods", facts=["In four colours"])

EXAMPLES_FAIL = [
    (Item("Re: your quote", None, _GOODS), "fake-reply"),
    (Item("You've won a cruise!"), "prize"),
    (Item("Last chance: ends tonight", None, _GOODS), "false-deadline"),
    (Item("Because you're pregnant, 20% off", brand=Brand()), "because-you-are"),
    (
        Item("Guaranteed 12% returns", brand=Brand(sector="fintech", jurisdictions=["US"])),
        "guaranteed-return",
    ),
    (Item("The tea that cures arthritis", brand=Brand(sector="tea")), "disease-claim"),
    (
        Item("Eco-friendly bottles", brand=Brand(sector="homeware", jurisdictions=["DE"])),
        "green-generic-eu",
    ),
    (
        Item("Native speakers only", None, _GOODS, brand=Brand(sector="job board")),
        "job-preference",
    ),
]
