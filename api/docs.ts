/** The document at `/openapi.json` and its reference page at `/docs`, from files of this machine only. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import express, { type RequestHandler, Router } from 'express';
import type { OpenApiDocument } from './openapi.ts';

export function serveDocs(document: OpenApiDocument): Router {
  const json = JSON.stringify(document);
  const router = Router();
  router.get('/openapi.json', (_req, res) => void res.type('application/json').send(json));
  router.get('/docs', (_req, res) => void res.type('html').send(page));
  router.get('/docs/start.js', (_req, res) => void res.type('js').send(start));
  router.get(assets, serveAsset);
  return router;
}

const directory = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const assets = ['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js', '/docs/favicon-32x32.png'];
const files = express.static(directory, { index: false, maxAge: '1d', redirect: false });

const serveAsset: RequestHandler = (req, res, next) => {
  req.url = req.path.slice('/docs'.length);
  files(req, res, next);
};

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Perennial API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** A file of its own, so that the page needs no inline script. */
const start = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null,
});
`;
