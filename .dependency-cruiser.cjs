// Who may import whom. The layers are the folders at the top; an import that only carries types is always allowed,
// because it is gone at run time. The bundler of workflows does not notice a value import of an activity, whose body
// would then run inside the workflow, unrecorded and not retried: these rules do.

const ownFolders = '^(activities|api|config|db|domain|integrations|scripts|temporal|test|workers|workflows)/';
const contract = '^workflows/(.+[.]contract|search-attributes)[.]ts$';
const tests = '[.](test|story)[.]ts$';

/** Files that match `from` may import values only from our files that match `allowed`; packages are not concerned. */
const mayImportOnly = ({ name, comment, from, notFrom = [], allowed }) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: [tests, ...notFrom] },
  to: { path: ownFolders, pathNot: allowed, dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden: [
    mayImportOnly({
      name: 'domain-imports-domain-only',
      comment: 'The rules are pure: move what does I/O to activities, and pass its result in.',
      from: '^domain/',
      allowed: ['^domain/'],
    }),
    mayImportOnly({
      name: 'contracts-import-domain-only',
      comment: 'A contract is what every caller loads: keep it free of implementations.',
      from: contract,
      allowed: ['^domain/', contract],
    }),
    mayImportOnly({
      name: 'workflows-import-no-effects',
      comment: 'A workflow calls activities by proxyActivities<typeof activities>; import their types only.',
      from: '^workflows/',
      notFrom: [contract],
      allowed: ['^domain/', '^workflows/'],
    }),
    mayImportOnly({
      name: 'activities-import-downwards',
      comment:
        'Activities know the rules, the contracts, the database and the vendors; workers hand them the rest.',
      from: '^activities/',
      allowed: ['^activities/', '^domain/', contract, '^db/', '^integrations/', '^config/'],
    }),
    mayImportOnly({
      name: 'api-imports-no-implementations',
      comment:
        'The API starts and signals by contracts, reads by db/queries, verifies webhooks, and draws and looks at files: integrations/pdf, integrations/statements and integrations/proofs are pure, without a vendor behind them. Its entry hands it the tax engine, which a preview asks and which has no effect there, the bank feed, which is asked while a person connects a bank, and the storage into which files go before the transaction that tells of them.',
      from: '^api/',
      allowed: [
        '^api/',
        '^domain/',
        contract,
        '^db/(queries/|client|ids|outage|together)',
        '^temporal/',
        '^integrations/[^/]+/(webhook|verify)[^/]*[.]ts$',
        '^integrations/(pdf|statements|proofs)/',
        '^integrations/storage/storage[.]ts$',
        '^integrations/stripe/tax[.]ts$',
        '^integrations/plaid/client[.]ts$',
        '^config/',
      ],
    }),
    mayImportOnly({
      name: 'workers-do-not-import-api',
      comment: 'Workers put everything together but the API, which is a process of its own.',
      from: '^workers/',
      allowed: ['^(workers|activities|workflows|domain|db|integrations|temporal|config)/'],
    }),
    mayImportOnly({
      name: 'db-imports-downwards',
      comment: 'Queries know the rules and, for what they put into the outbox, the contracts.',
      from: '^db/',
      allowed: ['^db/', '^domain/', contract, '^config/'],
    }),
    mayImportOnly({
      name: 'integrations-import-domain-only',
      comment: 'A vendor adapter translates; who calls it decides.',
      from: '^integrations/',
      allowed: ['^integrations/', '^domain/', '^config/'],
    }),
    mayImportOnly({
      name: 'temporal-imports-contracts-only',
      comment: 'The connection serves every process, so it knows only what all of them share.',
      from: '^temporal/',
      allowed: ['^temporal/', '^domain/', contract, '^config/'],
    }),
    mayImportOnly({
      name: 'config-imports-nothing',
      comment: 'Settings are read before everything else.',
      from: '^config/',
      allowed: ['^config/'],
    }),
    {
      name: 'api-and-workers-are-imported-by-nobody',
      comment: 'They are programs: start them, or move what you need to a layer below.',
      severity: 'error',
      from: { path: '^(activities|config|db|domain|integrations|temporal|workflows)/', pathNot: tests },
      to: { path: '^(api|workers|scripts|test)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pure-code-imports-no-node',
      comment: 'Workflows and rules have no clock, no files and no network.',
      severity: 'error',
      from: { path: '^(workflows|domain)/', pathNot: tests },
      to: { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'workflows-import-workflow-packages-only',
      comment:
        'Other packages of the SDK do not run inside a workflow; zod makes each cached workflow several times larger.',
      severity: 'error',
      from: { path: '^workflows/', pathNot: tests },
      to: {
        path: 'node_modules/(@temporalio/(?!workflow|common)|zod|pg|drizzle-orm|stripe|resend|express|pino)',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'no-development-packages-in-production',
      comment: 'It would be missing in the container: move the package to dependencies.',
      severity: 'error',
      from: {
        path: '^(activities|api|config|db|domain|integrations|temporal|workers|workflows)/',
        pathNot: [tests, '^temporal/sdk-download[.]ts$'],
      },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one, or need a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|coverage|[.]perennial)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: `${__dirname}/tsconfig.json` },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
