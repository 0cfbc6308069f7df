"""The direction of imports (who may know whom), and that importing a module touches nothing."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("beam_pipeline", "functions", "simulator", "infra")
PURE = frozenset({"polars", "numpy", "numba", "msgspec", "pyroaring"})
BEAM = PURE | {"apache_beam", "typing_extensions"}


@dataclass(frozen=True)
class Rule:
    """What modules below `room` may import; `packages` None leaves the packages free."""

    room: str
    project: tuple[str, ...]
    packages: frozenset[str] | None = None


DOMAIN, EDGES = "beam_pipeline.domain", "beam_pipeline.edges"
TRANSFORMS, PIPELINE = "beam_pipeline.transforms", "beam_pipeline.pipeline"
# The first rule that fits a module holds.
RULES = (
    Rule(DOMAIN, (DOMAIN,), PURE),
    Rule(TRANSFORMS, (TRANSFORMS, DOMAIN), BEAM),
    Rule(EDGES, (EDGES, DOMAIN)),
    Rule(PIPELINE, (TRANSFORMS, DOMAIN), BEAM),
    Rule("beam_pipeline.training", ("beam_pipeline.training", DOMAIN, EDGES)),
    Rule("beam_pipeline", ("beam_pipeline",)),
    Rule("functions", ("functions", DOMAIN)),
    Rule("simulator", ("simulator",)),
    Rule("infra.kibana", ("infra", "functions.board")),
    Rule("infra", ("infra", "simulator", EDGES, DOMAIN)),
)
FUNCTIONS = sorted(main.parent.name for main in ROOT.glob("functions/*/main.py"))
HEAVY = frozenset({"polars", "numpy", "numba", "pyroaring", "apache_beam"})
TOUCHING = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink"),
    *("exists", "is_file", "is_dir", "iterdir", "glob", "read_csv", "read_parquet", "scan_csv"),
    *("getenv", "putenv", "now", "utcnow", "time", "run", "Popen", "check_output"),
    *("from_url", "connect", "create_connection", "urlopen", "Redis", "Elasticsearch"),
}


def modules() -> list[Path]:
    """Every source file of the rooms."""
    return [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> set[str]:
    """Every dotted name that a file imports, anywhere in it."""
    package = name_of(file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {
                f"{base}.{alias.name}" if is_module(base, alias) else base for alias in node.names
            }
    return names


def is_module(base: str, alias: ast.alias) -> bool:
    """Whether `from base import alias` names a module of the project, not a thing in one."""
    path = ROOT.joinpath(*base.split("."), alias.name)
    return path.is_dir() or path.with_suffix(".py").is_file()


def below(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def rule_for(name: str) -> Rule:
    return next(rule for rule in RULES if below(name, (rule.room,)))


def wrong_imports(file: Path) -> Iterator[str]:
    rule = rule_for(name_of(file))
    for name in sorted(imports(file)):
        top = name.partition(".")[0]
        if top in ROOMS or top == "tests":
            fine = below(name, rule.project) or name in ROOMS
        else:
            fine = rule.packages is None or top in rule.packages | sys.stdlib_module_names
        if not fine:
            yield f"{name_of(file)} imports {name}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.room)
def test_a_room_imports_only_what_lies_in_its_direction(rule: Rule) -> None:
    files = [file for file in modules() if rule_for(name_of(file)) is rule]
    assert [problem for file in files for problem in wrong_imports(file)] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_knows_no_other_function(function: str) -> None:
    others = tuple(f"functions.{other}" for other in FUNCTIONS if other != function)
    files = sorted((ROOT / "functions" / function).rglob("*.py"))
    assert [file.name for file in files for name in imports(file) if below(name, others)] == []


def test_what_ingest_imports_is_light_all_the_way_down() -> None:
    """Decoding must not pull a dataframe library into the function's start."""
    seen: set[str] = set()
    waiting = ["functions.ingest.main"]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not file.is_file():
            seen.add(name)
            continue
        seen.add(name)
        waiting += imports(file)
    assert {name.partition(".")[0] for name in seen} & HEAVY == set()


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_module_touches_no_file_client_or_environment(room: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for file in modules()
        if file.relative_to(ROOT).parts[0] == room
        for node in at_import(ast.parse(file.read_text()))
        if touches(node)
    ]
    assert found == []


def at_import(tree: ast.Module) -> Iterator[ast.expr]:
    """Every expression that runs when the module is imported."""
    waiting: list[ast.AST] = [node for node in tree.body if not is_main_guard(node)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, *node.args.defaults]
            waiting += [default for default in node.args.kw_defaults if default is not None]
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.expr):
            yield node
        waiting += ast.iter_child_nodes(node)


def is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def touches(node: ast.expr) -> bool:
    """Whether an expression reads the environment, or calls what reaches out of the process."""
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) == "os.environ"
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    last = called.rpartition(".")[2]
    return last in TOUCHING or last.endswith("Client")


@pytest.mark.parametrize(
    "line",
    [
        "URL = os.environ['URL']",
        "client = redis.Redis.from_url('x')",
        "publisher = pubsub_v1.PublisherClient()",
        "TEXT = Path('x').read_text()",
        "def f(url=os.getenv('URL')): ...",
        "class A:\n    started = time.time()",
    ],
)
def test_the_check_sees_what_is_touched_at_import(line: str) -> None:
    assert any(touches(node) for node in at_import(ast.parse(line)))


def test_the_check_leaves_functions_and_the_main_guard_alone() -> None:
    source = "def f():\n    return open('x')\nif __name__ == '__main__':\n    open('y')\n"
    assert not any(touches(node) for node in at_import(ast.parse(source)))
