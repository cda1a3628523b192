"""`platform cost`: what an environment costs a month."""

import json

import click

from platform_sdk.cli_arguments import complete_environments, complete_services, root


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment, one that is on AWS.")  # fmt: skip
@click.option("--compare", "with_comparison", is_flag=True,
              help="Put the architecture's own estimate beside it, and say why they differ.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every quantity, price, date and source.")
def cost(services: tuple[str, ...], environment_name: str, with_comparison: bool, as_json: bool) -> None:
    """Estimate what an environment costs a month, line by line.

    Counts what platform.toml and the environment's file ask for, with the assumptions of the table [cost] in that file
    (how many tasks on average, how many requests), at the prices in deploy/prices. Name services to see their own
    lines alone, without what all of them share. Asks nothing of AWS.
    """
    from platform_sdk.deploy.cost import compare, load_estimate, report

    if services and with_comparison:
        raise click.UsageError("--compare is for all services together: the architecture's estimate has no other lines")
    estimate = load_estimate(root(), environment_name, services)
    comparison = compare(estimate) if with_comparison else None
    if as_json:
        click.echo(json.dumps(report.as_json(estimate, comparison), indent=2))
    else:
        click.echo(report.as_text(estimate, comparison), nl=False)
