"""Leftovers: what a language model leaves in a text that is not copy, and marks out of place.

Each rule is a pattern, searched in normalised text. Quantifiers are bounded or stand alone, so
that no line takes longer than its length asks for.
"""

import re
from dataclasses import dataclass

from guardrails.types import FieldName, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, and what to say of what it finds."""

    id: str
    severity: Severity
    pattern: re.Pattern[str]
    message: str
    suggestion: str
    needs: str = ""
    """Characters of which the text must hold one for the pattern to match at all; "" is none."""

    hints: tuple[str, ...] = ()
    """Pieces in small letters of which the text must hold one; none is no condition."""

    fields: tuple[FieldName, ...] = ("subject", "preview")

    def search(self, text: str) -> re.Match[str] | None:
        """The first place in `text` where the pattern matches."""
        if self.needs and not any(character in text for character in self.needs):
            return None
        if self.hints:
            lowered = text.lower()
            if not any(piece in lowered for piece in self.hints):
                return None
        return self.pattern.search(text)


def _any(*alternatives: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), flags)


_LINES = r"(?:subject(?: and preview)? lines?|preview (?:texts?|lines?)|pre-?headers?|variants?)"
_IDEAS = r"(?:options?|versions?|variations?|suggestions?|ideas?|examples?|e-?mails?)"
_HERE = r"here(?:'s| is| are)"
_AGREED = r"(?:sure(?: thing)?|certainly|of course|absolutely)"
_WROTE = r"(?:help|assist|write|create|generate|provide|craft|draft|suggest)"
_OPENING = r"^[\s\"'*#>_-]{0,8}(?:\d{1,2}[.)]\s{0,3})?[\"'*_]{0,4}"
_COLON = r"[\"'*_]{0,4}\s?:"

# What stands in a placeholder's brackets: nouns that are one by themselves, words before them.
_BLANK = (
    r"(?:name|date|time|city|location|amount|price|discount|percent(?:age)?|code|coupon|url|link"
    r"|product|brand|company|business|number|customer|recipient|placeholder|x{1,4}|_{1,9}|#{1,9})"
)
_BEFORE_BLANK = (
    r"(?:your|the|insert|add|first|last|full|customer|recipient|subscriber|user|brand|product"
    r"|company|business|store|shop|event|offer|discount|coupon|promo|end|start|expiry|deadline)"
)

RULES = (
    Rule(
        "model_chatter",
        "block",
        _any(
            rf"^\W*{_AGREED}[,.!:]?\s{{1,3}}(?:{_HERE}\b|i(?:'ll| will| can) {_WROTE}\b)",
            rf"\b{_HERE} (?:[\w-]{{1,20}} ){{0,4}}(?:{_LINES}\b|{_IDEAS}\s?:)",
            rf"^\W*{_HERE} (?:\d{{1,2}}|a few|some|your|the|my)\s?[:.]?\s*$",
            r"\bas an? (?:ai(?: language)? (?:model|assistant)\b|ai(?=,|\s+i\b|\s*$))",
            r"\bas an? (?:large )?language model\b|\bi(?:'m| am) (?:just |only )?an? (?:ai|language model)\b",
            r"\b(?:i(?:'m| am) sorry|sorry|i apologi[sz]e),? but i\b|^\W*sorry, i (?:can't|cannot)\b",
            rf"\bi(?:'m| am) (?:unable|not able) to {_WROTE}\b",
            rf"\b{_HERE} (?:a|an|the|another) (?:revised|new|final|alternative|improved|other)?\s?"
            r"(?:version|option|subject line|preview text|variation)\b",
            r"\bthank(?:s| you) for (?:providing|sharing) the (?:brief|information|details)\b",
            rf"\b(?:let's|let me) (?:{_WROTE}|think|brainstorm)\b(?: (?:a|some|the|up))?"
            rf"(?: {_LINES}\b|[.:]|\s*$)",
            r"^\W*(?:per|as per) your request\b",
            rf"\bi (?:can't|cannot|can not|am unable to) (?:{_WROTE}|fulfil|comply)\b",
            r"\blet me know if you(?:'d| would) like\b|\blet me know if you need (?:more|any|other)\b",
            r"\b(?:i )?hope (?:this|these|that) helps?\b",
            r"\bfeel free to (?:adjust|modify|edit|tweak) (?:it|them|this|these)\b",
            r"\bbased on the (?:brief\b|(?:information|facts) (?:provided|given|above)\b)",
            r"\b(?:this|the) subject line\b|\(\s?\d{1,3} (?:characters?|chars?)\s?\)",
        ),
        "This is a language model talking about its task, not copy.",
        "Write the line itself.",
        hints=(
            *("here", "an ai", "model", "sorry", "apolog", "able to", "can't", "cannot"),
            *("can not", "thank", "let me", "let's", "request", "hope th", "free to", "based on"),
            *("subject line", "char", "sure", "certainly", "of course", "absolutely", "'m a"),
            *("i am "),
        ),
    ),
    Rule(
        "label",
        "block",
        _any(
            rf"{_OPENING}(?:preview text|brand(?: voice)?|brief|facts?|tags|kind|sounds like"
            rf"|assistant|{_IDEAS} \d{{1,2}}|{_LINES} \d{{1,2}}){_COLON}",
            rf"\b(?:subject(?: lines?)?(?: \d{{1,2}})?|preview text|pre-?header(?: text)?){_COLON}",
        ),
        "A label of the prompt or the answer was left in the text.",
        "Take the label out.",
        needs=":",
    ),
    Rule(
        "label",
        "block",
        _any(
            rf"{_OPENING}(?:intent|segment|merge[ _]tags|must[ _]avoid|jurisdictions?|call to action"
            rf"|target audience|(?:character|word) count|final answer|length(?=: \d{{1,3}} ch)"
            rf"|on[ _]voice|off[ _]voice|banned[ _]phrases|version [A-D1-9]){_COLON}"
        ),
        "A label of the prompt or the answer was left in the text.",
        "Take the label out.",
        needs=":",
    ),
    Rule(
        "prompt_text",
        "block",
        _any(
            r"\byou write e-?mail subject lines\b|\buse only what the brief says\b",
            r"\banswer with exactly two lines\b|\bnot the subject again\b|^\W*example (?:brief|answer)\W*$",
        ),
        "This is a sentence of the prompt.",
        "Write the line itself.",
        hints=("you write", "use only", "exactly two", "not the subject", "example"),
    ),
    Rule(
        "label",
        "block",
        _any(rf"{_OPENING}preview{_COLON}"),
        "A label of the answer was left in the text.",
        "Take the label out.",
        needs=":",
        fields=("preview",),
    ),
    Rule(
        "label",
        "review",
        _any(
            rf"{_OPENING}(?:preview|product|offer|headline|title|body|answer|response|output|prompt"
            rf"|instructions?|user|system|human|cta|to|do|note|tone(?: of voice)?|language|limits"
            rf"|translation|revised|alternative|segments|terms){_COLON}"
            rf"|{_OPENING}subject(?: line)? - "
        ),
        "This may be a label of the prompt or the answer.",
        "Take the label out, unless it is meant.",
        needs=":-",
    ),
    Rule(
        "special_token",
        "block",
        _any(
            r"<\|[^|<>\n]{0,40}\|>|<\|im_|\bim_(?:start|end)\b|</?s>|<</?SYS>>|\[/?INST\]",
            r"</?(?:bos|eos|pad|unk|mask|think|start_of_turn|end_of_turn)>",
            r"\[(?:PAD|UNK|MASK|CLS|SEP)\]|##\s?(?:instruction|response|input|answer)",
        ),
        "A control token of a language model was left in the text.",
        "Take it out.",
        needs="<[#_",
    ),
    Rule(
        "placeholder",
        "block",
        _any(
            rf"[\[<{{]\s?(?:{_BEFORE_BLANK}['\s/_-]{{1,3}}){{0,4}}{_BLANK}(?:\s?\d)?\s?[\]>}}]",
            rf"[\[<]\s?(?:your|insert)\s{_BEFORE_BLANK}\s?[\]>]|\[\s?insert\b[^\[\]\n]{{0,60}}\]",
            r"(?<!\{)\{\s?\w{1,40}\s?\}(?!\})",
            r"(?<![\w-])[£$€]?x{1,4}\s?%|[£$€]x{1,4}(?![\w-])|[£$€]_|_{3,}",
        ),
        "A placeholder was never filled in.",
        "Put the fact in its place, or write the line without it.",
        needs="[<{%£$€_",
    ),
    Rule(
        "placeholder",
        "block",
        _any(
            r"\b(?:hello|hi|dear|hey),? (?:null|none|undefined|nan)\b(?=\W*$|[,.!])|\bNaN\s?%",
            r"\(\s?insert\b[^()\n]{0,60}\)",
            r"\binsert (?:[\w-]{1,20} ){1,3}here\b|\blorem ipsum\b|\bdolor sit amet\b",
            r"\byour (?:brand|company|product|business) name here\b",
        ),
        "A placeholder was never filled in.",
        "Put the fact in its place, or write the line without it.",
        hints=("insert", "lorem", "dolor", "name here", "null", "none", "undefined", "nan"),
    ),
    Rule(
        "placeholder",
        "review",
        _any(
            r"\bTB[CDA]\b|\bNaN\b|\bundefined (?:is|are|has|off)\b|<[a-z][a-z _-]{1,30}>",
            r"(?<![\w-])X{2,4}(?= (?:off|days?|hours?|left|people)\b)",
            flags=re.RegexFlag(0),
        ),
        "A detail is still to be filled in.",
        "Put the fact in its place.",
        hints=("tb", "nan", "undefined", "<", "xx"),
    ),
    Rule(
        "markup",
        "block",
        _any(
            r"</?(?:a|b|i|u|p|br|em|h[1-6]|li|ul|ol|div|font|html|body|head|img|span|strong|style"
            r"|script|table|td|tr|title)(?:\s[^<>\n]{0,200})?/?>",
            r"&(?:amp|nbsp|lt|gt|quot|apos|zwnj|shy|pound|euro|[lr]squo|[lr]dquo|[mn]dash|hellip"
            r"|#\d{1,7}|#x[0-9a-f]{1,6});",
            r"\\[nrt](?![a-z])|\\u[0-9a-f]{4}|^\s*[{\[]\s?[\"']",
        ),
        "Markup or code would show as it stands.",
        "Write plain text.",
        needs="<&\\{[",
    ),
    Rule(
        "markup",
        "review",
        _any(
            r"\*\*[^*\n]{1,200}\*\*|__[^_\n]{1,200}__|`[^`\n]{0,200}`",
            r"^\s*(?:#{1,6}|[-*•]|\d[.)]) (?=[^\W\d])",
        ),
        "Markdown or a list mark would show as it stands.",
        "Write plain text.",
        needs="*_`#-•.)",
    ),
    Rule(
        "punctuation_run",
        "review",
        _any(r"[!?]{2,}"),
        "Marks in a row look like spam.",
        "Use one mark, or none.",
        needs="!?",
    ),
    Rule(
        "spacing",
        "review",
        _any(r"(?<=\S)[ \t]{2,}(?=\S)|(?<=\w) ,(?=\s|$)"),
        "There is a space too many.",
        "Use one space between words, and none before a comma.",
    ),
    Rule(
        "cut_off",
        "review",
        _any(
            r"(?:[,(\[{&;]|(?<![\w+-])[-+]{1,2}|(?<=\w)--"
            r"|(?<![\w'-])(?:[Tt]he|[Aa]nd|of|with|an?|or|your|our|my|their))\s*$",
            flags=re.RegexFlag(0),
        ),
        "The text seems to stop in the middle.",
        "Finish the sentence.",
    ),
)
