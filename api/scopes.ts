/** What an API key may do. Each operation asks for exactly one scope. */
export const scopes = [
  'billing:read',
  'billing:write',
  'operations:read',
  'operations:write',
  'reports:read',
  'reports:write',
  'tenants:read',
  'tenants:write',
] as const;

export type Scope = (typeof scopes)[number];
