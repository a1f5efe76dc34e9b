"""The page: one file, and the rule that makes a browser run nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

PAGE = resources.files("edgekit.serving").joinpath("page.html").read_bytes()


def _hash_of(tag: str) -> str:
    """The content of an element, as a policy names it."""
    found = re.search(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), PAGE, re.DOTALL)
    assert found, f"the page has no {tag}"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1]).digest()).decode()}'"


CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'", "img-src 'self' data:", "connect-src 'self'", f"script-src {_hash_of('script')}",
        f"style-src {_hash_of('style')}", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    )
)
