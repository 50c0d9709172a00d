"""A web service in front of a model: people before background work, and no answer after its time.

    pip install fastapi uvicorn
    uvicorn examples.service:app

POST /ask answers a person: in ten seconds, or with 503 and the time to come back.
POST /summaries takes work that can wait: it never gets into a person's way.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from adapters import openai
from adapters.errors import AdapterError
from resilience import Priority, RefusedError, deadline, priority

MODEL = "gpt-4o-mini"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for all requests: they share its keys, its limit, its line and its circuit."""
    async with openai.AsyncClient(max_concurrent_requests=8, queue_size=200) as client:
        app.state.client = client
        yield


def the_client(request: Request) -> openai.AsyncClient:
    client: openai.AsyncClient = request.app.state.client
    return client


app = FastAPI(lifespan=lifespan)
Client = Annotated[openai.AsyncClient, Depends(the_client)]


@app.post("/ask")
async def ask(question: str, client: Client) -> dict[str, str]:
    with deadline(10), priority(Priority.HIGH):
        return {"answer": (await client.chat(MODEL, question)).text}


@app.post("/summaries")
async def summarize(texts: list[str], client: Client) -> list[str]:
    with priority(Priority.LOW):
        return [(await client.chat(MODEL, f"Summarize: {text}")).text for text in texts]


@app.exception_handler(RefusedError)
@app.exception_handler(AdapterError)
async def explain(_: Request, error: Exception) -> JSONResponse:
    wait = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"Retry-After": str(max(1, round(wait)))}
    return JSONResponse({"error": str(error)}, status_code=503, headers=headers)
