"""Checks of the version: whether its tasks can start with this image, these secrets, roles and limits."""

from collections.abc import Iterator, Mapping, Sequence

from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.manifest.resources import SecretReference, SecretStore
from platform_sdk.deploy.plan.diff import COMMIT_TAG, VERSION_TAG
from platform_sdk.deploy.release.outcome import ExistingRevisions, NewImage
from platform_sdk.deploy.release.preflight.stack import Answer, PreflightContext, fail, ok, skip
from platform_sdk.deploy.render.names import arn, role_name
from platform_sdk.deploy.render.task_definition import APP, render_standalone_task, render_task_definition
from platform_sdk.deploy.render.variables import secret_name, secrets_of
from platform_sdk.deploy.state import Json
from platform_sdk.errors import PlatformError

MAX_VARIABLES = 100
"""Of a container."""
IN_REGISTRIES = {"x86_64": "amd64", "arm64": "arm64"}


def image(context: PreflightContext) -> Answer:
    """Check that ECR has the image, for the architecture of the tasks."""
    uri, needed = image_of(context)
    if uri is None:
        return fail(
            f"the revision of the {context.release.kind} does not exist", "`platform history` lists those that do"
        )
    if "amazonaws.com" not in uri:
        return skip(f"{uri} is not in ECR")
    name, _, digest = uri.partition("@")
    wanted = digest or name.rpartition(":")[2]
    found = context.aws.images.image(context.spec.name, wanted)
    if found is None:
        return fail(f"ECR has no image {wanted} of {context.spec.name}", f"`platform build {context.spec.name} --push`")
    if found.architectures and needed not in found.architectures:
        reason = f"the image is for {listed(found.architectures)}, and its tasks run on {needed}"
        return fail(reason, f"build it for {needed}, or change task.architecture")
    if not found.architectures:
        return skip(f"{_shown(wanted)} is in ECR; its manifest does not name an architecture")
    return ok(f"{_shown(wanted)} for {listed(found.architectures)}")


def _shown(tag_or_digest: str) -> str:
    kind, colon, digest = tag_or_digest.partition(":")
    return f"{kind}:{digest[:12]}" if colon else tag_or_digest


def image_of(context: PreflightContext) -> tuple[str | None, str]:
    """Return the image, and the architecture that its tasks run on, as registries name it."""
    match context.release.target:
        case NewImage(uri=uri):
            return uri, IN_REGISTRIES[context.spec.task.architecture]
        case ExistingRevisions(api=api):
            revision = context.aws.ecs.revision(api)
            return (None, "") if revision is None else (image_in(revision.document), architecture_in(revision.document))


def app_in(document: Json) -> Json:
    """Return the app's container of a registered task definition; empty where it has none."""
    containers = document["containerDefinitions"]
    assert isinstance(containers, list), "containers are a list"
    return next((each for each in containers if each["name"] == APP), {})


def image_in(document: Json) -> str | None:
    """Return the image of the app; None where the task definition has no such container."""
    image = app_in(document).get("image")
    return None if image is None else str(image)


def architecture_in(document: Json) -> str:
    """Return the architecture of a registered task definition, as registries name it. ECS's default is X86_64."""
    platform = document.get("runtimePlatform")
    named = platform.get("cpuArchitecture", "X86_64") if isinstance(platform, dict) else "X86_64"
    return IN_REGISTRIES[str(named).lower()]


def port_in(document: Json) -> int:
    """Return the port of the app; 0 where it listens to none."""
    mappings = app_in(document).get("portMappings")
    return int(mappings[0]["containerPort"]) if isinstance(mappings, list) and mappings else 0


