"""The RDS data API, as far as a database is given roles and schemas: it knows their names, and no other SQL."""

import re
from typing import ClassVar, Final

from aws_simulator.account import Account
from aws_simulator.refused import NotPlayed, Refused
from aws_simulator.service import Answer, Request, Service

MADE: Final = re.compile(r'CREATE (?P<kind>ROLE|SCHEMA) (?P<unless>IF NOT EXISTS )?"(?P<name>[^"]+)"')
ASKED: Final = {"pg_roles": "ROLE", "pg_namespace": "SCHEMA"}
SILENT: Final = ("ALTER ROLE ", "GRANT ", "REVOKE ")


class RdsData(Service):
    """`statements` are those that were executed; `paused` counts the calls that find the database asleep."""

    NAME: ClassVar[str] = "rds-data"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.made: dict[str, list[str]] = {"ROLE": [], "SCHEMA": []}
        self.statements: list[str] = []
        self.paused = 0

    def execute_statement(self, request: Request) -> Answer:
        sql = request["sql"]
        if self.paused:
            self.paused -= 1
            raise Refused("DatabaseResumingException", "The Aurora DB instance is resuming after being auto-paused.")
        self.statements.append(sql)
        if sql.startswith("SELECT"):
            return {"records": [[{"longValue": 1}]] if self._is_there(request) else []}
        if (made := MADE.match(sql)) is not None:
            self._make(made)
        elif not sql.startswith(SILENT):
            raise NotPlayed(f"the SQL {sql.split(maxsplit=2)[:2]}")
        return {"numberOfRecordsUpdated": 0}

    def concerned(self, operation: str, request: Request) -> tuple[str, ...]:
        return (request["resourceArn"],)

    def _is_there(self, request: Request) -> bool:
        (parameter,) = request["parameters"]
        kind = next(kind for table, kind in ASKED.items() if table in request["sql"])
        return parameter["value"]["stringValue"] in self.made[kind]

    def _make(self, made: re.Match[str]) -> None:
        names = self.made[made["kind"]]
        if made["name"] not in names:
            names.append(made["name"])
        elif not made["unless"]:
            raise Refused("DatabaseErrorException", f'ERROR: {made["kind"].lower()} "{made["name"]}" already exists')
