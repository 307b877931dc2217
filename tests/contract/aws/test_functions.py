"""Lambda: real handlers in processes of their own."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.aws.conftest import wait_until


@pytest.fixture
def functions(aws: Any, clients: Any) -> Any:
    return clients("lambda")


def invoke(functions: Any, name: str, event: Any = None) -> tuple[str | None, Any]:
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event or {}).encode())
    return answer.get("FunctionError"), json.load(answer["Payload"])


def test_a_function_has_its_own_environment_and_stays_warm(functions: Any, make_function: Any) -> None:
    make_function("echo", "first", Environment={"Variables": {"VARIABLE": "1"}})
    make_function("echo", "second", Environment={"Variables": {"VARIABLE": "2"}})
    _, first = invoke(functions, "first", {"a": 1})
    _, second = invoke(functions, "second")
    _, again = invoke(functions, "first")
    assert (first["event"], first["variable"], second["variable"]) == ({"a": 1}, "1", "2")
    assert (first["function"], first["region"], first["cold"]) == ("first", "ap-northeast-1", True)
    assert (again["pid"], again["cold"]) == (first["pid"], False)
    assert first["pid"] != second["pid"]
    assert 8_000 < first["remaining_ms"] <= 10_000


def test_concurrent_invocations_run_in_processes_of_their_own(functions: Any, make_function: Any) -> None:
    make_function("misbehave")
    event = {"how": "sleep", "seconds": 0.5}
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda _: invoke(functions, "misbehave", event), range(3)))
    assert outcomes == [(None, {"slept": True})] * 3


@pytest.mark.parametrize(
    ("event", "error_type"),
    [
        ({"how": "raise"}, "PodNotReadyError"),
        ({"how": "exit"}, "Runtime.ExitError"),
        ({"how": "not json"}, "Runtime.MarshalError"),
        ({"how": "sleep", "seconds": 9}, "Sandbox.Timedout"),
    ],
)
def test_a_handler_that_fails_is_reported_as_lambda_does(
    functions: Any, make_function: Any, event: Any, error_type: str
) -> None:
    make_function("misbehave", Timeout=1)
    error, answer = invoke(functions, "misbehave", event)
    assert (error, answer["errorType"]) == ("Unhandled", error_type)
    assert answer["errorMessage"]
    assert invoke(functions, "misbehave", {"how": "well"}) == (None, {"slept": True})


def test_a_handler_that_does_not_exist_is_an_error_of_the_runtime(functions: Any, make_function: Any) -> None:
    make_function("no_such_handler")
    assert invoke(functions, "no_such_handler")[1]["errorType"] == "Runtime.HandlerNotFound"


def test_an_unknown_function_is_not_found(functions: Any) -> None:
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Function not found: nobody"):
        functions.invoke(FunctionName="nobody")


def test_a_function_acts_under_its_own_role(functions: Any, make_function: Any) -> None:
    make_function("identity", "check")
    assert invoke(functions, "check")[1] == "arn:aws:sts::123456789012:assumed-role/Backup/check"


def test_changed_settings_reach_the_next_invocation(functions: Any, make_function: Any) -> None:
    make_function("echo", Environment={"Variables": {"VARIABLE": "old"}})
    before = invoke(functions, "echo")[1]
    functions.update_function_configuration(FunctionName="echo", Environment={"Variables": {"VARIABLE": "new"}})
    after = invoke(functions, "echo")[1]
    assert (before["variable"], after["variable"]) == ("old", "new")
    assert before["pid"] != after["pid"]


def test_a_killed_process_answers_exit_error_and_the_next_one_works(aws: Any, functions: Any, make_function: Any) -> None:
    make_function("misbehave")
    aws.kill("behave", payload_contains={"step": "capture"}, after_seconds=0.2)
    slow = {"how": "sleep", "seconds": 1}
    assert invoke(functions, "misbehave", {**slow, "step": "resume"}) == (None, {"slept": True})
    error, answer = invoke(functions, "misbehave", {**slow, "step": "capture"})
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "killed" in answer["errorMessage"]
    assert invoke(functions, "misbehave", {**slow, "step": "capture"}) == (None, {"slept": True})
    assert [json.loads(kill["payload"])["step"] for kill in aws.killed()] == ["capture"]


def test_a_process_can_die_when_its_work_is_done_so_that_its_answer_is_lost(
    aws: Any, functions: Any, make_function: Any
) -> None:
    make_function("echo")
    invoke(functions, "echo")
    aws.kill("echo", at_end=True)
    assert invoke(functions, "echo")[1]["errorType"] == "Runtime.ExitError"
    assert aws.logs("echo").count("echo was called") == 2
    assert invoke(functions, "echo")[0] is None


def test_an_invocation_that_runs_already_can_be_killed(aws: Any, functions: Any, make_function: Any) -> None:
    make_function("misbehave")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(invoke, functions, "misbehave", {"how": "sleep", "seconds": 5})
        wait_until(lambda: any(one["busy"] for one in aws.functions()), "the function to run")
        (busy,) = [one for one in aws.functions() if one["busy"]]
        assert json.loads(busy["payload"])["how"] == "sleep"
        aws.kill("misbehave")
        assert running.result()[1]["errorType"] == "Runtime.ExitError"


def test_an_asynchronous_invocation_is_retried_twice(aws: Any, functions: Any, make_function: Any, make_queue: Any) -> None:
    aws.settings(lambda_retry_seconds=0.05)
    make_function("fail_twice")
    answer = functions.invoke(FunctionName="fail_twice", InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202
    wait_until(lambda: sum("END" in line for line in aws.logs("fail_twice")) == 3, "three attempts")
    assert invoke(functions, "fail_twice")[1] == {"attempts": 4}


def test_what_still_fails_goes_to_the_dead_letter_queue(
    aws: Any, functions: Any, make_function: Any, make_queue: Any, received: Any
) -> None:
    aws.settings(lambda_retry_seconds=0.01)
    url, arn = make_queue("dead-letters")
    make_function("misbehave", DeadLetterConfig={"TargetArn": arn})
    answer = functions.invoke(FunctionName="misbehave", InvocationType="Event", Payload=b'{"how": "raise"}')
    (message,) = received(url)
    assert json.loads(message["Body"]) == {"how": "raise"}
    assert "PodNotReadyError" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    request_id = message["MessageAttributes"]["RequestID"]["StringValue"]
    assert request_id == answer["ResponseMetadata"]["RequestId"]
    assert sum("START" in line for line in aws.logs("misbehave")) == 3


def test_logs_can_be_read(aws: Any, functions: Any, make_function: Any) -> None:
    make_function("echo")
    invoke(functions, "echo")
    wait_until(lambda: "echo was called" in aws.logs("echo"), "the handler's line in the log")


def test_a_reset_stops_every_process(aws: Any, functions: Any, make_function: Any) -> None:
    make_function("echo")
    pid = invoke(functions, "echo")[1]["pid"]
    aws.reset()
    assert aws.functions() == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
    assert functions.list_functions()["Functions"] == []
