"""What a caller of the API does that its OpenAPI document cannot express: a key of its own for each request, names that
are not taken, ids of things that exist, and the vendors' signatures under each event. What is wrong on purpose stays wrong."""

import hashlib
import hmac
import itertools
import json
import os
import re
import time
import urllib.request
import uuid
import zlib

import schemathesis

# Of one page, up to its end.
PDF = """%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >> endobj
trailer << /Root 1 0 R >>
"""
VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")
EXAMPLE_ID = re.compile(r"([a-z]+)_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b")
# Razorpay's ids of subscriptions begin like ours, and the generator takes one for the other.
RAZORPAY_SUBSCRIPTION_ID = re.compile(r"sub_[0-9A-Za-z]{14}")
UNIQUE_EXAMPLES = {"code": "pro-monthly", "externalRef": "account-4711"}

# The tenant's things by the prefix of their ids.
IDS = json.loads(os.environ["FUZZ_IDS"])
# The same by the names of the configuration's dictionaries.
DICTIONARIES = json.loads(os.environ["FUZZ_DICTIONARIES"])
# What each of these may be done to: once another one was done, it may not any more.
OWN_DICTIONARY = {
    "approveCryptoAct": "approvableActs",
    "rejectCryptoAct": "rejectableActs",
    "approveCryptoPayout": "approvable",
    "rejectCryptoPayout": "rejectable",
    "broadcastCryptoPayout": "sendable",
}
# Without them nothing would work any more: the API key of the run, the plans that are sold.
KEPT_IDS = set(os.environ["FUZZ_KEPT_IDS"].split(","))
# What is done with each so many-th request of its kind; noise may look alike for all of them.
turns = itertools.count()
WEBHOOK_SECRET = os.environ["FUZZ_WEBHOOK_SECRET"].encode()
RAZORPAY_SECRET = os.environ["FUZZ_RAZORPAY_SECRET"].encode()
COINBASE_SECRET = os.environ["FUZZ_COINBASE_SECRET"].encode()
COMMERCE_SECRET = os.environ["FUZZ_COMMERCE_SECRET"].encode()
PLAID_SANDBOX = os.environ["FUZZ_PLAID_SANDBOX"]
RAZORPAY_KEY_SECRET = os.environ["FUZZ_RAZORPAY_KEY_SECRET"].encode()
# What Razorpay calls our orders and subscriptions.
RAZORPAY_IDS = json.loads(os.environ["FUZZ_RAZORPAY_IDS"])


