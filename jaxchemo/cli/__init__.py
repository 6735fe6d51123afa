"""The command line: `jaxchemo list`, `run NAME`, `compare NAME`, `train NAME`, `fit MEASUREMENTS`."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxchemo.cli import options
from jaxchemo.cli.errors import Failed, Refused
from jaxchemo.cli.folder import Place
from jaxchemo.cli.interrupt import Interruption, watched


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    **Arguments:**

    - `argv`: the words. Default: those of the process, which then also takes its signals, and ends when interrupted.

    **Returns:** 0; 1 for a run that went wrong; 2 for input that is refused; 128 and the signal if interrupted.

    **Raises:** nothing for what a user can mend. Any other error is a fault of this package, and comes out as it is.
    """
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(watched()) if argv is None else Interruption()
        try:
            return _answer(argv, state)
        except BaseException as error:
            # An interrupt comes out as another error where it is raised inside of what turns all errors into its own.
            if state.signum is None and not isinstance(error, KeyboardInterrupt):
                raise
            state.say()
            if argv is None:
                state.leave()
            return state.code


def _answer(argv: Sequence[str] | None, state: Interruption) -> int:
    try:
        command, given = options.read(argv)
        from jaxchemo.cli import commands  # heavy, and not needed for --help

        if command == "list":
            commands.list_all()
        elif command == "fit":
            from jaxchemo.cli.fitting import fit

            name = given["measurements"].stem
            fit(Place(command, name, given.pop("out") or Path("out") / name, False, True, state), given)
        else:
            name, out, resume, afresh = (given.pop(option) for option in ("name", "out", "resume", "afresh"))
            place = Place(command, name, out or Path("out") / name, resume, afresh, state)
            commands.COMMANDS[command](place, given)
        return 0
    except SystemExit as stop:  # --help
        return stop.code if isinstance(stop.code, int) else 2 * bool(stop.code)
    except Failed as error:
        print(f"jaxchemo: {_in_one_line(error)}", file=sys.stderr)
        return 1
    except Refused as error:
        print(f"jaxchemo: {_in_one_line(error)}", file=sys.stderr)
        return 2


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
