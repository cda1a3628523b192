"""The operations that a history is made of, in one table: what operators, the console, the world and time do."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aws_simulator import Behaviour
from aws_simulator.ecr import Ecr
from aws_simulator.secrets_and_parameters import SecretsManager
from aws_simulator.world import Verdict
from tests.histories.choices import BEHAVIOURS, EDITS, FOUND_IN_BAKE_TIME, SERVE
from tests.histories.processes import FAILURE_MODES
from tests.histories.simulation import Simulation
from tests.histories.steps import Disturbance, Step

# Commands of operators


def deploy(simulation: Simulation, step: Step) -> None:
    """Release a new image that behaves as the first argument says."""
    kind, *options = step.argument.split(",")
    tag = f"v{len(simulation.tags)}"
    simulation.tags.append(tag)
    simulation.world.push(tag, BEHAVIOURS[kind])
    note_behaviour(simulation, tag, kind, options)
    release(simulation, tag, options, step.disturbance)


def retry(simulation: Simulation, step: Step) -> None:
    """Release the last image again; meanwhile its tasks may have begun to behave in another way."""
    kind, *options = step.argument.split(",")
    tag = simulation.tags[-1]
    if kind != "same":
        if kind not in SERVE and tag == simulation.truth().api:
            simulation.excused = "the tasks that serve crash"
        behave(simulation, tag, BEHAVIOURS[kind])
    note_behaviour(simulation, tag, simulation.kinds.get(tag, "good") if kind == "same" else kind, options)
    release(simulation, tag, options, step.disturbance)


def release(simulation: Simulation, tag: str, options: list[str], disturbance: Disturbance | None) -> None:
    simulation.run(*the("deploy", simulation), "--image", tag, *expanded(options), disturbance=disturbance)


def expanded(options: list[str]) -> list[str]:
    """Return the options of `platform` for the words of a step."""
    longer = {
        "traffic": ["--wait-until", "traffic"],
        "done": ["--wait-until", "done"],
        "supersede": ["--if-busy", "supersede"],
        "fail": ["--if-busy", "fail"],
        "undo": ["--on-interrupt", "rollback"],
        "detach": ["--detach"],
        "ignore_alarms": ["--ignore-alarms"],
        "force": ["--force"],
    }
    return [word for option in options for word in longer[option]]


def rollback(simulation: Simulation, step: Step) -> None:
    """Roll back, to a version if the first argument counts back from the last good one."""
    back, *options = step.argument.split(",")
    good = [tag for tag in simulation.tags if tag in simulation.healthy]
    to = [] if back == "last" else ["--to", good[-1 - int(back) % len(good)]]
    simulation.run(*the("rollback", simulation), *to, *expanded(options), disturbance=step.disturbance)


def restart(simulation: Simulation, step: Step) -> None:
    """Replace the tasks by new ones of the same version."""
    options = expanded([step.argument] if step.argument else [])
    simulation.run(*the("restart", simulation), *options, disturbance=step.disturbance)


def rotate(simulation: Simulation, step: Step) -> None:
    """Rotate the database's password, or a secret of the service's own where it has one, to the end."""
    own = [] if step.argument != "own" else sorted(each.name for each in simulation.world.spec.secrets.values())
    words = ("secret", "rotate", simulation.service, own[0] if own else "database", "--env", simulation.environment)
    simulation.run(*words, disturbance=step.disturbance, typed="a new value\n")


def wait(simulation: Simulation, step: Step) -> None:
    """Follow the newest deployment of a release."""
    made = [one for one in simulation.world.simulator.codedeploy.deployments.values() if " by " in one.description]
    if made:
        words = ("wait", made[-1].id, "--env", simulation.environment, "--json")
        simulation.run(*words, disturbance=step.disturbance)


def resume(simulation: Simulation, step: Step) -> None:
    """Run the command that the last output named."""
    words = simulation.next_command.split()[1:]
    more = {"apply": ["--json", "--yes"], "secret": []}
    if words and words[0] in ("deploy", "wait", "rollback", "restart", "apply", "secret"):
        simulation.run(*words, *more.get(words[0], ["--json"]), disturbance=step.disturbance)


def edit(simulation: Simulation, step: Step) -> None:
    """Edit platform.toml, and apply nothing."""
    name, way = step.argument.split(",")
    table, line = EDITS[name][int(way)]
    if table == "worker" and simulation.world.spec.worker is None:
        return
    text = simulation.manifest.read_text(encoding="utf-8")
    simulation.manifest.write_text(with_line(text, table, line), encoding="utf-8")


def with_line(text: str, table: str, line: str) -> str:
    """Return a TOML text whose table has this line in place of the one with the same key."""
    key = line.partition(" ")[0]
    head, begin, rest = text.partition(f"[{table}]\n")
    if not begin:
        return f"{text}\n[{table}]\n{line}\n"
    body, following, tail = re.match(r"(.*?)(\n\[|\Z)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    kept = [each for each in body.splitlines() if not re.match(rf"{key}\s*=", each)]
    return head + begin + "\n".join([line, *kept]) + following + tail


def apply(simulation: Simulation, step: Step) -> None:
    simulation.run(*the("apply", simulation), "--yes", "--wait", "30", disturbance=step.disturbance)


def scale(simulation: Simulation, step: Step) -> None:
    low, high = step.argument.split(",")
    simulation.run(*the("scale", simulation), "--min", low, "--max", high, "--yes", disturbance=step.disturbance)


def unlock(simulation: Simulation, step: Step) -> None:
    simulation.run(*the("unlock", simulation), "--yes", disturbance=step.disturbance)


def look(simulation: Simulation, step: Step) -> None:
    """Run a command that only reads."""
    simulation.run(*the(step.argument, simulation), disturbance=step.disturbance)


def the(command: str, simulation: Simulation) -> tuple[str, ...]:
    return *command.split("_"), simulation.service, "--env", simulation.environment, "--json"


# The console: people and cleaners


def stop(simulation: Simulation, step: Step) -> None:
    """Stop the deployment that runs, with or without a rollback."""
    for one in simulation.truth().running:
        simulation.world.simulator.codedeploy.stop_manually(one, roll_back=step.argument == "back")
        simulation.excused = "somebody stopped a deployment"


def deploy_in_console(simulation: Simulation, _step: Step) -> None:
    """Create a deployment of the revision that ran before, as somebody does who knows only the console."""
    codedeploy = simulation.world.simulator.codedeploy
    truth = simulation.truth()
    group = codedeploy.groups[simulation.name, simulation.name]
    good = [one for one in codedeploy.deployments.values() if one.status == "Succeeded" and one.rolls_back is None]
    others = [one for one in good if one.appspec and one.appspec.task_definition != truth.revision]
    if not others or truth.running:
        return
    request = {
        "applicationName": group.application,
        "deploymentGroupName": group.name,
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": others[-1].content}},
    }
    simulation.nobody.client_of("codedeploy").create_deployment(**request)
    simulation.excused = "somebody created a deployment"


def set_count(simulation: Simulation, step: Step) -> None:
    """Set the desired count of the API in the console."""
    client = simulation.nobody.client_of("ecs")
    client.update_service(cluster=simulation.cluster, service=simulation.name, desiredCount=int(step.argument))


def deregister(simulation: Simulation, step: Step) -> None:
    """Deregister old revisions of the API or the worker, as cleaners do: all but so many, and never one that runs."""
    role, keep = step.argument.split(",")
    family = simulation.name if role == "api" else simulation.worker
    simulator = simulation.world.simulator
    services = [one for one in simulator.ecs.ecs_services.values() if one.cluster.name == simulation.cluster]
    used = {each.definition.arn for one in services for each in one.sets}
    client = simulation.nobody.client_of("ecs")
    found = client.list_task_definitions(familyPrefix=family, sort="DESC")["taskDefinitionArns"]
    for arn in found[int(keep) :]:
        if arn not in used:
            client.deregister_task_definition(taskDefinition=arn)


def force_worker(simulation: Simulation, _step: Step) -> None:
    """Force a new deployment of the worker."""
    simulator = simulation.world.simulator
    if f"{simulation.cluster}/{simulation.worker}" in simulator.ecs.ecs_services:
        client = simulation.nobody.client_of("ecs")
        client.update_service(cluster=simulation.cluster, service=simulation.worker, forceNewDeployment=True)


# The world


def alarm(simulation: Simulation, step: Step) -> None:
    """Let an alarm that rolls back fire, or every one follow its metric again."""
    cloudwatch = simulation.world.simulator.cloudwatch
    group = simulation.world.simulator.codedeploy.groups[simulation.name, simulation.name]
    names = [one["name"] for one in group.request.get("alarmConfiguration", {}).get("alarms", [])]
    for name in names[:1] if step.argument == "on" else names:
        if step.argument == "on":
            cloudwatch.set_alarm(name, "ALARM")
        else:
            cloudwatch.set_alarm(name, "OK")
            cloudwatch.alarms[name].is_set_manually = False


def hook(simulation: Simulation, step: Step) -> None:
    """Change what the hook's function answers, or delete it."""
    simulator = simulation.world.simulator
    verdicts: Mapping[str, Verdict] = {"good": "Succeeded", "fails": "Failed", "silent": "silent"}
    name = f"platform-{simulation.environment}-smoke-test"
    if step.argument == "gone":
        simulator.hooks.pop(name, None)
    else:
        simulator.set_hook(name, verdicts[step.argument])


