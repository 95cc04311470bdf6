"""``gaussjax estimate --channels``: one sigma for every channel of two files."""

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussjax.cli.inputs import read_estimated
from gaussjax.cli.output import report, table_lines
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import channel_names
from gaussjax.model.options import GENERALISED, NUISANCES

if TYPE_CHECKING:
    from gaussjax.cli.estimate_output import Outcome
    from gaussjax.statistics.shared_nuisances import SharedNuisances

_UNLIKE = 0.01  # p-value below which channels have no nuisances in common


@dataclass(frozen=True)
class Channels:
    """What was found in each channel, by its name."""

    outcomes: "dict[str, Outcome]"
    shared: "SharedNuisances | None" = None  # what they have in common

    @property
    def is_trusted(self) -> bool:
        """True where nothing warns in any of them, nor against what they share."""
        unlike = self.shared is not None and self.shared.p_value < _UNLIKE
        return not unlike and all(outcome.is_trusted for outcome in self.outcomes.values())


def add_channel_options(parser: argparse.ArgumentParser) -> None:
    """Which channels, and what they have in common."""
    parser.add_argument(
        "--channels",
        nargs="+",
        metavar="NAME",
        help="one estimate for each of these channels, named as for --channel, or for all of them;"
        " each has its own gain, offset and shift, but for those to --share",
    )
    parser.add_argument(
        "--share",
        nargs="+",
        choices=NUISANCES,
        metavar="NAME",
        help="which of gain, offset and shift, as they are fitted, all --channels have in common",
    )


def check_channel_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what they do not go with."""
    if options.channels and (
        options.channel or options.precision or options.plot or options.compare
    ):
        parser.error("--channels goes without --channel, --precision, --plot and --compare")
    lacking = [name for name in options.share or [] if not getattr(options, name)]
    if options.share and (lacking or not options.channels or options.family == GENERALISED):
        wanted = " ".join(f"--{name}" for name in options.share)
        parser.error(f"--share goes with --channels, {wanted} and a family of Gaussians")


def run_channels(options: argparse.Namespace) -> int:
    """Estimate every channel and print them all; the exit code is the worst of theirs."""
    names = options.channels
    if names == ["all"]:
        names = channel_names(options.reference, page=options.page)
    each = {name: argparse.Namespace(**{**vars(options), "channel": name}) for name in names}
    read = {name: read_estimated(one) for name, one in each.items()}
    with one_shot_process(max(pair[0].size for pair, *_ in read.values())):
        import jax

        from gaussjax import estimate_blur
        from gaussjax.cli.estimate_output import Outcome
        from gaussjax.statistics.quantisation import as_integers

        outcomes = {}
        with jax.enable_x64(True):  # the files have no precision to spare
            for name, (pair, keywords, notes, size) in read.items():
                estimate = estimate_blur(*as_integers(*pair), **keywords, buckets=True)
                outcomes[name] = Outcome(jax.device_get(estimate), pair[0].shape, notes, size)
            channels = Channels(outcomes)
            if options.share:
                channels = _sharing(channels, options.share)
            return report(options, channels, _table, _record)


def _sharing(channels: Channels, names: list[str]) -> Channels:
    """The same with these nuisances in common."""
    import jax

    from gaussjax import share_nuisances

    outcomes = channels.outcomes
    each = [outcome.estimate for outcome in outcomes.values()]
    batch = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    shared = share_nuisances(batch, names)
    found = zip(outcomes.items(), shared.estimates, strict=True)
    outcomes = {name: replace(outcome, estimate=one) for (name, outcome), one in found}
    return Channels(outcomes, shared)


def _table(options: argparse.Namespace, channels: Channels) -> str:
    """A line for every channel, what is wrong before its sigma, then the table of each."""
    from gaussjax.cli.estimate_output import table
    from gaussjax.cli.spelling import in_shell
    from gaussjax.statistics.result import printed_rows

    width = 2 + max(map(len, channels.outcomes))
    lines = []
    for name, outcome in channels.outcomes.items():
        problems, (sigma, *_) = printed_rows(outcome.estimate, outcome.unit)
        text = in_shell(": ".join(text for _, text in (*problems, sigma)))
        lines += table_lines([("channel", f"{name:<{width}}{text}")])
    if channels.shared is not None:
        lines += table_lines([("shared", str(channels.shared))])
    for name, outcome in channels.outcomes.items():
        lines += ["", *table_lines([("channel", name)]), table(options, outcome)]
    return "\n".join(lines)


def _record(options: argparse.Namespace, channels: Channels) -> dict[str, Any]:
    """The record of each channel, by its name."""
    from gaussjax.cli.estimate_output import record

    found, shared = channels.outcomes.items(), channels.shared
    return {
        "channels": {name: record(options, outcome) for name, outcome in found},
        "shared": shared and {"names": shared.names, "p_value": shared.p_value},
    }
