"""What the lessons print, kept in results/printed, and the numbers the prose quotes.

`python -m benchmarks lessons` runs each lesson and keeps what it printed. A sentence
that says "in our run" may quote only numbers that stand there; a test compares them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "results" / "printed"

_OURS = re.compile(r"\bour runs?\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,\-])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w×·])")
_ABOUT = re.compile(
    r"\b(?:about|almost|nearly|some|over|around|more than|less than|up to|near)\s+$"
)


def digest(notebook: Any) -> str:
    """Return a digest of a notebook's code, without its prose.

    The install cell is left out: a release changes the version in it, and nothing else.
    """
    code = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "install" not in cell.metadata.get("tags", [])
    ]
    return hashlib.sha256("\n\n".join(code).encode()).hexdigest()[:12]


def printed(notebook: Any) -> str:
    """Return all text that the cells of an executed notebook printed or returned."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            text = output.get("text", "")
            if output.output_type in ("execute_result", "display_data"):
                text = output.data.get("text/plain", "")
            if output.get("name") == "stderr" or text.startswith("<"):
                continue
            texts.append(text.rstrip("\n"))
    return "\n".join(text for text in texts if text) + "\n"


def keep(name: str, notebook: Any, conditions: str) -> Path:
    """Write what an executed lesson printed to results/printed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.txt"
    head = f"# {conditions}\n# code {digest(notebook)}\n\n"
    path.write_text(head + printed(notebook), encoding="utf-8")
    return path


def quotes(markdown: str) -> list[tuple[str, list[str]]]:
    """Return (sentence, its numbers) for each sentence that says "in our run"."""
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    found = []
    for paragraph in re.split(r"\n\s*\n", prose):
        text = " ".join(paragraph.split())
        for sentence in re.split(r"(?<=[.!?:;])\s+(?=[A-Z*])", text):
            if _OURS.search(sentence):
                found.append((sentence, numbers(sentence)))
    return found


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, as written; "~" before those that are rounded."""
    text = re.sub(r"\]\([^)]*\)", "]", text)  # addresses of links
    text = re.sub(r"\blessons? \d\d\b", "", text)
    text = re.sub(r"\s?[±]\s?", " ", text)
    found = []
    for match in _NUMBER.finditer(text):
        rough = "~" if _ABOUT.search(text[: match.start()]) else ""
        found.append(rough + match.group().rstrip(","))
    return found


def stands_in(number: str, text: str) -> bool:
    """Tell whether a quoted number is one of a text's numbers, rounded as it is.

    A share may be quoted in percent. A number behind "about" may be off by a tenth.
    """
    rough, number = number.startswith("~"), number.lstrip("~").replace(",", "")
    decimals = len(number.partition(".")[2]) if "e" not in number else 0
    wanted = float(number)
    room = max(0.1 * abs(wanted) if rough else 0, 0.5 * 10**-decimals)
    printed_numbers = re.findall(r"\d[\d,]*\.?\d*(?:e[+-]?\d+)?", text)
    for value in (float(n.replace(",", "").rstrip(".")) for n in printed_numbers):
        if any(abs(value * scale - wanted) <= room * 1.0001 for scale in (1, 100)):
            return True
    return False
