"""The shape of the code: short functions, few parameters, short modules, documented constants, small tuples.

A function that is longer, or that has more parameters, gives its reason in a line of its docstring that begins with
"Long because" or "Many parameters because".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "harvestdetect"

FUNCTION_LINES: Final = 60
"""Most lines of a function, from ``def`` to its end, docstring included."""
PARAMETERS: Final = 8
"""Most parameters of a function, without ``self`` and ``cls``."""
MODULE_LINES: Final = 500
"""Most lines of a module."""
TUPLE_MEMBERS: Final = 3
"""Most members of a positional tuple that a function returns."""

NOT_YET: Final[frozenset[str]] = frozenset(
    {
        "alerts.config: MOST_DIGEST_ABOVE: a number without a docstring",
        "alerts.destinations: STREAM_BYTES: a number without a docstring",
        "alerts.digest: _CHANGE: a number without a docstring",
        "alerts.digest: _CHANGES: a number without a docstring",
        "alerts.digest: _EXCERPT: a number without a docstring",
        "alerts.digest: _PAGERDUTY_SUMMARY: a number without a docstring",
        "alerts.digest: _SECTION: a number without a docstring",
        "alerts.digest: _SUMMARY: a number without a docstring",
        "alerts.digest: _SYSLOG_ID: a number without a docstring",
        "alerts.notices: _DETAIL: a number without a docstring",
        "alerts.notices: _DETAILS: a number without a docstring",
        "alerts.notices: _PAGERDUTY_SUMMARY: a number without a docstring",
        "alerts.notices: _SLACK_TEXT: a number without a docstring",
        "alerts.notices: _SUMMARY: a number without a docstring",
        "alerts.notices: _SYSLOG_ENDED: a number without a docstring",
        "alerts.outbox: DAY: a number without a docstring",
        "alerts.outbox: LEAST_LATER: a number without a docstring",
        "alerts.outbox: Outbox.deliver: more than 8 parameters",
        "alerts.outbox: more than 500 lines",
        "alerts.render: CHANGE: a number without a docstring",
        "alerts.render: CHANGES: a number without a docstring",
        "alerts.render: EXCERPT: a number without a docstring",
        "alerts.render: ID: a number without a docstring",
        "alerts.render: PAGERDUTY_KEY: a number without a docstring",
        "alerts.render: PAGERDUTY_SUMMARY: a number without a docstring",
        "alerts.render: REPORT: a number without a docstring",
        "alerts.render: SUMMARY: a number without a docstring",
        "alerts.render: SYSLOG_CLOSED: a number without a docstring",
        "alerts.render: TARGET: a number without a docstring",
        "alerts.render: TARGETS: a number without a docstring",
        "alerts.values: a docstring begins or ends with dots: 'As in the settings file: ``slack``, ``pa'",
        "campaign.form: MIN_SHARED: a number without a docstring",
        "campaign.form: a docstring begins or ends with dots: '...and is expected to share so many time'",
        "campaign.form: a docstring begins or ends with dots: '...by so many steps at a time...'",
        "campaign.form: a docstring begins or ends with dots: '...until no membership moves by more.'",
        "campaign.form: a docstring begins or ends with dots: 'A cluster of which so many prompts are o'",
        "campaign.form: a docstring begins or ends with dots: 'How often the campaigns that still move '",
        "campaign.form: more than 500 lines",
        "cli.main: EXIT_FINDINGS: a number without a docstring",
        "cli.main: MEGABYTE: a number without a docstring",
        "cli.main: _scan: more than 60 lines",
        "cli.main: _scan: more than 8 parameters",
        "cli.main: calibrate: more than 60 lines",
        "cli.main: calibrate: more than 8 parameters",
        "cli.main: more than 500 lines",
        "cli.main: scan: more than 8 parameters",
        "cli.run: EXIT_INTERRUPTED: a number without a docstring",
        "cli.state: more than 500 lines",
        "cli.state: print_units: more than 8 parameters",
        "cli.state: scan_state: more than 8 parameters",
        'cluster.assign: a docstring begins or ends with dots: "...when so many of them, other accounts\'"',
        "cluster.assign: a docstring begins or ends with dots: 'Nearest neighbours that say whether a te'",
        "cluster.tree: _senders: more than 60 lines",
        "cluster.tree: _senders: returns a positional tuple of more than 3 members",
        "cluster.tree: build_tree: more than 60 lines",
        "cluster.tree: more than 500 lines",
        "cluster.views: SHARED_CAP: a number without a docstring",
        "cluster.views: SHARED_FLOOR: a number without a docstring",
        "cluster.views: _found: more than 8 parameters",
        "corpus.shards: _STEP: a number without a docstring",
        "corpus.shards: more than 500 lines",
        "evidence.benign: COPIED: a number without a docstring",
        "evidence.benign: EVENT_DAYS: a number without a docstring",
        "evidence.benign: FEW_EACH: a number without a docstring",
        "evidence.benign: SHORT: a number without a docstring",
        "evidence.benign: a docstring begins or ends with dots: '...if they also reach this share of the '",
        "evidence.benign: a docstring begins or ends with dots: '...where so many of the prompts are copi'",
        "evidence.benign: a docstring begins or ends with dots: 'Different prompts up to which nothing mu'",
        "evidence.benign: a docstring begins or ends with dots: 'Standard deviations of a shuffle from wh'",
        "evidence.benign: benign_explanations: more than 8 parameters",
        "evidence.infrastructure: P_FLOOR: a number without a docstring",
        "evidence.infrastructure: _common: returns a positional tuple of more than 3 members",
        "evidence.infrastructure: a docstring begins or ends with dots: '...and so many where each has a team:'",
        "evidence.infrastructure: a docstring begins or ends with dots: '...of so many with the field known; of t'",
        "evidence.infrastructure: a docstring begins or ends with dots: 'Members of one group, outside the other,'",
        "evidence.infrastructure: a docstring begins or ends with dots: 'Organisations whose accounts are taken t'",
        "evidence.infrastructure: more than 500 lines",
        "evidence.intent: a docstring begins or ends with dots: '...and from which the median of several '",
        "evidence.intent: a docstring begins or ends with dots: '...and the median margin from which the '",
        "evidence.intent: a docstring begins or ends with dots: 'Margin over ordinary requests from which'",
        "evidence.intent: a docstring begins or ends with dots: 'Texts that are read at first, evenly cho'",
        "evidence.nulls: a docstring begins or ends with dots: '...as it is when so many of them are at '",
        "evidence.nulls: a docstring begins or ends with dots: '...but at least so many, each then with '",
        "evidence.nulls: a docstring begins or ends with dots: 'Draws after which it is looked at whethe'",
        "evidence.nulls: a docstring begins or ends with dots: 'Prompts of a campaign that are compared.'",
        "evidence.structure: COMPOSITIONS: a number without a docstring",
        "evidence.structure: DENSITY_DRAWS: a number without a docstring",
        "evidence.structure: MIN_PAIRS: a number without a docstring",
        "evidence.structure: a docstring begins or ends with dots: '...and of more accounts than that leaves'",
        "evidence.structure: a docstring begins or ends with dots: 'Fewer compositions are drawn of very man'",
        "evidence.structure: block_density: more than 60 lines",
        "evidence.structure: more than 500 lines",
        "evidence.structure: shared_list: more than 60 lines",
        "evidence.text: BUCKETS: a number without a docstring",
        "evidence.text: MOST_TEMPLATES: a number without a docstring",
        "evidence.text: PAIRS: a number without a docstring",
        "evidence.text: a docstring begins or ends with dots: '...and from here on one is a rewording o'",
        "evidence.text: a docstring begins or ends with dots: '...and this Jaccard index of them.'",
        "evidence.text: a docstring begins or ends with dots: 'Texts that share this part of their lett'",
        "evidence.text: a docstring begins or ends with dots: 'Traces that a translation shares with it'",
        "evidence.text: duplicate_types: more than 60 lines",
        "evidence.text: text_evidence: more than 60 lines",
        "evidence.time: DAY: a number without a docstring",
        "evidence.time: HOUR: a number without a docstring",
        "evidence.time: MIN_PROMPTS: a number without a docstring",
        "evidence.time: RAMP_PROMPTS: a number without a docstring",
        "evidence.time: a docstring begins or ends with dots: 'int64[b]: those to compare with, by thei'",
        "evidence.time: a docstring begins or ends with dots: 'int64[c]: those of them that were opened'",
        "evidence.time: more than 500 lines",
        "evidence.time: sign_up_evidence: more than 60 lines",
        "explain.files: _HUGE: a number without a docstring",
        "explain.show: SCHEMA_VERSION: a number without a docstring",
        "judge.attribute: _BLOCK: a number without a docstring",
        "judge.attribute: a docstring begins or ends with dots: '...or one, where the template has so man'",
        "judge.attribute: a docstring begins or ends with dots: 'Such prompts of an account...'",
        "judge.calibration: CONFIDENCE: a number without a docstring",
        "judge.calibration: LEAST: a number without a docstring",
        "judge.calibration: more than 500 lines",
        "judge.candidates: MOST_NEAR: a number without a docstring",
        "judge.candidates: MOST_OUTSIDE: a number without a docstring",
        "judge.candidates: near_candidates: more than 60 lines",
        "judge.candidates: near_candidates: more than 8 parameters",
        "judge.findings: DAY: a number without a docstring",
        "judge.findings: candidates_of: more than 60 lines",
        "judge.findings: candidates_of: more than 8 parameters",
        "judge.findings: finding_of: more than 60 lines",
        "judge.findings: finding_of: more than 8 parameters",
        "judge.measure: BACKGROUND_TEXTS: a number without a docstring",
        "judge.measure: NEIGHBOURHOOD: a number without a docstring",
        "judge.measure: a docstring begins or ends with dots: '...and the p-value up to which all are.'",
        "judge.measure: a docstring begins or ends with dots: '...where they are no more than this shar'",
        "judge.measure: a docstring begins or ends with dots: 'A candidate is weighed without accounts '",
        "judge.measure: a docstring begins or ends with dots: 'Pairs that are compared at first, and tw'",
        "judge.measure: a docstring begins or ends with dots: 'int64[c]: accounts with prompts in each '",
        "judge.measure: more than 500 lines",
        "judge.triage: P_FLOOR: a number without a docstring",
        "judge.triage: judge: more than 60 lines",
        "ops.schedule.__init__: units: more than 60 lines",
        "ops.schedule.__init__: units: more than 8 parameters",
        "ops.schedule.job: DAY: a number without a docstring",
        "ops.schedule.job: HOUR: a number without a docstring",
        "ops.schedule.job: MINUTE: a number without a docstring",
        "ops.watch: INTERRUPTED: a number without a docstring",
        "ops.watch: WRONG_USAGE: a number without a docstring",
        "ops.watch: _LONGEST_WAIT: a number without a docstring",
        "report.files: _SCHEMA_VERSION: a number without a docstring",
        "report.html: _MAX_BYTES: a number without a docstring",
        "report.svg: _HEIGHT: a number without a docstring",
        "report.svg: _MAX_BARS: a number without a docstring",
        "report.svg: _PLOT: a number without a docstring",
        "report.svg: _TOP: a number without a docstring",
        "simulate.__init__: _CHUNK: a number without a docstring",
        "simulate.__init__: _MAX_FILES: a number without a docstring",
        "simulate.__init__: _MAX_TEXTS: a number without a docstring",
        "simulate.__init__: simulate: more than 8 parameters",
        "simulate.evaluate: evaluate: more than 60 lines",
        "simulate.groups: a docstring begins or ends with dots: '...until it shares no greater part of it'",
        "simulate.groups: a docstring begins or ends with dots: 'Times that a template is drawn anew...'",
        "simulate.groups: more than 500 lines",
        "simulate.people: _MAX_PASTE: a number without a docstring",
        "simulate.traffic: DAY: a number without a docstring",
        "simulate.traffic: HOUR: a number without a docstring",
        "simulate.traffic: Network.open: more than 8 parameters",
        "simulate.traffic: _HOSTERS: a number without a docstring",
        "simulate.traffic: _ISPS: a number without a docstring",
        "simulate.traffic: human_times: more than 8 parameters",
        "simulate.traffic: human_times: returns a positional tuple of more than 3 members",
        "simulate.words: more than 500 lines",
        "state.__init__: State.scan: more than 8 parameters",
        "state.campaigns: _put: more than 60 lines",
        "state.clock: DAY: a number without a docstring",
        "state.erase: _PAUSE: a number without a docstring",
        "state.erase: _rows_said: returns a positional tuple of more than 3 members",
        "state.erase: more than 500 lines",
        'state.identity: a docstring begins or ends with dots: "Share of the smaller side\'s accounts tha"',
        "state.identity: a docstring begins or ends with dots: '...and at least so many.'",
        "state.identity: a docstring begins or ends with dots: '...when so large a part of the words of '",
        "state.identity: a docstring begins or ends with dots: 'Fixed words of a template that can tell '",
        "state.operations: _MOST_NAMED: a number without a docstring",
        "state.operations: _MOST_SAID: a number without a docstring",
        "state.results: more than 500 lines",
        "state.run: MAX_ERROR: a number without a docstring",
        "state.run: _ATTEMPTS: a number without a docstring",
        "state.run: _keep: more than 8 parameters",
        "state.run: scan_into: more than 60 lines",
        "state.run: scan_into: more than 8 parameters",
        "state.store: SCHEMA: a number without a docstring",
        "state.store: more than 500 lines",
        "state.traces: _LEAST_CONTEXT: a number without a docstring",
        "state.verdicts: MAX_NOTE: a number without a docstring",
        "store.tables: _FORMAT: a number without a docstring",
        "store.vectors: DIGEST_BYTES: a number without a docstring",
        "store.vectors: LOCK_SECONDS: a number without a docstring",
        "store.vectors: more than 500 lines",
        "template.align: EXEMPLARS: a number without a docstring",
        "template.align: MAX_TOKENS: a number without a docstring",
        "template.align: SLOT_EXAMPLES: a number without a docstring",
        "template.align: a docstring begins or ends with dots: '...and by all.'",
        "template.align: a docstring begins or ends with dots: '...and the texts that a part of it needs'",
        "template.align: a docstring begins or ends with dots: '...if they are so many times those that '",
        "template.align: a docstring begins or ends with dots: 'How often a mixture of templates is halv'",
        "template.align: a docstring begins or ends with dots: 'Longer words kept from text to text from'",
        "template.align: a docstring begins or ends with dots: 'Pairs of templates compared at a time by'",
        "template.align: more than 500 lines",
        "template.refine: TEXTS_PER_CLUSTER: a number without a docstring",
        "template.refine: a docstring begins or ends with dots: '...and so many of the accounts that come'",
        "template.refine: a docstring begins or ends with dots: '...and the clause is no greater part of '",
        "template.refine: a docstring begins or ends with dots: '...by so many of them.'",
        "template.refine: a docstring begins or ends with dots: 'Templates in a cluster that share a clau'",
        "template.refine: a docstring begins or ends with dots: 'Words that the texts of a cluster share '",
        "template.refine: describe_clusters.whole: returns a positional tuple of more than 3 members",
        "template.refine: describe_clusters: more than 60 lines",
    }
)
"""Offences that are known, as :func:`offences` names them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def has_reason(node: Function, beginning: str) -> bool:
    """Whether a line of the docstring begins in this way."""
    return any(line.strip().startswith(beginning) for line in (ast.get_docstring(node) or "").splitlines())


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function of a module with its qualified name, also those inside of classes and functions."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            name = prefix
            if isinstance(node, Function | ast.ClassDef):
                name = f"{prefix}.{node.name}" if prefix else node.name
            if isinstance(node, Function):
                yield name, node
            waiting.append((name, node))


