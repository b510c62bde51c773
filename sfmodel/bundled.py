"""The network that ships: its weights lie in the package, with its model card beside them."""

from pathlib import Path

BUNDLED = "bundled"
"""Its name, wherever a method is asked for."""


def bundled_weights() -> Path:
    """Path of the weights: safetensors, with settings and figures in the metadata."""
    return Path(__file__).parent / "weights" / "bundled.safetensors"
