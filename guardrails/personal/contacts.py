"""Where a person can be reached or told apart: e-mail, telephone, address, IP address, birth.

All are searched in normalised text.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import PhoneNumberType

from guardrails.personal.numbers import Found, digits_of, refers

MOST_NUMBERS = 100
"""Groups of digits that are read as telephone numbers at most: reading one takes 0.1 ms."""

EU_REGIONS = ("IE", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "PT", "PL", "SE", "DK")
"""Regions whose numbers count for a brand in the EU at large; each one is tried in turn."""

_EMAIL = re.compile(
    r"(?<![\w.%+@-])[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}(?:[^\W\d_]{2,24}|xn--[\w-]{1,40})(?![\w-])"
)
_EMAIL_HINT = re.compile(r"@|\bdot\b|[\[({<]\s?at\s?[\])}>]", re.IGNORECASE)
_DOMAIN = r"[a-z0-9-]{1,63}"
_ENDING = r"(?:com|org|net|co|uk|eu|de|fr|io|info|edu|gov|me|us|ie|es|it|nl)\b"
# "jane [at] example [dot] com": brackets around one of the two words, or both words spelled.
_SPELLED_EMAIL = re.compile(
    rf"(?<![\w.+-])[\w.+-]{{1,64}}\s?(?:[\[({{<]\s?(?:at|@)\s?[\])}}>])\s?{_DOMAIN}"
    rf"(?:\s?(?:[\[({{<]\s?(?:dot|\.)\s?[\])}}>]|\bdot\b|\.)\s?{_DOMAIN}){{0,3}}"
    rf"\s?(?:[\[({{<]\s?(?:dot|\.)\s?[\])}}>]|\bdot\b|\.)\s?{_ENDING}"
    rf"|(?<![\w.+-])[\w.+-]{{1,64}}(?: at |@){_DOMAIN}(?: dot {_DOMAIN}){{0,3}} dot {_ENDING}"
    rf"|(?<![\w.+-])[\w.+-]{{1,64}}@{_DOMAIN}\s?[\[(]\s?(?:dot|\.)\s?[\])]\s?{_ENDING}",
    re.IGNORECASE,
)

_NUMBER = re.compile(r"(?<![\w@/#.,£$€+-])(?:\+ ?)?\(?[0-9](?:[ ().\-/]{0,3}[0-9]){6,16}(?![\w%])")
_CALL = re.compile(
    r"(?:\b(?:call|calls|phone|telephone|tel|ring|text|sms|whatsapp|fax|hotline|helpline|dial|mobile"
    r"|cell|number is|reach (?:me|us|him|her|them)(?: on| at)?|anruf|telefon|handy|rufen|appelez"
    r"|telephonez|llame|llama|chiama|telefono|bel)\b[^0-9+\n]{0,16}|[☎📞📱✆]\s?)\(?\+?$",
    re.IGNORECASE,
)
_NORTH_AMERICAN = re.compile(
    r"(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([ .-]))[2-9][0-9]{2}[ .-][0-9]{4}"
)
_DATED = re.compile(
    r"(?:19|20)[0-9]{2}[-/.][01]?[0-9][-/.][0-3]?[0-9]|[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2} ?[-/] ?(?:19|20)[0-9]{2}"
)
_ISBN = re.compile(r"97[89][ -]?(?:[0-9][ -]?){9}[0-9]")
_NOT_A_PERSONS = frozenset(
    (
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
    )
)

_NAME = r"[A-Z][\w'.-]{0,30}"
_STREET = r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Boulevard|Blvd|Crescent|Cres|Terrace|Mews|Parkway|Pkwy)"
_STREET_TOO = r"(?:Drive|Dr|Close|Court|Ct|Place|Pl|Square|Sq|Gardens|Grove|Way|Row|Hill|Walk|Highway|Hwy|Circle|Trail|Loop)"
_POSTCODE = (
    r"(?:[A-PR-UWYZ][0-9][0-9A-HJKPSTUW]?|[A-PR-UWYZ][A-HK-Y][0-9][0-9ABEHMNPRVWXY]?)"
    r" [0-9][ABD-HJLNP-UW-Z]{2}"
)
_ZIP = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]"
    r"|T[NX]|UT|V[AT]|W[AIVY])\.? [0-9]{5}(?:-[0-9]{4})?"
)
_HOUSE = r"(?<![\w.,/£$€#:+-])[0-9]{1,5}(?:[A-Za-z]|-[0-9]{1,4})?,? "
_DIRECTION = r"(?:(?:[NSEW]{1,2}\.?|North|South|East|West) )?"
_COUNTED = (
    r"(?!(?:Hours?|Days?|Minutes?|Mins?|Miles?|Nights?|Weeks?|Months?|Years?|Courses?|Stars?|Pieces?"
    r"|Ways?|Steps?|Reasons?|Things?|Ideas?|Tips?|Lanes?|Seats?|Metres?|Meters?|Km|Kg|Off|New|Best"
    r"|Great|Top|Free|More|Man|Men|Women|January|February|March|April|May|June|July|August"
    r"|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|AM|PM)\b)"
)
_ADDRESS = re.compile(
    rf"{_HOUSE}{_DIRECTION}{_COUNTED}(?:{_NAME} ){{1,3}}?{_STREET}\b(?!'s)"
    rf"|{_HOUSE}{_DIRECTION}{_COUNTED}(?:{_NAME} ){{1,3}}?{_STREET_TOO}\b"
    rf"(?=\.?,? (?:#|(?:[Aa]pt|[Ff]lat|[Ss]uite|[Uu]nit)\b|{_ZIP}|{_POSTCODE}|(?:{_NAME},? ){{1,3}}(?:{_ZIP}|{_POSTCODE})))"
    rf"|\b(?:Flat|Apt\.?|Apartment) [0-9]{{1,4}}[A-Za-z]?, ?(?:[0-9]{{1,4}} )?(?:{_NAME} ?){{1,4}}"
    r"|\bP\.?O\.? Box [0-9]{1,6}\b"
    rf"|(?<![\w-])(?:{_NAME},? ){{1,3}}{_ZIP}(?![\w-])"
    rf"|(?<![\w-]){_POSTCODE}(?![\w-])"
    r"|(?<!\w)[A-ZÄÖÜ][\w-]{1,30}(?:straße|strasse|str\.|gasse|allee|straat|gracht|laan)"
    r",? [0-9]{1,4}(?: ?[a-z])?(?![\w%€])"
    r"|(?<!\w)[0-9]{1,4}(?: ?bis| ?ter)?,? (?:rue|boulevard|chemin|impasse|quai|allée|avenue)"
    r" (?:(?:de|du|des|la|le|les) |d'|l'|de l'){0,2}[A-ZÉÈ][\w'-]{1,30}"
    r"|(?<!\w)(?:Via|Viale|Piazza|Corso|Calle|Avenida|Plaza|Paseo|Rua|Carrer)"
    r" (?:(?:de|del|della|dei|la|las|los|da|do|dos) ){0,2}[A-Z][\w'-]{1,30}(?: [A-Z][\w'-]{1,30})?"
    r",? (?:n\.º ?|nº ?)?[0-9]{1,4}(?![\w%€])"
)  # fmt: skip
_ADDRESS_HINT = re.compile(
    r"Str|St\b|R(?:oa)?d\b|Av|L(?:ane|n)|B(?:oulevard|lvd|ox)|Cr|Ter|Mews|P(?:ark|kw|l|o)|Dr|Cl|Co?u?r?t|Sq|G(?:ar|ro)"
    r"|Way|Row|Hill|Walk|H(?:ig|wy)|Cir|Tr|Loop|Flat|Ap|[A-Z] ?[0-9]|str|gasse|allee|gracht|laan|rue|boul|chem|imp|quai|all"
    r"|av|Via|Pia|Cor|Cal|Pas|Rua|Car"
)

_V4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
_V6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-f:]{0,40}[0-9])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.I
)
_VERSION = re.compile(
    r"(?:\b(?:version|firmware|release|build|update|software|app|os|ios|v|ver)[\s.:]{0,2}|\bv)$",
    re.I,
)

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:19|20)[0-9]{2}"
_DATE = (
    rf"(?:[0-3]?[0-9](?:st|nd|rd|th)?(?: of)? {_MONTH},? {_YEAR}|{_MONTH} [0-3]?[0-9](?:st|nd|rd|th)?,? {_YEAR}"
    rf"|{_YEAR}[-/.][01]?[0-9][-/.][0-3]?[0-9]|[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:{_YEAR}|[0-9]{{2}}))(?![0-9])"
)
_BIRTH = re.compile(
    rf"\b(?:born|births?|birthday|birthdate|birth ?date|d\.?o\.?b|geboren|geburtsdatum|nee? le|nato il"
    rf"|nacid[oa])\b[^0-9\n]{{0,24}}?{_DATE}",
    re.IGNORECASE,
)
_BIRTH_HINT = re.compile(r"born|birth|d\.?o\.?b|gebo|gebu|n[eé]e? le|nato|nacid", re.IGNORECASE)


def regions(jurisdictions: Sequence[str]) -> tuple[str, ...]:
    """The telephone regions of a brand's jurisdictions; of the UK and the US where it has none."""
    found: dict[str, None] = {}
    for each in jurisdictions:
        code = each.upper().split("-")[0].replace("UK", "GB")
        found.update(dict.fromkeys(EU_REGIONS if code == "EU" else (code,)))
    known = tuple(code for code in found if code in phonenumbers.SUPPORTED_REGIONS)
    return known or ("GB", "US")


