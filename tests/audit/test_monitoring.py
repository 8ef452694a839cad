"""conf/ for Prometheus and Grafana: promtool takes the rules, and they ask for figures that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.audit.node import Node, run
from tests.conftest import missing

CONF = Path(__file__).parents[2] / "conf"
RULES, DASHBOARD = CONF / "prometheus-rules.yml", CONF / "grafana-dashboard.json"

SERIES = """\
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'ipam_addresses{{instance="n1", network="pods", store="s", range_set="0"}}'
        values: '100x60'
      - series: 'ipam_leases{{instance="n1", network="pods", store="s", range_set="0"}}'
        values: '80x20 95x20 100x20'
      - series: 'ipam_store_up{{instance="n1", network="pods", store="s"}}'
        values: '1x60'
    alert_rule_test:
      - {{eval_time: 15m, alertname: IpamRangeSetNearlyExhausted, exp_alerts: []}}
      - {{eval_time: 15m, alertname: IpamRangeSetExhausted, exp_alerts: []}}
      - {{eval_time: 60m, alertname: IpamStoreDown, exp_alerts: []}}
    promql_expr_test:
      - expr: ALERTS{{alertname="IpamRangeSetNearlyExhausted", alertstate="firing"}}
        eval_time: 39m
        exp_samples:
          - labels: 'ALERTS{{alertname="IpamRangeSetNearlyExhausted", alertstate="firing", severity="warning",
              instance="n1", network="pods", store="s", range_set="0"}}'
            value: 1
      - expr: ALERTS{{alertname="IpamRangeSetExhausted", alertstate="firing"}}
        eval_time: 50m
        exp_samples:
          - labels: 'ALERTS{{alertname="IpamRangeSetExhausted", alertstate="firing", severity="critical",
              instance="n1", network="pods", store="s", range_set="0"}}'
            value: 1
"""
"""A range set that fills up: quiet at 80 %, a warning at 95, an alarm when it is full."""


@pytest.fixture(scope="module")
def promtool() -> str:
    """Prometheus' own checker (Debian: prometheus)."""
    path = shutil.which("promtool")
    if path is None:
        missing("promtool (Debian: prometheus)")
        raise AssertionError
    return path


def check(*command: object) -> str:
    """What a command that has to succeed says."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions() -> list[str]:
    """Every query of the dashboard."""
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]


def test_promtool_takes_the_rules(promtool: str) -> None:
    count = RULES.read_text().count("- alert:")
    assert f"SUCCESS: {count} rules found" in check(promtool, "check", "rules", RULES)


def test_a_range_set_that_fills_up_warns_and_then_alarms(promtool: str, tmp_path: Path) -> None:
    path = tmp_path / "test.yml"
    path.write_text(SERIES.format(rules=RULES))
    check(promtool, "test", "rules", path)


def test_promtool_takes_the_queries_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, expr in enumerate(expressions())
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in check(promtool, "check", "rules", path)


def test_promtool_takes_the_figures(promtool: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    node = Node(tmp_path)
    node.fill(2)
    figures = run(capfdbinary, "metrics", *node.options)[1]
    done = subprocess.run([promtool, "check", "metrics"], input=figures, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_rules_and_dashboard_ask_for_figures_that_there_are() -> None:
    code = "".join((CONF.parent / "ipam" / path).read_text() for path in ("audit/metrics.py", "daemon/metrics.py"))
    known = set(re.findall(r'"(ipam_[a-z_]+)"', code))
    asked = set(re.findall(r"\bipam_[a-z_]+", RULES.read_text() + " ".join(expressions())))
    assert len(asked) > 10
    for name in asked:
        assert name in known or re.sub(r"_(total|bucket|sum|count)$", "", name) in known, name


def test_the_dashboard_is_laid_out_without_overlaps() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    places = set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        x, y, width, height = (panel["gridPos"][key] for key in "xywh")
        assert x + width <= 24
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not cells & places, panel["title"]
        places |= cells
        assert panel["title"]
        assert panel["targets"]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert set(re.findall(r"\$(?!__)(\w+)", " ".join(expressions()))) <= variables
