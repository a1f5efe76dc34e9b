"""What users write for sources and sinks: taken apart, and shown without the passwords in it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from edgekit.errors import UsageError

HIDDEN = "***"

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
"""Up to the last @ before the path: a password may hold one itself."""
_SECRET = re.compile(
    r"(?i)(?<=[?&;])((?:[a-z0-9_.-]*(?:passw(?:or)?d|passwd|token|secret|apikey|api_key|signature)|pwd|pass|pw|key|auth)=)"
    r"[^&;#\s]*"
)


def redacted(uri: str) -> str:
    """A URI without its user's name and password, and without values in its query that are called secrets.

    For everything that people or logs see; of what is no URI nothing is changed.

    >>> redacted("rtsp://admin:1234@10.0.0.2/live?token=abc&channel=1")
    'rtsp://***@10.0.0.2/live?token=***&channel=1'
    """
    return _SECRET.sub(rf"\g<1>{HIDDEN}", _USER.sub(f"{HIDDEN}@", uri))


def parts_of(uri: str, options: frozenset[str]) -> tuple[str, dict[str, str]]:
    """The part of a URI between scheme and query, and the options of its query.

    Args:
        uri: Such as `test:pattern?fps=30`.
        options: Names that there are.

    Raises:
        UsageError: an option that is none, is given twice or has no value.
    """
    split = urlsplit(uri)
    where = uri[len(split.scheme) + 1 :].partition("?")[0].removeprefix("//")
    return where, options_of(uri, split.query, options)


def options_of(uri: str, text: str, options: frozenset[str]) -> dict[str, str]:
    """The options in `name=value&name=value`, a part of a URI.

    Raises:
        UsageError: an option that is none, is given twice or has no value.
    """
    pairs = parse_qsl(text, keep_blank_values=True)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UsageError(f"{redacted(uri)} gives an option twice", hint="Leave one of the two.")
    for name, value in pairs:
        if name not in options:
            raise _unknown(uri, name, options)
        if not value:
            raise UsageError(f"{redacted(uri)}: {name} has no value", hint=f"Write it as {name}=VALUE.")
    return found


def _unknown(uri: str, name: str, options: frozenset[str]) -> UsageError:
    import difflib  # 4 ms, for mistakes only

    near = difflib.get_close_matches(name, options, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return UsageError(
        f"{redacted(uri)}: no option {name}",
        hint=f"{meant}There {'are ' + ', '.join(sorted(options)) if options else 'is none'}.",
    )


def number_of(uri: str, options: dict[str, str], name: str, default: float, *, least: float = 0.0) -> float:
    """An option that is a number above `least`, or its default.

    Raises:
        UsageError: it is none.
    """
    if name not in options:
        return default
    try:
        value = float(options[name])
    except ValueError:
        value = float("nan")
    if not least < value < float("inf"):
        raise UsageError(f"{redacted(uri)}: {name} has to be a number above {least:g}, not '{options[name]}'")
    return value
