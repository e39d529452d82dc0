/** Whether the database is to be asked again: it was not reached, or gave a transaction up for a reason that passes. */
export function isOutage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && transientCode.test(code)) return true;
    if (lostConnection.test(cause.message)) return true;
  }
  return false;
}

/** Connection exceptions (08), shutdown (57P), too many connections (53), serialisation and deadlock (40). */
const transientCode =
  /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|08...|57P0.|53...|40001|40P01)$/;
const lostConnection =
  /^(timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Cannot use a pool after calling end)/;
