"""Rules of all other services."""

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

ECS_NAME: Final = r"[a-zA-Z0-9_-]{1,255}"
UP_TO_255: Final = "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed."
TASK: Final = "AWS::ECS::TaskDefinition"

TASKS: Final = (
    matching(ECS_NAME, "ecs.CreateClusterRequest.clusterName", UP_TO_255, "AWS::ECS::Cluster/ClusterName"),
    matching(ECS_NAME, "ecs.CreateServiceRequest.serviceName", UP_TO_255, "AWS::ECS::Service/ServiceName"),
    matching(ECS_NAME, "ecs.RegisterTaskDefinitionRequest.family", UP_TO_255, f"{TASK}/Family"),
    matching(ECS_NAME, "ecs.ContainerDefinition.name", UP_TO_255, f"{TASK}/ContainerDefinitions/Name"),
    matching(
        r"(?=.{1,255}(@|$))[a-zA-Z0-9_.:/#-]+(@sha256:[A-Fa-f0-9]{64})?",
        "ecs.ContainerDefinition.image",
        "up to 255 characters total are allowed, including letters (uppercase and lowercase), numbers, hyphens, "
        "underscores, colons, periods, forward slashes, and number signs (#).",
        f"{TASK}/ContainerDefinitions/Image",
    ),
    matching(
        "[A-Z_]+",
        "ecs.KernelCapabilities.drop",
        'Valid values: "ALL" | "AUDIT_CONTROL"',
        f"{TASK}/ContainerDefinitions/LinuxParameters/Capabilities/Drop",
    ),
    matching(
        "enhanced|enabled|disabled",
        "ecs.ClusterSetting.value",
        "The supported values are enhanced , enabled , and disabled .",
        "AWS::ECS::Cluster/ClusterSettings/Value",
    ),
    between(
        0,
        2880,
        "codedeploy.BlueInstanceTerminationOption.terminationWaitTimeInMinutes",
        "The maximum setting is 2880 minutes (2 days).",
        "AWS::CodeDeploy::DeploymentGroup/BlueGreenDeploymentConfiguration/TerminateBlueInstancesOnDeploymentSuccess/"
        "TerminationWaitTimeInMinutes",
    ),
    matching(
        r".{1,255}",
        "codedeploy.Alarm.name",
        "Maximum length is 255 characters.",
        "AWS::CodeDeploy::DeploymentGroup/AlarmConfiguration/Alarms/Name",
    ),
    between(
        1,
        900,
        "lambda.CreateFunctionRequest.Timeout",
        "the maximum allowed value is 900 seconds.",
        "AWS::Lambda::Function/Timeout",
    ),
)

ASCII: Final = r"(?=.*[!-~])[ -~]+"
LETTER_FIRST: Final = r"[a-z][a-zA-Z0-9_]*"
PERIOD: Final = "|".join(str(seconds) for seconds in (10, 20, 30, *range(60, 86_401, 60)))
ALARM: Final = "AWS::CloudWatch::Alarm"
QUEUE: Final = "AWS::SQS::Queue"