def find(text: str, where: Sequence[str]) -> Iterator[Found]:
    """Ways to reach a person in `text` (normalised); telephone numbers as dialled in `where`."""
    if _EMAIL_HINT.search(text):
        for pattern in (_EMAIL, _SPELLED_EMAIL):
            for match in pattern.finditer(text):
                yield Found("email", *match.span())
    if not any(digit in text for digit in "0123456789"):
        return
    yield from _phones(text, where)
    if _ADDRESS_HINT.search(text):
        for match in _ADDRESS.finditer(text):
            yield Found("address", *match.span())
    if text.count(".") > 2 or text.count(":") > 1:
        yield from _internet(text)
    if _BIRTH_HINT.search(text):
        for match in _BIRTH.finditer(text):
            yield Found("birth_date", *match.span())


def _phones(text: str, where: Sequence[str]) -> Iterator[Found]:
    for count, match in enumerate(_NUMBER.finditer(text)):
        if count == MOST_NUMBERS:
            yield Found("numbers", match.start(), len(text))
            return
        written = match[0].rstrip(" ().-/")
        asked = _CALL.search(text[max(0, match.start() - 40) : match.start()]) is not None
        if not asked and (refers(text, match.start()) or _DATED.search(written)):
            continue
        if _ISBN.fullmatch(written) or not _looks_dialled(written, asked):
            continue
        number = _number(written, where, asked)
        if number is not None:
            freely = phonenumbers.number_type(number) in _NOT_A_PERSONS
            rule = "service_phone" if freely else "phone"
            yield Found(rule, match.start(), match.start() + len(written))


