"""``gaussjax dataset``: its outputs, what it leaves out, its exit codes, and that it goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from coarse_pairs import coarse_pair
from command import error_line
from problems import PHOTOGRAPHS, photograph
from processes import COMMAND, run_process

from gaussjax.cli import main
from gaussjax.cli.output import ProgressBar
from gaussjax.cli.process import interrupt_held_back
from gaussjax.model.options import BOUNDARIES

SIDE, SIGMA = 64, 1.2  # px; as in tests/dataset, whose programs these are
SAMPLED = ["--kernel", "sampled"]  # SciPy's


def crops(count, seed=0, noise=0.005, side=SIDE):
    """Pairs of crops of photographs, one SciPy's blur of the other, with noise."""
    random = np.random.default_rng(seed)
    scenes = [photograph(name) for name in PHOTOGRAPHS]
    blurred = [scipy.ndimage.gaussian_filter(scene, SIGMA) for scene in scenes]
    for _ in range(count):
        k = random.integers(len(scenes))
        y, x = (random.integers(0, n - side) for n in scenes[k].shape)
        cut = np.s_[y : y + side, x : x + side]
        yield scenes[k][cut], blurred[k][cut] + noise * random.normal(size=(side, side))


def write_pairs(count=20, **options):
    """Folders a and b of them, p00.npy and so on, in float32."""
    for folder in ("a", "b"):
        os.makedirs(folder, exist_ok=True)
    for k, (reference, soft) in enumerate(crops(count, **options)):
        np.save(f"a/p{k:02d}.npy", reference.astype(np.float32))
        np.save(f"b/p{k:02d}.npy", soft.astype(np.float32))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the folders a and b of 20 pairs."""
    monkeypatch.chdir(tmp_path)
    write_pairs()
    return tmp_path


@pytest.fixture
def interruptible():
    """Python's handler of Ctrl-C, which a process in the background of a shell lacks."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(capsys, *arguments, command=("a", "b")):
    """Exit code, parsed output and lines on stderr of ``gaussjax dataset ... --json``."""
    code = main(["dataset", *command, *SAMPLED, *arguments, "--json"])
    output = capsys.readouterr()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert output.out, output.err
    return code, json.loads(output.out, parse_constant=refuse), output.err.splitlines()


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_record_and_rows(folder, capsys):
    code, record, errors = run(capsys, "--csv", "pairs.csv")
    assert (code, record["status"], record["status_name"], errors) == (0, 0, "estimated", [])
    assert abs(record["sigma"] - SIGMA) < 4 * record["standard_error"]
    assert 0 < record["standard_error"] < 0.01
    assert record["fwhm"] == pytest.approx(2.354820 * record["sigma"])
    assert record["variance"] == pytest.approx(record["sigma"] ** 2)
    assert (record["num_pairs"], record["num_bad"], record["bad"]) == (20, 0, [])
    assert (record["dtype"], record["kernel"], record["sigma_unit"]) == ("float32", "sampled", "px")
    assert len(record["worst"]) == 10
    assert record["worst"][0]["misfit"] >= record["worst"][1]["misfit"]
    assert record["heterogeneity"] > 0 <= record["scatter"]
    found = rows("pairs.csv")
    assert [row["name"] for row in found] == [f"p{k:02d}" for k in range(20)]
    told = [row for row in found if row["status"] == "estimated"]
    assert len(told) == 20 - record["num_refused"] > 15
    assert {each["name"] for each in record["refused"]} == {
        row["name"] for row in found if row not in told
    }
    for row in told:
        assert abs(float(row["sigma"]) - SIGMA) < 6 * float(row["standard_error"])
        assert float(row["noise_std"]) == pytest.approx(0.005, rel=0.3)
        assert (float(row["gain"]), float(row["offset"]), row["reason"]) == (1, 0, "")


