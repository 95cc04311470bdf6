"""Pairs as they come: a known blur beside another defect, and no Gaussian blur at all.

Known: the error of a plain estimate, and of one with the options that the defect calls for. Without
a true sigma: the verdict, and the misfit of the fitted Gaussian under either loss.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from experiments.real_pairs.figure import plot
from experiments.real_pairs.known_pairs import KINDS, NOISE, SIGMA, VOLUME, Pair, known_pairs
from experiments.real_pairs.processed_pairs import (
    CHROMA,
    MARGIN,
    NETWORK,
    PROCESSES,
    processed_pairs,
)
from experiments.real_pairs.table import table
from experiments.shared import autoencoder, common
from experiments.shared.photographs import CROP, PHOTOGRAPHS, scene
from experiments.shared.scipy_reference import gaussian_residual, mean_absolute
from gaussjax import Status, estimate_blur
from gaussjax.statistics.verdict import Verdict


def run(
    *,
    seed: int,
    photographs: Sequence[str] = PHOTOGRAPHS,
    kinds: Sequence[str] = (*KINDS, VOLUME, *PROCESSES, CHROMA, NETWORK),
    steps: int = 400,
) -> dict[str, Any]:
    """All answers to all pairs, one after the other; lengths in px."""
    random = np.random.default_rng(seed)
    # The network learns from every second photograph, and is tried on the others.
    seen, unseen = photographs[::2], photographs[1::2]
    start = time.perf_counter()
    network = autoencoder.train([scene(name) for name in seen], seed=seed, steps=steps)
    learning = {
        "parameters": autoencoder.count(network),
        "steps": steps,
        "seconds": time.perf_counter() - start,
        "seen": seen,
        "psnr": {},
    }
    answers = []
    for pair in tqdm(known_pairs(photographs, kinds, random), "known", disable=None):
        answers += [answer(pair, attempt) for attempt in pair.attempts]
    processed = processed_pairs(photographs, kinds, unseen, network)
    for pair in tqdm(processed, "processed", disable=None):
        answers += [answer(pair, attempt) for attempt in pair.attempts]
        if pair.kind == NETWORK:
            psnr = autoencoder.peak_signal_to_noise(pair.reference, pair.blurred)
            learning["psnr"][pair.subject] = psnr
    return {
        "crop": CROP,
        "margin": MARGIN,
        "sigma": SIGMA,
        "noise": NOISE,
        "network": learning,
        "known": common.columns([a for a in answers if a["true"] is not None]),
        "processed": common.columns([a for a in answers if a["true"] is None]),
    }


def answer(pair: Pair, attempt: str) -> dict[str, Any]:
    """What ``estimate_blur`` says to one attempt, and the misfit where there is no true sigma."""
    options = {"reference": pair.reference, "blurred": pair.blurred, "kernel": "sampled"}
    found = estimate_blur(**{**options, **pair.attempts[attempt]})
    adequacy = found.adequacy
    assert adequacy is not None, "an estimate from pixels has its adequacy"
    facts = {
        "kind": pair.kind,
        "subject": pair.subject,
        "attempt": attempt,
        "true": pair.sigma,
        "sigma": float(found.sigma),
        "standard_error": float(found.sigma_standard_error),
        "status": Status(int(found.status)).name,
        "verdict": Verdict(int(adequacy.verdict)).name,
        "unexplained_change": float(adequacy.unexplained_change),
    }
    if pair.sigma is None:
        for key, sigma in (("mean_absolute_before", 0.0), ("mean_absolute", facts["sigma"])):
            residual = gaussian_residual(pair.reference, pair.blurred, sigma, MARGIN)
            facts[key] = mean_absolute(residual) / float(pair.reference.std())
    return facts


EXPERIMENT = common.Experiment(
    stem="real_pairs",
    question="How do estimates fare on pairs with another defect, or without a Gaussian blur?",
    run=run,
    table=table,
    plot=plot,
    smoke={
        "photographs": ("camera", "coffee"),
        "kinds": ("gain, offset, shift", NETWORK),
        "steps": 50,
    },
)
