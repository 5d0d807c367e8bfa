"""Treadle: a persistent, resumable, human-in-the-loop workflow engine in the terminal.

This package root imports nothing, so that every entry point pays only for what it uses.
"""

__version__ = "0.1.0"
