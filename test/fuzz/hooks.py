"""What a caller of the API does that its OpenAPI document cannot express: a key of its own for each request, and
Stripe's signature under each event."""

import hashlib
import hmac
import os
import re
import time
import uuid
import zlib

import schemathesis

VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")
WEBHOOK_SECRET = os.environ["FUZZ_WEBHOOK_SECRET"].encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and VALID_KEY.fullmatch(key) and not keeps_key(case):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.operation.path == "/webhooks/stripe" and "Stripe-Signature" in headers:
        kwargs["auth"] = sign


def keeps_key(case):
    """Generated keys are mostly the same short texts; one request of eight keeps its own, to meet what was answered
    under it before."""
    return zlib.crc32(repr((case.path_parameters, case.body)).encode()) % 8 == 0


def sign(request):
    """Signs the bytes that are sent, just before they are."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    timestamp = str(int(time.time()))
    signature = hmac.new(WEBHOOK_SECRET, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    request.headers["Stripe-Signature"] = f"t={timestamp},v1={signature}"
    return request
