"""The standard work of `throughput.py` done by other durable engines through their own documented interfaces, on SQLite.

    python throughput_peers.py dbos|langgraph|burr|huey N
    python throughput_peers.py dbos-fan-out|langgraph-fan-out N

Prints one JSON line; ends with 3 when the peer is not installed. Each keeps what it keeps by default, as durable as its documentation
proposes for one machine: DBOS in WAL mode at eight workflows at once, LangGraph with `durability="sync"`, Burr saving after every
action, Huey with a worker thread (it deletes a task's row when it takes it, so it has no history). A fan-out is one item that needs N
pieces of work done, each kept by itself: steps of one DBOS workflow, LangGraph's `Send`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

STAGES = ("fetch", "clean", "judge", "review", "export")
AT_ONCE = 8
"""Items in flight; 1 when the name ends in ", one item at a time"."""


async def some_at_once(n: int, run: Callable[[int], Awaitable[Any]]) -> float:
    """Run items 0 to n - 1, eight at a time; the seconds it took."""
    numbers = iter(range(n))

    async def work() -> None:
        for number in numbers:
            await run(number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.perf_counter() - started


def dbos(n: int, folder: Path) -> float:
    """A workflow per item, a step per stage."""
    from dbos import DBOS, SetWorkflowID

    path = folder / "peer.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{path}", "log_level": "ERROR"})

    @DBOS.step()
    async def stage(item: int, name: str) -> str:
        return name

    @DBOS.workflow()
    async def run(item: int) -> None:
        for name in STAGES:
            await stage(item, name)

    async def one(number: int) -> None:
        with SetWorkflowID(f"item-{number}"):
            await run(number)

    DBOS.launch()
    seconds = asyncio.run(some_at_once(n, one))
    done = len(DBOS.list_workflows(status="SUCCESS", limit=n + 1))
    DBOS.destroy()
    assert done == n, f"{done} of {n} workflows succeeded"
    return seconds


def langgraph(n: int, folder: Path) -> float:
    """A thread per item, a node per stage, a checkpoint after each."""
    from typing import TypedDict

    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        last: str

    graph = StateGraph(State)
    before = START
    for name in STAGES:

        async def node(state: State, name: str = name) -> State:
            return {"last": name}

        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)

    async def run() -> float:
        async with AsyncSqliteSaver.from_conn_string(str(folder / "peer.db")) as saver:
            await saver.setup()
            app = graph.compile(checkpointer=saver)

            async def one(number: int) -> None:
                ended = await app.ainvoke({"last": ""}, {"configurable": {"thread_id": f"item-{number}"}}, durability="sync")
                assert ended["last"] == STAGES[-1]

            return await some_at_once(n, one)

    return asyncio.run(run())


def burr(n: int, folder: Path) -> float:
    """An application per item, an action per stage, saved after each."""
    from burr.core import ApplicationBuilder, State, action
    from burr.integrations.persisters.b_aiosqlite import AsyncSQLitePersister

    def make(name: str) -> Any:
        @action(reads=[], writes=["last"])
        async def stage(state: State) -> State:
            return state.update(last=name)

        return stage

    actions = {name: make(name) for name in STAGES}

    async def run() -> float:
        persister = await AsyncSQLitePersister.from_values(db_path=str(folder / "peer.db"))
        await persister.initialize()

        async def one(number: int) -> None:
            app = await (
                ApplicationBuilder()
                .with_actions(**actions)
                .with_transitions(*pairwise(STAGES))
                .with_state(last="")
                .with_entrypoint(STAGES[0])
                .with_state_persister(persister)
                .with_identifiers(app_id=f"item-{number}")
                .abuild()
            )
            _, _, state = await app.arun(halt_after=[STAGES[-1]])
            assert state["last"] == STAGES[-1]

        seconds = await some_at_once(n, one)
        await persister.cleanup()
        return seconds

    return asyncio.run(run())


def huey(n: int, folder: Path) -> float:
    """A pipeline of five tasks per item, worked off by this process until every result is stored."""
    from huey import SqliteHuey

    queue = SqliteHuey(filename=str(folder / "peer.db"), results=True, fsync=True)

    @queue.task()  # type: ignore[untyped-decorator, unused-ignore]
    def stage(*done: Any) -> str:
        return "done"

    started = time.perf_counter()
    for number in range(n):
        pipeline = stage.s(number)
        for _ in STAGES[1:]:
            pipeline = pipeline.then(stage, number)
        queue.enqueue(pipeline)
    left = n * len(STAGES)
    while left:
        task = queue.dequeue()
        if task is not None:
            queue.execute(task)
            left -= 1
    return time.perf_counter() - started


def dbos_fan_out(n: int, folder: Path) -> float:
    """One workflow of so many steps, all of them asked for at once."""
    from dbos import DBOS, SetWorkflowID

    path = folder / "peer.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{path}", "log_level": "ERROR"})

    @DBOS.step()
    async def part(number: int) -> None:
        return None

    @DBOS.workflow()
    async def whole() -> int:
        return len(await asyncio.gather(*(part(number) for number in range(n))))

    async def run() -> float:
        started = time.perf_counter()
        with SetWorkflowID("one"):
            assert await whole() == n
        return time.perf_counter() - started

    DBOS.launch()
    seconds = asyncio.run(run())
    DBOS.destroy()
    return seconds


def langgraph_fan_out(n: int, folder: Path) -> float:
    """One thread whose first node sends so many pieces of work to the second."""
    import operator
    from typing import Annotated, TypedDict

    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    class State(TypedDict):
        parts: int

    State.__annotations__["parts"] = Annotated[int, operator.add]  # given itself: names inside a function are not found by their text

    async def split(state: Any) -> Any:
        return {}

    async def part(number: Any) -> Any:
        return {"parts": 1}

    graph = StateGraph(State)
    graph.add_node("split", split)
    graph.add_node("part", part)
    graph.add_edge(START, "split")
    graph.add_conditional_edges("split", lambda state: [Send("part", {"number": number}) for number in range(n)], ["part"])
    graph.add_edge("part", END)

    async def run() -> float:
        async with AsyncSqliteSaver.from_conn_string(str(folder / "peer.db")) as saver:
            await saver.setup()
            app = graph.compile(checkpointer=saver)
            started = time.perf_counter()
            ended = await app.ainvoke({"parts": 0}, {"configurable": {"thread_id": "one"}, "max_concurrency": 100}, durability="sync")
            assert ended["parts"] == n
            return time.perf_counter() - started

    return asyncio.run(run())


def main() -> None:
    """One measurement."""
    global AT_ONCE
    name, _, alone = sys.argv[1].partition(", ")
    n = int(sys.argv[2])
    AT_ONCE = 1 if alone else AT_ONCE
    with tempfile.TemporaryDirectory(prefix="treadle-bench-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        try:
            measures = {"dbos": dbos, "langgraph": langgraph, "burr": burr, "huey": huey}
            measures |= {"dbos-fan-out": dbos_fan_out, "langgraph-fan-out": langgraph_fan_out}
            seconds = measures[name](n, folder)
        except ImportError:
            sys.exit(3)
        size = sum(each.stat().st_size for each in folder.iterdir())
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "bytes": float(size), "rss": float(rss)}), flush=True)
    os._exit(0)  # some peers leave threads behind that nobody ends


if __name__ == "__main__":
    main()
