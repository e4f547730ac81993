"""Stamp a version everywhere it appears, and build what a release consists of.

    python tools/release.py 0.2.0
    python tools/release.py 0.2.0 --no-site    all but the site, which takes longest

It needs a clean checkout and a changelog with something in it. It writes the version to
pyproject.toml, CITATION.cff, the changelog and the install cell of every lesson, and
builds into `dist/0.2.0`: wheel, source archive, the notebooks for learners, and the
site, which it builds as `make book` does, every page anew. Called again, it only builds
again. It commits, tags and sends nothing; it prints the commands.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pair
import solutions_of
from packaging.version import InvalidVersion, Version
from template import all_or_nothing

ROOT = Path(__file__).resolve().parents[1]
MOMENT = (1980, 1, 1, 0, 0, 0)  # equal contents make equal archives


class Refused(ValueError):
    """The checkout is not ready for this release; the message says what to do."""


def accept(version: str, now: str) -> str:
    """Return a version that can follow the present one, or refuse."""
    try:
        fits = re.fullmatch(r"\d+\.\d+\.\d+", version) and Version(version)
    except InvalidVersion:
        fits = None
    if not fits or fits < Version(now):
        raise Refused(f"VERSION: expected three numbers, {now} or later: {version!r}.")
    return version


def released(changelog: str, version: str, day: datetime.date) -> str:
    """Return the changelog with what was unreleased under a version and a date.

    Raises:
        Refused: if nothing stands there, or the version is there already.
    """
    if f"\n## [{version}]" in changelog:
        raise Refused(f"CHANGELOG.md has {version} already.")
    section = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", changelog, re.S | re.M)
    if section is None or not re.search(r"^- \S", section[1], re.MULTILINE):
        raise Refused("CHANGELOG.md: expected entries under [Unreleased].")
    heading = f"## [Unreleased]\n\n## [{version}] - {day.isoformat()}\n"
    return changelog.replace("## [Unreleased]\n", heading, 1)


def stamped(version: str, day: datetime.date) -> dict[Path, str]:
    """Return the files that a person writes, with the version in them."""
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")
    }
    texts["pyproject.toml"] = re.sub(
        r'^version = ".*"$',
        f'version = "{version}"',
        texts["pyproject.toml"],
        count=1,
        flags=re.MULTILINE,
    )
    undated = re.sub(r"^date-released: .*\n", "", texts["CITATION.cff"], flags=re.M)
    texts["CITATION.cff"] = re.sub(
        r"^(version: .*\n)",
        rf"\g<1>date-released: {day.isoformat()}\n",
        undated,
        flags=re.MULTILINE,
    )
    texts["CHANGELOG.md"] = released(texts["CHANGELOG.md"], version, day)
    return {ROOT / name: text for name, text in texts.items()}


def git(*command: str) -> str:
    """Return what git prints about this checkout.

    Raises:
        Refused: if git cannot tell.
    """
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"git {command[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def stamp(version: str, day: datetime.date) -> None:
    """Write the version everywhere, or nowhere.

    Raises:
        Refused: if the checkout has changes, or the version is out already.
    """
    if changes := git("status", "--porcelain"):
        raise Refused(f"Commit first; these files have changes:\n{changes}")
    if git("tag", "--list", f"v{version}"):
        raise Refused(f"The tag v{version} exists already.")
    files = stamped(version, day)
    with all_or_nothing([*files, *pair.derived()]):
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        pair.main([])  # the lessons, and what else derives from pyproject.toml


def pack(archive: Path, files: dict[str, Path]) -> None:
    """Write a zip file: names inside, and where each comes from."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, path in sorted(files.items()):
            target.writestr(zipfile.ZipInfo(name, MOMENT), path.read_bytes())


def build(version: str, *, site: bool = True) -> list[Path]:
    """Build everything into `dist/VERSION`; return the files.

    Args:
        version: the version that is stamped.
        site: whether to build and pack the site, too.

    Raises:
        Refused: if the package or the site cannot be built, or a solution is in the
            notebooks or on a page.
    """
    folder = ROOT / "dist" / version
    shutil.rmtree(folder, ignore_errors=True)
    # With the environment's own setuptools: a release needs no network.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"The package was not built:\n{done.stdout}{done.stderr}")
    notebooks = sorted((ROOT / "lessons").glob("*.ipynb"))
    if leaks := solutions_of.leaks(notebooks):
        raise Refused("\n".join(leaks))
    pack(
        folder / f"modern-convnets-notebooks-{version}.zip",
        {path.name: path for path in [*notebooks, ROOT / "LICENSE"]},
    )
    if site:
        pages = build_site(version)
        if leaks := solutions_of.leaks([pages]):
            raise Refused("\n".join(leaks))
        files = [path for path in pages.rglob("*") if path.is_file()]
        pack(
            folder / f"modern-convnets-site-{version}.zip",
            {path.relative_to(pages).as_posix(): path for path in files},
        )
    return sorted(folder.iterdir())


def build_site(version: str) -> Path:
    """Build the site of a version, and nothing but it; return its folder.

    Raises:
        Refused: if it cannot be built, or says that it is of another version.
    """
    pages = ROOT / "_build" / "html"
    # No page of an older site may stay. What the lessons printed is kept elsewhere.
    shutil.rmtree(pages, ignore_errors=True)
    # A program of its own, because this one has read the version from before.
    command = [sys.executable, str(ROOT / "tools" / "build_book.py"), "--all"]
    if subprocess.run(command).returncode:
        raise Refused(
            "The site was not built: see above. The version is stamped all the same; "
            f"mend it and call make release VERSION={version} again."
        )
    if version_of(pages) != version:
        raise Refused(f"The site is not of version {version}: {pages}.")
    return pages


def version_of(site: Path) -> str:
    """Return the version that a built site says it is of; "" without a site."""
    try:
        return str(json.loads((site / "course.json").read_text("utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        return ""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="such as 0.2.0")
    parser.add_argument("--no-site", action="store_true", help="build no site")
    options = parser.parse_args(arguments)
    version = options.version
    day = datetime.datetime.now(datetime.timezone.utc).date()
    try:
        now = pair.repository()[1]
        accept(version, now)
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        if version == now and f"\n## [{version}] - " in changelog:
            print(f"{version} is stamped already: building it again.", flush=True)
        else:
            stamp(version, day)
            print(f"Stamped {version} with the date {day.isoformat()}.", flush=True)
        files = build(version, site=not options.no_site)
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    print("Built:")
    for path in files:
        size = path.stat().st_size / 2**20
        print(f"  {path.relative_to(ROOT).as_posix()}  {size:.1f} MiB")
    if options.no_site:
        print("The site is not among them: --no-site.")
    print("Look at the changes, let `make test` judge, and then:")
    print(f'  git commit --all --message "Release {version}"')
    print(f"  make release VERSION={version}   # so that the site names this commit")
    print(f"  git tag v{version}")
    print(f"  git push origin main v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
