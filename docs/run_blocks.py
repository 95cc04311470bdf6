"""Run every code block of the documentation and compare what it prints with what is shown.

Blocks marked ``python`` share one namespace per page, blocks marked ``sh`` are scripts for the
shell; both run in a temporary folder of their page. A ``text`` block right below shows the output:
words have to agree, numbers to 2 per cent or one unit of their last digit. A block below the
comment ``<!-- not run: why -->`` is left out, and counted.

    python docs/run_blocks.py [--write] [page.md ...]

``--write`` puts the output that was found into the pages.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gaussjax.cli.process import hasty_flags

# Nearly all of the time is compilation: less of it, as in the shell, for code that runs slower.
os.environ.setdefault("XLA_FLAGS", hasty_flags())

import jax

ROOT = Path(__file__).parents[1]
_PROCESSES = 2
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^>]*-->\n)?"
    r"^```(?P<language>python|sh)\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A piece of code in a page, with what the page says that it prints."""

    line: int
    language: str
    code: str
    shown: str | None
    skipped: bool


def blocks_of(text: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [
        Block(
            text.count("\n", 0, match.start("code")),
            match["language"],
            match["code"],
            match["shown"],
            match["skip"] is not None,
        )
        for match in BLOCK.finditer(text)
    ]


def agree(shown: str, found: str) -> bool:
    """Same words, and numbers that are equal to within rounding."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", found).split():
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(found), strict=True)
    return all(abs(float(a) - float(b)) <= tolerance(a) for a, b in pairs)


def tolerance(number: str) -> float:
    """2 per cent or one unit of the last digit; integers are counts, and exact below 50."""
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - digits) if digits or exponent else 0.0
    return max(0.02 * abs(float(number)) if unit or abs(float(number)) >= 50 else 0.0, unit)


def run_python(block: Block, page: Path, names: dict) -> str:
    """What a block prints; its names stay for the next one."""
    printed = io.StringIO()
    # Empty lines above, so that a traceback names the line of the page.
    program = compile("\n" * block.line + block.code, str(page), "exec")
    with contextlib.redirect_stdout(printed):
        exec(program, names)
    return printed.getvalue()


def run_shell(block: Block) -> str:
    """What a script prints; it stops at the first command that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Outcome:
    """What became of the blocks of a page."""

    page: Path
    run: int
    left_out: int
    problems: list[str]
    seconds: float  # of processors


def run_page(page: Path, write: bool) -> Outcome:
    """Run the blocks of a page."""
    begun = sum(os.times()[:4])
    text = page.read_text(encoding="utf-8")
    blocks, problems, outputs = blocks_of(text), [], []
    names = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in blocks:
            if block.skipped:
                continue
            where = f"{page.relative_to(ROOT)}:{block.line + 1}"
            try:
                run = run_shell(block) if block.language == "sh" else None
                found = run_python(block, page, names) if run is None else run
            except Exception:
                problems.append(f"{where}: {traceback.format_exc(limit=-3)}")
                break  # the next blocks need this one
            outputs.append((block, found))
            if not write and not agree(block.shown or "", found):
                shown = block.shown or "(nothing)\n"
                problems.append(f"{where}: the page shows\n{shown}but it printed\n{found}")
    jax.config.update("jax_enable_x64", False)
    if write and not problems:
        page.write_text(with_outputs(text, outputs), encoding="utf-8")
    left_out = sum(block.skipped for block in blocks)
    return Outcome(page, len(outputs), left_out, problems, sum(os.times()[:4]) - begun)


def with_outputs(text: str, outputs: list[tuple[Block, str]]) -> str:
    """The page with what its blocks printed."""
    found = {block.line: printed for block, printed in outputs}

    def replaced(match: re.Match) -> str:
        line = text.count("\n", 0, match.start("code"))
        shown = match["shown"] or ""
        digits = [re.sub(r"\d", "0", text) for text in (shown, found.get(line, shown))]
        if line not in found or (agree(shown, found[line]) and digits[0] == digits[1]):
            return match[0]
        code = f"{match['skip'] or ''}```{match['language']}\n{match['code']}```\n"
        printed = "\n".join(row.rstrip() for row in found[line].rstrip().split("\n"))
        return code + (f"\n```text\n{printed}\n```\n" if printed else "")

    return BLOCK.sub(replaced, text)


def run_pages(pages: list[Path], write: bool) -> Iterator[Outcome]:
    """Run pages in two processes, which share the programs that they compile."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        context = multiprocessing.get_context("spawn")  # JAX is imported anew, and sees the folder
        with ProcessPoolExecutor(_PROCESSES, mp_context=context) as pool:
            yield from pool.map(run_page, pages, [write] * len(pages))


def main() -> int:
    """Run the pages that are named, or all."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--write", action="store_true", help="put the output into the pages")
    options.add_argument("pages", nargs="*", type=Path)
    given = options.parse_args()
    every = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    pages = [page.resolve() for page in given.pages] or every
    begun, found = time.perf_counter(), []
    for each in run_pages(pages, given.write):
        found.append(each)
        if each.run or each.left_out:
            name = each.page.relative_to(ROOT)
            counts = f"{each.run} blocks, {each.left_out} not run"
            print(f"{name}: {counts}, {each.seconds:.0f} s of processors", flush=True)
    failed = [problem for each in found for problem in each.problems]
    print("\n".join(["", *failed]) if failed else "", end="")
    took, cpu = time.perf_counter() - begun, sum(each.seconds for each in found)
    total = sum(each.run for each in found)
    print(f"{total} blocks, {len(failed)} failed, {took:.0f} s, {cpu:.0f} s of processors")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
