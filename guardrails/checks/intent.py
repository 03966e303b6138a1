"""What a text is after: the brief's intent, or one that no brief may have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from guardrails.embeddings import Reader, plain
from guardrails.learned.heads import DISALLOWED, INTENTS, Array, Head
from guardrails.learned.intents import Intents, Texts
from guardrails.types import Brand, Brief, FieldName, Finding, Item, Option, Result, Severity

MESSAGES: Mapping[str, str] = {
    "deceptive_reply": "This reads like an answer or a personal message that never was",
    "phishing": "This reads like phishing: it asks for credentials, card data or personal data",
    "fear_pressure": "This puts pressure on the reader through fear",
    "false_urgency": "This makes up a hurry or a scarcity",
    "guaranteed_outcome": "This promises a result that nobody can guarantee",
    "medical_claim": "This claims to treat, cure or prevent an illness",
    "financial_claim": "This promises a gain, a credit or an absence of risk",
    "sensitive_inference": "This infers something private about the reader",
    "fake_transactional": "This is dressed as a notice about an order or account that isn't one",
    "prize_bait": "This lures with a prize or gift that the reader did not win",
}
SUGGESTIONS: Mapping[str, str] = {
    "deceptive_reply": "Drop the reply marks and the invented contact, and say who writes and why.",
    "phishing": "Ask for no password, code, card or identity data; say where to sign in instead.",
    "fear_pressure": "Say what the product does, without what happens to those who don't buy it.",
    "false_urgency": "Name the offer's real end or stock from the brief, or leave the hurry out.",
    "guaranteed_outcome": "Say what the product does and for whom, without promising the result.",
    "medical_claim": "Describe the product without saying that it heals or prevents anything.",
    "financial_claim": "Leave out promised gains and approvals, and name the risk.",
    "sensitive_inference": "Write about the product, not about the reader's private life.",
    "fake_transactional": "Say openly in the subject that this is an offer.",
    "prize_bait": "Name the real offer and its terms, and no prize that wasn't won.",
}
KINDS: Mapping[str, str] = {
    "promotional": "an offer",
    "transactional": "a notice about the reader's own order or account",
    "informational": "news or advice",
    "reengagement": "a message to people who have been away",
}


class IntentCheck:
    """Four allowed intents and ten disallowed ones, by trained layers over the encoder and words.

    `block` and `review` bound the probability that a text is disallowed: at or above `block` it is
    blocked, from `review` on a person decides. `mismatch` is how much likelier, between 0 and 1,
    another intent must be than the brief's for a person to decide. By default they are the values
    that training chose: of held-out allowed lines that look dangerous, 1% blocked and 11% reviewed;
    1% of all allowed lines mismatched.
    """

    name = "intent"
    rules = frozenset((*DISALLOWED, "mismatch"))

    def __init__(
        self,
        embedder: Reader,
        *,
        block: float | None = None,
        review: float | None = None,
        mismatch: float | None = None,
    ) -> None:
        """Load the trained head.

        Raises:
            GuardrailsError: the head is missing or can't be read.
        """
        self._embedder = embedder
        self._model = Intents(Head.load("intent"))
        chosen = self._model.thresholds
        self._block = chosen["block"] if block is None else block
        self._review = chosen["review"] if review is None else review
        self._mismatch = chosen["mismatch"] if mismatch is None else mismatch

    def options(self, brand: Brand) -> Mapping[str, Option]:  # noqa: ARG002
        """The three bounds."""
        return {
            "block": Option(float(self._block), "higher"),
            "review": Option(float(self._review), "higher"),
            "mismatch": Option(float(self._mismatch), "higher"),
        }

    def run(self, items: Sequence[Item]) -> list[Result]:
        """Judge `items`; `scores["intent"]` holds a probability for each of the 14 labels.

        Those of the four intents sum to 1 (which intent, if it is allowed); those of the ten
        disallowed ones and "allowed" do too.
        """
        if not items:
            return []
        texts = self._texts(items)
        intents, risks = self._model.judge(texts)
        fields = self._carriers(texts, risks)
        return [
            self._result(item, *rows)
            for item, *rows in zip(items, intents, risks, fields, strict=True)
        ]

    def _texts(self, items: Sequence[Item]) -> Texts:
        subjects = [plain(item.subject) for item in items]
        previews = [plain(item.preview or "") for item in items]
        contexts = [item.brief.intent if item.brief else None for item in items]
        found = self._embedder.read([*subjects, *(text for text in previews if text)])
        rest = iter(found[len(items) :])
        # An empty subject is read too, so that each text has at least one field.
        return Texts(
            subjects,
            previews,
            contexts,
            found[: len(items)],
            [next(rest) if text else None for text in previews],
        )

    def _carriers(self, texts: Texts, risks: Array) -> list[FieldName]:
        """The field of each text that, judged alone, looks more like the text's worst label."""
        carriers: list[FieldName] = ["subject"] * len(risks)
        at = [
            i for i, text in enumerate(texts.previews) if text and 1 - risks[i, 0] >= self._review
        ]
        if not at:
            return carriers
        some, nothing, none = texts.at(at), [""] * len(at), [None] * len(at)
        subjects = replace(some, previews=nothing, preview_readings=none)
        previews = replace(some, subjects=nothing, subject_readings=none)
        _, by_subject = self._model.judge(subjects)
        _, by_preview = self._model.judge(previews)
        for row, i in enumerate(at):
            worst = 1 + int(risks[i, 1:].argmax())
            if by_preview[row, worst] > by_subject[row, worst]:
                carriers[i] = "preview"
        return carriers

    def _result(self, item: Item, intents: Array, risks: Array, field: FieldName) -> Result:
        scores = {
            name: round(float(p), 4)
            for name, p in zip((*INTENTS, *DISALLOWED), (*intents, *risks[1:]), strict=True)
        }
        result = Result(scores={"intent": scores})
        risk = 1 - float(risks[0])
        if risk >= self._review:
            label = DISALLOWED[int(risks[1:].argmax())]
            severity: Severity = "block" if risk >= self._block else "review"
            sure = "" if severity == "block" else " (not certain: a person should look)"
            result.findings.append(
                _finding(
                    item, field, label, severity, f"{MESSAGES[label]}{sure}.", SUGGESTIONS[label]
                )
            )
        elif item.brief and item.brief.intent:
            result.findings += self._mismatched(item, item.brief.intent, intents)
        return result

    def _mismatched(self, item: Item, wanted: str, intents: Array) -> list[Finding]:
        likely = int(intents.argmax())
        if float(intents[likely] - intents[INTENTS.index(wanted)]) < self._mismatch:
            return []
        message = f"The brief is {wanted}, but this reads like {KINDS[INTENTS[likely]]}."
        suggestion = f"Write it as {KINDS[wanted]}, or correct the brief's intent."
        return [_finding(item, "subject", "mismatch", "review", message, suggestion)]


