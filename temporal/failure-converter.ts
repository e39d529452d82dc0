/**
 * Moves the message and stack trace of a failure into a payload, which the codec then encrypts: a vendor's
 * error text may name a customer. Types of failures stay readable. It also runs inside the workflow sandbox,
 * so it imports nothing else.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
