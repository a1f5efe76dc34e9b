"""SVG from plain values: everything that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from edgekit.cli.layout import visible

Attribute = str | float | int


def element(name: str, *children: str, **attributes: Attribute) -> str:
    """An element. `class_` stands for class, `stroke_width` for stroke-width.

    Args:
        name: Of the element.
        children: Markup, which `text` makes of text.
        attributes: Numbers are written with two decimals at most.
    """
    written = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(content: str) -> str:
    """Text fit for HTML and SVG."""
    return escape(visible(content))


def label(x: float, y: float, content: str, class_: str = "label", anchor: str = "start") -> str:
    """Words whose base line starts (or ends, or is centred) at a place."""
    return element("text", text(content), x=x, y=y, class_=class_, text_anchor=anchor)


def figure(width: float, height: float, parts: Iterable[str], title: str) -> str:
    """The whole picture; `title` is read out where it cannot be seen."""
    return element(
        "svg", element("title", text(title)), *parts, viewBox=f"0 0 {width:.0f} {height:.0f}", role="img",
        width=round(width), height=round(height), xmlns="http://www.w3.org/2000/svg",
    )


def shortened(content: str, most: int) -> str:
    """A text without its middle where it is long."""
    return content if len(content) <= most else f"{content[: most // 2]}…{content[-(most - most // 2 - 1):]}"


def _name(key: str) -> str:
    return "class" if key == "class_" else key.replace("_", "-")


def _value(value: Attribute) -> str:
    if isinstance(value, str):
        return escape(visible(value))
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
