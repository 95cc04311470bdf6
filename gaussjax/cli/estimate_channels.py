"""``gaussjax estimate --channels``: one sigma for every channel of two files."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gaussjax.cli.inputs import read_estimated
from gaussjax.cli.output import report, table_lines
from gaussjax.cli.process import one_shot_process
from gaussjax.io.images import channel_names

if TYPE_CHECKING:
    from gaussjax.cli.estimate_output import Outcome


@dataclass(frozen=True)
class Channels:
    """What was found in each channel, by its name."""

    outcomes: "dict[str, Outcome]"

    @property
    def is_trusted(self) -> bool:
        """True where nothing warns in any of them."""
        return all(outcome.is_trusted for outcome in self.outcomes.values())


def run_channels(options: argparse.Namespace) -> int:
    """Estimate every channel and print them all; the exit code is the worst of theirs."""
    names = options.channels
    if names == ["all"]:
        names = channel_names(options.reference, page=options.page)
    read = {name: read_estimated(_one(options, name)) for name in names}
    with one_shot_process(max(pair[0].size for pair, *_ in read.values())):
        import jax

        from gaussjax import estimate_blur
        from gaussjax.cli.estimate_output import Outcome

        outcomes = {}
        with jax.enable_x64(True):  # the files have no precision to spare
            for name, (pair, keywords, notes, size) in read.items():
                estimate = estimate_blur(*pair, **keywords, buckets=True)
                outcomes[name] = Outcome(jax.device_get(estimate), pair[0].shape, notes, size)
            return report(options, Channels(outcomes), _table, _record)


def _one(options: argparse.Namespace, name: str) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "channel": name})


def _table(options: argparse.Namespace, channels: Channels) -> str:
    """A line for every channel, what is wrong before its sigma, then the table of each."""
    from gaussjax.cli.estimate_output import parted, table

    width = 2 + max(map(len, channels.outcomes))
    lines = []
    for name, outcome in channels.outcomes.items():
        problems, (sigma, *_) = parted(outcome.estimate)
        told = [line.split(maxsplit=1)[1] for line in (*problems, sigma)]
        lines += table_lines([("channel", f"{name:<{width}}{': '.join(told)}")])
    for name, outcome in channels.outcomes.items():
        lines += ["", *table_lines([("channel", name)]), table(options, outcome)]
    return "\n".join(lines)


def _record(options: argparse.Namespace, channels: Channels) -> dict[str, Any]:
    """The record of each channel, by its name."""
    from gaussjax.cli.estimate_output import record

    found = channels.outcomes.items()
    return {"channels": {name: record(options, outcome) for name, outcome in found}}
