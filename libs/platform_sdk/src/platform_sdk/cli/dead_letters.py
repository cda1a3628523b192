"""`platform dlq …`: read dead-letter queues and send messages back."""

import json
import sys
from typing import TYPE_CHECKING

import click

from platform_sdk.cli.options import complete_queues, environment_named, environment_option, root

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.sqs import QueueMessage, Sqs
    from platform_sdk.deploy.dead_letters import DeadLetterQueue, Redriven
    from platform_sdk.deploy.environment import Environment

queue_argument = click.argument("queue", shell_complete=complete_queues)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group()
def dlq() -> None:
    """Read dead-letter queues, and send messages back.

    A message that cannot be handled is moved to the dead-letter queue of its queue, with the reason. Count them with
    `list`, read them with `show`, and send them back with `redrive` once the cause is fixed. Works on this machine
    and, with --env, on AWS.
    """


def _gateway(environment: "Environment") -> "Sqs":
    from platform_sdk.deploy.aws.session import connect

    return connect(environment).sqs


def _dead_letter_queue(queue: str, environment_name: str) -> tuple["DeadLetterQueue", "Sqs"]:
    from platform_sdk.deploy.dead_letters import find, queue_owners
    from platform_sdk.deploy.environment import refuse_unknown
    from platform_sdk.deploy.manifest import load_services

    owners = queue_owners(load_services(root(), environment_name))
    refuse_unknown("queue", [queue], owners)
    environment = environment_named(environment_name)
    sqs = _gateway(environment)
    return find(queue, owners[queue], environment, sqs), sqs


@dlq.command("list")
@environment_option("The environment of the queues.", default="local")
@json_option
def list_queues(environment_name: str, as_json: bool) -> None:
    """List all dead-letter queues, with the number of messages in each."""
    from platform_sdk.deploy.dead_letters import depth, find, queue_owners
    from platform_sdk.deploy.manifest import load_services

    environment = environment_named(environment_name)
    owners = queue_owners(load_services(root(), environment_name))
    sqs = _gateway(environment)
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
@environment_option("The environment of the queues.", default="local")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="Messages to show at most.")
@json_option
def show(queue: str, environment_name: str, limit: int, as_json: bool) -> None:
    """Show messages in a dead-letter queue, and why they failed.

    QUEUE is a name from platform.toml, such as `orders`. The messages stay where they are.
    """
    from platform_sdk.deploy.dead_letters import peek

    dead, sqs = _dead_letter_queue(queue, environment_name)
    messages = peek(dead, sqs, most=limit)
    if as_json:
        click.echo(
            json.dumps({"queue": queue, "messages": [_message_document(message) for message in messages]}, indent=2)
        )
        return
    for message in messages:
        _print_message(message)
    if not messages:
        click.echo(f"{dead.name} is empty", err=True)


def _message_document(message: "QueueMessage") -> dict[str, object]:
    from platform_sdk.deploy.dead_letters import decoded_body

    return {
        "id": message.id,
        "sent_at": message.sent_at.isoformat(),
        "receive_count": message.receive_count,
        "attributes": message.text_attributes(),
        "body": decoded_body(message),
    }


def _print_message(message: "QueueMessage") -> None:
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
@click.option("--all", "everything", is_flag=True, help="All messages in the queue now.")
@environment_option("The environment of the queues.", default="local")
def redrive(queue: str, message_id: str | None, everything: bool, environment_name: str) -> None:
    """Send messages from a dead-letter queue back to their queue.

    Give a MESSAGE_ID (of SQS, or of the event, both as `show` prints them) or --all. The attributes that say why a
    message failed are removed. Messages are sent first and deleted second, so nothing is lost if you interrupt it. A
    message that is sent twice takes effect once.
    """
    from platform_sdk.deploy.dead_letters import redrive_all, redrive_one

    if everything == (message_id is not None):
        raise click.UsageError("give either a MESSAGE_ID or --all")
    dead, sqs = _dead_letter_queue(queue, environment_name)
    done = redrive_all(dead, sqs) if message_id is None else redrive_one(dead, sqs, message_id)
    _print_redriven(done, dead)


def _print_redriven(done: "Redriven", dead: "DeadLetterQueue") -> None:
    from platform_sdk.deploy.config_errors import counted

    for message_id, reason in done.still_there.items():
        click.echo(f"warning: {message_id} was sent, but is still in {dead.name}: {reason}", err=True)
    for message_id, reason in done.refused.items():
        click.echo(f"error: {message_id} was not sent: {reason}", err=True)
    click.echo(f"{counted(done.sent, 'message')} sent to {dead.source_name}")
    if done.refused:
        sys.exit(1)


@dlq.command()
@queue_argument
@environment_option("The environment of the queues.", default="local")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(queue: str, environment_name: str, yes: bool) -> None:
    """Delete all messages of a dead-letter queue permanently."""
    from platform_sdk.deploy import dead_letters
    from platform_sdk.deploy.config_errors import counted

    dead, sqs = _dead_letter_queue(queue, environment_name)
    waiting = dead_letters.depth(dead, sqs)
    messages = counted(waiting.visible if waiting else 0, "message")
    if not yes:
        click.confirm(f"Delete {messages} of {dead.name} permanently?", abort=True, err=True)
    dead_letters.purge(dead, sqs)
    click.echo(f"{messages} deleted from {dead.name}")
