"""What a run leaves on disk: growing stores and checkpoints."""

from jaxchemo.io import checkpoint as checkpoint
from jaxchemo.io.store import Store as Store
from jaxchemo.io.store import StoreError as StoreError
