"""Whether a text sounds like the brand: likeness to its example lines in wording and style."""

from collections.abc import Mapping, Sequence

from guardrails.embeddings import Encoder, plain
from guardrails.learned.heads import Head
from guardrails.learned.style import styles
from guardrails.learned.voice import Lines, VoiceHead, nearest, unlike
from guardrails.types import Brand, Finding, Item, Option, Result

MOST_LINES = 64
"""Example lines of each kind that are looked at: beyond, they change nothing but the time."""


class BrandVoice:
    """Likeness to a brand's example lines, as the probability that the text is in its voice.

    Below `threshold` (0 to 1) a person decides; nothing is ever blocked. By default it is the value
    that training chose: about 5% of the brands' own copy falls below it.
    """

    name = "brand_voice"
    rules = frozenset({"off_voice"})

    def __init__(self, embedder: Encoder, *, threshold: float | None = None) -> None:
        """Load the trained head.

        Raises:
            GuardrailsError: the head is missing or can't be read.
        """
        self._embedder = embedder
        self._model = VoiceHead(Head.load("brand_voice"))
        self._threshold = threshold

    def options(self, brand: Brand) -> Mapping[str, Option]:
        """The threshold for `brand`: training chose one with off_voice lines and one without."""
        return {"threshold": Option(self._bound(bool(_examples(brand)[1])), "lower")}

    def _bound(self, has_off: bool) -> float:
        chosen = self._threshold
        return self._model.threshold(has_off) if chosen is None else float(chosen)

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge `items`; `scores["brand_voice"]` is between 0 (off voice) and 1 (on voice)."""
        judged = [item for item in items if _applies(item)]
        texts = {text for item in judged for text in _texts(item)}
        examples = {
            text for item in judged if item.brand for kind in _examples(item.brand) for text in kind
        }
        lines = self._lines(sorted(texts | examples))
        places = {text: place for place, text in enumerate(lines.texts)}
        brands: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Lines, Lines]] = {}
        results = []
        for item in items:
            if item.brand is None or not _applies(item):
                results.append(Result.not_applicable())
                continue
            key = _examples(item.brand)
            if key not in brands:
                on, off = (lines.at([places[text] for text in kind]) for kind in key)
                brands[key] = on, off
            own = lines.at([places[text] for text in _texts(item)])
            results.append(self._result(item, item.brand, own, *brands[key]))
        return results

    def _lines(self, texts: Sequence[str]) -> Lines:
        return self._model.lines(texts, self._embedder.encode(texts), styles(texts))

    def _result(self, item: Item, brand: Brand, own: Lines, on: Lines, off: Lines) -> Result:
        probability = self._model.probability(own, on, off)
        result = Result(scores={"brand_voice": round(probability, 4)})
        if probability >= self._bound(len(off) > 0):
            return result
        fields = [(name, text) for name, text in item.fields() if plain(text)]
        alone = [self._model.probability(own.at([i]), on, off) for i in range(len(fields))]
        field, text = fields[alone.index(min(alone))]
        message = (
            f"This does not sound like {brand.name or 'the brand'}. "
            f"The nearest example line: “{nearest(own, on)}”."
        )
        away = [f"{'more' if more else 'less'} of {name}" for name, more in unlike(own, on)]
        if away:
            message += f" Against the examples: {'; '.join(away)}."
        suggestion = "Rewrite it the way the example lines are written."
        result.findings.append(
            Finding(self.name, "off_voice", "review", field, 0, len(text), message, suggestion)
        )
        return result


def _applies(item: Item) -> bool:
    return item.brand is not None and bool(_examples(item.brand)[0]) and bool(_texts(item))


def _texts(item: Item) -> list[str]:
    """The fields of `item` that hold something, as they are embedded."""
    return [shown for _, text in item.fields() if (shown := plain(text))]


def _examples(brand: Brand) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The brand's lines on and off voice, as they are embedded, each once."""
    on, off = (
        tuple(dict.fromkeys(shown for text in kind[:MOST_LINES] if (shown := plain(text))))
        for kind in (brand.on_voice, brand.off_voice)
    )
    return on, off


_PLAIN = Brand(
    slug="harrow-and-pine",
    name="Harrow & Pine",
    voice="Warm and plain-spoken. Short sentences. No hype.",
    on_voice=[
        "The first lambswool is in",
        "A jumper for the cold end of October",
        "We mend what we sell",
        "Six colours, all from the sheep",
        "Made in Hawick, worn everywhere",
        "Your coat is ready to collect",
        "What the mill taught us about wool",
        "Warm hands, plain gloves",
    ],
    off_voice=[
        "OMG you NEED these jumpers!!! 🔥",
        "Unlock next-level cosiness today!",
        "🚨 MEGA KNITWEAR DEALS 🚨",
        "Elevate your wardrobe game!",
    ],
)
_ALONE = _PLAIN.model_copy(update={"off_voice": []})

EXAMPLES_PASS: list[Item] = [
    Item(
        "A scarf for the walk to school", "Lambswool, two yards long. It washes well.", brand=_PLAIN
    ),
    Item("The grey one sells out first", brand=_ALONE),
]
EXAMPLES_FAIL: list[tuple[Item, str]] = [
    (Item("🔥 INSANE scarf deals!!!", "OMG hurry, grab yours NOW! 😍", brand=_PLAIN), "off_voice"),
    (Item("YOU WON'T BELIEVE THESE SCARVES!!! 😱", brand=_ALONE), "off_voice"),
]
