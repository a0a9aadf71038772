"""nginx's own language, as far as values of definitions meet it: how a value is written as one word of a configuration,
which variables there are, and how raw lines are read (ngx_conf_file.c, ngx_http_variables.c). Pure, standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST = 4000
"""Bytes of one word: nginx reads its files by pieces of 4096 bytes, and refuses a word that does not fit."""

DOLLAR = "${eyas_dollar}"
"""A dollar sign where nginx would see a variable; it has no other way to write one."""

_NAMES = """
args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests connection_time
content_length content_type document_root document_uri host hostname http2 http3 https invalid_referer is_args
limit_rate modern_browser ancient_browser msec msie nginx_version pid pipe proxy_add_x_forwarded_for
proxy_host proxy_port proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr
proxy_protocol_server_port quic query_string realip_remote_addr realip_remote_port realpath_root remote_addr
remote_port remote_user request request_body request_body_file request_completion request_filename request_id
request_length request_method request_time request_uri scheme secure_link secure_link_expires server_addr
server_name server_port server_protocol slice_range status tcpinfo_rcv_space tcpinfo_rtt tcpinfo_rttvar
tcpinfo_snd_cwnd time_iso8601 time_local uid_got uid_reset uid_set uri gzip_ratio date_gmt date_local
eyas_connection eyas_dollar eyas_unavailable
"""
VARIABLES = frozenset(_NAMES.split())
"""Those that nginx has by itself, and those of the front."""
FAMILIES = ("arg_", "cookie_", "http_", "sent_http_", "sent_trailer_", "ssl_", "trailer_", "upstream_", "geoip_")
"""How the names of variables begin that stand for whatever follows."""

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+)|(\$)?)")
_PLAIN = re.compile(r"[A-Za-z0-9_/.@:~^*+=,%&?!$(\\-][A-Za-z0-9_/.@:~^*+=,%&?!#$|()\[\]\\-]*")


def word(text: str) -> str:
    """The text as one word of a configuration, in quotes where it needs them. Dollars stay as they are."""
    if _PLAIN.fullmatch(text) and _escaped(text) == text and "${" not in text:
        return text
    quote = "'" if '"' in text and "'" not in text else '"'
    said = _escaped(text).replace(quote, f"\\{quote}")
    return quote + said.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + quote


def _escaped(text: str) -> str:
    """Backslashes doubled where nginx would take them for its own: before quotes, t, r, n, another one, at the end."""
    return re.sub(r"\\(?=[\\\"'trn\t\r\n]|\Z)", r"\\\\", text)


def literal(text: str) -> str:
    """As `word`, for places where nginx looks for variables: a dollar is a dollar."""
    return word(text.replace("$", DOLLAR))


def template(text: str) -> str:
    """As `word`, with variables of nginx in it; ``$$`` is a dollar."""
    return word(text.replace("$$", DOLLAR))


def fits(text: str) -> bool:
    """Whether nginx reads it as one word."""
    return len(literal(text).encode()) <= LONGEST


def variables(text: str) -> Iterator[str]:
    """The variables that a text asks for; '' stands for a dollar that begins none. ``$$`` is none."""
    for braces, bare, dollar in _VARIABLE.findall(text):
        if not dollar:
            yield braces or bare


def known(variable: str) -> bool:
    """Whether nginx has a variable of this name by itself (numbers are the groups of a regular expression)."""
    return variable in VARIABLES or variable.isdigit() or variable.startswith(FAMILIES)


class Unreadable(ValueError):
    """Raw lines that nginx could not read; ``line`` counts from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why


@dataclass
class Directive:
    """One directive: its words without their quotes, and what is between its braces (None when it has none)."""

    line: int
    words: list[str]
    block: list[Directive] | None = None
    raw: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.words[0]


_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<mark>[;{}])
      | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<bare>(?:[^\s;{}"'\\$]|\\.|\$\{|\$)(?:[^\s;{\\$]|\\.|\$\{|\$)*)""",
    re.VERBOSE | re.DOTALL,
)


def parse(text: str) -> list[Directive]:
    """Raw lines as directives. Unreadable where a quote, brace or semicolon is missing or one too many."""
    open_blocks: list[tuple[int, list[Directive]]] = []
    found: list[Directive] = []
    words: list[tuple[int, str]] = []
    for line, kind, piece in _tokens(text):
        if kind != "mark":
            words.append((line, piece))
            continue
        if piece == "}":
            if words:
                raise Unreadable(words[-1][0], f'";" is missing after {words[-1][1]!r}')
            if not open_blocks:
                raise Unreadable(line, '"}" closes what is not open here')
            found = open_blocks.pop()[1]
            continue
        if not words:
            raise Unreadable(line, f'"{piece}" follows nothing')
        made = Directive(words[0][0], [_unquoted(w) for _, w in words], None, [w for _, w in words])
        found.append(made)
        words = []
        if piece == "{":
            made.block = []
            open_blocks.append((line, found))
            found = made.block
    if words:
        raise Unreadable(words[-1][0], f'";" is missing after {words[-1][1]!r}')
    if open_blocks:
        raise Unreadable(open_blocks[-1][0], '"{" is never closed')
    return found


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    place, line = 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise Unreadable(line, "a quote is never closed" if text[place] in "\"'" else "it ends with a backslash")
        kind, token = str(match.lastgroup), match.group()
        if kind == "quoted" and text[match.end() : match.end() + 1] not in ("", " ", "\t", "\n", "\r", ";", "{", ")"):
            raise Unreadable(line, f"there is no space after {token}")
        if kind == "bare" and "\0" in token:
            raise Unreadable(line, "there is a byte 0")
        if kind != "space":
            yield line, kind, token
        line += token.count("\n")
        place = match.end()


def _unquoted(token: str) -> str:
    text = token[1:-1] if token[0] in "\"'" else token
    said = {"t": "\t", "r": "\r", "n": "\n"}
    return re.sub(r"\\([\\\"'trn])", lambda m: said.get(m[1], m[1]), text)
