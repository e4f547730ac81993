"""Each number that the prose calls ours is one that a recorded run printed."""

from pathlib import Path

import nbformat
import pair
import printed
import pytest

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
LESSONS = pair.lessons()


def by_lesson(function):
    return pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)(function)


@by_lesson
def test_the_recorded_run_is_of_the_lesson_as_it_is(path):
    kept = printed.FOLDER / f"{path.stem}.txt"
    assert kept.exists(), f"python -m benchmarks lessons --only {path.stem[:2]}"
    now = printed.digest(nbformat.read(path.with_suffix(".ipynb"), 4))
    assert f"# code {now}" in kept.read_text(encoding="utf-8"), (
        f"{path.name} has other code than the run in {kept.name}: "
        f"python -m benchmarks lessons --only {path.stem[:2]}"
    )


@by_lesson
def test_each_quoted_number_was_printed(path):
    kept = (printed.FOLDER / f"{path.stem}.txt").read_text(encoding="utf-8")
    text = kept.split("\n\n", 1)[1]
    missing = [
        f"{number.replace('~', 'about ')} in: {sentence}"
        for sentence, numbers in printed.quotes(path.read_text(encoding="utf-8"))
        for number in numbers
        if not printed.stands_in(number, text)
    ]
    assert not missing, "\n".join(missing)


def test_a_quote_is_found_in_prose_and_not_in_code():
    markdown = (
        "In 3 steps. In our run 97.7 % ± 0.5, behind\nabout 1,200 (lesson 06).\n\n"
        "```{code-cell}\n# in our run 12\n```\n\nOnly 7 here."
    )
    ((sentence, numbers),) = printed.quotes(markdown)
    assert sentence.startswith("In our run")
    assert numbers == ["97.7", "0.5", "~1,200"]


@pytest.mark.parametrize(
    ("number", "text", "there"),
    [
        ("0.49", "loss 0.4861", True),
        ("0.49", "loss 0.4961", False),
        ("68.6", "accuracy 0.6861", True),
        ("97.7", "97.70 %", True),
        ("97.7", "97.77 %", False),
        ("2,500", "grew to 2500.3", True),
        ("~1,200", "1280 images", True),
        ("~1,200", "1500 images", False),
        ("1.18", "a factor of 1.2", False),
        ("7", "", False),
    ],
)
def test_a_number_stands_in_a_text_if_it_rounds_to_it(number, text, there):
    assert printed.stands_in(number, text) == there
