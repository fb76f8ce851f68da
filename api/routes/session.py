"""Signing in: POST /v1/token for programs, and who the token names."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm

from api.answers import Answer
from api.schemas import MeOut, TokenOut
from api.security import Bearer, Logins, SignedIn, Tokens
from api.sessions import SignIns

router = APIRouter(prefix="/v1", tags=["session"])


@router.post("/token", response_model=TokenOut)
def token(request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Answer:
    """Exchange a name and a password for a short-lived token."""
    logins: Logins = request.app.state.logins
    tokens: Tokens = request.app.state.tokens
    principal = logins.sign_in(form.username, form.password, address_of(request))
    return Answer({
        "access_token": tokens.issue(principal), "token_type": "bearer",
        "expires_in": tokens.seconds,
    })


@router.get("/me", response_model=MeOut)
async def me(principal: SignedIn) -> Answer:
    """Who is signed in, and with which role."""
    return Answer({"username": principal.username, "role": principal.role.value})


@router.delete("/token", status_code=204, dependencies=[Depends(Bearer())])
def end(request: Request) -> None:
    """Sign out: this token opens nothing any more."""
    sign_ins: SignIns = request.app.state.sign_ins
    sign_ins.end(request.headers["authorization"].split()[1])


def address_of(request: Request) -> str:
    """The peer's address, for the throttle."""
    return request.client.host if request.client else "unknown"
