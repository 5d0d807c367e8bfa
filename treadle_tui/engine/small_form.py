"""The crate's verbs on a workflow, one item at a time: thin delegates over `Engine` (API.md §4, small form)."""

from __future__ import annotations


class SmallForm:
    """Mixed into `Workflow`; every method opens an `Engine` on the given store for the length of the call."""
