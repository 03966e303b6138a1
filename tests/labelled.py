"""Labelled lines of the guardrails' data, and how a check does on them."""

import json
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from guardrails.types import Brand, Brief, Check, Item, Segment

DATA = Path(str(resources.files("guardrails") / "data"))


def cases(name: str) -> Iterator[tuple[Item, set[str]]]:
    """The items of `guardrails/data/<name>.jsonl` and the rules that each must be found by."""
    for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        brief = Brief.model_validate(row["brief"]) if "brief" in row else None
        brand = Brand.model_validate(row["brand"]) if "brand" in row else None
        segment = Segment.model_validate(row["segment"]) if "segment" in row else None
        yield Item(row["subject"], row["preview"], brief, segment, brand), set(row["expected"])


def shares(check: Check, name: str) -> tuple[float, float]:
    """Recall and precision over the rules of all labelled lines."""
    labelled = list(cases(name))
    results = check.run([item for item, _ in labelled])
    found = [{each.rule for each in result.findings} for result in results]
    hits = sum(len(rules & wanted) for rules, (_, wanted) in zip(found, labelled, strict=True))
    wanted_count = sum(len(wanted) for _, wanted in labelled)
    return hits / wanted_count, hits / sum(map(len, found))


def corpus() -> list[Item]:
    """Every variant of the corpus with its brief, segment and brand."""
    items = []
    for path in sorted((DATA / "corpus").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            brand = Brand.model_validate(row["brand"])
            for each in row["briefs"]:
                segment = Segment.model_validate(each["segment"])
                brief = Brief.model_validate(each | {"segments": [each["segment"]]})
                items += [
                    Item(v["subject"], v["preview"], brief, segment, brand)
                    for v in each["variants"]
                ]
    return items


def seconds(check: Check, item: Item) -> float:
    """CPU time of one item, the least of five."""
    taken = []
    for _ in range(5):
        before = time.thread_time()
        check.run([item])
        taken.append(time.thread_time() - before)
    return min(taken)
