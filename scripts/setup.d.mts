export function isInstalled(folder: string): boolean;
export function isUsableNode(version: string): boolean;
