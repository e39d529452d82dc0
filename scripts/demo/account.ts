/** What the demo came to, by the vendor's own books and by ours, and what it promises of them. */
import type { DemoApi } from './demo-api.ts';

export type Account = {
  status: string;
  access: string;
  erased: boolean;
  invoicesPaid: number;
  vendorCharges: number;
  invoicesChargedTwice: number;
  mailsSent: number;
};

export async function takeAccount(api: DemoApi, subscriptionId: string): Promise<Account> {
  const { status, access, closedAt } = await api.get(`/v1/subscriptions/${subscriptionId}`);
  const invoices = await api.list(`/v1/invoices?subscriptionId=${subscriptionId}`);
  const mails = await api.list(`/v1/notifications?subscriptionId=${subscriptionId}`);
  const charges = await api.vendorCharges();
  return {
    status,
    access,
    erased: closedAt !== null,
    invoicesPaid: invoices.filter((invoice) => invoice['status'] === 'paid').length,
    vendorCharges: charges.length,
    invoicesChargedTwice: charges.length - new Set(charges.map((charge) => charge['businessRef'])).size,
    mailsSent: mails.filter((mail) => mail['status'] === 'sent').length,
  };
}

/** One sentence for each promise that the account does not keep. */
export function brokenPromises(account: Account): string[] {
  return Object.entries(promised).flatMap(([name, wanted]) => {
    const found = account[name as keyof Account];
    return found === wanted ? [] : [`${name} was to be ${wanted} and is ${found}.`];
  });
}

/** The first period, a renewal, and the renewal that a second card paid: three invoices, each charged once. */
const promised: Partial<Account> = {
  status: 'cancelled',
  access: 'none',
  erased: true,
  invoicesPaid: 3,
  vendorCharges: 3,
  invoicesChargedTwice: 0,
};
