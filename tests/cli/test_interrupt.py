"""Ctrl-C and SIGTERM, in processes of their own: they end with their code, in one sentence, with nothing lost."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

SIMULATION = ["run", "two-blobs", "--ndim", "2", "--shape", "64", "--dt", "0.002", "--t1", "0.5"]
STUDY = ["run", "lagrangian-gaussian"]


def started(out, line):
    words = [sys.executable, "-X", "faulthandler", "-m", "jaxchemo", *line, "--out", str(out)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def said(text):
    """Waits until the process has said this."""

    def wait(process, out):
        for line in process.stderr:
            if text in line:
                return
        raise AssertionError(f"it never said {text!r}")

    return wait


def wrote(pattern):
    """Waits until there is such a file."""

    def wait(process, out):
        while not list(out.glob(pattern)):
            assert process.poll() is None, process.stderr.read()
            time.sleep(1e-3)

    return wait


def later(wait, seconds):
    def wait_and_more(process, out):
        wait(process, out)
        time.sleep(seconds)

    return wait_and_more


KEPT, NOTHING = "is kept in", "before there was anything to keep"
MOMENTS = {
    "a folder made": (SIMULATION, wrote(".unfinished"), signal.SIGINT, NOTHING),
    "compiling": (SIMULATION, said("compiling"), signal.SIGINT, NOTHING),
    "in the middle of compiling": (SIMULATION, later(said("compiling"), 0.4), signal.SIGINT, NOTHING),
    "the first state is there": (SIMULATION, wrote(".unfinished/fv.checkpoint"), signal.SIGINT, KEPT),
    "a frame is being written": (
        SIMULATION,
        wrote(".unfinished/results/solution.zarr/signal/c/7"),
        signal.SIGINT,
        KEPT,
    ),
    "a state is being written": (SIMULATION, wrote(".unfinished/.fv.checkpoint.part"), signal.SIGTERM, None),
    "drawing": (SIMULATION, said("drawing figures"), signal.SIGINT, KEPT),
    "drawing the film": (SIMULATION, later(said("drawing the film"), 0.5), signal.SIGTERM, KEPT),
    "a flow is compiled": (STUDY, later(said("a flow is trained"), 3), signal.SIGINT, NOTHING),
    "a flow is trained": (STUDY, later(said("a flow is trained"), 15), signal.SIGINT, NOTHING),
}


@pytest.mark.slow
@pytest.mark.parametrize(("line", "wait", "signum", "sentence"), MOMENTS.values(), ids=MOMENTS)
def test_it_ends_cleanly(line, wait, signum, sentence, tmp_path):
    process = started(tmp_path, line)
    wait(process, tmp_path)
    process.send_signal(signum)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signum, error
    assert "Traceback" not in error and "Fatal" not in error
    last = error.splitlines()[-1]
    assert last.startswith("jaxchemo: interrupted") and (sentence or "interrupted") in last
    assert {path.name for path in tmp_path.iterdir()} == ({".unfinished"} if KEPT in last else set())


@pytest.mark.slow
def test_what_it_says_goes_on_and_ends_as_if_nothing_had_been(tmp_path):
    zarr = pytest.importorskip("zarr")
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert started(whole, SIMULATION).wait() == 0
    process = started(out, SIMULATION)
    wrote(".unfinished/results/solution.zarr/density/c/5")(process, out)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    unfinished = zarr.open_group(str(out / ".unfinished/results/solution.zarr"), mode="r")
    assert unfinished.attrs["status"] == "interrupted" and 0 < unfinished["density"].shape[0] < 26
    words = shlex.split(re.search(r"`jaxchemo ([^`]*)`", error).group(1))
    again = subprocess.run([sys.executable, "-m", "jaxchemo", *words], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    a, b = (zarr.open_group(str(one / "solution.zarr"), mode="r") for one in (whole, out))
    assert all(np.array_equal(a[name], b[name]) for name in ("time", "density", "signal"))
    assert json.loads((out / "summary.json").read_text())["resumed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "ends"),
    [
        # Raised in a callback of the garbage collector, where Python prints it and forgets it.
        (
            """
def callback(phase, info):
    gc.callbacks.remove(callback)
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
gc.callbacks.append(callback)
gc.collect()
time.sleep(20)
""",
            "raised",
        ),
        # Raised where another error is made of it.
        (
            """
class Named:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
try:
    class Owner:
        attribute = Named()
except RuntimeError:
    assert state.signum == signal.SIGINT
    raise KeyboardInterrupt from None
""",
            "raised",
        ),
        # Compiled code, which Python waits for.
        (
            """
interrupt.GRACE = 0.5
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
jax.jit(lambda x: jax.lax.fori_loop(0, 2**31 - 2, lambda i, x: x + jax.numpy.sin(x), x))(1.0).block_until_ready()
""",
            "jaxchemo: interrupted.",
        ),
    ],
    ids=["lost", "another error", "compiled code"],
)
def test_no_interrupt_is_lost(work, ends):
    code = f"""
import gc, os, signal, sys, threading, time
import jax
from jaxchemo.cli import interrupt
with interrupt.watched() as state:
    try:
        exec({work!r})
    except KeyboardInterrupt:
        print("raised", file=sys.stderr)
        state.leave()
"""
    clock = time.monotonic()
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 130 and found.stderr.strip() == ends, found.stderr
    assert time.monotonic() - clock < 15