def test_shifts_and_wrong_pixels(folder, capsys):
    random = np.random.default_rng(2)
    for k in range(20):
        soft = np.roll(np.load(f"b/p{k:02d}.npy"), (k % 3, -1), (0, 1))
        soft.flat[random.integers(0, soft.size, 2 * k)] = 1
        np.save(f"b/p{k:02d}.npy", soft)
    code, record, _ = run(capsys, "--shift", "--loss", "huber", "--csv", "pairs.csv")
    assert (code, record["shift"], record["loss"]) == (0, True, "huber")
    assert abs(record["sigma"] - SIGMA) < 4 * record["standard_error"]
    for k, row in enumerate(rows("pairs.csv")):
        if row["standard_error"] and float(row["standard_error"]) < 0.02:
            assert float(row["shift_0"]) == pytest.approx(k % 3, abs=0.1)
            assert float(row["shift_1"]) == pytest.approx(-1, abs=0.1)


def test_noise_levels_that_the_pairs_tell(folder, capsys):
    code, record, _ = run(capsys, "--noise", "estimate")
    assert (code, record["noise_std"]) == (0, "estimate")
    assert abs(record["sigma"] - SIGMA) < 4 * record["standard_error"]


def test_table_and_figure(folder, capsys):
    assert main(["dataset", "a", "b", *SAMPLED, "--plot", "sigmas.png"]) == 0
    output = capsys.readouterr()
    assert output.err == ""  # no bar where there is no terminal
    lines = [line.split() for line in output.out.splitlines()]
    names = [line[0] for line in lines]
    assert names[:2] == ["sigma", "FWHM"]
    assert float(lines[0][1]) == pytest.approx(SIGMA, rel=1e-2)
    for name in ("scatter", "pairs", "power", "passes", "worst", "images", "frames", "figure"):
        assert name in names
    with PIL.Image.open("sigmas.png") as picture:
        assert picture.size == (1024, 1216)


def test_families_and_gain(folder, capsys):
    write_pairs(noise=1e-4)
    for k in range(20):
        soft = np.load(f"b/p{k:02d}.npy")
        np.save(f"b/p{k:02d}.npy", (1 + k / 20) * soft + 0.3)
    arguments = ["--family", "axis_aligned", "--gain", "--offset"]
    code, record, _ = run(capsys, *arguments, "--csv", "pairs.csv", "--plot", "pairs.svg")
    assert code == 0
    assert record["sigma"] == pytest.approx([SIGMA, SIGMA], rel=0.02)
    found = rows("pairs.csv")
    assert [*found[0]] == [
        *("name", "sigma_0", "sigma_1", "standard_error_0", "standard_error_1"),
        *("model_error_0", "model_error_1", "status", "verdict", "cause"),
        *("influence_0", "influence_1", "misfit", "noise_std", "gain", "offset", "reason"),
    ]
    gains = [float(row["gain"]) for row in found if row["status"] == "estimated"]
    expected = [1 + int(row["name"][1:]) / 20 for row in found if row["status"] == "estimated"]
    assert gains == pytest.approx(expected, rel=0.05)
    shares = record["transfer"]["shares"]
    assert shares["linear"] == pytest.approx(1, abs=1e-4)
    assert abs(shares["distortion"]) < 1e-4
    assert len(record["transfer"]["pair_error"]) == len(record["transfer"]["frequency"])
    assert "<svg" in Path("pairs.svg").read_text(encoding="utf-8")


def test_stacks_and_lists_are_the_folders(folder, capsys):
    _, expected, _ = run(capsys)
    for side in "ab":
        stack = [np.load(f"{side}/p{k:02d}.npy") for k in range(20)]
        np.save(f"{side}.npy", np.stack(stack))
    lines = [f"a/p{k:02d}.npy,b/p{k:02d}.npy" for k in range(20)]
    Path("pairs.csv").write_text("\n".join(["reference,blurred", *lines]))
    for command in (("a.npy", "b.npy"), ("pairs.csv",)):
        code, record, _ = run(capsys, command=command)
        assert code == 0
        assert record["sigma"] == pytest.approx(expected["sigma"], rel=1e-6)


