/** A connection of its own that waits for the notifications of one Postgres channel. */
import pg from 'pg';

/** Starts listening. `onLost` is called once when the connection breaks; the caller then listens again. */
export type Listen = (handlers: {
  /** `payload`: what the notification says; null for none. */
  onWake: (payload: string | null) => void;
  onLost: (error: Error) => void;
}) => Promise<{ close(): Promise<void> }>;

/** Listens to what inserts into the outbox send at their commit. */
export function listenToOutbox(databaseUrl: string): Listen {
  return async ({ onWake, onLost }) => {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'perennial relay',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    let isOpen = true;
    const lost = (error: Error) => {
      if (!isOpen) return;
      isOpen = false;
      client.end().catch(() => {});
      onLost(error);
    };
    client.on('error', lost);
    client.on('end', () => lost(new Error('the connection was closed')));
    client.on('notification', ({ payload }) => onWake(payload ?? null));

    try {
      await client.connect();
      await client.query('listen outbox');
      if (!isOpen) throw new Error('the connection was closed');
    } catch (error) {
      isOpen = false;
      await client.end().catch(() => {});
      throw error;
    }
    return {
      close: async () => {
        isOpen = false;
        await client.end();
      },
    };
  };
}
