"""The host as a process: triggers, keys, the management API and the SDK's own client, in real time."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.azure.durable import process
from infra.sandbox.azure.durable.process import HostError, RunningHost
from infra.sandbox.azure.durable.protocol import TERMINAL
from tests.contract.azure_durable.conftest import wait_until

APP = "tests.contract.azure_durable.sample"
NEVER = "0 0 0 29 2 *"


def settings(journal: Path, **more: str) -> dict[str, str]:
    journal.touch()
    return {"SAMPLE_JOURNAL": str(journal), "SAMPLE_SCHEDULE": NEVER, "TASK_HUB": "SampleHub", **more}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def host(directory: Path) -> Iterator[RunningHost]:
    with process.start(APP, directory / "state", settings=settings(directory / "journal"), log_file=directory / "log") as host:
        yield host


def ended(host: RunningHost, instance: str) -> dict[str, Any]:
    wait_until(lambda: host.status(instance)["runtimeStatus"] in TERMINAL, f"the end of {instance}")
    return host.status(instance)


def waiting(host: RunningHost, instance: str = "") -> str:
    """An instance that waits for the event Approve."""
    started = host.start("approval", None, instance)
    wait_until(lambda: host.status(started)["customStatus"] == "waiting", "the wait for the event")
    return started


# --- HTTP


def test_an_http_function_starts_an_instance_through_the_sdks_client(host: RunningHost) -> None:
    answer = host.call("POST", "/api/backups/tokyo", {"n": 1})
    assert (answer.status, answer.headers["retry-after"]) == (202, "10")
    links = answer.json
    assert links["id"] == "backup-tokyo"
    assert answer.headers["location"] == links["statusQueryGetUri"]
    wait_until(lambda: host.request("GET", links["statusQueryGetUri"]).status == 200, "the end of the instance")
    status = host.request("GET", links["statusQueryGetUri"]).json
    assert status["output"] == ["Hello Tokyo", {"hello": "Osaka"}, {"n": 1}]
    assert "taskHub=SampleHub" in links["statusQueryGetUri"]


def test_function_keys_open_what_their_level_says(host: RunningHost) -> None:
    keys, path = host.keys, "/api/backups/keys"
    assert host.request("POST", path, {}).status == 401
    assert host.request("POST", path, {}, key="wrong").status == 401
    assert host.request("POST", path, {}, key=keys.functions["breaks"]).status == 401
    assert host.request("POST", path + f"?code={keys.functions['start_backup']}", {}).status == 202
    assert host.request("GET", "/api/environment?name=TASK_HUB").status == 200
    assert host.request("GET", "/api/breaks", key=keys.default).status == 401


def test_an_http_function_that_raises_answers_500_and_its_log_says_why(host: RunningHost) -> None:
    assert host.request("GET", "/api/breaks", key=host.keys.master).status == 500
    wait_until(lambda: any("RuntimeError: as asked" in line for line in host.logs()), "the log")


def test_methods_and_routes_that_no_function_has_are_refused(host: RunningHost) -> None:
    assert host.call("GET", "/api/backups/tokyo").status == 405
    assert host.call("POST", "/api/nothing").status == 404


def test_the_app_sees_its_settings_and_nothing_of_the_hosts_environment(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert host.request("GET", "/api/environment?name=TASK_HUB").json["value"] == "SampleHub"
    assert host.request("GET", "/api/environment?name=FUNCTIONS_WORKER_RUNTIME").json["value"] == "python"
    assert host.request("GET", "/api/environment?name=PYTEST_CURRENT_TEST").json["value"] is None


# --- management API


def test_management_needs_the_system_key(host: RunningHost) -> None:
    path = "/runtime/webhooks/durabletask/instances"
    assert host.request("GET", path).status == 401
    assert host.request("GET", path, key=host.keys.default).status == 401
    assert host.request("GET", path, key=host.keys.master).status == 200
    assert host.manage("GET", "/instances").status == 200


def test_a_status_is_202_with_an_address_while_it_runs_and_200_at_the_end(host: RunningHost) -> None:
    instance = waiting(host)
    answer = host.manage("GET", f"/instances/{instance}")
    assert (answer.status, answer.headers["retry-after"]) == (202, "5")
    assert host.request("GET", answer.headers["location"]).json["runtimeStatus"] == "Running"
    assert host.manage("POST", f"/instances/{instance}/raiseEvent/Approve", {"by": "me"}).status == 202
    assert ended(host, instance)["output"] == {"approved": {"by": "me"}}
    assert host.manage("GET", f"/instances/{instance}").status == 200
    assert set(host.status(instance)) == {
        *("name", "instanceId", "runtimeStatus", "input", "customStatus", "output", "createdTime", "lastUpdatedTime")
    }


def test_what_is_unknown_is_404_and_what_has_ended_is_410(host: RunningHost) -> None:
    instance = waiting(host)
    assert host.manage("POST", f"/instances/{instance}/terminate?reason=enough").status == 202
    status = ended(host, instance)
    assert (status["runtimeStatus"], status["output"]) == ("Terminated", "enough")
    for operation in ("terminate", "suspend", "resume", "raiseEvent/Approve"):
        assert host.manage("POST", f"/instances/{instance}/{operation}", {}).status == 410, operation
        assert host.manage("POST", f"/instances/unknown/{operation}", {}).status == 404, operation
    assert host.manage("GET", "/instances/unknown").status == 404


def test_suspend_and_resume(host: RunningHost) -> None:
    instance = waiting(host)
    assert host.manage("POST", f"/instances/{instance}/suspend").status == 202
    host.manage("POST", f"/instances/{instance}/raiseEvent/Approve", 1)
    assert host.manage("GET", f"/instances/{instance}").json["runtimeStatus"] == "Suspended"
    assert host.manage("POST", f"/instances/{instance}/resume").status == 202
    assert ended(host, instance)["output"] == {"approved": 1}


def test_a_live_instance_is_409_and_an_unknown_function_400_with_what_the_client_raises(host: RunningHost) -> None:
    instance = waiting(host)
    answer = host.manage("POST", f"/orchestrators/chain/{instance}")
    assert answer.status == 409
    assert "already exists" in answer.text
    answer = host.manage("POST", "/orchestrators/nobody")
    assert answer.status == 400
    assert "'nobody' doesn't exist" in answer.json["ExceptionMessage"]


def test_events_must_be_json(host: RunningHost) -> None:
    path = f"/instances/{waiting(host)}/raiseEvent/Approve"
    assert host.manage("POST", path, b"{").status == 400
    assert host.manage("POST", path, b"x", headers={"Content-Type": "text/plain"}).status == 400


def test_purge_takes_only_what_has_ended(host: RunningHost) -> None:
    instance = waiting(host)
    assert host.manage("DELETE", f"/instances/{instance}").status == 412
    host.manage("POST", f"/instances/{instance}/terminate")
    ended(host, instance)
    answer = host.manage("DELETE", f"/instances/{instance}")
    assert (answer.status, answer.json) == (200, {"instancesDeleted": 1})
    assert host.manage("DELETE", f"/instances/{instance}").status == 404


def test_purge_by_time_needs_a_time_and_leaves_what_runs(host: RunningHost) -> None:
    live, done = waiting(host, "purge-live"), host.start("chain", None, "purge-done")
    ended(host, done)
    assert host.manage("DELETE", "/instances/").status == 400
    query = "createdTimeFrom=2020-01-01T00:00:00Z&instanceIdPrefix=purge-"
    assert host.manage("DELETE", f"/instances/?{query}").json == {"instancesDeleted": 1}
    assert host.manage("DELETE", f"/instances/?{query}").status == 404
    assert host.status(live)["runtimeStatus"] == "Running"


def test_the_list_is_filtered_and_comes_in_pages(host: RunningHost) -> None:
    for number in range(3):
        waiting(host, f"listed-{number}")
    first = host.manage("GET", "/instances?instanceIdPrefix=listed-&top=2&runtimeStatus=Running,Pending")
    token = first.headers["x-ms-continuation-token"]
    headers = {"x-ms-continuation-token": token}
    second = host.manage("GET", "/instances?instanceIdPrefix=listed-&top=2", headers=headers)
    assert [found["instanceId"] for found in first.json + second.json] == ["listed-0", "listed-1", "listed-2"]
    assert second.headers["x-ms-continuation-token"] == ""
    assert host.manage("GET", "/instances?instanceIdPrefix=listed-&runtimeStatus=Failed").json == []


def test_the_history_joins_start_and_end_of_a_task(host: RunningHost) -> None:
    instance = host.start("chain", {"n": 1})
    ended(host, instance)
    path = f"/instances/{instance}?showHistory=true&showHistoryOutput=true&showInput=false"
    status = host.manage("GET", path).json
    assert status["input"] is None
    events = status["historyEvents"]
    assert [event["EventType"] for event in events] == [
        *("ExecutionStarted", "TaskCompleted", "TaskCompleted", "ExecutionCompleted")
    ]
    assert events[1]["FunctionName"] == "hello"
    assert events[1]["Result"] == "Hello Tokyo"
    assert events[1]["ScheduledTime"] <= events[1]["Timestamp"]


def test_a_failed_instance_answers_500_to_those_who_ask_for_it(host: RunningHost) -> None:
    instance = host.start("raises_at_once")
    ended(host, instance)
    assert host.manage("GET", f"/instances/{instance}").status == 200
    assert host.manage("GET", f"/instances/{instance}?returnInternalServerErrorOnFailure=true").status == 500


def test_a_start_can_wait_for_the_output(host: RunningHost) -> None:
    answer = host.manage("POST", "/orchestrators/chain?timeout=20&pollingInterval=0.05", {"n": 3})
    assert (answer.status, answer.json) == (200, ["Hello Tokyo", {"hello": "Osaka"}, {"n": 3}])
    assert host.manage("POST", "/orchestrators/approval?timeout=0.1&pollingInterval=0.05").status == 202


def test_restart_and_rewind(host: RunningHost) -> None:
    instance = host.start("chain", {"n": 5})
    ended(host, instance)
    again = host.manage("POST", f"/instances/{instance}/restart")
    assert again.status == 202
    assert again.json["id"] != instance
    assert ended(host, again.json["id"])["output"][2] == {"n": 5}
    assert host.manage("POST", "/instances/unknown/restart").status == 400
    live = waiting(host)
    assert host.manage("POST", f"/instances/{live}/restart?restartWithNewInstanceId=false").status == 409
    assert host.manage("POST", f"/instances/{live}/rewind").status == 412


def test_entities_over_http(host: RunningHost) -> None:
    assert host.manage("GET", "/entities/Counter/http").status == 404
    assert host.manage("POST", "/entities/Counter/http?op=add", 4).status == 202
    wait_until(lambda: host.manage("GET", "/entities/Counter/http").status == 200, "the entity")
    assert host.manage("GET", "/entities/Counter/http").json == 4


def test_an_activity_may_start_instances_with_a_client_of_its_own(host: RunningHost) -> None:
    other = ended(host, host.start("starts_through_activity"))["output"]
    assert ended(host, other)["output"][2] == "from an activity"


# --- Event Grid, timers, admin


def journal(directory: Path) -> list[str]:
    return (directory / "journal").read_text().splitlines()


EVENT = {
    "id": "1",
    "topic": "/t",
    "subject": "s1",
    "eventType": "Grid.Type",
    "eventTime": "2026-01-01T00:00:00Z",
    "data": {},
    "dataVersion": "1",
}
CLOUD_EVENT = {"specversion": "1.0", "id": "2", "source": "/s", "type": "Cloud.Type", "subject": "s2", "data": {}}


def test_event_grid_delivers_in_both_schemas(host: RunningHost, directory: Path) -> None:
    assert host.send_events("cluster_event", [EVENT, {**EVENT, "subject": "s3"}]).status == 202
    assert host.send_events("cluster_event", CLOUD_EVENT).status == 202
    assert {"event Grid.Type s1", "event Grid.Type s3", "event Cloud.Type s2"} <= set(journal(directory))


def test_one_event_that_fails_fails_the_whole_delivery(host: RunningHost) -> None:
    assert host.send_events("cluster_event", [EVENT, {**EVENT, "data": {"fail": True}}]).status == 500


def test_event_grid_validates_its_webhook_in_both_schemas(host: RunningHost) -> None:
    code = {"validationCode": "512d38b6"}
    for body in ([{**EVENT, "data": code}], {**CLOUD_EVENT, "data": json.dumps(code)}):
        answer = host.send_events("cluster_event", body, "SubscriptionValidation")
        assert (answer.status, answer.json) == (200, {"validationResponse": "512d38b6"})
    assert host.send_events("cluster_event", [], "Unsubscribe").status == 202
    assert host.send_events("cluster_event", [EVENT], "Other").status == 400
    assert host.send_events("nobody", [EVENT]).status == 404
    assert host.send_events("start_backup", [EVENT]).status == 404


def test_the_event_grid_webhook_needs_its_key(host: RunningHost) -> None:
    headers = {"aeg-event-type": "Notification"}
    path = "/runtime/webhooks/EventGrid?functionName=cluster_event"
    assert host.request("POST", path, [EVENT], headers=headers).status == 401
    assert host.request("POST", host.event_grid_address("cluster_event"), [EVENT], headers=headers).status == 202


def test_a_timer_function_can_be_fired_by_hand_with_the_master_key(host: RunningHost, directory: Path) -> None:
    before = journal(directory).count("nightly in time")
    assert host.fire("nightly").status == 202
    wait_until(lambda: journal(directory).count("nightly in time") == before + 1, "the timer function")
    assert host.request("POST", "/admin/functions/nightly", {"input": ""}, key=host.keys.default).status == 401
    assert host.fire("nobody").status == 404
    assert host.fire("chain").status == 400


# --- the worker dies


def test_a_killed_worker_loses_nothing_what_ran_in_it_runs_again(host: RunningHost, directory: Path) -> None:
    host.kill_worker("slow", {"key": "killed"}, after_seconds=0.1)
    assert ended(host, host.start("slow_one", {"key": "killed", "seconds": 0.4}))["output"] == "killed"
    assert [line for line in journal(directory) if line.endswith(" killed")] == [
        *("slow begins killed", "slow begins killed", "slow ends killed")
    ]
    assert host.killed()[-1]["function"] == "slow"


def test_a_worker_killed_in_an_orchestrator_plays_the_episode_again(host: RunningHost) -> None:
    host.kill_worker("chain", times=2)
    assert ended(host, host.start("chain"))["runtimeStatus"] == "Completed"
    assert [kill["function"] for kill in host.killed()[-2:]] == ["chain", "chain"]


def test_a_worker_killed_at_the_end_of_an_activity_has_done_its_work_and_does_it_again(
    host: RunningHost, directory: Path
) -> None:
    host.kill_worker("slow", {"key": "unheard"}, at_end=True)
    assert ended(host, host.start("slow_one", {"key": "unheard", "seconds": 0}))["output"] == "unheard"
    lines = [line for line in journal(directory) if line.endswith(" unheard")]
    assert lines == ["slow begins unheard", "slow ends unheard"] * 2


def test_a_worker_killed_at_the_start_of_an_activity_has_done_nothing(host: RunningHost, directory: Path) -> None:
    host.kill_worker("slow", {"key": "unborn"}, times=2)
    assert ended(host, host.start("slow_one", {"key": "unborn", "seconds": 0}))["output"] == "unborn"
    assert journal(directory).count("slow begins unborn") == 1
    with pytest.raises(HostError, match="Unknown field when"):
        host._sandbox("POST", "kill", {"when": "now"})


def test_a_worker_killed_between_activities_is_started_again(host: RunningHost) -> None:
    gone = host.kill_worker_now()
    assert host.request("GET", "/api/environment?name=X").json["pid"] != gone


def test_what_runs_can_be_seen(host: RunningHost) -> None:
    instance = host.start("slow_one", {"key": "seen", "seconds": 0.5})
    wait_until(lambda: any(each["function"] == "slow" for each in host.running()), "the activity")
    assert ended(host, instance)["output"] == "seen"


# --- the host dies


def test_a_host_killed_and_started_again_goes_on_at_the_same_address(tmp_path: Path) -> None:
    given = settings(tmp_path / "journal")
    with process.start(APP, tmp_path / "state", settings=given, log_file=tmp_path / "log") as host:
        instance = host.start("slow_one", {"key": "k", "seconds": 1})
        wait_until(lambda: "slow begins k" in journal(tmp_path), "the activity")
        url, keys = host.url, host.keys
        worker = host.request("GET", "/api/environment?name=X").json["pid"]
        host.kill()
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the end of the worker")
        host.restart(settings={**given, "AzureWebJobs.start_backup.Disabled": "true"})
        assert (host.url, host.keys.systems) == (url, keys.systems)
        assert ended(host, instance)["output"] == "k"
        assert journal(tmp_path) == ["slow begins k", "slow begins k", "slow ends k"]
        assert host.call("POST", "/api/backups/x", {}).status == 404  # disabled by its app setting


def test_virtual_time_passes_when_told_to_and_timers_are_made_up(tmp_path: Path) -> None:
    midnight = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    given = settings(tmp_path / "journal", SAMPLE_SCHEDULE="0 0 3 * * *")
    with process.start(
        APP, tmp_path / "state", settings=given, clock="manual", clock_start=midnight, log_file=tmp_path / "log"
    ) as host:
        instance = waiting(host)
        assert host.advance(3600) == midnight + dt.timedelta(hours=1)
        assert host.status(instance)["runtimeStatus"] == "Running"
        host.advance(3600)
        assert host.status(instance)["output"] == "too late"
        host.advance(7200)
        assert journal(tmp_path)[:1] == ["nightly in time"]
        host.restart(clock_start=midnight + dt.timedelta(days=3))
        wait_until(lambda: "nightly late" in journal(tmp_path), "the missed occurrence")


def test_an_app_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"ModuleNotFoundError.*nowhere"):
        process.start("nowhere.at_all", tmp_path / "state")


def test_an_app_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    given = settings(tmp_path / "journal")
    del given["SAMPLE_SCHEDULE"]
    with pytest.raises(HostError, match="SAMPLE_SCHEDULE"):
        process.start(APP, tmp_path / "state", settings=given, log_file=tmp_path / "log")


def test_events_from_several_clients_are_all_delivered(host: RunningHost) -> None:
    """The management API, the engine and the worker share one file."""
    instances = [host.start("collects", []) for _ in range(3)]

    def send(instance: str) -> None:
        for number in range(3):
            assert host.manage("POST", f"/instances/{instance}/raiseEvent/Item", number).status == 202

    threads = [threading.Thread(target=send, args=(instance,)) for instance in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outputs = [ended(host, instance)["output"] for instance in instances]
    assert outputs == [[0, 1, 2]] * 3
