"""Repositories: immutable tags, digests that behave, scans that take their time, and what a manifest contains."""

import json
from datetime import timedelta
from typing import Any

import pytest

from aws_simulator import AwsSimulator, Behaviour
from aws_simulator.ecr import Ecr, Repository


@pytest.fixture
def repository(simulator: AwsSimulator) -> Repository:
    simulator.client("ecr").create_repository(
        repositoryName="orders", imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True}
    )
    return simulator.service(Ecr).repositories["orders"]


def digest_of(uri: str) -> str:
    return uri.partition("@")[2]


def test_a_push_makes_an_image_whose_tasks_behave(simulator: AwsSimulator, repository: Repository) -> None:
    slow = Behaviour(kind="slow")
    uri = simulator.service(Ecr).push("orders", "v1", slow)
    assert uri.startswith(f"{simulator.account_id}.dkr.ecr.us-east-1.amazonaws.com/orders:v1@sha256:")
    assert simulator.behaviour_of(uri) == slow
    (found,) = simulator.client("ecr").describe_images(repositoryName="orders", imageIds=[{"imageTag": "v1"}])[
        "imageDetails"
    ]
    assert (found["imageDigest"], found["imageTags"], found["imagePushedAt"]) == (
        digest_of(uri),
        ["v1"],
        simulator.now(),
    )


def test_a_tag_that_is_taken_cannot_be_given_again(simulator: AwsSimulator, repository: Repository) -> None:
    ecr = simulator.service(Ecr)
    ecr.push("orders", "v1")
    with pytest.raises(Exception, match="ImageTagAlreadyExistsException"):
        ecr.push("orders", "v1", digest="sha256:" + "a" * 64)
    client = simulator.client("ecr")
    with pytest.raises(client.exceptions.ImageTagAlreadyExistsException, match="the tag is immutable"):
        client.put_image(repositoryName="orders", imageManifest="{}", imageTag="v1")


def test_the_same_image_again_is_said_to_be_there(simulator: AwsSimulator, repository: Repository) -> None:
    client = simulator.client("ecr")
    simulator.service(Ecr).push("orders", "v1")
    (found,) = client.batch_get_image(repositoryName="orders", imageIds=[{"imageTag": "v1"}])["images"]
    with pytest.raises(client.exceptions.ImageAlreadyExistsException):
        client.put_image(repositoryName="orders", imageManifest=found["imageManifest"], imageTag="v1")
    again = client.put_image(repositoryName="orders", imageManifest=found["imageManifest"], imageTag="latest")
    assert again["image"]["imageId"] == {"imageDigest": found["imageId"]["imageDigest"], "imageTag": "latest"}


def test_where_tags_may_move_the_last_push_has_it(simulator: AwsSimulator) -> None:
    simulator.client("ecr").create_repository(repositoryName="moving")
    ecr = simulator.service(Ecr)
    first, second = ecr.push("moving", "v1"), ecr.push("moving", "v1", digest="sha256:" + "a" * 64)
    found = ecr.repositories["moving"].find({"imageTag": "v1"})
    assert found is not None
    assert found.digest == digest_of(second) != digest_of(first)


@pytest.mark.parametrize(
    ("scan_type", "statuses", "form"),
    [("BASIC", ("IN_PROGRESS", "COMPLETE"), "findings"), ("ENHANCED", ("PENDING", "ACTIVE"), "enhancedFindings")],
)
def test_a_scan_takes_its_time(
    simulator: AwsSimulator, repository: Repository, scan_type: Any, statuses: tuple[str, str], form: str
) -> None:
    repository.scan_type = scan_type
    uri = simulator.service(Ecr).push("orders", "v1", severities={"CRITICAL": 1, "LOW": 2}, scan_seconds=30)
    ask = {"repositoryName": "orders", "imageId": {"imageDigest": digest_of(uri)}}
    client = simulator.client("ecr")
    early = client.describe_image_scan_findings(**ask)
    assert (early["imageScanStatus"]["status"], "imageScanFindings" in early) == (statuses[0], False)
    simulator.clock.sleep(30)
    late = client.describe_image_scan_findings(**ask)
    assert late["imageScanStatus"]["status"] == statuses[1]
    assert late["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 2}
    assert [one["severity"] for one in late["imageScanFindings"][form]] == ["CRITICAL", "LOW", "LOW"]
    (detail,) = client.describe_images(repositoryName="orders", imageIds=[ask["imageId"]])["imageDetails"]
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 2}


def test_what_is_not_scanned_has_no_findings(simulator: AwsSimulator) -> None:
    client = simulator.client("ecr")
    client.create_repository(repositoryName="quiet")
    uri = simulator.service(Ecr).push("quiet", "v1")
    with pytest.raises(client.exceptions.ScanNotFoundException):
        client.describe_image_scan_findings(repositoryName="quiet", imageId={"imageDigest": digest_of(uri)})


def test_an_index_names_the_architecture_and_a_single_manifest_does_not(
    simulator: AwsSimulator, repository: Repository
) -> None:
    ecr = simulator.service(Ecr)
    ecr.push("orders", "v1", architecture="arm64")
    ecr.push("orders", "v2", manifest="single")
    ids = [{"imageTag": "v1"}, {"imageTag": "v2"}, {"imageTag": "v3"}]
    answer = simulator.client("ecr").batch_get_image(repositoryName="orders", imageIds=ids)
    index, single = (json.loads(one["imageManifest"]) for one in answer["images"])
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["arm64", "unknown"]
    assert "architecture" not in json.dumps(single)
    assert [one["failureCode"] for one in answer["failures"]] == ["ImageNotFound"]


def test_what_is_not_there_is_refused_by_name(simulator: AwsSimulator, repository: Repository) -> None:
    client = simulator.client("ecr")
    with pytest.raises(client.exceptions.RepositoryNotFoundException, match="'nothing' does not exist"):
        client.describe_images(repositoryName="nothing")
    with pytest.raises(client.exceptions.ImageNotFoundException, match="imageTag:'v9'"):
        client.describe_images(repositoryName="orders", imageIds=[{"imageTag": "v9"}])
    with pytest.raises(client.exceptions.RepositoryAlreadyExistsException):
        client.create_repository(repositoryName="orders")


def test_a_repository_with_images_is_not_deleted(simulator: AwsSimulator, repository: Repository) -> None:
    client = simulator.client("ecr")
    simulator.service(Ecr).push("orders", "v1", pushed_at=simulator.now() - timedelta(days=3))
    with pytest.raises(client.exceptions.RepositoryNotEmptyException):
        client.delete_repository(repositoryName="orders")
    client.delete_repository(repositoryName="orders", force=True)
    with pytest.raises(client.exceptions.RepositoryNotFoundException):
        client.describe_images(repositoryName="orders")


def test_images_are_listed_in_pages(simulator: AwsSimulator, repository: Repository) -> None:
    for number in range(5):
        simulator.service(Ecr).push("orders", f"v{number}")
    pages = list(
        simulator.client("ecr").get_paginator("describe_images").paginate(repositoryName="orders", maxResults=2)
    )
    assert [len(page["imageDetails"]) for page in pages] == [2, 2, 1]


def test_a_token_is_for_the_registry(simulator: AwsSimulator) -> None:
    (data,) = simulator.client("ecr").get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == f"https://{simulator.account_id}.dkr.ecr.us-east-1.amazonaws.com"
    assert data["expiresAt"] - simulator.now() == timedelta(hours=12)