def secret(simulation: Simulation, step: Step) -> None:
    """Delete the service's secrets, or restore them."""
    secrets = simulation.world.simulator.service(SecretsManager).secrets
    for name, one in list(secrets.items()):
        if f"/{simulation.service}/" in name:
            deleted = simulation.world.simulator.now() if step.argument == "gone" else None
            secrets[name] = replace(one, deleted=deleted)


def capacity(simulation: Simulation, step: Step) -> None:
    """Let Fargate have no capacity for new tasks, or have it again."""
    message = "Capacity is unavailable at this time. Please try again later or in a different availability zone."
    simulation.world.simulator.conditions.placement_failure = message if step.argument == "gone" else ""


def load(simulation: Simulation, step: Step) -> None:
    """Let the tasks of API and worker carry as much as so many of them should: by every metric that scaling follows."""
    loads = simulation.world.simulator.conditions.loads
    for name in (simulation.name, simulation.worker):
        resource = f"service/{simulation.cluster}/{name}"
        target = simulation.world.simulator.autoscaling.targets.get(("ecs", resource, "ecs:service:DesiredCount"))
        policies = {} if target is None else target.tracking
        loads[resource] = {policy: float(step.argument) * each.target for policy, each in policies.items()}


def incident(simulation: Simulation, step: Step) -> None:
    """Let the tasks of the version that serves crash, or those of every healthy version behave again."""
    if step.argument == "over":
        for tag in simulation.healthy:
            behave(simulation, tag, BEHAVIOURS["good"])
        return
    truth = simulation.truth()
    if truth.api not in simulation.tags:
        return
    simulation.excused = "the tasks that serve crash, so CodeDeploy cannot finish a rollback to them"
    behave(simulation, truth.api, BEHAVIOURS["crashes"])
    client = simulation.nobody.client_of("ecs")
    found = client.list_tasks(cluster=simulation.cluster, serviceName=simulation.name)["taskArns"]
    for task in found:
        client.stop_task(cluster=simulation.cluster, task=task, reason="an incident")


