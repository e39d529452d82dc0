/** Proofs of bank transfers, as callers send and get them. */
import { z } from 'zod';
import {
  PROOF_MAX_MIB,
  PROOF_PAGES_MAX,
  proofOutcomes,
  proofRefusals,
  proofStatuses,
  proofSuspicions,
} from '../../domain/payments/bank-proof.ts';
import { uploadedFile } from '../form-file.ts';
import { dayInput, id, idPattern, instant, positiveAmount, text } from '../schemas.ts';
import { confirmedTransfer } from './bank-transfers.schemas.ts';

export const proofStatus = z.enum(proofStatuses).meta({
  description: 'waiting: somebody is to look at it. approved, rejected: somebody has.',
});

export const bankProof = z
  .object({
    id: id('bpf', 'proof of a bank transfer'),
    bankTransferId: id('btf', 'bank transfer'),
    invoiceId: id('inv', 'invoice'),
    customerId: id('cus', 'customer'),
    status: proofStatus,
    contentType: z.enum(['image/jpeg', 'image/png', 'image/webp', 'application/pdf']),
    sizeBytes: z.int().meta({ description: 'As it is kept.', example: 48213 }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .meta({
        description:
          'Of the file as it was sent. A picture is drawn anew and kept without what else was in it.',
      }),
    hasFile: z.boolean().meta({ description: 'False once it is deleted, because its customer was erased.' }),
    confirmationNumber: z.string().nullable().meta({
      description: "The number on the bank's confirmation, as it was told with the file.",
    }),
    suspicion: z.enum(proofSuspicions).nullable().meta({
      description:
        'The very same file was sent for another invoice of this customer, or by another customer: look closely.',
    }),
    uploadedVia: z.enum(['page', 'api']),
    uploadedAt: instant,
    decidedAt: instant.nullable(),
    decidedBy: z.string().nullable().meta({ example: 'api_key:key_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b' }),
    reason: z.string().nullable().meta({ description: 'Why it was rejected, as the customer was told.' }),
    outcome: z.enum(proofOutcomes).nullable().meta({
      description:
        'Of an approval. booked: a payment was. superseded: the invoice had been paid in the meantime, and nothing was booked.',
    }),
    paymentId: id('pay', 'payment').nullable(),
  })
  .meta({ id: 'BankProof' });

export type BankProofBody = z.input<typeof bankProof>;

export const newBankProof = z
  .strictObject({
    file: uploadedFile.meta({
      type: 'string',
      format: 'binary',
      description: `A JPEG, PNG or WebP picture or a PDF of up to ${PROOF_PAGES_MAX} pages, of at most ${PROOF_MAX_MIB} MiB; known by its bytes, whatever it is called, and kept drawn anew. What is not taken is refused with one of the reasons ${proofRefusals.join(', ')}.`,
    }),
    confirmationNumber: confirmedTransfer.shape.number.optional(),
  })
  .meta({ id: 'NewBankProof' });

export const bankProofParams = z.strictObject({ bankProofId: id('bpf', 'proof of a bank transfer') });
export const bankProofCursor = idPattern('bpf');

export const approvedProof = z
  .strictObject({
    amountMinor: positiveAmount.optional().meta({
      description: "What the proof shows, in the invoice's currency. As usual what the invoice is due.",
    }),
    receivedOn: dayInput.optional().meta({
      description:
        "The day of the transfer in the tenant's time zone, as the proof shows it. As usual today. Not in the future.",
    }),
  })
  .meta({ id: 'ApprovedBankProof' });

export const rejectedProof = z
  .strictObject({
    reason: text(500).meta({
      description: 'The customer is told.',
      example: 'The amount cannot be read.',
    }),
  })
  .meta({ id: 'RejectedBankProof' });