def _finding(
    item: Item, field: FieldName, rule: str, severity: Severity, message: str, suggestion: str
) -> Finding:
    length = len(dict(item.fields())[field])
    return Finding(IntentCheck.name, rule, severity, field, 0, length, message, suggestion)


_PROMOTION = Brief(intent="promotional")
_NOTICE = Brief(intent="transactional")

EXAMPLES_PASS: list[Item] = [
    Item("The jumpers are back from Hawick", "Six undyed colours, 15% off your first.", _PROMOTION),
    Item("Your order has shipped", "Track it on its way to you. Order 4471.", _NOTICE),
    Item("Five ways to keep knitwear from pilling", "A short guide from our repair bench."),
    Item("Summer sale: 20% off garden furniture"),
]
EXAMPLES_FAIL: list[tuple[Item, str]] = [
    (Item("Re: our call on Tuesday", "As promised, here is your discount."), "deceptive_reply"),
    (Item("Your account is locked", "Enter your card number and PIN to unlock it."), "phishing"),
    (Item("Is your family safe tonight?", "Burglars know you have no alarm."), "fear_pressure"),
    (Item("ACT NOW! Gone in 5 minutes", "Hurry, this offer will never return."), "false_urgency"),
    (
        Item(
            "Guaranteed job in 30 days", "Everyone who takes our course gets hired. No exceptions."
        ),
        "guaranteed_outcome",
    ),
    (Item("Cure arthritis with one pill", "Throw away your medicine."), "medical_claim"),
    (Item("Guaranteed 20% returns, no risk", "Double your money by May."), "financial_claim"),
    (Item("Because you're pregnant", "We saw what you searched for."), "sensitive_inference"),
    (
        Item(
            "Invoice 48213 attached",
            "You owe nothing, but 30% off is yours in our sale.",
            _PROMOTION,
        ),
        "fake_transactional",
    ),
    (Item("You've won a free iPhone!", "Claim your prize now."), "prize_bait"),
    (
        Item("Your order has shipped", "Track your parcel. It arrives on Thursday.", _PROMOTION),
        "mismatch",
    ),
]
