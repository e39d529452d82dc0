/** Column shapes that every table shares. */
import { bigint, char, numeric, text, timestamp } from 'drizzle-orm/pg-core';

/** `<prefix>_<uuidv7>`, made by `newId`. */
export const id = () => text().primaryKey();

export const tenantId = () => text().notNull();

/** A UTC instant with milliseconds. */
export const instant = () => timestamp({ withTimezone: true, precision: 3, mode: 'date' });

/** Technical time of the insert. Business dates are columns of their own, from workflow time. */
export const createdAt = () => instant().notNull().defaultNow();

/** Minor units; a check keeps them within the integers JavaScript holds exactly. */
export const amountMinor = () => bigint({ mode: 'number' });

export const currency = () => char({ length: 3 });

/** Coins in the smallest unit of their asset; up to 2^256. */
export const coinUnits = () => numeric({ precision: 78, scale: 0, mode: 'bigint' });
