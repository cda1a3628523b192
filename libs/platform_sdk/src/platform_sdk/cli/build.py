"""`platform changed` and `platform build`: which services to build, and their images."""

import json
from typing import TYPE_CHECKING, Final

import click

from platform_sdk.cli.options import (
    complete_environments,
    complete_services,
    environment_named,
    environment_option,
    outside,
    root,
    spec_named,
)

if TYPE_CHECKING:
    from platform_sdk.deploy.build.publish import PublishedImage, Source
    from platform_sdk.deploy.build.scan import FailOn
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.tasks import Architecture

SHOWN_REASONS: Final = 5
"""Per service, in the text; JSON has all."""


@click.command()
@click.option("--since", metavar="REVISION", help="Compare with this commit, branch or tag. Default: list all services")
@click.option("--env", "environment_name", metavar="NAME", shell_complete=complete_environments,
              help="Consider documents of this environment only.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every reason.")
def changed(since: str | None, environment_name: str | None, as_json: bool) -> None:
    """List the services that a change affects, and why.

    Compares the current files, committed or not, with a Git revision. The image of a service depends on what its
    Dockerfile copies: its sources, its lock and the runtime half of the SDK. Its documents depend on its platform.toml,
    the environment file, the templates and the SDK's renderers. Tests and documentation affect no service. Services
    that are not listed need no build and no release.
    """
    from platform_sdk.deploy.build.publish import changes_of, changes_since

    if environment_name is not None:
        environment_named(environment_name)
    changes = changes_since(root(), since, environment_name)
    if changes.everything:
        click.echo(f"every service: {changes.everything}", err=True)
    if as_json:
        click.echo(json.dumps(changes_of(changes), indent=2))
        return
    for one in changes.services:
        click.echo(f"{one.service}{': ' if one.kinds else ''}{' and '.join(one.kinds)}")
        for reason in one.reasons[:SHOWN_REASONS]:
            click.echo(f"  {reason.path} ({reason.edge}: {reason.kind})")
        if len(one.reasons) > SHOWN_REASONS:
            click.echo(f"  and {len(one.reasons) - SHOWN_REASONS} more; --json lists them")
    if not changes.services:
        click.echo(f"no service is affected by the changes since {since}", err=True)


@click.command()
@click.argument("service", shell_complete=complete_services)
@environment_option("The environment with the registry and the architecture.", default="local")
@click.option("--push", is_flag=True, help="Push the image to the registry, unless the registry has it.")
@click.option("--if-missing", is_flag=True, help="Build only if the registry does not have the image.")
@click.option("--architecture", type=click.Choice(["x86_64", "arm64"]), help="Override platform.toml.")
@click.option("--base-image", envvar="PLATFORM_BASE_IMAGE", metavar="IMAGE",
              help="Override the base image of the Dockerfile, for example with a mirror or a digest.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(["critical", "high", "never"]), default="critical", show_default=True,
              help="Refuse a pushed image if its scan finds this severity or above.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def build(
    service: str,
    environment_name: str,
    push: bool,
    if_missing: bool,
    architecture: "Architecture | None",
    base_image: str | None,
    fail_on: "FailOn",
    as_json: bool,
) -> None:
    """Build the image of a service, and push it if it is new.

    The tag is a digest of all files in the image: the same files have the same tag on every machine. An image whose
    tag is in the registry is not built again, and then needs no Docker. After a push, the command waits for the
    registry's scan and refuses the image if --fail-on applies.

    With --push, prints the address of the image and writes its digest to .platform/builds/SERVICE.json. Without it,
    the image stays on this machine as SERVICE:TAG, and the command prints the tag.
    """
    from platform_sdk.deploy.build.publish import read_source, record_of, write_record

    environment = environment_named(environment_name)
    architecture = architecture or spec_named(service, environment.name).task.architecture
    source = read_source(root(), service, architecture, base_image)
    if push:
        image = _push_to(environment, source, fail_on)
        write_record(root(), image)
        click.echo(json.dumps(record_of(image), indent=2) if as_json else image.uri)
        click.echo(f"next: platform deploy {service} --env {environment.name} --image {image.tag}", err=True)
        return
    if if_missing and outside().connect(environment).images.image(service, source.tag) is not None:
        _report(f"{service}: {source.tag} is in the registry; nothing to build")
        reference = None
    else:
        reference = _build_here(source)
    click.echo(json.dumps({"service": service, "tag": source.tag, "image": reference}) if as_json else source.tag)


def _build_here(source: "Source") -> str:
    from platform_sdk.deploy.build.docker import Docker
    from platform_sdk.deploy.build.publish import build

    reference = f"{source.service}:{source.tag}"
    build(source, reference, Docker(_report))
    return reference


def _push_to(environment: "Environment", source: "Source", fail_on: "FailOn") -> "PublishedImage":
    from platform_sdk.deploy.build.docker import Docker
    from platform_sdk.deploy.build.publish import build_and_push
    from platform_sdk.deploy.build.scan import Gate

    return build_and_push(
        source,
        environment,
        registry=outside().connect(environment).images,
        builder=Docker(_report),
        clock=outside().clock,
        gate=Gate(fail_on=fail_on),
        report=_report,
    )


def _report(line: str) -> None:
    click.echo(line, err=True)
