"""The joint fit over several devices, and over processes that are real ones."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from photograph_pairs import fitted_share

# Fits every count-th pair from index on.
SCRIPT = """
import json, sys
import jax
port, index, count, devices = map(int, sys.argv[1:5])
fault = sys.argv[5]
jax.config.update("jax_num_cpu_devices", devices)
jax.config.update("jax_traceback_in_locations_limit", 0)
if count > 1:
    jax.distributed.initialize(f"127.0.0.1:{port}", count, index)
sys.path.insert(0, "tests/shared")
from photograph_pairs import fitted_share
share = slice(None) if fault == "pairs" else slice(index, None, count)
gain = bool(index) and fault == "options"
print(json.dumps(fitted_share(share, gain=gain)))
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def finished(count, devices, fault=""):
    """Exit code, output and errors of each of some processes."""
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *map(str, (port, index, count, devices, fault))],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    try:
        told = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *each) for process, each in zip(started, told, strict=True)]


def run(count, devices):
    """What each of some processes has printed."""
    found = finished(count, devices)
    assert all(code == 0 for code, _, _ in found), found
    return [json.loads(output.splitlines()[-1]) for _, output, _ in found]


def agrees(found, expected):
    np.testing.assert_allclose(found["sigma"], expected["sigma"], rtol=1e-6)
    np.testing.assert_allclose(found["transfer"], expected["transfer"], atol=1e-6)
    np.testing.assert_allclose(found["linear"], expected["linear"], rtol=1e-4)
    np.testing.assert_allclose(found["error"], expected["error"], rtol=1e-3)
    np.testing.assert_allclose(found["heterogeneity"], expected["heterogeneity"], rtol=1e-3)
    np.testing.assert_allclose(found["slope"], expected["slope"], rtol=1e-3, atol=0.01)
    assert found["pairs"] == expected["pairs"] == 42


def test_two_processes_of_several_devices_find_what_one_of_one_does():
    # This one, which has compiled the programs for other tests.
    single = fitted_share()
    first, second = run(2, 3)
    for found in (first, second):
        assert (single["devices"], found["devices"]) == (1, 3)
        agrees(found, single)
    assert first["sigma"] == second["sigma"]
    assert sorted(first["names"] + second["names"]) == sorted(single["names"])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("pairs", "two processes begin with the same pairs"),
        ("options", "the processes differ in their options"),
    ],
)
def test_processes_that_do_not_belong_together_say_so(fault, reason):
    for code, _, errors in finished(2, 1, fault):
        assert code != 0
        assert f"ValueError: {reason}" in errors
