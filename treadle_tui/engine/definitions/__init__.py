"""Workflows from files: TOML, and JSON of the same structure or as a list of steps. `loading` is the way in."""
