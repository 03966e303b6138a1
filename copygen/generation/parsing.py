"""From a candidate's text to subject and preview, in canonical form, or nothing."""

import re
from collections.abc import Mapping

from guardrails.types import Limits, MergeTag

LABEL = re.compile(
    r"^[\s*_#>-]{0,4}(subject|preview|preheader)(?: line| text)?[\s*_]{0,3}:[\s*_]{0,4}", re.I
)
"""A label with its list and emphasis marks; never a sign of the text, as a price's currency."""

LABEL_END = 22
"""Place of a label's colon at the latest: a line up to there may yet turn out to be a label."""

TAG = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*(?:\|[^{}]*)?\}\}")

UNFINISHED_TAG = re.compile(r"(?:\{\{[^{}]*\}?|\{)\Z")


def parse(text: str, merge_tags: Mapping[str, MergeTag]) -> tuple[str, str] | None:
    """Subject and preview out of `text`, or None where it holds anything but these two lines.

    Lines may carry labels and quotes, which are taken off. Merge tags get the segment's fallback;
    one that the segment doesn't have stays as it is, for the guardrails to find.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if len(lines) != 2:
        return None
    labels = [match[1].lower() if (match := LABEL.match(line)) else "" for line in lines]
    if labels[0].startswith("pre") or labels[1] == "subject":
        return None
    subject, preview = (_bare(line) for line in lines)
    if not subject or not preview or subject.casefold() == preview.casefold():
        return None
    return canonical(subject, merge_tags), canonical(preview, merge_tags)


def hopeless(limits: Limits, text: str) -> bool:
    """Whether nothing can come of `text`, however it goes on: a third line has begun, or the
    subject or the preview is over its limit (characters) already.

    Never true of the beginning of a text that `parse` takes and that keeps the limits, nor of one
    that ends within a character, which decodes to U+FFFD.
    """
    lines = [line for part in text.rstrip("\ufffd").splitlines() if (line := part.strip())]
    if len(lines) > 2:
        return True
    for line, limit in zip(lines, (limits.subject, limits.preview), strict=False):
        most = max(limit, LABEL_END)
        if len(line) > most and _least(line) > most:
            return True
    return False


def _least(line: str) -> int:
    """Characters that readers see of a line that begins with `line`, at least: merge tags may have
    an empty fallback, and quotes may go."""
    line = LABEL.sub("", line).strip().strip('"').strip()
    return len(UNFINISHED_TAG.sub("", TAG.sub("", line)) if "{" in line else line)


def _bare(line: str) -> str:
    line = LABEL.sub("", line).strip()
    if len(line) > 1 and line[0] == line[-1] == '"':
        line = line[1:-1].strip()
    return line


def canonical(text: str, merge_tags: Mapping[str, MergeTag]) -> str:
    """`text` with each known merge tag in Liquid with the segment's fallback."""

    def replace(match: re.Match[str]) -> str:
        tag = merge_tags.get(match[1])
        return match[0] if tag is None else liquid(match[1], tag.fallback)

    return TAG.sub(replace, text)


def liquid(name: str, fallback: str) -> str:
    """A merge tag in canonical form. Liquid strings know no escapes: double quotes turn single."""
    plain = fallback.replace('"', "'")
    return f'{{{{ {name} | default: "{plain}" }}}}'