@schemathesis.hook
def before_call(context, case, kwargs):
    # The generator's own judgement, before anything is touched: a touched part is judged anew.
    wrong_headers = is_wrong(case, "header")
    chosen = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())

    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            replace_examples(part, chosen)
    operation_id = case.operation.definition.raw["operationId"]
    if operation_id in ("confirmRazorpayOrder", "confirmRazorpaySubscription") and not is_wrong(case, "body"):
        sign_checkout(case)
    waiting = {"acceptCryptoPayments": "acceptable", "dismissCryptoPayments": "dismissable"}.get(operation_id)
    if waiting and not is_wrong(case, "body") and not is_wrong(case, "path") and chosen % 4 != 0:
        which = chosen % len(DICTIONARIES[waiting])
        case.path_parameters["cryptoInvoiceId"] = DICTIONARIES[waiting][which]
        case.body["paymentKeys"] = [DICTIONARIES[waiting + "Keys"][which]]
    own = OWN_DICTIONARY.get(operation_id)
    if own:
        for name, value in case.path_parameters.items():
            if value in DICTIONARIES["acts"] + DICTIONARIES["payouts"] and value not in DICTIONARIES[own]:
                case.path_parameters[name] = DICTIONARIES[own][chosen % len(DICTIONARIES[own])]
    if operation_id == "requestCryptoPayout" and not is_wrong(case, "body") and not is_wrong(case, "path") and chosen % 4 != 0:
        which = chosen % len(DICTIONARIES["payableBack"])
        case.path_parameters["cryptoInvoiceId"] = DICTIONARIES["payableBack"][which]
        case.body.pop("amountMinor", None)
        case.body["paymentKey"] = DICTIONARIES["payableBackKeys"][which]
    if operation_id == "markCryptoInvoiceSettled" and not is_wrong(case, "body") and chosen % 4 != 0:
        case.body["force"] = True
    # Noise is no statement; every other file is one that was not read before.
    if operation_id == "addBankStatement" and case.meta and not case.meta.generation.mode.is_negative and next(turns) % 2 == 0:
        kwargs["auth"] = send_statement
    if operation_id == "matchBankTransaction" and not is_wrong(case, "body") and not is_wrong(case, "path") and next(turns) % 4 == 0:
        case.path_parameters["transactionId"] = DICTIONARIES["matchable"][chosen % len(DICTIONARIES["matchable"])]
        case.body = {"creditCustomerId": DICTIONARIES["creditable"][0]}
    if operation_id == "dismissUnreadableMovements" and not is_wrong(case, "body") and not is_wrong(case, "path") and chosen % 4 != 0:
        case.path_parameters["bankConnectionId"] = DICTIONARIES["unreadableAt"][0]
        case.body = {"externalIds": DICTIONARIES["unreadable"]}
    if operation_id in ("revokeApiKey", "archivePlan", "archiveCoupon", "retireCryptoAccount"):
        for name, value in case.path_parameters.items():
            if value in KEPT_IDS:
                case.path_parameters[name] = value.split("_")[0] + "_" + "0" * 32

    # Bytes at random are no file that is taken. A text stays valid in the generator's eyes, and a PDF may be one.
    if operation_id == "createBankProof" and isinstance(case.body, dict) and not is_wrong(case, "body") and chosen % 4 != 0:
        case.body["file"] = PDF + f"% {uuid.uuid4()}\n%%EOF\n"
    key = (case.headers or {}).get("Idempotency-Key")
    # One request of eight keeps its generated key, which is mostly a short text that was used before.
    if isinstance(key, str) and VALID_KEY.fullmatch(key) and not wrong_headers and chosen % 8 != 0:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.operation.path == "/webhooks/stripe" and "Stripe-Signature" in (case.headers or {}):
        kwargs["auth"] = sign
    if case.operation.path == "/webhooks/razorpay" and not wrong_headers and not is_wrong(case, "body"):
        case.body["created_at"] = int(time.time())
        case.headers["X-Razorpay-Event-Id"] = str(uuid.uuid4())
    if case.operation.path == "/webhooks/razorpay" and "X-Razorpay-Signature" in (case.headers or {}):
        kwargs["auth"] = sign_for_razorpay
    if case.operation.path == "/webhooks/coinbase" and "X-Hook0-Signature" in (case.headers or {}):
        kwargs["auth"] = sign_for_coinbase
    if case.operation.path == "/webhooks/plaid" and "Plaid-Verification" in (case.headers or {}):
        kwargs["auth"] = sign_for_plaid
    if case.operation.path == "/webhooks/coinbase_commerce":
        if not wrong_headers and not is_wrong(case, "body"):
            case.body["event"]["created_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if "X-CC-Webhook-Signature" in (case.headers or {}):
            kwargs["auth"] = sign_for_commerce


def is_wrong(case, part):
    component = case.meta.components.get(part) if case.meta else None
    return component is not None and component.mode.is_negative


def replace_examples(fields, chosen):
    """The examples of the document are well-formed and name nothing here, or what was taken by the first request."""
    for name, value in fields.items():
        example = EXAMPLE_ID.fullmatch(value) if isinstance(value, str) else None
        if example and IDS.get(example[1]):
            fields[name] = IDS[example[1]][chosen % len(IDS[example[1]])]
        elif isinstance(value, str) and RAZORPAY_SUBSCRIPTION_ID.fullmatch(value):
            fields[name] = IDS["sub"][chosen % len(IDS["sub"])]
        elif value == UNIQUE_EXAMPLES.get(name, fields):
            fields[name] = f"new-{uuid.uuid4()}"


def sign_checkout(case):
    """As Razorpay signs what its checkout hands to the customer: the two ids of an order in one order, of a subscription in the
    other."""
    [(name, ours)] = case.path_parameters.items()
    theirs, payment = RAZORPAY_IDS.get(ours, ""), case.body["paymentId"]
    text = f"{theirs}|{payment}" if name == "orderId" else f"{payment}|{theirs}"
    case.body["signature"] = hmac.new(RAZORPAY_KEY_SECRET, text.encode(), hashlib.sha256).hexdigest()


def send_statement(request):
    """In the place of the bytes at random, which the generator judges by what it has made itself."""
    request.url = request.url.split("?")[0]
    request.headers["Content-Type"] = "application/octet-stream"
    request.body = f"Date,Amount,Text\n2026-03-05,1.00,payment {uuid.uuid4()}\n".encode()
    return request


def sign(request):
    """Signs the bytes that are sent, just before they are."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    timestamp = str(int(time.time()))
    signature = hmac.new(WEBHOOK_SECRET, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    request.headers["Stripe-Signature"] = f"t={timestamp},v1={signature}"
    return request


def sign_for_razorpay(request):
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    request.headers["X-Razorpay-Signature"] = hmac.new(RAZORPAY_SECRET, body, hashlib.sha256).hexdigest()
    return request


def sign_for_coinbase(request):
    """Without headers in the signature: the body alone names the event then."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    timestamp = str(int(time.time()))
    signature = hmac.new(COINBASE_SECRET, f"{timestamp}...".encode() + body, hashlib.sha256).hexdigest()
    request.headers["X-Hook0-Signature"] = f"t={timestamp},h=,v1={signature}"
    return request


def sign_for_plaid(request):
    """By the sandbox, which alone has the key."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    asked = urllib.request.Request(f"{PLAID_SANDBOX}/_sandbox/webhooks/sign", data=body, method="POST")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        request.headers["Plaid-Verification"] = json.load(answer)["token"]
    return request


def sign_for_commerce(request):
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    request.headers["X-CC-Webhook-Signature"] = hmac.new(COMMERCE_SECRET, body, hashlib.sha256).hexdigest()
    return request
