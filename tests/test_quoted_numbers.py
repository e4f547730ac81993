"""Each number that the prose calls ours is one that a recorded run printed."""

from pathlib import Path

import nbformat
import pair
import printed
import pytest

from course_utils import records

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
LESSONS = pair.lessons()


# Numbers that no run of ours had to measure: settings, others' results, quiz examples.
GIVEN = {
    "00": "3.10 3.13",
    "01": "99.38 2.8 0.002 99.2 99.1",
    "02": "0.5",
    "03": "256",
    "04": "0.001 1.21",
    "05": "0.36",
    "06": "91 91.2 90.5 90.8",
    "07": "1.28",
    "08": "54 6",
    "09": "1.28 0.002 0.0001 98.0 98.4",
    "10": "0.002 0.999 88 84 92 70",
    "11": "1.28 50",
    "12": "0.05 82 92",
}


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
def test_the_recorded_run_read_the_records_as_they_are(path):
    kept = printed.FOLDER / f"{path.stem}.txt"
    head = kept.read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines()
    now = printed.records_digest(nbformat.read(path.with_suffix(".ipynb"), 4))
    found = [line for line in head if line.startswith("# records ")]
    assert found == ([f"# records {now}"] if now else []), (
        f"{path.name} reads other records than the run in {kept.name} did: "
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


@by_lesson
def test_each_other_number_was_printed_or_is_given(path):
    kept = (printed.FOLDER / f"{path.stem}.txt").read_text(encoding="utf-8")
    text = kept.split("\n\n", 1)[1]
    stated = {
        number: sentence
        for sentence, numbers in printed.stated(
            nbformat.read(path.with_suffix(".ipynb"), 4)
        )
        for number in numbers
    }
    given = set(GIVEN.get(path.stem[:2], "").split())
    assert given <= {number.lstrip("~") for number in stated}, "no longer there"
    missing = {
        number: sentence
        for number, sentence in stated.items()
        if number.lstrip("~") not in given and not printed.stands_in(number, text)
    }
    assert not missing, missing


def notebook_of(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A folder with six records of four studies, one of which keeps a net."""
    for name in (
        "digits/dense",
        "digits/dense_wide",
        "digits/convnet",
        "digits_long/dense",
        "pets/small",
        "net_parts/a",
    ):
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'{{"name": "{name}"}}', encoding="utf-8")
    monkeypatch.setattr(records, "folder", lambda: tmp_path)
    monkeypatch.setattr(records, "TRAINED", {"net": ("pets/small", "pets/brief")})
    return tmp_path


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('records.load("digits/convnet")', ["digits/convnet"]),
        (
            'records.load(f"digits/{n}")',
            ["digits/convnet", "digits/dense", "digits/dense_wide"],
        ),
        (
            '[n for n in records.names() if n.startswith("digits")]',
            [
                *("digits/convnet", "digits/dense", "digits/dense_wide"),
                "digits_long/dense",
            ],
        ),
        (
            '[n for n in records.names() if n.startswith("digits/dense")]',
            ["digits/dense", "digits/dense_wide"],
        ),
        ('records.trained_model("net")', ["pets/small"]),
        ('load("digits")', []),
    ],
)
def test_a_lesson_s_code_says_which_records_it_reads(recorded, source, names):
    notebook = notebook_of('print("pets/small")', source)
    assert printed.records_read(notebook) == names
    assert bool(printed.records_digest(notebook)) == bool(names)


def test_a_cell_that_hides_which_record_it_reads_is_refused(recorded):
    with pytest.raises(ValueError, match="must name the records"):
        printed.records_read(notebook_of('name = "digits/dense"', "records.load(name)"))


def test_a_record_that_changes_or_is_new_changes_the_digest(recorded):
    notebook = notebook_of('records.trained_model("net")')
    digests = [printed.records_digest(notebook)]
    for name in ("digits/dense", "pets/small", "pets/brief"):
        (recorded / f"{name}.json").write_text("{}", encoding="utf-8")
        digests.append(printed.records_digest(notebook))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_kept_run_names_its_code_and_its_records(recorded, monkeypatch):
    monkeypatch.setattr(printed, "FOLDER", recorded)
    reading, other = notebook_of('records.load("pets/small")'), notebook_of("1 + 1")
    kept = printed.keep("01", reading, "on a CPU").read_text("utf-8")
    assert kept.split("\n")[:4] == [
        "# on a CPU",
        f"# code {printed.digest(reading)}",
        f"# records {printed.records_digest(reading)}",
        "",
    ]
    assert "# records" not in printed.keep("02", other, "").read_text("utf-8")


def test_a_number_of_a_title_or_a_sentence_is_found():
    cells = [
        nbformat.v4.new_markdown_cell(
            "A rate of 0.5 ($p = 0.7$). Of 12 nets, 3 % failed.\n\n> Try 0.9.\n\n"
            "In our run 4.5 came out. `x = 0.1` <details>0.2</details>\n\n"
            "It took 7 ms, about 30 times as long as 112 nets, and 5 sit still.\n\n"
            "<!-- time -->\n**Time**: 20 minutes.\n<!-- /time -->"
        ),
        nbformat.v4.new_code_cell('plot(0.3, title="Only 8.1 s", alt="2 points.")'),
    ]
    stated = printed.stated(nbformat.v4.new_notebook(cells=cells))
    found = [numbers for _, numbers in stated]
    assert found == [["0.5"], ["3"], ["7", "~30"], ["8.1"], ["2"]]


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