def sleep(simulation: Simulation, step: Step) -> None:
    simulation.world.simulator.clock.sleep(int(step.argument))


def behave(simulation: Simulation, tag: str, behaviour: Behaviour) -> None:
    """Let tasks that start from now on behave so."""
    image = simulation.world.simulator.service(Ecr).repositories[simulation.service].find({"imageTag": tag})
    if image is not None:
        simulation.world.simulator.images[image.digest] = behaviour


def note_behaviour(simulation: Simulation, tag: str, kind: str, options: list[str]) -> None:
    """Note that users may be on the version, if nothing finds out that it is bad."""
    simulation.kinds[tag] = kind
    is_watched = simulation.environment == "production" and "ignore_alarms" not in options
    if kind in SERVE or (kind in FOUND_IN_BAKE_TIME and not is_watched):
        simulation.healthy.add(tag)


# The table


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    Args:
        play: takes the step.
        weight: how often it is chosen, compared with the others.
        arguments: one of each group is chosen; they are joined by commas. Empty ones are left out.
        is_command: whether it runs a command of ours, which may be disturbed.
    """

    play: Callable[[Simulation, Step], None]
    weight: int
    arguments: tuple[tuple[str, ...], ...] = ()
    is_command: bool = False


OPTIONS: Final = ("",) * 8 + ("traffic", "detach", "supersede", "fail", "undo", "ignore_alarms")
KINDS: Final = ("good",) * 8 + tuple(BEHAVIOURS)

OPERATIONS: Final[Mapping[str, Operation]] = {
    "deploy": Operation(play=deploy, weight=24, arguments=(KINDS, OPTIONS), is_command=True),
    "retry": Operation(
        play=retry, weight=10, arguments=(("same", "good", "good", "crashes"), OPTIONS), is_command=True
    ),
    "rollback": Operation(
        play=rollback,
        weight=16,
        arguments=(("last", "last", "last", "0", "1", "2"), ("", "", "", "done", "detach", "fail", "supersede")),
        is_command=True,
    ),
    "restart": Operation(play=restart, weight=8, arguments=(OPTIONS,), is_command=True),
    "rotate": Operation(play=rotate, weight=3, arguments=(("database", "own"),), is_command=True),
    "wait": Operation(play=wait, weight=5, is_command=True),
    "resume": Operation(play=resume, weight=8, is_command=True),
    "edit": Operation(play=edit, weight=3, arguments=(tuple(EDITS), ("0", "1"))),
    "apply": Operation(play=apply, weight=6, is_command=True),
    "scale": Operation(play=scale, weight=4, arguments=(("1", "2", "3"), ("4", "6", "8")), is_command=True),
    "unlock": Operation(play=unlock, weight=2, is_command=True),
    "look": Operation(play=look, weight=3, arguments=(("status", "history", "plan", "secret_list"),), is_command=True),
    "stop": Operation(play=stop, weight=3, arguments=(("back", "leave"),)),
    "deploy_in_console": Operation(play=deploy_in_console, weight=2),
    "set_count": Operation(play=set_count, weight=2, arguments=(("1", "2", "3", "5"),)),
    "deregister": Operation(play=deregister, weight=2, arguments=(("api", "worker"), ("1", "2", "4"))),
    "force_worker": Operation(play=force_worker, weight=1),
    "alarm": Operation(play=alarm, weight=4, arguments=(("on", "off", "off"),)),
    "hook": Operation(play=hook, weight=2, arguments=(("good", "good", "fails", "silent", "gone"),)),
    "secret": Operation(play=secret, weight=2, arguments=(("gone", "back", "back"),)),
    "capacity": Operation(play=capacity, weight=2, arguments=(("gone", "back", "back"),)),
    "load": Operation(play=load, weight=5, arguments=(("0.5", "1.5", "3.4", "7.5"),)),
    "incident": Operation(play=incident, weight=2, arguments=(("begins", "over", "over"),)),
    "sleep": Operation(play=sleep, weight=14, arguments=(("20", "200", "600", "1500", "5000", "90000"),)),
}

DISTURBED: Final = 0.45
"""The share of commands that are disturbed."""

PLACES: Final = (("orders", "production"),) * 3 + (("users", "production"),) * 2 + (("orders", "staging"),)


def random_step(chance: random.Random, *, names: tuple[str, ...] = tuple(OPERATIONS), disturbed: bool = True) -> Step:
    """Return a step of one of the operations."""
    (name,) = chance.choices(names, weights=[OPERATIONS[each].weight for each in names])
    operation = OPERATIONS[name]
    argument = ",".join(filter(None, (chance.choice(group) for group in operation.arguments)))
    is_disturbed = disturbed and operation.is_command and chance.random() < DISTURBED
    return Step(name=name, argument=argument, disturbance=random_disturbance(chance) if is_disturbed else None)


def random_disturbance(chance: random.Random) -> Disturbance:
    kind = chance.choice(("kill", "kill", "kill", "term", "meanwhile", "meanwhile", *FAILURE_MODES))
    match kind:
        case "term":
            return Disturbance(kind=kind, at=seconds(chance))
        case "meanwhile":
            # `unlock` and commands that wait are run, too: the process that is disturbed stands still meanwhile.
            return Disturbance(kind=kind, at=seconds(chance), meanwhile=random_step(chance, disturbed=False))
        case "kill":
            return Disturbance(kind=kind, at=call(chance))
        case _:
            return Disturbance(kind=kind, at=call(chance), times=chance.choice((1, 1, 1, 3, 12, 60)))


def seconds(chance: random.Random) -> int:
    return round(2 ** chance.uniform(0, 11))


def call(chance: random.Random) -> int:
    """Return the number of a call: the first hundred have most of a release's writes."""
    return chance.choice((chance.randint(1, 100), chance.randint(20, 200), chance.randint(1, 600)))


def heal(simulation: Simulation) -> None:
    """Let everything around the service be well again."""
    for name, argument in (
        ("alarm", "off"),
        ("hook", "good"),
        ("secret", "back"),
        ("capacity", "back"),
        ("incident", "over"),
    ):
        OPERATIONS[name].play(simulation, Step(name=name, argument=argument))
