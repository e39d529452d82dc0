/** Where a person looks at a running process. */
import type { ApiDependencies } from './dependencies.ts';

/** The Web UI's page of a process. */
export function workflowUrl(
  { config, temporal }: Pick<ApiDependencies, 'config' | 'temporal'>,
  workflowId: string,
): string {
  const { namespace } = temporal.options;
  return `${config.temporal.uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`;
}
