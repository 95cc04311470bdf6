"""``gaussjax map``: the blur over the frame of one pair of files."""

import argparse
import csv
import json

from gaussjax.cli_inputs import check_lengths, fit_options, keep_inputs, notes_on
from gaussjax.cli_process import one_shot_process
from gaussjax.io.images import ImageFileError, read_image


def run_map(options: argparse.Namespace) -> int:
    """Run ``gaussjax map``; the exit code."""
    reference = read_image(options.reference, linearize=options.linearize)
    blurred = read_image(options.blurred, linearize=options.linearize)
    check_lengths(reference, {"--radius": options.radius or 0})
    shape = reference.values.shape
    if len(shape) == 2 and options.tile > min(shape):
        raise ImageFileError(
            f"--tile: {options.tile} px is more than the image's shortest side, {min(shape)} px"
        )
    files = (options.reference, options.blurred, options.mask, options.mask_reference)
    for output in (options.output, options.csv):
        keep_inputs(output, files)
    notes = notes_on("reference", reference) + notes_on("blurred", blurred)
    keywords = fit_options(options, blurred)

    with one_shot_process(reference.values.size):
        import jax

        from gaussjax.cli_map_output import are_trusted, record, table
        from gaussjax.maps.blur_map import blur_map

        with jax.enable_x64(True):  # the files have no precision to spare
            found = jax.device_get(
                blur_map(
                    reference.values,
                    blurred.values,
                    tile=options.tile,
                    step=options.step,
                    shrink=options.shrink,
                    family=options.family,
                    loss=options.loss,
                    bounds=options.bounds and tuple(options.bounds),
                    initial=options.initial,
                    **keywords,
                )
            )
        if options.csv:
            _write_rows(options.csv, found)
        if options.output:
            from gaussjax.report.map_figure import draw_map

            draw_map(reference.values, found).savefig(options.output, dpi=160)
        if options.json:
            text = json.dumps(record(options, found, notes), indent=2, allow_nan=False)
        else:
            text = table(options, found, notes)
    print(text, flush=True)
    return 0 if are_trusted(found) else 1


def _write_rows(path: str, found) -> None:
    from gaussjax.maps.table import map_rows

    rows = list(map_rows(found))
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
