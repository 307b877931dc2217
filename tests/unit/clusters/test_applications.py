"""The Deployments of a plan's releases: what stands against stopping them is a failed check by name, never a raise."""

from __future__ import annotations

import pytest

from shared.clusters.applications import FOUND, RIGHT_TO_STOP, ApplicationsInClusters
from shared.model.checks import CheckStatus
from shared.model.errors import Forbidden, NotReady, Unreachable
from shared.model.plan import EksCluster, Release
from tests.unit.clusters.one_deployment import NAME, NAMESPACE, NOW, OneDeployment

CLUSTER = EksCluster(name="prod-tokyo", region="ap-northeast-1")
RELEASE = Release(cluster=CLUSTER, namespace=NAMESPACE, helm_release="orders")
OTHER = Release(cluster=CLUSTER, namespace=NAMESPACE, helm_release="payments")


class At:
    def now(self):
        return NOW


class Application:
    """`missing` is what finding a release raises, by its name; `silent` why its pods do not serve."""

    def __init__(self, replicas=3):
        self.api = OneDeployment(replicas)
        self.missing, self.silent, self.asked_for = {}, {}, []
        self.applications = ApplicationsInClusters(self.open, self.find, self.serving, At())

    def open(self, cluster):
        assert cluster == CLUSTER
        return self.api

    def find(self, release):
        if error := self.missing.get(release.helm_release):
            raise error
        return NAMESPACE, NAME

    def serving(self, release):
        async def ask(pods):
            self.asked_for.append(release.helm_release)
            return self.silent

        return ask

    def rivals(self, *releases):
        return self.applications.rivals(releases or (RELEASE,))


def by_name(results):
    return {result.name: result for result in results}


def test_an_application_that_can_be_stopped_says_so_with_its_number_of_pods():
    results = by_name(Application().rivals())
    assert (results[FOUND].status, results[FOUND].subject) == (CheckStatus.OK, RELEASE.key)
    assert f"Deployment {NAMESPACE}/{NAME} is at 3" in results[FOUND].detail
    assert results[RIGHT_TO_STOP].status is CheckStatus.OK
    assert "rival-autoscaler" in results


@pytest.mark.parametrize("error", [NotReady("no such release.", hint="Install it."), Forbidden("cannot list deployments.")])
def test_what_is_not_found_is_a_failed_check_and_the_others_are_looked_at(error):
    application = Application()
    application.missing["payments"] = error
    results = application.rivals(OTHER, RELEASE)
    assert (results[0].name, results[0].subject, results[0].status) == (FOUND, OTHER.key, CheckStatus.FAILED)
    assert (results[0].detail, results[0].hint) == (error.message, error.hint)
    assert [result.status for result in results if result.subject == RELEASE.key] == [CheckStatus.OK]
    assert application.applications.replicas([OTHER, RELEASE]) == {RELEASE.key: 3}


def test_a_deployment_that_goes_between_two_looks_is_a_failed_check():
    application = Application()
    application.api.deployment = None
    (result,) = application.rivals()
    assert (result.status, "is gone" in result.detail) == (CheckStatus.FAILED, True)


def test_the_right_to_stop_is_asked_for_beforehand():
    application = Application()
    application.api.denied = {"patch deployments/scale"}
    result = by_name(application.rivals())[RIGHT_TO_STOP]
    assert (result.status, "scalar-restore" in result.hint) == (CheckStatus.FAILED, True)


def test_a_cluster_that_does_not_answer_is_raised():
    application = Application()
    application.missing["orders"] = Unreachable("no answer.")
    with pytest.raises(Unreachable):
        application.rivals()
    with pytest.raises(Unreachable):
        application.applications.replicas([RELEASE])


def test_a_deployment_at_zero_is_still_there():
    assert Application(replicas=0).applications.replicas([RELEASE]) == {RELEASE.key: 0}


def test_a_stop_goes_on_under_the_name_that_it_began_with():
    application = Application()
    progress = application.applications.stop(RELEASE, None)
    application.missing["orders"] = NotReady("its pods are gone.")
    while not progress.done:
        progress = application.applications.stop(RELEASE, progress)
        application.api.controllers_catch_up()
        application.api.pods_end()
    assert (progress.replicas_before, application.api.pods) == (3, [])


async def test_a_start_asks_the_pods_of_its_own_release_whether_they_serve():
    application = Application(replicas=2)
    stopped = application.applications.stop(RELEASE, None)
    application.silent = {"orders-0": "is paused"}
    progress = await application.applications.start(RELEASE, stopped, None)
    assert (progress.done, "orders-0 is paused" in progress.message) == (False, True)
    application.silent = {}
    assert (await application.applications.start(RELEASE, stopped, progress)).done
    assert application.asked_for == ["orders", "orders"]