def parameters(node: Function) -> int:
    """Number of parameters, without ``self`` and ``cls``."""
    given = node.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def has_large_tuple(annotation: ast.expr | None) -> bool:
    """Whether an annotation contains a positional tuple of too many members."""
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "tuple":
            members = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            variadic = any(isinstance(member, ast.Constant) and member.value is Ellipsis for member in members)
            if len(members) > TUPLE_MEMBERS and not variadic:
                return True
    return False


def is_numeric(value: ast.expr) -> bool:
    """Whether an expression is a number, or arithmetic on numbers."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, ast.UnaryOp):
        return is_numeric(value.operand)
    if isinstance(value, ast.BinOp):
        return is_numeric(value.left) and is_numeric(value.right)
    return False


def constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr, str | None]]:
    """Every upper-case name that a module assigns, with its value and its docstring."""
    for position, node in enumerate(tree.body):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if not isinstance(target, ast.Name) or not target.id.strip("_").isupper():
            continue
        after = tree.body[position + 1] if position + 1 < len(tree.body) else None
        yield target.id, value, text_of(after)


def text_of(node: ast.stmt | None) -> str | None:
    """The text of a statement that is only a text, such as a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


def offences(module: str, source: str) -> Iterator[str]:
    """What is wrong with the shape of a module, each as "module: name: what"."""
    tree = ast.parse(source)
    if len(source.splitlines()) > MODULE_LINES:
        yield f"{module}: more than {MODULE_LINES} lines"
    for name, node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES and not has_reason(node, "Long because"):
            yield f"{module}: {name}: more than {FUNCTION_LINES} lines"
        if parameters(node) > PARAMETERS and not has_reason(node, "Many parameters because"):
            yield f"{module}: {name}: more than {PARAMETERS} parameters"
        if has_large_tuple(node.returns):
            yield f"{module}: {name}: returns a positional tuple of more than {TUPLE_MEMBERS} members"
    for name, value, text in constants(tree):
        if text is None and is_numeric(value):
            yield f"{module}: {name}: a number without a docstring"
    for statement in ast.walk(tree):
        text = text_of(statement) if isinstance(statement, ast.stmt) else None
        if text is not None and (text.strip().startswith("...") or text.strip().endswith("...")):
            yield f"{module}: a docstring begins or ends with dots: {text.strip()[:40]!r}"


