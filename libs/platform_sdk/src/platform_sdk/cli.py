"""`platform …`: the one composition root of the deploy half. Reads arguments, calls, prints; decides nothing.

Data goes to stdout and talk to stderr. A PlatformError ends a command here and nowhere else. What a command needs is
imported when it runs: `platform --help` must not wait for boto3, nor `platform check` for the plug-ins.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.sqs import QueueMessage, Sqs
    from platform_sdk.deploy.dead_letters import DeadLetterQueue, Redriven
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.spec import ServiceSpec

PLUGINS: Final = "platform.commands"
"""Entry points, each a callable that adds its commands to the group that it is given."""


class PlatformGroup(click.Group):
    """Loads plug-ins when a command is asked for that is not built in, and prints PlatformErrors."""

    plugins_loaded = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        self.load_plugins()
        return sorted(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            self.load_plugins()
        return super().get_command(ctx, cmd_name)

    def load_plugins(self) -> None:
        if self.plugins_loaded:
            return
        self.plugins_loaded = True
        for plugin in entry_points(group=PLUGINS):
            try:
                register: Callable[[click.Group], None] = plugin.load()
            except (ImportError, AttributeError) as error:
                click.echo(f"warning: the commands of `{plugin.name}` are missing: {error}", err=True)
            else:
                register(self)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PlatformError as error:
            print_error(error)
            ctx.exit(error.exit_code)


def print_error(error: PlatformError) -> None:
    """The faults of files first, each on a line that an editor can follow; then what, why and what next."""
    from platform_sdk.deploy.faults import InvalidConfiguration

    if isinstance(error, InvalidConfiguration):
        click.echo(str(error), err=True)
    click.echo(f"error: {error.what}", err=True)
    if error.because:
        click.echo(f"because: {error.because}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def root() -> Path:
    from platform_sdk.deploy.repository import find_root

    return find_root(Path.cwd())


def environment_named(name: str) -> "Environment":
    from platform_sdk.deploy.environment import load_environment, with_ports_of

    return with_ports_of(os.environ, load_environment(root(), name))


def complete_services(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.repository import service_names

    return starting_with(incomplete, lambda: service_names(root()))


def complete_environments(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.repository import environment_names

    return starting_with(incomplete, lambda: environment_names(root()))


def complete_queues(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.dead_letters import queue_owners
    from platform_sdk.deploy.spec import load_services

    return starting_with(incomplete, lambda: queue_owners(load_services(root())))


def starting_with(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """Nothing at all where the names cannot be read: a shell has no room for an error."""
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except PlatformError:
        return []


@click.group(cls=PlatformGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("platform-sdk"), prog_name="platform")
def platform() -> None:
    """Run, check and look after the services of this repository.

    Each service says what it needs in services/<name>/platform.toml: its size, how many tasks, its queues and secrets.
    These commands read that file, tell you what is wrong with it, and show or run what comes of it. Start with
    `platform up`, which runs everything on this machine, and `platform check`, which reads every platform.toml.
    """


@platform.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
def check(services: tuple[str, ...]) -> None:
    """Find the mistakes in platform.toml, all at once.

    Reads the platform.toml of every service and every environment file, and compares the services with each other: a
    queue that nobody owns, two services on one path. Each mistake comes with its file, line and a suggestion. Name
    services to hear about theirs alone. Changes nothing; exits with 1 if there is a mistake.
    """
    from platform_sdk.deploy import check as checking
    from platform_sdk.deploy.faults import counted, listed

    names, environments = checking.check(root(), services)
    click.echo(f"ok: {counted(len(names), 'service')} ({listed(names)}), rendered for {listed(environments)}")


@platform.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", default="local", show_default=True, metavar="NAME",
              shell_complete=complete_environments, help="The environment to render for.")  # fmt: skip
@click.option("--role", type=click.Choice(["api", "worker"]), default="api", show_default=True,
              help="The tasks that answer requests, or those that consume queues.")  # fmt: skip
@click.option("--image", metavar="IMAGE", help="The image to put in; SERVICE:dev if left out.")
def render(service: str, environment_name: str, role: Any, image: str | None) -> None:
    """Print the ECS task definition of a service, as JSON.

    It is exactly what `aws ecs register-task-definition --cli-input-json` takes, so it works without this tool, and
    what `platform up` starts tasks from. Nothing is sent anywhere.
    """
    from platform_sdk.deploy.render import task_definition

    document = task_definition(
        spec_named(service, environment_name),
        environment_named(environment_name),
        image=image or f"{service}:dev",
        role=role,
    )
    click.echo(json.dumps(document, indent=2))


def spec_named(service: str, environment_name: str) -> "ServiceSpec":
    from platform_sdk.deploy.repository import refuse_unknown, service_names
    from platform_sdk.deploy.spec import load_spec

    refuse_unknown("service", [service], service_names(root()))
    return load_spec(root() / "services" / service / "platform.toml", environment_name, root=root())


@platform.command("reference")
def print_reference() -> None:
    """Print a platform.toml that uses every key there is.

    Each key is explained where it stands: what it means, its default, its range, and what it becomes on AWS.
    """
    from platform_sdk.deploy.reference import reference

    click.echo(reference(), nl=False)


@platform.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands, services and queues in your shell.

    \b
    bash:  eval "$(platform completion bash)"           in ~/.bashrc
    zsh:   eval "$(platform completion zsh)"            in ~/.zshrc
    fish:  platform completion fish > ~/.config/fish/completions/platform.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click completes the three shells that the argument allows"
    click.echo(kind(platform, {}, "platform", "_PLATFORM_COMPLETE").source())


@platform.group()
def dlq() -> None:
    """Look into dead-letter queues, and send messages back.

    A message that cannot be handled is moved to the dead-letter queue of its queue, with the reason. See which there
    are with `list`, read them with `show`, and once the cause is mended send them back with `redrive`. Works the same
    on this machine and, with --env, on AWS.
    """


def environment_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--env",
        "environment_name",
        default="local",
        show_default=True,
        metavar="NAME",
        shell_complete=complete_environments,
        help="The environment whose queues are meant.",
    )(command)


queue_argument = click.argument("queue", shell_complete=complete_queues)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def gateway(environment: "Environment") -> "Sqs":
    from platform_sdk.deploy.aws.sqs import connect

    return connect(environment.region, environment.account_id, environment.aws_endpoint_url)


def dead_letter_queue(queue: str, environment_name: str) -> tuple["DeadLetterQueue", "Sqs"]:
    from platform_sdk.deploy.dead_letters import find, queue_owners
    from platform_sdk.deploy.repository import refuse_unknown
    from platform_sdk.deploy.spec import load_services

    owners = queue_owners(load_services(root(), environment_name))
    refuse_unknown("queue", [queue], owners)
    environment = environment_named(environment_name)
    sqs = gateway(environment)
    return find(queue, owners[queue], environment, sqs), sqs


@dlq.command("list")
@environment_option
@json_option
def list_queues(environment_name: str, as_json: bool) -> None:
    """List the dead-letter queue of every queue, and how many messages wait in it."""
    from platform_sdk.deploy.dead_letters import depth, find, queue_owners
    from platform_sdk.deploy.spec import load_services

    environment = environment_named(environment_name)
    owners = queue_owners(load_services(root(), environment_name))
    sqs = gateway(environment)
    rows = []
    for queue in sorted(owners):
        dead = find(queue, owners[queue], environment, sqs)
        count = depth(dead, sqs)
        rows.append(
            {
                "queue": queue,
                "service": dead.service,
                "dead_letter_queue": dead.name,
                "depth": count and count.visible,
                "in_flight": count and count.in_flight,
            }
        )
    if as_json:
        click.echo(json.dumps({"queues": rows}, indent=2))
        return
    click.echo(f"{'QUEUE':<20} {'SERVICE':<20} {'MESSAGES':>8}")
    for row in rows:
        messages = "no queue" if row["depth"] is None else row["depth"]
        click.echo(f"{row['queue']:<20} {row['service']:<20} {messages:>8}")


@dlq.command()
@queue_argument
@environment_option
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="Messages to show at most.")
@json_option
def show(queue: str, environment_name: str, limit: int, as_json: bool) -> None:
    """Show the messages in a dead-letter queue, and why they are there.

    QUEUE is a name from platform.toml, such as `orders`. The messages stay where they are.
    """
    from platform_sdk.deploy.dead_letters import peek

    dead, sqs = dead_letter_queue(queue, environment_name)
    messages = peek(dead, sqs, most=limit)
    if as_json:
        click.echo(json.dumps({"queue": queue, "messages": [described(message) for message in messages]}, indent=2))
        return
    for message in messages:
        print_message(message)
    if not messages:
        click.echo(f"{dead.name} is empty", err=True)


def described(message: "QueueMessage") -> dict[str, object]:
    from platform_sdk.deploy.dead_letters import decoded_body

    return {
        "id": message.id,
        "sent_at": message.sent_at.isoformat(),
        "receive_count": message.receive_count,
        "attributes": message.text_attributes(),
        "body": decoded_body(message),
    }


def print_message(message: "QueueMessage") -> None:
    from platform_sdk.deploy.dead_letters import decoded_body

    click.echo(f"message {message.id}, sent {message.sent_at:%Y-%m-%d %H:%M:%S} UTC")
    for name, value in sorted(message.text_attributes().items()):
        click.echo(f"  {name}: {value}")
    body = decoded_body(message)
    text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    click.echo("\n".join(f"  {line}" for line in text.splitlines()) + "\n")


@dlq.command()
@queue_argument
@click.argument("message_id", required=False)
@click.option("--all", "everything", is_flag=True, help="Every message that is there now.")
@environment_option
def redrive(queue: str, message_id: str | None, everything: bool, environment_name: str) -> None:
    """Send messages from a dead-letter queue back to their queue.

    Give a MESSAGE_ID (of SQS, or of the event, both as `show` prints them) or --all. The attributes that tell why a
    message died are taken off. Sending comes first and deleting second, so nothing is lost if you interrupt it; a
    message that is sent twice takes effect once.
    """
    from platform_sdk.deploy.dead_letters import redrive_all, redrive_one

    if everything == (message_id is not None):
        raise click.UsageError("give either a MESSAGE_ID or --all")
    dead, sqs = dead_letter_queue(queue, environment_name)
    done = redrive_all(dead, sqs) if message_id is None else redrive_one(dead, sqs, message_id)
    tell_redriven(done, dead)


def tell_redriven(done: "Redriven", dead: "DeadLetterQueue") -> None:
    from platform_sdk.deploy.faults import counted

    for message_id, reason in done.still_there.items():
        click.echo(f"warning: {message_id} was sent, but is still in {dead.name}: {reason}", err=True)
    for message_id, reason in done.refused.items():
        click.echo(f"error: {message_id} was not sent: {reason}", err=True)
    click.echo(f"{counted(done.sent, 'message')} sent to {dead.source_name}")
    if done.refused:
        sys.exit(1)


@dlq.command()
@queue_argument
@environment_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(queue: str, environment_name: str, yes: bool) -> None:
    """Delete all messages of a dead-letter queue, for good."""
    from platform_sdk.deploy import dead_letters
    from platform_sdk.deploy.faults import counted

    dead, sqs = dead_letter_queue(queue, environment_name)
    waiting = dead_letters.depth(dead, sqs)
    messages = counted(waiting.visible if waiting else 0, "message")
    if not yes:
        click.confirm(f"Delete {messages} of {dead.name} for good?", abort=True, err=True)
    dead_letters.purge(dead, sqs)
    click.echo(f"{messages} deleted from {dead.name}")


def main() -> None:
    """The console script."""
    platform(prog_name="platform")
