/** What a sandboxed vendor is: its operations, its refusals, and its own ways. */
import type { EffectNote } from './effect-log.ts';
import type { HttpAnswer, HttpRequest, Route } from './http.ts';

/** What an operation is given. */
export type VendorRequest<Params> = {
  params: Params;
  pathParams: Record<string, string>;
  idempotencyKey: string | null;
  requestId: string;
};

export type VendorAnswer = { status: number; body: unknown; headers?: Record<string, string> };

/** A mutation says what it did, for the log. */
export type VendorResult = { body: unknown; note?: EffectNote };

export type Operation<Params> = {
  /** Its name in logs and fault plans, such as `payment_intents.create`. */
  op: string;
  method: Route['method'];
  path: string;
  mutates: boolean;
  run(request: VendorRequest<Params>): VendorResult;
};

/** Thrown by an operation to answer with an error of the vendor's. */
export class VendorRefusal extends Error {
  readonly answer: VendorAnswer;
  readonly note: EffectNote;

  constructor(answer: VendorAnswer, note: EffectNote = { outcome: 'refused' }) {
    super(`Refused with ${answer.status}`);
    this.answer = answer;
    this.note = note;
  }
}

/** What differs from vendor to vendor. */
export type VendorRules<Params> = {
  newRequestId(): string;
  /** Headers every answer carries. */
  headers(requestId: string): Record<string, string>;
  /** Throws a VendorRefusal on missing or wrong credentials. */
  authenticate(request: HttpRequest): void;
  /** Throws a VendorRefusal on parameters the operation does not take. */
  readParams(op: string, request: HttpRequest): Params;
  /** The header of a mutation that carries its idempotency key; null where the vendor knows none. */
  keyHeader(op: string): Lowercase<string> | null;
  /** Headers of an answer that is repeated from memory. */
  replayHeaders: Record<string, string>;
  /** Whether a 500 is remembered under the key and repeated, as Stripe does. */
  remembersServerErrors: boolean;
  /** How an answer looks on the wire; JSON unless the vendor has another way. */
  toHttp?(answer: VendorAnswer, headers: Record<string, string>): HttpAnswer;
  failures: {
    serverError(): VendorAnswer;
    unavailable(): VendorAnswer;
    rateLimited(): VendorAnswer;
    otherRequestUnderKey(key: string): VendorAnswer;
    keyInFlight(key: string): VendorAnswer;
  };
};
