/**
 * Where the demo tenant is paid by bank transfer, and the account whose statements it reads: a made-up one at the First Bank.
 *
 * Why it is safe to run twice: a tenant that has bank details, or ever had an account, keeps what its people chose.
 */
import { readTransferConfiguration } from '../../domain/payments/transfer-configuration.ts';
import type { Tx } from '../client.ts';
import { addBankAccount, listBankAccounts } from '../queries/payments/bank-accounts.ts';
import { currentBankDetails, putBankDetails } from '../queries/payments/bank-details.ts';

export async function createDemoBank(tx: Tx, tenantId: string): Promise<void> {
  const by = { tenantId, actor: 'seed', at: new Date() };
  if ((await currentBankDetails(tx)) === null) {
    const reading = readTransferConfiguration({ version: 1, accounts });
    if (!reading.ok) throw new Error("The demo's account cannot be paid to");
    await putBankDetails(tx, { ...by, configuration: reading.configuration });
  }
  const known = await listBankAccounts(tx);
  if (known.length > 0) return;
  const account = { name: 'First Bank', currency: 'USD', isReceiving: true, mask: '…6789', csvMapping };
  await addBankAccount(tx, { ...by, account });
}

const accounts = [
  {
    id: 'usd-main',
    country: 'US',
    currency: 'USD',
    holder: 'Acme Books Inc',
    bankName: 'First Bank',
    scheme: 'us',
    achRoutingNumber: '021000021',
    accountNumber: '000123456789',
  },
];

/** What the columns of a plain CSV mean. */
export const csvMapping = {
  columns: { date: 'Date', amount: { kind: 'signed', column: 'Amount' }, texts: ['Text'] },
  dateFormat: 'YYYY-MM-DD',
};
