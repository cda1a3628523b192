"""What every service uses, so that a service contains only its business.

request to effect:  HTTP ─▶ app ─▶ use case ─▶ unit of work ─▶ { model rows, outbox row }   commit, then answer
                    outbox row ─▶ relay ─▶ queue ─▶ consumer ─▶ { inbox row } + use case    commit, then delete it

A service imports (below platform_sdk.runtime):

    lifecycle               serve_api, run_worker, Worker, Periodic
    process.settings        ServiceSettings, load_settings
    http.app                create_app
    http.resources          Uow, Read, Resources, ServiceResources, ShuttingDown, rate_limit,
                            etag_of, require_match, honour_match, is_not_modified
    http.auth               Public, Authenticated, Administrator, CurrentUser, Admin, ServiceCaller, require_role
    http.inputs             RequestModel, ResponseModel, Text, Integer, Boolean, Timestamp, Page, Limit, Cursor
    http.problems           Problem, not_found, conflict, problem_responses …
    http.idempotency        RequiredIdempotencyKey, OptionalIdempotencyKey, Reply
    database.pool           Database            database.unit_of_work   UnitOfWork, Reader, Record, DatabaseUnavailable
    database.statements     compile_statement, sql_text, parameters, Statement
    database.tables         outbox, inbox, idempotency: for statements; VERSION_1: for the first migration
    messaging.messages      Event, Message, new_id
    messaging.inbox         Handler, PermanentFailure
    cache                   Cache
    testing                 HandlerHarness, recorded_events
"""
