"""How the code blocks of the pages are found and compared; `make docs` runs them."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("run_blocks", ROOT / "docs" / "run_blocks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_run_or_says_what_it_is(page, runner):
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```(.*)$", text, re.MULTILINE)
    assert len(fences) % 2 == 0
    assert not any(fences[1::2])
    opened = set(fences[::2])
    assert opened <= {"python", "sh", "text", "console", "{include} ../CHANGELOG.md"} | {
        "{include} ../CONTRIBUTING.md",
        "{toctree}",
    }
    if page.stem not in ("README", "CONTRIBUTING"):
        assert not any(block.skipped for block in runner.blocks_of(text))
    shown = [block.shown for block in runner.blocks_of(text) if block.shown is not None]
    assert fences[::2].count("text") == len(shown)  # none stands alone


@pytest.mark.parametrize(
    ("shown", "found", "same"),
    [
        ("sigma 2.00 +- 0.01 px", "sigma  2.01 +- 0.01 px", True),
        ("sigma 2.00 +- 0.01 px", "sigma 2.10 +- 0.01 px", False),
        ("sigma 2.00 px", "sigma 2.00 arcsec", False),
        ("16 pairs", "17 pairs", False),
        ("57600 pixels", "57644 pixels", True),
        ("1.2e-05", "1.3e-05", True),
        ("1.2e-05", "2.2e-05", False),
        ("one 1", "one 1 2", False),
    ],
)
def test_output_agrees_in_words_and_to_within_rounding_in_numbers(shown, found, same, runner):
    assert runner.agree(shown, found) is same


def test_blocks_know_their_line_and_what_they_print(runner):
    text = (
        "words\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n"
        "<!-- not run: minutes -->\n```sh\nmake\n```\n"
    )
    first, second = runner.blocks_of(text)
    assert (first.line, first.code, first.shown, first.skipped) == (3, "print(1)\n", "1\n", False)
    assert (second.language, second.shown, second.skipped) == ("sh", None, True)
    written = runner.with_outputs(text, [(first, "2\n")])
    assert "```text\n2\n```" in written
    assert written.count("```") == text.count("```")
