"""What a test of a workflow, or of a store, needs: a clock moved by hand, scripted stages, events in a list, crashes on purpose.

Shipped with the engine and free of any test framework: everything here is plain functions and classes.
"""

from treadle_tui.engine.testing.clock import ManualClock
from treadle_tui.engine.testing.contract import ContractTest, store_contract
from treadle_tui.engine.testing.crash import CrashSite, EngineCut, crash_at_every_commit, crash_engine
from treadle_tui.engine.testing.events import collect_events
from treadle_tui.engine.testing.folding import FoldedStates, disagreements, fold_events
from treadle_tui.engine.testing.scripted import Call, ScriptedStage

__all__ = [
    "Call",
    "ContractTest",
    "CrashSite",
    "EngineCut",
    "FoldedStates",
    "ManualClock",
    "ScriptedStage",
    "collect_events",
    "crash_at_every_commit",
    "crash_engine",
    "disagreements",
    "fold_events",
    "store_contract",
]
