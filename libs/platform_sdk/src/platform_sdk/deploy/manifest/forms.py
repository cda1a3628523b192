"""What names, paths and other texts of platform.toml may look like."""

import re
from typing import Final

from platform_sdk.deploy.toml_document import Form

# The service's name becomes part of names whose limits are 32 (target group) and 63 (database role) characters.
SERVICE_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 20 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 20),
)
# A listener rule's path pattern holds 128 characters and treats `*` and `?` as wildcards.
PATH: Final = Form(
    re.compile(r"(/[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+"),
    'lower-case segments such as "/orders", without a slash at the end',
    lengths=(3, 100),
)
# SQS allows 80 characters, of which environment, prefix and "-dead-letter" take their part.
QUEUE_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 40 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 40),
)
EVENT_TYPE: Final = Form(
    re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"), 'an event type such as "order.placed"', lengths=(3, 100)
)
ARGUMENT: Final = Form(re.compile(r"[^\x00]+"), "a text that is not empty")
VARIABLE_NAME: Final = Form(
    re.compile(r"[A-Z][A-Z0-9_]*"),
    "capital letters, digits and underscores, starting with a letter",
    lengths=(1, 128),
)
VARIABLE_VALUE: Final = Form(re.compile(r"[^\x00]*"), "a text without NUL")
SECRET_NAME: Final = Form(
    re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*(:[A-Za-z0-9_.-]+)?|(/[A-Za-z0-9_.-]+)+"),
    '"name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store',
    lengths=(1, 400),
)
SHORT_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 24 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 24),
)
FUNCTION_NAME: Final = Form(
    re.compile(r"[A-Za-z0-9_-]+"),
    'the name of a Lambda function (letters, digits, - and _), "smoke_test" or "none"',
    lengths=(1, 64),
)
HEALTH_PATH: Final = Form(re.compile(r"(/[A-Za-z0-9._~-]+)+"), 'a path such as "/readyz"', lengths=(2, 200))
SCHEDULE: Final = Form(
    re.compile(r"(cron|rate|at)\([^()]+\)"),
    '"cron(…)", "rate(…)" or "at(…)", as AWS writes schedules',
    lengths=(1, 256),
)
TIMEZONE: Final = Form(
    re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"), 'a time zone such as "Europe/Berlin"', lengths=(2, 50)
)
ACTION: Final = Form(re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]*"), 'an action of IAM such as "s3:GetObject"')
RESOURCE: Final = Form(
    re.compile(r"\*|arn:aws(-cn|-us-gov)?:[a-z0-9-]+:[a-z0-9{}_-]*:[a-z0-9{}_]*:[^\s\x00]+"),
    'an ARN such as "arn:aws:s3:::receipts-{environment}/*"',
    lengths=(1, 500),
)

CONTAINS_A_SECRET: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS access key ids
    r"|\bgh[pousr]_[A-Za-z0-9]{36}"  # GitHub tokens
    r"|\b[rs]k_live_[A-Za-z0-9]{16}"  # Stripe keys
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."  # signed JWTs
    r"|^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"  # URLs with a password
)
