"""What the benchmark scripts share: arguments, fair timing, tables, and JSON with the device's name."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np


def parser(doc: str | None) -> argparse.ArgumentParser:
    """What all scripts take: `--out FOLDER` for the JSON, `--quick` for a short run."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer repetitions")
    return parser


def arguments(doc: str | None) -> argparse.Namespace:
    """What was given to a script that takes no more than the others."""
    return parser(doc).parse_args()


def device() -> str:
    """The device's name as it goes into tables and file names."""
    if jax.default_backend() != "cpu":
        return jax.devices()[0].device_kind
    return f"CPU {platform.machine()} {os.cpu_count()} cores"


def interleaved(candidates: Mapping[str, Callable[[], Any]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of a call of each candidate, after one call each that compiles, taken in turn.

    In turn, because a shared machine drifts: ratios of one run mean something, single times do not.
    """
    for call in candidates.values():
        jax.block_until_ready(call())
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows under one another, numbers with four significant digits."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown = [[_text(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[k]) for line in shown)) for k, column in enumerate(columns)]
    print(f"\n{title}  [{device()}]")
    for line in [columns, ["-" * w for w in widths], *shown]:
        print("  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip(), flush=True)


def save(options: argparse.Namespace, name: str, results: Mapping[str, Any]) -> None:
    """Writes the results and where they were measured to `OUT/NAME.DEVICE.json`."""
    options.out.mkdir(parents=True, exist_ok=True)
    where = options.out / f"{name}.{device().replace(' ', '_')}.json"
    record = {"device": device(), "jax": jax.__version__, "quick": options.quick, **results}
    where.write_text(json.dumps(record, indent=1, default=_plain) + "\n")
    print(f"\nwritten to {where}")


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
