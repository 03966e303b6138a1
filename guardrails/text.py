"""Text as a reader sees it: normalised, with a map back to the text as it was given."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_PLAIN = re.compile(r"[\x20-\x7e\t\n\r]*")

# Marks drawn over, under or through a letter: accents, "zalgo", enclosing circles. Vowel signs of
# other scripts (Devanagari, Thai, Hebrew, Arabic, kana voicing) are letters to a reader and stay.
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)

# Letters by category that show as nothing: Hangul fillers.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")

# Look-alikes that NFKC leaves alone: (look-alikes, what they look like), in the same order.
# Our own table of the common ones, by eye; the full list is Unicode TR39's confusables.txt.
_LOOKALIKES = (
    # Cyrillic
    ("аеорсухіјѕһԁԛԝѵӏгкмнтвьп", "aeopcyxijshdqwvlrkmhtbbn"),
    ("АЕОРСУХІЈЅҺԚԜѴӀКМНТВЬ", "AEOPCYXIJSHQWVIKMHTBb"),
    # Greek
    ("αεορυχικντωγησς", "aeopuxikvtwynss"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC"),
    # Armenian
    ("ոսօհցյքլզ", "nuohgjplq"),
    ("ՍՕՏԼ", "UOSL"),
    # Cherokee
    ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᎽᏀᏃᏎᏒᏔᏕᏚᏞᏟᏢᏦᏴ", "DRTAJEWMHYGZ4RWSSLCPKB"),
    # Lisu
    ("ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "BPDTGKJCZFMNLSRVHWXYAEIOU"),
    # Small capitals and phonetic letters
    ("ᴀʙᴄᴅᴇғꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdeffghijklmnoprstuvwyz"),
    ("ɑɡɩʋʌɛɐʟɯʍɾʃƒɓɗɠɦɨɫɱɲʂƭʉʐ", "agivvealmwrsfbdghilmnstuz"),
    # Latin letters with a stroke, and dotless i
    ("øØđĐłŁħĦŧŦıȷɍƀȼⱥ", "oOdDlLhHtTijrbca"),
)

_PUNCTUATION = {
    **dict.fromkeys("‘’‚‛′ʼʹʻˈ´＇ꞌ", "'"),
    **dict.fromkeys("“”„‟″«»〝〞＂", '"'),
    **dict.fromkeys("‐‑‒–—―−⁃﹘﹣－˗➖", "-"),
    **dict.fromkeys("⁄∕", "/"),
    "\u2800": " ",
    "\u2028": "\n",
    "\u2029": "\n",
    "\u0085": "\n",
}

_TABLE: dict[str, str] = {
    **_PUNCTUATION,
    **{
        seen: plain
        for odd, plain_row in _LOOKALIKES
        for seen, plain in zip(odd, plain_row, strict=True)
    },
    # Negative circled and squared capitals, which have no compatibility form.
    **{chr(0x1F150 + i): chr(65 + i) for i in range(26)},
    **{chr(0x1F170 + i): chr(65 + i) for i in range(26)},
}


@dataclass(frozen=True, slots=True)
class Normalised:
    """`text` as a reader sees it; `offsets[i]` is where character i stood in the original.

    `offsets` has one more entry than `text`: the length of the original. `ends[i]` is where
    character i ended, with the marks that stood on it.
    """

    text: str
    offsets: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that shows as `text[start:end]`."""
        if start == end:
            return self.offsets[start], self.offsets[start]
        return self.offsets[start], self.ends[end - 1]


def normalise(text: str) -> Normalised:
    """`text` for matching: NFKC; invisible characters, accents and other marks out; look-alikes of
    ASCII letters, quotes and dashes plain. Case, line breaks and lone surrogates are kept.

    A fraction or a raised digit that follows a digit is set apart by a space: "2½" is "2 1/2" and
    "£20¹" is "£20 1", so that no number appears that a reader doesn't see.
    """
    if text.isascii() and _PLAIN.fullmatch(text):
        return Normalised(text, range(len(text) + 1), range(1, len(text) + 1))
    folded = [_fold(character) for character in text]
    if all(len(each) == 1 for each in folded):
        return Normalised("".join(folded), range(len(text) + 1), range(1, len(text) + 1))
    parts: list[str] = []
    offsets: list[int] = []
    ends: list[int] = []
    for index, (character, shown) in enumerate(zip(text, folded, strict=True)):
        if not shown:
            if ends and ends[-1] == index and unicodedata.category(character)[0] == "M":
                ends[-1] = index + 1
            continue
        if _apart(character, shown) and parts and parts[-1][-1].isdigit():
            shown = f" {shown}"
        parts.append(shown)
        offsets.extend([index] * len(shown))
        ends.extend([index + 1] * len(shown))
    return Normalised("".join(parts), (*offsets, len(text)), tuple(ends))


@lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    """What `character` shows as: a plain form of one or more characters, or nothing."""
    if character in "\t\n\r" or " " <= character <= "\x7e":
        return character
    if character in _TABLE:
        return _TABLE[character]
    shown = []
    for each in _MARKS.sub("", unicodedata.normalize("NFKD", character)):
        category = unicodedata.category(each)
        if category in {"Cf", "Cc"} or each in _BLANK_LETTERS or _is_selector(each):
            continue
        shown.append(" " if category == "Zs" else _TABLE.get(each, each))
    return unicodedata.normalize("NFC", "".join(shown))


def _is_selector(character: str) -> bool:
    """Whether `character` picks a glyph's variant and shows nothing itself."""
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\u180b" <= character <= "\u180f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def _apart(character: str, shown: str) -> bool:
    """Whether `character` is a fraction or a raised or lowered digit."""
    return shown[0].isdigit() and unicodedata.decomposition(character).startswith(
        ("<fraction>", "<super>", "<sub>")
    )
