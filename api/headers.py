"""Headers on every answer: what a browser may load, and that patient data is not kept."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Swagger UI writes style attributes; its scripts are files of ours all the same.
DOCS_POLICY = POLICY.replace(b"style-src 'self'", b"style-src 'self' 'unsafe-inline'")
DOCS = "/docs"
STATIC = "/static/"
KEEP = b"public, max-age=3600"

# `same-origin` and not `no-referrer`: with the latter, browsers send "Origin: null" with forms.
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class SecurityHeaders:
    """ASGI middleware; an answer's own Content-Security-Policy and Cache-Control stay."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_added(message, scope["path"])]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _added(message: Message, path: str) -> list[tuple[bytes, bytes]]:
    present = {name for name, _ in message["headers"]}
    defaults = (
        (b"content-security-policy", DOCS_POLICY if path == DOCS else POLICY),
        (b"cache-control", KEEP if path.startswith(STATIC) else b"no-store"),
    )
    return [*ALWAYS, *(header for header in defaults if header[0] not in present)]
