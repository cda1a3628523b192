"""Every mistake that a platform.toml is known to be able to hold: each has its line, its reason and its suggestion."""
# ruff: noqa: E501 - an error is one line

from pathlib import Path

import pytest

from platform_sdk.deploy.config_errors import InvalidManifest
from platform_sdk.deploy.manifest import load_spec

VALID = """\
[service]
name = "orders"
path = "/orders"
[task]
cpu = 512
memory_mib = 1024
[scaling]
min_tasks = 2
max_tasks = 6
[commands]
api = ["python", "-m", "orders.main"]
"""

# fmt: off
CHANGED: list[tuple[str, str, list[str]]] = [
    ('cpu = 512', 'cpus = 512', ['4: task.cpu: is missing; for example cpu = 512', '5: task.cpus: unknown key; did you mean cpu?']),
    ('cpu = 512', '', ['4: task.cpu: is missing; for example cpu = 512']),
    ('cpu = 512', 'cpu = "512"', ['5: task.cpu: must be a whole number, not a text in quotes; did you mean 512, without quotes?']),
    ('cpu = 512', 'cpu = 300', ['5: task.cpu: 300 is not a Fargate size; did you mean 256 or 512?']),
    ('cpu = 512', 'cpu = 1.5', ['5: task.cpu: must be a whole number, not a number; for example cpu = 512']),
    ('memory_mib = 1024', 'memory_mib = 1500', ['6: task.memory_mib: 1500 is not a Fargate size with 512 CPU units, which take 1024 to 4096 MiB; did you mean 1024 or 2048?']),
    ('[scaling]', '[scalling]', ['1: scaling: the table [scaling] is missing; for example [scaling] with min_tasks and max_tasks', '7: scalling: unknown table; did you mean scaling?']),
    ('[task]\ncpu = 512\nmemory_mib = 1024\n', '', ['1: task: the table [task] is missing; for example [task] with cpu and memory_mib']),
    ('"orders"', '7', ['2: service.name: must be a text in quotes, not a whole number; put it in quotes']),
    ('name = "orders"', 'name = "Orders"', ['2: service.name: must be 2 to 20 lower-case letters, digits and single hyphens, starting with a letter; for example name = "orders"']),
    ('path = "/orders"', 'path = "/orders/"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
    ('path = "/orders"', 'path = "/orders"\nport = 80', ['4: service.port: 80 is outside 1024 to 65535; did you mean 1024?']),
    ('path = "/orders"', 'path = "/orders"\nport = 4318', ['4: service.port: 4318 is taken by the CloudWatch agent or the log router of the same task; leave it out, which is 3000']),
    ('path = "/orders"', 'path = "/orders"\npriority = 0', ['4: service.priority: 0 is outside 1 to 50000; did you mean 1?']),
    ('cpu = 512', 'cpu = 512\narchitecture = "arm"', ['6: task.architecture: must be one of "x86_64" and "arm64"; did you mean arm64?']),
    ('cpu = 512', 'cpu = 512\nstop_timeout_seconds = 121', ['6: task.stop_timeout_seconds: 121 is outside 2 to 120; did you mean 120?']),
    ('cpu = 512', 'cpu = 512\nstop_timeout_seconds = 20\nderegistration_delay_seconds = 30', ['7: task.deregistration_delay_seconds: 30 is above task.stop_timeout_seconds, which is 20: the task is killed first; did you mean 20?']),
    ('cpu = 512', 'cpu = 0xffffffffffffffffffffffff', ['5: task.cpu: is too large a number; for example cpu = 512']),
    ('min_tasks = 2', 'min_tasks = 7', ['8: scaling.min_tasks: 7 is above max_tasks, which is 6; swap them?']),
    ('min_tasks = 2', 'min_tasks = 0', ['8: scaling.min_tasks: 0 is outside 1 to 5000; did you mean 1?']),
    ('max_tasks = 6', 'max_tasks = 6001', ['9: scaling.max_tasks: 6001 is outside 1 to 5000; did you mean 5000?']),
    ('["python", "-m", "orders.main"]', '"python"', ['11: commands.api: must be a list, not a text in quotes; put it in brackets']),
    ('["python", "-m", "orders.main"]', '[]', ['11: commands.api: must not be empty; for example api = ["python", "-m", "orders.main"]']),
    ('"orders.main"', '1', ['11: commands.api[2]: must be a text in quotes, not a whole number; put it in quotes']),
    ('"orders.main"', '"--key=AKIAABCDEFGHIJKLMNOP"', ['11: commands.api[2]: looks like a secret, which commands do not keep; read it from a variable']),
    ('max_tasks = 6', 'max_tasks = 6\ntarget_cpu_percent = 5', ['10: scaling.target_cpu_percent: 5 is outside 10 to 95; did you mean 10?']),
    ('max_tasks = 6', 'max_tasks = 6\ntarget_cpu_percent = 0\ntarget_memory_percent = 0', ['10: scaling.target_cpu_percent: no target is left, so the number of tasks would never change; 60 is usual']),
    ('max_tasks = 6', 'max_tasks = 6\nscale_in_cooldown_seconds = 3601', ['10: scaling.scale_in_cooldown_seconds: 3601 is outside 0 to 3600; did you mean 3600?']),
    ('max_tasks = 6', 'max_tasks = 6\nzzz = 1', ['10: scaling.zzz: unknown key; known here: max_tasks, min_tasks, scale_in_cooldown_seconds, scale_out_cooldown_seconds, scheduled, target_cpu_percent, target_memory_percent and target_requests_per_task']),
    ('cpu = 512', 'cpu = true', ['5: task.cpu: must be a whole number, not true or false; for example cpu = 512']),
    ('cpu = 512', 'cpu = 1979-05-27', ['5: task.cpu: must be a whole number, not a date or time; for example cpu = 512']),
    ('api = ["python", "-m", "orders.main"]', 'api = "python"', ['11: commands.api: must be a list, not a text in quotes; put it in brackets']),
    ('[task]\ncpu = 512\nmemory_mib = 1024', '', ['1: task: the table [task] is missing; for example [task] with cpu and memory_mib']),
    ('cpu = 512', 'cpu = 99999', ['5: task.cpu: 99999 is not a Fargate size; did you mean 32768?']),
    ('cpu = 512', 'cpu = 512\nstop_timeout_seconds = 1', ['6: task.stop_timeout_seconds: 1 is outside 2 to 120; did you mean 2?']),
    ('path = "/orders"', 'path = "orders"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
    ('path = "/orders"', 'path = "/"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
    ('path = "/orders"', 'path = "/orders/*"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
    ('path = "/orders"', 'path = "//orders"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
    ('path = "/orders"', 'path = "/Orders"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
    ('path = "/orders"', 'path = "/orders?"', ['3: service.path: must be lower-case segments such as "/orders", without a slash at the end; for example path = "/orders"']),
]
"""A part of the file, what replaces it, and the errors, each from its line on."""

ADDED: list[tuple[str, list[str]]] = [
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "cron(0 6 * * *)"\n', ["16: scaling.scheduled[0].schedule: AWS's cron has six fields: the last is the year; did you mean cron(0 6 * * ? *)?"]),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "cron(0 6 * * * *)"\n', ['16: scaling.scheduled[0].schedule: exactly one of day of month and day of week must be ?; did you mean cron(0 6 * * ? *)?']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "cron(0 25 * * ? *)"\n', ['16: scaling.scheduled[0].schedule: the hour "25" is not within 0 to 23; for example cron(30 2 * * ? *)']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "cron(0 6)"\n', ['16: scaling.scheduled[0].schedule: cron needs six fields, not 2; for example cron(30 2 * * ? *)']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "rate(5 minute)"\n', ['16: scaling.scheduled[0].schedule: "5 minute" has the wrong number; did you mean rate(5 minutes)?']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "rate(often)"\n', ['16: scaling.scheduled[0].schedule: "often" is not a rate; for example rate(5 minutes)']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "at(2026-02-30T06:00:00)"\n', ['16: scaling.scheduled[0].schedule: "2026-02-30T06:00:00" is not in the calendar; for example at(2026-11-27T06:00:00)']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "at(tomorrow)"\n', ['16: scaling.scheduled[0].schedule: "tomorrow" is not a moment; for example at(2026-11-27T06:00:00)']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "daily"\n', ['16: scaling.scheduled[0].schedule: must be "cron(…)", "rate(…)" or "at(…)", as AWS writes schedules; for example schedule = "cron(0 6 27 11 ? *)"']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "rate(1 day)"\ntimezone = "Europe/Berlni"\n', ['17: scaling.scheduled[0].timezone: "Europe/Berlni" is not a time zone; for example timezone = "Europe/Berlin"']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 20\nmax_tasks = 9\nschedule = "rate(1 day)"\n', ['14: scaling.scheduled[0].min_tasks: 20 is above max_tasks, which is 9; swap them?']),
    ('[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "rate(1 day)"\n[[scaling.scheduled]]\nname = "noon"\nmin_tasks = 2\nmax_tasks = 9\nschedule = "rate(2 days)"\n', ['18: scaling.scheduled[1].name: "noon" is the name of an entry above as well; for example noon-2']),
    ('[scaling.scheduled]\nname = "noon"\n', ['12: scaling.scheduled: must be a list, not a table; for example [[scaling.scheduled]] with name, schedule, min_tasks and max_tasks']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\nbacklog_per_task = 0\n', ['16: worker.backlog_per_task: 0 is outside 1 to 1000000; did you mean 1?']),
    ('[worker]\ncommand = []\nmin_tasks = 1\nmax_tasks = 4\n', ['13: worker.command: must not be empty; for example command = ["python", "-m", "orders.worker"]']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\ncpu = 1024\n', ['12: worker.memory_mib: 1024 is not a Fargate size with 1024 CPU units, which take 2048 to 8192 MiB; did you mean 2048?']),
    ('[worker]\n', ['12: worker.command: is missing; for example command = ["python", "-m", "orders.worker"]', '12: worker.max_tasks: is missing; for example max_tasks = 6', '12: worker.min_tasks: is missing; for example min_tasks = 2']),
    ('[queues.orders]\nconsumes = ["stock.low"]\n', ['12: worker: the table [worker] is missing, though queues are consumed; for example [worker] with command, min_tasks and max_tasks']),
    ('[database]\n', ['10: commands.migrate: is missing, though there is a [database]; for example migrate = ["python", "-m", "platform_sdk.runtime.database.migrate", "orders"]']),
    ('[database]\nmax_connections = 101\n', ['10: commands.migrate: is missing, though there is a [database]; for example migrate = ["python", "-m", "platform_sdk.runtime.database.migrate", "orders"]', '13: database.max_connections: 101 is outside 1 to 100; did you mean 100?']),
    ('[cache]\nsize = 1\n', ['13: cache.size: unknown key; remove it']),
    ('[traffic_shift]\ntype = "blue_green"\n', ['13: traffic_shift.type: must be one of "canary", "linear" and "all_at_once"; for example type = "canary"']),
    ('[traffic_shift]\npercent = [10, 50]\n', ['13: traffic_shift.percent: a canary has exactly two steps: one part, and then all the rest; give one number, or choose type = "linear"']),
    ('[traffic_shift]\npercent = 100\n', ['13: traffic_shift.percent: 100 is outside 1 to 99; did you mean 99?']),
    ('[traffic_shift]\ntype = "linear"\npercent = 1\ninterval_minutes = 60\n', ["15: traffic_shift.interval_minutes: 99 intervals of 60 minutes are more than 2880, CodeDeploy's limit; did you mean 29?"]),
    ('[traffic_shift]\ntype = "all_at_once"\npercent = 10\n', ['14: traffic_shift.percent: all_at_once has no steps; remove percent, or choose another type']),
    ('[traffic_shift]\nbake_minutes = 2801\n', ['13: traffic_shift.bake_minutes: 2801 is outside 0 to 2800; did you mean 2800?']),
    ('[traffic_shift]\nbake_time = 5\n', ['13: traffic_shift.bake_time: unknown key; did you mean bake_minutes?']),
    ('[alarms.error_rate]\nthreshold_percent = 0\n', ['13: alarms.error_rate.threshold_percent: 0 is outside 0.1 to 100; for example threshold_percent = 1']),
    ('[alarms.errors]\nenabled = false\n', ['12: alarms.errors: unknown table; did you mean error_rate?']),
    ('[alarms.latency_p99]\nenabled = "no"\n', ['13: alarms.latency_p99.enabled: must be true or false, not a text in quotes; for example enabled = true']),
    ('[alarms.latency_p99]\nminutes = 61\n', ['13: alarms.latency_p99.minutes: 61 is outside 1 to 60; did you mean 60?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.q00]\nconsumes = ["stock.low"]\n[queues.q01]\nconsumes = ["stock.low"]\n[queues.q02]\nconsumes = ["stock.low"]\n[queues.q03]\nconsumes = ["stock.low"]\n[queues.q04]\nconsumes = ["stock.low"]\n[queues.q05]\nconsumes = ["stock.low"]\n[queues.q06]\nconsumes = ["stock.low"]\n[queues.q07]\nconsumes = ["stock.low"]\n[queues.q08]\nconsumes = ["stock.low"]\n', ['16: alarms: 12 alarms would roll back, and CodeDeploy watches at most 10; set roll_back = false below [alarms.dead_letters]']),
    ('[hooks]\nAfterAllowTestTraffic = "smoke_test"\n', ['13: hooks.AfterAllowTestTraffic: unknown key; did you mean after_allow_test_traffic?']),
    ('[hooks]\nallow_traffic = "smoke_test"\n', ["13: hooks.allow_traffic: is a step of CodeDeploy that cannot have a hook; did you mean before_allow_traffic?"]),
    ('[hooks]\nafter_install = "arn:aws:lambda:us-east-1:111122223333:function:f"\n', ['13: hooks.after_install: must be a name, not an ARN; the environment adds account and region']),
    ('[hooks]\nafter_install = "my function"\n', ['13: hooks.after_install: must be the name of a Lambda function (letters, digits, - and _), "smoke_test" or "none"; for example after_install = "orders-after-install"']),
    ('[health_check]\npath = "readyz"\n', ['13: health_check.path: must be a path such as "/readyz"; for example path = "/readyz"']),
    ('[health_check]\ntimeout_seconds = 10\n', ['13: health_check.timeout_seconds: 10 is not below interval_seconds, which is 10; did you mean 5?']),
    ('[health_check]\ngrace_period_seconds = 10\n', ['13: health_check.grace_period_seconds: 10 is below the 20 s that 2 checks take; did you mean 60?']),
    ('[health_check]\ninterval_seconds = 4\n', ['13: health_check.interval_seconds: 4 is outside 5 to 300; did you mean 5?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\nmax_receive_count = 0\n', ['18: queues.orders.max_receive_count: 0 is outside 1 to 1000; did you mean 1?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\nretention_days = 14\n', ['18: queues.orders.retention_days: 14 is outside 1 to 13; did you mean 13?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\ndead_letter_retention_days = 3\n', ['18: queues.orders.dead_letter_retention_days: 3 is not above retention_days, which is 4: a message keeps its age when it is moved; did you mean 14?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\nalarm_age_seconds = 60\n', ['18: queues.orders.alarm_age_seconds: 60 is not above visibility_timeout_seconds, which is 60: a second try would fire the alarm; did you mean 300?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\nretention_days = 1\nalarm_age_seconds = 90000\n', ['19: queues.orders.alarm_age_seconds: 90000 is not below retention_days, 1 day: the message is deleted first; did you mean 300?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\ndelay_seconds = 901\n', ['18: queues.orders.delay_seconds: 901 is outside 0 to 900; did you mean 900?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low"]\nmax_recieve_count = 5\n', ['18: queues.orders.max_recieve_count: unknown key; did you mean max_receive_count?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["stock.low", "stock.low"]\n', ['17: queues.orders.consumes: stock.low is listed twice; remove one']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders]\nconsumes = ["Stock"]\n', ['17: queues.orders.consumes[0]: must be an event type such as "order.placed"; for example consumes = ["inventory.reserved", "inventory.rejected"]']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.Orders]\nconsumes = ["stock.low"]\n', ['16: queues.Orders: the name must be 2 to 40 lower-case letters, digits and single hyphens, starting with a letter; for example [queues.orders]']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues]\norders = 1\n', ['17: queues.orders: must be a table, not a whole number; for example [queues.orders]']),
    ('[publishes]\nplaced = []\n', ['13: publishes.placed: the name must be an event type such as "order.placed"; for example "order.placed" = ["inventory"]']),
    ('[publishes]\n"order.placed" = "orders"\n', ['13: publishes."order.placed": must be a list, not a text in quotes; put it in brackets']),
    ('[environment]\nPAGE_SIZE = 10\n', ['13: environment.PAGE_SIZE: must be a text in quotes, not a whole number; put it in quotes']),
    ('[environment]\npage = "1"\n', ['13: environment.page: the name must be capital letters, digits and underscores, starting with a letter; for example GREETING = "hello"']),
    ('[environment]\nDATABASE_URL = "x"\n', ['13: environment.DATABASE_URL: is set by the platform; remove it, or choose another name']),
    ('[environment]\nAWS_PROFILE = "x"\n', ['13: environment.AWS_PROFILE: is reserved: AWS sets variables of this prefix in every task; choose another name']),
    ('[environment]\nLOG_LEVEL = "verbose"\n', ['13: environment.LOG_LEVEL: must be one of "debug", "info", "warning" and "error"; for example LOG_LEVEL = "debug"']),
    ('[environment]\nPASSWORD = "x"\n', ['13: environment.PASSWORD: looks like a secret, which plain variables do not keep; move it to [secrets]']),
    ('[environment]\nUPSTREAM = "https://user:hunter2@example.com"\n', ['13: environment.UPSTREAM: looks like a secret, which plain variables do not keep; move it to [secrets]']),
    ('[environment]\nKEY_A = "1"\n[secrets]\nKEY_A = "a"\n', ['15: secrets.KEY_A: is in [environment] as well; ECS refuses a name given twice; remove one of them']),
    ('[secrets]\nA = "arn:aws:secretsmanager:us-east-1:111122223333:secret:a"\n', ['13: secrets.A: must be a name, not an ARN; the environment adds account, region and prefix']),
    ('[secrets]\nA = "a b"\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[secrets]\nA = "9fK2mQ7xT4vB8nL3pR6wZ1cD"\n', ['13: secrets.A: looks like the secret itself; give the name under which Secrets Manager keeps it']),
    ('[[tasks]]\nname = "books"\ncommand = ["b"]\nschedule = "cron(0 2 * * ? *)"\n[[tasks]]\nname = "books"\ncommand = ["b"]\n', ['17: tasks[1].name: "books" is the name of an entry above as well; for example books-2']),
    ('[[tasks]]\nname = "worker"\ncommand = ["b"]\n', ['13: tasks[0].name: "worker" is the platform\'s own name for a task; choose another name']),
    ('[[tasks]]\nname = "books"\n', ['12: tasks[0].command: is missing; for example command = ["python", "-m", "orders.close_the_books"]']),
    ('[tasks]\nname = "books"\n', ['12: tasks: must be a list, not a table; for example [[tasks]] with name and command']),
    ('[[tasks]]\nname = "books"\ncommand = ["b"]\ncpu = 2048\n', ['12: tasks[0].memory_mib: 1024 is not a Fargate size with 2048 CPU units, which take 4096 to 16384 MiB; did you mean 4096?']),
    ('[[permissions]]\nactions = ["s3:*"]\nresources = ["arn:aws:s3:::receipts/*"]\n', ['13: permissions[0].actions[0]: a wildcard allows actions that nobody has reviewed; name the actions of s3 that the app calls']),
    ('[[permissions]]\nactions = ["GetObject"]\nresources = ["arn:aws:s3:::receipts/*"]\n', ['13: permissions[0].actions[0]: must be an action of IAM such as "s3:GetObject"; for example actions = ["s3:GetObject", "s3:PutObject"]']),
    ('[[permissions]]\nactions = ["s3:GetObject"]\nresources = ["*"]\n', ['14: permissions[0].resources[0]: "*" is every resource, and s3:GetObject can name one; give its ARN']),
    ('[[permissions]]\nactions = ["s3:GetObject"]\nresources = ["arn:aws:s3:::*"]\n', ['14: permissions[0].resources[0]: a * without a name before it allows every name; put the name before it, as in orders-*']),
    ('[[permissions]]\nactions = ["s3:GetObject"]\nresources = ["receipts"]\n', ['14: permissions[0].resources[0]: must be an ARN such as "arn:aws:s3:::receipts-{environment}/*"; for example resources = ["arn:aws:s3:::receipts-{environment}/*"]']),
    ('[[permissions]]\nactions = ["s3:GetObject"]\nresources = ["arn:aws:s3:::receipts-{stage}"]\n', ['14: permissions[0].resources[0]: has an unknown placeholder: only {environment}, {region} and {account_id} exist; write one of these']),
    ('[[permissions]]\nactions = ["s3:GetObject"]\n', ['12: permissions[0].resources: is missing; for example resources = ["arn:aws:s3:::receipts-{environment}/*"]']),
    ('[logs]\nretention_days = 31\n', ['13: logs.retention_days: CloudWatch Logs does not offer 31 days; did you mean 30 or 60?']),
    ('[sidecars.log_router]\nmemory_mib = 600\n', ['13: sidecars.log_router.memory_mib: the sidecars take 856 of the 1024 MiB of [task], and the app needs 256; raise task.memory_mib, or lower this']),
    ('[sidecars.log_router]\ncpu = 256\n', ['13: sidecars.log_router.cpu: the sidecars take 320 of the 512 CPU units of [task], more than half; raise task.cpu, or lower this']),
    ('[sidecars.log-router]\nenabled = false\n', ['12: sidecars.log-router: unknown table; did you mean log_router?']),
    ('[sidecars.log_router]\nmemory_mib = 32\n', ['13: sidecars.log_router.memory_mib: 32 is outside 64 to 8192; did you mean 64?']),
    ('[environments.prod.scaling]\nmax_tasks = 50\n', ['12: environments.prod: there is no such environment; did you mean production?']),
    ('[environments.Production]\n', ['12: environments.Production: the name must be 2 to 12 lower-case letters and digits; for example [environments.production.scaling]']),
    ('[environments]\nproduction = 1\n', ['13: environments.production: must be a table, not a whole number; for example [environments.production.scaling]']),
    ('[environments.production.environments.staging]\n', ['12: environments.production.environments: an environment does not hold others; write it by itself']),
    ('[environments.production.scaling]\nmax_tasks = 1\n', ['13: environments.production.scaling.max_tasks: 1 is below min_tasks, which is 2; give min_tasks here too, or 2']),
    ('[environments.production.scaling]\nmax_task = 50\n', ['13: environments.production.scaling.max_task: unknown key; did you mean max_tasks?']),
    ('[environments.production.task]\ncpu = 300\n', ['13: environments.production.task.cpu: 300 is not a Fargate size; did you mean 256 or 512?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\ncpu = 1024\n', ['12: worker.memory_mib: 1024 is not a Fargate size with 1024 CPU units, which take 2048 to 8192 MiB; did you mean 2048?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 3\nmax_tasks = 2\n', ['14: worker.min_tasks: 3 is above max_tasks, which is 2; swap them?']),
    ('cache = 1\n', ['12: commands.cache: unknown key; known here: api, demo and migrate']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nvisibility_timeout_seconds = 43201\n', ['18: queues.orders.visibility_timeout_seconds: 43201 is outside 1 to 43200; did you mean 43200?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nmax_receive_count = 0\n', ['18: queues.orders.max_receive_count: 0 is outside 1 to 1000; did you mean 1?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nmax_receive_count = 1001\n', ['18: queues.orders.max_receive_count: 1001 is outside 1 to 1000; did you mean 1000?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low"]\nmax_recieve_count = 5\n', ['18: queues.orders.max_recieve_count: unknown key; did you mean max_receive_count?']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = []\n', ['17: queues.orders.consumes: must not be empty; for example consumes = ["inventory.reserved", "inventory.rejected"]']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low",\n "stock.low"]\n', ['17: queues.orders.consumes: stock.low is listed twice; remove one']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.orders]\nconsumes = ["stock.low",\n "Stock"]\n', ['18: queues.orders.consumes[1]: must be an event type such as "order.placed"; for example consumes = ["inventory.reserved", "inventory.rejected"]']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues.Orders]\nconsumes = ["stock.low"]\n', ['16: queues.Orders: the name must be 2 to 40 lower-case letters, digits and single hyphens, starting with a letter; for example [queues.orders]']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 2\n[queues]\norders = 1\n', ['17: queues.orders: must be a table, not a whole number; for example [queues.orders]']),
    ('[secrets]\nDATABASE_PASSWORD = "x"\n', ['13: secrets.DATABASE_PASSWORD: is set by the platform; remove it, or choose another name']),
    ('[secrets]\nLOG_LEVEL = "x"\n', ['13: secrets.LOG_LEVEL: is set by the platform; remove it, or choose another name']),
    ('[secrets]\nA = ""\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[secrets]\nA = "with-hyphen-AbCdEf"\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[secrets]\nA = "a:"\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[secrets]\nA = "/"\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[secrets]\nA = "a//b"\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[secrets]\nA = "a:b:c"\n', ['13: secrets.A: must be "name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store; for example PAYMENT_KEY = "payment:api_key"']),
    ('[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 4\n[queues.orders-dead-letter]\nconsumes = ["stock.low"]\n', ['16: queues.orders-dead-letter: ends like the name of a dead-letter queue, and every queue has one of its own; choose another name']),
    ('[[tasks]]\nname = "books"\ncommand = ["b"]\ncpu = 256\nmemory_mib = 512\n[sidecars.log_router]\nmemory_mib = 256\n', ['18: sidecars.log_router.memory_mib: the sidecars take 384 of the 512 MiB of [tasks], and the app needs 256; raise tasks.memory_mib, or lower this']),
]
"""What is added to the file, and the errors."""
# fmt: on

TEXTS = [(VALID.replace(was, becomes, 1), errors) for was, becomes, errors in CHANGED] + [
    (VALID + added, errors) for added, errors in ADDED
]


@pytest.mark.parametrize(("text", "expected"), TEXTS, ids=[errors[0][:70] for _, errors in TEXTS])
def test_a_mistake_is_reported_with_line_and_suggestion(tmp_path: Path, text: str, expected: list[str]) -> None:
    environments = tmp_path / "deploy" / "environments"
    environments.mkdir(parents=True)
    for name in ("local", "production", "staging"):
        (environments / f"{name}.toml").touch()
    (tmp_path / "platform.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidManifest) as caught:
        load_spec(tmp_path / "platform.toml", "production", root=tmp_path)
    assert [str(error).removeprefix("platform.toml:") for error in caught.value.errors] == expected
    for error in caught.value.errors:
        assert error.line is not None
        assert error.suggestion


def test_the_mistakes_differ() -> None:
    reported = {errors[0].partition(": ")[2] for _, errors in TEXTS}
    assert len(reported) >= 100
