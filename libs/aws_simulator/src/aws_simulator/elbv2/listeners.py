"""Load balancers, their listeners, and the rules by which a request finds a target group."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.elbv2.state import Listener, LoadBalancer, Rule, forward, weights_of
from aws_simulator.service import Answer, Paging, Refused, Request, Service, find_or_refuse

PAGE_SIZE: Final = 400
PAGES: Final = Paging(marker="Marker", next_marker="NextMarker", size="PageSize", invalid="ValidationError")


class Listeners(Service):
    """Load balancers, listeners and rules.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.load_balancers: dict[str, LoadBalancer] = {}
        self.listeners: dict[str, Listener] = {}
        self.rules: dict[str, Rule] = {}
        self._routes: dict[str, list[tuple[Listener, int]]] | None = None
        self.tags: dict[str, dict[str, str]] = {}

    # What the other services of the simulator ask and do.

    def rules_of(self, listener_arn: str) -> list[Rule]:
        """Return rules by priority, without the listener's default actions."""
        rules = [rule for rule in self.rules.values() if rule.listener_arn == listener_arn]
        return sorted(rules, key=lambda rule: rule.priority)

    def actions_for(self, listener_arn: str, path: str) -> list[dict[str, Any]]:
        """Return the actions for a request: those of the first rule whose path patterns match, or the default ones."""
        for rule in self.rules_of(listener_arn):
            if any(fnmatchcase(path, pattern) for pattern in paths_of(rule)):
                return rule.actions
        return self._listener(listener_arn).default_actions

    def actions_of(self, listener: Listener) -> list[list[dict[str, Any]]]:
        """Return the actions by which a listener forwards: its default ones and those of its rules."""
        return [listener.default_actions, *(rule.actions for rule in self.rules_of(listener.arn))]

    def weight_of(self, target_group_arn: str, *, of_users: bool = True) -> int:
        """Return the largest weight that any rule gives a group: of listeners that users reach, or of any."""
        routes = self._routes_to(target_group_arn)
        return max((weight for listener, weight in routes if not (of_users and listener.tests_only)), default=0)

    def is_forwarded_to(self, target_group_arn: str) -> bool:
        """Return whether a rule forwards to the group, with whatever weight."""
        return bool(self._routes_to(target_group_arn))

    def load_balancers_of(self, target_group_arn: str) -> list[str]:
        """Return the ARNs of the load balancers that forward to the group, with whatever weight."""
        return list(dict.fromkeys(listener.load_balancer_arn for listener, _ in self._routes_to(target_group_arn)))

    def routes_changed(self) -> None:
        """Forget cached routes. Call it after each change of a listener or rule: health checks read them often."""
        self._routes = None

    def _routes_to(self, target_group_arn: str) -> list[tuple[Listener, int]]:
        """Return the listeners that forward to the group, each with the weight that one of its rules gives it."""
        if self._routes is None:
            self._routes = {}
            for listener in self.listeners.values():
                for actions in self.actions_of(listener):
                    for arn, weight in weights_of(actions).items():
                        self._routes.setdefault(arn, []).append((listener, weight))
        return self._routes.get(target_group_arn, [])

    def tag(self, arn: str, request: Request) -> None:
        """Add the tags of a request."""
        self.tags.setdefault(arn, {}).update({tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])})

    # Load balancers

    def create_load_balancer(self, request: Request) -> Answer:
        if any(existing.name == request["Name"] for existing in self.load_balancers.values()):
            message = f"A load balancer with the same name '{request['Name']}' exists, but with different settings"
            raise Refused("DuplicateLoadBalancerName", message)
        identity = self.account.hexadecimal_id("load balancer", 16)
        load_balancer = LoadBalancer(
            arn=self.account.arn("elasticloadbalancing", f"loadbalancer/app/{request['Name']}/{identity}"),
            name=request["Name"],
            created_at=self.account.now(),
            request=dict(request),
        )
        self.load_balancers[load_balancer.arn] = load_balancer
        self.tag(load_balancer.arn, request)
        return {"LoadBalancers": [self._load_balancer_description(load_balancer)]}

    def delete_load_balancer(self, request: Request) -> Answer:
        self.load_balancers.pop(request["LoadBalancerArn"], None)
        return {}

    def modify_load_balancer_attributes(self, request: Request) -> Answer:
        return write_attributes(self._load_balancer(request["LoadBalancerArn"]).attributes, request)

    def describe_load_balancer_attributes(self, request: Request) -> Answer:
        return write_attributes(self._load_balancer(request["LoadBalancerArn"]).attributes, request)

    def _load_balancer(self, arn: str) -> LoadBalancer:
        return find_or_refuse(self.load_balancers, arn, "LoadBalancerNotFound", f"Load balancer '{arn}' not found")

    def _load_balancer_description(self, load_balancer: LoadBalancer) -> dict[str, Any]:
        request = load_balancer.request
        internal = "internal-" if request.get("Scheme") == "internal" else ""
        identity = load_balancer.arn.rpartition("/")[2]
        return {
            "LoadBalancerArn": load_balancer.arn,
            "LoadBalancerName": load_balancer.name,
            "DNSName": f"{internal}{load_balancer.name}-{identity[:10]}.{self.account.region}.elb.amazonaws.com",
            "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
            "CreatedTime": load_balancer.created_at,
            "Scheme": request.get("Scheme", "internet-facing"),
            "VpcId": request.get("VpcId", "vpc-0123456789abcdef0"),
            "State": {"Code": "active"},
            "Type": request.get("Type", "application"),
            "SecurityGroups": list(request.get("SecurityGroups", [])),
            "IpAddressType": request.get("IpAddressType", "ipv4"),
        }

    # Listeners

    def create_listener(self, request: Request) -> Answer:
        self.routes_changed()
        load_balancer = self._load_balancer(request["LoadBalancerArn"])
        identity = self.account.hexadecimal_id("listener", 16)
        path = load_balancer.arn.partition("loadbalancer/")[2]
        listener = Listener(
            arn=self.account.arn("elasticloadbalancing", f"listener/{path}/{identity}"),
            load_balancer_arn=load_balancer.arn,
            port=request["Port"],
            protocol=request["Protocol"],
            default_actions=[normal(action) for action in request["DefaultActions"]],
            request=dict(request),
        )
        self.listeners[listener.arn] = listener
        self.tag(listener.arn, request)
        return {"Listeners": [listener_description(listener)]}

    def modify_listener(self, request: Request) -> Answer:
        self.routes_changed()
        listener = self._listener(request["ListenerArn"])
        if "DefaultActions" in request:
            listener.default_actions = [normal(action) for action in request["DefaultActions"]]
        listener.port = request.get("Port", listener.port)
        listener.protocol = request.get("Protocol", listener.protocol)
        return {"Listeners": [listener_description(listener)]}

    def delete_listener(self, request: Request) -> Answer:
        self.routes_changed()
        arn = self._listener(request["ListenerArn"]).arn
        del self.listeners[arn]
        self.rules = {key: rule for key, rule in self.rules.items() if rule.listener_arn != arn}
        return {}

    def describe_listeners(self, request: Request) -> Answer:
        load_balancer = request.get("LoadBalancerArn")
        if load_balancer is not None:
            self._load_balancer(load_balancer)
        found = [self._listener(arn) for arn in request.get("ListenerArns", [])] or [
            listener for listener in self.listeners.values() if listener.load_balancer_arn == load_balancer
        ]
        return PAGES.answer("Listeners", found, request, PAGE_SIZE, listener_description)

    def _listener(self, arn: str) -> Listener:
        return find_or_refuse(self.listeners, arn, "ListenerNotFound", f"One or more listeners not found: {arn}")

    # Rules

    def create_rule(self, request: Request) -> Answer:
        self.routes_changed()
        listener = self._listener(request["ListenerArn"])
        if any(rule.priority == request["Priority"] for rule in self.rules_of(listener.arn)):
            raise Refused("PriorityInUse", f"Priority '{request['Priority']}' is currently in use")
        path = listener.arn.partition("listener/")[2]
        identity = self.account.hexadecimal_id("rule", 16)
        rule = Rule(
            arn=self.account.arn("elasticloadbalancing", f"listener-rule/{path}/{identity}"),
            listener_arn=listener.arn,
            priority=request["Priority"],
            conditions=list(request["Conditions"]),
            actions=[normal(action) for action in request["Actions"]],
        )
        self.rules[rule.arn] = rule
        self.tag(rule.arn, request)
        return {"Rules": [rule_description(rule)]}

    def modify_rule(self, request: Request) -> Answer:
        self.routes_changed()
        rule = self._rule(request["RuleArn"])
        if "Actions" in request:
            rule.actions = [normal(action) for action in request["Actions"]]
        rule.conditions = list(request.get("Conditions", rule.conditions))
        return {"Rules": [rule_description(rule)]}

    def set_rule_priorities(self, request: Request) -> Answer:
        # No `routes_changed`: the order of rules does not change which target groups they forward to.
        for pair in request["RulePriorities"]:
            self._rule(pair["RuleArn"]).priority = pair["Priority"]
        return {"Rules": [rule_description(self._rule(pair["RuleArn"])) for pair in request["RulePriorities"]]}

    def delete_rule(self, request: Request) -> Answer:
        self.routes_changed()
        del self.rules[self._rule(request["RuleArn"]).arn]
        return {}

    def describe_rules(self, request: Request) -> Answer:
        if "RuleArns" in request:
            found = [rule_description(self._rule(arn)) for arn in request["RuleArns"]]
        else:
            listener = self._listener(str(request.get("ListenerArn")))
            found = [rule_description(rule) for rule in self.rules_of(listener.arn)]
            found.append(default_rule(listener))
        return PAGES.answer("Rules", found, request, PAGE_SIZE)

    def _rule(self, arn: str) -> Rule:
        return find_or_refuse(self.rules, arn, "RuleNotFound", f"One or more rules not found: {arn}")