def secrets(context: PreflightContext) -> Answer:
    """Check that all secrets exist, or ECS starts no task. Values are never shown or stored."""
    if context.release.kind == "rollback":
        return skip("the revision has its own, and has served with them")
    if context.release.kind == "restart":
        return secrets_of_revision(context)
    wanted = list(secrets_of(context.spec, context.environment))
    if not wanted:
        return ok("none")
    keys = _keys_by_name(context, wanted)
    missing = [reason for variable, secret in wanted if (reason := _missing_of(context, variable, secret, keys))]
    if missing:
        return fail(
            "; ".join(missing),
            f"`platform secret set {context.spec.name} NAME --env {context.environment.name}` creates each",
        )
    unread = [secret.name for _, secret in wanted if secret.json_key and keys[_name_of(context, secret)] is None]
    names = listed(sorted(variable for variable, _ in wanted))
    if unread:
        return skip(f"{names} exist; this role may not read their keys")
    return ok(names)


def secrets_of_revision(context: PreflightContext) -> Answer:
    """Check what the revision itself names: new tasks read it again, and platform.toml may name others by now."""
    revisions = (context.state.api_revision, context.state.worker_revision)
    places = sorted({place for each in revisions if each is not None for place in secret_places(each.document)})
    missing = [place for place in places if not _place_exists(context, place)]
    if missing:
        return fail(
            f"there is no {listed(missing)}, which new tasks of the version need",
            "create it again, with the value that the version needs: `platform secret set`; the running tasks stay",
        )
    return ok(f"all {len(places)} exist" if places else "none")


def secret_places(document: Json) -> Iterator[str]:
    """Yield each `valueFrom` without the key that it selects: a parameter's name, or a secret's ARN."""
    containers = document["containerDefinitions"]
    assert isinstance(containers, list), "containers are a list"
    for container in containers:
        for secret in container.get("secrets", ()):
            yield ":".join(str(secret["valueFrom"]).split(":")[:7])


def _place_exists(context: PreflightContext, place: str) -> bool:
    if not place.startswith("arn:"):
        return place in context.aws.parameters.values([place])
    resource = place.split(":", 5)[5]
    if not resource.startswith("parameter/"):
        return context.aws.secrets.exists(place)
    name = resource.removeprefix("parameter")
    return name in context.aws.parameters.values([name])


def _keys_by_name(
    context: PreflightContext, wanted: Sequence[tuple[str, SecretReference]]
) -> Mapping[str, set[str] | None]:
    """Return the secrets that exist, each read once; None for keys that nobody needs or the caller may not read."""
    found: dict[str, set[str] | None] = {}
    with_keys = {_name_of(context, secret) for _, secret in wanted if secret.json_key}
    for name, store in dict.fromkeys((_name_of(context, secret), secret.store) for _, secret in wanted):
        if store is SecretStore.PARAMETER_STORE:
            if name in context.aws.parameters.values([name]):
                found[name] = None
        elif context.aws.secrets.exists(name):
            found[name] = context.aws.secrets.keys(name) if name in with_keys else None
    return found


def _missing_of(
    context: PreflightContext, variable: str, secret: SecretReference, keys: Mapping[str, set[str] | None]
) -> str:
    name = _name_of(context, secret)
    if name not in keys:
        kind = "parameter" if secret.store is SecretStore.PARAMETER_STORE else "secret"
        return f"{variable}: there is no {kind} {name}"
    known = keys[name]
    if secret.json_key and known is not None and secret.json_key not in known:
        return f"{variable}: the secret {name} has no key `{secret.json_key}`"
    return ""


def _name_of(context: PreflightContext, secret: SecretReference) -> str:
    return secret_name(secret, context.spec, context.environment)


def roles(context: PreflightContext) -> Answer:
    """Check that the caller, who registers, and CodeDeploy, which creates task sets, may pass the roles to ECS."""
    identity, group = context.aws.identity, context.state.deployment_group
    principals = [identity.caller().arn, *([group.role_arn] if group is not None else [])]
    roles = [
        arn(context.environment, "iam", f"role/{role_name(context.environment.name, context.spec.name, purpose)}",
            regional=False)
        for purpose in ("execution", "task")
    ]  # fmt: skip
    allowed = {(by, role): identity.may_pass(role, by=by, to="ecs-tasks.amazonaws.com")
            for by in principals for role in roles}  # fmt: skip
    refused = [f"{by} may not pass {role}" for (by, role), may in allowed.items() if may is False]
    if refused:
        return fail(
            "; ".join(refused),
            f"allow iam:PassRole on {listed(roles)} with iam:PassedToService ecs-tasks.amazonaws.com",
        )
    if None in allowed.values():
        return skip("this role may not check what it may pass (iam:SimulatePrincipalPolicy)")
    return ok(f"{listed(roles)} may be passed")