def test_what_is_left_out_is_named(folder, capsys):
    Path("a/p00.npy").unlink()
    Path("a/p00.png").write_text("hello")
    np.save("b/p01.npy", np.ones((SIDE, SIDE - 1)))
    np.save("b/p02.npy", np.full((SIDE, SIDE), np.nan))
    Path("b/p03.npy").unlink()
    Path("a/sch\u00f6n \u65e5\u672c.npy").write_bytes(Path("a/p05.npy").read_bytes())
    Path("b/sch\u00f6n \u65e5\u672c.npy").write_bytes(Path("b/p05.npy").read_bytes())
    code, record, errors = run(capsys, "--csv", "pairs.csv")
    assert (code, record["num_pairs"], record["num_bad"]) == (0, 17, 4)
    assert errors == []  # named in the record
    reasons = {each["name"]: each["reason"] for each in record["bad"]}
    assert reasons.keys() == {"p00", "p01", "p02", "p03"}
    assert "p00.png" in reasons["p00"]
    assert f"({SIDE}, {SIDE - 1})" in reasons["p01"]
    assert "NaN" in reasons["p02"]
    found = rows("pairs.csv")
    assert sorted(row["name"] for row in found) == [
        *(f"p{k:02d}" for k in range(20)),
        "sch\u00f6n \u65e5\u672c",
    ]
    out = {row["name"]: row for row in found if row["status"] == "left_out"}
    assert out.keys() == {"p00", "p01", "p02", "p03"}
    assert (out["p02"]["reason"], out["p02"]["sigma"]) == (reasons["p02"], "")
    assert "no partner" in out["p03"]["reason"]
    # The limit counts them all.
    assert main(["dataset", "a", "b", *SAMPLED, "--max-bad", "4"]) == 0
    assert "left out  p01: " in capsys.readouterr().out
    assert main(["dataset", "a", "b", *SAMPLED, "--max-bad", "3"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    last = output.err.splitlines()[-1]
    assert "more pairs cannot be used (4 so far) than --max-bad allows (3)" in last
    assert "(1) than --max-bad allows (0)" in error_line(
        capsys, "dataset", "a", "b", "--max-bad", "0"
    )


def test_of_many_the_first_are_named(folder, capsys):
    for k in range(12):
        Path(f"a/alone{k:02d}.npy").touch()
        np.save(f"b/p{k:02d}.npy", np.zeros(SIDE))
    code = main(["dataset", "a", "b", *SAMPLED])
    output = capsys.readouterr()
    assert code in (0, 1)
    assert output.err == ""
    out = [line for line in output.out.splitlines() if line.startswith("left out")]
    assert len(out) == 11
    assert out[-1] == "left out  and 14 more; --csv names all"


@pytest.mark.skipif(os.name != "posix", reason="names are text")
def test_names_that_are_no_text(folder, capsys):
    name = os.fsdecode(b"\xff\nodd")
    for side in "ab":
        Path(f"{side}/p00.npy").rename(f"{side}/{name}.npy")
    np.save(f"b/{name}.npy", np.ones((SIDE, SIDE)))
    assert main(["dataset", "a", "b", *SAMPLED, "--csv", "pairs.csv"]) == 0
    assert "worst     \\udcff odd" in capsys.readouterr().out
    assert b"\xff\nodd" in Path("pairs.csv").read_bytes()


def test_untrustworthy_estimates_exit_with_1(folder, capsys):
    for k in range(20):
        for side in "ab":
            np.save(f"{side}/p{k:02d}.npy", np.ones((SIDE, SIDE), np.float32))
    code, record, _ = run(capsys, "--csv", "pairs.csv", "--plot", "flat.png")
    assert (code, record["status_name"]) == (1, "not_identifiable")
    assert record["num_refused"] == 20
    assert {row["status"] for row in rows("pairs.csv")} == {"not_identifiable"}
    assert {row["sigma"] for row in rows("pairs.csv")} == {""}


def test_bad_sources(folder, capsys):
    os.makedirs("empty")
    Path("bad.csv").write_text("reference,blurred\na/p00.npy\n")
    Path("header.csv").write_text("a,b\na/p00.npy,b/p00.npy\n")
    np.save("small.npy", np.ones((3, SIDE, SIDE)))
    np.save("other.npy", np.ones((2, SIDE, SIDE)))
    np.save("colour.npy", np.ones((2, SIDE, SIDE, 3)))
    Path("missing.csv").write_text("reference,blurred\nx.npy,y.npy\n")
    for sources, reason in [
        (["empty", "b"], "no image has a partner"),
        (["a"], "give its partner too"),
        (["a", "a"], "is given as both folders"),
        (["colour.npy", "colour.npy"], "looks like colour images"),
        (["a", "missing"], "no such file or folder"),
        (["a", "b/p00.npy"], "give two folders, two .npy stacks"),
        (["bad.csv"], "line 2: has 1 fields"),
        (["header.csv"], "line 1: must be the header"),
        (
            ["small.npy", "other.npy"],
            f"stacks of shape (3, {SIDE}, {SIDE}) and (2, {SIDE}, {SIDE})",
        ),
        (["missing.csv"], "no pair can be used"),
    ]:
        assert reason in error_line(capsys, "dataset", *sources)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "REFERENCE"),
        (["a", "b", "--truncate", "4"], "--kernel sampled"),
        (["a", "b", "--noise", "1"], "two standard deviations, not both 0, or the word estimate"),
        (["a", "b", "--noise", "0", "0"], "not both 0"),
        (["a", "b", "--noise", "1", "-1"], "'-1' is neither a noise level, 0 or more"),
        (["a", "b", "--noise", "estimate", "--loss", "huber"], "--noise goes with --loss squared"),
        (["a", "b", "--loss", "round"], "absolute"),
        (["a", "b", "--boundary", "mirror"], "mirror"),
        (["a", "b", "--workers", "0"], "'0' is not a whole number above 0"),
        (["a", "b", "--passes", "two"], "'two' is not a whole number"),
        (["a", "b", "--max-bad", "-1"], "--max-bad"),
        (["a", "b", "--save-every", "3"], "belongs to --resume"),
        (["a", "b", "--resume", "no/state"], "no such folder"),
        (["a", "b", "--csv", "a"], "is no name of a file"),
        (["a", "b", "--plot", "b.jpg"], ".png, .pdf, .svg"),
        (["a", "b", "--csv", "x.png", "--plot", "x.png"], "give files that differ"),
        (["a", "b", "--quiet", "--progress"], "not allowed with"),
        (["a", "b", "--csv", "b/p03.npy"], "is an input itself"),
        (["a", "b", "--csv", "x" * 300], "cannot be written: File name too long"),
        # The file that it is written to first has a longer name.
        (["a", "b", "--resume", "x" * 254], "cannot be written: File name too long"),
    ],
)
def test_bad_arguments(folder, capsys, arguments, reason):
    line = error_line(capsys, "dataset", *arguments)
    assert reason in line
    assert "gaussjax --help" not in line