def paths_of(rule: Rule) -> list[str]:
    """Return the path patterns of a rule. `*` and `?` mean what they mean in `fnmatch`."""
    described = [condition_description(condition) for condition in rule.conditions]
    return [value for one in described if one.get("Field") == "path-pattern" for value in one["Values"]]


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return attributes or tags as ELB lists them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def write_attributes(attributes: dict[str, str], request: Request) -> Answer:
    """Set the attributes that a request gives, if any, and return all of them."""
    attributes |= {one["Key"]: one["Value"] for one in request.get("Attributes", [])}
    return {"Attributes": pairs(dict(sorted(attributes.items())))}


def normal(action: dict[str, Any]) -> dict[str, Any]:
    """Return an action as ELB does, in whichever form it was given."""
    weights = weights_of([action])
    return forward(weights) if weights else {"Order": 1, **action}


def listener_description(listener: Listener) -> dict[str, Any]:
    """Return a listener as DescribeListeners does."""
    optional = {key: value for key, value in listener.request.items() if key in ("Certificates", "SslPolicy")}
    return {
        "ListenerArn": listener.arn,
        "LoadBalancerArn": listener.load_balancer_arn,
        "Port": listener.port,
        "Protocol": listener.protocol,
        "DefaultActions": listener.default_actions,
        **optional,
    }


def rule_description(rule: Rule) -> dict[str, Any]:
    """Return a rule as DescribeRules does."""
    return {
        "RuleArn": rule.arn,
        "Priority": str(rule.priority),
        "Conditions": [condition_description(condition) for condition in rule.conditions],
        "Actions": rule.actions,
        "IsDefault": False,
    }


def condition_description(condition: dict[str, Any]) -> dict[str, Any]:
    """Describe a condition. ELB repeats the values of path and host conditions in the older member Values."""
    field = {"path-pattern": "PathPatternConfig", "host-header": "HostHeaderConfig"}.get(condition.get("Field", ""))
    if field is None:
        return condition
    values = condition.get(field, {}).get("Values") or condition.get("Values", [])
    return {**condition, "Values": list(values), field: {"Values": list(values)}}


def default_rule(listener: Listener) -> dict[str, Any]:
    """Return the last rule of a listener: its default actions, which DescribeRules lists as a rule, too."""
    path = listener.arn.replace(":listener/", ":listener-rule/")
    return {
        "RuleArn": f"{path}/default",
        "Priority": "default",
        "Conditions": [],
        "Actions": listener.default_actions,
        "IsDefault": True,
    }