REST: Final = (
    matching(
        f"(?!:){ASCII}",
        "cloudwatch.Dimension.Name",
        "must contain only ASCII characters, must include at least one non-whitespace character, and cannot start with "
        "a colon ( : ).",
        f"{ALARM}/Dimensions/Name",
        f"{ALARM}/Metrics/MetricStat/Metric/Dimensions/Name",
    ),
    matching(
        ASCII,
        "cloudwatch.Dimension.Value",
        "must contain only ASCII characters and must include at least one non-whitespace character.",
        f"{ALARM}/Dimensions/Value",
        f"{ALARM}/Metrics/MetricStat/Metric/Dimensions/Value",
    ),
    matching(
        r"[^\x00-\x1f\x7f]+",
        "cloudwatch.PutMetricAlarmInput.AlarmName",
        "The name must contain only UTF-8 characters, and can't contain ASCII control characters",
        f"{ALARM}/AlarmName",
    ),
    matching(
        LETTER_FIRST,
        "cloudwatch.MetricDataQuery.Id",
        "The valid characters are letters, numbers, and underscore. The first character must be a lowercase letter.",
        f"{ALARM}/Metrics/Id",
    ),
    matching(
        PERIOD,
        "cloudwatch.PutMetricAlarmInput.Period",
        "Valid values are 10, 20, 30, and any multiple of 60.",
        f"{ALARM}/Period",
    ),
    matching(
        "breaching|notBreaching|ignore|missing",
        "cloudwatch.PutMetricAlarmInput.TreatMissingData",
        "Valid Values: breaching | notBreaching | ignore | missing",
        f"{ALARM}/TreatMissingData",
    ),
    matching(
        r"[A-Za-z0-9_-]{1,255}",
        "cloudwatch.PutDashboardInput.DashboardName",
        'The maximum length is 255, and valid characters are A-Z, a-z, 0-9, "-", and "_".',
        "AWS::CloudWatch::Dashboard/DashboardName",
    ),
    matching(
        r"[a-zA-Z0-9_-]{1,80}",
        "sqs.CreateQueueRequest.QueueName",
        "A queue name can have up to 80 characters. Valid values: alphanumeric characters, hyphens ( - ), and "
        "underscores ( _ ).",
        f"{QUEUE}/QueueName",
    ),
    *(
        between(
            least, most, "sqs.CreateQueueRequest.Attributes", f"Valid values: An integer from {says}", f"{QUEUE}/{name}"
        )
        for name, least, most, says in (
            ("DelaySeconds", 0, 900, "0 to 900 seconds (15 minutes)."),
            ("MessageRetentionPeriod", 60, 1_209_600, "60 seconds (1 minute) to 1,209,600 seconds (14 days)."),
            ("ReceiveMessageWaitTimeSeconds", 0, 20, "0 to 20 (seconds)."),
            ("VisibilityTimeout", 0, 43_200, "0 to 43,200 (12 hours)."),
        )
    ),
    matching(
        r"[a-zA-Z0-9_-]{1,256}",
        "sns.CreateTopicInput.Name",
        "Topic names must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, "
        "and must be between 1 and 256 characters long.",
        "AWS::SNS::Topic/TopicName",
    ),
    matching(
        r"(?!(?i:/?(aws|ssm)))/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+){0,14}",
        "ssm.PutParameterRequest.Name",
        "Parameter names can include only the following symbols and letters: a-zA-Z0-9_.- In addition, the slash "
        "character ( / ) is used to delineate hierarchies in parameter names.",
        "AWS::SSM::Parameter/Name",
    ),
    matching(
        r"(?!.*\{\{.*\}\}).*",
        "ssm.PutParameterRequest.Value",
        "You can't include values wrapped in double brackets {{}} or {{ssm: parameter-name }} in a parameter value.",
        "AWS::SSM::Parameter/Value",
    ),
    matching(
        r"[A-Za-z0-9/_+=.@-]+(?<!-.{6})",
        "secretsmanager.CreateSecretRequest.Name",
        "The secret name can contain ASCII letters, numbers, and the following characters: /_+=.@- Do not end your "
        "secret name with a hyphen followed by six characters.",
        "AWS::SecretsManager::Secret/Name",
    ),
    between(
        7,
        30,
        "kms.ScheduleKeyDeletionRequest.PendingWindowInDays",
        "If you include a value, it must be between 7 and 30, inclusive.",
        "AWS::KMS::Key/PendingWindowInDays",
    ),
    matching(
        "1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1096|1827|2192|2557|2922|3288|3653",
        "logs.PutRetentionPolicyRequest.retentionInDays",
        "Possible values are: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, "
        "2922, 3288, and 3653.",
        "AWS::Logs::LogGroup/RetentionInDays",
    ),
    matching(
        r".{1,255}",
        "s3.LifecycleRule.ID",
        "The value cannot be longer than 255 characters.",
        "AWS::S3::Bucket/LifecycleConfiguration/Rules/Id",
    ),
    between(
        1,
        float("inf"),
        "s3.LifecycleExpiration.Days",
        "The value must be a non-zero positive integer.",
        "AWS::S3::Bucket/LifecycleConfiguration/Rules/ExpirationInDays",
    ),
    matching(
        r"(?!aws:).{1,128}",
        "cloudformation.Tag.Key",
        "You can specify a maximum of 128 characters for a tag key. Tags owned by Amazon Web Services have the "
        "reserved prefix: aws: .",
    ),
    matching(
        r".{0,256}",
        "cloudformation.Tag.Value",
        "You can specify a maximum of 256 characters for a tag value.",
    ),
)
