"""What a document is about, worked out from its Markdown alone: a graph of its concepts, and pieces of a bounded length.

Rules, no model: headings, abbreviations with what they stand for, definitions, names, links and code. Two concepts are connected when
they are spoken of together. Knows nothing of the workflow.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_HEADING = re.compile(r"^(#{1,6}) +(\S.*)$")
_ABBREVIATION = re.compile(r"\b((?:[A-Za-z][\w-]*[ ]){1,6})\(([A-Z][A-Z0-9-]{1,7})\)")
_DEFINITION = re.compile(
    r"(?:^|[.!?] )(?:An?|The)? ?\**([A-Za-z][\w-]*(?: [a-z][\w-]*){0,2})\** (?:is|are|means) (?:an?|the|any|when|what) "
)
_NAME = re.compile(r"(?<![.!?:#] )(?<!^)\b([A-Z][\w'’-]+(?: (?:of|de|van|von) | )[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)\b")
_LINK = re.compile(r"\[[^\]]+\]\((https?://[^)\s]+)\)|<?(https?://[^\s<>)\]]+[^\s<>)\].,;])>?")
_CODE = re.compile(r"`([^`\n]{2,40})`")
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"[A-Za-zÀ-ÿ][\w'’-]{3,}")
_COMMON = frozenset(
    """
    about above after again also although always another because been before being below between both cannot could does done
    down during each either else even every from have having here himself into itself just less many more most much must
    neither never nothing only other otherwise over same shall should since some something such than that their them then
    there therefore these they thing things this those through thus together under until upon used uses using very well were
    what when where whether which while whole whose will with within without would your yours
    """.split()  # noqa: SIM905 - a list of words is read as one
)
WORDS = re.compile(r"[\w-]+")
MOST_HEADINGS = 30
"""Of a long document; the highest ones. Half of the concepts, so that there is room for what it says under them."""
_ARTICLES = ("the", "a", "an", "in", "on", "at", "when", "if", "this", "these", "our", "their", "its")
TOKENS = re.compile(r"\w{1,6}|[^\w\s]")
"""Roughly what tokenisers of language models make of a text, rather too many than too few."""


@dataclass
class Concept:
    """A node of the graph."""

    name: str
    kind: str
    """heading, abbreviation, definition, name, term, code or link."""
    mentions: int = 1


@dataclass
class ConceptGraph:
    """What a document speaks of, and what it speaks of together."""

    nodes: list[Concept]
    edges: list[tuple[str, str]]
    """Pairs of names, each once."""
    window: str = "paragraph"
    """What counts as together: a paragraph, or a section."""
    orphans: list[str] = field(default_factory=list)
    """Names connected to nothing."""


@dataclass
class Chunk:
    """A piece of the document, with the headings it stands under."""

    path: list[str]
    text: str
    tokens: int


def concepts(text: str, *, window: str = "paragraph", least_mentions: int = 2, keeps_orphans: bool = True) -> ConceptGraph:
    """The graph of a document. `least_mentions`: how often an ordinary word must occur to count as a term.

    A heading is connected to the one it stands under. Without `keeps_orphans` what is connected to nothing is left out.
    """
    import networkx as nx

    found = _candidates(text, least_mentions)
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(found)
    for block in _blocks(text, window):
        words = _words(block)
        here = [name for name in found if _words(name) in words or name in block]
        graph.add_edges_from((first, second) for place, first in enumerate(here) for second in here[place + 1 :])
    graph.add_edges_from((one, other) for one, other in _outline(text) if one in graph and other in graph)
    if not keeps_orphans and graph.number_of_edges():
        graph.remove_nodes_from(list(nx.isolates(graph)))
    return ConceptGraph(
        nodes=[found[name] for name in graph],
        edges=sorted((min(pair), max(pair)) for pair in graph.edges),
        window=window,
        orphans=sorted(nx.isolates(graph)),
    )


def _outline(text: str) -> list[tuple[str, str]]:
    """Pairs of headings, one of which stands under the other."""
    pairs: list[tuple[str, str]] = []
    above: list[tuple[int, str]] = []
    for match in filter(None, map(_HEADING.match, _FENCED.sub("", text).splitlines())):
        level, name = len(match[1]), _heading_name(match[2])
        above = [each for each in above if each[0] < level]
        pairs += [(above[-1][1], name)] if above and above[-1][1] != name else []
        above.append((level, name))
    return pairs


def _heading_name(heading: str) -> str:
    """What it is called as a concept: without its number, links and emphasis."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"^[\d.]+ +", "", heading))
    return " ".join(text.split()).strip("*_# ")


def _words(text: str) -> str:
    """Its words in small letters with a space around each: one text names another when it contains it so."""
    return f" {' '.join(re.findall(WORDS, text.lower()))} "


