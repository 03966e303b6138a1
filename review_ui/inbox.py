"""How a variant looks in an inbox: merge tags filled, and cut where mail clients cut."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from copygen.schemas import MergeTag

TAG = re.compile(
    r"\{\{ *([a-z][a-z0-9_]{0,40}) *(?:\| *default: *(?:\"([^\"{}]*)\"|'([^'{}]*)') *)?\}\}"
)
"""A merge tag in canonical Liquid, with or without its fallback."""


@dataclass(frozen=True, slots=True)
class Client:
    """A mail client. `subject` and `preview`: characters that its list shows, roughly."""

    name: str
    device: str
    subject: int
    preview: int


CLIENTS = (
    Client("Gmail app", "phone", 37, 37),
    Client("Apple Mail", "phone", 48, 99),
    Client("Gmail", "desktop", 70, 100),
)
"""Subject of all three and preview of Apple Mail: measured by emailtooltester.com (subject line
length study, iPhone 14 and a browser). Gmail's preview in a browser: 90 to 101 characters, by
Google's support in 2015; in the app: one line, taken to be as long as the subject's. Clients cut by
width and not by count, so all of these are near and none is exact."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A text as a client shows it, and what it leaves out."""

    shown: str
    hidden: str


@dataclass(frozen=True, slots=True)
class InboxLine:
    """A variant in the list of one client."""

    client: Client
    sender: str
    subject: Cut
    preview: Cut

    @property
    def lost(self) -> list[tuple[str, int]]:
        """Fields that are cut, with how many characters they lose."""
        fields = [("subject", self.subject), ("preview", self.preview)]
        return [(name, len(text.hidden)) for name, text in fields if text.hidden]


def inbox(sender: str, subject: str, preview: str, tags: Mapping[str, MergeTag]) -> list[InboxLine]:
    """The variant in every client's list, merge tags filled with their fallbacks."""
    subject, preview = filled(subject, tags), filled(preview, tags)
    return [
        InboxLine(client, sender, cut(subject, client.subject), cut(preview, client.preview))
        for client in CLIENTS
    ]


def filled(text: str, tags: Mapping[str, MergeTag]) -> str:
    """`text` as a reader without any value sees it. A tag without a fallback leaves nothing."""

    def fallback(match: re.Match[str]) -> str:
        name, double, single = match.groups()
        written = double if double is not None else single
        if written is not None:
            return str(written)
        return tags[name].fallback if name in tags else ""

    return TAG.sub(fallback, text)


def cut(text: str, length: int) -> Cut:
    """`text` cut to `length` characters, of which an ellipsis is one."""
    if len(text) <= length:
        return Cut(text, "")
    shown = text[: length - 1].rstrip()
    return Cut(f"{shown}…", text[len(shown) :].strip())
