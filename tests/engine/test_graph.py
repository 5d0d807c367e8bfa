"""Order, circles and pictures of the graph."""

import subprocess
import sys

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.engine.errors import DagCycle
from treadle_tui.engine.graph import dependents_of, to_dot, to_mermaid, topological_order
from treadle_tui.engine.workflow import Workflow


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """Dependencies of up to twelve stages, written down in any order."""
    count = draw(st.integers(0, 12))
    ranked = draw(st.permutations([f"s{number}" for number in range(count)]))
    edges = {name: draw(st.lists(st.sampled_from(ranked[:place]))) if place else [] for place, name in enumerate(ranked)}
    return {name: edges[name] for name in draw(st.permutations(ranked))}


@st.composite
def any_graph(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    return {name: draw(st.lists(st.sampled_from(names))) for name in names}


@given(acyclic())
def test_everything_comes_after_what_it_depends_on(dependencies):
    order = topological_order(dependencies)

    assert sorted(order) == sorted(dependencies)
    assert all(order.index(needed) < order.index(name) for name in dependencies for needed in dependencies[name])


@given(acyclic())
def test_the_order_is_the_first_possible_in_insertion_order(dependencies):
    """At every place stands the earliest added stage whose dependencies are done: a plain, slow statement of the rule."""
    done: list[str] = []
    while len(done) < len(dependencies):
        done.append(next(name for name in dependencies if name not in done and set(dependencies[name]) <= set(done)))

    assert topological_order(dependencies) == done


@given(any_graph())
def test_a_circle_is_reported_exactly_when_there_is_one(dependencies):
    graph: networkx.DiGraph[str] = networkx.DiGraph([(needed, name) for name in dependencies for needed in dependencies[name]])

    if networkx.is_directed_acyclic_graph(graph):
        topological_order(dependencies)
        return
    with pytest.raises(DagCycle) as caught:
        topological_order(dependencies)
    cycle = caught.value.cycle
    assert len(set(cycle)) == len(cycle)
    assert all(before in dependencies[after] for before, after in zip(cycle, cycle[1:] + cycle[:1], strict=True))


def test_the_circle_begins_with_the_stage_added_first():
    with pytest.raises(DagCycle, match=r"the stages depend on each other in a circle: b → c → d → b") as caught:
        topological_order({"a": ["d"], "b": ["d"], "c": ["b"], "d": ["c"]})
    assert caught.value.cycle == ["b", "c", "d"]


def test_insertion_order_is_kept_where_the_graph_allows():
    assert topological_order({"c": [], "a": [], "b": []}) == ["c", "a", "b"]
    assert topological_order({"c": ["b"], "a": [], "b": []}) == ["a", "b", "c"]


def test_dependents_are_the_other_way_round():
    assert dependents_of({"a": [], "b": ["a", "a"], "c": ["a", "b"]}) == {"a": ["b", "c"], "b": ["c"], "c": []}


def long_chain(length: int) -> Workflow:
    workflow = Workflow()
    for number in range(length):
        workflow.add_stage(f"s{number}", lambda item: 1, after=[f"s{number - 1}"] if number else [])
    return workflow


def test_a_chain_of_ten_thousand_stages_builds():
    workflow = long_chain(10_000)

    assert workflow.stages()[-1] == "s9999"
    assert workflow.leaf_stages() == ["s9999"]
    assert len(workflow.fingerprint) == 64
    workflow.add_stage("s10000", lambda item: 1, after=["s9999"])
    closed = Workflow()
    closed.include("chain", workflow, after="last")
    closed.add_stage("last", lambda chain: 1)
    with pytest.raises(DagCycle) as caught:
        closed.build()
    assert len(caught.value.cycle) == 10_002


def test_a_chain_of_five_thousand_stages_is_built_in_order():
    """Without recursion, and without a look at all stages for each: it would not end in a test's time."""
    assert long_chain(5_000).build().stages() == [f"s{number}" for number in range(5_000)]


def diamond() -> Workflow:
    workflow = Workflow("diamond")
    workflow.add_stage("load", lambda item: 1)
    workflow.add_stage("left", lambda load: 1)
    workflow.add_stage("right", lambda load: 1)
    workflow.add_stage("join", lambda left, right: 1)
    return workflow


def test_the_graph_is_a_networkx_digraph_of_ones_own():
    workflow = diamond()

    graph = workflow.graph

    assert isinstance(graph, networkx.DiGraph)
    assert list(graph.nodes) == workflow.stages()
    assert set(graph.edges) == {("load", "left"), ("load", "right"), ("left", "join"), ("right", "join")}
    graph.clear()
    assert len(workflow.graph) == 4


def test_networkx_is_imported_only_when_asked_for():
    program = (
        "import sys; from treadle_tui.engine.workflow import Workflow\n"
        "w = Workflow(); w.add_stage('a', lambda item: 1); w.stages(); w.to_dot(); w.fingerprint\n"
        "assert not {'networkx', 'pydantic', 'attrs', 'textual', 'rich', 'click'} & set(sys.modules)\n"
        "w.graph; assert 'networkx' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_dot_names_every_stage_and_edge():
    assert diamond().to_dot() == (
        'digraph "diamond" {\n  rankdir=LR;\n  node [shape=box];\n'
        '  "load";\n  "left";\n  "right";\n  "join";\n'
        '  "load" -> "left";\n  "load" -> "right";\n  "left" -> "join";\n  "right" -> "join";\n}\n'
    )


def test_mermaid_names_every_stage_and_edge():
    assert diamond().to_mermaid() == (
        'flowchart LR\n  load["load"]\n  left["left"]\n  right["right"]\n  join["join"]\n'
        "  load --> left\n  load --> right\n  left --> join\n  right --> join\n"
    )


HOSTILE = ['a"b', "a\\", "a\\N", '"];evil', "<b>x</b>", "end", "a --> b", "`x`", "# 35;", "a;b", "日本", "stage1", "{x}", "%%"]


def test_hostile_names_stay_names_in_dot():
    """Read back by the rules of the DOT lexer: inside quotes only \\" and \\\\ are special."""
    dot = to_dot("x\ny", {name: [] for name in HOSTILE})

    lines = dot.splitlines()
    assert lines[0] == 'digraph "x y" {'
    for name, line in zip(HOSTILE, lines[3:-1], strict=True):
        assert line.startswith('  "')
        assert line.endswith('";')
        inner = line[3:-2]
        assert inner.replace("\\\\", "").replace('\\"', "").count('"') == 0
        assert inner.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\") == name


def test_hostile_names_stay_names_in_mermaid():
    text = to_mermaid({name: HOSTILE[:place] for place, name in enumerate(HOSTILE)})

    nodes = text.splitlines()[1 : len(HOSTILE) + 1]
    ids = [line.partition("[")[0].strip() for line in nodes]
    assert len(set(ids)) == len(ids)
    assert "end" not in ids
    assert all(identifier.isidentifier() and identifier.isascii() for identifier in ids)
    for line in nodes:
        label = line.partition('["')[2].removesuffix('"]')
        assert not set(label) & set('"<>`{}[]()|\\&')
    assert all(" --> " in line for line in text.splitlines()[len(HOSTILE) + 1 :])


def test_mermaid_ids_that_are_taken_are_avoided():
    text = to_mermaid({"two words": [], "stage1": []})

    assert text == 'flowchart LR\n  stage1_["two words"]\n  stage1["stage1"]\n'
