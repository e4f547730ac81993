"""Check the words of the course: spelling by codespell, and a few rules of the house.

    python tools/prose.py           list what breaks a rule; exit status 1 if anything
    python tools/prose.py --long    list the longest sentences, to shorten some

Spelling is American. codespell knows common misspellings and British forms; what it may
not complain about stands in pyproject.toml. The rules here are those that no spelling
list can know: no word twice in a row, no note to oneself, no sentence that a reader has
to begin again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "lessons/*.md", "book/*.md")
SPELLED = ("src", "tools", "tests", "benchmarks", "solutions", "book", "lessons")
MOST_WORDS = 45  # of one sentence

_DOUBLE = re.compile(r"\b([A-Za-z]+)\s+\1\b")
_NOTE = re.compile(r"\b(TODO|FIXME|XXX|TBD|lorem ipsum)\b", re.IGNORECASE)
_MEANT = {"had", "that"}  # "what that that does" is bad style, and yet no slip


def pages(root: Path = ROOT) -> list[Path]:
    """Return the Markdown files that people read."""
    return sorted(path for pattern in PAGES for path in root.glob(pattern))


def paragraphs(markdown: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of each paragraph, item, title and box of a page.

    Code, formulas, tables, titles of cited works and addresses of links are left out.
    """
    text = re.sub(r"\A---\n.*?\n---\n", _blank, markdown, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", _blank, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\$\$.*?\$\$|<!--.*?-->", _blank, text, flags=re.DOTALL)
    text = re.sub(r"^## References\n.*?(?=^## |\Z)", _blank, text, flags=re.S | re.M)
    text = re.sub(r"\$[^$\n]+\$|(?:\{[\w:]+\})?`[^`\n]+`", "X", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"<[^>]*>", "", text)
    start, lines = 0, []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        line = re.sub(r"^\s*(>\s?)+", "", line)
        item = re.match(r"\s*(?:[-*]|\d+\.|#+)\s+", line)
        table = line.startswith("|")
        if (not line.strip() or item or table) and lines:
            yield start, " ".join(lines)
            lines = []
        if line.strip() and not table:
            start = start if lines else number
            lines.append(line[item.end() :].strip() if item else line.strip())


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph."""
    return re.split(r"(?<=[.!?])[*\"”)]*\s+(?=[*\"“A-Z(\[])", paragraph)


def broken_rules(markdown: str) -> list[tuple[int, str]]:
    """Return (line number, words) for each place that breaks a rule of the house."""
    found = []
    for line, text in paragraphs(markdown):
        for match in _DOUBLE.finditer(text):
            if match[1].lower() not in _MEANT:
                found.append((line, f"a word twice: “{match[0]}”"))
        for match in _NOTE.finditer(text):
            found.append((line, f"a note to oneself: “{match[0]}”"))
        for sentence in sentences(text):
            words = len(sentence.split())
            if words > MOST_WORDS:
                start = " ".join(sentence.split()[:6])
                found.append((line, f"a sentence of {words} words: “{start} …”"))
    return found


def misspelled(root: Path = ROOT) -> list[str]:
    """Return codespell's lines for the files of the course."""
    files = [path for path in root.iterdir() if path.suffix in (".md", ".toml", ".yml")]
    folders = [root / name for name in SPELLED if (root / name).is_dir()]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", *map(str, [*files, *folders])],
        cwd=root,  # where its settings are
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 65):
        raise RuntimeError(f"codespell failed: {done.stderr.strip()}")
    return [line.removeprefix(f"{root}/") for line in done.stdout.splitlines()]


def longest(root: Path = ROOT, count: int = 20) -> list[str]:
    """Return the longest sentences, with their numbers of words and their places."""
    found = [
        (len(sentence.split()), f"{path.relative_to(root)}:{line}: {sentence}")
        for path in pages(root)
        for line, text in paragraphs(path.read_text(encoding="utf-8"))
        for sentence in sentences(text)
    ]
    return [
        f"{words} words, {text}" for words, text in sorted(found)[: -count - 1 : -1]
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="list long sentences")
    if parser.parse_args(arguments).long:
        print("\n".join(longest()))
        return 0
    lines = misspelled()
    for path in pages():
        for line, words in broken_rules(path.read_text(encoding="utf-8")):
            lines.append(f"{path.relative_to(ROOT)}:{line}: {words}")
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
