"""Plain functions on daemon threads of our own."""

import asyncio
import contextvars
import subprocess
import sys
import threading
import time

import pytest

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.runner.threads import DaemonThreads, run_in_daemon_thread

request_id = contextvars.ContextVar("request_id", default="none")


async def test_a_result_comes_back_from_another_thread():
    thread = await run_in_daemon_thread(threading.current_thread, name="parse")

    assert thread is not threading.current_thread()
    assert thread.daemon


async def test_the_thread_is_named_after_the_work():
    assert await run_in_daemon_thread(lambda: threading.current_thread().name, name="parse") == "treadle-parse"


async def test_context_variables_travel_along_and_changes_stay_there():
    request_id.set("r-7")

    def look():
        seen = request_id.get()
        request_id.set("changed")
        return seen

    assert await run_in_daemon_thread(look, name="look") == "r-7"
    assert request_id.get() == "r-7"


async def test_an_ordinary_exception_arrives_as_it_is():
    def fail():
        raise LookupError("no such page")

    with pytest.raises(LookupError, match=r"no such page"):
        await run_in_daemon_thread(fail, name="parse")


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration("x"), asyncio.CancelledError()])
async def test_what_would_end_the_loop_arrives_as_a_stage_error(raised):
    def fail():
        raise raised

    with pytest.raises(StageExecutionError, match=f"'parse' raised {type(raised).__name__}") as caught:
        await run_in_daemon_thread(fail, name="parse")

    assert caught.value.__cause__ is raised
    assert "a stage fails with an ordinary exception" in str(caught.value)


async def test_idle_threads_are_used_again():
    threads = DaemonThreads()

    seen = {await run_in_daemon_thread(threading.get_ident, name="n", threads=threads) for _ in range(20)}

    assert len(seen) <= 2  # a thread may still be on its way back when the next call arrives


async def test_the_pool_grows_with_what_is_asked():
    threads = DaemonThreads()
    all_there = threading.Barrier(30)

    arrivals = await asyncio.gather(*(run_in_daemon_thread(lambda: all_there.wait(5), name="n", threads=threads) for _ in range(30)))

    assert sorted(arrivals) == list(range(30))


async def test_an_idle_thread_ends():
    threads = DaemonThreads(idle_seconds=0.005)
    thread = await run_in_daemon_thread(threading.current_thread, name="n", threads=threads)

    await asyncio.to_thread(thread.join, 5)

    assert not thread.is_alive()
    assert threads.idle_count == 0


async def test_work_is_never_lost_to_a_thread_about_to_end():
    threads = DaemonThreads(idle_seconds=0.0005)

    for number in range(150):
        assert await asyncio.wait_for(run_in_daemon_thread(lambda: 1, name="n", threads=threads), 5) == 1
        if number % 3 == 0:
            await asyncio.sleep(0.0005)


async def test_a_cancelled_waiter_returns_at_once_while_the_thread_goes_on():
    go_on, finished = threading.Event(), threading.Event()

    def slow():
        go_on.wait(5)
        finished.set()

    waiter = asyncio.create_task(run_in_daemon_thread(slow, name="slow"))
    await asyncio.sleep(0.001)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert not finished.is_set()
    go_on.set()
    assert await asyncio.to_thread(finished.wait, 5)
    await asyncio.sleep(0)  # the dropped result arrives, and nobody is hurt


def test_a_result_for_a_closed_loop_is_dropped():
    began, go_on, threads = threading.Event(), threading.Event(), DaemonThreads(idle_seconds=0.005)
    worker: list[threading.Thread] = []

    def slow():
        worker.append(threading.current_thread())
        began.set()
        go_on.wait(5)

    async def leave_early() -> None:
        task = asyncio.create_task(run_in_daemon_thread(slow, name="slow", threads=threads))
        await asyncio.to_thread(began.wait, 5)
        task.cancel()

    asyncio.run(leave_early())
    go_on.set()
    worker[0].join(5)

    assert not worker[0].is_alive()  # pytest turns an exception in a thread into a failure


def test_a_hung_thread_does_not_hold_up_the_exit():
    program = (
        "import asyncio, threading\n"
        "from treadle_tui.engine.runner.threads import run_in_daemon_thread\n"
        "async def main():\n"
        "    asyncio.create_task(run_in_daemon_thread(threading.Event().wait, name='hung'))\n"
        "    await asyncio.sleep(0.01)\n"
        "asyncio.run(main())\n"
    )
    started = time.monotonic()

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, text=True, check=False)

    assert finished.returncode == 0, finished.stderr
    assert time.monotonic() - started < 10


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
async def test_a_forked_child_starts_threads_of_its_own():
    threads = DaemonThreads()
    await run_in_daemon_thread(lambda: 1, name="n", threads=threads)

    threads.forget_threads()

    assert threads.idle_count == 0
    assert await run_in_daemon_thread(lambda: 2, name="n", threads=threads) == 2