def _looks_dialled(written: str, asked: bool) -> bool:
    """Whether a group of digits is written as a telephone number is, or the words say it is one."""
    digits = digits_of(written)
    if asked or written.startswith(("+", "(0", "00")):
        return True
    if _NORTH_AMERICAN.fullmatch(written):
        return True
    return digits[0] == "0" and digits[1] != "0" and 9 <= len(digits) <= 12


def _number(written: str, where: Sequence[str], asked: bool) -> phonenumbers.PhoneNumber | None:
    """The number as dialled in one of `where`, if it exists there.

    Numbers for drama (07700 900…) don't exist, but a reader can't tell: after "call" and as mobile
    numbers of the UK a possible one is enough.
    """
    dialled = f"+{written[2:]}" if written.startswith("00") else written
    for region in where:
        try:
            number = phonenumbers.parse(dialled, region)
        except phonenumbers.NumberParseException:
            continue
        drama = region == "GB" and digits_of(written).startswith("07")
        if phonenumbers.is_valid_number(number) or (
            (asked or drama) and phonenumbers.is_possible_number(number)
        ):
            return number
    return None


def _internet(text: str) -> Iterator[Found]:
    """IP addresses that stand for one connection; none of a home or a test network."""
    for pattern in (_V4, _V6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            if address.is_loopback or address.is_link_local or address.is_unspecified:
                continue
            if any(address in network for network in _HOME if network.version == address.version):
                continue
            if not _VERSION.search(text[max(0, match.start() - 12) : match.start()]):
                yield Found("ip_address", *match.span())


_HOME = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)
"""Networks of homes and offices (RFC 1918, RFC 4193): the same numbers everywhere."""
