"""`POST /orders` the usual way, for comparison: ORM session, BaseHTTPMiddleware, auto-instrumentation, response model.

The same contract as our endpoint: token verified, key claimed, order, items, history and outbox row in one transaction.
Run by uvicorn as `benchmarks.usual_orders:app`; DATABASE_URL, PUBLIC_KEY and so on come from bench_orders.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel, Field
from sqlalchemy import DateTime, ForeignKey, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import Response

log = logging.getLogger("usual")
engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {dict[str, Any]: JSONB, datetime: DateTime(timezone=True)}


class Item(Base):
    __tablename__ = "order_items"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    quantity: Mapped[int]
    unit_price: Mapped[int | None]


class Step(Base):
    __tablename__ = "order_history"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    at: Mapped[datetime]


class Order(Base):
    __tablename__ = "orders"
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    status: Mapped[str]
    version: Mapped[int]
    currency: Mapped[str | None]
    total: Mapped[int | None]
    note: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    items: Mapped[list[Item]] = relationship(order_by=Item.position)
    history: Mapped[list[Step]] = relationship(order_by=Step.version)


class Claimed(Base):
    __tablename__ = "idempotency"
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int | None]
    body: Mapped[bytes | None]


class Outgoing(Base):
    __tablename__ = "outbox"
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    aggregate_id: Mapped[str]
    aggregate_version: Mapped[int]
    type: Mapped[str]
    version: Mapped[int]
    payload: Mapped[dict[str, Any]]
    headers: Mapped[dict[str, Any]]


class DisabledUser(Base):
    __tablename__ = "disabled_users"
    user_id: Mapped[UUID] = mapped_column(primary_key=True)


class ItemIn(BaseModel):
    sku: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=1000)


class OrderIn(BaseModel):
    items: list[ItemIn] = Field(min_length=1, max_length=100)
    currency: str | None = None
    note: str | None = None


class ItemOut(BaseModel):
    model_config = {"from_attributes": True}
    sku: str
    quantity: int
    unit_price: int | None


class StepOut(BaseModel):
    model_config = {"from_attributes": True}
    status: str
    at: datetime


class OrderOut(BaseModel):
    model_config = {"from_attributes": True}
    order_id: UUID
    user_id: UUID
    status: str
    version: int
    currency: str | None
    total: int | None
    note: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    items: list[ItemOut]
    history: list[StepOut]


class RequestId(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["X-Request-Id"] = request.headers.get("x-request-id") or str(uuid4())
        return response


class AccessLog(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        log.info("%s %s %s %.4f", request.method, request.url.path, response.status_code, time.perf_counter() - start)
        return response


class SecurityHeaders(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened, opened.begin():
        yield opened


def user(authorization: Annotated[str, Header()]) -> UUID:
    claims = jwt.decode(
        authorization.removeprefix("Bearer "),
        os.environ["PUBLIC_KEY"],
        algorithms=["EdDSA"],
        audience=os.environ["TOKEN_AUDIENCE"],
        issuer=os.environ["TOKEN_ISSUER"],
    )
    return UUID(claims["sub"])


app = FastAPI()
trace.set_tracer_provider(TracerProvider())
for middleware in (RequestId, AccessLog, SecurityHeaders):
    app.add_middleware(middleware)
FastAPIInstrumentor.instrument_app(app)


@app.post("/orders", status_code=202, response_model=OrderOut)
async def place_order(
    body: OrderIn,
    database: Annotated[AsyncSession, Depends(session, scope="function")],
    user_id: Annotated[UUID, Depends(user)],
    idempotency_key: Annotated[str, Header()],
) -> OrderOut:
    fingerprint = hashlib.sha256(json.dumps(body.model_dump(), sort_keys=True).encode()).digest()
    claimed = await database.get(Claimed, (str(user_id), idempotency_key))
    if claimed is not None:
        raise HTTPException(409 if claimed.fingerprint == fingerprint else 422)
    claim = Claimed(scope=str(user_id), key=idempotency_key, fingerprint=fingerprint, status=None, body=None)
    database.add(claim)
    await database.flush()
    if await database.get(DisabledUser, user_id):
        raise HTTPException(403)
    order_id = uuid4()
    _add(database, order_id, user_id, body)
    await database.flush()
    query = select(Order).where(Order.order_id == order_id)
    order = (await database.scalars(query.options(selectinload(Order.items), selectinload(Order.history)))).one()
    reply = OrderOut.model_validate(order)
    claim.status, claim.body = 202, reply.model_dump_json().encode()
    return reply


def _add(database: AsyncSession, order_id: UUID, user_id: UUID, body: OrderIn) -> None:
    now = datetime.now(UTC)
    database.add(
        Order(
            order_id=order_id,
            user_id=user_id,
            status="pending",
            version=1,
            currency=body.currency,
            total=None,
            note=body.note,
            created_at=now,
            updated_at=now,
            expires_at=now + timedelta(minutes=15),
            items=[
                Item(position=position, sku=item.sku, quantity=item.quantity)
                for position, item in enumerate(body.items, 1)
            ],
            history=[Step(version=1, status="pending", at=now)],
        )
    )
    database.add(
        Outgoing(
            id=uuid4(),
            aggregate_id=str(order_id),
            aggregate_version=1,
            type="order.placed",
            version=1,
            payload={"order_id": str(order_id), **body.model_dump()},
            headers={"source": "orders"},
        )
    )
