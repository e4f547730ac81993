"""Mathematics as MathML, made while the site is built.

A page then needs no script, and no other host, to show a formula. What
`latex2mathml` leaves to old MathML 3 engines is rewritten to what browsers draw today
(MathML Core).
"""

from __future__ import annotations

import html
import re
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)
NAMESPACE = "http://www.w3.org/1998/Math/MathML"

# LaTeX that latex2mathml does not know, in words that it knows.
REWRITES = (
    (re.compile(r"\\(begin|end)\{aligned\}"), r"\\\1{align*}"),
    (re.compile(r"\\(begin|end)\{gathered\}"), r"\\\1{gather*}"),
    (re.compile(r"\\operatorname\*"), r"\\operatorname"),
)
# Characters that it picks although they are not the mathematical ones.
CHARACTERS = {"~": "\u223c", "\u2015": "\u203e"}
# What has its limits below and above in a formula on a line of its own.
LIMITS = {
    *"\u2211\u220f\u22c3\u22c2",
    *("max", "min", "lim", "sup", "inf", "arg max", "arg min", "argmax", "argmin"),
}
PRIME = "\u2032"
BELOW_AND_ABOVE = {"sub": "under", "sup": "over", "subsup": "underover"}
# The first of the 58 bold and bold italic Greek letters, from capital alpha.
BOLD_GREEK = {"bold": 0x1D6A8, "bold-italic": 0x1D71C}


def to_mathml(latex: str, *, display: bool = False) -> str:
    r"""Return a formula as a `<math>` element.

    Args:
        latex: the formula, without its dollar signs.
        display: True for a formula on a line of its own.

    Returns:
        One `<math>` element, its LaTeX source as alternative text.

    Raises:
        ValueError: where the formula cannot be read, or has an unknown command.

    Example:
        `to_mathml(r"\frac{1}{2}")`
    """
    prepared = latex.strip()
    for pattern, replacement in REWRITES:
        prepared = pattern.sub(replacement, prepared)
    try:
        text = convert(prepared, display="block" if display else "inline")
        # Alignment marks come out bare where no environment takes them.
        root = ElementTree.fromstring(text)
    except Exception as error:
        raise ValueError(
            f"the formula {latex!r} cannot be turned into MathML: "
            f"{type(error).__name__} {error}"
        ) from error
    for element in root.iter():
        _modernize(element, latex)
        if display:
            _place_limits(element)
    root.set("alttext", latex.strip())
    ElementTree.register_namespace("", NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")


def _modernize(element: ElementTree.Element, latex: str) -> None:
    """Rewrite one element, and join the letters of its upright words."""
    if element.text and element.tag.endswith(("}mi", "}mo", "}mtext")):
        text = element.text.replace("\\_", "_")
        text = CHARACTERS.get(text, text)
        if "\\" in text:
            raise ValueError(f"the formula {latex!r} has an unknown command {text!r}")
        if text in ("\u223c", PRIME):
            element.tag = f"{{{NAMESPACE}}}mo"
        if text == PRIME:
            element.attrib.update(lspace="0", rspace="0")
        variant = element.get("mathvariant", "")
        if variant in BOLD_GREEK and len(text) == 1:
            text = _bold_greek(text, BOLD_GREEK[variant])
            del element.attrib["mathvariant"]
        element.text = text
    if element.tag.endswith("}msup") and "".join(element[1].itertext()) == PRIME:
        # The character is raised by itself; as a superscript it would be raised twice.
        element.tag = f"{{{NAMESPACE}}}mrow"
    joined: list[ElementTree.Element] = []
    for child in element:
        letters = child.tag.endswith("}mi") and child.get("mathvariant") == "normal"
        before = joined[-1] if joined else None
        if letters and before is not None and before.get("joinable"):
            before.text = (before.text or "") + (child.text or "").replace("\\_", "_")
            continue
        if letters:
            child.set("joinable", "yes")
        joined.append(child)
    element[:] = joined
    for position, child in enumerate(element):
        if child.text == "/":
            child.set("lspace", "0")
            child.set("rspace", "0")
        elif child.tag.endswith("}mo") and len(child.text or "") > 1:
            # The name of a function, such as log or Var, is no operator between two
            # things: a thin space after it, and none in front of a bracket.
            after = element[position + 1 :][:1]
            bracket = after and "".join(after[0].itertext())[:1] in "([{"
            child.set("lspace", "0.1em")
            child.set("rspace", "0" if bracket else "0.1667em")
        # A word of several letters is upright by itself, and read as one word.
        if child.attrib.pop("joinable", "") and len(child.text or "") > 1:
            del child.attrib["mathvariant"]


def _place_limits(element: ElementTree.Element) -> None:
    """Put the limits of a sum below and above it, not beside it."""
    kind = element.tag.rpartition("}m")[2]
    if kind not in BELOW_AND_ABOVE or not len(element):
        return
    base = element[0]
    if base.tag.endswith("}mo") and (base.text or "").replace("\u00a0", " ") in LIMITS:
        element.tag = f"{{{NAMESPACE}}}m{BELOW_AND_ABOVE[kind]}"


def _bold_greek(letter: str, start: int) -> str:
    code = ord(letter)
    if 0x0391 <= code <= 0x03A9:
        return chr(start + code - 0x0391)
    if 0x03B1 <= code <= 0x03C9:
        return chr(start + 26 + code - 0x03B1)
    return {"\u2202": chr(start + 51)}.get(letter, letter)


def _render(node: nodes.Element, *, display: bool) -> str:
    latex = node.astext()
    try:
        return to_mathml(latex, display=display)
    except ValueError as error:
        LOGGER.warning(str(error), location=node, type="course", subtype="math")
        return f"<code>{html.escape(latex)}</code>"


def visit_inline(translator: Any, node: nodes.Element) -> None:
    """Write a formula inside a line."""
    translator.body.append(_render(node, display=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.Element) -> None:
    """Write a formula on a line of its own, with its number if it has a label."""
    translator.body.append(
        translator.starttag(node, "div", CLASS="math-display notranslate nohighlight")
    )
    translator.body.append(_render(node, display=True))
    if node.get("number"):
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Make MathML the way this site writes formulas."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("config-inited", _choose, priority=900)


def _choose(app: Sphinx, config: Any) -> None:
    config.html_math_renderer = "mathml"
    config.myst_update_mathjax = False