def _candidates(text: str, least_mentions: int) -> dict[str, Concept]:
    """Concepts by name, the most telling kind first; at most sixty."""
    plain = _FENCED.sub("", text)
    prose = "\n".join(line for line in plain.splitlines() if not _HEADING.match(line))
    found: dict[str, Concept] = {}

    def add(name: str, kind: str, mentions: int = 1) -> None:
        name = " ".join(name.split()).strip("*_ ")
        same = next((known for known in found if known.casefold() == name.casefold()), None)
        if same is not None:
            found[same].mentions += mentions
        elif name:
            found[name] = Concept(name, kind, mentions)

    headings = sorted((match for match in map(_HEADING.match, plain.splitlines()) if match), key=lambda match: len(match[1]))
    for match in headings[:MOST_HEADINGS]:
        add(_heading_name(match[2]), "heading")
    for words, short in _ABBREVIATION.findall(prose):
        add(short, "abbreviation", len(re.findall(rf"\b{re.escape(short)}\b", prose)))
        add(" ".join(_long_form(words.split(), short)), "definition")
    for name in _DEFINITION.findall(prose):
        if name.split()[-1].lower() not in _COMMON and name.lower() not in ("there", "that", "this", "which", "what"):
            add(name, "definition")
    for name, count in Counter(name for name in _NAME.findall(prose) if name.split()[0].lower() not in _ARTICLES).items():
        add(name, "name", count)
    for link in _LINK.findall(prose):
        add(link[0] or link[1], "link")
    for code, count in Counter(_CODE.findall(prose)).items():
        add(code, "code", count)
    words = Counter(word.lower() for word in _WORD.findall(_LINK.sub("", prose)))
    for word, count in words.most_common():
        if count >= least_mentions and word not in _COMMON and not any(word in name.casefold().split() for name in found):
            add(word, "term", count)
    return dict(list(found.items())[:60])


def _long_form(words: list[str], short: str) -> list[str]:
    """As many of the last words as the abbreviation has letters."""
    return words[-len(short.replace("-", "")) :]


def _blocks(text: str, window: str) -> list[str]:
    """Paragraphs, each with the heading it stands under; or whole sections."""
    blocks: list[str] = []
    heading = ""
    for part in re.split(r"\n\s*\n", _FENCED.sub("", text)):
        if _HEADING.match(part):
            heading = part.splitlines()[0].lstrip("# ")
            rest = "\n".join(part.splitlines()[1:])
            blocks.append(f"{heading}\n{rest}")
        elif window == "section" and blocks:
            blocks[-1] += f"\n{part}"
        else:
            blocks.append(f"{heading}\n{part}")
    return blocks


# ---------------------------------------------------------------- pieces


def count_tokens(text: str) -> int:
    """An upper estimate of the tokens a language model would see."""
    return len(TOKENS.findall(text))


def chunks(text: str, limit: int) -> list[Chunk]:
    """The document in pieces of at most `limit` tokens, cut at headings, else at paragraphs, sentences, and at last at words."""
    pieces: list[Chunk] = []
    path: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        heading = _HEADING.match(block)
        if heading:
            path = [*path[: len(heading[1]) - 1], heading[2].strip()]
        for part in _within(block, limit):
            tokens = count_tokens(part)
            fits = pieces and not heading and pieces[-1].path == path and pieces[-1].tokens + tokens <= limit
            if fits:
                pieces[-1] = Chunk(path, f"{pieces[-1].text}\n\n{part}", pieces[-1].tokens + tokens)
            elif part.strip():
                pieces.append(Chunk(list(path), part, tokens))
            heading = None
    return pieces


def _within(block: str, limit: int, cuts: tuple[str, ...] = ("\n", r"(?<=[.!?])\s+", r"\s+")) -> list[str]:
    """A block as it is, or cut as coarsely as is enough."""
    if count_tokens(block) <= limit:
        return [block]
    if not cuts:  # one word longer than the limit
        letters = max(1, limit)
        return [block[place : place + letters] for place in range(0, len(block), letters)]
    joint = "\n" if cuts[0] == "\n" else " "
    parts: list[str] = []
    for piece in re.split(cuts[0], block):
        for part in _within(piece, limit, cuts[1:]):
            if parts and count_tokens(parts[-1]) + count_tokens(part) <= limit:
                parts[-1] += joint + part
            else:
                parts.append(part)
    return parts


def graph_as_json(graph: ConceptGraph) -> dict[str, Any]:
    """The graph as other programs read it: nodes and links, as networkx and d3 have them."""
    return {
        "nodes": [{"id": node.name, "kind": node.kind, "mentions": node.mentions} for node in graph.nodes],
        "links": [{"source": first, "target": second} for first, second in graph.edges],
    }
