"""The guardrails as a filter: `python -m guardrails check [--policy FILE]`.

Reads JSON Lines on standard input and writes one answer a line, in order. A line that can't be
read is answered with its error, and the exit status is 1 at the end; 2 is for a wrong call.

`train intent|voice` rebuilds a trained head from the labelled data; `evaluate` measures the trained
checks on the test split.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from guardrails.embeddings import Embedder
from guardrails.errors import GuardrailsError
from guardrails.evaluate import evaluate
from guardrails.policy import Policy
from guardrails.run import Guardrails
from guardrails.training.heads import HEADS, CachedEmbedder, default_cache, train
from guardrails.types import Brand, Brief, Copy, Item, Report, Segment

DATA = Path(__file__).parent / "data"

BATCH = 64
"""Lines checked together: embeddings are several times faster in batches than one by one."""


class Line(BaseModel):
    """One line of the input. `segment` is a segment, or the name of one of the brief's."""

    model_config = ConfigDict(extra="ignore")

    id: str | int | None = None
    subject: str
    preview: str | None = None
    brief: Brief | None = None
    segment: Segment | str | None = None
    brand: Brand | None = None
    earlier: Sequence[Copy] = ()

    def item(self) -> Item:
        """The item to check.

        Raises:
            ValueError: `segment` names none of the brief's segments.
        """
        segment = self.segment
        if isinstance(segment, str):
            segments = self.brief.segments if self.brief else ()
            named = [each for each in segments if each.name == segment]
            if not named:
                raise ValueError(f"segment: {segment!r} is none of the brief's segments")
            segment = named[0]
        return Item(self.subject, self.preview, self.brief, segment, self.brand, self.earlier)


def read(line: str) -> tuple[Any, Item | str]:
    """The id of a line, as far as it can be read, and its item, or what is wrong with it."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}"
    if not isinstance(raw, dict):
        return None, "not a JSON object"
    identifier = raw.get("id")
    try:
        return identifier, Line.model_validate(raw).item()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return identifier, f"{place}: {first['msg']}"
    except ValueError as error:
        return identifier, str(error)


def answer(identifier: Any, report: Report) -> dict[str, Any]:
    """The output line of one report."""
    return {
        "id": identifier,
        "verdict": report.verdict,
        "findings": [
            {name: getattr(finding, name) for name in finding.__slots__ if name != "waived_by"}
            for finding in report.findings
        ],
        "scores": dict(report.scores),
        "outcomes": dict(report.outcomes),
        "demanded": list(report.demanded),
        "not_applicable": report.names("not_applicable"),
        "not_run": report.names("not_run"),
    }


def answers(lines: list[str], guardrails: Guardrails) -> Iterator[dict[str, Any]]:
    """Answers to a batch of lines, in order."""
    read_lines = [read(line) for line in lines]
    reports = iter(guardrails.check([item for _, item in read_lines if isinstance(item, Item)]))
    for identifier, item in read_lines:
        if isinstance(item, Item):
            yield answer(identifier, next(reports))
        else:
            yield ({} if identifier is None else {"id": identifier}) | {"error": item}


def check(source: TextIO, target: TextIO, guardrails: Guardrails) -> int:
    """Filter `source` to `target`; 1 where a line could not be read, else 0."""
    status = 0
    lines = (line for line in source if line.strip())
    while batch := list(islice(lines, BATCH)):
        for each in answers(batch, guardrails):
            status |= "error" in each
            target.write(json.dumps(each, ensure_ascii=True) + "\n")
        target.flush()
    return int(status)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m guardrails", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check JSON Lines on standard input")
    checking.add_argument("--policy", type=Path, help="a policy file in place of the default")
    training = commands.add_parser("train", help="rebuild a trained head from labelled data")
    training.add_argument("head", choices=sorted(HEADS), help="which head")
    training.add_argument("--out", type=Path, default=DATA, help="folder the head is written to")
    evaluating = commands.add_parser(
        "evaluate", help="measure the trained checks on the test split"
    )
    for each in (training, evaluating):
        each.add_argument("--data", type=Path, default=DATA, help="folder of the labelled data")
        each.add_argument(
            "--cache", type=Path, default=default_cache(), help="folder where embeddings are kept"
        )
    options = parser.parse_args(arguments)
    try:
        if options.command == "train":
            train(options.head, options.data, options.out, options.cache)
            return 0
        if options.command == "evaluate":
            print("\n".join(evaluate(options.data, CachedEmbedder(options.cache, Embedder()))))
            return 0
        guardrails = Guardrails(Policy.load(options.policy))
    except GuardrailsError as error:
        print(f"guardrails: {error}", file=sys.stderr)
        return 2
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    return check(sys.stdin, sys.stdout, guardrails)


if __name__ == "__main__":
    sys.exit(main())
