"""Benefits that words promise: free things, lower prices, guarantees, properties of a product."""

import re

from guardrails.grounding.assertions import assertion

FREE = (
    r"(?:(?<![a-z]-)free|complimentary|gratis|no (?:extra |added )?charge|paid by us|on us"
    r"|on the house|without (?:extra )?charge|at no (?:extra |added )?cost|costs? (?:you )?nothing"
    r"|for nothing|not charged|no cost|nothing to pay|included|includes|comes with|is ours|we pay"
    r"|£0|\$0|€0|no fee|no deposit|waived)"
)
_GOODS = (
    r"delivery|shipping|postage|returns?|trials?|gifts?|samples?|collection|installation|fitting"
    r"|exchanges?|alterations?|consultations?|upgrades?|refills?|wrapping|parking|breakfast|drinks?"
    r"|coffees?|desserts?|tickets?|entry|months?|weeks?|repairs?|servic\w+|support|assessments?"
    r"|valuations?|quotes?|surveys?|lessons?|classes|sessions?|checks?|engraving|accessor\w+|case"
    r"|bag|mug|tote|pair|bottle|glass|item|product|extras?|cancellations?|wi-?fi"
)

BENEFITS = (
    assertion(
        "invented_benefit",
        "review",
        "less minimum nothing pay value prices must everything members bird spend instalments installments "
        "budget satisfaction credit finance",
        r"(?:find|get|buy) (?:it|them|this|these|one|any) (?:anywhere )?(?:for less|cheaper)|more for less|spend less|pay less|no minimum(?: \w+)?"
        r"|pay (?:nothing|later|in (?:three|four|instal?lments|\d))|nothing to pay|(?:great|amazing|fantastic|incredible|exceptional|best) (?:value|savings?|prices?|offers?|deals?)"
        r"|(?:low|lower|reduced|slashed|crazy|unbelievable) prices?|everything must go|members[- ]only|early[- ]bird"
        r"|instal?lments|100% satisfaction|satisfaction|budget[- ]friendly",
        r"minimum|pay (?:nothing|later|in)|instal|early|members|less\b|no charge|free",
    ),
    assertion(
        "invented_benefit",
        "review",
        "automatically forever seconds minutes lifetime always effortlessly overnight immediately",
        r"(?:lasts?|yours|good|free) (?:forever|for ?ever|for life|a lifetime)|forever|in (?:seconds|minutes|no time|moments)"
        r"|overnight|works immediately|immediate (?:access|delivery|start)",
        r"forever|for life|lifetime|seconds|minutes|overnight|immediate|never",
    ),
    # What is promised.
    assertion(
        "invented_benefit",
        "block",
        "free complimentary gratis",
        rf"(?:free|complimentary|gratis)(?! (?:in|with|to|from|for|of|on|at|if|when|and|as|until)\b)"
        rf"(?: \w+)?(?:[ -]\w+)?[ -](?:{_GOODS})",
        FREE,
        goods=True,
    ),
    assertion(
        "invented_benefit",
        "block",
        "free",
        r"for free|free of charge"
        r"|(?:is|are|it's|they're|ships?|delivered|fitted|yours|gets?|go|goes|completely|totally|absolutely|entirely) (?:\w+ )?free(?! (?:of|from|to|for \w+ to)\b)"
        r"|free with",
        FREE,
    ),
    assertion(
        "invented_benefit",
        "review",
        "free complimentary gratis charge us house cost",
        r"(?<!feel )(?<!feels )(?<!-)(?<!are )(?<!you're )(?<!is )(?<!break )(?<!set )free(?!-)(?! (?:to|of|from|time|range|evening|day|hour|up|afternoon|morning|weekend|standing|hand|will|rein|speech|spirit|fall)\b)"
        r"|complimentary|gratis|(?:no|without) (?:extra |added )?charge|on us|on the house|at no (?:extra )?cost",
        FREE,
    ),
    assertion(
        "invented_benefit",
        "block",
        "guarantee guaranteed guarantees guaranteeing",
        r"(?<!no )guarantee[sd]?|guaranteeing",
        r"guarantee|promise|warrant",
    ),
    assertion(
        "invented_benefit",
        "block",
        "money refund refunds refunded refundable",
        r"money[- ]back|refund(?:s|ed|able)?",
        r"refund|money back|money-back|return",
    ),
    assertion(
        "invented_benefit",
        "block",
        "warranty warranties",
        r"warrant(?:y|ies)",
        r"warrant|guarantee|cover",
    ),
    assertion(
        "invented_benefit",
        "block",
        "next same overnight express",
        r"(?:next|same)[- ](?:working[- ])?day(?: \w+)? ?(?:delivery|shipping|dispatch|despatch|post|service|collection|appointments?|repairs?|fitting|installation)"
        r"|(?:delivered|delivery|dispatched|arrives?|here|shipped|ships?) (?:the )?(?:next|same)[- ]day|(?:overnight (?:delivery|shipping)|(?:ships?|arrives?|delivered|delivers?) overnight)"
        r"|express (?:delivery|shipping)",
        r"(?:next|same)[- ](?:working[- ]|business[- ])?day|overnight|express|within (?:24|one|a) |24 hours|one day|tomorrow|by noon",
    ),
    assertion("invented_benefit", "block", "cashback cash", r"cash ?back", r"cash ?back"),
    assertion(
        "invented_benefit",
        "block",
        "bogof get for one two three",
        r"bogof|buy one,? get|(?:two|three|2|3)[- ]for[- ](?:one|two|the price|1|2)",
        r"bogof|buy one|for one|for two|for 1|for 2|price of|second|two",
    ),
    assertion(
        "invented_benefit",
        "block",
        "price match",
        r"(?:match|beat) any (?:\w+ )?(?:price|quote)|price[- ]match(?:ing|ed)?",
        r"match",
    ),
    assertion(
        "invented_benefit",
        "block",
        "interest fee fees contract deposit",
        r"interest[- ]free|no (?:hidden |booking |monthly |set-?up |admin )?fees?|no contract"
        r"|no deposit|fee[- ]free",
        r"interest|fees?\b|contract|deposit|no charge",
    ),
    assertion(
        "invented_benefit",
        "block",
        "points",
        r"(?:double|triple|bonus|extra) points",
        r"(?:double|triple|bonus|extra|twice) .{0,30}points|points",
    ),
    assertion(
        "invented_benefit",
        "block",
        "clearance markdown markdowns bargain bargains sitewide storewide site store orders order everything",
        r"clearance|markdowns?|bargains?|(?:site|store)-?wide|off everything"
        r"|(?:off|discounts?|savings) (?:on )?(?:all|every) \w+",
        r"clearance|bargain|markdown|everything|all (?!\w+ of)\w+|every\b",
    ),
    assertion(
        "invented_benefit",
        "block",
        "discount discounts discounted discounting prices price slashed sale money something extra pounds cut",
        r"discount(?:s|ed)?|prices? (?:slashed|cut|drop(?:s|ped)?)|slashed|(?:flash|summer|winter|spring|autumn|mid-season|january|big|final|our|half-price|huge|annual) sale"
        r"|sale (?:now on|starts|ends|is on|price|items?|now)|(?:money|extra|pounds) off|cut[- ]price",
        r"discount|sale\b",
        reduction=True,
    ),
    assertion(
        "invented_benefit",
        "review",
        "save savings deal deals voucher vouchers coupon coupons promo sale reduced cheaper less saving",
        r"sav(?:e|ing) (?:money|up to|big|now|more|extra|hundreds|a fortune|today|an extra|on (?:your|our|the|all|every)|pounds|even more)|savings|(?:great|best|hot|big|our|exclusive|special|today's|the|these|a) deals?(?! (?:of|with)\b)"
        r"|vouchers?|coupons?|promo(?: code)?|(?<!for )(?<!on )sale(?! of\b)|now reduced|reduced to|lower prices?|price drops?|special (?:price|offer)s?",
        r"sav(?:e|ing)|deal\b|voucher|coupon|promo|sale\b|cheaper|costs? less",
        reduction=True,
    ),
    assertion(
        "invented_benefit",
        "review",
        "gift gifts bonus bonuses reward rewards prize prizes win treat treats giveaway surprise",
        r"(?:a|some) (?:little )?(?:gift|present|treat|surprise) (?:from us|for you|inside|awaits|on us|is waiting)|(?:free|bonus|special|mystery|surprise|welcome|a little|your|birthday) (?:gifts?|treats?|surprise)|bonus(?:es)?|giveaway|prizes?|(?:a|your|our|special|exclusive) rewards?|win (?:a|an|your|one|big|tickets?)|gift with",
        r"gift|bonus|treat|prize|reward|competition|draw|win\b|free|complimentary|present\b|giveaway|surprise",
    ),
    assertion(
        "invented_benefit",
        "review",
        "strings obligation commitment commitments cancel risk instant instantly questions lifetime "
        "unlimited priority vip vips early hassle carbon loyalty",
        r"no[- ]strings(?: attached)?|no[- ]obligation|(?:no|zero)[- ](?:commitments?|risk)"
        r"|risk[- ]free|no questions asked|instant(?:ly)?|lifetime|unlimited|vips?|early access"
        r"|priority (?:access|booking|boarding|support)|hassle[- ]free|carbon[- ]neutral"
        r"|loyalty points",
    ),
    assertion(
        "invented_benefit",
        "review",
        "cancel",
        r"cancel (?:any ?time|whenever|when you like|for free)",
        r"cancel|any time|anytime|stop|leave|end it|no contract",
    ),
    # What a thing is said to be or do.
    assertion(
        "invented_benefit",
        "review",
        "vegan vegans vegetarian vegetarians organic recycled recyclable sustainable sustainably "
        "waterproof handmade handcrafted hypoallergenic biodegradable compostable unbreakable natural "
        "ethical fairtrade kosher halal certified patented eco friendly crafted proof revolutionary "
        "scientists science",
        r"vegans?|vegetarians?|organic|recycled|recyclable|sustainabl[ey]|waterproof|handmade"
        r"|hand-?crafted|hypoallergenic|biodegradable|compostable|unbreakable|(?:all|100%)[- ]natural"
        r"|ethical|fair ?trade|kosher|halal|certified|patented|eco-friendly|revolutionary|foolproof"
        r"|backed by science",
    ),
    assertion(
        "invented_benefit",
        "review",
        "free",
        r"(?:sugar|gluten|dairy|nut|tax|plastic|cruelty|fragrance|alcohol|caffeine|duty|worry|stress"
        r"|pain|chemical|fat|meat|toxin|allergen|paraben|carbon|ad|maintenance|fuss|spam)[- ]free",
    ),
)
"""Promises that a brief has to make itself; see `guardrails.grounding.assertions` for where they are from."""

REDUCTION = r"\b(?:off|less|discount|sav(?:e|es|ing)|reduc|half[- ]price|half the price|cheaper|instead of|was [£$€]|for the price|lower|sale\b|deal\b|down from)"
"""Lower-case words by which a brief says that something costs less."""
_REDUCTION = re.compile(REDUCTION)


def reduces(brief: str) -> bool:
    """Whether a brief's lower-case text speaks of a lower price."""
    return _REDUCTION.search(brief) is not None
