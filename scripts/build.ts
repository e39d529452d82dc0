// `npm run build`: the workflow bundle that production loads, dist/workflow-bundle.js.

await import('../workers/build-bundle.ts');
