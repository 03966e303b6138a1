"""Grounding: every number, price, percentage, date, code and name is in the brief.

A claim that the brief does not bear is blocked where figures are wrong for certain, and sent to
review where only a reader can tell. Words that claim something (superlatives, scarcity, social
proof, benefits) are judged by the table in `guardrails.grounding.assertions`.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

from guardrails.grounding.assertions import ASSERTIONS, NOT_SUPERLATIVE
from guardrails.grounding.bearing import Judgement, judge_figure, judge_moment
from guardrails.grounding.benefits import BENEFITS, reduces
from guardrails.grounding.claims import Claims, parse
from guardrails.grounding.names import Token, near, tokens
from guardrails.grounding.sources import Source, read, stem
from guardrails.text import Normalised, normalise
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Offer, Result, Severity

_TAG = re.compile(r"\{\{[^{}]*\}\}")
SHORTEST_NAME = 5
"""Letters from which on a word in capitals may be a name and is no mere acronym."""
_TOO_MANY = Judgement(
    "number",
    "block",
    "The text is too long, or has too many figures, to hold it against the brief.",
    "Shorten the text.",
)
_SAME_GOODS = (
    ("deliver", "shipping", "ship", "postage", "post", "carriage", "mail"),
    ("gift", "present", "treat", "bonus"),
    ("return", "exchange", "refund"),
    ("trial", "try", "sample", "taster"),
)
_FROM_TO = re.compile(r"\bfrom\s(?P<first>\S{1,16})\sto\s(?P<second>[^\s,.;!?]{1,16})")


class Grounding:
    """Holds every claim of a text against its brief; without a brief it is not applicable."""

    name = "grounding"
    rules = frozenset(
        (
            *("number", "price", "percentage", "date", "code", "name", "implied_change"),
            *("superlative", *(each.rule for each in (*ASSERTIONS, *BENEFITS))),
        )
    )

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge `items`; a brief that several of them share is parsed once.

        Scores: `grounding`, the share of the claims that the brief bears; 1.0 where there is none.
        """
        sources: dict[tuple[int, int, int] | tuple[str, str, str], Source] = {}
        results = []
        for item in items:
            if item.brief is None:
                results.append(Result.not_applicable())
                continue
            same = (id(item.brief), id(item.segment), id(item.brand))
            if same not in sources:
                equal = (repr(item.brief), repr(item.segment), repr(item.brand))
                if equal not in sources:
                    sources[equal] = read(item.brief, item.segment, item.brand)
                sources[same] = sources[equal]
            results.append(_judge(item, sources[same]))
        return results


def _judge(item: Item, source: Source) -> Result:
    """The findings of one item, over all its fields."""
    result = Result()
    claimed = 0
    for name, given in item.fields():
        seen = normalise(given)
        # Merge tags are filled in by the campaign tool: blanked, so that offsets stay.
        text = _TAG.sub(lambda match: " " * len(match[0]), seen.text)
        claims = parse(text)
        found: list[tuple[int, int, Judgement]] = []
        claimed += len(claims.figures) + len(claims.moments)
        found += _figures(text, claims, source)
        if claims.cut < len(text):
            found.append((claims.cut, len(text), _TOO_MANY))
            text = text[: claims.cut]
        found += _tokens(text, claims, source)
        # Whatever the brief's language: English words are what an English model would write.
        found += _assertions(text, claims, source)
        result.findings += _findings(name, seen, found)
    missing = sum(1 for finding in result.findings if finding.rule != "implied_change")
    total = max(claimed, missing)
    result.scores["grounding"] = round(1.0 - missing / total, 4) if total else 1.0
    return result


def _figures(text: str, claims: Claims, source: Source) -> Iterator[tuple[int, int, Judgement]]:
    for figure in claims.figures:
        judged = judge_figure(figure, text, source)
        if judged is not None:
            yield figure.start, figure.end, judged
    for moment in claims.moments:
        # What only stands between the ends of a range is no claim of its own.
        judged = judge_moment(moment, text, source) if not moment.between else None
        if judged is not None:
            yield moment.start, moment.end, judged
    for match in _FROM_TO.finditer(text):
        if match["first"].lower() == match["second"].lower():
            continue
        first, second = re.escape(match["first"].lower()), re.escape(match["second"].lower())
        if re.search(rf"\bfrom {second} to {first}(?!\w)", source.lowered):
            yield (
                *match.span(),
                Judgement(
                    "implied_change",
                    "review",
                    f"“{match[0]}” stands the other way round in the brief.",
                    "Put it in the order of the brief.",
                ),
            )


def _tokens(text: str, claims: Claims, source: Source) -> Iterator[tuple[int, int, Judgement]]:
    figures = {each.start for each in claims.figures} | {each.start for each in claims.moments}
    for token in tokens(text):
        judged = None if token.start in figures else _judge_token(token, source)
        if judged is not None:
            yield token.start, token.end, judged


def _judge_token(token: Token, source: Source) -> Judgement | None:
    """None where the brief bears a code or a name."""
    word, code = token.text, source.code
    if word in source.exact:
        return None
    if token.kind != "name" and code and word.lower() == code.lower():
        message = f"“{word}” is the offer's code in another case."
        return Judgement("code", "review", message, f"Write {code}.")
    like_code = bool(code) and near(word.lower(), code.lower())
    if token.kind == "spoken" and not like_code:
        return None
    borne = word.lower() in source.words and not word.isupper()
    if (token.kind in ("code", "spoken") and not borne) or (token.kind == "capitals" and like_code):
        fix = f"The brief's code is {code}." if code else "Leave it out."
        return Judgement("code", "block", f"“{word}” is no code of the brief.", fix)
    if _is_known(word, source) or (token.kind == "capitals" and len(word) < SHORTEST_NAME):
        return None
    message = f"“{word}” looks like a name and is not in the brief."
    return Judgement("name", "review", message, "Check the name, or leave it out.")


