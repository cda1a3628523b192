"""The HTTP interface of inventory: thin routes over use cases (writes) and model (reads).

Everyone may read the catalogue. Administrators change it and read its ledger. Other services and administrators use
reservations. Writes commit before the answer is sent.
"""

from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from inventory import model, reservations, use_cases
from inventory.errors import UnknownItem, UnknownReservation
from inventory.item_cache import ItemCache
from inventory.schemas import (
    MAX_LINES,
    SKU_PATTERN,
    Adjustment,
    ItemChange,
    ItemOut,
    ItemsOut,
    MovementOut,
    NewItem,
    NewReservation,
    ReservationOut,
    Sku,
    item_body,
    item_out,
    items_out,
    movement_out,
    reservation_out,
)
from inventory.settings import InventorySettings
from inventory.use_cases import Terms
from platform_sdk.runtime.http.auth import ADMIN, SERVICE, Administrator, Public, require_role
from platform_sdk.runtime.http.idempotency import OptionalIdempotencyKey, Reply
from platform_sdk.runtime.http.inputs import INT8_MAX, NO_NUL, Cursor, Limit, Page, decode_cursor, encode_cursor
from platform_sdk.runtime.http.problems import problem_responses
from platform_sdk.runtime.http.resources import (
    Read,
    Resources,
    Uow,
    documented_match,
    etag_of,
    honour_match,
    require_match,
)

router = APIRouter(prefix="/inventory")

ServiceOrAdministrator = Depends(require_role(SERVICE, ADMIN))
SkuPath = Annotated[str, Path(min_length=1, max_length=64, pattern=SKU_PATTERN)]
SearchText = Annotated[
    str | None, Query(min_length=1, max_length=100, pattern=NO_NUL, description="part of a name or SKU, in any case")
]
Skus = Annotated[list[Sku], Query(min_length=1, max_length=MAX_LINES)]

_ETAG = {"ETag": {"description": "The item's version, for If-Match", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "The new resource", "schema": {"type": "string"}}}


@dataclass(frozen=True, slots=True)
class Desk:
    """What routes need in addition to their transaction."""

    terms: Terms
    items: ItemCache


async def desk(resources: Resources) -> Desk:
    settings = cast(InventorySettings, resources.settings)
    items = ItemCache(resources.cache, settings.inventory_item_cache_seconds)
    return Desk(Terms.of(settings, items.items_changed), items)


InventoryDesk = Annotated[Desk, Depends(desk)]


# ── the catalogue, for everybody ─────────────────────────────────────────────────────────────────────────────────────


@router.get("/items", dependencies=[Public], tags=["catalogue"], responses=problem_responses(422, 503))
async def list_items(read: Read, query: SearchText = None, limit: Limit = 20, cursor: Cursor = None) -> Page[ItemOut]:
    """Return items in order of SKU."""
    after = decode_cursor(cursor, str)[0] if cursor else ""
    items = await model.list_items(read, query=query, after=after, limit=limit + 1)
    page = items[:limit]
    next_cursor = encode_cursor(page[-1].sku) if len(items) > limit else None
    return Page[ItemOut](data=[item_out(item) for item in page], next_cursor=next_cursor)


@router.get("/items:batchGet", dependencies=[Public], tags=["catalogue"], responses=problem_responses(422, 503))
async def batch_get_items(read: Read, sku: Skus) -> ItemsOut:
    """Return up to 100 items by SKU."""
    return items_out(await model.fetch_items(read, sku), sku)


@router.get(
    "/items/{sku}",
    dependencies=[Public],
    tags=["catalogue"],
    response_model=ItemOut,
    responses={200: {"headers": _ETAG}, **problem_responses(404, 422, 503)},
)
async def get_item(sku: SkuPath, read: Read, desk: InventoryDesk) -> Response:
    """Return one item. Caches must not store it: the stock changes without the ETag."""
    cached = await desk.items.find(sku)
    body = cached.body
    if body is None:
        item = await model.fetch_item(read, sku)
        if item is None:
            raise UnknownItem(sku)
        body = item_body(item)
        if cached.may_store:
            await desk.items.store(sku, body)
    headers = {"ETag": etag_of(body["version"]), "Cache-Control": "no-store"}
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


# ── the catalogue and its stock, for administrators ──────────────────────────────────────────────────────────────────


@router.post(
    "/items",
    dependencies=[Administrator],
    tags=["administration"],
    status_code=201,
    response_model=ItemOut,
    responses={201: {"headers": _ETAG | _LOCATION}, **problem_responses(400, 401, 403, 409, 413, 415, 422, 503)},
)
async def create_item(body: NewItem, key: OptionalIdempotencyKey, uow: Uow) -> Response:
    """Add an item, without stock, to the catalogue."""

    async def produce() -> Reply:
        item = await use_cases.create_item(uow, sku=body.sku, name=body.name, price=body.price, currency=body.currency)
        headers = {"Location": f"/inventory/items/{item.sku}", "ETag": etag_of(item.version)}
        return Reply.json(201, item_out(item), headers)

    return await key.once(uow, produce)


@router.patch(
    "/items/{sku}",
    dependencies=[Administrator],
    tags=["administration"],
    responses={200: {"headers": _ETAG}, **problem_responses(400, 401, 403, 404, 412, 413, 415, 422, 428, 503)},
    openapi_extra=documented_match(required=True),
)
async def change_item(
    sku: SkuPath, body: ItemChange, request: Request, response: Response, uow: Uow, desk: InventoryDesk
) -> ItemOut:
    """Change name or price. Holds keep the price at which they were made."""
    await desk.items.mark_changing([sku])
    item = await use_cases.change_item(
        uow,
        desk.terms,
        sku,
        name=body.name,
        price=body.price,
        guard=lambda item: require_match(request, item.version),
    )
    response.headers["ETag"] = etag_of(item.version)
    return item_out(item)


