"""Rules of EC2, Elastic Load Balancing and CloudFront."""

from typing import Final

from aws_simulator.documented.rule import between, matching

SECURITY_GROUP_TEXT: Final = r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}"
RULE_BETWEEN_GROUPS: Final = SECURITY_GROUP_TEXT.replace("&", "")
ELB_NAME: Final = r"(?!-)[a-zA-Z0-9-]{1,32}(?<!-)"
DISTRIBUTION: Final = "AWS::CloudFront::Distribution/DistributionConfig"

EC2: Final = (
    matching(
        SECURITY_GROUP_TEXT,
        "ec2.CreateSecurityGroupRequest.Description",
        "Up to 255 characters in length Valid characters: a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*",
        "AWS::EC2::SecurityGroup/GroupDescription",
    ),
    matching(
        SECURITY_GROUP_TEXT,
        "ec2.IpRange.Description",
        "Up to 255 characters in length. Allowed characters are a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*",
        "AWS::EC2::SecurityGroup/SecurityGroupEgress/Description",
        "AWS::EC2::SecurityGroup/SecurityGroupIngress/Description",
    ),
    matching(
        RULE_BETWEEN_GROUPS,
        "ec2.UserIdGroupPair.Description",
        "Up to 255 characters in length. Allowed characters are a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=;{}!$*",
        "AWS::EC2::SecurityGroup/SecurityGroupIngress/Description",
        "AWS::EC2::SecurityGroupEgress/Description",
        "AWS::EC2::SecurityGroupIngress/Description",
    ),
    matching(
        r"(?!aws:).{1,127}",
        "ec2.Tag.Key",
        "accept a maximum of 127 Unicode characters. May not begin with aws: .",
        *(f"AWS::EC2::{kind}/Tags/Key" for kind in ("InternetGateway", "NatGateway", "RouteTable", "Subnet", "VPC")),
    ),
    matching(
        r".{0,256}",
        "ec2.Tag.Value",
        "accept a maximum of 256 Unicode characters",
        *(f"AWS::EC2::{kind}/Tags/Value" for kind in ("InternetGateway", "NatGateway", "RouteTable", "Subnet", "VPC")),
    ),
)

TRAFFIC: Final = (
    matching(
        f"(?!internal-){ELB_NAME}",
        "elbv2.CreateLoadBalancerInput.Name",
        "can have a maximum of 32 characters, must contain only alphanumeric characters or hyphens, must not begin or "
        'end with a hyphen, and must not begin with "internal-".',
        "AWS::ElasticLoadBalancingV2::LoadBalancer/Name",
    ),
    matching(
        ELB_NAME,
        "elbv2.CreateTargetGroupInput.Name",
        "can have a maximum of 32 characters, must contain only alphanumeric characters or hyphens, and must not begin "
        "or end with a hyphen.",
        "AWS::ElasticLoadBalancingV2::TargetGroup/Name",
    ),
    matching(
        r"([234]\d\d([,-](?!$))?)+",
        "elbv2.Matcher.HttpCode",
        "For Application Load Balancers, you can specify values between 200 and 499",
        "AWS::ElasticLoadBalancingV2::TargetGroup/Matcher/HttpCode",
    ),
    matching(
        "http-header|http-request-method|host-header|path-pattern|query-string|source-ip",
        "elbv2.RuleCondition.Field",
        "The possible values are: http-header",
        "AWS::ElasticLoadBalancingV2::ListenerRule/Conditions/Field",
    ),
    matching(
        "text/plain|text/css|text/html|application/javascript|application/json",
        "elbv2.FixedResponseActionConfig.ContentType",
        "Valid Values: text/plain | text/css | text/html | application/javascript | application/json",
        "AWS::ElasticLoadBalancingV2::Listener/DefaultActions/FixedResponseConfig/ContentType",
    ),
    matching(
        r".{1,128}",
        "elbv2.PathPatternConditionConfig.Values",
        "The maximum length of each string is 128 characters.",
        "AWS::ElasticLoadBalancingV2::ListenerRule/Conditions/PathPatternConfig/Values",
    ),
    matching(
        r".{0,128}",
        "cloudfront.DistributionConfig.Comment",
        "The comment cannot be longer than 128 characters.",
        f"{DISTRIBUTION}/Comment",
    ),
    between(
        1,
        120,
        "cloudfront.VpcOriginConfig.OriginReadTimeout",
        "The minimum timeout is 1 second, the maximum is 120 seconds",
        f"{DISTRIBUTION}/Origins/VpcOriginConfig/OriginReadTimeout",
    ),
    between(
        1,
        120,
        "cloudfront.VpcOriginConfig.OriginKeepaliveTimeout",
        "The minimum timeout is 1 second, the maximum is 120 seconds",
        f"{DISTRIBUTION}/Origins/VpcOriginConfig/OriginKeepaliveTimeout",
    ),
)
