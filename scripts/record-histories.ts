// `npm run record-histories`: plays every path of test/replay/paths.ts again and replaces the recorded histories. Run
// it at a release and when a path is new. A change that the old recordings refuse needs `patched()`, not a recording:
// running processes have those histories. `npm run record-histories -- <path> …` records these paths only.

import { recordHistories } from '../test/replay/record.ts';
import { progress, runScript } from './terminal.ts';
import { startTestServices } from './test-services.ts';

await runScript(async () => {
  const services = await startTestServices({ wanted: ['postgres', 'time-skipping'], report: progress });
  Object.assign(process.env, services.env);
  const only = process.argv.slice(2);
  try {
    await recordHistories({ report: progress, ...(only.length > 0 && { only }) });
  } finally {
    await services.stop();
  }
});
