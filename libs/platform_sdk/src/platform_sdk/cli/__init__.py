"""`platform …`: the one composition root of the deploy half. Reads arguments, calls, prints; decides nothing.

Data goes to stdout and talk to stderr. A PlatformError ends a command here and nowhere else. What a command needs is
imported when it runs: `platform --help` must not wait for boto3, nor `platform check` for the plug-ins."""

from collections.abc import Callable
from typing import Any, Final

import click

from platform_sdk.cli.apply import apply
from platform_sdk.cli.build import build, changed
from platform_sdk.cli.dead_letters import dlq
from platform_sdk.cli.operate import history, logs, status, unlock
from platform_sdk.cli.options import complete_keys, complete_services, root
from platform_sdk.cli.plan import cost, plan, render
from platform_sdk.cli.release import deploy, rollback, wait
from platform_sdk.cli.scale import scale
from platform_sdk.errors import PlatformError

PLUGINS: Final = "platform.commands"
"""Entry points, each a callable that adds its commands to the group that it is given."""


class PlatformGroup(click.Group):
    """Loads plug-ins when a command is asked for that is not built in, and prints PlatformErrors."""

    plugins_loaded = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.local_commands: dict[str, click.Command] = {}

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """A plug-in's command does not take the place of a built-in one: that one calls it for the laptop."""
        name = name or cmd.name or ""
        if self.plugins_loaded and name in self.commands:
            self.local_commands[name] = cmd
        else:
            super().add_command(cmd, name)

    def of_this_machine(self, name: str) -> click.Command | None:
        self.load_plugins()
        return self.local_commands.get(name)

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
        # Costs 30 ms, which the commands that are built in need not wait for.
        from importlib.metadata import entry_points

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
    """The errors of files first, each on a line that an editor can follow; then what, why and what next."""
    from platform_sdk.deploy.config_errors import InvalidConfiguration

    if isinstance(error, InvalidConfiguration):
        click.echo(str(error), err=True)
    click.echo(f"error: {error.what}", err=True)
    if error.because:
        click.echo(f"because: {error.because}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


@click.group(cls=PlatformGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="platform-sdk", prog_name="platform")
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
    from platform_sdk.deploy.config_errors import counted, listed

    names, environments = checking.check(root(), services)
    click.echo(f"ok: {counted(len(names), 'service')} ({listed(names)}), rendered for {listed(environments)}")


@platform.command("reference")
def print_reference() -> None:
    """Print a platform.toml that uses every key there is.

    Each key is explained where it stands: what it means, its default, its range, and what it becomes on AWS.
    """
    from platform_sdk.deploy.manifest.reference import reference

    click.echo(reference(), nl=False)


@platform.command("explain")
@click.argument("key", shell_complete=complete_keys)
def explain_key(key: str) -> None:
    """Say what a key of platform.toml does.

    KEY is written as in the file, such as scaling.max_tasks, or only its last part. Tells the range, the default, and
    the property on AWS that the key becomes.
    """
    from platform_sdk.deploy.manifest.reference import explain

    click.echo(explain(key), nl=False)


@platform.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of platform.toml.

    An editor with Taplo or Even Better TOML reads it where the first line of a platform.toml is `#:schema` and the
    place of this file: it then completes keys, explains them, and marks what cannot be. The repository keeps it in
    deploy/platform.schema.json.
    """
    from platform_sdk.deploy.manifest.reference import schema_text

    click.echo(schema_text(), nl=False)


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


platform.add_command(apply)
platform.add_command(build)
platform.add_command(changed)
platform.add_command(cost)
platform.add_command(deploy)
platform.add_command(dlq)
platform.add_command(history)
platform.add_command(logs)
platform.add_command(plan)
platform.add_command(render)
platform.add_command(rollback)
platform.add_command(scale)
platform.add_command(status)
platform.add_command(unlock)
platform.add_command(wait)


def main() -> None:
    """The console script."""
    platform(prog_name="platform")
