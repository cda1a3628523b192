"""Which revisions the tasks of a service shall run."""

from collections.abc import Callable, Iterator

from platform_sdk.deploy.canonical import document_digest
from platform_sdk.deploy.diff import diff_task_definitions
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.names import schedule_name
from platform_sdk.deploy.plan.decisions import ExistingRevision, NewRevision, RevisionPlan, Target
from platform_sdk.deploy.plan.stack import is_placeholder
from platform_sdk.deploy.render import Role, family_of, standalone_task, task_definition
from platform_sdk.deploy.render.task_definition import APP
from platform_sdk.deploy.state import ServiceState, TaskDefinition

Json = dict[str, object]


def plan_role(
    spec: ServiceSpec, environment: Environment, state: ServiceState, role: Role, image: str | None
) -> RevisionPlan:
    """Of the API or the worker. Without an image, the one that runs is kept; before a release there is none."""
    live = released(state.api_revision if role == "api" else state.worker_revision)
    return revision_plan(
        role,
        family_of(spec, environment, role),
        live,
        state.newer_revisions.get(role),
        image or image_of(live) or image_of(released(state.api_revision)),
        lambda known: task_definition(spec, environment, image=known, role=role),
    )


def plan_standalone(
    spec: ServiceSpec, environment: Environment, state: ServiceState, image: str | None
) -> Iterator[RevisionPlan]:
    """Of each `[[tasks]]`: the next start takes the newest revision of the family."""
    for task in spec.tasks:
        live = state.standalone_revisions.get(task.name)
        yield revision_plan(
            task.name,
            schedule_name(environment.name, spec.name, task.name),
            live,
            None,
            image or image_of(live) or image_of(released(state.api_revision)),
            lambda known, task=task: standalone_task(spec, environment, task, image=known),  # type: ignore[misc]
        )


def revision_plan(
    role: str,
    family: str,
    live: TaskDefinition | None,
    newer: TaskDefinition | None,
    image: str | None,
    render: Callable[[str], Json],
) -> RevisionPlan:
    document = render(image) if image is not None else None
    target = target_of(document, live, newer) if document is not None else None
    return RevisionPlan(
        role=role,
        family=family,
        live=live.arn if live is not None else None,
        image=image,
        target=target,
        changes=diff_task_definitions(role, live.document, document) if live is not None and target is not None else (),
    )


def target_of(document: Json, live: TaskDefinition | None, newer: TaskDefinition | None) -> Target | None:
    digest = document_digest(document)
    if live is not None and document_digest(live.document) == digest:
        return None
    if newer is not None and document_digest(newer.document) == digest:
        return ExistingRevision(arn=newer.arn)
    return NewRevision(document=document)


def released(revision: TaskDefinition | None) -> TaskDefinition | None:
    """The placeholder with which a service is created is nobody's version."""
    return None if revision is None or is_placeholder(revision.family) else revision


def image_of(revision: TaskDefinition | None) -> str | None:
    """Of the app, as its revision names it."""
    containers = revision.document["containerDefinitions"] if revision is not None else []
    assert isinstance(containers, list), "containers are a list"
    return next((str(container["image"]) for container in containers if container["name"] == APP), None)
