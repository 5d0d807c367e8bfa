"""Every test of a screen is watched for the keys it presses."""

from tests.screens.pressing import pressed

__all__ = ["pressed"]
