"""Duplicates: a text that says what an earlier one said already."""

from collections.abc import Mapping, Sequence

from guardrails.checks.merge_tags import fill
from guardrails.errors import PolicyError
from guardrails.similarity import ALIKE, Index
from guardrails.types import Brand, Copy, Finding, Item, Option, Result

SHOWN = 60
"""Characters of the earlier text that a message quotes."""


class Duplicates:
    """Asks for review where `item.earlier` holds nearly the same text, or the same subject.

    Not applicable where there are no earlier texts. `alike` is the share of common
    six-letter runs, above 0 and up to 1, from which two texts are nearly the same. `scores["duplicates"]` is
    the similarity of the nearest one, 0 where none is near.
    """

    name = "duplicates"
    rules = frozenset({"near_duplicate", "same_subject"})

    def __init__(self, alike: float = ALIKE) -> None:
        """Raises:
        PolicyError: `alike` is not above 0 and up to 1.
        """
        if not 0 < alike <= 1:
            raise PolicyError(f"duplicates.alike: {alike} is not above 0 and up to 1.")
        self._alike = alike

    def options(self, brand: Brand) -> Mapping[str, Option]:  # noqa: ARG002
        """How alike two texts are that say the same."""
        return {"alike": Option(self._alike, "higher", 0.01, 1)}

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge each text by its own earlier ones; items may share one list of them."""
        known: dict[int, _Earlier] = {}
        results = []
        for item in items:
            if not item.earlier:
                results.append(Result.not_applicable())
                continue
            if id(item.earlier) not in known:
                known[id(item.earlier)] = _Earlier(item.earlier, self._alike)
            results.append(self._judge(item, known[id(item.earlier)]))
        return results

    def _judge(self, item: Item, earlier: "_Earlier") -> Result:
        near = earlier.whole.alike(_whole(item.subject, item.preview))
        score = round(near[0][1], 3) if near else 0.0
        rule, message, number = "", "", -1
        if near:
            number = near[0][0]
            rule, message = "near_duplicate", "An earlier text is nearly the same"
        else:
            number = earlier.subjects.get(_plain(item.subject), -1)
            rule, message = "same_subject", "An earlier text has the same subject"
        if number < 0:
            return Result(scores={"duplicates": score})
        quoted = item.earlier[number].subject
        quoted = quoted if len(quoted) <= SHOWN else f"{quoted[: SHOWN - 1]}…"
        finding = Finding(
            self.name, rule, "review", "subject", 0, len(item.subject),
            f"{message}: “{quoted}”.", "Say something else, or leave this one out.",
        )  # fmt: skip
        return Result([finding], {"duplicates": score})


class _Earlier:
    """Earlier texts, indexed."""

    def __init__(self, earlier: Sequence[Copy], alike: float) -> None:
        self.whole = Index.of([_whole(each.subject, each.preview) for each in earlier], alike)
        self.subjects = {
            _plain(each.subject): number
            for number, each in reversed(list(enumerate(earlier)))
            if _plain(each.subject)
        }


def _whole(subject: str, preview: str | None) -> str:
    return f"{fill(subject)}\n{fill(preview or '')}"


def _plain(subject: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in fill(subject)).casefold().split())


_EARLIER = [Copy(subject="The first lambswool of the season", preview="Six undyed colours are in.")]
EXAMPLES_PASS = [
    Item("Jumpers for the first frost", "Spun in Hawick, 15% off until Tuesday.", earlier=_EARLIER),
]
EXAMPLES_FAIL = [
    (
        Item("First lambswool of the season!", "Six undyed colours are in", earlier=_EARLIER),
        "near_duplicate",
    ),
    (
        Item("The first lambswool of the season", "Spun in Hawick and sewn in Leeds by Ann Pell.",
             earlier=_EARLIER),
        "same_subject",
    ),
]  # fmt: skip