def limits(context: PreflightContext) -> Answer:
    """Check that ECS would register the documents: their sizes, and the number of variables of each container."""
    match context.release.target:
        case ExistingRevisions() as revisions:
            return registered(context, revisions)
        case NewImage(uri=uri):
            try:
                documents = list(_documents_of(context, uri))
            except PlatformError as error:
                return fail(error.what, error.hint or "change platform.toml")
    for document in documents:
        containers = document["containerDefinitions"]
        assert isinstance(containers, list), "containers are a list"
        for container in containers:
            count = len(container.get("environment", ()))
            if count > MAX_VARIABLES:
                reason = f"{container['name']} has {count} variables, and ECS takes {MAX_VARIABLES}"
                return fail(reason, "store some of them in Parameter Store")
    gone = [each for each in (context.state.api_revision, context.state.worker_revision) if each and not each.active]
    if gone:
        names = listed([f"{each.family}:{each.revision}" for each in gone])
        command = context.release_context.release_command(gone[0].tags.get(VERSION_TAG, "VERSION"))
        return skip(f"{names} runs and was deregistered: nothing can return to it. `{command}` registers it again")
    return ok(f"{len(documents)} task definitions are within ECS's limits")


def registered(context: PreflightContext, revisions: ExistingRevisions) -> Answer:
    """Check that the revisions are active: ECS and CodeDeploy start no task from one that was deregistered."""
    names = [revisions.api, *([revisions.worker] if revisions.worker else [])]
    found = {name.rsplit("/", 1)[-1]: context.aws.ecs.revision(name) for name in names}
    gone = [name for name, revision in found.items() if revision is None or not revision.active]
    if gone:
        command = context.release_context.release_command(context.release.version)
        return fail(f"{listed(gone)} was deregistered", f"`{command}` registers the same document again, and serves it")
    return ok(f"{listed(list(found))} {'is' if len(found) == 1 else 'are'} registered")


def _documents_of(context: PreflightContext, uri: str) -> Iterator[Json]:
    yield render_task_definition(context.spec, context.environment, image=uri)
    if context.spec.worker is not None:
        yield render_task_definition(context.spec, context.environment, image=uri, role="worker")
    for task in context.spec.tasks:
        yield render_standalone_task(context.spec, context.environment, task, image=uri)


def not_older(context: PreflightContext) -> Answer:
    """Check that the commit is not older. Builds that wait for each other end in any order; the last must not be the
    oldest.
    """
    live = context.state.api_revision
    commit, running = context.release.commit, live.tags.get(COMMIT_TAG) if live else None
    if context.release.kind == "rollback":
        return ok("a rollback may be older")
    if context.release.kind == "restart":
        return ok("a restart keeps the version")
    if not running:
        return skip("the running version does not name its commit")
    if not commit:
        return skip("the commit of the image is not known")
    if commit == running:
        return ok(f"{running[:12]} runs already")
    older = context.release_context.is_ancestor(commit, running)
    if older is None:
        return skip(f"git does not know both {commit[:12]} and {running[:12]}, which runs")
    if not older:
        return ok(f"{commit[:12]} is not in the history of {running[:12]}, which runs")
    if context.options.allow_older:
        return ok(f"{commit[:12]} is older than {running[:12]}, which runs; --allow-older allows it")
    return fail(
        f"{commit[:12]} is older than {running[:12]}, which runs",
        f"release a newer commit, use `platform rollback {context.spec.name}`, or add --allow-older",
    )
