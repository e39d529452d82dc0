"""What a caller of the API does that its OpenAPI document cannot express: a key of its own for each request, and
Stripe's signature under each event."""

import hashlib
import hmac
import os
import re
import time
import uuid

import schemathesis

VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")
WEBHOOK_SECRET = os.environ["FUZZ_WEBHOOK_SECRET"].encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and VALID_KEY.fullmatch(key) and not is_repeated(key):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.operation.path == "/webhooks/stripe" and "Stripe-Signature" in headers:
        kwargs["auth"] = sign


def is_repeated(key):
    """The shortest keys are generated over and over; they stay, to meet the answers that were kept under them."""
    return len(key) == 1


def sign(request):
    """Signs the bytes that are sent, just before they are."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    timestamp = str(int(time.time()))
    signature = hmac.new(WEBHOOK_SECRET, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    request.headers["Stripe-Signature"] = f"t={timestamp},v1={signature}"
    return request