@router.delete(
    "/items/{sku}",
    dependencies=[Administrator],
    tags=["administration"],
    status_code=204,
    responses=problem_responses(401, 403, 404, 409, 412, 422, 503),
    openapi_extra=documented_match(required=False),
)
async def archive_item(sku: SkuPath, request: Request, uow: Uow, desk: InventoryDesk) -> None:
    """Archive an item permanently. Refused while orders hold stock of it.

    Its SKU stays taken, and its ledger stays in the database.
    """
    await desk.items.mark_changing([sku])
    await use_cases.archive_item(uow, desk.terms, sku, guard=lambda item: honour_match(request, item.version))


@router.post(
    "/items/{sku}/adjustments",
    dependencies=[Administrator],
    tags=["administration"],
    status_code=201,
    response_model=MovementOut,
    responses=problem_responses(400, 401, 403, 404, 409, 413, 415, 422, 503),
)
async def adjust_stock(
    sku: SkuPath, body: Adjustment, key: OptionalIdempotencyKey, uow: Uow, desk: InventoryDesk
) -> Response:
    """Record a delivery, a loss or a count. Return the ledger entry."""

    async def produce() -> Reply:
        movement = await use_cases.adjust_stock(uow, desk.terms, sku, delta=body.delta, reason=body.reason)
        return Reply.json(201, movement_out(movement))

    await desk.items.mark_changing([sku])
    return await key.once(uow, produce)


@router.get(
    "/items/{sku}/movements",
    dependencies=[Administrator],
    tags=["administration"],
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def list_movements(sku: SkuPath, read: Read, limit: Limit = 20, cursor: Cursor = None) -> Page[MovementOut]:
    """Return the item's ledger, newest entry first."""
    before = decode_cursor(cursor, int)[0] if cursor else INT8_MAX
    movements = await model.list_movements(read, sku, before=before, limit=limit + 1)
    if not movements and not await model.is_in_catalogue(read, sku):
        raise UnknownItem(sku)
    page = movements[:limit]
    next_cursor = encode_cursor(page[-1].movement_id) if len(movements) > limit else None
    return Page[MovementOut](data=[movement_out(movement) for movement in page], next_cursor=next_cursor)


# ── reservations, for services and administrators ────────────────────────────────────────────────────────────────────


@router.post(
    "/reservations",
    dependencies=[ServiceOrAdministrator],
    tags=["reservations"],
    status_code=201,
    response_model=ReservationOut,
    responses={
        201: {"headers": _LOCATION},
        200: {"model": ReservationOut, "description": "The order has this reservation already"},
        **problem_responses(400, 401, 403, 404, 409, 413, 415, 422, 503),
    },
)
async def make_reservation(
    body: NewReservation, key: OptionalIdempotencyKey, uow: Uow, desk: InventoryDesk
) -> Response:
    """Hold all items for an order, or none."""

    async def produce() -> Reply:
        reservation, is_new = await use_cases.make_reservation(
            uow, desk.terms, body.order_id, body.quantities(), hold_seconds=body.ttl_seconds
        )
        location = f"/inventory/reservations/{reservation.reservation_id}"
        return Reply.json(201 if is_new else 200, reservation_out(reservation), {"Location": location})

    await desk.items.mark_changing(body.quantities())
    return await key.once(uow, produce)


@router.get(
    "/reservations/{reservation_id}",
    dependencies=[ServiceOrAdministrator],
    tags=["reservations"],
    responses=problem_responses(401, 403, 404, 422, 503),
)
async def get_reservation(reservation_id: UUID, read: Read) -> ReservationOut:
    """Return one reservation with its lines."""
    reservation = await reservations.fetch_reservation(read, reservation_id=reservation_id)
    if reservation is None:
        raise UnknownReservation(reservation_id)
    return reservation_out(reservation)


@router.post(
    "/reservations/{reservation_id}/commit",
    dependencies=[ServiceOrAdministrator],
    tags=["reservations"],
    response_model=ReservationOut,
    responses=problem_responses(400, 401, 403, 404, 409, 422, 503),
)
async def commit_reservation(
    reservation_id: UUID, key: OptionalIdempotencyKey, uow: Uow, desk: InventoryDesk
) -> Response:
    """Commit a hold: its units are sold. Safe to repeat."""

    async def produce() -> Reply:
        reservation = await use_cases.commit_reservation(uow, desk.terms, reservation_id)
        return Reply.json(200, reservation_out(reservation))

    return await key.once(uow, produce)


@router.post(
    "/reservations/{reservation_id}/release",
    dependencies=[ServiceOrAdministrator],
    tags=["reservations"],
    response_model=ReservationOut,
    responses=problem_responses(400, 401, 403, 404, 409, 422, 503),
)
async def release_reservation(
    reservation_id: UUID, key: OptionalIdempotencyKey, uow: Uow, desk: InventoryDesk
) -> Response:
    """Release a hold: its units return to the stock. Safe to repeat."""

    async def produce() -> Reply:
        reservation = await use_cases.release_reservation(uow, desk.terms, reservation_id)
        return Reply.json(200, reservation_out(reservation))

    return await key.once(uow, produce)