def all_offences() -> list[str]:
    """The offences of every module of the package."""
    return [
        offence
        for file in sorted(PACKAGE.rglob("*.py"))
        for offence in offences(module_name(file), file.read_text(encoding="utf-8"))
    ]


def module_name(file: Path) -> str:
    """The dotted name of a module below the package."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def test_the_code_keeps_its_shape() -> None:
    found = all_offences()
    new = [offence for offence in found if offence not in NOT_YET]
    assert not new, "\n".join(["", *new])


def test_the_rules_find_what_they_should() -> None:
    def found(source: str) -> list[str]:
        return [offence.removeprefix("m: ") for offence in offences("m", source)]

    assert found("def f() -> tuple[int, int, int, int]: ...") == [
        "f: returns a positional tuple of more than 3 members"
    ]
    assert len(found("def f() -> list[tuple[int, int, int, int] | None]: ...")) == 1
    assert found("def f() -> tuple[int, int, int]: ...") == []
    assert found("def f() -> tuple[int, ...]: ...") == []
    assert found("class A:\n    def f(self, a, b, c, d, e, f, g, h): ...") == []
    assert found("class A:\n    def f(self, a, b, c, d, e, f, g, *, h, i): ...") == ["A.f: more than 8 parameters"]
    assert found("def f(a, b, c, d, e, f, g, h, i):\n    '''F.\n\n    Many parameters because so.\n    '''") == []
    assert found("def f():\n" + 60 * "    pass\n") == ["f: more than 60 lines"]
    assert found("def f():\n    def g():\n" + 60 * "        pass\n") == [
        "f: more than 60 lines",
        "f.g: more than 60 lines",
    ]
    assert found("def f():\n    '''Long because it is one table.'''\n" + 60 * "    pass\n") == []
    assert found("A: Final = 1 << 4\n_B = -2.0\nC = 'text'\nD = 3 * 4\n'''A number.'''") == [
        "A: a number without a docstring",
        "_B: a number without a docstring",
    ]
    assert found("A = 1\n'''At most this...'''") == ["a docstring begins or ends with dots: 'At most this...'"]
    assert found("'''M.'''\n" + 500 * "x = 1\n") == ["more than 500 lines"]
