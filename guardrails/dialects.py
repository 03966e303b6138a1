"""Dialects: merge tags and code of campaign tools and template languages, known by their brackets.

Each pattern is bounded, so that no line takes longer than its length asks for. Where the brackets
are common in plain text, what stands in them must be a reader's field: "[First Name]", "-fname-".
"""

import re

_ANY_NAME = r"[\w.!:@$-]{1,60}"
_FIELD = (
    r"(?:[fl]name|(?:first|last|full|given|family|sur|user|customer|contact|subscriber|company"
    r"|recipient|member|lead)[ _.-]?name|name|e-?mail(?:[ _-]?address)?|order[ _-]?(?:number|id))"
)
_OWNER = r"(?:(?:your|the|insert|customer|recipient|subscriber|contact|user|field|merge)[ _.:])?"

DIALECTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Mailchimp", re.compile(r"\*\|[^|*\n]{1,80}\|\*|!\*[A-Z_]{2,30}\*!")),
    ("Salesforce Marketing Cloud", re.compile(r"%%=?[^%\n]{1,120}=?%%")),
    ("Mautic", re.compile(r"\{[a-z]{3,20}=[^{}\n]{0,80}\}")),
    ("Braze", re.compile(r"\{\{\s*\$\{[^{}\n]{0,80}\}[^{}\n]{0,80}\}\}")),
    ("Handlebars", re.compile(r"\{\{\{[^{}\n]{0,120}\}\}\}")),
    (
        "template logic",
        re.compile(
            r"\{%[^%\n]{0,200}%\}|\{#[^#\n]{0,200}#\}|\[%[^%\n]{0,200}%\]"
            r"|</?#[a-z]{2,12}\b[^<>\n]{0,80}>|#(?:set|if|elseif|foreach|include|parse)\s?\([^()\n]{0,80}\)"
        ),
    ),
    ("ERB or EJS", re.compile(r"<%[^%\n]{0,200}%>|<\?[^?\n]{0,200}\?>")),
    (
        "script",
        re.compile(
            r"\[\([$*]\{[^{}\n]{0,120}\}\)\]|[$#@&]\{[^{}\n]{0,120}\}|\$\([^()\n]{0,80}\)"
            r"|@\(\w{1,30}[+*/.]\w{1,30}[^()\n]{0,60}\)"
        ),
    ),
    ("double brackets", re.compile(rf"\[\[\s*{_ANY_NAME}\s*(?:\|[^\[\]\n]{{0,40}})?\]\]")),
    (
        "percent signs",
        re.compile(
            r"(?<![\w%])%\$?[A-Za-z][\w.]{1,40}(?:\|[^%|\n]{0,40})?\$?%(?![\w%])|%\([a-z_]{1,40}\)s"
        ),
    ),
    ("number signs", re.compile(rf"##?{_ANY_NAME}##?(?!\w)(?<=#)")),
    ("bars", re.compile(r"(?<!\w)\|[A-Z_]{2,30}\|(?!\w)|(?<!\w)\$[A-Za-z_]{2,30}\$(?!\w)")),
    (
        "square or angle brackets",
        re.compile(
            r"[\[<]\s*(?:your |the |insert |customer |recipient |subscriber |contact )?"
            r"(?:f|l|first|last|full|given|family|sur|user|company|customer|contact)?[ _.-]?name"
            r"\b[^\[\]<>\n]{0,60}[\]>]"
            rf"|[\[<]\s*[@$#%/-]?{_OWNER}{_FIELD}\b[^\[\]<>\n]{{0,60}}[\]>]"
            r"|<\s?merge\b[^<>\n]{0,60}>",
            re.IGNORECASE,
        ),
    ),
    (
        "doubled signs",
        re.compile(
            rf"(?<!\w)(?:-{_FIELD}-|__{_FIELD}__|\(\(\s?{_FIELD}\s?\)\)|@@{_FIELD}@@|~{_FIELD}~"
            rf"|\^{_FIELD}\^|::{_FIELD}::|[«‹]\s?{_FIELD}\s?[»›])(?!\w)",
            re.IGNORECASE,
        ),
    ),
    (
        "single braces",
        re.compile(
            rf"(?<!\{{)\{{\s*/?{_ANY_NAME}\s*(?:\|[^{{}}|\n]{{0,40}})?\}}(?!\}})|(?<!\{{)\{{[0-9]?\}}(?!\}})"
        ),
    ),
)
"""Names of dialects and what their tags look like, the more exact ones first."""

CODE = frozenset({"template logic", "ERB or EJS", "script"})
"""Dialects that a campaign tool might run."""

HINT = re.compile(r"[{}\[\]%*<#$|~^@«‹]|__|\(\(|::|(?<!\w)-\w{3,30}-")
"""What stands in every text that holds a tag of any dialect."""

ENDS = re.compile(r"\*\||\|\*|%%|<%|%>")
"""Signs that open or close a tag and stand in no plain text."""
