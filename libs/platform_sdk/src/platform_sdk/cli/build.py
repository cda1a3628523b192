"""`platform changed` and `platform build`: from files to images in the registry."""

import json
from typing import TYPE_CHECKING, Final

import click

from platform_sdk.cli.options import complete_environments, complete_services, environment_named, outside, root

if TYPE_CHECKING:
    from platform_sdk.deploy.build.publish import PublishedImage, Source
    from platform_sdk.deploy.build.scan import FailOn
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.tasks import Architecture

SHOWN_REASONS: Final = 5
"""Of a service, on a terminal; JSON has all."""


@click.command()
@click.option("--since", metavar="REVISION", help="A commit, branch or tag of git; all services if left out.")
@click.option("--env", "environment_name", metavar="NAME", shell_complete=complete_environments,
              help="Count documents of this environment alone; of every one if left out.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every reason.")
def changed(since: str | None, environment_name: str | None, as_json: bool) -> None:
    """Name the services that a change touches, and why.

    Compares the files as they are now, committed or not, with a revision. A service's image changes with what its
    Dockerfile copies: its own sources, its lock, the half of the SDK that runs in it. Its documents change with its
    platform.toml, the environment's file, the templates, and the half of the SDK that renders. Tests and pages touch
    nothing. What is not named need not be built or released.
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
        click.echo(f"no service is touched by what changed since {since}", err=True)


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", default="local", show_default=True, metavar="NAME",
              shell_complete=complete_environments, help="Whose architecture and registry are meant.")  # fmt: skip
@click.option("--push", is_flag=True, help="Put it into the environment's registry, unless it is there.")
@click.option("--if-missing", is_flag=True, help="Build only what the environment's registry does not have.")
@click.option("--architecture", type=click.Choice(["x86_64", "arm64"]), help="Instead of the one in platform.toml.")
@click.option("--base-image", envvar="PLATFORM_BASE_IMAGE", metavar="IMAGE",
              help="Instead of the Dockerfile's own, for example a mirror of it or a digest.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(["critical", "high", "never"]), default="critical", show_default=True,
              help="The severity from which on the scan's findings refuse a pushed image.")  # fmt: skip
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
    """Build a service's image, and push it where it is not there yet.

    The tag is made from the content of all files in the image, so the same files have the same tag on every machine,
    and a tag that is in the registry is not built again: then not even Docker is needed. After a push the registry's
    scan is awaited; what it finds can refuse the image. Prints the image, and leaves its digest in
    .platform/builds/SERVICE.json. Without --push, the image stays on this machine as SERVICE:TAG, and the tag is
    printed.
    """
    from platform_sdk.deploy.build.publish import record_of, write_record

    environment = environment_named(environment_name)
    source = source_of(service, environment, architecture, base_image)
    if push:
        image = push_to(environment, source, fail_on)
        write_record(root(), image)
        click.echo(json.dumps(record_of(image), indent=2) if as_json else image.uri)
        click.echo(f"next: platform deploy {service} --env {environment.name} --image {image.tag}", err=True)
        return
    if if_missing and outside().connect(environment).images.image(service, source.tag) is not None:
        tell(f"{service}: {source.tag} is in the registry; nothing to build")
        reference = None
    else:
        reference = build_here(source)
    click.echo(json.dumps({"service": service, "tag": source.tag, "image": reference}) if as_json else source.tag)


def source_of(
    service: str, environment: "Environment", architecture: "Architecture | None", base_image: str | None
) -> "Source":
    from platform_sdk.deploy.build.publish import read_source
    from platform_sdk.deploy.environment import refuse_unknown, service_names
    from platform_sdk.deploy.manifest import load_spec

    refuse_unknown("service", [service], service_names(root()))
    spec = load_spec(root() / "services" / service / "platform.toml", environment.name, root=root())
    return read_source(root(), service, architecture or spec.task.architecture, base_image)


def build_here(source: "Source") -> str:
    from platform_sdk.deploy.build.docker import Docker
    from platform_sdk.deploy.build.publish import build

    reference = f"{source.service}:{source.tag}"
    build(source, reference, Docker(tell))
    return reference


def push_to(environment: "Environment", source: "Source", fail_on: "FailOn") -> "PublishedImage":
    from platform_sdk.deploy.build.docker import Docker
    from platform_sdk.deploy.build.publish import build_and_push
    from platform_sdk.deploy.build.scan import Gate

    return build_and_push(
        source,
        environment,
        registry=outside().connect(environment).images,
        builder=Docker(tell),
        clock=outside().clock,
        gate=Gate(fail_on=fail_on),
        tell=tell,
    )


def tell(line: str) -> None:
    click.echo(line, err=True)
