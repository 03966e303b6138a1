"""Grounding: every number, price, percentage, date, code and name is in the brief.

A claim that the brief does not bear is blocked where figures are wrong for certain, and sent to
review where only a reader can tell. Words that claim something (superlatives, scarcity, social
proof, benefits) are judged by the table in `guardrails.assertions`.
"""

import re
from collections.abc import Iterator, Sequence

from guardrails.assertions import ASSERTIONS, NOT_SUPERLATIVE, reduces
from guardrails.bearing import Judgement, judge_figure, judge_moment
from guardrails.claims import Claims, parse
from guardrails.names import near, tokens
from guardrails.sources import Source, read, stem
from guardrails.text import Normalised, normalise
from guardrails.types import FieldName, Finding, Item, Result, Severity

_TAG = re.compile(r"\{\{[^{}]*\}\}")
_FROM_TO = re.compile(r"\bfrom\s(?P<first>\S{1,16})\sto\s(?P<second>[^\s,.;!?]{1,16})")


class Grounding:
    """Holds every claim of a text against its brief; without a brief it is not applicable."""

    name = "grounding"

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
            results.append(_judge(item, sources[same], item.brief.language))
        return results


def _judge(item: Item, source: Source, language: str) -> Result:
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
        found += _tokens(text, claims, source)
        if language.lower().startswith("en"):
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
        word = token.text
        if token.start in figures or word in source.exact:
            continue
        if token.kind == "name":
            if not _is_known(word, source):
                yield token.start, token.end, _unknown(word)
        elif word.lower() == source.code.lower():
            yield (
                token.start,
                token.end,
                Judgement(
                    "code",
                    "review",
                    f"“{word}” is the offer's code in another case.",
                    f"Write {source.code}.",
                ),
            )
        elif token.kind == "code" or (source.code and near(word, source.code)):
            if token.kind == "code" and (word.lower() in source.words and not word.isupper()):
                continue
            fix = f"The brief's code is {source.code}." if source.code else "Leave it out."
            yield (
                token.start,
                token.end,
                Judgement("code", "block", f"“{word}” is no code of the brief.", fix),
            )
        elif len(word) > 4 and not _is_known(word, source):
            yield token.start, token.end, _unknown(word)


def _is_known(word: str, source: Source) -> bool:
    """Whether a name is in the brief, whole or part by part, in any case, number or adjective."""
    for part in re.split(r"[-']", word.removesuffix("'s")):
        folded = stem(part)
        if len(part) > 1 and folded not in source.stems:
            if len(folded) < 5 or not any(
                each.startswith(folded[:4]) and len(each) > 4 for each in source.stems
            ):
                return False
    return True


def _unknown(word: str) -> Judgement:
    return Judgement(
        "name",
        "review",
        f"“{word}” looks like a name and is not in the brief.",
        "Check the name, or leave it out.",
    )


def _assertions(text: str, claims: Claims, source: Source) -> Iterator[tuple[int, int, Judgement]]:
    lowered = text.lower()
    if len(lowered) != len(text):
        # A letter whose small form is longer would shift offsets.
        lowered = "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    for assertion in ASSERTIONS:
        if assertion.triggers.isdisjoint(claims.words):
            continue
        for match in assertion.pattern.finditer(lowered):
            if match[0] in source.lowered or (assertion.ends and source.ends):
                continue
            if assertion.reduction and reduces(source.lowered):
                continue
            if assertion.bearers is not None and assertion.bearers.search(source.lowered):
                continue
            yield *match.span(), _asserted(assertion.rule, assertion.severity, match[0])
    for word in claims.words:
        if word.endswith("est") and word not in NOT_SUPERLATIVE and word not in source.words:
            for match in re.finditer(rf"\b{re.escape(word)}\b", lowered):
                yield *match.span(), _asserted("superlative", "review", match[0])


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
    taken: list[tuple[int, int]] = []
    kept = []
    for start, end, judged in sorted(found, key=lambda each: (each[2].severity != "block", each[0])):
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            continue
        taken.append((start, end))
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
