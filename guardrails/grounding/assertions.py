"""Claims that words make: superlatives, scarcity, social proof, benefits, seasons.

Each assertion is data: what it says, how bad it is where the brief does not say it, and which words
of the brief bear it. The rules follow the UK CAP Code (sections 3.7 and 3.38 to 3.44: evidence, and
comparisons; 3.23 to 3.25: "free"; 8.17: closing dates) and 16 CFR 251 and 255 (free offers,
endorsements); which words count as harmless was judged by reading.
"""

import re
from dataclasses import dataclass

from guardrails.grounding.numerals import listed
from guardrails.types import Severity


@dataclass(frozen=True, slots=True)
class Assertion:
    """A claim in words: it is borne where `bearers` is found in the brief's lower-case text.

    `triggers` are lower-case words one of which the text must hold; without `bearers` the brief has
    to hold the very words. `ends` tells a claim that an end of the offer bears, `reduction` one
    that any reduction in the brief bears, `goods` one whose last word the brief has to hold too.
    """

    rule: str
    severity: Severity
    triggers: frozenset[str]
    pattern: re.Pattern[str]
    bearers: re.Pattern[str] | None = None
    ends: bool = False
    reduction: bool = False
    goods: bool = False


def assertion(
    rule: str,
    severity: Severity,
    triggers: str,
    pattern: str,
    bearers: str = "",
    ends: bool = False,
    reduction: bool = False,
    goods: bool = False,
) -> Assertion:
    """An assertion from its words; `pattern` and `bearers` begin at the start of a word."""
    return Assertion(
        rule,
        severity,
        frozenset(triggers.split()),
        re.compile(rf"\b(?:{pattern})(?!\w)"),
        re.compile(rf"\b(?:{bearers})") if bearers else None,
        ends,
        reduction,
        goods,
    )


