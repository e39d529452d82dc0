// Where a test finds the real servers. They are started once for all test files, by `npm test` or by vitest itself.

/** Address of Temporal's dev server, host:port. Make a namespace or ids of your own: all test files share it. */
export const temporalAddress = (): string => required('TEST_TEMPORAL_ADDRESS');

/** Path of the time-skipping server, for `executable: { type: 'existing-path', path }`. */
export const timeSkippingServerPath = (): string => required('TEST_TIME_SKIPPING_SERVER');

/** Base address of stripe-mock. */
export const stripeMockUrl = (): string => required('TEST_STRIPE_MOCK_URL');

/** Path of the Bitcoin node's program; see `startBtcd`. */
export const btcdPath = (): string => required('TEST_BTCD');

/** Path of the S3 server's program; null where it is not there and cannot be built. See `startVersitygw`. */
export const versitygwPath = (): string | null => process.env['TEST_VERSITYGW'] || null;

/** Connection of the owner of the test database server; see `createTestDatabase`. */
export const databaseServerUrl = (): string => required('TEST_DATABASE_ADMIN_URL');

function required(variable: string): string {
  const value = process.env[variable];
  if (!value) {
    throw new Error(
      `${variable} is not set. Run tests with npm test, or one project with: npx vitest --project <name>`,
    );
  }
  return value;
}