def _is_known(word: str, source: Source) -> bool:
    """Whether a name is in the brief, whole or part by part, in any case, number or adjective."""
    return all(
        len(part) < 2 or _is_known_part(stem(part), source)
        for part in re.split(r"[-']", word.removesuffix("'s"))
    )


def _is_known_part(folded: str, source: Source) -> bool:
    if folded in source.stems or len(folded) < 5:
        return folded in source.stems
    # "Italian" is known where the brief says Italy.
    return any(len(each) > 4 and each.startswith(folded[:4]) for each in source.stems)


def _assertions(text: str, claims: Claims, source: Source) -> Iterator[tuple[int, int, Judgement]]:
    lowered = text.lower()
    if len(lowered) != len(text):
        # A letter whose small form is longer would shift offsets.
        lowered = "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    for assertion in (*ASSERTIONS, *BENEFITS):
        if assertion.triggers.isdisjoint(claims.words):
            continue
        for match in assertion.pattern.finditer(lowered):
            if match[0] in source.lowered or (assertion.ends and source.ends):
                continue
            if assertion.reduction and reduces(source.lowered):
                continue
            borne = assertion.bearers is not None and assertion.bearers.search(source.lowered)
            if borne and not (assertion.goods and not _has_goods(match[0].split()[-1], source)):
                continue
            yield *match.span(), _asserted(assertion.rule, assertion.severity, match[0])
    for word in claims.words:
        if word.endswith("est") and word not in NOT_SUPERLATIVE and word not in source.words:
            for match in re.finditer(rf"\b{re.escape(word)}\b", lowered):
                yield *match.span(), _asserted("superlative", "review", match[0])


def _has_goods(word: str, source: Source) -> bool:
    """Whether the brief speaks of what is said to be free, in this word or one like it."""
    same = next((group for group in _SAME_GOODS if word.startswith(group)), (word,))
    return any(
        _is_known(each, source) or any(known.startswith(each) for known in source.stems)
        for each in same
    )


def _asserted(rule: str, severity: Severity, words: str) -> Judgement:
    return Judgement(
        rule,
        severity,
        f"Nothing in the brief says “{words}” ({rule.replace('_', ' ')}).",
        "Leave it out, or put the fact into the brief.",
    )


def _findings(
    field: FieldName, seen: Normalised, found: list[tuple[int, int, Judgement]]
) -> Iterator[Finding]:
    """Findings in order of place; of several over the same words the gravest stays."""
    taken = bytearray(len(seen.text) + 1)
    kept = []
    for start, end, judged in sorted(
        found, key=lambda each: (each[2].severity != "block", each[0])
    ):
        if any(taken[start:end]):
            continue
        taken[start:end] = b"\1" * (end - start)
        kept.append((start, end, judged))
    for start, end, judged in sorted(kept, key=lambda each: each[:2]):
        yield Finding(
            Grounding.name,
            judged.rule,
            judged.severity,
            field,
            *seen.span(start, end),
            judged.message,
            judged.suggestion,
        )


_BRIEF = Brief(
    campaign="autumn-knitwear",
    product="lambswool crew-neck jumpers",
    summary="The first lambswool of the season is in.",
    offer=Offer(
        text="15% off the first jumper",
        code="FIRSTLAYER",
        ends=datetime(2026, 10, 6, 23, 59, tzinfo=timezone(timedelta(hours=1))),
        terms="New customers only",
    ),
    facts=(
        "Spun in a mill in Hawick",
        "Six undyed colours",
        "£64 each",
        "A 20 kg bale makes 40 jumpers",
        "The shop opens from 9 until six, Monday to Saturday",
    ),
    cta="Choose your colour",
)
_BRAND = Brand(slug="harrow-and-pine", name="Harrow & Pine")


def _example(subject: str, preview: str | None = None) -> Item:
    return Item(subject, preview, _BRIEF, None, _BRAND)


EXAMPLES_PASS: list[Item] = [
    _example(
        "15% off your first jumper until Tuesday", "Code FIRSTLAYER, to midnight on 6 October."
    ),
    _example("Fifteen per cent less, until October 6th", "Six colours, spun in Hawick. £64 each."),
    _example('Hello {{ first_name | default: "there" }}, the lambswool is in'),
    _example("One of our own, and the first of the season", "You may like it. March on in."),
    _example("From one 20 kg bale: forty jumpers", "Open 9am to 6pm, Monday to Saturday."),
    _example("Harrow & Pine's jumpers, £64", "No one dyes them. Feel free to look."),
]
EXAMPLES_FAIL: list[tuple[Item, str]] = [
    (_example("Seven undyed colours"), "number"),
    (_example("A 20 km bale"), "number"),
    (_example("A fifth off your first jumper"), "percentage"),
    (_example("Half price jumpers"), "percentage"),
    (_example("€64 a jumper"), "price"),
    (_example("£46 a jumper"), "price"),
    (_example("Ends Wednesday 6 October"), "date"),
    (_example("Ends at 8pm"), "date"),
    (_example("Ends tomorrow"), "date"),
    (_example("Use WOOL15 at the till"), "code"),
    (_example("Use code firstlayer"), "code"),
    (_example("Now spun in Galashiels"), "name"),
    (_example("Our lowest price ever"), "superlative"),
    (_example("Only three left"), "scarcity"),
    (_example("Jumpers that customers love"), "social_proof"),
    (_example("Free returns on every jumper"), "invented_benefit"),
    (_example("£64 off your first jumper"), "implied_change"),
]
