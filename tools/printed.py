"""What the lessons print, kept in results/printed, and the numbers the prose quotes.

`python -m benchmarks lessons` runs each lesson and keeps what it printed, with digests
of the code that ran and of the recorded experiments that it read. A sentence
that says "in our run" may quote only numbers that stand there; a test compares them.
So may any other sentence, title or alternative text with a decimal number or one with
a unit, but for numbers that are given: settings, others' results, made-up examples.
"""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import Any

from course_utils import records

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "results" / "printed"

_OURS = re.compile(r"\bour runs?\b", re.IGNORECASE)
_READS = re.compile(r"\brecords\.(?:load|names|read|trained_model)\b")
_NUMBER = re.compile(r"(?<![\w.,\-])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w×·])")
_UNIT = (
    r"\s*(?:%|(?:percent|points?|times|standard errors|standard deviations|"
    r"µs|ms|s|seconds?|minutes?|hours?|[kKMG]i?B)\b)"
)
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


def records_read(notebook: Any) -> list[str]:
    """Return the names of the records that a notebook's code may read.

    They stand as texts in the cells that call `records`. A text stands for all records
    whose names begin so, as in f"mnist/{name}", be it a whole name itself. The name of
    a trained net stands for those that may keep its weights.

    Raises:
        ValueError: such a cell names no record, so nobody can tell what it reads.
    """
    known = records.names()
    found: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type != "code" or not _READS.search(cell.source):
            continue
        here: set[str] = set()
        for node in ast.walk(ast.parse(cell.source)):
            text = node.value if isinstance(node, ast.Constant) else None
            if not text or not isinstance(text, str):
                continue
            if text in records.TRAINED:
                here.update(name for name in records.TRAINED[text] if name in known)
            else:
                here.update(name for name in known if name.startswith(text))
        if not here:
            raise ValueError(f"a cell must name the records it reads:\n{cell.source}")
        found |= here
    return sorted(found)


def records_digest(notebook: Any) -> str:
    """Return a digest of the records that a notebook may read; "" where it reads none.

    A record holds the digest of its weights, so other weights are another record.
    """
    texts = [
        (records.folder() / f"{name}.json").read_text(encoding="utf-8")
        for name in records_read(notebook)
    ]
    if not texts:
        return ""
    return hashlib.sha256("\n\n".join(texts).encode()).hexdigest()[:12]


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
    head = [f"# {conditions}", f"# code {digest(notebook)}"]
    if read := records_digest(notebook):
        head.append(f"# records {read}")
    text = "\n".join(head) + "\n\n" + printed(notebook)
    path.write_text(text, encoding="utf-8")
    return path


def quotes(markdown: str) -> list[tuple[str, list[str]]]:
    """Return (sentence, its numbers) for each sentence that says "in our run"."""
    return [
        (sentence, numbers(sentence))
        for sentence in _sentences(markdown)
        if _OURS.search(sentence)
    ]


def stated(notebook: Any) -> list[tuple[str, list[str]]]:
    """Return (sentence, its numbers) for whatever else could have been measured.

    That is each number with decimals or with a unit, in sentences outside exercises,
    hints and formulas and in each figure's title and alternative text. The line of
    times is left out: it is written from its own record.
    """
    texts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            texts += _words_of_figures(cell.source)
            continue
        plain = re.sub(r"<details.*?</details>", "", cell.source, flags=re.DOTALL)
        plain = re.sub(r"^>.*$|\$+[^$]*\$+|`[^`]*`", "", plain, flags=re.MULTILINE)
        plain = re.sub(r"arXiv:[\d.]+\d", "", plain)
        plain = re.sub(r"<!-- time -->.*?<!-- /time -->", "", plain, flags=re.DOTALL)
        texts += [s for s in _sentences(plain) if not _OURS.search(s)]
    found = []
    for text in texts:
        could_be = [
            number
            for number in numbers(text)
            if "." in number
            or re.search(rf"(?<![\d,.]){re.escape(number.strip('~'))}{_UNIT}", text)
        ]
        if could_be:
            found.append((text, could_be))
    return found


def _words_of_figures(source: str) -> list[str]:
    if source.startswith(("%", "!")):
        return []
    return [
        keyword.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("alt", "title")
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    ]


def _sentences(markdown: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return [
        sentence
        for paragraph in re.split(r"\n\s*\n", prose)
        for sentence in re.split(
            r"(?<=[.!?:;])\s+(?=[A-Z*])", " ".join(paragraph.split())
        )
    ]


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
