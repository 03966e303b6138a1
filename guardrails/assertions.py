"""Claims that words make: superlatives, scarcity, social proof, benefits, seasons.

Each assertion is data: what it says, how bad it is where the brief does not say it, and which words
of the brief bear it. The rules follow the UK CAP Code (sections 3.7 and 3.38 to 3.44: evidence, and
comparisons; 3.23 to 3.25: "free"; 8.17: closing dates) and 16 CFR 251 and 255 (free offers,
endorsements); which words count as harmless was judged by reading.
"""

import re
from dataclasses import dataclass

from guardrails.types import Severity


@dataclass(frozen=True, slots=True)
class Assertion:
    """A claim in words: it is borne where `bearers` is found in the brief's lower-case text.

    `triggers` are lower-case words one of which the text must hold; without `bearers` the brief has
    to hold the very words. `ends` tells a claim that an end of the offer bears, `reduction` one
    that any reduction in the brief bears.
    """

    rule: str
    severity: Severity
    triggers: frozenset[str]
    pattern: re.Pattern[str]
    bearers: re.Pattern[str] | None = None
    ends: bool = False
    reduction: bool = False


def _assertion(
    rule: str,
    severity: Severity,
    triggers: str,
    pattern: str,
    bearers: str = "",
    ends: bool = False,
    reduction: bool = False,
) -> Assertion:
    return Assertion(
        rule,
        severity,
        frozenset(triggers.split()),
        re.compile(rf"\b(?:{pattern})(?!\w)"),
        re.compile(rf"\b(?:{bearers})") if bearers else None,
        ends,
        reduction,
    )


FREE = (
    r"(?<!sugar[ -])(?<!sugar )(?:free|complimentary|gratis|no (?:extra |added )?charge|on us"
    r"|on the house|without (?:extra )?charge|at no (?:extra |added )?cost|costs? (?:you )?nothing"
    r"|for nothing|not charged|no cost|nothing to pay|included|includes|comes with|is ours|we pay"
    r"|£0|\$0|€0|no fee|no deposit|waived)"
)
_HOLIDAYS = (
    r"christmas|xmas|easter|black friday|cyber monday|halloween|valentine'?s?|mother'?s day"
    r"|father'?s day|bank holiday|diwali|eid|ramadan|hanukkah|thanksgiving|new year'?s?(?: eve)?"
    r"|boxing day|prime day|independence day|labor day|memorial day|singles'? day|lunar new year"
)
_GOODS = (
    r"delivery|shipping|postage|returns?|trials?|gifts?|samples?|collection|installation|fitting"
    r"|exchanges?|alterations?|consultations?|upgrades?|refills?|wrapping|parking|breakfast|drinks?"
    r"|coffees?|desserts?|tickets?|entry|months?|weeks?|repairs?|servic\w+|support|assessments?"
    r"|valuations?|quotes?|surveys?|lessons?|classes|sessions?|checks?|engraving|accessor\w+|case"
    r"|bag|mug|tote|pair|bottle|glass|item|product|extras?|cancellations?|wi-?fi"
)

