"""prefect.yaml and the flow files: one deployment a flow, thin, described, bounded."""

from __future__ import annotations

import ast
import datetime as dt
import importlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.events.schemas.automations import EventTrigger

from flows import serve
from flows.hedge_batch import hedge_batch
from flows.retention import retention
from flows.runner import FLOWS

ROOT = Path(__file__).resolve().parents[3]
SUPPORT = {"__init__", "evidence", "publish", "runner", "search_pieces", "serve"}
FLOW_FILES = sorted(p for p in (ROOT / "flows").glob("*.py") if p.stem not in SUPPORT)
LINES_MAX = 60
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))[
    "deployments"
]
NAMES = [entry["name"] for entry in DEPLOYMENTS]

by_file = pytest.mark.parametrize("path", FLOW_FILES, ids=lambda path: path.stem)
by_deployment = pytest.mark.parametrize("entry", DEPLOYMENTS, ids=NAMES)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "dmm":
            names |= {f"dmm.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_every_flow_file_has_exactly_one_deployment_and_the_runner_knows_it() -> None:
    stems = sorted(path.stem for path in FLOW_FILES)
    assert sorted(NAMES) == stems
    assert sorted(FLOWS) == stems


def test_every_deployment_starts_its_list_item_with_its_name() -> None:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    listed = text[text.index("\ndeployments:") :]
    assert len(re.findall(r"^  - name: ", listed, re.MULTILINE)) == len(NAMES)
    assert len(re.findall(r"^  - ", listed, re.MULTILINE)) == len(NAMES)


@by_file
def test_a_flow_file_is_thin(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX
    allowed = {
        "prefect",
        "pydantic",
        "dmm.bootstrap",
        "dmm.usecases",
        "flows.evidence",
        "flows.publish",
        "flows.search_pieces",
    }
    for name in imported(path) - {"__future__"}:
        is_ours = any(name == a or name.startswith(f"{a}.") for a in allowed)
        assert is_ours or name.split(".")[0] in sys.stdlib_module_names, name


@by_file
def test_a_flow_is_async_and_says_when_and_for_what_scope(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    when = ast.get_docstring(tree) or ""
    assert re.match(r"(Every|Daily|Hourly|On the event).*(per|for the whole desk)", when)
    functions = [n for n in tree.body if isinstance(n, ast.AsyncFunctionDef | ast.FunctionDef)]
    assert [(type(f), f.name) for f in functions] == [(ast.AsyncFunctionDef, path.stem)]


@by_deployment
def test_a_deployment_finds_its_flow_by_module(entry: dict[str, Any]) -> None:
    module, name = entry["entrypoint"].rsplit(".", 1)
    assert getattr(importlib.import_module(module), name).name == entry["name"]


@by_deployment
def test_a_deployment_describes_and_enforces_every_parameter(entry: dict[str, Any]) -> None:
    assert entry["enforce_parameter_schema"] is True
    assert entry["description"].endswith(".")
    schema = serve.deployment(entry, paused=False)._parameter_openapi_schema.model_dump()
    assert schema["properties"]
    assert all(part.get("description") for part in schema["properties"].values()), schema
    assert set(entry["parameters"]) <= set(schema["properties"])


@by_deployment
def test_a_deployment_runs_one_at_a_time_in_our_pool(entry: dict[str, Any]) -> None:
    assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert entry["work_pool"] == {"name": "dmm-process"}


@by_deployment
def test_a_deployment_runs_by_schedule_in_utc_or_by_trigger(entry: dict[str, Any]) -> None:
    assert entry.get("schedules") or entry.get("triggers")
    assert all(part["timezone"] == "UTC" for part in entry.get("schedules", []))
    assert all(part["slug"] for part in entry.get("schedules", []))


@by_deployment
def test_a_deployment_carries_the_projects_version(entry: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert entry["version"] == project["version"]


def test_a_parameter_left_out_reaches_the_flow_as_a_plain_value() -> None:
    assert hedge_batch.validate_parameters({}) == {"run_id": "", "epoch": -1}
    assert retention.validate_parameters({}) == {"keep_days": 30}


def test_minute_jobs_do_not_start_in_the_same_second() -> None:
    seconds = [
        part["anchor_date"][17:19]
        for entry in DEPLOYMENTS
        for part in entry.get("schedules", [])
        if "interval" in part
    ]
    assert len(set(seconds)) == len(seconds) > 3


def test_the_definition_is_found_in_the_checkout() -> None:
    assert serve.definition_path() == ROOT / "prefect.yaml"


def test_an_unknown_deployment_is_named_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no deployment hedging: there are .*hedge_batch"):
        serve.definitions(["hedging"])


def test_paused_leaves_schedules_off_and_triggers_on() -> None:
    (entry,) = serve.definitions(["settlement_audit"])
    paused, live = (serve.deployment(entry, paused=flag) for flag in (True, False))
    assert [part.active for part in paused.schedules or []] == [False]
    assert [part.active for part in live.schedules or []] == [True]
    assert paused.triggers
    assert len(paused.triggers) == len(live.triggers) == 1


def test_a_zombie_is_given_three_heartbeats() -> None:
    assert serve.ZOMBIE_S >= 3 * serve.HEARTBEAT_S
    trigger = serve.zombie_automation().trigger
    assert isinstance(trigger, EventTrigger)
    assert trigger.within == dt.timedelta(seconds=serve.ZOMBIE_S)
