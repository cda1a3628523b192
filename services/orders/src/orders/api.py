"""The HTTP interface of orders: thin routes over use cases (writes) and model (reads).

Every statement checks the owner: another customer's order is a 404, like one that does not exist. Writes commit before
the answer is sent. A request that waits for a decision waits after its commit and holds no connection.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from orders import model, use_cases
from orders.errors import OrderNotFound, OtherUsersOrders
from orders.live import live_of
from orders.model import Draft, Order
from orders.preferences import preferred_wait_seconds, resume_after
from orders.schemas import OrderOut, PlaceOrderRequest, encode, location_of, order_body
from orders.states import FINAL, UNDECIDED, Status
from orders.watching import is_decided
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable, Reader, UnitOfWork
from platform_sdk.runtime.http.auth import Admin, CurrentUser, Principal
from platform_sdk.runtime.http.idempotency import (
    REPLAYED_HEADER,
    Idempotency,
    OptionalIdempotencyKey,
    Reply,
    RequiredIdempotencyKey,
)
from platform_sdk.runtime.http.inputs import Cursor, Limit, Page, Timestamp, decode_cursor, encode_cursor
from platform_sdk.runtime.http.problems import problem_responses
from platform_sdk.runtime.http.resources import Read, Uow, documented_match, etag_of, honour_match, is_not_modified
from platform_sdk.runtime.messaging.messages import new_id

router = APIRouter(prefix="/orders", tags=["orders"])

WaitSeconds = Annotated[int, Query(ge=0, le=3600, description="shortened to the longest wait that is served")]

_JSON = {"Content-Type": "application/json"}
_ORDER: dict[str, Any] = {"model": OrderOut, "description": "The order"}
_PREFER = {
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": "RFC 7240: `wait=N` waits up to N seconds for the decision and then answers 201",
            "schema": {"type": "string"},
            "example": "wait=5",
        }
    ]
}
_STREAMED = {
    "type": "object",
    "description": "one server-sent event; `data` is JSON: order_id, status, version, at, reason",
    "properties": {"event": {"const": "status"}, "id": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
_IF_MATCH = documented_match(required=False)


@router.post(
    "",
    status_code=202,
    responses={
        202: {**_ORDER, "description": "Accepted; the order is pending. Follow it at its Location"},
        201: {**_ORDER, "description": "Decided within the time that `Prefer: wait` gave"},
        **problem_responses(400, 401, 403, 409, 413, 415, 422, 503),
    },
    openapi_extra=_PREFER,
)
async def place_order(
    body: PlaceOrderRequest, user: CurrentUser, key: RequiredIdempotencyKey, request: Request
) -> Response:
    """Place an order. Inventory decides it: it reserves all items, or none."""
    live = live_of(request)
    wait_seconds = preferred_wait_seconds(request.headers.getlist("prefer"), live.settings.order_max_wait_seconds)
    draft = Draft(
        order_id=new_id(),
        user_id=user.user_id,
        items=body.lines(),
        currency=body.currency,
        address_id=body.address_id,
        note=body.note,
    )

    async def produce() -> Reply:
        order = await use_cases.place_order(uow, draft, live.lifetime)
        return _placed(202, order, wait_seconds)

    async with live.database.unit_of_work(correlation_id=request.scope["request_id"]) as uow:
        response = await key.once(uow, produce)
    if not wait_seconds or response.status_code != 202 or REPLAYED_HEADER in response.headers:
        return response
    decided = await live.decided(draft.order_id, wait_seconds)
    if decided is None:
        return response
    reply = _placed(201, decided, wait_seconds)
    try:
        await key.replace(live.database, reply)
    except DatabaseUnavailable:
        # Send the same bytes that a replay sends.
        return response
    return reply.response()


@router.get(
    "",
    response_model=Page[OrderOut],
    responses=problem_responses(401, 403, 422, 503),
)
async def list_orders(
    user: CurrentUser,
    read: Read,
    *,
    status: Status | None = None,
    created_from: Annotated[Timestamp | None, Query(alias="from", description="created at or after")] = None,
    created_before: Annotated[Timestamp | None, Query(alias="to", description="created before")] = None,
    user_id: Annotated[UUID | None, Query(description="administrators: the orders of this user only")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List your own orders, newest first; administrators see all."""
    if user_id not in (None, user.user_id) and not user.is_admin:
        raise OtherUsersOrders
    orders = await model.page(
        read,
        user_id=user_id if user.is_admin else user.user_id,
        status=status,
        created_from=created_from,
        created_before=created_before,
        before=decode_cursor(cursor, UUID)[0] if cursor else None,
        limit=limit + 1,
    )
    page = orders[:limit]
    next_cursor = encode_cursor(page[-1].order_id) if len(orders) > limit else None
    return _json(encode({"data": [order_body(order) for order in page], "next_cursor": next_cursor}))


@router.get(
    "/{order_id}",
    responses={
        200: {**_ORDER, "headers": {"ETag": {"schema": {"type": "string"}}}},
        304: {"description": "Still the version that If-None-Match names"},
        **problem_responses(401, 404, 422, 503),
    },
    response_model=OrderOut,
)
async def get_order(order_id: UUID, user: CurrentUser, read: Read, request: Request, wait: WaitSeconds = 0) -> Response:
    """Return one order. With `wait`, wait for its decision or, with `If-None-Match`, for its next version."""
    owner = _owner(user)
    order = await _find(read, order_id, owner)
    if wait and await _has_news(request, order, wait):
        order = await _find(read, order_id, owner)
    if is_not_modified(request, order.version):
        return Response(status_code=304, headers={"ETag": etag_of(order.version)})
    return _json(encode(order_body(order)), etag=order.version)