def test_errors_and_help_import_no_jax(folder):
    script = (
        "import sys\n"
        "from gaussjax.cli import main\n"
        "def run(arguments):\n"
        "    try:\n"
        "        return main(arguments)\n"
        "    except SystemExit as error:\n"
        "        return error.code\n"
        "codes = [run(line.split()) for line in sys.argv[1:]]\n"
        "assert 'jax' not in sys.modules\n"
        "print(codes)\n"
    )
    Path("a/alone.npy").touch()
    lines = ["dataset --help", "dataset a", "dataset a b --max-bad 0", "dataset a b --noise 1"]
    done = run_process(script, *lines, "map --help", "map a b", "map a/p00.npy a/p00.npy --tile 99")
    assert done.stdout.splitlines()[-1] == "[0, 2, 2, 2, 0, 2, 2]", done.stderr


def test_boundaries_are_those_of_the_library(capsys):
    with pytest.raises(SystemExit):
        main(["dataset", "--help"])
    assert f"--boundary {{{','.join(BOUNDARIES)}}}\n" in capsys.readouterr().out


def test_bar_goes_on_from_where_the_run_does(capsys):
    bar = ProgressBar(10, is_shown=True)
    for seen in (8, 9, 10, 1, 2):
        bar(seen)
    bar.close()
    text = capsys.readouterr().err
    assert "pairs:  70%" in text
    assert "7/10" in text
    assert "pairs: 100%" in text
    assert "another pass:  20%" in text
    hidden = ProgressBar(10, is_shown=None)
    hidden(1)
    hidden.close()
    assert capsys.readouterr().err == ""


