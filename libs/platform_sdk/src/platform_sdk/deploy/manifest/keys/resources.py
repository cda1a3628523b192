"""The keys that say what the tasks are given: variables, secrets, data stores, queues, logs and permissions."""

from typing import Final

from platform_sdk.deploy.manifest.keys import key as forms
from platform_sdk.deploy.manifest.keys.key import ANY_NAME, Group, Integer, Key, Text, Texts

LOG_RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""What CloudWatch Logs offers (docs.aws.amazon.com/AmazonCloudWatchLogs, PutRetentionPolicy)."""

ENVIRONMENT: Final = Group(
    name="environment",
    meaning='variables of your own: NAME = "value", the value always in quotes',
    names=forms.VARIABLE_NAME,
    example="GREETING",
    keys=(
        Key(
            name=ANY_NAME,
            kind=Text(forms.VARIABLE_VALUE),
            meaning="Capital letters, digits and underscores. What the platform sets (`platform render` shows it) "
            'cannot be set here, with one exception: LOG_LEVEL is "debug", "info", "warning" or "error", and overrides '
            "the environment's.",
            example='"hello"',
            becomes="`environment[]` of the container",
        ),
    ),
)

SECRETS: Final = Group(
    name="secrets",
    meaning="variables whose values nobody sees: NAME = where the secret is kept",
    names=forms.VARIABLE_NAME,
    example="PAYMENT_KEY",
    keys=(
        Key(
            name=ANY_NAME,
            kind=Text(forms.SECRET_NAME),
            meaning='"name" of Secrets Manager, below platform/<environment>/<service>/; "name:json_key" for one value '
            'of a secret that is a JSON object; or "/path" of Parameter Store, below '
            "/platform/<environment>/<service>. Read when a task starts: a changed secret reaches tasks that start "
            "after the change.",
            example='"payment:api_key"',
            becomes="`secrets[]` of the container",
        ),
    ),
)

DATABASE: Final = Group(
    name="database",
    meaning="its presence asks for a schema and a role in PostgreSQL, both with the service's name",
    keys=(
        Key(
            name="max_connections",
            kind=Integer(1, 100),
            meaning="Connections that one process opens at most.",
            example="10",
            default=10,
            becomes="the variable DATABASE_MAX_CONNECTIONS, beside DATABASE_URL and the secret DATABASE_PASSWORD",
        ),
    ),
)

CACHE: Final = Group(
    name="cache",
    meaning="its presence asks for Redis: the variables REDIS_URL and REDIS_PASSWORD. No keys yet",
)

QUEUES: Final = Group(
    name="queues",
    meaning="a queue that this service owns, by name; each has a dead-letter queue",
    form="named",
    names=forms.QUEUE_NAME,
    example="orders",
    keys=(
        Key(
            name="consumes",
            kind=Texts(forms.EVENT_TYPE, unique=True),
            meaning="Event types that the worker handles. For each, some service lists this queue in its [publishes].",
            example='["inventory.reserved", "inventory.rejected"]',
            becomes="the variable CONSUMED_QUEUES of the worker",
        ),
        Key(
            name="visibility_timeout_seconds",
            kind=Integer(1, 43_200),
            meaning="Seconds that a received message is hidden from other workers. A worker that takes longer prolongs "
            "it.",
            example="60",
            default=60,
            becomes="`VisibilityTimeout` of the queue",
        ),
        Key(
            name="max_receive_count",
            kind=Integer(1, 1000),
            meaning="How often a message is tried before it goes to the dead-letter queue.",
            example="5",
            default=5,
            becomes="`RedrivePolicy.maxReceiveCount` of the queue",
        ),
        Key(
            name="delay_seconds",
            kind=Integer(0, 900),
            meaning="Seconds before a new message can be received.",
            example="0",
            default=0,
            becomes="`DelaySeconds` of the queue",
        ),
        Key(
            name="retention_days",
            kind=Integer(1, 13),
            meaning="Days after which a message that nobody has handled is gone.",
            example="4",
            default=4,
            becomes="`MessageRetentionPeriod` of the queue, in seconds",
        ),
        Key(
            name="dead_letter_retention_days",
            kind=Integer(2, 14),
            meaning="The same of the dead-letter queue, counted from when the message was first sent: more than "
            "retention_days.",
            example="14",
            default=14,
            becomes="`MessageRetentionPeriod` of the dead-letter queue, in seconds",
        ),
        Key(
            name="alarm_age_seconds",
            kind=Integer(60, 1_123_200),
            meaning="How long a message may wait before the alarm queue_age goes off; more than the visibility "
            "timeout, or one message that is tried twice would do it.",
            example="300",
            default=None,
            default_text="300, or five times the visibility timeout where that is more",
            becomes="`Threshold` of an alarm on ApproximateAgeOfOldestMessage",
        ),
    ),
)

PUBLISHES: Final = Group(
    name="publishes",
    meaning="event types that this service publishes, and the queues that receive each",
    names=forms.EVENT_TYPE,
    example='"order.placed"',
    keys=(
        Key(
            name=ANY_NAME,
            kind=Texts(forms.QUEUE_NAME, may_be_empty=True, unique=True),
            meaning="The owner of the queue lists the event in `consumes`. An empty list is an event that nobody "
            "listens to yet.",
            example='["inventory"]',
            becomes="the variable EVENT_ROUTES, and `sqs:SendMessage` of the task role",
        ),
    ),
)

PERMISSIONS: Final = Group(
    name="permissions",
    meaning="what the app may do on AWS beyond its queues, secrets and telemetry, which need no entry",
    form="list",
    keys=(
        Key(
            name="actions",
            kind=Texts(forms.ACTION, unique=True),
            meaning="Actions of IAM, each by its whole name.",
            example='["s3:GetObject", "s3:PutObject"]',
            becomes="`Action` of a statement of the task role",
        ),
        Key(
            name="resources",
            kind=Texts(forms.RESOURCE, unique=True),
            meaning="ARNs; {environment}, {region} and {account_id} stand for the environment's own. A * only behind a "
            'name; "*" alone only for actions for which AWS knows no resource.',
            example='["arn:aws:s3:::receipts-{environment}/*"]',
            becomes="`Resource` of a statement of the task role",
        ),
    ),
)

LOGS: Final = Group(
    name="logs",
    meaning="what the containers write",
    keys=(
        Key(
            name="retention_days",
            kind=Integer(1, 3653, legal=LOG_RETENTION_DAYS),
            meaning="Days for which CloudWatch Logs keeps it.",
            example="30",
            default=30,
            becomes="`RetentionInDays` of the log groups",
        ),
    ),
)
