"""Every statement that reads or writes users, addresses and sessions, compiled at import.

model.py and sessions.py run them. Every statement about an owned row checks the owner.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from platform_sdk.runtime.database.statements import compile_statement, parameters, sql_text
from users.tables import addresses, failed_log_ins, refresh_tokens, sessions, users

# ── users ────────────────────────────────────────────────────────────────────────────────────────────────────────────

# Without the password.
_user = tuple(
    users.c[name] for name in ("id", "email", "name", "role", "disabled", "version", "created_at", "updated_at")
)
_is_user = users.c.id == bindparam("user_id")

INSERT_USER: Final = compile_statement(
    "insert_user",
    insert(users)
    .values(parameters("id", "email", "name", "password_hash", "role"))
    .on_conflict_do_nothing(index_elements=[users.c.email])
    .returning(*_user),
)

FIND_USER: Final = compile_statement("find_user", select(*_user).where(_is_user))

LOCK_USER: Final = compile_statement("lock_user", select(*_user).where(_is_user).with_for_update(key_share=True))

_after = bindparam("after", type_=Uuid)
_query = bindparam("query", type_=Text)
LIST_USERS: Final = compile_statement(
    "list_users",
    select(*_user)
    .where(
        or_(_after.is_(None), users.c.id > _after),
        or_(
            _query.is_(None),
            func.strpos(users.c.email, func.lower(_query)) > 0,
            func.strpos(func.lower(users.c.name), func.lower(_query)) > 0,
        ),
    )
    .order_by(users.c.id)
    .limit(bindparam("limit", type_=Integer)),
)

UPDATE_USER: Final = compile_statement(
    "update_user",
    update(users)
    .values(**parameters("name", "role", "disabled"), version=users.c.version + 1, updated_at=func.now())
    .where(_is_user)
    .returning(*_user),
)

_same_password = users.c.password_version == bindparam("old_version")

REPLACE_PASSWORD: Final = compile_statement(
    "replace_password",
    update(users)
    .values(**parameters("password_hash"), password_version=users.c.password_version + 1, updated_at=func.now())
    .where(_is_user, _same_password),
)

REHASH_PASSWORD: Final = compile_statement(
    "rehash_password", update(users).values(parameters("password_hash")).where(_is_user, _same_password)
)

DELETE_USER: Final = compile_statement("delete_user", delete(users).where(_is_user).returning(users.c.version))

# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────

_CONTENT: Final = ("label", "recipient", "line1", "line2", "city", "region", "postal_code", "country")
_address = tuple(addresses.c[name] for name in ("id", *_CONTENT, "version", "created_at", "updated_at"))
_of_user = addresses.c.user_id == bindparam("user_id")
_is_address = addresses.c.id == bindparam("id")

LIST_ADDRESSES: Final = compile_statement("list_addresses", select(*_address).where(_of_user).order_by(addresses.c.id))

FIND_ADDRESS: Final = compile_statement("find_address", select(*_address).where(_of_user, _is_address))

LOCK_ADDRESS: Final = compile_statement(
    "lock_address", select(*_address).where(_of_user, _is_address).with_for_update(key_share=True)
)

COUNT_ADDRESSES: Final = compile_statement(
    "count_addresses", select(func.count()).select_from(addresses).where(_of_user)
)

INSERT_ADDRESS: Final = compile_statement(
    "insert_address", insert(addresses).values(parameters("user_id", "id", *_CONTENT)).returning(*_address)
)

UPDATE_ADDRESS: Final = compile_statement(
    "update_address",
    update(addresses)
    .values(**parameters(*_CONTENT), version=addresses.c.version + 1, updated_at=func.now())
    .where(_of_user, _is_address)
    .returning(*_address),
)

DELETE_ADDRESS: Final = compile_statement("delete_address", delete(addresses).where(_of_user, _is_address))

# ── failed log-ins ───────────────────────────────────────────────────────────────────────────────────────────────────

_of_email = failed_log_ins.c.email_digest == bindparam("email_digest")
_forget_after = bindparam("forget_after", type_=INTERVAL)

# One row, whether or not there is a user.
FIND_CANDIDATE: Final = compile_statement(
    "find_candidate",
    sql_text(
        """
        SELECT users.id, users.password_hash, users.password_version,
               coalesce(extract(epoch FROM failed.locked_until - now()), 0)::float8 AS locked_seconds
        FROM (SELECT 1) AS always
        LEFT JOIN users ON users.email = :email
        LEFT JOIN failed_log_ins AS failed ON failed.email_digest = :email_digest
        """,
        email=Text,
        email_digest=LargeBinary,
    ),
)

COUNT_FAILURE: Final = compile_statement(
    "count_failure",
    insert(failed_log_ins)
    .values(**parameters("email_digest"), failures=1)
    .on_conflict_do_update(
        index_elements=[failed_log_ins.c.email_digest],
        set_={
            "failures": case(
                (failed_log_ins.c.last_failed_at < func.now() - _forget_after, 1), else_=failed_log_ins.c.failures + 1
            ),
            "last_failed_at": func.now(),
        },
    )
    .returning(failed_log_ins.c.failures),
)

LOCK_LOG_IN: Final = compile_statement(
    "lock_log_in",
    update(failed_log_ins).values(locked_until=func.now() + bindparam("duration", type_=INTERVAL)).where(_of_email),
)

FORGET_FAILURES: Final = compile_statement("forget_failures", delete(failed_log_ins).where(_of_email))

_old = (
    select(failed_log_ins.c.email_digest)
    .where(failed_log_ins.c.last_failed_at < func.now() - _forget_after)
    .order_by(failed_log_ins.c.last_failed_at)
    .limit(10)
    .with_for_update(skip_locked=True)
)
FORGET_OLD_FAILURES: Final = compile_statement(
    "forget_old_failures", delete(failed_log_ins).where(failed_log_ins.c.email_digest.in_(_old))
)

# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

# The lock makes this wait for a transaction that disables the user or changes the password, and see it.
INSERT_SESSION: Final = compile_statement(
    "insert_session",
    sql_text(
        """
        WITH account AS (
            SELECT id, role FROM users WHERE id = :user_id AND password_version = :password_version AND NOT disabled
            FOR SHARE
        ), session AS (
            INSERT INTO sessions (id, user_id, expires_at) SELECT :id, id, now() + :lifetime FROM account
            RETURNING id, user_id
        )
        SELECT session.id, session.user_id, account.role FROM session, account
        """,
        id=Uuid,
        user_id=Uuid,
        password_version=BigInteger,
        lifetime=INTERVAL,
    ),
)

_role = bindparam("role", type_=Text)
_is_valid = (sessions.c.expires_at > func.now(), ~users.c.disabled)
IS_LIVE: Final = compile_statement(
    "is_live",
    select(
        select(sessions.c.id)
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.id == bindparam("id"),
            users.c.id == bindparam("user_id"),
            *_is_valid,
            or_(_role.is_(None), users.c.role == _role),
        )
        .exists()
    ),
)

INSERT_REFRESH_TOKEN: Final = compile_statement(
    "insert_refresh_token", insert(refresh_tokens).values(parameters("digest", "session_id"))
)

LOCK_SESSION_OF: Final = compile_statement(
    "lock_session_of",
    select(sessions.c.id, sessions.c.user_id, users.c.role)
    .join_from(refresh_tokens, sessions, sessions.c.id == refresh_tokens.c.session_id)
    .join(users, users.c.id == sessions.c.user_id)
    .where(refresh_tokens.c.digest == bindparam("digest"), *_is_valid)
    .with_for_update(of=sessions),
)

USE_REFRESH_TOKEN: Final = compile_statement(
    "use_refresh_token",
    update(refresh_tokens)
    .values(used_at=func.now())
    .where(refresh_tokens.c.digest == bindparam("digest"), refresh_tokens.c.used_at.is_(None)),
)

END_SESSION: Final = compile_statement("end_session", delete(sessions).where(sessions.c.id == bindparam("id")))

_sessions_of_user = sessions.c.user_id == bindparam("user_id")

END_SESSIONS: Final = compile_statement(
    "end_sessions", delete(sessions).where(_sessions_of_user, sessions.c.id.is_distinct_from(bindparam("but")))
)

DELETE_EXPIRED_SESSIONS: Final = compile_statement(
    "delete_expired_sessions", delete(sessions).where(_sessions_of_user, sessions.c.expires_at < func.now())
)