_HOLIDAYS = (
    r"christmas|xmas|easter|good friday|giving tuesday|(?:shrove|super) tuesday|black friday|cyber monday|halloween|valentine'?s?|mother'?s day"
    r"|father'?s day|bank holiday|diwali|eid|ramadan|hanukkah|thanksgiving|new year'?s?(?: eve)?"
    r"|boxing day|prime day|independence day|labor day|memorial day|singles'? day|lunar new year"
)
ASSERTIONS = (
    # What can be measured and is rarely true.
    assertion(
        "superlative",
        "block",
        "lowest cheapest unbeatable no number winning winner winners won award price prices leading worlds world's best beaten",
        r"lowest(?: ever)? (?:prices?|rates?|fees?|costs?)|cheapest|unbeatable"
        r"|no\. ?1|number one (?:in|for|choice|brand|rated)|(?:uk|us|nation|country)'s (?:no|number)"
        r"|award[- ](?:winn(?:ing|ers?))|winner of|won (?:an|the|best|gold|product|three|two) ?\w*(?: award)?|(?:market|industry|world)[- ](?:leading|beating|class)"
        r"|best (?:prices?|value)|world'?s (?:most|best|first|only|leading|number|no|favou?rite|finest|\w+est)|(?:can't|never) be beaten"
        r"|clinically proven|scientifically proven",
    ),
    assertion(
        "superlative",
        "block",
        "proven clinically scientifically",
        r"(?:clinically|scientifically) proven",
    ),
    assertion(
        "superlative",
        "review",
        "best top leading ultimate unrivalled unmatched unparalleled finest greatest ever favourite favorite ever most "
        "unbeaten record",
        r"(?<!\bat )(?<!\bits )(?<!\byour )(?<!\bmy )(?<!\blook )(?<!\bknow )(?<!\blike )(?<!\bwork )"
        r"best(?! (?:before|wishes|regards|friend|of luck|to|by|when|man|bit|way|if|not|with|served|done|kept))"
        r"|(?:our|the|all-time|britain's|america's|nation's) (?:favou?rite|leading|number one)"
        r"|(?:greatest|ultimate|unrivalled|unmatched|unparalleled|unbeaten|finest)"
        r"|(?:first|best|biggest|lowest|largest|most \w+|\w+est)(?:[ -]\w+)?[ -]ever"
        r"|the most (?!of\b)\w+|record[- ](?:low|breaking|high)",
    ),
    assertion(
        "superlative",
        "review",
        "than rival rivals competitor competitors competition beats beat outlasts outperforms",
        r"(?<!other )(?<!rather )(?:\w{2,}er|more(?: \w+)?|less(?: \w+)?) than (?:anywhere|anyone|anything|any|every|all|other|the rest|ever|most|before)"
        r"|(?:rivals?|competitors?|competition)|(?:beats?|outlasts?|outperforms?) (?:any|every|all|the rest|them)",
    ),
    assertion(
        "superlative",
        "review",
        "famous renowned legendary iconic acclaimed celebrated breakthrough groundbreaking pioneering "
        "miracle leader leaders kind premier prestigious gold perfect perfection original genuine "
        "unlike unique like nobody noone one nothing most",
        r"(?:world[- ])?famous|(?:world[- ])?renowned|legendary|iconic|(?:critically )?acclaimed"
        r"|breakthrough|ground-?breaking|game[- ]chang(?:er|ing)|miracle|(?:market|industry|world|global) leaders?"
        r"|(?:only|first) (?:one )?of (?:its|their) kind|one of a kind|premier|prestigious|gold standard"
        r"|(?:truly )?unique|like nothing else|(?:no ?one|nobody|no other \w+|nothing) (?:else )?(?:does|makes|beats|offers|compares|is better|knows)"
        r"|most (?:trusted|loved|popular|wanted|awarded|advanced|powerful|comfortable|durable|reliable|effective|exclusive|affordable|efficient|innovative)",
    ),
    assertion(
        "social_proof",
        "review",
        "swear swears rave raves vouch thousands hundreds millions countless many rated demand friends neighbours neighbors already everybody tested proven experts professionals dermatologists "
        "dermatologist doctors scientists sommeliers chefs critics athletes celebrities reviewers",
        r"(?:by|back by) popular demand|in (?:high|great|huge) demand|(?:your )?(?:friends|neighbours|neighbors|everyone|everybody) (?:have |has |are |is )?already"
        r"|(?:\w+ly )?tested by|(?:\w+s|everyone|everybody|customers) (?:swears?|raves?|vouch(?:es)?) (?:by|about|for)"
        r"|(?:thousands|hundreds|millions|so many(?: \w+)?|countless \w+) (?:have|love|trust|already|can't)|(?:highest|top|best)[- ]rated"
        r"|(?:clinically|dermatologist|lab|laboratory|field|independently)[- ]tested|proven"
        r"|(?:experts?|professionals?|dermatologists?|doctors?|scientists?|sommeliers?|chefs?|critics?|athletes?|celebrit(?:y|ies)|reviewers?)(?:'s|s')? (?:choice|pick|favou?rites?|approved|say|says|agree|recommend|recommends|love|swear)",
        r"demand|already|tested|test\b|proven|proof|trial",
    ),
    # Scarcity. An end of the offer bears what speaks of its end.
    assertion(
        "scarcity",
        "block",
        "left remaining remain spots places spaces",
        r"(?:only|just|last|final) (?:a )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|dozen"
        r"|handful|few|couple)(?: \w+){0,2} (?:left|remain(?:ing|s)?|available|to go)",
        r"left\b|remain|available",
    ),
    assertion(
        "scarcity",
        "review",
        "quick quickly limited be before grab snap vanish vanishes fast gone going selling sell out stock stocks supplies low running few quickly disappear claimed",
        r"be quick|going, going|limited to \w+|(?:selling|going|moving|disappearing) (?:fast|quickly|out)|(?:almost|nearly) (?:gone|sold out)"
        r"|(?:running|run) (?:low|out)|low (?:in )?stock|while (?:stocks?|supplies|they) lasts?"
        r"|(?:last|final) few|few (?:left|remaining)|sell(?:s|ing)? out|sold out|(?:before|once) (?:it'?s|they'?re|it is|they are) (?:all )?gone"
        r"|almost claimed|(?:grab|snap|get) (?:it|them|yours|one)(?: up)? (?:before|while|now|fast|quick)|before (?:they|it) (?:vanish\w*|disappears?|runs? out|sells? out)|(?:stocks?|supplies|spaces|places|spots) (?:is|are) (?:low|limited|going)",
        r"while (?:stock|suppl)|limited (?:stock|edition|number|run|suppl|quantit)|\d+ left\b|remain"
        r"|sold (?:out|until)|sells? out|run out|out of stock|low stock",
    ),
    assertion(
        "scarcity",
        "review",
        "chance hurry soon miss ends ending late clock final hours closing countdown never deadline expires expiring now urgent",
        r"(?:last|final) (?:chance|call|hours?|days?|reminder|opportunity)|end(?:s|ing)? soon|(?<!no )(?<!a )(?<!don't )hurry(?! back)"
        r"|(?:don't|do not|never) miss(?: out)?|(?:before|until) it'?s too late|clock is ticking|time is running out"
        r"|expir(?:es|ing) (?:soon|shortly)|act (?:now|fast)|now or never|closing soon|countdown|ends (?:today|tonight|tomorrow)"
        r"|urgent",
        r"(?:last|final|ends?|ending|closes?|closing|until|deadline|by|before|expires?)\b",
        ends=True,
    ),
    assertion(
        "scarcity",
        "review",
        "limited exclusive exclusively only once",
        r"limited(?: |-)(?:edition|time|stocks?|availability|numbers?|places|spaces|run|release|supply|offer|period|quantit\w+)"
        r"|once in a lifetime|one[- ]time[- ]only|(?:today|this week|this weekend) only|for (?:one|a) (?:day|week) only"
        r"|exclusive(?:ly)?",
        r"limited|exclusive|one (?:week|day)|numbered|edition|\d+ made|only \d",
    ),
    # What other people are said to think.
    assertion(
        "social_proof",
        "block",
        "bestseller bestsellers seller sellers bestselling selling",
        r"best[- ]?sell(?:ers?|ing)",
        r"best[- ]?sell",
    ),
    assertion(
        "social_proof",
        "block",
        "seen featured recommended trusted approved endorsed loved adored chosen worn",
        r"(?:as seen|(?:as )?featured) (?:in|on|by)|tried and (?:trusted|tested)"
        r"|(?:recommended|trusted|approved|endorsed|loved|adored|chosen|worn) by(?! (?:you|us|hand)\b)",
        r"as seen|featured|recommend|trusted|approved|endorsed|loved|chosen|worn|tried and",
    ),
    assertion(
        "social_proof",
        "block",
        "star stars rated voted",
        r"(?:\d(?:\.\d)?|five|four)[- ]stars?|(?:top|highly|best)[- ]rated"
        r"|rated (?:\d|five|four|excellent|number|no|best|top|highly)|voted",
        r"stars?\b|rated|rating|scor|voted|vote|out of",
    ),
    assertion(
        "social_proof",
        "block",
        "thousands hundreds millions tens join",
        r"(?:thousands|hundreds|millions|tens of thousands) of (?:\w+ )?(?:customers|people|readers"
        r"|users|members|parents|families|women|men|homes|shoppers|guests|others|fans|reviews"
        r"|owners|businesses|teams|households|companies|travellers|students|subscribers)"
        r"|join (?:over |more than )?(?:thousands|hundreds|millions)",
        r"thousands|hundreds|millions|\d{4,}|\d,\d{3}|million",
    ),
    assertion(
        "social_proof",
        "review",
        "customers everyone everyone's love loves loved rave raving reviews reviewers viral talking popular fans favourite favorite trending "
        "experts dermatologists doctors vets dentists celebrities critics fan wanted",
        r"(?:customers|readers|members|guests|owners|parents|fans|people|users|clients|shoppers|reviewers|critics|experts|doctors"
        r"|dermatologists|vets|dentists|celebrities|everyone) (?:\w+ )?(?:love|loves|loved|rave|adore|swear by|agree|recommend|say|choose|trust|prefer|can't get enough|is talking|are talking|can't stop)"
        r"|everyone'?s (?:talking|favou?rite|raving|loving)|raving about|(?:rave|glowing|great|five-star) reviews|(?:gone|going|went) viral|trending"
        r"|most[- ](?:popular|loved|wanted|trusted|requested)|(?:customer|fan|crowd|reader|staff)(?:'s|s'|s)? favou?rites?|much[- ]loved|fan club",
    ),
    assertion(
        "superlative",
        "review",
        "nothing never second unlike else",
        r"nothing else (?:comes close|compares|like it|works|will do)|second to none|never (?:fails?"
        r"|breaks?|fades?|wears? out|lets? you down|leaks?)|unlike any(?:thing)?(?: other| else)?"
        r"|like no other|in a class of its own",
    ),
    # Days and seasons that the brief does not speak of.
    assertion(
        "date",
        "review",
        "today tonight tomorrow yesterday weekend weekends",
        r"today(?!'s)|tonight|tomorrow|yesterday|(?:this|next|the|last|bank holiday) weekend",
    ),
    assertion(
        "date",
        "review",
        "week month year morning afternoon evening fortnight quarter",
        r"(?:this|next|last) (?:week|month|year|morning|afternoon|evening|fortnight|quarter)|later this (?:week|month)",
        r"(?:this|next|last) (?:week|month|year|morning|afternoon|evening|fortnight|quarter)|week|month|year",
        ends=True,
    ),
    assertion(
        "date",
        "review",
        "christmas xmas easter friday monday tuesday halloween valentine's valentines valentine mother's father's mothers fathers holiday diwali "
        "eid ramadan hanukkah thanksgiving new boxing prime independence labor memorial singles singles' lunar",
        _HOLIDAYS,
    ),
    assertion(
        "date",
        "review",
        "spring summer autumn winter",
        r"(?<!\w-)(?:summer|autumn|winter|spring(?! (?:in|into|to|back|up|for|water|onion)))",
    ),
)

NOT_SUPERLATIVE = frozenset(
    listed(
        "rest test best west guest request nest chest forest harvest invest interest honest latest "
        "earliest modest protest suggest digest manifest contest quest vest zest pest arrest priest "
        "fest jest crest lest detest attest conquest bequest tempest midwest southwest northwest "
        "everest inquest reinvest unrest furthest farthest closest nearest bucharest budapest "
        "ingest infest behest armrest footrest headrest backtest retest latest disinterest earnest "
        "next rainforest ernest makest youngest eldest gabfest incest celeste almost"
    )
)
"""Words in -est that compare nothing, and those that only order things in time and place."""
