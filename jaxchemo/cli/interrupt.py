"""Ctrl-C and SIGTERM: a command ends at once and cleanly, at whatever moment they come."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 10.0  # how long compiled code may go on before the process ends without it [s]


class Interruption:
    """Whether a command was interrupted, and what is to be said of it.

    **Fields:**

    - `signum`: the signal; `None` if there was none.
    - `sentence`: what there is to say; whoever keeps something on disk sets it.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.sentence: Callable[[], str] = lambda: "interrupted."

    @property
    def code(self) -> int:
        """The exit code of a shell's: 128 and the signal."""
        return 128 + (self.signum or signal.SIGINT)

    def say(self) -> None:
        print(f"jaxchemo: {self.sentence()}", file=sys.stderr, flush=True)

    def leave(self) -> NoReturn:
        """Ends the process.

        Without the interpreter's own teardown: XLA's threads may still be compiling or computing, and it would take
        from them what they use. Everything that is kept is on disk by now, replaced whole or not at all.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.code)


@contextlib.contextmanager
def watched() -> Iterator[Interruption]:
    """Makes the signals raise `KeyboardInterrupt` in the process, once, and sees to it that it ends.

    Python raises it between two of its own instructions. Where it gets lost (in a callback of the garbage collector,
    say, where exceptions are printed and forgotten) it is raised again; where nothing comes for long, because compiled
    code is running, the process ends without it.

    **Raises:** `KeyboardInterrupt` within the context, when a signal comes.
    """
    state, again, ended = Interruption(), False, threading.Event()
    main = threading.get_ident()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def raise_it(signum: int, frame: FrameType | None) -> None:
        nonlocal again
        if state.signum is None or again:  # the next ones would only disturb what the first one set going
            state.signum, again = state.signum or signum, False
            raise KeyboardInterrupt

    def lost(unraisable: "sys.UnraisableHookArgs") -> None:
        nonlocal again
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)
        elif state.signum is not None:
            again = True
            threading.Timer(0.05, signal.pthread_kill, (main, state.signum)).start()

    def wait() -> None:
        while (got := os.read(reader, 1)) and got[0] not in SIGNALS:
            pass
        if got and not ended.wait(GRACE):
            state.signum = state.signum or got[0]
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h\n")  # a bar hides the cursor
            state.say()
            state.leave()

    handlers = {signum: signal.signal(signum, raise_it) for signum in SIGNALS}
    hook, sys.unraisablehook = sys.unraisablehook, lost
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=wait, daemon=True).start()
    try:
        yield state
    finally:
        ended.set()
        signal.set_wakeup_fd(wakeup)
        sys.unraisablehook = hook
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        os.close(writer)  # lets the thread go
