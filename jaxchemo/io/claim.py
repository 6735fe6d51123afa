"""One writer at a time: whoever writes a file or a folder claims it first, and the kernel lets go if it is killed."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from jaxchemo.io.errors import StoreError, explained


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Holds `path` for this process, by a lock on the hidden file `.NAME.lock` beside it.

    **Raises:** `StoreError` if another run holds it, or the folder around it cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked(lock)
    if handle is None:
        raise StoreError(f"Another run is writing to {str(path)!r}: wait for it, or give another place.")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(handle)


def _locked(lock: Path) -> int | None:
    """A handle on the locked file; `None` if somebody else has it."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        # Between opening and locking, the last owner may have removed the file: a lock on that one is worth nothing.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(lock), os.fstat(handle)):
                return handle
        os.close(handle)