ASSERTIONS = (
    # What can be measured and is rarely true.
    _assertion(
        "superlative",
        "block",
        "lowest cheapest unbeatable no number winning award price prices leading worlds world's best beaten",
        r"lowest(?: ever)? (?:prices?|rates?|fees?|costs?)|cheapest|unbeatable"
        r"|no\. ?1|number one (?:in|for|choice|brand|rated)|(?:uk|us|nation|country)'s (?:no|number)"
        r"|award[- ]winning|(?:market|industry|world)[- ](?:leading|beating|class)"
        r"|best (?:prices?|value)|world'?s (?:most )?\w+|(?:can't|never) be beaten"
        r"|clinically proven|scientifically proven",
    ),
    _assertion(
        "superlative", "block", "proven clinically scientifically", r"(?:clinically|scientifically) proven"
    ),
    _assertion(
        "superlative",
        "review",
        "best top leading ultimate unrivalled unmatched unparalleled finest greatest ever favourite favorite ever most "
        "unbeaten record",
        r"(?<!\bat )(?<!\bits )(?<!\byour )(?<!\bmy )(?<!\blook )(?<!\bknow )(?<!\blike )(?<!\bwork )"
        r"best(?! (?:before|wishes|regards|friend|of luck|to|by|when|man|bit|way|if|not|with|served|done|kept))"
        r"|(?:our|the|britain's|america's|nation's) (?:favou?rite|leading|number one)"
        r"|(?:greatest|ultimate|unrivalled|unmatched|unparalleled|unbeaten|finest)"
        r"|(?:first|best|biggest|lowest|largest|most \w+|\w+est)(?:[ -]\w+)?[ -]ever"
        r"|the most (?!of\b)\w+|record[- ](?:low|breaking|high)",
    ),
    # Scarcity. An end of the offer bears what speaks of its end.
    _assertion(
        "scarcity",
        "block",
        "left remaining remain spots places spaces",
        r"(?:only|just|last|final) (?:a )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|dozen"
        r"|handful|few|couple)(?: \w+){0,2} (?:left|remain(?:ing|s)?|available|to go)",
        r"left\b|remain|available|limited|only",
    ),
    _assertion(
        "scarcity",
        "review",
        "fast gone going selling sell out stock stocks supplies low running few quickly disappear claimed",
        r"(?:selling|going|moving|disappearing) (?:fast|quickly|out)|(?:almost|nearly) (?:gone|sold out)"
        r"|(?:running|run) (?:low|out)|low (?:in )?stock|while (?:stocks?|supplies|they) lasts?"
        r"|(?:last|final) few|few (?:left|remaining)|sell(?:s|ing)? out|sold out|(?:before|once) (?:it'?s|they'?re|it is|they are) (?:all )?gone"
        r"|almost claimed|(?:stocks?|supplies|spaces|places|spots) (?:is|are) (?:low|limited|going)",
        r"while (?:stock|suppl)|limited|left\b|remain|few|only|sold out|sell out|run out|out of stock"
        r"|low stock",
    ),
    _assertion(
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
    _assertion(
        "scarcity",
        "review",
        "limited exclusive exclusively only once",
        r"limited(?: |-)(?:edition|time|stocks?|availability|numbers?|places|spaces|run|release|supply|offer|period|quantit\w+)"
        r"|once in a lifetime|one[- ]time[- ]only|(?:today|this week|this weekend) only|for (?:one|a) (?:day|week) only"
        r"|exclusive(?:ly)?",
        r"limited|exclusive|only|one (?:week|day)|numbered|edition",
    ),
    # What other people are said to think.
    _assertion(
        "social_proof",
        "block",
        "bestseller bestsellers seller sellers bestselling selling seen recommended trusted approved endorsed star stars rated voted "
        "thousands hundreds millions tens sold",
        r"best[- ]?sell(?:ers?|ing)|as (?:seen|featured) (?:in|on|by)"
        r"|(?:recommended|trusted|approved|endorsed|loved|used|chosen|worn|adored|tested) by (?!you\b|us\b|hand\b|our\b|the people who)"
        r"|(?:\d(?:\.\d)?|five|four)[- ]stars?|(?:top|highly|best)[- ]rated|rated (?:\d|five|four|excellent|number|no|best|top|highly)"
        r"|voted|(?:thousands|hundreds|millions|tens of thousands) of (?:happy |satisfied |other )?"
        r"(?:customers|people|readers|users|members|parents|families|women|men|homes|shoppers|guests|others|fans|reviews|owners|businesses|teams)"
        r"|join (?:over |more than )?(?:thousands|hundreds|millions)",
        r"best-?sell|as seen|recommended|trusted|approved|endorsed|stars?\b|rated|voted|review"
        r"|thousands|hundreds|millions|\d{4,}|\d,\d{3}|loved|used by|chosen by|worn by|tested|by ",
    ),
    _assertion(
        "social_proof",
        "review",
        "customers everyone everyone's love loves loved rave raving reviews reviewers viral talking popular fans favourite favorite trending "
        "experts dermatologists doctors vets dentists celebrities critics fan wanted",
        r"(?:customers|readers|members|guests|owners|parents|fans|people|users|clients|shoppers|reviewers|critics|experts|doctors"
        r"|dermatologists|vets|dentists|celebrities|everyone) (?:\w+ )?(?:love|loves|loved|rave|adore|swear by|agree|recommend|say|choose|trust|prefer|can't get enough|is talking|are talking|can't stop)"
        r"|everyone'?s (?:talking|favou?rite|raving|loving)|raving about|(?:rave|glowing|great|five-star) reviews|(?:gone|going|went) viral|trending"
        r"|most[- ](?:popular|loved|wanted|trusted|requested)|(?:customer|fan|crowd|reader|staff)(?:'s|s'|s)? favou?rites?|much[- ]loved|fan club",
    ),
    # What is promised.
    _assertion(
        "invented_benefit",
        "block",
        "free complimentary gratis",
        rf"(?:free|complimentary|gratis)(?: \w+)?(?:[ -]\w+)?[ -](?:{_GOODS})|for free|free of charge"
        r"|(?:is|are|it's|they're|ships?|delivered|fitted|yours|gets?|go|goes|completely|totally|absolutely|entirely) (?:\w+ )?free(?! (?:of|from|to|for \w+ to)\b)"
        r"|free with",
        FREE,
    ),
    _assertion(
        "invented_benefit",
        "review",
        "free complimentary gratis charge us house cost",
        r"(?<!feel )(?<!feels )(?<!-)(?<!are )(?<!you're )(?<!is )(?<!break )(?<!set )free(?!-)(?! (?:to|of|from|time|range|evening|day|hour|up|afternoon|morning|weekend|standing|hand|will|rein|speech|spirit|fall)\b)"
        r"|complimentary|gratis|(?:no|without) (?:extra |added )?charge|on us|on the house|at no (?:extra )?cost",
        FREE,
    ),
    _assertion(
        "invented_benefit",
        "block",
        "guarantee guaranteed guarantees guaranteeing",
        r"(?<!no )guarantee[sd]?|guaranteeing",
        r"guarantee|promise|warrant",
    ),
    _assertion(
        "invented_benefit",
        "block",
        "money refund refunds refunded refundable",
        r"money[- ]back|refund(?:s|ed|able)?",
        r"refund|money back|money-back|return",
    ),
    _assertion(
        "invented_benefit", "block", "warranty warranties", r"warrant(?:y|ies)", r"warrant|guarantee|cover"
    ),
    _assertion(
        "invented_benefit",
        "block",
        "next same overnight express",
        r"(?:next|same)[- ](?:working[- ])?day(?: \w+)? ?(?:delivery|shipping|dispatch|despatch|post|service|collection|appointments?|repairs?|fitting|installation)"
        r"|(?:delivered|delivery|dispatched|arrives?|here|shipped|ships?) (?:the )?(?:next|same)[- ]day|overnight (?:delivery|shipping)"
        r"|express (?:delivery|shipping)",
        r"(?:next|same)[- ](?:working[- ]|business[- ])?day|overnight|express|within (?:24|one|a) |24 hours|one day|tomorrow|by noon",
    ),
    _assertion(
        "invented_benefit",
        "block",
        "cashback bogof get match interest fees fee contract deposit points",
        r"cash ?back|bogof|buy one,? get|price[- ]match(?:ing|ed)?|interest[- ]free|no (?:hidden |booking |monthly )?fees?|no contract|no deposit"
        r"|(?:double|triple|bonus) points|(?:two|three|2|3)[- ]for[- ](?:one|two|the price|1|2)",
        r"cash ?back|bogof|buy one|price match|interest|fee|contract|deposit|points|for one|for two|for the price",
    ),
    _assertion(
        "invented_benefit",
        "block",
        "discount discounts discounted discounting clearance markdown markdowns slashed sale sales bargain bargains off cut",
        r"discount(?:s|ed)?|clearance|markdowns?|prices? (?:slashed|cut|drop(?:s|ped)?)|slashed|(?:flash|summer|winter|spring|autumn|mid-season|january|big|final|our|half-price|huge|annual) sale"
        r"|sale (?:now on|starts|ends|is on|price|items?|now)|(?:money|something|extra|percent|per cent|pounds) off|bargains?|cut[- ]price",
        r"discount|clearance|sale\b|bargain|markdown",
        reduction=True,
    ),
    _assertion(
        "invented_benefit",
        "review",
        "save savings deal deals voucher vouchers coupon coupons promo sale reduced cheaper less saving",
        r"sav(?:e|ing) (?:money|up to|big|now|more|extra|hundreds|a fortune|today|an extra|on (?:your|our|the|all|every)|pounds|even more)|savings|(?:great|best|hot|big|our|exclusive|special|today's|the|these|a) deals?(?! (?:of|with)\b)"
        r"|vouchers?|coupons?|promo(?: code)?|(?<!for )(?<!on )sale(?! of\b)|now reduced|reduced to|lower prices?|price drops?|special (?:price|offer)s?",
        r"sav(?:e|ing)|deal\b|voucher|coupon|promo|sale\b|cheaper|costs? less",
        reduction=True,
    ),
    _assertion(
        "invented_benefit",
        "review",
        "gift gifts bonus bonuses reward rewards prize prizes win treat treats giveaway surprise",
        r"(?:free|bonus|special|mystery|surprise|welcome|a little|your|birthday) (?:gifts?|treats?|surprise)|bonus(?:es)?|giveaway|prizes?|(?:a|your|our|special|exclusive) rewards?|win (?:a|an|your|one|big|tickets?)|gift with",
        r"gift|bonus|treat|prize|reward|competition|draw|win\b|free|complimentary|present\b|giveaway|surprise",
    ),
    _assertion(
        "invented_benefit",
        "review",
        "strings obligation commitment cancel risk instant instantly questions lifetime unlimited priority vip early hassle carbon loyalty",
        r"no[- ]strings(?: attached)?|no[- ]obligation|no[- ](?:commitments?|risk)|risk[- ]free|cancel any ?time|cancel whenever|no questions asked|instant (?:access|approval|decision|delivery|download|quote)"
        r"|lifetime|unlimited|priority (?:access|booking|boarding)|vip|early access|hassle[- ]free|carbon[- ]neutral|loyalty points",
        r"no strings|obligation|commitment|risk|cancel|question|instant|lifetime|for life|unlimited|priority|vip|early|first|hassle|carbon|points",
    ),
    # Days and seasons that the brief does not speak of.
    _assertion(
        "date",
        "review",
        "today tonight tomorrow yesterday weekend weekends",
        r"today(?!'s)|tonight|tomorrow|yesterday|(?:this|next|the|last|bank holiday) weekend",
    ),
    _assertion(
        "date",
        "review",
        "week month year morning afternoon evening fortnight quarter",
        r"(?:this|next|last) (?:week|month|year|morning|afternoon|evening|fortnight|quarter)|later this (?:week|month)",
        r"(?:this|next|last) (?:week|month|year|morning|afternoon|evening|fortnight|quarter)|week|month|year",
        ends=True,
    ),
    _assertion(
        "date",
        "review",
        "christmas xmas easter friday monday halloween valentine's valentines valentine mother's father's mothers fathers holiday diwali "
        "eid ramadan hanukkah thanksgiving new boxing prime independence labor memorial singles singles' lunar",
        _HOLIDAYS,
    ),
    _assertion(
        "date", "review", "spring summer autumn winter", r"(?<!\w-)(?:summer|autumn|winter|spring(?! (?:in|into|to|back|up|for|water|onion)))"
    ),
)

NOT_SUPERLATIVE = frozenset(
    "rest test best west guest request nest chest forest harvest invest interest honest latest "
    "earliest modest protest suggest digest manifest contest quest vest zest pest arrest priest "
    "fest jest crest lest detest attest conquest bequest tempest midwest southwest northwest "
    "everest inquest reinvest unrest furthest farthest closest nearest bucharest budapest "
    "ingest infest behest armrest footrest headrest backtest retest latest disinterest earnest "
    "next rainforest ernest makest youngest eldest gabfest incest celeste almost".split()
)
"""Words in -est that compare nothing, and those that only order things in time and place."""

REDUCTION = r"\b(?:off|less|discount|sav(?:e|es|ing)|reduc|half[- ]price|half the price|cheaper|instead of|was [£$€]|for the price|lower|sale\b|deal\b|down from)"
"""Lower-case words by which a brief says that something costs less."""
_REDUCTION = re.compile(REDUCTION)


def reduces(brief: str) -> bool:
    """Whether a brief's lower-case text speaks of a lower price."""
    return _REDUCTION.search(brief) is not None
