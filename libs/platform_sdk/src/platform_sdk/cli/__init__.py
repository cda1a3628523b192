"""`platform …`: the one composition root of the deploy half. Commands read arguments, call the SDK and print.

Data goes to stdout, everything else to stderr. A PlatformError ends a command here and nowhere else. A command imports
what it needs when it runs: `platform --help` must not wait for boto3, nor `platform check` for plug-ins.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from platform_sdk.cli.apply import apply, scale
from platform_sdk.cli.build import build, changed
from platform_sdk.cli.dead_letters import dlq
from platform_sdk.cli.operate import history, logs, status, unlock
from platform_sdk.cli.options import complete_keys, complete_services, root
from platform_sdk.cli.plan import cost, plan, render
from platform_sdk.cli.release import deploy, restart, rollback, wait
from platform_sdk.cli.secret import secret
from platform_sdk.errors import PlatformError

PLUGINS: Final = "platform.commands"
"""Entry points: each is a function that adds commands to a group."""

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "This machine": ("up", "down", "reset"),
    "Configuration": ("check", "explain", "reference", "schema", "render"),
    "Stacks": ("plan", "cost", "apply", "scale"),
    "Releases": ("changed", "build", "deploy", "wait", "rollback", "restart", "history", "unlock"),
    "Operation": ("status", "logs", "secret", "dlq"),
    "Shell": ("completion",),
}
"""The sections of `platform --help`. Commands without a section are listed last."""


class PlatformGroup(click.Group):
    """Load plug-ins when a command is not built in, list commands by section, and print errors."""

    plugins_loaded = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.local_commands: dict[str, click.Command] = {}

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Keep a built-in command if a plug-in has one of the same name: it calls the plug-in's for this machine."""
        name = name or cmd.name or ""
        if self.plugins_loaded and name in self.commands:
            self.local_commands[name] = cmd
        else:
            super().add_command(cmd, name)

    def of_this_machine(self, name: str) -> click.Command | None:
        """Return a command of the local stack's plug-in; None if it is not installed."""
        self.load_plugins()
        return self.local_commands.get(name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of plug-ins included."""
        self.load_plugins()
        return sorted(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command. Plug-ins are loaded only for a name that is not built in."""
        if cmd_name not in self.commands:
            self.load_plugins()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of `--help` in sections, as SECTIONS lists them."""
        left = self.list_commands(ctx)
        sections = {title: [name for name in names if name in left] for title, names in SECTIONS.items()}
        sections["Other"] = [name for name in left if not any(name in names for names in sections.values())]
        width = formatter.width - 6 - max(map(len, left), default=0)
        for title, names in sections.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name, self.commands[name].get_short_help_str(width)) for name in names])

    def load_plugins(self) -> None:
        """Let each installed plug-in register its commands, once. One that cannot be imported is a warning."""
        if self.plugins_loaded:
            return
        self.plugins_loaded = True
        # Takes 30 ms, for which built-in commands must not wait.
        from importlib.metadata import entry_points

        for plugin in entry_points(group=PLUGINS):
            try:
                register: Callable[[click.Group], None] = plugin.load()
            except (ImportError, AttributeError) as error:
                click.echo(f"warning: the commands of `{plugin.name}` are missing: {error}", err=True)
            else:
                register(self)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and print a PlatformError in one place, with its own exit code."""
        try:
            return super().invoke(ctx)
        except PlatformError as error:
            print_error(error)
            ctx.exit(error.exit_code)


def print_error(error: PlatformError) -> None:
    """Print mistakes in files first, one per line for editors; then what happened, why, and what to do next."""
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
    """Run, release and operate the services of this repository.

    Each service has a services/<name>/platform.toml with its size, number of tasks, queues and secrets. The commands
    check this file, show what it creates on AWS, and release the service. Start with `platform up`, which runs all
    services on this machine, and `platform check`, which checks every platform.toml.
    """


@platform.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
def check(services: tuple[str, ...]) -> None:
    """Find all mistakes in platform.toml.

    Checks the platform.toml of every service, every environment file, and the services together: for example, a queue
    without an owner, or two services with the same path. Prints each mistake with its file, line and a suggestion.
    Name services to check only those. Changes nothing. Exits with 1 if there is a mistake.
    """
    from platform_sdk.deploy import check as checking
    from platform_sdk.deploy.config_errors import counted, listed

    names, environments = checking.check(root(), services)
    click.echo(f"ok: {counted(len(names), 'service')} ({listed(names)}), rendered for {listed(environments)}")


@platform.command("reference")
def print_reference() -> None:
    """Print a platform.toml with every key.

    A comment at each key explains its meaning, default, range, and the AWS property that it sets.
    """
    from platform_sdk.deploy.manifest.reference import reference

    click.echo(reference(), nl=False)


@platform.command("explain")
@click.argument("key", shell_complete=complete_keys)
def explain_key(key: str) -> None:
    """Explain a key of platform.toml.

    KEY is a path such as scaling.max_tasks, or only its last part. Prints its meaning, range, default, and the AWS
    property that it sets.
    """
    from platform_sdk.deploy.manifest.reference import explain

    click.echo(explain(key), nl=False)


@platform.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of platform.toml.

    Editors with Taplo or Even Better TOML use it to complete and explain keys and to mark mistakes. They find it by
    the first line of a platform.toml: `#:schema` and the path of the schema. The repository keeps it in
    deploy/platform.schema.json.
    """
    from platform_sdk.deploy.manifest.reference import schema_text

    click.echo(schema_text(), nl=False)


@platform.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for your shell.

    It completes commands, services, environments and queues.

    \b
    bash:  eval "$(platform completion bash)"           in ~/.bashrc
    zsh:   eval "$(platform completion zsh)"            in ~/.zshrc
    fish:  platform completion fish > ~/.config/fish/completions/platform.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click completes the three shells that the argument allows"
    click.echo(kind(platform, {}, "platform", "_PLATFORM_COMPLETE").source())


for command in (
    apply,
    build,
    changed,
    cost,
    deploy,
    dlq,
    history,
    logs,
    plan,
    render,
    restart,
    rollback,
    scale,
    secret,
    status,
    unlock,
    wait,
):
    platform.add_command(command)


def main() -> None:
    """Run the console script."""
    platform(prog_name="platform")