@router.get(
    "/{order_id}/events",
    responses={
        200: {
            "content": {"text/event-stream": {"schema": _STREAMED}},
            "description": "Server-sent events named `status`: where the order stands, then each change",
        },
        204: {"description": "Nothing will follow Last-Event-ID: the order has reached its final status"},
        **problem_responses(401, 404, 422, 503),
    },
    response_class=Response,
)
async def get_order_events(
    order_id: UUID,
    user: CurrentUser,
    read: Read,
    request: Request,
    last_event_id: Annotated[str | None, Header(description="resume after this event id")] = None,
) -> Response:
    """Stream the status of one order until it is final."""
    order = await _find(read, order_id, _owner(user))
    after = resume_after(last_event_id, order.version)
    if after == order.version and order.status in FINAL:
        return Response(status_code=204)
    return live_of(request).streams.response(order, after)


_ACTION = {**problem_responses(400, 401, 403, 404, 409, 412, 422, 503), 200: _ORDER}


@router.post("/{order_id}/cancel", responses=_ACTION, response_model=OrderOut, openapi_extra=_IF_MATCH)
async def cancel_order(
    order_id: UUID, user: CurrentUser, uow: Uow, key: OptionalIdempotencyKey, request: Request
) -> Response:
    """Cancel an order that is not paid yet. Cancelling it again changes nothing and succeeds."""
    reason = "administrator" if user.is_admin else "customer"
    return await _move(order_id, Status.CANCELLED, user, uow, key, request, reason=reason)


@router.post("/{order_id}/pay", responses=_ACTION, response_model=OrderOut, openapi_extra=_IF_MATCH)
async def pay_order(order_id: UUID, admin: Admin, uow: Uow, key: OptionalIdempotencyKey, request: Request) -> Response:
    """Mark a confirmed order as paid."""
    return await _move(order_id, Status.PAID, admin, uow, key, request)


@router.post("/{order_id}/ship", responses=_ACTION, response_model=OrderOut, openapi_extra=_IF_MATCH)
async def ship_order(order_id: UUID, admin: Admin, uow: Uow, key: OptionalIdempotencyKey, request: Request) -> Response:
    """Mark a paid order as shipped."""
    return await _move(order_id, Status.SHIPPED, admin, uow, key, request)


@router.post("/{order_id}/deliver", responses=_ACTION, response_model=OrderOut, openapi_extra=_IF_MATCH)
async def deliver_order(
    order_id: UUID, admin: Admin, uow: Uow, key: OptionalIdempotencyKey, request: Request
) -> Response:
    """Mark a shipped order as delivered."""
    return await _move(order_id, Status.DELIVERED, admin, uow, key, request)


@router.post("/{order_id}/refund", responses=_ACTION, response_model=OrderOut, openapi_extra=_IF_MATCH)
async def refund_order(
    order_id: UUID, admin: Admin, uow: Uow, key: OptionalIdempotencyKey, request: Request
) -> Response:
    """Refund a paid order. Its items return to the stock."""
    return await _move(order_id, Status.REFUNDED, admin, uow, key, request)


async def _move(
    order_id: UUID,
    target: Status,
    user: Principal,
    uow: UnitOfWork,
    key: Idempotency,
    request: Request,
    *,
    reason: str | None = None,
) -> Response:
    async def produce() -> Reply:
        order = await use_cases.move_order(
            uow,
            order_id,
            target,
            owner=_owner(user),
            reason=reason,
            check_version=lambda version: honour_match(request, version),
        )
        return Reply(status=200, body=encode(order_body(order)), headers={**_JSON, "ETag": etag_of(order.version)})

    return await key.once(uow, produce)


def _owner(user: Principal) -> UUID | None:
    return None if user.is_admin else user.user_id


async def _find(read: Reader, order_id: UUID, owner: UUID | None) -> Order:
    order = await model.find(read, order_id, owner)
    if order is None:
        raise OrderNotFound
    return order


async def _has_news(request: Request, order: Order, wait_seconds: float) -> bool:
    """Wait for a version other than that of `If-None-Match` or, without one, for the decision."""
    live, known = live_of(request), order.version
    if "if-none-match" not in request.headers:
        is_awaited, is_enough = order.status in UNDECIDED, is_decided
    else:
        is_awaited, is_enough = is_not_modified(request, known), lambda now: now.version > known
    seconds = min(wait_seconds, live.settings.order_max_wait_seconds)
    return is_awaited and await live.watcher.wait(order.order_id, is_enough, seconds) is not None


def _placed(status: int, order: Order, wait_seconds: float | None) -> Reply:
    headers = {**_JSON, "Location": location_of(order.order_id), "ETag": etag_of(order.version)}
    if status == 202:
        headers["Retry-After"] = "1"
    if wait_seconds:
        headers["Preference-Applied"] = f"wait={wait_seconds:g}"
    return Reply(status=status, body=encode(order_body(order)), headers=headers)


def _json(body: bytes, *, etag: int | None = None) -> Response:
    headers = _JSON if etag is None else {**_JSON, "ETag": etag_of(etag)}
    return Response(body, headers=headers)
