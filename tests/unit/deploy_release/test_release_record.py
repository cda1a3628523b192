"""What a pipeline reads of a release: the JSON record, the Markdown page, the JUnit report."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from aws_simulator import Behaviour
from platform_sdk.deploy.output.records import junit_of, record_of, summary_of
from platform_sdk.deploy.release.outcome import EXIT_CODES, Outcome
from tests.support.releases import world


@pytest.fixture(scope="module")
def failed() -> Outcome:
    case = world("users")
    case.simulator.fail("lambda", "GetFunction", how="denied")
    return case.deploy("v2", Behaviour(kind="crashes", log_lines=("KeyError: 'DATABASE_URL' | x",)))


def test_the_record_is_json_and_says_all_that_happened(failed: Outcome) -> None:
    record = json.loads(json.dumps(record_of(failed)))
    assert (record["outcome"], record["exit_code"], record["version"]) == ("failed_rolled_back", 12, "v2")
    assert record["deployment_id"] == failed.deployment_id
    assert record["rollback_deployment_id"]
    assert len(record["checks"]) == 14
    assert [stage["name"] for stage in record["stages"]] == ["register", "migrate", "worker", "shift", "roll back"]
    assert record["explanation"]["cause"]
    assert record["image"].endswith(record["image"].rpartition("@")[2])


def test_the_summary_shows_stages_cause_and_remedy(failed: Outcome) -> None:
    summary = summary_of(failed)
    assert summary.startswith("## users v2 in production: failed rolled back\n")
    assert "| shift | failed" in summary
    assert failed.explanation is not None
    assert f"Remedy: {failed.explanation.remedy}" in summary
    assert "14 checks, " in summary


def test_junit_has_a_case_for_each_check_and_stage(failed: Outcome) -> None:
    suite = ElementTree.fromstring(junit_of(failed))
    assert int(suite.attrib["tests"]) == len(suite) == 14 + 5
    failures = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    assert failures == ["shift"]
    skipped = [case.attrib["name"] for case in suite if case.find("skipped") is not None]
    assert {"hooks", "worker"} <= set(skipped)
    assert suite.attrib["failures"] == "1"


def test_every_kind_of_outcome_has_its_exit_code(failed: Outcome) -> None:
    codes = {kind: replace(failed, kind=kind).exit_code for kind in EXIT_CODES}
    assert codes == dict(EXIT_CODES)
    assert replace(failed, kind="interrupted", signal_number=15).exit_code == 143
