"""Pages that load fast: fonts and icons only as far as the site uses them.

The theme's icon fonts hold two thousand icons of which the site shows twenty, and the
font for formulas every sign of mathematics. Once all pages are written, each font is
cut down to what stands on them. Heavy pictures are stored as WebP.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import io
import re
import shutil
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pydata_sphinx_theme
from docutils import nodes
from fontTools import subset
from myst_nb.core.render import NbElementRenderer
from PIL import Image
from sphinx.application import Sphinx
from sphinx.builders.epub3 import Epub3Builder
from sphinx.builders.html import StandaloneHTMLBuilder

OWN = Path(__file__).resolve().parents[2] / "static"
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
THEME /= "static"
MATH_FONT = Path("fonts", "stix-two-math.woff2")
ICON_FONTS = Path("vendor", "fontawesome", "webfonts")
ICON_STYLES = Path("styles", "pydata-sphinx-theme.css")
# One rule of the theme's style sheet for each icon: its names, its character.
ICON_RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+) ?"\}')
ICON_NAME = re.compile(r"\bfa-[a-z0-9-]+")
# A single letter in a formula is drawn in italics: h has its own place among them.
ITALIC = {"h": "\u210e", "\u2202": "\U0001d715"}
ITALIC |= {chr(ord("A") + i): chr(0x1D434 + i) for i in range(26)}
ITALIC |= {chr(ord("a") + i): chr(0x1D44E + i) for i in range(26) if i != 7}
ITALIC |= {chr(0x0391 + i): chr(0x1D6E2 + i) for i in range(25)}
ITALIC |= {chr(0x03B1 + i): chr(0x1D6FC + i) for i in range(25)}
HEAVY = 50_000  # bytes from which a picture is stored as WebP


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx."""
    app.connect("build-finished", cut_fonts)
    NbElementRenderer.render_image = _with_light_pictures(
        NbElementRenderer.render_image
    )
    # Every browser and every EPUB 3.3 reader shows WebP; Sphinx does not know it yet.
    for builder in (StandaloneHTMLBuilder, Epub3Builder):
        known = builder.supported_image_types
        if "image/webp" not in known:
            builder.supported_image_types = [*known, "image/webp"]


def cut_fonts(app: Sphinx, exception: Exception | None) -> None:
    """Cut the site's fonts and the list of icons down to what its pages show."""
    if exception or app.builder.name != "html":
        return
    static = Path(app.outdir, "_static")
    pages = [
        path.read_text(encoding="utf-8")
        for path in Path(app.outdir).rglob("*.html")
        if static not in path.parents
    ]
    characters = signs(pages)
    # Cutting takes seconds, and an edit of prose seldom needs another character.
    store = Path(app.doctreedir, "fonts")
    if characters:
        cut_once(OWN / MATH_FONT, characters, static / MATH_FONT, store)
    # The theme's scripts show a few icons of their own.
    scripts = [
        path.read_text(encoding="utf-8")
        for path in (static / "scripts").glob("*-theme.js")
    ]
    names = set(ICON_NAME.findall(" ".join(pages + scripts)))
    sheet = (THEME / ICON_STYLES).read_text(encoding="utf-8")
    styles, icons = keep_icons(sheet, names)
    (static / ICON_STYLES).write_text(styles, encoding="utf-8")
    for font in (THEME / ICON_FONTS).glob("*.woff2"):
        cut_once(font, icons, static / ICON_FONTS / font.name, store)


def signs(pages: list[str]) -> set[str]:
    """Return every character that the formulas of some pages are drawn with."""
    found: set[str] = set()
    for page in pages:
        for formula in re.findall(r"<math\b.*?</math>", page, re.DOTALL):
            found.update(re.sub(r"<[^>]*>", "", formula))
    return found | {ITALIC[letter] for letter in found if letter in ITALIC}


def keep_icons(styles: str, names: set[str]) -> tuple[str, set[str]]:
    """Drop the rules of icons that no page shows.

    Args:
        styles: the theme's style sheet.
        names: the icons to keep, such as `fa-bars`.

    Returns:
        The style sheet without the others, and the characters of those that stay.
    """
    kept: set[str] = set()

    def rule(match: re.Match[str]) -> str:
        if names.isdisjoint(ICON_NAME.findall(match[1])):
            return ""
        kept.add(chr(int(match[2], 16)))
        return match[0]

    return ICON_RULE.sub(rule, styles), kept


def cut(font: Path, characters: set[str], smaller: Path) -> None:
    """Write a font to another file, with nothing but some characters in it."""
    options = subset.Options(flavor="woff2", layout_features=["*"])
    options.notdef_outline = True
    opened = subset.load_font(str(font), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord(character) for character in characters])
    subsetter.subset(opened)
    subset.save_font(opened, str(smaller), options)


def once(kept: Path, make: Callable[[Path], None]) -> Path:
    """Make a file unless an earlier build did: whole, or not at all.

    Args:
        kept: the file; its name says all that its content depends on.
        make: writes the file whose path it gets.
    """
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            half = Path(folder, kept.name)
            make(half)
            half.replace(kept)
    return kept


def name_of(content: bytes, way: Callable[..., Any], library: str) -> str:
    """Return a digest of what is changed, how, and by which library."""
    version = metadata.version(library)
    return hashlib.sha256(
        content + inspect.getsource(way).encode() + version.encode()
    ).hexdigest()


def cut_once(font: Path, characters: set[str], smaller: Path, store: Path) -> None:
    """Do as `cut` does, or copy what an earlier build cut for the same characters.

    Args:
        font: the whole font.
        characters: what stays in it.
        smaller: the file to write.
        store: the folder that keeps what was cut, made if need be.
    """
    wanted = font.read_bytes() + "".join(sorted(characters)).encode()
    kept = store / f"{name_of(wanted, cut, 'fonttools')}{font.suffix}"
    shutil.copyfile(once(kept, lambda half: cut(font, characters, half)), smaller)


def as_webp(png: bytes) -> bytes | None:
    """Return a heavy picture as WebP: drawings as they are, photographs nearly so.

    Args:
        png: the picture as a cell made it.

    Returns:
        The smaller file; None for a picture that is light anyway.
    """
    if len(png) < HEAVY:
        return None
    found = [png]
    with Image.open(io.BytesIO(png)) as picture:
        kinds: list[dict[str, Any]] = [{"lossless": True}]
        if picture.mode == "RGB":  # no palette: it shows a photograph or shades
            kinds.append({"quality": 88})
        for kind in kinds:
            stored = io.BytesIO()
            picture.save(stored, "WEBP", **kind)
            found.append(stored.getvalue())
    smallest = min(found, key=len)
    return None if smallest is png else smallest


def _with_light_pictures(render: Any) -> Any:
    """Wrap MyST-NB's image renderer, which writes a cell's picture to a file."""

    def render_image(self: Any, data: Any) -> list[nodes.Element]:
        images: list[nodes.Element] = render(self, data)
        if data.mime_type != "image/png":
            return images
        png = base64.b64decode(data.content)
        store = Path(self.renderer.sphinx_env.doctreedir, "pictures")
        name = f"{name_of(png, as_webp, 'pillow')}.webp"
        # An empty file stands for a picture that is better left as it is.
        light = once(
            store / name, lambda half: half.write_bytes(as_webp(png) or b"")
        ).read_bytes()
        if light:
            uri = self.write_file([name], light, overwrite=False, exists_ok=True)
            for image in images:
                image["uri"] = uri
        return images

    return render_image
