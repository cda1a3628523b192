"""Whether tasks of this version can start: its image, what they are given, and what is registered for them."""

from collections.abc import Iterator

from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.manifest.variables import SecretReference, SecretStore
from platform_sdk.deploy.plan.diff import COMMIT_TAG
from platform_sdk.deploy.release.options import ExistingRevisions, NewImage
from platform_sdk.deploy.release.preflight.stack import Answer, Asked, fail, ok, skip
from platform_sdk.deploy.render.names import arn, role_name
from platform_sdk.deploy.render.task_definition import APP, render_standalone_task, render_task_definition
from platform_sdk.deploy.render.variables import secrets_of
from platform_sdk.deploy.state import Json
from platform_sdk.errors import PlatformError

MAX_VARIABLES = 100
"""Of a container."""
IN_REGISTRIES = {"x86_64": "amd64", "arm64": "arm64"}


def image(asked: Asked) -> Answer:
    uri = image_of(asked)
    if uri is None:
        return fail("the revision to go back to does not exist", "`platform history` lists those that do")
    if "amazonaws.com" not in uri:
        return skip(f"{uri} is not in ECR")
    name, _, digest = uri.partition("@")
    wanted = digest or name.rpartition(":")[2]
    found = asked.releasing.aws.images.image(asked.spec.name, wanted)
    if found is None:
        return fail(f"ECR has no image {wanted} of {asked.spec.name}", f"`platform build {asked.spec.name} --push`")
    needed = IN_REGISTRIES[asked.spec.task.architecture]
    if found.architectures and needed not in found.architectures:
        reason = f"the image is for {listed(found.architectures)}, and task.architecture is {needed}"
        return fail(reason, f"build it for {needed}, or change task.architecture")
    if not found.architectures:
        return skip(f"{shown(wanted)} is in ECR; for which architecture, a plain manifest does not say")
    return ok(f"{shown(wanted)} for {listed(found.architectures)}")


def shown(tag_or_digest: str) -> str:
    kind, colon, digest = tag_or_digest.partition(":")
    return f"{kind}:{digest[:12]}" if colon else tag_or_digest


def image_of(asked: Asked) -> str | None:
    match asked.release.target:
        case NewImage(uri=uri):
            return uri
        case ExistingRevisions(api=api):
            revision = asked.releasing.aws.ecs.revision(api)
            return None if revision is None else image_in(revision.document)


def image_in(document: Json) -> str | None:
    containers = document["containerDefinitions"]
    assert isinstance(containers, list), "containers are a list"
    return next((str(each["image"]) for each in containers if each["name"] == APP), None)


def secrets(asked: Asked) -> Answer:
    """ECS starts no task without all of them. Values are never shown, nor kept."""
    if asked.release.kind == "rollback":
        return skip("the revision names its own, with which it has served")
    wanted = list(secrets_of(asked.spec, asked.environment))
    if not wanted:
        return ok("none")
    missing = [fault for variable, secret in wanted for fault in missing_of(asked, variable, secret)]
    if missing:
        return fail("; ".join(missing), 'deploy/README.md, "Secrets", says how to set them')
    unread = [secret.name for _, secret in wanted if secret.json_key and keys_of(asked, secret) is None]
    names = listed(sorted(variable for variable, _ in wanted))
    if unread:
        return skip(f"{names} exist; their keys may not be read by this role")
    return ok(names)


def missing_of(asked: Asked, variable: str, secret: SecretReference) -> Iterator[str]:
    name = full_name(asked, secret)
    if secret.store is SecretStore.PARAMETER_STORE:
        if f"/{name}" not in asked.releasing.aws.parameters.values([f"/{name}"]):
            yield f"{variable}: there is no parameter /{name}"
    elif not asked.releasing.aws.secrets.exists(name):
        yield f"{variable}: there is no secret {name}"
    elif secret.json_key:
        keys = keys_of(asked, secret)
        if keys is not None and secret.json_key not in keys:
            yield f"{variable}: the secret {name} has no key `{secret.json_key}`"


def keys_of(asked: Asked, secret: SecretReference) -> set[str] | None:
    return asked.releasing.aws.secrets.keys(full_name(asked, secret))


def full_name(asked: Asked, secret: SecretReference) -> str:
    return f"platform/{asked.environment.name}/{asked.spec.name}/{secret.name}"


def roles(asked: Asked) -> Answer:
    """Twice: who registers a task definition hands its roles over, and so does CodeDeploy when it makes a task set."""
    identity, group = asked.releasing.aws.identity, asked.state.deployment_group
    principals = [identity.caller().arn, *([group.role_arn] if group is not None else [])]
    roles = [
        arn(asked.environment, "iam", f"role/{role_name(asked.environment.name, asked.spec.name, purpose)}",
            regional=False)
        for purpose in ("execution", "task")
    ]  # fmt: skip
    told = {(by, role): identity.may_pass(role, by=by, to="ecs-tasks.amazonaws.com")
            for by in principals for role in roles}  # fmt: skip
    refused = [f"{by} may not pass {role}" for (by, role), may in told.items() if may is False]
    if refused:
        return fail(
            "; ".join(refused),
            f"allow iam:PassRole on {listed(roles)} with iam:PassedToService ecs-tasks.amazonaws.com",
        )
    if None in told.values():
        return skip("this role may not ask IAM what may be passed (iam:SimulatePrincipalPolicy)")
    return ok(f"{listed(roles)} may be passed")


def limits(asked: Asked) -> Answer:
    match asked.release.target:
        case ExistingRevisions():
            return skip("the revision is registered already")
        case NewImage(uri=uri):
            try:
                documents = list(documents_of(asked, uri))
            except PlatformError as error:
                return fail(error.what, error.hint or "change platform.toml")
    for document in documents:
        containers = document["containerDefinitions"]
        assert isinstance(containers, list), "containers are a list"
        for container in containers:
            count = len(container.get("environment", ()))
            if count > MAX_VARIABLES:
                reason = f"{container['name']} has {count} variables, and ECS takes {MAX_VARIABLES}"
                return fail(reason, "keep some of them in Parameter Store")
    return ok(f"{len(documents)} task definitions are within ECS's limits")


def documents_of(asked: Asked, uri: str) -> Iterator[Json]:
    yield render_task_definition(asked.spec, asked.environment, image=uri)
    if asked.spec.worker is not None:
        yield render_task_definition(asked.spec, asked.environment, image=uri, role="worker")
    for task in asked.spec.tasks:
        yield render_standalone_task(asked.spec, asked.environment, task, image=uri)


def not_older(asked: Asked) -> Answer:
    """Builds that wait for each other end in any order: the last one must not be the oldest."""
    live = asked.state.api_revision
    commit, running = asked.release.commit, live.tags.get(COMMIT_TAG) if live else None
    if asked.release.kind == "rollback":
        return ok("a rollback is meant to be older")
    if not running:
        return skip("what runs does not say of which commit it is")
    if not commit:
        return skip("it is not known of which commit the image is")
    if commit == running:
        return ok(f"{running[:12]} runs already")
    older = asked.releasing.tools.is_ancestor(commit, running)
    if older is None:
        return skip(f"git does not know both {commit[:12]} and {running[:12]}, which runs")
    if not older:
        return ok(f"{commit[:12]} is not in the history of {running[:12]}, which runs")
    if asked.order.allow_older:
        return ok(f"{commit[:12]} is older than {running[:12]}, which runs; --allow-older says that it is meant")
    return fail(
        f"{commit[:12]} is older than {running[:12]}, which runs",
        f"release a newer commit, go back by `platform rollback {asked.spec.name}`, or say --allow-older",
    )