def test_a_state_is_of_its_data_and_options(folder, capsys):
    _, first, _ = run(capsys, "--resume", "run.state")
    before = Path("run.state").read_bytes()
    code, again, _ = run(capsys, "--resume", "run.state", "--csv", "pairs.csv")
    assert code == 0
    assert again["sigma"] == first["sigma"]
    assert len(rows("pairs.csv")) == 20
    for more, what in [
        (["--gain"], "options"),
        (["--linearize"], "data"),
        (["--double"], "data"),
        (["--initial", "2"], "options"),
    ]:
        line = error_line(capsys, "dataset", "a", "b", *SAMPLED, "--resume", "run.state", *more)
        assert f"run.state: was begun with other {what}" in line
    np.save("b/p19.npy", np.load("b/p19.npy")[::-1])
    assert "other data" in error_line(
        capsys, "dataset", "a", "b", *SAMPLED, "--resume", "run.state"
    )
    Path("text.state").write_text("hello")
    Path("cut.state").write_bytes(before[:2000])
    for name in ("text.state", "cut.state"):
        line = error_line(capsys, "dataset", "a", "b", *SAMPLED, "--resume", name)
        assert f"{name}: is no state of a joint fit" in line
    assert Path("run.state").read_bytes() == before


def test_interrupt(folder, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gaussjax.cli.dataset._fit", interrupt)
    assert main(["dataset", "a", "b"]) == 130
    assert capsys.readouterr().err == "gaussjax: interrupted\n"


def test_what_is_done_at_an_interrupt_is_saved(folder, interruptible, capsys, monkeypatch):
    monkeypatch.setattr("gaussjax.io.batches._MOST_PAIRS", 8)
    resumed = ["dataset", "a", "b", *SAMPLED, "--passes", "1", "--resume", "run.state"]
    show, interrupt_at = ProgressBar.__call__, 4

    def interrupted(progress, done):
        if done == interrupt_at:
            signal.raise_signal(signal.SIGINT)
        show(progress, done)

    monkeypatch.setattr(ProgressBar, "__call__", interrupted)
    assert main(resumed) == 130
    words = "gaussjax: interrupted: no pair was done, and run.state is not written yet\n"
    assert capsys.readouterr().err == words
    interrupt_at = 12
    assert main(resumed) == 130
    words = "gaussjax: interrupted: run.state holds what was done; the same command goes on"
    assert capsys.readouterr().err == f"{words} from there\n"
    with np.load("run.state") as state:
        assert json.loads(str(state["header"]))["position"] == 12
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    interrupt_at = None
    assert main(resumed) == 0
    assert "pairs     20, 0 left out" in capsys.readouterr().out
    interrupt_at = 4
    assert main(resumed[:-2]) == 130
    assert capsys.readouterr().err.endswith(
        "nothing is kept; with --resume STATE a run can go on\n"
    )


def test_a_second_interrupt_is_not_held_back(interruptible):
    with interrupt_held_back() as raise_it:
        raise_it()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            raise_it()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_interrupt_where_nothing_can_be_raised_is_not_lost(interruptible):
    code = (
        "import gc, signal\n"
        "from gaussjax.cli.process import streaming_process\n"
        "with streaming_process():\n"
        "    gc.callbacks.append(lambda *_: signal.raise_signal(signal.SIGINT))\n"
        "    gc.collect()\n"
        "    print('went on')\n"
    )
    result = run_process(code)
    found = (result.returncode, result.stdout, result.stderr)
    assert found == (130, "", "gaussjax: interrupted\n")


@pytest.fixture
def small_files():
    """No file of this process may grow beyond a kilobyte."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_that_cannot_be_written_do_not_cost_the_result(folder, capsys, small_files):
    files = ["--resume", "run.state", "--csv", "pairs.csv", "--plot", "sigmas.png"]
    reason = "File too large"
    warning = f"gaussjax: warning: run.state: {reason}: the state of the run cannot be saved now"
    Path("pairs.csv").write_text("of another run")
    code, record, errors = run(capsys, *files, "--save-every", "1e-6")
    assert (code, record["status"], record["state_error"]) == (2, 0, reason)
    assert abs(record["sigma"] - SIGMA) < 4 * record["standard_error"]
    assert errors[0].startswith(warning)
    expected = [f"gaussjax: error: {name}: is not written: {reason}" for name in files[3::2]]
    assert errors[1:] == expected
    assert Path("pairs.csv").read_text() == "of another run"
    assert sorted(os.listdir()) == ["a", "b", "pairs.csv"]
    code = main(["dataset", "a", "b", *SAMPLED, *files[:2]])
    output = capsys.readouterr()
    assert code == 0
    assert output.err.startswith(warning)
    assert output.err.count("\n") == 1
    assert f"state     run.state, not saved: {reason}\n" in output.out
    assert not [name for name in os.listdir() if "state" in name]


def test_files_are_written_though_nobody_reads_the_result(folder, capsys, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as unread:
        monkeypatch.setattr("sys.stdout", unread)
        assert main(["dataset", "a", "b", *SAMPLED, "--csv", "pairs.csv"]) == 141
    assert capsys.readouterr().err == ""
    assert len(rows("pairs.csv")) == 20


@pytest.mark.slow
def test_interrupted_and_killed_runs_go_on(
    tmp_path, interruptible, monkeypatch, capsys, rng, draws
):
    monkeypatch.chdir(tmp_path)
    write_pairs(40, side=32)
    kills = max(draws // 100, 1)
    count = 800 * (1 + kills)
    lines = [
        f"a/p{k % 40:02d}.npy,b/p{k % 40:02d}.npy,round {k // 40} pair {k % 40}"
        for k in range(count)
    ]
    Path("pairs.csv").write_text("\n".join(["reference,blurred,name", *lines]))
    # In float64 it does not matter, to these digits, which pairs are summed in a batch.
    arguments = ["--passes", "1", "--csv", "rows.csv", "--double"]
    code, expected, _ = run(capsys, *arguments, command=["pairs.csv"])
    assert (code, expected["dtype"]) == (0, "float64")
    whole = rows("rows.csv")
    Path("rows.csv").unlink()
    resumed = ["dataset", "pairs.csv", *SAMPLED, *arguments, "--json", "--resume", "run.state"]
    resumed += ["--save-every", "0.1"]
    # The compiler's settings of the tests: it takes a quarter of the time.
    variables = {"GAUSSJAX_CACHE": str(tmp_path / "cache"), "XLA_FLAGS": os.environ["XLA_FLAGS"]}
    position = 0
    for number in (signal.SIGINT, *[signal.SIGKILL] * kills):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *resumed],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        )
        known = stamp("run.state")
        while stamp("run.state") == known and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert errors.startswith("gaussjax: interrupted: run.state holds what was done")
        with np.load("run.state") as state:
            before, position = position, json.loads(str(state["header"]))["position"]
        assert before < position < count
        Path(f".run.state.{process.pid}").touch()  # as if it had been killed while it saved
    done = run_process(COMMAND, *resumed, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    for key in ("sigma", "standard_error", "scatter", "heterogeneity"):
        assert record[key] == pytest.approx(expected[key], rel=1e-12)
    found = rows("rows.csv")
    assert [row["name"] for row in found] == [row["name"] for row in whole]
    told = [k for k, row in enumerate(found) if row["status"] == "estimated"]
    values = [[float(some[k]["sigma"]) for k in told] for some in (whole, found)]
    np.testing.assert_allclose(*values, rtol=1e-12)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def stamp(path):
    return os.stat(path).st_mtime_ns if os.path.exists(path) else None


def test_pairs_of_two_grids(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        os.makedirs(name)
    for k in range(2):
        fine, coarse = coarse_pair(2.0, 4, 40, seed=k)
        np.save(f"a/p{k}.npy", fine.astype(np.float32))
        np.save(f"b/p{k}.npy", coarse.astype(np.float32))
    assert main(["dataset", "a", "b", "--sampling", "4", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["sigma"] == pytest.approx(2.0, rel=1e-4)
    assert record["sampling"] == [4, 4]
    assert "shape" in error_line(capsys, "dataset", "a", "b")
